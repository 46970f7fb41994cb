//! The plan as programs read it. Minor versions only add; `schema/plan.json` describes it.

use serde_json::{Value, json};

use super::{Change, Hold, Impact, Notice, Plan};
use crate::reconcile::guard::{Allowance, AllowedBy, Lifted};
use crate::zone::{Asked, Revision, Scope, ZoneName};

const FORMAT_VERSION: &str = "1.2";

/// Entries of a list of a bounded plan, and what its changes come to in bytes. The rest of such a plan is of the configuration's size.
const BOUNDED: usize = 500;
const BOUNDED_BYTES: usize = 384 * 1024;

pub(super) fn render(plan: &Plan) -> Value {
    of_these(plan, &plan.changes, usize::MAX)
}

/// So that it can be kept and passed on: the first changes, findings and holds. And whether that is all.
pub(super) fn render_bounded(plan: &Plan) -> (Value, bool) {
    let mut bytes = 0_usize;
    let fits = |change: &&Change| {
        let forms = [&change.before, &change.after].into_iter().flatten();
        bytes += forms.map(|form| form.as_str().len()).sum::<usize>();
        bytes <= BOUNDED_BYTES
    };
    let count = plan.changes.iter().take(BOUNDED).take_while(fits).count();
    let (changes, left) = plan.changes.split_at(count);
    let lists = [plan.findings.len(), plan.holds().len(), plan.suspended.len(), plan.suppressed.len()];
    let is_whole = left.is_empty() && lists.into_iter().all(|list| list <= BOUNDED);
    (of_these(plan, changes, BOUNDED), is_whole)
}

/// `most` of each list beside the changes.
fn of_these(plan: &Plan, changes: &[Change], most: usize) -> Value {
    let summary = plan.summary();
    json!({
        "formatVersion": FORMAT_VERSION,
        "mode": plan.mode.as_str(),
        "revision": plan.revision.as_str(),
        "base": plan.base.as_ref().map(Revision::as_str),
        "only": plan.only.as_ref().map(ZoneName::as_str),
        "digest": plan.digest,
        "tree": plan.tree,
        "inForce": {"zones": plan.in_force.zones, "digest": plan.in_force.digest},
        "summary": {
            "add": summary.add,
            "change": summary.change,
            "delete": summary.delete,
            "drift": summary.drift,
            "findings": summary.findings,
        },
        "notices": plan.notices.iter().map(notice).collect::<Vec<_>>(),
        "changes": changes.iter().map(|it| change(it, plan.impact(it))).collect::<Vec<_>>(),
        "findings": plan.findings.iter().take(most).collect::<Vec<_>>(),
        "held": plan.holds().iter().take(most).map(held).collect::<Vec<_>>(),
        "suspended": plan.suspended.iter().take(most).map(suspended).collect::<Vec<_>>(),
        "suppressed": plan.suppressed.iter().take(most).collect::<Vec<_>>(),
        "guard": {
            "refused": plan.guard.is_refusing(),
            "reasons": plan.guard.reasons().collect::<Vec<_>>(),
            "waysOut": plan.guard.ways_out().collect::<Vec<_>>(),
            "lifted": plan.guard.lifted().iter().map(lifted).collect::<Vec<_>>(),
        },
    })
}

fn held((zone, hold): (&ZoneName, &Hold)) -> Value {
    json!({"zone": zone.as_str(), "reason": hold.reason(), "message": hold.to_string()})
}

fn notice(Notice { kind, message }: &Notice) -> Value {
    json!({"kind": kind.as_str(), "message": message})
}

fn suspended((scope, asked): (&Scope, &Asked)) -> Value {
    json!({"scope": scope.key(), "by": asked.by, "reason": asked.reason})
}

/// Also what the audit log keeps of it.
pub(in crate::reconcile) fn lifted(lifted: &Lifted) -> Value {
    let Allowance { what, count, reason, by } = &lifted.allowance;
    let by = match by {
        AllowedBy::Trailer { commit, author } => {
            json!({"kind": "trailer", "commit": commit, "author": author})
        }
        AllowedBy::Flag { plan } => json!({"kind": "flag", "plan": plan}),
    };
    json!({"what": what.as_str(), "count": count, "reason": reason, "by": by, "refusals": lifted.refusals})
}

fn change(change: &Change, impact: Option<&Impact>) -> Value {
    let impact = impact.map(|it| json!({"clients": it.clients, "message": it.message}));
    json!({
        "address": change.address.to_string(),
        "actions": [change.action.as_str()],
        "before": change.before,
        "after": change.after,
        "source": change.source,
        "origin": change.origin.as_str(),
        "impact": impact,
    })
}
