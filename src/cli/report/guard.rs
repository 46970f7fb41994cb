//! What guards have to say of a plan, as lines.

use crate::manifest::finding::printable;
use crate::reconcile::plan::Plan;

/// What is refused, and then what to type if it is meant.
pub(super) fn refusals(plan: &Plan) -> impl Iterator<Item = String> {
    let reasons = plan.guard.reasons().map(|reason| format!("refused: {}", printable(reason)));
    reasons.chain(plan.guard.ways_out().map(|way| format!("  next: {}", printable(way))))
}

/// What goes ahead by somebody's word.
pub(super) fn lifted(plan: &Plan) -> impl Iterator<Item = String> {
    plan.guard.lifted().iter().map(|lifted| {
        let (by, reason) = (lifted.allowance.by.to_string(), &lifted.allowance.reason);
        let refusals = lifted.refusals.join("; ");
        format!("allowed by {}: {} (\"{}\")", printable(&by), printable(&refusals), printable(reason))
    })
}
