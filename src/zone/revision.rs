//! Which state something speaks of.

use std::fmt;

/// The number of a commit to the store: every transaction's last record carries the next one, so that "has this node seen
/// that change?" is one comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A state of the source, as Flux spells it: `main@sha1:<oid>`, or `dir@sha256:<hash>` for a folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision(String);

impl Revision {
    /// `reference` is a full ref name (`refs/heads/main`) or a short one; `oid` is the commit's hex id.
    pub fn commit(reference: &str, oid: &str) -> Self {
        let short = reference.strip_prefix("refs/heads/").unwrap_or(reference);
        Self(format!("{short}@sha1:{oid}"))
    }

    /// `digest` is the hex SHA-256 over sorted paths and bytes.
    pub fn folder(digest: &str) -> Self {
        Self(format!("dir@sha256:{digest}"))
    }

    /// A revision as it was written down before, in the store or by a server.
    pub fn recorded(text: String) -> Self {
        Self(text)
    }

    /// The commit's hex id, where this is a commit of `reference`.
    pub fn commit_of(&self, reference: &str) -> Option<&str> {
        let short = reference.strip_prefix("refs/heads/").unwrap_or(reference);
        self.0.strip_prefix(short)?.strip_prefix("@sha1:")
    }

    /// The commit's hex id, whatever it is a commit of; `None` for a folder.
    pub fn commit_id(&self) -> Option<&str> {
        self.0.rsplit_once("@sha1:").map(|(_, id)| id)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
