//! How a zone or the controller stands, condition by condition: what needs somebody in full, the rest folded away.

use maud::{Markup, html};
use serde_json::Value;

use super::moment::when;
use super::parts::{counted, marked};
use super::zones::member;

/// As a list; `id` names it for live parts.
pub(super) fn list(conditions: &[Value], id: &str) -> Markup {
    let (fine, others): (Vec<_>, Vec<_>) = conditions.iter().partition(|condition| is_fine(condition));
    html! {
        div id=(id) data-live {
            @if !others.is_empty() { ul.conditions { @for condition in &others { (entry(condition)) } } }
            @if !fine.is_empty() {
                details.more {
                    summary { (counted(fine.len() as u64, "condition")) @if others.is_empty() { ", all as they should be" } @else { " as they should be" } }
                    ul.conditions { @for condition in &fine { (entry(condition)) } }
                }
            }
        }
    }
}

/// Whether nobody has to look at it.
fn is_fine(condition: &Value) -> bool {
    let status = member(condition, "/status").unwrap_or_default();
    match member(condition, "/type").unwrap_or_default() {
        "Ready" | "Valid" => status == "True",
        // What is not asked for, or cannot be found out here, is no fault.
        "SourceVerified" | "DataPlaneDenied" | "SecondLock" => {
            status != "False" || member(condition, "/reason") == Some("SharedIsolation")
        }
        "Reconciling" | "Stalled" | "Drifted" | "GuardBlocked" | "Suspended" => status == "False",
        _ => false,
    }
}

fn entry(condition: &Value) -> Markup {
    html! {
        li {
            p {
                strong { (member(condition, "/type").unwrap_or_default()) } " "
                span.muted { (member(condition, "/status").unwrap_or_default()) " · " (member(condition, "/reason").unwrap_or_default()) }
            }
            @if let Some(message) = member(condition, "/message") { p.sub.said { (marked(message)) } }
            @if let Some(since) = member(condition, "/lastTransitionTime") { p.sub { "since " (when(Some(since))) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_needs_somebody_is_not_folded_away() {
        let condition = |kind: &str, status: &str| json!({ "type": kind, "status": status, "reason": "R", "message": "of `x`" });
        let all = [
            condition("Ready", "False"),
            condition("Drifted", "True"),
            condition("Valid", "True"),
            condition("Unheard", "True"),
        ];
        let text = list(&all, "conditions").into_string();
        let (shown, folded) = text.split_once("<details").unwrap();
        for kind in ["Ready", "Drifted", "Unheard"] {
            assert!(shown.contains(kind) && !folded.contains(kind), "{kind}");
        }
        assert!(folded.contains("Valid") && folded.contains("1 condition as they should be"));
        assert!(shown.contains("of <code>x</code>"));
    }
}
