//! Digests: of a plan, of what is observed, of a folder.

use std::fmt::Write;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::plan::{Change, Observed};
use crate::manifest::document::to_document;

/// `sha256:…` of a plan: over the files' tree, what was observed, and the ordered changes. Two plans with one digest do the
/// same. The revision is not part of it, so that a pull request's head and its merge have the same.
pub(super) fn plan(tree: &str, observed: &Observed, changes: &[Change]) -> String {
    of(&json!({ "tree": tree, "observed": fingerprint(observed), "changes": shown(changes) }))
}

/// The same of a plan without live state, which is never taken for that of a live one.
pub(super) fn offline(tree: &str, changes: &[Change]) -> String {
    of(&json!({ "tree": tree, "mode": "offline", "changes": shown(changes) }))
}

fn shown(changes: &[Change]) -> Vec<Value> {
    changes
        .iter()
        .map(|change| {
            json!({
                "address": change.address.to_string(),
                "actions": [change.action.as_str()],
                "before": change.before,
                "after": change.after,
            })
        })
        .collect()
}

/// `sha256:…` of the zones as they are in force.
fn fingerprint(observed: &Observed) -> String {
    let zones: Vec<Value> = observed.zones.values().map(|zone| to_document(zone)).collect();
    of(&Value::Array(zones))
}

/// SHA-256 over the canonical form: no white space, keys in order (`serde_json` keeps maps sorted).
fn of(value: &Value) -> String {
    format!("sha256:{}", hex(&Sha256::digest(value.to_string().as_bytes())))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
