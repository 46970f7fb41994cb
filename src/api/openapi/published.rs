//! The schemas that are published beside the document, as its components: those of a zone's written form and of a plan.

use serde_json::{Map, Value, json};

use crate::manifest::schema::schema;

/// As `schema/plan.json` has it.
const PLAN: &str = include_str!("../../../schema/plan.json");

/// Of the commit that is to be: a write is planned before there is one.
const OF_A_COMMIT: [&str; 4] = ["digest", "tree", "revision", "inForce"];

/// They and what they are made of, by name.
pub(super) fn schemas() -> Map<String, Value> {
    let mut all = Map::new();
    let plan = serde_json::from_str(PLAN).unwrap_or_default();
    for (name, begin, schema) in [("PartnerZone", "Zone", schema()), ("Plan", "Plan", plan)] {
        add(&mut all, name, begin, schema);
    }
    let mut of_write = all.get("Plan").cloned().unwrap_or_default();
    if let Some(Value::Object(members)) = of_write.get_mut("properties") {
        members.retain(|name, _| !OF_A_COMMIT.contains(&name.as_str()));
    }
    if let Value::Object(plan) = &mut of_write {
        plan.insert("required".to_owned(), json!(["changes"]));
        plan.insert("description".to_owned(), OF_WRITE.into());
    }
    all.insert("PlanOfWrite".to_owned(), of_write);
    all
}

const OF_WRITE: &str = "What the write comes to. Whoever does not see all zones is shown the changes alone.";

/// A zone as it may be sent.
pub(super) fn example() -> Value {
    json!({
        "apiVersion": "v2",
        "kind": "PartnerZone",
        "metadata": {"name": "acme-logistics"},
        "spec": {
            "cluster": "gateway",
            "displayName": "Acme Logistics",
            "authenticationMode": {"type": "SCRAM", "serviceAccount": "acme-logistics"},
            "topics": [{"name": "orders", "backingTopic": "sales.orders", "permission": "READ"}],
        },
    })
}

/// Adds a schema of its own, with `begin` before the names of its parts.
fn add(all: &mut Map<String, Value>, name: &str, begin: &str, schema: Value) {
    let Value::Object(mut schema) = schema else { return };
    schema.retain(|member, _| !["$schema", "title"].contains(&member.as_str()));
    let parts = schema.remove("definitions");
    all.insert(name.to_owned(), moved(schema.into(), begin));
    for (part, schema) in parts.as_ref().and_then(Value::as_object).into_iter().flatten() {
        all.insert(named(begin, part), moved(schema.clone(), begin));
    }
}

fn named(begin: &str, part: &str) -> String {
    let mut letters = part.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    begin.chars().chain(first).chain(letters).collect()
}

/// With references to where the parts are now.
fn moved(schema: Value, begin: &str) -> Value {
    match schema {
        Value::Object(members) => {
            let member = |(name, value): (String, Value)| match value.as_str() {
                Some(to) if name == "$ref" => {
                    let part = named(begin, to.trim_start_matches("#/definitions/"));
                    (name, format!("#/components/schemas/{part}").into())
                }
                _ => (name, moved(value, begin)),
            };
            Value::Object(members.into_iter().map(member).collect())
        }
        Value::Array(items) => items.into_iter().map(|item| moved(item, begin)).collect(),
        plain => plain,
    }
}
