//! What becomes of the user's commits, said as it happens.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::output;

const POLL: Duration = Duration::from_secs(1);

/// Tells each change of the zones and of the source, for ever. A question that gets no answer is asked again.
pub(crate) async fn tell_changes(client: &Client) {
    let mut before: Option<BTreeMap<String, String>> = None;
    loop {
        if let Ok(answer) = client.get(&["zones"]).await {
            let now = standing(&answer);
            if let Some(before) = &before {
                for line in changes(before, &now) {
                    output::note(&line);
                }
            }
            before = Some(now);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// How everything stands: by zone, and the source as a whole.
fn standing(answer: &Value) -> BTreeMap<String, String> {
    let text =
        |value: &Value, at: &str| value.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let zones = answer.get("items").and_then(Value::as_array).into_iter().flatten();
    let mut lines: BTreeMap<String, String> = zones
        .map(|zone| {
            let reason = text(zone, "/status/failedReason");
            let reason = if reason.is_empty() { reason } else { format!(": {reason}") };
            let served =
                format!("{}{reason} ({})", text(zone, "/status/phase"), text(zone, "/status/revision"));
            (format!("zone {}", text(zone, "/metadata/name")), served)
        })
        .collect();
    let problems = answer.pointer("/source/problems").and_then(Value::as_array).into_iter().flatten();
    // A zone's own problems are in its reason already.
    for (number, problem) in
        problems.filter(|problem| problem.get("zone").is_none_or(Value::is_null)).enumerate()
    {
        let said = format!("{} {}", text(problem, "/place"), text(problem, "/message"));
        lines.insert(format!("problem {}", number + 1), said.trim().to_owned());
    }
    lines
}

fn changes(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let mut lines: Vec<String> = now
        .iter()
        .filter(|(name, line)| before.get(*name) != Some(line))
        .map(|(name, line)| format!("{name} is {line}").replace(char::is_control, " "))
        .collect();
    lines.extend(before.keys().filter(|name| !now.contains_key(*name)).map(|name| format!("{name} is gone")));
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_changed_is_told() {
        let zone = |name: &str, phase: &str, reason: Option<&str>| json!({"metadata": {"name": name}, "status": {"phase": phase, "failedReason": reason, "revision": "main@1"}});
        let before = standing(
            &json!({"items": [zone("a", "READY", None), zone("b", "READY", None), zone("c", "READY", None)]}),
        );
        let now =
            standing(&json!({"items": [zone("a", "READY", None), zone("b", "FAILED", Some("no topic"))]}));
        assert_eq!(changes(&before, &now), ["zone b is FAILED: no topic (main@1)", "zone c is gone"]);
        assert!(changes(&now, &now).is_empty());
    }
}
