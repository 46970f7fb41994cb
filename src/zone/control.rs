//! What operators asked of the controller beside what stands in the files. It is part of the state, so that it outlives
//! the process and every node shows it.

use std::collections::BTreeMap;
use std::fmt;

use time::OffsetDateTime;

use super::ZoneName;

/// [`Asked::by`] of what the controller did by itself. No API key has this id.
pub const BY_CONTROLLER: &str = "controller";

/// Who asked for something, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// An [`super::Asker`] as it is written, or [`BY_CONTROLLER`].
    pub by: String,
    pub at: OffsetDateTime,
    /// In the operator's own words.
    pub reason: String,
}

impl Asked {
    /// Whether nobody asked: the controller did it by itself.
    pub fn is_of_controller(&self) -> bool {
        self.by == BY_CONTROLLER
    }
}

/// What a suspension holds up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Nothing is applied: neither what is new in the source nor what drifted.
    All,
    /// What is new in the source is not taken. Drift from the revision in force is corrected while the source stands at it.
    Source,
    /// Nothing is applied to this zone, its deletion included.
    Zone(ZoneName),
}

impl Scope {
    /// `all`, `source` or `zone/<name>`; what [`parse`](Self::parse) reads.
    pub fn key(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Source => "source".to_owned(),
            Self::Zone(zone) => format!("zone/{zone}"),
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "all" => Some(Self::All),
            "source" => Some(Self::Source),
            _ => Some(Self::Zone(ZoneName::try_from(text.strip_prefix("zone/")?).ok()?)),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("everything"),
            Self::Source => f.write_str("the source"),
            Self::Zone(zone) => write!(f, "zone `{zone}`"),
        }
    }
}

/// A commit that is applied instead of the branch's head, for a limited time. Guards hold for it as for any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// Full hex id.
    pub commit: String,
    /// From then on the branch is followed again.
    pub until: OffsetDateTime,
    pub asked: Asked,
}

/// A commit that may be applied although it does not follow the one in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Full hex id. What follows it may be applied too, until what is in force follows it as well.
    pub commit: String,
    pub asked: Asked,
}

/// How much was made use of what a commit's trailers let pass, while no revision with that commit is in force in full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    pub deletions: usize,
    pub updates: usize,
}

/// Everything that was asked for and still holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Controls {
    pub suspended: BTreeMap<Scope, Asked>,
    pub rollback: Option<Rollback>,
    pub accepted: Option<Acceptance>,
}

impl Controls {
    /// The rollback, while it is in time.
    pub fn rollback_at(&self, now: OffsetDateTime) -> Option<&Rollback> {
        self.rollback.as_ref().filter(|rollback| now < rollback.until)
    }
}

/// Whether a text is a commit's full id: 40 hex digits, small letters. A short one could come to mean another commit.
pub fn is_commit_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    fn name(text: &str) -> ZoneName {
        ZoneName::try_from(text).unwrap()
    }

    #[test]
    fn a_rollback_ends_by_itself() {
        let asked = Asked { by: "k1".to_owned(), at: NOW, reason: "an incident".to_owned() };
        let rollback = Rollback { commit: "old".to_owned(), until: NOW, asked };
        let controls = Controls { rollback: Some(rollback), ..Controls::default() };
        assert!(controls.rollback_at(NOW - Duration::milliseconds(1)).is_some());
        assert!(controls.rollback_at(NOW).is_none());
    }

    #[test]
    fn a_scope_is_read_as_it_is_written() {
        for scope in [Scope::All, Scope::Source, Scope::Zone(name("acme"))] {
            assert_eq!(Scope::parse(&scope.key()), Some(scope));
        }
        for other in ["", "zone", "zone/", "zone/..", "acme", "cluster/west"] {
            assert_eq!(Scope::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_commit_is_named_in_full() {
        assert!(is_commit_id("8c1f00000000000000000000000000000000000f"));
        for other in ["8c1f", "8C1F00000000000000000000000000000000000F", "main", "-x", ""] {
            assert!(!is_commit_id(other), "{other}");
        }
    }
}
