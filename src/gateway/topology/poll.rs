//! One look at a cluster: brokers and topics by Metadata, and what each broker serves.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName as WireTopicName};
use kafka_protocol::protocol::StrBytes;
use rand::seq::SliceRandom;
use thiserror::Error;
use tokio::time::Instant;

use super::super::config::ClusterConfig;
use super::super::offer::Offer;
use super::super::upstream::CLIENT_ID;
use super::{TopicState, Topology};
use crate::kafka::client::{ClientError, Connection, UpstreamSecurity, host_port};
use crate::kafka::control_shapes::METADATA_RESPONSE;
use crate::kafka::shape::Versions;
use crate::zone::TopicName;

/// Topic ids are in Metadata from 10 on; 12 is the newest that every broker in use has, librdkafka's demo broker included.
const NEWEST: i16 = 12;
/// From here on a question does not create the topic it names.
const OLDEST: i16 = 4;
/// A broker's versions change when it is upgraded, which restarts it.
const VERSIONS_LAST: Duration = Duration::from_mins(1);

#[derive(Debug, Error)]
pub(crate) enum PollError {
    #[error("no bootstrap server or broker answers: {0}")]
    NoBroker(String),
    #[error("{0}")]
    Request(#[from] ClientError),
    #[error("the brokers do not serve Metadata {OLDEST} to {NEWEST}; Kafka 0.11 or later is needed")]
    TooOld,
}

/// What is remembered between two looks.
#[derive(Debug)]
pub(super) struct Source {
    config: ClusterConfig,
    within: Duration,
    connection: Option<Connection>,
    brokers: BTreeMap<i32, KnownBroker>,
}

#[derive(Debug, Clone)]
struct KnownBroker {
    address: String,
    /// As long as it has not told, it does not count.
    tells: Option<Tells>,
}

/// What a broker serves.
#[derive(Debug, Clone)]
struct Tells {
    offer: Offer,
    asked: Instant,
}

impl Source {
    pub(super) fn new(config: ClusterConfig, within: Duration) -> Self {
        Self { config, within, connection: None, brokers: BTreeMap::new() }
    }

    /// Asks once. After an error the next look starts with a new connection.
    pub(super) async fn poll(&mut self, wanted: &BTreeSet<TopicName>) -> Result<Topology, PollError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let response = metadata(&mut connection, wanted).await?;
        self.connection = Some(connection);
        self.keep_brokers(&response);
        self.ask_versions().await;
        Ok(self.topology(&response))
    }

    async fn connect(&self) -> Result<Connection, PollError> {
        let mut addresses: Vec<String> = self.brokers.values().map(|broker| broker.address.clone()).collect();
        addresses.shuffle(&mut rand::rng());
        addresses.extend(self.config.bootstrap_servers.iter().cloned());
        let mut failures = Vec::new();
        for address in addresses {
            match Connection::connect(&address, &self.config.security, CLIENT_ID, self.within).await {
                Ok(connection) => return Ok(connection),
                Err(error) => failures.push(format!("{address}: {error}")),
            }
        }
        Err(PollError::NoBroker(failures.join("; ")))
    }

    fn keep_brokers(&mut self, response: &MetadataResponse) {
        let mut live = BTreeMap::new();
        for broker in &response.brokers {
            let address = host_port(&broker.host, broker.port);
            let known = self.brokers.remove(&broker.node_id.0).filter(|known| known.address == address);
            live.insert(broker.node_id.0, known.unwrap_or(KnownBroker { address, tells: None }));
        }
        self.brokers = live;
    }

    async fn ask_versions(&mut self) {
        for broker in self.brokers.values_mut() {
            if broker.tells.as_ref().is_some_and(|tells| tells.asked.elapsed() < VERSIONS_LAST) {
                continue;
            }
            match ask(&broker.address, &self.config.security, self.within).await {
                Ok(tells) => broker.take(tells),
                // It keeps what it last told. Its own connections will fail with a reason of their own.
                Err(error) => {
                    tracing::debug!(address = broker.address, %error, "broker does not tell its versions");
                }
            }
        }
    }

    fn topology(&self, response: &MetadataResponse) -> Topology {
        let known = self.brokers.values().filter_map(|broker| broker.tells.as_ref());
        Topology {
            cluster_id: response.cluster_id.as_ref().map(ToString::to_string),
            brokers: self.brokers.iter().map(|(&id, broker)| (id, broker.address.clone())).collect(),
            offer: Arc::new(Offer::common(known.map(|tells| &tells.offer))),
            topics: topics(response),
        }
    }
}

impl KnownBroker {
    /// An epoch that only went on is not taken: readers would be woken for nothing.
    fn take(&mut self, mut tells: Tells) {
        if let Some(before) = self.tells.take()
            && before.offer.features.says_the_same_as(&tells.offer.features)
        {
            tells.offer.features.epoch = before.offer.features.epoch;
        }
        self.tells = Some(tells);
    }
}

async fn ask(address: &str, security: &UpstreamSecurity, within: Duration) -> Result<Tells, ClientError> {
    let mut connection = Connection::connect(address, security, CLIENT_ID, within).await?;
    let features = connection.features().await?;
    let offer = Offer { versions: connection.broker_versions().clone(), features };
    Ok(Tells { offer, asked: Instant::now() })
}

async fn metadata(
    connection: &mut Connection,
    wanted: &BTreeSet<TopicName>,
) -> Result<MetadataResponse, PollError> {
    let version = connection
        .common_version(METADATA_RESPONSE.api_key, Versions::new(OLDEST, NEWEST))
        .ok_or(PollError::TooOld)?;
    let topics = wanted
        .iter()
        .map(|name| {
            let name = WireTopicName(StrBytes::from_string(name.to_string()));
            MetadataRequestTopic::default().with_name(Some(name))
        })
        .collect();
    let request = MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(false);
    Ok(connection.request(&request, version, &METADATA_RESPONSE).await?)
}

fn topics(response: &MetadataResponse) -> HashMap<TopicName, TopicState> {
    let mut topics = HashMap::new();
    for topic in &response.topics {
        let Some(name) = topic.name.as_ref().and_then(|name| TopicName::try_from(name.as_str()).ok()) else {
            continue;
        };
        let state = match ResponseError::try_from_code(topic.error_code) {
            // Without a leader it exists all the same.
            None | Some(ResponseError::LeaderNotAvailable) => TopicState::Present(topic.topic_id),
            Some(ResponseError::UnknownTopicOrPartition) => TopicState::Missing,
            Some(ResponseError::TopicAuthorizationFailed) => TopicState::Forbidden,
            Some(_) => TopicState::Failed(topic.error_code),
        };
        topics.insert(name, state);
    }
    topics
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_topic_that_does_not_exist_is_not_one_that_failed() {
        let answer = |name: &'static str, code: i16, id: u128| {
            MetadataResponseTopic::default()
                .with_name(Some(WireTopicName(StrBytes::from_static_str(name))))
                .with_error_code(code)
                .with_topic_id(Uuid::from_u128(id))
        };
        let response = MetadataResponse::default().with_topics(vec![
            answer("there", 0, 7),
            answer("leaderless", 5, 8),
            answer("missing", 3, 0),
            answer("secret", 29, 0),
            answer("odd", -1, 0),
        ]);
        let topics = topics(&response);
        let state = |name: &str| topics[name];
        assert_eq!(state("there"), TopicState::Present(Uuid::from_u128(7)));
        assert_eq!(state("leaderless"), TopicState::Present(Uuid::from_u128(8)));
        assert_eq!(state("missing"), TopicState::Missing);
        assert_eq!(state("secret"), TopicState::Forbidden);
        assert_eq!(state("odd"), TopicState::Failed(-1));
    }
}
