//! What the controller says of its last run: conditions with the polarity of kstatus. Pure, but for the log.

use super::apply::ApplyError;
use super::controller::RunError;
use super::plan::{Observed, Plan};
use crate::manifest::{Finding, Loaded, Location};
use crate::store::StoreError;
use crate::zone::{Condition, ConditionKind, ConditionStatus, ControllerStatus, Problem, Revision, ZoneName};

use ConditionStatus::{False, True, Unknown};

/// After a run on the leader: all that may be applied is.
pub(super) fn applied(plan: &Plan, loaded: &Loaded, observed: &Observed) -> ControllerStatus {
    let last = if plan.is_complete() { Some(plan.revision.clone()) } else { observed.revision.clone() };
    status(plan, loaded, last, "Applied", &format!("{} is applied", plan.revision))
}

/// After a run on a node that does not lead: it looked, and leaves the rest to the leader.
pub(super) fn following(plan: &Plan, loaded: &Loaded, observed: &Observed) -> ControllerStatus {
    let mut status = status(
        plan,
        loaded,
        observed.revision.clone(),
        "Following",
        &format!("{} is read; another node leads and applies it", plan.revision),
    );
    if plan.applicable().next().is_some() {
        status.conditions =
            conditions(Unknown, True, False, "Following", "another node leads and applies what is new");
    }
    status
}

fn status(
    plan: &Plan,
    loaded: &Loaded,
    last_applied: Option<Revision>,
    reason: &'static str,
    message: &str,
) -> ControllerStatus {
    let problems: Vec<Problem> = plan
        .findings
        .iter()
        .filter(|finding| finding.is_error())
        .map(|finding| problem(loaded, finding))
        .collect();
    let refused: Vec<String> = plan.guard.reasons().map(str::to_owned).collect();
    let conditions = if let Some(first) = refused.first() {
        conditions(False, False, True, "RefusedByGuard", first)
    } else if let Some(first) = problems.first() {
        let message = format!("{first}; what the files have right is applied, and nothing is deleted");
        conditions(False, False, True, "InvalidFiles", &message)
    } else {
        conditions(True, False, False, reason, message)
    };
    ControllerStatus {
        conditions,
        last_attempted: Some(plan.revision.clone()),
        last_applied,
        problems,
        refused,
    }
}

/// After a run that failed: what is in force stays, and so does what was last known of the files.
pub(super) fn failure(last: &ControllerStatus, error: &RunError, is_transient: bool) -> ControllerStatus {
    let reason = match error {
        RunError::Source(error) => error.reason(),
        RunError::Apply(ApplyError::Outdated) => "Outdated",
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
    let conditions = conditions(False, retrying, stalled, reason, &error.to_string());
    ControllerStatus { conditions, ..last.clone() }
}

fn conditions(
    ready: ConditionStatus,
    reconciling: ConditionStatus,
    stalled: ConditionStatus,
    reason: &'static str,
    message: &str,
) -> Vec<Condition> {
    [
        (ConditionKind::Ready, ready),
        (ConditionKind::Reconciling, reconciling),
        (ConditionKind::Stalled, stalled),
    ]
    .into_iter()
    .map(|(kind, status)| Condition::new(kind, status, reason, message))
    .collect()
}

fn problem(loaded: &Loaded, finding: &Finding) -> Problem {
    let place = finding
        .source
        .as_ref()
        .map_or_else(|| "the source".to_owned(), |at| format!("{}:{}:{}", at.file, at.line, at.column));
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

/// Puts into the log what is new in a status.
pub(super) fn log(last: &ControllerStatus, now: &ControllerStatus) {
    for problem in now.problems.iter().filter(|problem| !last.problems.contains(problem)) {
        tracing::warn!(place = problem.place, code = problem.code, "{}", problem.message);
    }
    for refused in now.refused.iter().filter(|reason| !last.refused.contains(reason)) {
        tracing::error!("refused by a guard: {refused}");
    }
    let of = |status: &ControllerStatus, kind| status.conditions.iter().find(|it| it.kind == kind).cloned();
    let Some(ready) = of(now, ConditionKind::Ready) else { return };
    if ready.status == False && of(last, ConditionKind::Ready).as_ref() != Some(&ready) {
        tracing::warn!(reason = ready.reason, "{}", ready.message);
    }
}
