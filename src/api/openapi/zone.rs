//! A zone as it is shown: its written form and its status, as far as somebody sees it. What others than operators see is made of the
//! lists by which [`crate::api::view`] shows it to them.
#![allow(dead_code)] // reason: nobody makes one; answers are held against them

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::forms::{Condition, ConditionInPart, Seen};
use super::usage::UsageOfMonth;
use super::words::{Id, PhaseName, RevisionName, SecurityProtocol, Time};
use crate::api::view::{OF_PART, OF_PARTNER, OF_WHOLE, TOPIC_OF_PARTNER};

/// How a zone stands.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ZoneStatus {
    id: Id,
    phase: PhaseName,
    /// Null if it has not failed.
    failed_reason: Option<String>,
    conditions: Vec<Condition>,
    observed: Option<Seen>,
    attempted: Option<Seen>,
    /// The revision that brought the form in force.
    applied: Seen,
    plan_digest: Option<String>,
    revision: RevisionName,
    updated_at: Time,
    /// Where partners connect to; null while no gateway lives.
    bootstrap_servers: Option<String>,
    security_protocol: Option<SecurityProtocol>,
    tokens: Option<Tokens>,
    /// Null where it was not asked for, or not read yet.
    usage: Option<UsageOfMonth>,
    /// Of the written form: what `If-Match` takes.
    etag: String,
}

/// What the tokens have to be that open a zone.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    issuer: String,
    audiences: Vec<String>,
    subject_claim: String,
    scopes: Vec<String>,
}

/// What [`add_views`] needs that no answer refers to by itself.
pub(super) fn refer(generator: &mut SchemaGenerator) {
    generator.subschema_for::<ZoneStatus>();
    generator.subschema_for::<ConditionInPart>();
}

/// The forms of a zone for each way to see it, and that of one which was written a moment ago.
pub(super) fn add_views(all: &mut Map<String, Value>) {
    let manifest = all.get("PartnerZone").cloned().unwrap_or_default();
    let mut full = with(manifest.clone(), &["status"], to("ZoneStatus"));
    if let Some(Value::Array(required)) = full.get_mut("required") {
        required.push("status".into());
    }
    let topic = all.get("ZoneTopic").cloned().unwrap_or_default();
    let of_partner = only(all, &full, &[OF_PARTNER, &ALWAYS].concat());
    let in_part = only(all, &full, &[OF_PART, &ALWAYS].concat());
    let of_owner = only(all, &full, &[OF_WHOLE, &ALWAYS].concat());
    let topics = ["spec", "topics"];
    let groups = ["spec", "consumerGroups"];
    let group = all.get("ZoneConsumerGroup").cloned().unwrap_or_default();
    let of_partner = with(of_partner, &topics, list(&only(all, &topic, TOPIC_OF_PARTNER)));
    let of_partner = with(of_partner, &groups, list(&only(all, &group, &["/name"])));
    let in_part = with(in_part, &topics, list(&to("ZoneTopic")));
    let in_part = with(in_part, &["status", "otherTopics"], json!({"type": "integer", "minimum": 0}));
    let written = with(
        manifest,
        &["status"],
        json!({
            "type": "object",
            "required": ["phase", "wanted"],
            "properties": {"phase": {"const": "PENDING"}, "wanted": {"type": "string"}},
        }),
    );
    for (name, about, form) in [
        ("ZoneInFull", "A zone as those see it who run the service.", full),
        (
            "ZoneOfOwner",
            "A zone as an owner sees it all of whose topics are theirs.",
            conditions_in_part(of_owner),
        ),
        (
            "ZoneInPart",
            "A zone as an owner sees it some of whose topics are theirs: those.",
            conditions_in_part(in_part),
        ),
        ("ZoneOfPartner", "A zone as its partner sees it.", conditions_in_part(of_partner)),
        ("ZoneWritten", "A zone that was written, or would be, and that no node knows yet.", written),
    ] {
        let Value::Object(mut form) = form else { continue };
        form.insert("description".to_owned(), about.into());
        form.remove("title");
        all.insert(name.to_owned(), form.into());
    }
}

/// What everybody is told, in words that depend on who it is.
const ALWAYS: [&str; 2] = ["/status/failedReason", "/status/conditions"];

fn conditions_in_part(form: Value) -> Value {
    with(form, &["status", "conditions"], list(&to("ConditionInPart")))
}

fn to(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn list(of: &Value) -> Value {
    json!({"type": "array", "items": of})
}

/// The form that one refers to, or that form itself.
fn meant<'a>(all: &'a Map<String, Value>, form: &'a Value) -> &'a Value {
    let inner = form.pointer("/allOf/0").unwrap_or(form);
    let name = inner.get("$ref").and_then(Value::as_str).and_then(|to| to.rsplit('/').next());
    name.and_then(|name| all.get(name)).unwrap_or(form)
}

/// What is left of an object's form if only what is at these places is shown.
fn only(all: &Map<String, Value>, form: &Value, places: &[&str]) -> Value {
    let whole = meant(all, form);
    let (mut members, mut required) = (Map::new(), Vec::new());
    let names = whole.get("required").and_then(Value::as_array);
    let is_required = |name: &str| names.is_some_and(|names| names.iter().any(|it| it == name));
    for (name, member) in whole.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let below: Vec<&str> =
            places.iter().filter_map(|place| place.strip_prefix('/')?.strip_prefix(name.as_str())).collect();
        let deeper: Vec<&str> = below.iter().copied().filter(|rest| rest.starts_with('/')).collect();
        if below.contains(&"") {
            members.insert(name.clone(), member.clone());
        } else if deeper.is_empty() {
            continue;
        } else {
            members.insert(name.clone(), only(all, member, &deeper));
        }
        if is_required(name) {
            required.push(Value::from(name.as_str()));
        }
    }
    json!({"type": "object", "properties": members, "required": required})
}

/// An object's form with another form of the member at this place.
fn with(form: Value, place: &[&str], member: Value) -> Value {
    let Some((name, rest)) = place.split_first() else { return member };
    let Value::Object(mut form) = form else { return form };
    if let Some(Value::Object(members)) = form.get_mut("properties") {
        let inner = members.remove(*name).unwrap_or_default();
        members.insert((*name).to_owned(), with(inner, rest, member));
    }
    form.into()
}
