//! Writing to the source: one commit on top of the one that was read, taken by the repository as a whole or not at all.
//!
//! What may be committed is decided here, without looking at any repository; [`edit`] makes the commit, [`push`] brings it to a
//! server, and [`local`] puts it into a repository on this machine.

pub(super) mod edit;
mod error;
pub(super) mod local;
pub(super) mod push;

use std::collections::BTreeSet;

use git2::{Oid, Signature};

pub use self::error::CommitError;
pub(super) use self::error::EditError;
use super::{Limits, is_visible};
use crate::manifest::finding::printable;

/// Who made the commit, beside its author. `.invalid` has no mail, for ever (RFC 2606).
pub const COMMITTER: (&str, &str) = ("partner-zones", "partner-zones@noreply.invalid");
/// Stands for an author without a name, or without an address, that Git could keep.
const NOBODY: (&str, &str) = ("unknown", "unknown@noreply.invalid");

/// Characters of a name or an address.
const MAX_WHO: usize = 200;
const MAX_PATH: usize = 4096;
/// A longer message would not be read for its trailers.
const MAX_MESSAGE: usize = 64 << 10;

/// What is to be committed.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Full id of the commit that the files were read from: the parent.
    pub base: String,
    /// Paths from the root of the repository, with the new content; `None` removes the file.
    pub files: Vec<(String, Option<Vec<u8>>)>,
    pub author: Author,
    pub message: String,
    pub onto: Onto,
}

/// The caller, as the commit names them. What Git forbids in a name is taken out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub name: String,
    pub email: String,
}

/// Which ref moves on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Onto {
    /// The one that is followed.
    Source,
    /// A new branch, `refs/heads/…`. One that is this very change already is found ([`CommitError::Proposed`]).
    Branch(String),
}

/// The repository has confirmed this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Full id.
    pub commit: String,
    /// The ref that it is on.
    pub reference: String,
}

/// What has to be true of the ref for it to move.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) base: Oid,
    pub(super) reference: &'a str,
    /// Zero: there must be no such ref.
    pub(super) expected: Oid,
}

impl Step<'_> {
    /// The ref is not as it has to be.
    pub(super) fn elsewhere(&self) -> CommitError {
        let reference = self.reference.to_owned();
        if self.expected.is_zero() { CommitError::Exists(reference) } else { CommitError::Moved(reference) }
    }

    /// There is such a branch, and it is at a commit that is what was to be made.
    pub(super) fn proposed(&self, commit: Oid) -> CommitError {
        CommitError::Proposed(Pushed { commit: commit.to_string(), reference: self.reference.to_owned() })
    }
}

impl Proposal {
    /// What it asks for, unless no repository could take it; `followed` is the source's ref.
    pub(super) fn check<'a>(&'a self, followed: &'a str, limits: &Limits) -> Result<Step<'a>, CommitError> {
        let id = (self.base.len() == 40).then(|| Oid::from_str(&self.base).ok()).flatten();
        let Some(base) = id.filter(|id| !id.is_zero()) else {
            return Err(CommitError::Invalid(format!("{:?} is no full id of a commit", self.base)));
        };
        self.check_files(limits)?;
        let message = &self.message;
        if message.trim().is_empty() || message.len() > MAX_MESSAGE || message.contains('\0') {
            let wanted =
                format!("a message is wanted, of {MAX_MESSAGE} bytes at most and without a zero byte");
            return Err(CommitError::Invalid(wanted));
        }
        let (reference, expected) = match &self.onto {
            Onto::Source => (followed, base),
            Onto::Branch(branch) => (branch.as_str(), Oid::ZERO_SHA1),
        };
        if !reference.starts_with("refs/heads/") || !git2::Reference::is_valid_name(reference) {
            return Err(CommitError::Invalid(format!("{} is no branch", printable(reference))));
        }
        if self.onto != Onto::Source && reference == followed {
            return Err(CommitError::Exists(reference.to_owned()));
        }
        Ok(Step { base, reference, expected })
    }

    fn check_files(&self, limits: &Limits) -> Result<(), CommitError> {
        let paths: BTreeSet<&str> = self.files.iter().map(|(path, _)| path.as_str()).collect();
        if paths.is_empty() || paths.len() != self.files.len() {
            return Err(CommitError::Invalid("files are wanted, and each of them once".to_owned()));
        }
        let (mut total, size) = (0_u64, |content: &[u8]| u64::try_from(content.len()).unwrap_or(u64::MAX));
        for (path, content) in &self.files {
            check_path(path)?;
            if folders(path).any(|folder| paths.contains(folder)) {
                let clash = format!("{} has another of these files as its folder", printable(path));
                return Err(CommitError::Invalid(clash));
            }
            let bytes = content.as_deref().map_or(0, size);
            total = total.saturating_add(bytes);
            // What is larger could never be read again.
            if bytes > limits.file_bytes || total > limits.total_bytes {
                let (path, limit) = (printable(path), limits.file_bytes.min(limits.total_bytes));
                return Err(CommitError::Invalid(format!("{path} is over the limit of {limit} bytes")));
            }
        }
        Ok(())
    }
}

/// Refuses what leads out of the repository, or to what no reading looks at: Git's own files among it, and a forge's.
fn check_path(path: &str) -> Result<(), CommitError> {
    let is_legal = |part: &str| {
        // Some file systems leave them out of a name (git's `protectHFS`), or have short ones (`protectNTFS`).
        let seen = part.trim_start_matches(is_unseen);
        let is_short_name = seen.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("git~"));
        !seen.is_empty() && is_visible(seen) && !is_short_name
    };
    let is_plain = |c: char| !c.is_control() && c != '\\';
    if path.len() <= MAX_PATH && path.chars().all(is_plain) && path.split('/').all(is_legal) {
        return Ok(());
    }
    let shown: String = path.chars().take(MAX_WHO).collect();
    Err(CommitError::Invalid(format!(
        "{:?} is no path of a file inside the repository; hidden files and folders are none",
        printable(&shown)
    )))
}

/// Characters that show nothing, or turn a line around.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The folders on the way to a file.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at))
}

impl Author {
    fn signature(&self) -> Result<Signature<'static>, git2::Error> {
        let or = |text: String, instead: &str| if text.is_empty() { instead.to_owned() } else { text };
        let name = or(plain(&self.name, " "), NOBODY.0);
        Signature::now(&name, &or(plain(&self.email, ""), NOBODY.1))
    }
}

/// Without what ends a name in a commit, and without what Git cuts off at either end of one.
fn plain(text: &str, space: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>');
    let words: Vec<&str> = text.split(is_end).filter(|word| !word.is_empty()).collect();
    let one_line: String = words.join(space).chars().filter(|c| !is_unseen(*c)).take(MAX_WHO).collect();
    one_line.trim_matches([' ', '.', ',', ':', ';', '"', '\'', '\\']).to_owned()
}

#[cfg(test)]
mod tests;
