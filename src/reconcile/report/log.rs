//! What is new in a status, for the log.

use crate::zone::{ConditionKind, ConditionStatus, ControllerStatus};

/// Puts into the log what is new in a status.
pub(in crate::reconcile) fn log(last: &ControllerStatus, now: &ControllerStatus) {
    for problem in now.problems.iter().filter(|problem| !last.problems.contains(problem)) {
        tracing::warn!(place = problem.place, code = problem.code, "{}", problem.message);
    }
    for refused in now.refused.iter().filter(|reason| !last.refused.contains(reason)) {
        tracing::error!("refused by a guard: {refused}");
    }
    for kind in [ConditionKind::Suspended, ConditionKind::Drifted] {
        let told =
            |status: &ControllerStatus| status.condition(kind).map(|it| (it.status, it.message.clone()));
        if let Some((ConditionStatus::True, message)) = told(now)
            && told(last) != told(now)
        {
            tracing::warn!("{message}");
        }
    }
    let told = |status: &ControllerStatus| {
        status.condition(ConditionKind::DataPlaneDenied).map(|it| (it.status, it.reason))
    };
    if let Some(condition) = now.condition(ConditionKind::DataPlaneDenied)
        && told(last) != told(now)
    {
        // No warning: nothing stops, and where there is no authorizer nothing can be done.
        tracing::info!(
            status = condition.status.as_str(),
            reason = condition.reason,
            "{}",
            condition.message
        );
    }
    let told = |status: &ControllerStatus| {
        status.condition(ConditionKind::Ready).map(|it| (it.status, it.reason, it.message.clone()))
    };
    if let Some((ConditionStatus::False, reason, message)) = told(now)
        && told(last) != told(now)
    {
        tracing::warn!(reason, "{message}");
    }
}
