//! DescribeConfigs (32): how the zone's topics are kept. Brokers, loggers, client metrics and groups are refused.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::config_resource::{self, TOPIC};
use super::names::{Key, authorise};
use super::{Exchange, Outcome, Refusal, body};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::zone::{Operation, TopicName};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(1, 4);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 32,
    name: "DescribeConfigsRequest",
    versions: VERSIONS,
    flexible_since: 4,
    fields: &[
        F::new("resources", T::Array(&T::Struct(&[
            F::new("resourceType", T::Int8),
            F::new("resourceName", T::String),
            F::new("configurationKeys", T::Array(&T::String)).nullable_since(1),
        ]))),
        F::new("includeSynonyms", T::Bool),
        F::new("includeDocumentation", T::Bool).since(3),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 32,
    name: "DescribeConfigsResponse",
    versions: VERSIONS,
    flexible_since: 4,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("results", T::Array(&T::Struct(&[
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).nullable_since(1).entity(Entity::ErrorMessage),
            F::new("resourceType", T::Int8),
            F::new("resourceName", T::String),
            F::new("configs", T::Array(&T::Struct(&[
                F::new("name", T::String),
                F::new("value", T::String).nullable_since(1),
                F::new("readOnly", T::Bool),
                F::new("configSource", T::Int8),
                F::new("isSensitive", T::Bool),
                F::new("synonyms", T::Array(&T::Struct(&[
                    F::new("name", T::String),
                    F::new("value", T::String).nullable_since(1),
                    F::new("source", T::Int8),
                ]))),
                F::new("configType", T::Int8).since(3),
                F::new("documentation", T::String).since(3).nullable_since(3),
            ]))),
        ]))),
    ],
};

/// The settings of a topic that a partner may see, sorted. A closed list: `*.replication.throttled.replicas` names brokers,
/// and what vendors and later versions add may name anything.
const SHOWN: [&str; 30] = [
    "cleanup.policy",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "index.interval.bytes",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "message.downconversion.enable",
    "message.format.version",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.difference.max.ms",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "preallocate",
    "remote.storage.enable",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.ms",
    "unclean.leader.election.enable",
];

/// Settings by name, or all of them.
type Keys = Option<BTreeSet<String>>;

/// A topic as it was asked for.
struct Asked {
    backing: TopicName,
    keys: Keys,
}

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: DescribeConfigsRequest = body::request(&REQUEST, version, body)?;
    // Each alias is answered once, however often it is asked for: an answer is much longer than its question.
    let mut asked: BTreeMap<String, Asked> = BTreeMap::new();
    let mut refused = Vec::new();
    for resource in request.resources {
        match admit(exchange, &resource) {
            Ok(backing) => {
                let keys = keys(&resource);
                asked
                    .entry(resource.resource_name.to_string())
                    .and_modify(|known| unite(&mut known.keys, &keys))
                    .or_insert(Asked { backing, keys });
            }
            Err(error) => refused.push(refuse(&resource, error)),
        }
    }
    if asked.is_empty() {
        return body::answer(&DescribeConfigsResponse::default().with_results(refused), version);
    }
    request.resources = wanted(&asked);
    body::forward(&request, &RESPONSE, version, move |response: &mut DescribeConfigsResponse| {
        let results = std::mem::take(&mut response.results);
        let told: HashMap<String, DescribeConfigsResult> = results
            .into_iter()
            .filter(|result| result.resource_type == TOPIC)
            .map(|result| (result.resource_name.to_string(), result))
            .collect();
        let shown = asked.iter().filter_map(|(alias, topic)| {
            Some(show(alias, topic.keys.as_ref(), told.get(topic.backing.as_str())?.clone()))
        });
        response.results = shown.chain(refused).collect();
    })
}

fn admit(exchange: &Exchange<'_>, resource: &DescribeConfigsResource) -> Result<TopicName, ResponseError> {
    if resource.resource_type != TOPIC {
        return Err(config_resource::forbidden(resource.resource_type));
    }
    let topic = authorise(exchange.view, Key::Name(&resource.resource_name), Operation::Describe)?;
    Ok(topic.backing.clone())
}

/// An empty list asks for everything, as for a broker.
fn keys(resource: &DescribeConfigsResource) -> Keys {
    let keys = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty())?;
    Some(keys.iter().map(ToString::to_string).collect())
}

fn unite(keys: &mut Keys, more: &Keys) {
    match (keys.as_mut(), more) {
        (Some(keys), Some(more)) => keys.extend(more.iter().cloned()),
        _ => *keys = None,
    }
}

/// Each backing topic once, with everything that is asked for under any of its aliases.
fn wanted(asked: &BTreeMap<String, Asked>) -> Vec<DescribeConfigsResource> {
    let mut wanted: BTreeMap<&TopicName, Keys> = BTreeMap::new();
    for Asked { backing, keys } in asked.values() {
        wanted.entry(backing).and_modify(|known| unite(known, keys)).or_insert_with(|| keys.clone());
    }
    let resource = |(backing, keys): (&TopicName, Keys)| {
        let keys = keys.map(|keys| keys.into_iter().map(StrBytes::from_string).collect());
        DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(StrBytes::from_string(backing.as_str().to_owned()))
            .with_configuration_keys(keys)
    };
    wanted.into_iter().map(resource).collect()
}

fn show(alias: &str, keys: Option<&BTreeSet<String>>, told: DescribeConfigsResult) -> DescribeConfigsResult {
    let mut shown = told.with_resource_name(StrBytes::from_string(alias.to_owned())).with_error_message(None);
    shown.configs.retain(|config| {
        !config.is_sensitive
            && SHOWN.binary_search(&config.name.as_str()).is_ok()
            && keys.is_none_or(|keys| keys.contains(config.name.as_str()))
    });
    shown
}

fn refuse(resource: &DescribeConfigsResource, error: ResponseError) -> DescribeConfigsResult {
    DescribeConfigsResult::default()
        .with_error_code(error.code())
        .with_error_message(None)
        .with_resource_type(resource.resource_type)
        // In memory of its own: as decoded it keeps the whole frame that it came in.
        .with_resource_name(StrBytes::from_string(resource.resource_name.to_string()))
}

#[cfg(test)]
mod tests;
