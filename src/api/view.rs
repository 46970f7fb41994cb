//! What is left of a zone's document and status for those who do not see all of it. Each list says what is shown: what is added to
//! a zone or to its status stays hidden from them until it is listed here.

use serde_json::{Map, Value, json};

use super::access::Sight;

/// Whoever may write the zone has its whole document, and of its status what concerns it and nobody else.
pub(super) const OF_WHOLE: &[&str] = &[
    "/apiVersion",
    "/kind",
    "/metadata",
    "/spec",
    "/status/id",
    "/status/phase",
    "/status/applied",
    "/status/revision",
    "/status/updatedAt",
    "/status/bootstrapServers",
    "/status/securityProtocol",
    "/status/tokens",
    "/status/usage",
    "/status/etag",
];

/// Who reads, and how the zone stands. Texts about the whole zone are not among it: they may speak of the other topics.
pub(super) const OF_PART: &[&str] = &[
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/spec/underlyingCluster",
    "/spec/displayName",
    "/spec/url",
    "/spec/partner",
    "/status/id",
    "/status/phase",
    "/status/updatedAt",
    "/status/usage",
];

/// What is the partner's own, and what it needs to connect.
pub(super) const OF_PARTNER: &[&str] = &[
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/spec/displayName",
    "/spec/url",
    "/spec/partner",
    "/spec/organization",
    "/spec/authenticationMode/type",
    "/spec/authenticationMode/serviceAccount",
    "/spec/trafficControlPolicies",
    "/spec/access",
    "/status/phase",
    "/status/updatedAt",
    "/status/bootstrapServers",
    "/status/securityProtocol",
    "/status/tokens",
    "/status/usage",
];

/// Of a topic, for the partner. Schemas are not among it: subjects are named after backing topics.
pub(super) const TOPIC_OF_PARTNER: &[&str] =
    &["/name", "/permission", "/description", "/tags", "/deprecated", "/replay"];

/// Of a condition: its message was written for operators.
const CONDITION: &[&str] = &["/type", "/status", "/reason", "/lastTransitionTime"];

/// Reasons of the condition Ready that say nothing of how the service is made, and whose messages are of this zone alone.
const PUBLIC: [&str; 3] = ["Served", "Ended", "NotOpenYet"];

const UNDER_WAY: &str = "its last change is not served everywhere yet";
const FAILED: &str = "it is not as its file asks; whoever runs this service sees why";

/// A zone as [`super::zones`] shows it, as far as it is seen.
pub(super) fn zone(full: Value, sight: &Sight<'_>) -> Value {
    let list = |pointer: &str| full.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let (mut seen, topics) = match sight {
        Sight::All => return full,
        Sight::Whole => (only(&full, OF_WHOLE), None),
        Sight::Part(aliases) => {
            let shared = list("/spec/topics");
            let topics: Vec<_> =
                shared.iter().filter_map(|topic| part(topic, |it| aliases.contains(it))).collect();
            let mut seen = only(&full, OF_PART);
            put(&mut seen, "/status/otherTopics", shared.len().saturating_sub(topics.len()).into());
            (seen, Some(topics))
        }
        Sight::Partner => {
            let mut seen = only(&full, OF_PARTNER);
            let groups = list("/spec/consumerGroups");
            if !groups.is_empty() {
                let names = groups.iter().map(|group| only(group, &["/name"])).collect();
                put(&mut seen, "/spec/consumerGroups", names);
            }
            (seen, Some(list("/spec/topics").iter().map(|topic| only(topic, TOPIC_OF_PARTNER)).collect()))
        }
    };
    if let Some(topics) = topics {
        put(&mut seen, "/spec/topics", topics.into());
    }
    let failed = full.pointer("/status/phase").is_some_and(|phase| phase == "FAILED");
    put(&mut seen, "/status/failedReason", if failed { FAILED.into() } else { Value::Null });
    let conditions = list("/status/conditions").iter();
    // A partner is told whether its zone is ready, and no more.
    let others = |it: &Value| (*sight != Sight::Partner).then(|| only(it, CONDITION));
    let conditions =
        conditions.filter_map(|it| if is_ready(it) { Some(ready(it, failed)) } else { others(it) });
    put(&mut seen, "/status/conditions", conditions.collect());
    seen
}

/// A topic that is seen. The alias that takes its place may be one that is not.
fn part<'t>(topic: &'t Value, is_seen: impl Fn(&'t str) -> bool) -> Option<Value> {
    let alias = |pointer: &str| topic.pointer(pointer).and_then(Value::as_str);
    is_seen(alias("/name")?).then_some(())?;
    let mut shown = topic.clone();
    if alias("/deprecated/replacedBy").is_some_and(|successor| !is_seen(successor))
        && let Some(Value::Object(deprecated)) = shown.pointer_mut("/deprecated")
    {
        deprecated.remove("replacedBy");
    }
    Some(shown)
}

fn is_ready(condition: &Value) -> bool {
    condition.get("type").is_some_and(|kind| kind == "Ready")
}

/// Whether the zone is ready, without what was written for operators.
fn ready(condition: &Value, failed: bool) -> Value {
    let is_public = |reason: &Value| PUBLIC.iter().any(|public| reason == public);
    let mut shown = only(condition, CONDITION);
    if condition.get("reason").is_some_and(is_public) {
        put(&mut shown, "/message", condition.get("message").cloned().unwrap_or_default());
    } else {
        put(&mut shown, "/reason", if failed { "NotServed" } else { "Distributing" }.into());
        put(&mut shown, "/message", if failed { FAILED } else { UNDER_WAY }.into());
    }
    shown
}

/// What there is at these places, and nothing else.
fn only(from: &Value, places: &[&str]) -> Value {
    let mut left = Value::Object(Map::new());
    for place in places {
        if let Some(value) = from.pointer(place) {
            put(&mut left, place, value.clone());
        }
    }
    left
}

/// Puts a value at a place below objects, which are made where they are missing.
fn put(into: &mut Value, place: &str, value: Value) {
    let mut at = into;
    for name in place.split('/').skip(1) {
        let Value::Object(members) = at else { return };
        at = members.entry(name).or_insert_with(|| json!({}));
    }
    *at = value;
}
