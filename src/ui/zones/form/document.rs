//! A draft and a zone's document: one becomes the other and back. What the form does not show stays as it is in the document, and what
//! somebody has left as it was is not written anew.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::draft::{Added, Draft, Topic};
use super::fields::{AUTHENTICATION, FIELDS, Kind, one_line};

/// Objects that are not there unless something is in them.
const MAY_GO: [&str; 5] =
    ["/metadata/labels", "/spec/partner", "/spec/trafficControlPolicies", "/spec/access", "/spec/headers"];

/// A zone before anything is said of it.
pub(super) fn blank() -> Value {
    json!({ "apiVersion": "v2", "kind": "PartnerZone", "metadata": {}, "spec": { "topics": [] } })
}

/// What of an answer is the zone as it is written.
pub(super) fn written(mut answer: Value) -> Value {
    if let Value::Object(members) = &mut answer {
        members.remove("status");
    }
    answer
}

impl Draft {
    /// The form for a zone as it is.
    pub(super) fn of(document: &Value) -> Self {
        let mut draft = Self::default();
        for (place, kind) in FIELDS {
            draft.set(place, &shown(document, (place, kind)));
        }
        draft.topics = entries(document, "/spec/topics").iter().map(topic).collect();
        draft.added = entries(document, "/spec/headers/addOnProduce").iter().map(added).collect();
        draft.removed = entries(document, "/spec/headers/removeOnConsume").iter().map(pattern).collect();
        draft
    }

    /// The document with what is filled in.
    pub(super) fn onto(&self, mut document: Value) -> Value {
        for (place, kind) in FIELDS {
            let text = self.text(place);
            let is_kept = text == shown(&document, (place, kind));
            if is_kept && !(text.is_empty() && kind == Kind::Needed) {
                continue;
            }
            if text.is_empty() && kind != Kind::Needed {
                remove(&mut document, &pointer(place));
            } else {
                put(&mut document, &pointer(place), kind.value(text));
            }
        }
        self.keep_to_the_kind_of_authentication(&mut document);
        let topics = self.topics_onto(entries(&document, "/spec/topics"));
        put(&mut document, "/spec/topics", topics);
        self.headers_onto(&mut document);
        settle(&mut document);
        document
    }

    /// What belongs to another kind of authentication would be refused, and whoever changed the kind does not see it any more.
    fn keep_to_the_kind_of_authentication(&self, document: &mut Value) {
        let kind = self.text(AUTHENTICATION);
        let others: &[&str] = match kind {
            "OAUTHBEARER" => &["ca", "revoked"],
            "MTLS" => &["issuer"],
            _ => &["ca", "revoked", "issuer"],
        };
        for member in others {
            remove(document, &format!("/spec/authenticationMode/{member}"));
        }
    }

    fn topics_onto(&self, before: &[Value]) -> Value {
        // Of several of a name, which no zone in force has, the first.
        let before: HashMap<_, _> = before.iter().rev().map(|it| (text(it, "name"), it)).collect();
        let as_it_was = |topic: &Topic| {
            let was = before.get(topic.was.as_str()).filter(|_| !topic.was.is_empty());
            was.and_then(|was| was.as_object()).cloned().unwrap_or_default()
        };
        let written = |topic: &Topic| {
            let mut members = as_it_was(topic);
            members.insert("name".to_owned(), topic.alias.as_str().into());
            members.insert("backingTopic".to_owned(), topic.backing.as_str().into());
            members.insert("permission".to_owned(), topic.permission.as_str().into());
            Value::Object(members)
        };
        self.topics.iter().map(written).collect()
    }

    fn headers_onto(&self, document: &mut Value) {
        let before = entries(document, "/spec/headers/addOnProduce").to_vec();
        let written = |header: &Added| {
            // A line end is in no field of one line; what came without one goes back with it.
            let was = before.iter().find(|it| added(it) == *header);
            was.cloned().unwrap_or_else(|| {
                json!({ "key": header.key, "value": header.value, "overrideIfExists": header.replaces == "true" })
            })
        };
        let added: Vec<_> = self.added.iter().map(written).collect();
        let before = entries(document, "/spec/headers/removeOnConsume").to_vec();
        let written = |shown: &String| {
            let was = before.iter().find(|it| pattern(it) == *shown);
            was.cloned().unwrap_or_else(|| json!({ "keyRegex": shown }))
        };
        let removed: Vec<_> = self.removed.iter().map(written).collect();
        for (place, list) in [("addOnProduce", added), ("removeOnConsume", removed)] {
            let place = format!("/spec/headers/{place}");
            if list.is_empty() { remove(document, &place) } else { put(document, &place, list.into()) }
        }
    }

    /// Aliases of the zone as it is that are not there any more.
    pub(super) fn lost<'d>(&self, document: &'d Value) -> Vec<&'d str> {
        let before = entries(document, "/spec/topics").iter().map(|topic| text(topic, "name"));
        let aliases: HashSet<_> = self.topics.iter().map(|topic| topic.alias.as_str()).collect();
        before.filter(|alias| !aliases.contains(alias)).collect()
    }
}

/// What is empty goes, and a contact without a name has an empty one, so that it is asked for.
fn settle(document: &mut Value) {
    for place in MAY_GO {
        let members = document.pointer(place).and_then(Value::as_object);
        if members.is_some_and(Map::is_empty) {
            remove(document, place);
        }
    }
    if let Some(Value::Object(partner)) = document.pointer_mut("/spec/partner") {
        partner.entry("name").or_insert_with(|| "".into());
    }
}

fn topic(entry: &Value) -> Topic {
    let member = |name| text(entry, name).to_owned();
    let (alias, backing, permission) = (member("name"), member("backingTopic"), member("permission"));
    Topic { was: alias.clone(), alias, backing, permission }
}

fn added(entry: &Value) -> Added {
    let replaces = entry.get("overrideIfExists").and_then(Value::as_bool).unwrap_or_default();
    Added {
        key: one_line(text(entry, "key")),
        value: one_line(text(entry, "value")),
        replaces: replaces.to_string(),
    }
}

fn pattern(entry: &Value) -> String {
    Kind::Line.clean(text(entry, "keyRegex"))
}

fn text<'v>(entry: &'v Value, member: &str) -> &'v str {
    entry.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn entries<'v>(document: &'v Value, pointer: &str) -> &'v [Value] {
    document.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn shown(document: &Value, (place, kind): (&str, Kind)) -> String {
    document.pointer(&pointer(place)).map(|value| kind.shown(value)).unwrap_or_default()
}

/// Of a place without lists on the way.
fn pointer(place: &str) -> String {
    format!("/{}", place.replace('.', "/"))
}

/// Objects on the way are made where they are missing.
fn put(document: &mut Value, pointer: &str, value: Value) {
    let mut at = document;
    for name in pointer.split('/').skip(1) {
        let Value::Object(members) = at else { return };
        at = members.entry(name).or_insert_with(|| json!({}));
    }
    *at = value;
}

fn remove(document: &mut Value, pointer: &str) {
    if let Some((parent, name)) = pointer.rsplit_once('/')
        && let Some(Value::Object(members)) = document.pointer_mut(parent)
    {
        members.remove(name);
    }
}
