//! What the controller of one process says of itself and of the zones.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;

use super::super::{Revision, ZoneName};
use super::{Condition, ConditionKind, SecondLock};
use crate::zone::control::{Asked, Controls, Scope};
use crate::zone::run::{Held, History};

/// Something wrong with a file or a zone, in the form it is shown in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The zone, where it is known.
    pub zone: Option<ZoneName>,
    /// The finding's stable code.
    pub code: String,
    /// `file:line:column`, as much of it as is known.
    pub place: String,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.place, self.code, self.message)
    }
}

/// A revision, and since when this process knows that it was seen, tried or applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub revision: Revision,
    pub at: OffsetDateTime,
}

/// Why a zone is not as its file asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pending {
    /// A guard holds its changes back.
    Refused(String),
    /// They wait.
    Held(Held),
    /// They were tried, and are tried again later.
    Failed(String),
}

/// What the last run found of one zone that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// `None`: nothing keeps it from being applied.
    pub pending: Option<Pending>,
    /// It is not as the revision in force asks.
    pub is_drifted: bool,
}

/// What the controller found of the login that gateways have for a zone alone, be it in a file or made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginLock {
    /// Of the kind [`ConditionKind::SecondLock`].
    pub condition: Condition,
    /// Every broker let it in; of one that is made here it is known before.
    pub is_let_in: bool,
}

/// A plan as programs read it (`schema/plan.json`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub at: OffsetDateTime,
    pub json: Arc<str>,
    /// Nothing was left out of its lists; their numbers are in its summary in any case.
    pub is_whole: bool,
}

/// What the controller of this process says of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ControllerStatus {
    /// Empty until the first attempt has ended.
    pub conditions: Vec<Condition>,
    /// What the source showed last.
    pub last_observed: Option<Seen>,
    /// What was planned last, and applied as far as that was allowed.
    pub last_attempted: Option<Seen>,
    /// What the state reflects in full.
    pub last_applied: Option<Seen>,
    /// Digest of the last plan.
    pub plan: Option<String>,
    /// The last plan itself.
    pub planned: Option<Planned>,
    /// Errors in files: what they ask for is held back.
    pub problems: Vec<Problem>,
    /// What a guard refuses; empty when it refuses nothing.
    pub refused: Vec<String>,
    /// Zones that are not as they should be; the others are.
    pub zones: BTreeMap<ZoneName, Progress>,
    /// Zones with logins of their own, as the leader found these.
    pub locks: BTreeMap<ZoneName, LoginLock>,
    pub runs: History,
    /// Whether this node led when it found all of this. Else it is in other words than the leader's, who tells it outside.
    pub is_by_leader: bool,
}

/// What is said of one zone, beside what the nodes say of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct ZoneReport<'a> {
    /// What the controller found wrong in the zone's file, while its last applied form stays in force.
    pub file_problem: Option<&'a Problem>,
    pub progress: Option<&'a Progress>,
    pub suspended: Option<(&'a Scope, &'a Asked)>,
    /// Whether the controller has looked at the files at all.
    pub is_read: bool,
    /// What is said of the source's signatures, where they are looked at.
    pub source_verified: Option<&'a Condition>,
    pub lock: SecondLock<'a>,
}

impl ControllerStatus {
    /// What is wrong with a zone's file, if anything.
    pub fn file_problem(&self, zone: &ZoneName) -> Option<&Problem> {
        self.problems.iter().find(|problem| problem.zone.as_ref() == Some(zone))
    }

    pub fn condition(&self, kind: ConditionKind) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// All that is said of a zone; `controls` are those of the state, which every node knows.
    pub fn report_of<'a>(&'a self, zone: &ZoneName, controls: &'a Controls) -> ZoneReport<'a> {
        let of_zone = |scope: &Scope| match scope {
            Scope::All => true,
            Scope::Source => false,
            Scope::Zone(name) => name == zone,
        };
        ZoneReport {
            file_problem: self.file_problem(zone),
            progress: self.zones.get(zone),
            suspended: controls.suspended.iter().find(|(scope, _)| of_zone(scope)),
            is_read: self.last_attempted.is_some(),
            source_verified: self.condition(ConditionKind::SourceVerified),
            lock: SecondLock::default(),
        }
    }
}
