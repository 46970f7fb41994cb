//! Digests: of a plan, of what is observed, of a folder.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::plan::{Change, Form, Observed};
use crate::zone::ZoneName;

/// `sha256:…` of a plan: over the files' tree, the names of the zones in force, and the ordered changes. Two plans with one digest
/// list the same changes; what holds some of them back is not part of it ([`super::plan::Plan::digest`]). Nor is the revision, so that
/// a pull request's head and its merge have the same.
///
/// Of the zones in force, the names are enough: what a change touches is in its `before`, and what none touches is what the tree
/// asks for.
pub(super) fn plan(tree: &str, observed: &Observed, changes: &[Change]) -> String {
    let mut hash = Hash::of(&Head { tree, mode: "live" });
    hash.add(&observed.zones.keys().map(ZoneName::as_str).collect::<Vec<_>>());
    hash.changes(changes)
}

/// The same of a plan without live state, which is never taken for that of a live one.
pub(super) fn offline(tree: &str, changes: &[Change]) -> String {
    Hash::of(&Head { tree, mode: "offline" }).changes(changes)
}

/// Of the names of the zones in force, to tell whether they are others.
pub(super) fn names(observed: &Observed) -> String {
    Hash::of(&observed.zones.keys().map(ZoneName::as_str).collect::<Vec<_>>()).changes(&[])
}

#[derive(Serialize)]
struct Head<'a> {
    tree: &'a str,
    mode: &'static str,
}

/// SHA-256 over canonical JSON, a line for each value: no white space, and keys in order (`serde_json` keeps maps sorted). Hashed as it
/// is written: the text of a large plan is never in memory.
struct Hash(Sha256);

impl Hash {
    fn of(head: &impl Serialize) -> Self {
        let mut hash = Self(Sha256::new());
        hash.add(head);
        hash
    }

    fn add(&mut self, value: &impl Serialize) {
        // Text keys, plain values, and a hash that takes everything: nothing can fail.
        let _ = serde_json::to_writer(&mut *self, value);
        self.0.update(b"\n");
    }

    fn changes(mut self, changes: &[Change]) -> String {
        let mut line = String::new();
        for Change { address, action, before, after, .. } in changes {
            line.clear();
            // Forms are canonical already. Writing to a String cannot fail.
            let _ = writeln!(
                line,
                r#"{{"address":{},"action":"{}","before":{},"after":{}}}"#,
                Value::from(address.to_string()),
                action.as_str(),
                shown(before.as_ref()),
                shown(after.as_ref()),
            );
            self.0.update(&line);
        }
        format!("sha256:{}", hex(&self.0.finalize()))
    }
}

fn shown(form: Option<&Form>) -> &str {
    form.map_or("null", Form::as_str)
}

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
