//! For programs. Minor versions only add.

use serde_json::json;

use super::super::output;
use super::Report;
use crate::reconcile::plan::Plan;
use crate::zone::Revision;

pub(super) fn render(report: &Report<'_>) -> String {
    let mut value = report.plan.map_or_else(|| files(report), Plan::to_json);
    if let (Some(run), Some(object)) = (report.run, value.as_object_mut()) {
        object.insert("run".to_owned(), run.clone());
    }
    output::json(&value)
}

/// The plan's format without what needs live state.
fn files(report: &Report<'_>) -> serde_json::Value {
    json!({
        "formatVersion": "1.0",
        "mode": report.mode.as_str(),
        "revision": report.revision.map(Revision::as_str),
        "summary": {"findings": report.findings.len()},
        "findings": report.findings,
        "suppressed": report.suppressed,
    })
}
