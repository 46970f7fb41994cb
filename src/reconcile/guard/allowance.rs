//! A person's word that a run may do what a guard would refuse.

use std::collections::BTreeMap;
use std::fmt;

use crate::zone::Spent;

/// What an allowance is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Allowed {
    /// Deletions of zones, and of topics out of zones that stay.
    Deletes,
    /// Updates of zones.
    Updates,
}

impl Allowed {
    /// As it is spelled in JSON, and behind `--allow-`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deletes => "deletes",
            Self::Updates => "updates",
        }
    }

    /// The trailer of a commit message that allows it: `NAME: COUNT REASON`.
    pub fn trailer(self) -> &'static str {
        match self {
            Self::Deletes => "Reconciler-Allow-Deletes",
            Self::Updates => "Reconciler-Allow-Updates",
        }
    }
}

/// Who gave an allowance, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedBy {
    /// A trailer of a commit that this run applies.
    Trailer { commit: String, author: String },
    /// Flags of a one-shot `apply`. They are for one plan, by its digest (`sha256:…`), and lift nothing in another.
    Flag { plan: String },
}

/// Lifts the guards that count, and no others: see [`Guard::judge`](super::Guard::judge).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    pub what: Allowed,
    /// The run may do this many at most; with one more the allowance lifts nothing.
    pub count: usize,
    /// Why, for the audit log. An empty one lifts nothing.
    pub reason: String,
    pub by: AllowedBy,
}

impl Allowance {
    /// With what is left of it: what a trailer let pass before counts against its number.
    #[must_use]
    pub fn without(mut self, spent: &BTreeMap<String, Spent>) -> Self {
        if let AllowedBy::Trailer { commit, .. } = &self.by
            && let Some(spent) = spent.get(commit)
        {
            let used = match self.what {
                Allowed::Deletes => spent.deletions,
                Allowed::Updates => spent.updates,
            };
            self.count = self.count.saturating_sub(used);
        }
        self
    }

    /// Whether it covers `number` deletions or updates of the plan with this digest.
    pub(super) fn covers(&self, what: Allowed, number: usize, digest: &str) -> bool {
        let is_for_this_plan = match &self.by {
            AllowedBy::Trailer { .. } => true,
            AllowedBy::Flag { plan } => plan == digest,
        };
        self.what == what && number <= self.count && !self.reason.trim().is_empty() && is_for_this_plan
    }
}

impl fmt::Display for AllowedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trailer { commit, author } => write!(f, "commit {commit} by {author}"),
            Self::Flag { .. } => f.write_str("a flag"),
        }
    }
}
