//! The plan as programs read it. Minor versions only add; `schema/plan.json` describes it.

use serde_json::{Value, json};

use super::{Change, Origin, Plan};

const FORMAT_VERSION: &str = "1.0";

pub(super) fn render(plan: &Plan) -> Value {
    let summary = plan.summary();
    json!({
        "formatVersion": FORMAT_VERSION,
        "mode": "live",
        "revision": plan.revision.as_str(),
        "digest": plan.digest,
        "summary": {
            "add": summary.add,
            "change": summary.change,
            "delete": summary.delete,
            "drift": summary.drift,
            "findings": summary.findings,
        },
        "changes": plan.changes.iter().map(change).collect::<Vec<_>>(),
        "findings": plan.findings,
        "suppressed": plan.suppressed,
        "guard": {
            "refused": plan.guard.is_refusing(),
            "reasons": plan.guard.reasons().collect::<Vec<_>>(),
        },
    })
}

fn change(change: &Change) -> Value {
    json!({
        "address": change.address.to_string(),
        "actions": [change.action.as_str()],
        "before": change.before,
        "after": change.after,
        "source": change.source,
        "origin": match change.origin {
            Origin::Change => "change",
            Origin::Drift => "drift",
        },
    })
}
