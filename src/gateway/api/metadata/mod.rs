//! Metadata (3): brokers at their advertised addresses, and the zone's topics under their aliases.

mod response;
mod shapes;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use uuid::Uuid;

use self::response::Mapping;
pub(super) use self::shapes::{REQUEST, RESPONSE, VERSIONS};
use super::names::{self, Key, authorise};
use super::operations::{NO_OPERATIONS, NOT_ASKED};
use super::{Exchange, Outcome, Refusal, body};
use crate::gateway::memory::Memory;
use crate::policy::{Topic, ZoneView};
use crate::zone::{Operation, TopicName};

/// The first version in which an empty list is no topic; before, it is every topic.
const EMPTY_IS_NONE: i16 = 1;
/// The first version that can say not to create topics.
const WITHOUT_CREATION: i16 = 4;
/// The first version in which a topic can be asked for by id (the field is there since 10, but brokers refuse it).
const BY_ID: i16 = 12;

/// What the response is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    /// Every alias whose topic exists.
    All,
    /// These aliases, once each, in the order they were asked for.
    Asked(Vec<Topic>),
}

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let view = exchange.view;
    let mut request: MetadataRequest = body::request(&REQUEST, version, body)?;
    let topics = request.topics.take().filter(|topics| version >= EMPTY_IS_NONE || !topics.is_empty());
    let (scope, local) = match topics {
        None => (Scope::All, Vec::new()),
        Some(topics) => asked(version, view, topics),
    };
    if let Scope::Asked(topics) = &scope {
        Memory::lock(exchange.memory).note(topics.iter().map(|topic| &topic.alias));
    }
    let operations = if request.include_cluster_authorized_operations { NO_OPERATIONS } else { NOT_ASKED };
    let mapping = Mapping {
        version,
        view: Arc::clone(view),
        brokers: Arc::clone(exchange.brokers),
        cluster_operations: operations,
        topic_operations: request.include_topic_authorized_operations,
        scope,
        local,
    };
    let wanted: BTreeSet<&TopicName> = match &mapping.scope {
        Scope::All => {
            view.topics().iter().filter(|topic| may_ask(version, topic)).map(|t| &t.backing).collect()
        }
        Scope::Asked(topics) => topics.iter().map(|topic| &topic.backing).collect(),
    };
    if wanted.is_empty() && version < EMPTY_IS_NONE {
        // The broker would answer with every topic it has.
        return body::answer(&mapping.without_broker(), version);
    }
    // Never null, which is every topic of the cluster.
    let name = |backing| MetadataRequestTopic::default().with_name(Some(names::wire(backing)));
    request.topics = Some(wanted.into_iter().map(name).collect());
    if version >= WITHOUT_CREATION {
        request.allow_auto_topic_creation = false;
    }
    request.include_cluster_authorized_operations = false;
    request.include_topic_authorized_operations = false;
    body::forward(&request, &RESPONSE, version, move |response: &mut MetadataResponse| mapping.map(response))
}

/// Sorts what was asked for into topics that the broker is asked about and answers that are given here.
fn asked(
    version: i16,
    view: &ZoneView,
    topics: Vec<MetadataRequestTopic>,
) -> (Scope, Vec<MetadataResponseTopic>) {
    let mut seen = HashSet::new();
    let mut aliases = HashSet::new();
    let mut known = Vec::new();
    let mut local = Vec::new();
    for topic in topics {
        if !seen.insert((topic.name.clone(), topic.topic_id)) {
            continue;
        }
        match find(version, view, &topic) {
            Ok(found) if aliases.insert(&found.alias) => known.push(found.clone()),
            // By name and by id.
            Ok(_) => {}
            Err(error) => local.push(refuse(version, topic, error)),
        }
    }
    (Scope::Asked(known), local)
}

fn find<'v>(
    version: i16,
    view: &'v ZoneView,
    asked: &MetadataRequestTopic,
) -> Result<&'v Topic, ResponseError> {
    let key = match &asked.name {
        _ if is_by_id(version, asked) => Key::Id(asked.topic_id),
        Some(_) if !asked.topic_id.is_nil() => return Err(ResponseError::InvalidRequest),
        Some(name) => Key::Name(name),
        None if version < BY_ID => return Err(ResponseError::InvalidRequest),
        None => Key::Id(asked.topic_id),
    };
    let topic = authorise(view, key, Operation::Describe)?;
    if may_ask(version, topic) { Ok(topic) } else { Err(ResponseError::UnknownTopicOrPartition) }
}

/// An id counts before a name, as for a broker: Java asks for ids with an empty name beside each.
fn is_by_id(version: i16, asked: &MetadataRequestTopic) -> bool {
    version >= BY_ID && !asked.topic_id.is_nil()
}

/// Asking an old broker about a topic that does not exist may create it.
fn may_ask(version: i16, topic: &Topic) -> bool {
    version >= WITHOUT_CREATION || topic.ids.is_some()
}

fn refuse(version: i16, asked: MetadataRequestTopic, error: ResponseError) -> MetadataResponseTopic {
    let nameless = if version < BY_ID { Some(names::empty()) } else { None };
    // A topic that was asked for by name has no id as long as it is refused.
    let by_id = is_by_id(version, &asked);
    MetadataResponseTopic::default()
        .with_error_code(error.code())
        .with_topic_id(if by_id { asked.topic_id } else { Uuid::nil() })
        // A broker answers an unknown id with no name; Java, which asked with an empty one, then gets no metadata any more.
        .with_name(
            asked
                .name
                .filter(|name| !by_id || name.is_empty())
                .map(|name| names::detached(&name))
                .or(nameless),
        )
}
