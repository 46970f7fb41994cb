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
    /// Only of one that was written, with all of what the digest is over: earlier versions left some of it out.
    written: Option<Written>,
}

/// What a digest is over, as it was.
#[derive(Debug, Clone, PartialEq)]
struct Written {
    revision: String,
    tree: String,
    zones: u64,
    names: String,
    /// By address and action.
    changes: BTreeMap<String, Value>,
}

impl Expected {
    /// For clap: `sha256:…`, or the name of a file.
    pub fn parse(text: &str) -> Result<Self, String> {
        if is_digest(text) {
            return Ok(Self { digest: text.to_owned(), written: None });
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
        Some(Self { digest, written: Written::of_json(&plan) })
    }

    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// How `plan` differs, for people, with what to do; `None` if it is the one that was expected.
    pub fn difference(&self, plan: &Plan) -> Option<String> {
        if plan.digest == self.digest {
            return None;
        }
        let mut text =
            format!("this is not the plan that was expected: it is {}, not {}", plan.digest, self.digest);
        match &self.written {
            None => {
                // Writing to a String cannot fail.
                let _ = write!(
                    text,
                    "\n  it is of {} (tree {}), zones in force: {}, changes: {}; a digest alone does not tell which of them \
                     was another\n  next: look at this plan; to be told what differs, write the plan with `--output json=plan.json` \
                     when it is looked at, and give that file to --expect-plan",
                    printable(plan.revision.as_str()),
                    printable(&plan.tree),
                    plan.in_force.zones,
                    plan.changes.len()
                );
            }
            Some(written) => {
                written.differences(plan, &mut text);
                text.push_str("\n  next: look at this plan, and expect it if it is meant");
            }
        }
        Some(text)
    }
}

impl Written {
    /// `None` of a plan that an earlier version wrote.
    fn of_json(plan: &Value) -> Option<Self> {
        let text = |pointer: &str| plan.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            revision: text("/revision")?,
            tree: text("/tree")?,
            zones: plan.pointer("/inForce/zones")?.as_u64()?,
            names: text("/inForce/digest")?,
            changes: plan.get("changes")?.as_array()?.iter().map(keyed).collect::<Option<_>>()?,
        })
    }

    fn differences(&self, plan: &Plan, text: &mut String) {
        // Writing to a String cannot fail.
        if plan.tree != self.tree {
            let (now, was) = (printable(plan.revision.as_str()), printable(&self.revision));
            let _ = write!(
                text,
                "\n  the files are others: {now} (tree {}); expected was {was} (tree {})",
                printable(&plan.tree),
                printable(&self.tree)
            );
        }
        let in_force = &plan.in_force;
        if in_force.digest != self.names {
            let _ = write!(
                text,
                "\n  other zones are in force: {} ({}); expected were {} ({})",
                in_force.zones,
                in_force.digest,
                self.zones,
                printable(&self.names)
            );
        }
        let json = plan.to_json();
        let changes = json.get("changes").and_then(Value::as_array).into_iter().flatten();
        let now: BTreeMap<String, Value> = changes.filter_map(keyed).collect();
        let expected = &self.changes;
        let gone = expected.keys().filter(|key| !now.contains_key(*key)).map(|key| ("no longer", key));
        let new = now.keys().filter(|key| !expected.contains_key(*key)).map(|key| ("not expected", key));
        let other = now.iter().filter(|(key, it)| expected.get(*key).is_some_and(|was| was != *it));
        let all: Vec<_> =
            gone.chain(new).chain(other.map(|(key, _)| ("otherwise than expected", key))).collect();
        if all.is_empty() {
            text.push_str("\n  the changes are the same");
        }
        for (how, what) in all.iter().take(SHOWN) {
            let _ = write!(text, "\n  {how}: {}", printable(what));
        }
        if let Some(more) = all.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            let _ = write!(text, "\n  and {more} more");
        }
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
