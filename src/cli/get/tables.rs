//! Zones, credentials, nodes and API keys as tables.

use serde_json::Value;

use super::{cell, controller, items, list, text, usage};
use crate::cli::output::{self, Width};

/// What is said of the phase: why it failed, else the message of the Ready condition.
fn message(zone: &Value) -> String {
    let reason = cell(zone, "/status/failedReason");
    if reason.is_empty() { cell(zone, "/status/conditions/0/message") } else { reason }
}

pub(super) fn zones(value: &Value, width: Width) -> String {
    let rows: Vec<_> = items(value)
        .iter()
        .map(|zone| {
            [
                cell(zone, "/metadata/name"),
                cell(zone, "/status/phase"),
                cell(zone, "/spec/topics"),
                cell(zone, "/spec/displayName"),
                cell(zone, "/status/revision").chars().take(20).collect(),
                message(zone),
            ]
        })
        .collect();
    output::fitted(["NAME", "PHASE", "TOPICS", "DISPLAY NAME", "REVISION", "MESSAGE"], &rows, width)
}

pub(super) fn wide_zones(value: &Value, _: Width) -> String {
    let rows: Vec<_> = items(value)
        .iter()
        .map(|zone| {
            let [produced, consumed, lag, seen] = usage::of_status(zone);
            [
                cell(zone, "/metadata/name"),
                cell(zone, "/status/phase"),
                cell(zone, "/spec/topics"),
                produced,
                consumed,
                lag,
                seen,
                cell(zone, "/spec/displayName"),
                message(zone),
            ]
        })
        .collect();
    let head =
        ["NAME", "PHASE", "TOPICS", "PRODUCED", "CONSUMED", "LAG", "LAST SEEN", "DISPLAY NAME", "MESSAGE"];
    output::table(head, &rows)
}

/// Everything that describes the zone, then its topics.
pub(super) fn zone(value: &Value, width: Width) -> String {
    let facts = [
        ("Name", "/metadata/name"),
        ("Display name", "/spec/displayName"),
        ("Description", "/spec/description"),
        ("URL", "/spec/url"),
        ("Organization", "/spec/organization/name"),
        ("About it", "/spec/organization/description"),
        ("Its contact", "/spec/organization/contact"),
        ("Partner", "/spec/partner/name"),
        ("Role", "/spec/partner/role"),
        ("E-mail", "/spec/partner/email"),
        ("Phone", "/spec/partner/phone"),
        ("Service account", "/spec/authenticationMode/serviceAccount"),
        ("Bootstrap servers", "/status/bootstrapServers"),
        ("Phase", "/status/phase"),
        ("Applied", "/status/revision"),
        ("Applied at", "/status/updatedAt"),
        ("Attempted", "/status/attempted/revision"),
        ("Attempted at", "/status/attempted/at"),
        ("Observed", "/status/observed/revision"),
        ("Plan", "/status/planDigest"),
        ("Id", "/status/id"),
    ];
    let mut rows: Vec<[String; 2]> = facts
        .iter()
        .map(|(label, pointer)| [format!("{label}:"), cell(value, pointer)])
        .filter(|row| row.iter().all(|cell| !cell.is_empty()))
        .collect();
    let labels: Vec<_> =
        value.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten().collect();
    if !labels.is_empty() {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
        rows.push(["Labels:".to_owned(), labels.join(", ")]);
    }
    rows.extend(controller::conditions(list(value, "/status/conditions")));
    let topics: Vec<_> = list(value, "/spec/topics")
        .iter()
        .map(|topic| {
            [
                cell(topic, "/name"),
                cell(topic, "/backingTopic"),
                cell(topic, "/permission"),
                list(topic, "/tags").iter().map(text).collect::<Vec<_>>().join(", "),
                cell(topic, "/description"),
            ]
        })
        .collect();
    let facts = output::table(["", ""], &rows);
    format!(
        "{}\n{}",
        facts.trim_start(),
        output::fitted(["ALIAS", "TOPIC", "PERMISSION", "TAGS", "DESCRIPTION"], &topics, width)
    )
}

pub(in crate::cli) fn credentials(value: &Value, width: Width) -> String {
    let rows: Vec<_> = items(value)
        .iter()
        .map(|credential| {
            let [key_id, zone, state, created, expires, used, from] =
                ["/keyId", "/zone", "/state", "/createdAt", "/expiresAt", "/lastUsedAt", "/lastUsedFrom"]
                    .map(|pointer| cell(credential, pointer));
            [key_id, zone, state, mechanisms(credential), created, expires, used, from]
        })
        .collect();
    output::fitted(
        ["KEY ID", "ZONE", "STATE", "MECHANISMS", "CREATED", "EXPIRES", "LAST USED", "FROM"],
        &rows,
        width,
    )
}

fn mechanisms(credential: &Value) -> String {
    let all = credential.get("mechanisms").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    all.iter().map(text).collect::<Vec<_>>().join(",")
}

pub(in crate::cli) fn api_keys(value: &Value, width: Width) -> String {
    let rows: Vec<_> = items(value)
        .iter()
        .map(|key| {
            let [id, role, zone, created] =
                ["/id", "/role", "/zone", "/createdAt"].map(|pointer| cell(key, pointer));
            let topics: Vec<_> = list(key, "/topics").iter().map(text).collect();
            [id, role, if zone.is_empty() { topics.join(", ") } else { zone }, created]
        })
        .collect();
    output::fitted(["ID", "ROLE", "FOR", "CREATED"], &rows, width)
}

pub(super) fn nodes(value: &Value, width: Width) -> String {
    let rows: Vec<_> = items(value)
        .iter()
        .map(|node| ["/node", "/serving", "/connections", "/at"].map(|pointer| cell(node, pointer)))
        .collect();
    output::fitted(["NODE", "SERVING", "CONNECTIONS", "LAST SEEN"], &rows, width)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn zones_show_their_phase_and_what_is_wrong() {
        let value = json!({"items": [{
            "metadata": {"name": "acme"},
            "spec": {"displayName": "Acme Inc.", "topics": [{}, {}]},
            "status": {"phase": "FAILED", "failedReason": "topic `orders` does not exist", "revision": "main@sha1:0123456789abcdef"},
        }]});
        assert_eq!(
            zones(&value, Width::ALL),
            "NAME  PHASE   TOPICS  DISPLAY NAME  REVISION              MESSAGE\n\
             acme  FAILED  2       Acme Inc.     main@sha1:0123456789  topic `orders` does not exist\n"
        );
        assert_eq!(super::super::names(&value), "acme\n");
    }

    #[test]
    fn one_zone_shows_every_fact_it_has_and_its_topics() {
        let value = json!({
            "metadata": {"name": "acme", "labels": {"domain": "sales", "tier": "1"}},
            "spec": {
                "partner": {"name": "Ada", "phone": "+1 555 0100"},
                "topics": [
                    {"name": "orders", "backingTopic": "eu.orders", "permission": "READ", "tags": ["a", "b"], "description": "All."},
                ],
            },
            "status": {"phase": "READY", "conditions": [{"type": "Ready", "status": "True", "message": "served"}]},
        });
        assert_eq!(
            zone(&value, Width::ALL),
            "Name:     acme\nPartner:  Ada\nPhone:    +1 555 0100\nPhase:    READY\n\
             Labels:   domain=sales, tier=1\nReady:    True (served)\n\n\
             ALIAS   TOPIC      PERMISSION  TAGS  DESCRIPTION\n\
             orders  eu.orders  READ        a, b  All.\n"
        );
    }
}
