//! What several forms need: findings in the order of their weight, and a name for each that survives edits elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::Texts;
use crate::manifest::Finding;
use crate::manifest::finding::printable;

/// Longest message in a form that has a limit of its own, in characters.
const MAX_MESSAGE: usize = 1_000;

/// The worst `limit` findings, and how many are left out.
pub(super) fn worst_first(findings: &[Finding], limit: usize) -> (Vec<&Finding>, usize) {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| finding.severity());
    let rest = sorted.len().saturating_sub(limit);
    sorted.truncate(limit);
    (sorted, rest)
}

/// A text from outside on one line, bounded.
pub(super) fn one_line(text: &str) -> String {
    cut(&printable(text), MAX_MESSAGE)
}

/// At most so many characters.
pub(super) fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => text.get(..end).unwrap_or_default().chars().chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// Message and next step on one line.
pub(super) fn message(finding: &Finding) -> String {
    match &finding.help {
        Some(help) => format!("{} (help: {})", one_line(&finding.message), one_line(help)),
        None => one_line(&finding.message),
    }
}

/// Gives each finding a name that stays while its line moves: a hash of what it says and of the line it is about, and a number
/// where several are equal.
#[derive(Debug)]
pub(super) struct Fingerprints<'a> {
    texts: &'a Texts,
    seen: BTreeMap<String, usize>,
}

impl<'a> Fingerprints<'a> {
    pub(super) fn new(texts: &'a Texts) -> Self {
        Self { texts, seen: BTreeMap::new() }
    }

    /// `0123456789abcdef:1`
    pub(super) fn of(&mut self, finding: &Finding) -> String {
        let (file, line) = finding.source.as_ref().map_or(("", ""), |at| {
            let text = self.texts.get(&at.file).map_or("", |text| text);
            let start =
                text.get(..at.span.start).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
            (&*at.file, text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default())
        });
        let mut hash = Sha256::new();
        for part in [finding.code.as_str(), file, &finding.message, line.trim()] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let mut name = hash.finalize().iter().take(8).fold(String::new(), |mut name, byte| {
            // Writing to a String cannot fail.
            let _ = write!(name, "{byte:02x}");
            name
        });
        let seen = self.seen.entry(name.clone()).or_default();
        *seen += 1;
        let _ = write!(name, ":{seen}");
        name
    }
}
