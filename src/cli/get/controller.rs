//! How the leading controller stands, as a table.

use serde_json::Value;

use super::{cell, list};
use crate::cli::output::{self, Width};

/// What was asked of it, its conditions, and its last runs.
pub(super) fn table(value: &Value, width: Width) -> String {
    let mut facts: Vec<[String; 2]> = [
        ("Node", "/node"),
        ("Leading", "/leading"),
        ("Observed", "/source/observed/revision"),
        ("Attempted", "/source/attempted/revision"),
        ("Applied", "/source/applied/revision"),
        ("Plan", "/source/planDigest"),
    ]
    .iter()
    .map(|(label, pointer)| [format!("{label}:"), cell(value, pointer)])
    .filter(|row| row.iter().all(|cell| !cell.is_empty()))
    .collect();
    facts.extend(shouted(value).into_iter().map(|line| ["SUSPENDED:".to_owned(), line]));
    if value.pointer("/controls/rollback").is_some_and(|rollback| !rollback.is_null()) {
        let of = |name: &str| cell(value, &format!("/controls/rollback/{name}"));
        let line = format!("{} until {}, by {}: {}", of("commit"), of("until"), of("by"), of("reason"));
        facts.push(["ROLLED BACK:".to_owned(), line]);
    }
    if value.pointer("/controls/accepted").is_some_and(|accepted| !accepted.is_null()) {
        let of = |name: &str| cell(value, &format!("/controls/accepted/{name}"));
        facts.push(["Accepted:".to_owned(), format!("{} by {}: {}", of("commit"), of("by"), of("reason"))]);
    }
    facts.extend(conditions(list(value, "/source/conditions")));
    let runs: Vec<_> = list(value, "/runs")
        .iter()
        .map(|run| {
            let applied =
                ["created", "updated", "deleted"].map(|what| cell(run, &format!("/applied/{what}")));
            let short = |pointer: &str| cell(run, pointer).chars().take(20).collect::<String>();
            [
                cell(run, "/lastAt"),
                cell(run, "/outcome"),
                cell(run, "/count"),
                applied.join("/"),
                format!("{} ms", cell(run, "/tookMs")),
                short("/revision"),
                short("/plan"),
                cell(run, "/message"),
            ]
        })
        .collect();
    // Of the newest run. The table has no room for it.
    let noticed = list(value, "/runs/0/noticed").iter();
    let noticed: Vec<[String; 1]> = noticed.map(|line| [format!("! {}", cell(line, ""))]).collect();
    let head = ["LAST RUN", "OUTCOME", "TIMES", "+/~/-", "TOOK", "REVISION", "PLAN", "MESSAGE"];
    let (facts, runs) = (output::table(["", ""], &facts), output::fitted(head, &runs, width));
    format!("{}\n{runs}{}", facts.trim_start(), output::table([""], &noticed).trim_start())
}

/// One row for each condition: its status, and why.
pub(super) fn conditions(conditions: &[Value]) -> Vec<[String; 2]> {
    let row = |condition: &Value| {
        let since = cell(condition, "/lastTransitionTime");
        let since = if since.is_empty() { since } else { format!(", since {since}") };
        let said = format!("{} ({}{since})", cell(condition, "/status"), cell(condition, "/message"));
        [format!("{}:", cell(condition, "/type")), said]
    };
    conditions.iter().map(row).collect()
}

/// What is suspended, a line each.
pub(super) fn shouted(value: &Value) -> Vec<String> {
    let line = |it: &Value| {
        let of = |name: &str| cell(it, &format!("/{name}"));
        format!("{}, by {} since {}: {}", of("scope"), of("by"), of("at"), of("reason"))
    };
    list(value, "/controls/suspended").iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_asked_of_it_stands_above_its_conditions_and_runs() {
        let value = json!({
            "node": "n1", "leading": true,
            "controls": {
                "suspended": [{"scope": "zone/acme", "by": "k1", "at": "2026-11-22T10:00:00Z", "reason": "an incident"}],
                "rollback": {"commit": "8c1f", "until": "2026-11-22T12:00:00Z", "by": "k2", "at": "t", "reason": "bad release"},
                "accepted": null,
            },
            "source": {
                "applied": {"revision": "main@sha1:8c1f", "at": "t"},
                "conditions": [{"type": "Ready", "status": "True", "message": "fine", "lastTransitionTime": "2026-11-22T09:00:00Z"}],
            },
            "runs": [{
                "lastAt": "2026-11-22T10:00:01Z", "outcome": "Held", "count": 3, "tookMs": 12, "message": "zone `acme` waits",
                "applied": {"created": 0, "updated": 1, "deleted": 0}, "revision": "main@sha1:8c1f", "plan": "sha256:00",
                "noticed": ["zone/acme: 3 connected clients are cut off"],
            }],
        });
        assert_eq!(
            table(&value, Width::ALL),
            "Node:         n1\nLeading:      true\nApplied:      main@sha1:8c1f\n\
             SUSPENDED:    zone/acme, by k1 since 2026-11-22T10:00:00Z: an incident\n\
             ROLLED BACK:  8c1f until 2026-11-22T12:00:00Z, by k2: bad release\n\
             Ready:        True (fine, since 2026-11-22T09:00:00Z)\n\n\
             LAST RUN              OUTCOME  TIMES  +/~/-  TOOK   REVISION        PLAN       MESSAGE\n\
             2026-11-22T10:00:01Z  Held     3      0/1/0  12 ms  main@sha1:8c1f  sha256:00  zone `acme` waits\n\
             ! zone/acme: 3 connected clients are cut off\n"
        );
    }
}
