//! The conditions of a run that came to its end, with the polarity of kstatus.

use super::{Ended, Part};
use crate::reconcile::plan::{Hold, Plan};
use crate::reconcile::source::Signer;
use crate::zone::{Condition, ConditionKind, ConditionStatus, Outcome, Problem};

use ConditionStatus::{False, True, Unknown};

pub(super) fn of(
    ended: &Ended,
    problems: &[Problem],
    refused: &[String],
    outcome: Outcome,
    message: &str,
) -> Vec<Condition> {
    let plan = &ended.plan;
    let follows = matches!(ended.part, Part::Followed);
    let waits_for_leader = follows && plan.applicable().next().is_some();
    let is_suspended = plan.holds().values().any(|hold| matches!(hold, Hold::Suspended(..)));
    let (ready, reconciling, stalled, reason) = match outcome {
        // What keeps files back is said first: guards hold deletions back for it.
        Outcome::Refused => (False, False, True, "RefusedByGuard"),
        Outcome::InvalidFiles if !refused.is_empty() => (False, False, True, "RefusedByGuard"),
        Outcome::InvalidFiles => (False, False, True, "InvalidFiles"),
        Outcome::PartlyApplied => (False, True, False, "PartlyApplied"),
        Outcome::Held if is_suspended => (False, False, False, "Suspended"),
        Outcome::Held => (True, False, False, "Held"),
        _ if waits_for_leader => (Unknown, True, False, "Following"),
        _ if follows => (True, False, False, "Following"),
        _ => (True, False, False, "Applied"),
    };
    let message = match (outcome, refused.first()) {
        (Outcome::InvalidFiles, Some(first)) => first,
        _ => message,
    };
    let is = |kind, status, reason, message: &str| Condition::new(kind, status, reason, message);
    let mut conditions = vec![
        is(ConditionKind::Ready, ready, reason, message),
        is(ConditionKind::Reconciling, reconciling, reason, message),
        is(ConditionKind::Stalled, stalled, reason, message),
        match problems.first() {
            Some(first) => is(ConditionKind::Valid, False, "InvalidFiles", &first.to_string()),
            None => is(ConditionKind::Valid, True, "Valid", "no file has an error"),
        },
        drifted(plan),
        match refused.first() {
            Some(first) => is(ConditionKind::GuardBlocked, True, "RefusedByGuard", first),
            None => is(ConditionKind::GuardBlocked, False, "Allowed", "no guard holds anything back"),
        },
        suspended(plan),
        source_verified(ended.signer.as_ref()),
    ];
    conditions.extend(ended.logins().and_then(|logins| logins.data_plane.clone()));
    conditions
}

/// A commit without the signature that is wanted does not get as far as a plan.
fn source_verified(signer: Option<&Signer>) -> Condition {
    let is = |status, reason, message: &str| {
        Condition::new(ConditionKind::SourceVerified, status, reason, message)
    };
    match signer {
        Some(Signer { person, fingerprint }) => {
            is(True, "Verified", &format!("the commit is signed by {person} ({fingerprint})"))
        }
        None => is(Unknown, "NotChecked", "signatures are not looked at (source.verify.mode)"),
    }
}

fn drifted(plan: &Plan) -> Condition {
    let mut zones = plan.drifted();
    let Some(first) = zones.next() else {
        return Condition::new(
            ConditionKind::Drifted,
            False,
            "InSync",
            "nothing drifted from the revision in force",
        );
    };
    let left = plan.hold_of(first).map(|hold| format!("; left: {hold}")).unwrap_or_default();
    let message =
        format!("zone `{first}` is not as the revision in force asks ({} more){left}", zones.count());
    Condition::new(ConditionKind::Drifted, True, "Drifted", message)
}

/// It is shouted whether something waits for it or not.
fn suspended(plan: &Plan) -> Condition {
    let Some((scope, asked)) = plan.suspended.first_key_value() else {
        return Condition::new(ConditionKind::Suspended, False, "Active", "nothing is suspended");
    };
    let more = plan.suspended.len() - 1;
    let message = format!("{scope} is suspended by {}: {} ({more} more)", asked.by, asked.reason);
    Condition::new(ConditionKind::Suspended, True, "Suspended", message)
}
