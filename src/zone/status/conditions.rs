//! What is said of a zone beside whether it is served.

use super::{Condition, ConditionKind, ConditionStatus, Pending, Phase, Progress, ZoneReport};

use ConditionStatus::{False, True, Unknown};

/// Every condition of a zone but Ready and SecondLock.
pub(super) fn of(report: &ZoneReport<'_>, phase: Phase) -> Vec<Condition> {
    let mut conditions = vec![reconciling(report, phase), stalled(report), valid(report), drifted(report)];
    conditions.push(guard_blocked(report));
    conditions.push(suspended(report));
    conditions.extend(report.source_verified.cloned());
    conditions
}

fn pending<'a>(report: &ZoneReport<'a>) -> Option<&'a Pending> {
    report.progress.and_then(|progress| progress.pending.as_ref())
}

fn reconciling(report: &ZoneReport<'_>, phase: Phase) -> Condition {
    let is =
        |status, reason, message: &str| Condition::new(ConditionKind::Reconciling, status, reason, message);
    match (pending(report), report.progress) {
        (Some(Pending::Failed(message)), _) => is(True, "Retrying", message),
        (None, Some(_)) => is(True, "Progressing", "its changes are about to be applied"),
        _ if phase == Phase::Pending => {
            is(True, "Distributing", "its last change is not served everywhere yet")
        }
        _ => is(False, "Settled", "nothing is under way"),
    }
}

fn stalled(report: &ZoneReport<'_>) -> Condition {
    let is = |status, reason, message: &str| Condition::new(ConditionKind::Stalled, status, reason, message);
    if let Some(problem) = report.file_problem {
        return is(True, "InvalidFile", &problem.to_string());
    }
    match (pending(report), report.suspended) {
        (Some(Pending::Refused(message)), _) => is(True, "RefusedByGuard", message),
        (Some(_), Some((_, asked))) if asked.is_of_controller() => is(True, "Flapping", &asked.reason),
        _ => is(False, "Settled", "nobody has to act"),
    }
}

fn valid(report: &ZoneReport<'_>) -> Condition {
    let is = |status, reason, message: &str| Condition::new(ConditionKind::Valid, status, reason, message);
    match report.file_problem {
        Some(problem) => is(False, "InvalidFile", &problem.to_string()),
        None if report.is_read => is(True, "Valid", "its file has no error"),
        None => is(Unknown, "NotRead", "this node has not read the files"),
    }
}

fn drifted(report: &ZoneReport<'_>) -> Condition {
    let is = |status, reason, message: &str| Condition::new(ConditionKind::Drifted, status, reason, message);
    match report.progress {
        Some(Progress { is_drifted: true, pending }) => match pending {
            Some(Pending::Held(held)) => is(True, held.reason, &held.message),
            _ => is(True, "Drifted", "it is not as the revision in force asks, and is to be corrected"),
        },
        _ if report.is_read => {
            is(False, "InSync", "it is as the revision in force asks, or is to be changed")
        }
        _ => is(Unknown, "NotRead", "this node has not read the files"),
    }
}

fn guard_blocked(report: &ZoneReport<'_>) -> Condition {
    let is =
        |status, reason, message: &str| Condition::new(ConditionKind::GuardBlocked, status, reason, message);
    match pending(report) {
        Some(Pending::Refused(message)) => is(True, "RefusedByGuard", message),
        _ if report.is_read => is(False, "Allowed", "no guard holds its changes back"),
        _ => is(Unknown, "NotRead", "this node has not read the files"),
    }
}

fn suspended(report: &ZoneReport<'_>) -> Condition {
    let is =
        |status, reason, message: &str| Condition::new(ConditionKind::Suspended, status, reason, message);
    match report.suspended {
        Some((scope, asked)) => {
            let reason = if asked.is_of_controller() { "Flapping" } else { "Suspended" };
            is(True, reason, &format!("{scope} is suspended by {}: {}", asked.by, asked.reason))
        }
        None => is(False, "Active", "it is not suspended"),
    }
}
