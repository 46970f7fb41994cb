//! `--expect-plan`: the plan that somebody looked at, and how this one differs from it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::manifest::finding::printable;
use crate::reconcile::plan::Plan;

/// Bytes of a plan in a file.
const MAX_FILE: u64 = 256 << 20;
/// Differences that are shown.
const SHOWN: usize = 20;

/// A plan by its digest, or as it was written with `--output json=FILE`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    digest: String,
    /// By address and action.
    changes: Option<BTreeMap<String, Value>>,
}

impl Expected {
    /// For clap: `sha256:…`, or the name of a file.
    pub fn parse(text: &str) -> Result<Self, String> {
        if is_digest(text) {
            return Ok(Self { digest: text.to_owned(), changes: None });
        }
        if text.starts_with("sha256:") {
            return Err("a digest is `sha256:` and 64 digits of 0-9 a-f".to_owned());
        }
        let size = fs::metadata(text).map_err(|error| format!("{text} cannot be read: {error}"))?.len();
        if size > MAX_FILE {
            return Err(format!("{text} is over {MAX_FILE} bytes"));
        }
        let bytes = fs::read(Path::new(text)).map_err(|error| format!("{text} cannot be read: {error}"))?;
        Self::of_json(&bytes).ok_or_else(|| {
            format!("{text} is no plan; wanted is `sha256:…`, or a file written with `--output json={text}`")
        })
    }

    fn of_json(bytes: &[u8]) -> Option<Self> {
        let plan: Value = serde_json::from_slice(bytes).ok()?;
        let digest = plan.get("digest")?.as_str().filter(|digest| is_digest(digest))?.to_owned();
        let changes = plan.get("changes")?.as_array()?.iter().map(keyed).collect::<Option<_>>()?;
        Some(Self { digest, changes: Some(changes) })
    }

    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// How `plan` differs, for people; `None` if it is the one that was expected.
    pub fn difference(&self, plan: &Plan) -> Option<String> {
        if plan.digest == self.digest {
            return None;
        }
        let mut text =
            format!("this is not the plan that was expected: it is {}, not {}", plan.digest, self.digest);
        let Some(expected) = &self.changes else {
            text.push_str(
                "; the files, what is in force or the changes have become others. To see which, write the plan with \
                 `--output json=plan.json` when it is looked at, and give that file to --expect-plan",
            );
            return Some(text);
        };
        let json = plan.to_json();
        let changes = json.get("changes").and_then(Value::as_array).into_iter().flatten();
        let now: BTreeMap<String, Value> = changes.filter_map(keyed).collect();
        let gone = expected.keys().filter(|key| !now.contains_key(*key)).map(|key| ("no longer", key));
        let new = now.keys().filter(|key| !expected.contains_key(*key)).map(|key| ("not expected", key));
        let other = now.iter().filter(|(key, it)| expected.get(*key).is_some_and(|was| was != *it));
        let all: Vec<_> =
            gone.chain(new).chain(other.map(|(key, _)| ("otherwise than expected", key))).collect();
        if all.is_empty() {
            text.push_str("; the changes are the same, but files, or zones that stay, have become others");
        }
        for (how, what) in all.iter().take(SHOWN) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {how}: {}", printable(what));
        }
        if let Some(more) = all.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            let _ = write!(text, "\n  and {more} more");
        }
        Some(text)
    }
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

/// A change with what names it, and what it makes of it.
fn keyed(change: &Value) -> Option<(String, Value)> {
    let action = change.get("actions")?.get(0)?.as_str()?;
    let key = format!("{action} {}", change.get("address")?.as_str()?);
    let (before, after) = (change.get("before").cloned(), change.get("after").cloned());
    Some((key, Value::Array([before, after].into_iter().flatten().collect())))
}

#[cfg(test)]
mod tests;
