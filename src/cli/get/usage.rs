//! What partners used, as tables. Figures are rounded here, and exact in every other form; none is shortened to fit a terminal.

use serde_json::Value;

use super::{cell, items, list};
use crate::cli::output::{self, Width};

/// All zones in a month.
pub(super) fn zones(value: &Value, _: Width) -> String {
    let rows: Vec<[String; 10]> =
        items(value).iter().map(|item| row(cell(item, "/zone"), item, "/total")).collect();
    titled(value, &output::table(head("ZONE"), &rows))
}

/// One zone in a month, apart by topic and credential.
pub(super) fn zone(value: &Value, _: Width) -> String {
    let entries = |pointer: &str| {
        list(value, pointer)
            .iter()
            .map(|entry| row(cell(entry, "/name"), entry, ""))
            .collect::<Vec<[String; 10]>>()
    };
    let mut text = output::table(head("ZONE"), &[row(cell(value, "/zone"), value, "/total")]);
    for (name, pointer) in [("TOPIC", "/topics"), ("CREDENTIAL", "/credentials")] {
        let rows = entries(pointer);
        if !rows.is_empty() {
            text.push('\n');
            text.push_str(&output::table(head(name), &rows));
        }
    }
    let groups: Vec<_> = list(value, "/groups")
        .iter()
        .map(|group| ["/group", "/topic", "/lag"].map(|pointer| cell(group, pointer)))
        .collect();
    if !groups.is_empty() {
        text.push('\n');
        text.push_str(&output::table(["GROUP", "TOPIC", "LAG"], &groups));
    }
    titled(value, &text)
}

/// Of a zone's status: what was produced and consumed in the month, by how many records its consumers are behind, and when somebody was seen last.
pub(super) fn of_status(zone: &Value) -> [String; 4] {
    let of = |name: &str| format!("/status/usage/{name}");
    [
        bytes(zone, &of("produced/bytes")),
        bytes(zone, &of("consumed/bytes")),
        cell(zone, &of("lag")),
        moment(zone, &of("lastSeen")),
    ]
}

fn head(first: &'static str) -> [&'static str; 10] {
    [
        first,
        "PRODUCED",
        "RECORDS",
        "CONSUMED",
        "RECORDS",
        "REQUESTS",
        "COMMITS",
        "CONNECTIONS",
        "THROTTLED",
        "LAST SEEN",
    ]
}

fn titled(value: &Value, table: &str) -> String {
    format!("Used in {} (UTC)\n{table}", cell(value, "/month").replace(char::is_control, " "))
}

fn row(name: String, value: &Value, at: &str) -> [String; 10] {
    let of = |name: &str| format!("{at}/{name}");
    [
        name,
        bytes(value, &of("produced/bytes")),
        cell(value, &of("produced/records")),
        bytes(value, &of("consumed/bytes")),
        cell(value, &of("consumed/records")),
        cell(value, &of("requests")),
        cell(value, &of("commits")),
        cell(value, &of("connections")),
        seconds(value, &of("throttledMs")),
        moment(value, &of("lastSeen")),
    ]
}

fn number(value: &Value, pointer: &str) -> Option<u64> {
    value.pointer(pointer)?.as_u64()
}

/// In the unit in which it has at most three digits in front of the point.
fn bytes(value: &Value, pointer: &str) -> String {
    let Some(bytes) = number(value, pointer) else { return String::new() };
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let mut shown = format!("{bytes} B");
    let mut whole = 1_u64;
    for unit in units {
        whole = whole.saturating_mul(1_000);
        if bytes < whole {
            break;
        }
        shown = format!("{}.{} {unit}", bytes / whole, bytes % whole / (whole / 10));
    }
    shown
}

fn seconds(value: &Value, pointer: &str) -> String {
    let Some(ms) = number(value, pointer) else { return String::new() };
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

/// To the second.
fn moment(value: &Value, pointer: &str) -> String {
    let text = cell(value, pointer);
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_are_rounded_down_to_what_a_person_reads() {
        let shown = |number: u64| bytes(&json!({ "b": number }), "/b");
        let all = [0, 999, 1_000, 1_999, 123_456_789, 5_000_000_000_000, u64::MAX].map(shown);
        assert_eq!(all, ["0 B", "999 B", "1.0 kB", "1.9 kB", "123.4 MB", "5.0 TB", "18.4 EB"]);
        assert_eq!(bytes(&json!({}), "/b"), "");
        assert_eq!(seconds(&json!({ "t": 61_999 }), "/t"), "61.9 s");
        let times = json!({"a": "2026-11-22T10:00:00.123456Z", "b": "2026-11-22T10:00:00Z", "c": null});
        let times = ["/a", "/b", "/c"].map(|pointer| moment(&times, pointer));
        assert_eq!(times, ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z", ""]);
    }

    #[test]
    fn a_zones_usage_is_told_in_total_and_apart() {
        let of = |bytes: u64| json!({"bytes": bytes, "records": 2});
        let client = json!({
            "produced": of(1_500), "consumed": of(0), "requests": 3, "commits": 1, "connections": 1, "throttledMs": 250,
            "lastSeen": "2026-11-22T10:00:00.5Z",
        });
        let mut credential = client.clone();
        credential["name"] = "pz1".into();
        let topic = json!({"name": "orders", "produced": of(1_500), "consumed": of(0), "lastSeen": null});
        let value = json!({
            "zone": "acme", "month": "2026-11", "total": client, "topics": [topic], "credentials": [credential],
            "groups": [{"group": "g", "topic": "orders", "lag": 7, "partitions": 1}],
        });
        assert_eq!(
            zone(&value, Width::ALL),
            "Used in 2026-11 (UTC)\n\
             ZONE  PRODUCED  RECORDS  CONSUMED  RECORDS  REQUESTS  COMMITS  CONNECTIONS  THROTTLED  LAST SEEN\n\
             acme  1.5 kB    2        0 B       2        3         1        1            0.2 s      2026-11-22T10:00:00Z\n\n\
             TOPIC   PRODUCED  RECORDS  CONSUMED  RECORDS  REQUESTS  COMMITS  CONNECTIONS  THROTTLED  LAST SEEN\n\
             orders  1.5 kB    2        0 B       2\n\n\
             CREDENTIAL  PRODUCED  RECORDS  CONSUMED  RECORDS  REQUESTS  COMMITS  CONNECTIONS  THROTTLED  LAST SEEN\n\
             pz1         1.5 kB    2        0 B       2        3         1        1            0.2 s      2026-11-22T10:00:00Z\n\n\
             GROUP  TOPIC   LAG\n\
             g      orders  7\n"
        );
        let all = json!({"month": "2026-11", "items": [{"zone": "acme", "total": value["total"]}]});
        assert!(zones(&all, Width::ALL).ends_with(
            "acme  1.5 kB    2        0 B       2        3         1        1            0.2 s      2026-11-22T10:00:00Z\n"
        ));
    }
}
