//! What differs between two forms of one zone. Pure, and by meaning: the order of labels, tags or topics, quoting and
//! written-out defaults are no difference.
//!
//! One order means something: of two aliases of one backing topic, the first stands for it in a consumer group. When
//! two such aliases change places, the zone itself is updated, and shows them in their order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::plan::{Action, Form};
use crate::manifest::document::to_document;
use crate::zone::{PartnerZone, TopicName};

/// One difference. `alias` is `None` where it concerns the zone itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    pub alias: Option<TopicName>,
    pub action: Action,
    pub before: Option<Form>,
    pub after: Option<Form>,
}

/// The differences from `before` to `after`: the zone's own first, then its topics by alias.
pub(super) fn diff(before: Option<&PartnerZone>, after: Option<&PartnerZone>) -> Vec<Difference> {
    // Nearly all zones of nearly all runs, and far cheaper to see here than in the written forms.
    let is_one = before.zip(after).is_some_and(|(before, after)| std::ptr::eq(before, after));
    if is_one || before == after {
        return Vec::new();
    }
    let (mut old, mut new) = (Document::of(before), Document::of(after));
    if let (Some(before), Some(after)) = (before, after) {
        let (was, is) = (standing(before, after), standing(after, before));
        if was != is {
            old.show_order(&was);
            new.show_order(&is);
        }
    }
    let mut differences = Vec::new();
    let mut push = |alias: Option<TopicName>, before: Option<Value>, after: Option<Value>| {
        let action = match (&before, &after) {
            (None, Some(_)) => Action::Create,
            (Some(_), None) => Action::Delete,
            (Some(before), Some(after)) if before.get("name") != after.get("name") => Action::Move,
            (before, after) if before != after => Action::Update,
            _ => return,
        };
        let (before, after) = (before.map(Form::from), after.map(Form::from));
        differences.push(Difference { alias, action, before, after });
    };
    push(None, old.zone, new.zone);
    let mut topics: Vec<(TopicName, Option<Value>, Option<Value>)> = Vec::new();
    for (from, to) in moves(&old.topics, &new.topics) {
        topics.push((to.clone(), old.topics.remove(&from), new.topics.remove(&to)));
    }
    let aliases: BTreeSet<TopicName> = old.topics.keys().chain(new.topics.keys()).cloned().collect();
    for alias in aliases {
        let (before, after) = (old.topics.remove(&alias), new.topics.remove(&alias));
        topics.push((alias, before, after));
    }
    topics.sort_by(|a, b| a.0.cmp(&b.0));
    for (alias, before, after) in topics {
        push(Some(alias), before, after);
    }
    differences
}

/// A zone in manifest spelling, its topics apart.
#[derive(Default)]
struct Document {
    zone: Option<Value>,
    topics: BTreeMap<TopicName, Value>,
}

impl Document {
    fn of(zone: Option<&PartnerZone>) -> Self {
        let Some(zone) = zone else { return Self::default() };
        let zone = canonical(zone);
        let mut document = to_document(&zone);
        let topics =
            document.get_mut("spec").and_then(Value::as_object_mut).and_then(|spec| spec.remove("topics"));
        let topics = match topics {
            Some(Value::Array(topics)) => topics,
            _ => Vec::new(),
        };
        let topics = zone.topics.iter().map(|topic| topic.alias.clone()).zip(topics).collect();
        Self { zone: Some(document), topics }
    }

    /// Puts the aliases whose order matters into the zone's own form, by name alone.
    fn show_order(&mut self, aliases: &[&TopicName]) {
        let names = aliases.iter().map(|alias| json!({ "name": alias.as_str() })).collect();
        if let Some(spec) =
            self.zone.as_mut().and_then(|zone| zone.get_mut("spec")).and_then(Value::as_object_mut)
        {
            spec.insert("topics".to_owned(), Value::Array(names));
        }
    }
}

/// With everything in order whose order means nothing.
fn canonical(zone: &PartnerZone) -> PartnerZone {
    let mut zone = zone.clone();
    for topic in &mut zone.topics {
        topic.tags.sort();
        if let Some(schemas) = &mut topic.schemas {
            schemas.sort();
        }
    }
    zone.access.allowed_cidrs.sort();
    zone.headers.remove_on_consume.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    zone.consumer_groups.sort_by(|a, b| a.name.cmp(&b.name));
    zone
}

/// The zone without its name, in one form, to find it again under another.
pub(super) fn nameless(zone: &PartnerZone) -> String {
    let mut document = to_document(&canonical(zone));
    if let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("name");
    }
    document.to_string()
}

/// The aliases of `zone` that share a backing topic there and in `other`, grouped by it, each group in manifest order.
fn standing<'a>(zone: &'a PartnerZone, other: &PartnerZone) -> Vec<&'a TopicName> {
    let mut groups: BTreeMap<&TopicName, Vec<&TopicName>> = BTreeMap::new();
    for topic in &zone.topics {
        if other.topics.iter().any(|it| it.alias == topic.alias && it.backing == topic.backing) {
            groups.entry(&topic.backing).or_default().push(&topic.alias);
        }
    }
    groups.into_values().filter(|aliases| aliases.len() > 1).flatten().collect()
}

/// Aliases that only got another name: everything else about the topic is the same. Pairs go by name, so that one name
/// is never taken twice.
fn moves(old: &BTreeMap<TopicName, Value>, new: &BTreeMap<TopicName, Value>) -> Vec<(TopicName, TopicName)> {
    let content = |topic: &Value| {
        let mut topic: Map<String, Value> = topic.as_object().cloned().unwrap_or_default();
        topic.remove("name");
        Value::Object(topic).to_string()
    };
    let mut gone: BTreeMap<String, Vec<&TopicName>> = BTreeMap::new();
    for (alias, topic) in old.iter().rev().filter(|(alias, _)| !new.contains_key(*alias)) {
        gone.entry(content(topic)).or_default().push(alias);
    }
    new.iter()
        .filter(|(alias, _)| !old.contains_key(*alias))
        .filter_map(|(alias, topic)| Some((gone.get_mut(&content(topic))?.pop()?.clone(), alias.clone())))
        .collect()
}
