//! Asking a cluster who it is, which topics it has, and which of some it does not have.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::client::{ClientError, Connection, UpstreamSecurity};
use super::control_shapes::METADATA_RESPONSE;
use super::shape::Versions;

/// From version 4 on a question can be put without making the broker create the topic it asks about.
const METADATA: Versions = Versions::new(4, 12);
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const UNSUPPORTED_VERSION: i16 = 35;

/// Of `wanted`, the topics that the cluster says do not exist. `bootstrap` is `host:port,…`: the first broker that answers
/// is believed. `within` is the time for each of them.
///
/// # Errors
/// What the last of the brokers had against it.
pub async fn missing_topics(
    bootstrap: &str,
    security: &UpstreamSecurity,
    wanted: &BTreeSet<String>,
    within: Duration,
) -> Result<BTreeSet<String>, ClientError> {
    let response = ask_any(bootstrap, security, Some(wanted), within).await?;
    Ok(response
        .topics
        .iter()
        .filter(|topic| topic.error_code == UNKNOWN_TOPIC_OR_PARTITION)
        .filter_map(|topic| topic.name.as_ref().map(|name| name.0.to_string()))
        // An answer about something else was not asked for.
        .filter(|name| wanted.contains(name))
        .collect())
}

/// The cluster's id, or nothing if it has none: brokers before Kafka 0.10.1. Asked as [`missing_topics`] is.
///
/// # Errors
/// What the last of the brokers had against it.
pub async fn cluster_id(
    bootstrap: &str,
    security: &UpstreamSecurity,
    within: Duration,
) -> Result<Option<String>, ClientError> {
    let response = ask_any(bootstrap, security, Some(&BTreeSet::new()), within).await?;
    Ok(response.cluster_id.map(|id| id.to_string()))
}

/// How many partitions each topic has that this login may see, but for the brokers' own. Asked as [`missing_topics`] is.
///
/// # Errors
/// What the last of the brokers had against it.
pub async fn partitions(
    bootstrap: &str,
    security: &UpstreamSecurity,
    within: Duration,
) -> Result<BTreeMap<String, usize>, ClientError> {
    let response = ask_any(bootstrap, security, None, within).await?;
    let topics = response.topics.into_iter().filter(|topic| !topic.is_internal);
    Ok(topics.filter_map(|topic| Some((topic.name?.0.to_string(), topic.partitions.len()))).collect())
}

/// Without `wanted`, about all topics.
async fn ask_any(
    bootstrap: &str,
    security: &UpstreamSecurity,
    wanted: Option<&BTreeSet<String>>,
    within: Duration,
) -> Result<MetadataResponse, ClientError> {
    let mut last = ClientError::TimedOut(within);
    for address in bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        match ask(address, security, wanted, within).await {
            Ok(response) => return Ok(response),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn ask(
    address: &str,
    security: &UpstreamSecurity,
    wanted: Option<&BTreeSet<String>>,
    within: Duration,
) -> Result<MetadataResponse, ClientError> {
    let mut connection = Connection::connect(address, security, "partner-zones-plan", within).await?;
    let version = connection
        .common_version(METADATA_RESPONSE.api_key, METADATA)
        .ok_or(ClientError::Refused { api: "Metadata", code: UNSUPPORTED_VERSION })?;
    let topic = |name: &String| {
        MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_string(name.clone()))))
    };
    let topics = wanted.map(|wanted| wanted.iter().map(topic).collect());
    let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
    connection.request(&request, version, &METADATA_RESPONSE).await
}
