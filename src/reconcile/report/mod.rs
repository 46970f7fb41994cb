//! What the controller says of a run: conditions, and an entry of its history. Pure, but for the log.

mod conditions;
mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::apply::ApplyError;
use super::controller::RunError;
use super::plan::{Desired, Hold, Plan};
use super::source::{Signer, SourceError};
use crate::manifest::{Finding, Loaded, Location};
use crate::store::{Leadership, StoreError};
use crate::zone::{
    Condition, ConditionKind, ConditionStatus, ControllerStatus, DETAILS_KEPT, Held, LoginLock, Outcome,
    Pending, Planned, Problem, Progress, Revision, Run, Seen, Sequence, ZoneName,
};

use ConditionStatus::{False, True};

pub(super) use log::log;

/// A run that came to its end.
pub(super) struct Ended {
    plan: Plan,
    loaded: Arc<Loaded>,
    /// What the state reflects in full, after the run.
    in_force: Option<Revision>,
    /// Who signed the commit, where that is looked at.
    signer: Option<Signer>,
    part: Part,
}

/// What this node's part in it was.
pub(super) enum Part {
    /// Another node leads and applies.
    Followed,
    /// It was to apply another plan, and applied nothing. The text says why.
    Unexpected(String),
    Led {
        /// The commit, if there was something to commit.
        sequence: Option<Sequence>,
        /// Zones that could not be brought to what they should be.
        failed: BTreeMap<ZoneName, String>,
        logins: Logins,
    },
}

/// What the brokers said of the gateways' logins.
#[derive(Default)]
pub(super) struct Logins {
    /// Whether their own is kept from the state, where that is asked.
    pub(super) data_plane: Option<Condition>,
    /// Those of zones alone.
    pub(super) locks: BTreeMap<ZoneName, LoginLock>,
}

impl Part {
    fn is_led(&self) -> bool {
        matches!(self, Self::Led { .. })
    }
}

impl Ended {
    pub(super) fn new(plan: Plan, desired: &Desired, in_force: Option<Revision>, part: Part) -> Self {
        let signer = desired.commit.as_ref().and_then(|commit| commit.signer.clone());
        Self { plan, loaded: Arc::clone(&desired.loaded), in_force, signer, part }
    }

    fn failed(&self) -> BTreeMap<ZoneName, String> {
        match &self.part {
            Part::Led { failed, .. } => failed.clone(),
            Part::Followed | Part::Unexpected(_) => BTreeMap::new(),
        }
    }

    fn logins(&self) -> Option<&Logins> {
        match &self.part {
            Part::Led { logins, .. } => Some(logins),
            Part::Followed | Part::Unexpected(_) => None,
        }
    }

    fn sequence(&self) -> Option<Sequence> {
        match self.part {
            Part::Led { sequence, .. } => sequence,
            Part::Followed | Part::Unexpected(_) => None,
        }
    }
}

/// After a run that came to its end.
pub(super) fn ended(last: &ControllerStatus, ended: &Ended, now: OffsetDateTime) -> (ControllerStatus, Run) {
    let plan = &ended.plan;
    let problems: Vec<Problem> =
        plan.findings.iter().filter(|it| it.is_error()).map(|it| problem(&ended.loaded, it)).collect();
    let refused: Vec<String> = plan.guard.reasons().map(str::to_owned).collect();
    let failed = ended.failed();
    let (outcome, message) = outcome(ended, &problems, &refused, &failed);
    let seen = |last: &Option<Seen>, revision: &Revision| {
        let same = last.as_ref().filter(|last| last.revision == *revision);
        Some(same.cloned().unwrap_or_else(|| Seen { revision: revision.clone(), at: now }))
    };
    let conditions = conditions::of(ended, &problems, &refused, outcome, &message);
    let status = ControllerStatus {
        conditions: since(conditions, last, now),
        last_observed: seen(&last.last_observed, &plan.revision),
        last_attempted: Some(Seen { revision: plan.revision.clone(), at: now }),
        last_applied: ended.in_force.as_ref().and_then(|revision| seen(&last.last_applied, revision)),
        plan: Some(plan.digest.clone()),
        planned: Some(planned(plan, now)),
        problems: problems.clone(),
        refused: refused.clone(),
        zones: progress(ended, &refused, &failed),
        locks: ended.logins().map(|logins| logins.locks.clone()).unwrap_or_default(),
        runs: last.runs.clone(),
        is_by_leader: !matches!(ended.part, Part::Followed),
    };
    let applied = ended.sequence().map_or([0; 3], |_| plan.tally_applied());
    let run = Run {
        revision: Some(plan.revision.clone()),
        plan: Some(plan.digest.clone()),
        sequence: ended.sequence(),
        applied,
        refused,
        problems: problems.iter().map(ToString::to_string).collect(),
        noticed: noticed(ended),
        held: plan.holds().iter().map(|(zone, hold)| (zone.clone(), held(hold))).collect(),
        failed,
        ..blank(outcome, message, now)
    };
    (status, run)
}

fn planned(plan: &Plan, at: OffsetDateTime) -> Planned {
    let (json, is_whole) = plan.to_bounded_json();
    Planned { at, json: json.to_string().into(), is_whole }
}

fn blank(outcome: Outcome, message: String, now: OffsetDateTime) -> Run {
    Run {
        request: None,
        outcome,
        message,
        revision: None,
        plan: None,
        sequence: None,
        applied: [0; 3],
        refused: Vec::new(),
        problems: Vec::new(),
        noticed: Vec::new(),
        held: BTreeMap::new(),
        failed: BTreeMap::new(),
        first_at: now,
        last_at: now,
        took: Duration::ZERO,
        count: 1,
    }
}

/// What partners noticed of the run: of what was applied, and nothing of what waits.
fn noticed(ended: &Ended) -> Vec<String> {
    if !ended.part.is_led() {
        return Vec::new();
    }
    let told = ended.plan.noticed().take(DETAILS_KEPT);
    told.map(|(change, impact)| format!("{}: {}", change.address, impact.message)).collect()
}

fn held(hold: &Hold) -> Held {
    Held { reason: hold.reason(), message: hold.to_string() }
}

/// The gravest of what holds.
fn outcome(
    ended: &Ended,
    problems: &[Problem],
    refused: &[String],
    failed: &BTreeMap<ZoneName, String>,
) -> (Outcome, String) {
    let plan = &ended.plan;
    if let Part::Unexpected(why) = &ended.part {
        return (Outcome::Refused, why.clone());
    }
    if let Some(first) = problems.first() {
        let message = format!("{first}; what the files have right is applied, and nothing is deleted");
        return (Outcome::InvalidFiles, message);
    }
    if let Some(first) = refused.first() {
        return (Outcome::Refused, first.clone());
    }
    if let Some((zone, why)) = failed.first_key_value() {
        let message = format!("zone `{zone}` cannot be brought to what its file asks: {why}");
        return (Outcome::PartlyApplied, message);
    }
    if let Some((zone, hold)) = plan.holds().first_key_value() {
        let more = match plan.holds().len() {
            1 => String::new(),
            number => format!(" (and {} more)", number - 1),
        };
        return (Outcome::Held, format!("zone `{zone}` waits: {hold}{more}"));
    }
    match (&ended.part, ended.sequence()) {
        (Part::Followed, _) => {
            (Outcome::UpToDate, format!("{} is read; another node leads and applies it", plan.revision))
        }
        (_, Some(_)) => (Outcome::Applied, format!("{} is applied", plan.revision)),
        (_, None) => (Outcome::UpToDate, format!("{} is applied", plan.revision)),
    }
}

/// The zones that are not as they should be after the run.
fn progress(
    ended: &Ended,
    refused: &[String],
    failed: &BTreeMap<ZoneName, String>,
) -> BTreeMap<ZoneName, Progress> {
    let plan = &ended.plan;
    let led = ended.part.is_led();
    let drifted: BTreeSet<&ZoneName> = plan.drifted().collect();
    let touched: BTreeSet<&ZoneName> =
        plan.changes.iter().map(|change| change.address.zone()).chain(failed.keys()).collect();
    let mut zones = BTreeMap::new();
    for zone in touched {
        let is_held = plan.changes_of(zone).iter().any(|it| plan.is_held(it));
        let pending = match (failed.get(zone), plan.hold_of(zone)) {
            (Some(why), _) => Some(Pending::Failed(why.clone())),
            (None, Some(hold)) => Some(Pending::Held(held(hold))),
            (None, None) if is_held => refused.first().cloned().map(Pending::Refused),
            (None, None) => None,
        };
        // What the leader did not hold back is applied by now.
        if pending.is_some() || !led {
            zones.insert(zone.clone(), Progress { pending, is_drifted: drifted.contains(zone) });
        }
    }
    zones
}

/// After a run that failed: what is in force stays, and so does what was last known of the files. `leadership` is this node's when it
/// failed.
pub(super) fn failed(
    last: &ControllerStatus,
    error: &RunError,
    is_transient: bool,
    leadership: &Leadership,
    now: OffsetDateTime,
) -> (ControllerStatus, Run) {
    let reason = match error {
        RunError::Source(error) => error.reason(),
        RunError::Apply(ApplyError::Outdated | ApplyError::Store(StoreError::Conflict(_))) => "Outdated",
        RunError::Apply(ApplyError::NotReadBack(_)) => "NotReadBack",
        RunError::Apply(ApplyError::Store(error)) => match error {
            StoreError::NotLeader | StoreError::Fenced => "LostLead",
            StoreError::Unreachable(_) => "StoreUnreachable",
            StoreError::NotSetUp(_) => "StoreNotSetUp",
            StoreError::Conflict(_) => "Outdated",
            StoreError::Unfit(_) => "StoreUnfit",
        },
    };
    let lost_lead =
        matches!(error, RunError::Apply(ApplyError::Store(StoreError::NotLeader | StoreError::Fenced)));
    let (retrying, stalled) = match (is_transient, lost_lead) {
        (true, _) => (True, False),
        // The node that leads now does the work.
        (false, true) => (False, False),
        (false, false) => (False, True),
    };
    let message = error.to_string();
    let of_run = [
        (ConditionKind::Ready, False),
        (ConditionKind::Reconciling, retrying),
        (ConditionKind::Stalled, stalled),
    ];
    let mut conditions: Vec<Condition> =
        of_run.map(|(kind, status)| Condition::new(kind, status, reason, message.clone())).into();
    if matches!(error, RunError::Source(SourceError::Unverified { .. } | SourceError::VerifyKeys { .. })) {
        conditions.push(Condition::new(ConditionKind::SourceVerified, False, reason, message.clone()));
    }
    let others = last.conditions.iter().filter(|it| !conditions.iter().any(|new| it.kind == new.kind));
    let others: Vec<Condition> = others.cloned().collect();
    conditions.extend(others);
    let status = ControllerStatus {
        conditions: since(conditions, last, now),
        is_by_leader: *leadership == Leadership::Leading && !lost_lead,
        ..last.clone()
    };
    (status, blank(Outcome::Failed, message, now))
}

fn since(conditions: Vec<Condition>, last: &ControllerStatus, now: OffsetDateTime) -> Vec<Condition> {
    conditions.into_iter().map(|condition| condition.since_last(&last.conditions, now)).collect()
}

fn problem(loaded: &Loaded, finding: &Finding) -> Problem {
    let place = finding.source.as_ref().map_or_else(|| "the source".to_owned(), ToString::to_string);
    Problem {
        zone: finding.source.as_ref().and_then(|at| zone_at(loaded, at)),
        code: finding.code.as_str().to_owned(),
        place,
        message: finding.message.clone(),
    }
}

/// The unreadable zone that a place belongs to: of those in its file, the last one that begins at or before it.
fn zone_at(loaded: &Loaded, place: &Location) -> Option<ZoneName> {
    let mut of_file: Vec<_> = loaded
        .unreadable
        .zones
        .iter()
        .filter(|(_, at)| at.file == place.file)
        .map(|(name, at)| (at.line, name))
        .collect();
    of_file.sort_unstable();
    let before = of_file.iter().rev().find(|(line, _)| *line <= place.line);
    before.or_else(|| of_file.first()).map(|(_, name)| (*name).clone())
}

#[cfg(test)]
mod tests;
