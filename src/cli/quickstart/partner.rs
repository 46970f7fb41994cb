//! What the partner sees, tried through the gateway with an ordinary client.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Message};
use thiserror::Error;

use crate::secret::Secret;

/// A group that joins, is assigned and reads takes a few seconds on the demo Kafka.
const READ_DEADLINE: Duration = Duration::from_secs(30);
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the self-check did not come out as it should.
#[derive(Debug, Error)]
pub(crate) enum CheckError {
    #[error("the partner could not connect: {0}")]
    Connect(#[source] KafkaError),
    #[error("the partner read {read} of {wanted} records of {topic} within {} s{}", READ_DEADLINE.as_secs(),
        last.as_ref().map(|error| format!("; the client said: {error}")).unwrap_or_default())]
    Read { topic: String, read: usize, wanted: usize, last: Option<KafkaError> },
    #[error("the topic {topic}, which is not shared, was not refused but answered with {answer}")]
    NotRefused { topic: String, answer: String },
}

/// One record as the partner got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenRecord {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) value: String,
}

/// A partner's ordinary client: librdkafka with the properties of its `kcat.conf`.
#[derive(Debug)]
pub(crate) struct Partner {
    /// `name=value` lines, the file's whole text; it holds the secret.
    properties: Secret<String>,
}

impl Partner {
    /// `properties` is the text of a `kcat.conf`.
    pub(crate) fn new(properties: String) -> Self {
        Self { properties: Secret::new(properties) }
    }

    fn consumer(&self) -> Result<BaseConsumer, CheckError> {
        let mut config = ClientConfig::new();
        for (name, value) in self.properties.expose().lines().filter_map(|line| line.split_once('=')) {
            config.set(name, value);
        }
        config
            .set("group.id", "quickstart-check")
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false");
        config.create().map_err(CheckError::Connect)
    }

    /// Joins a consumer group on `topic` and reads until it has `wanted` records. Blocks.
    pub(crate) fn read(&self, topic: &str, wanted: usize) -> Result<Vec<SeenRecord>, CheckError> {
        let consumer = self.consumer()?;
        consumer.subscribe(&[topic]).map_err(CheckError::Connect)?;
        let started = Instant::now();
        let (mut seen, mut last) = (Vec::new(), None);
        while seen.len() < wanted {
            if started.elapsed() > READ_DEADLINE {
                return Err(CheckError::Read { topic: topic.to_owned(), read: seen.len(), wanted, last });
            }
            match consumer.poll(Duration::from_millis(200)) {
                Some(Ok(record)) => seen.push(SeenRecord {
                    partition: record.partition(),
                    offset: record.offset(),
                    value: String::from_utf8_lossy(record.payload().unwrap_or_default()).into_owned(),
                }),
                Some(Err(error)) => last = Some(error),
                None => {}
            }
        }
        Ok(seen)
    }

    /// The topics that this partner can list, sorted.
    pub(crate) fn list(&self) -> Result<Vec<String>, CheckError> {
        let metadata =
            self.consumer()?.fetch_metadata(None, METADATA_TIMEOUT).map_err(CheckError::Connect)?;
        let mut names: Vec<String> = metadata.topics().iter().map(|topic| topic.name().to_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// Asks for a topic outside the zone and returns the refusal, in librdkafka's words. Blocks.
    pub(crate) fn refusal(&self, topic: &str) -> Result<String, CheckError> {
        let metadata =
            self.consumer()?.fetch_metadata(Some(topic), METADATA_TIMEOUT).map_err(CheckError::Connect)?;
        let error = metadata
            .topics()
            .iter()
            .find(|t| t.name() == topic)
            .and_then(rdkafka::metadata::MetadataTopic::error);
        let code = error.map(RDKafkaErrorCode::from);
        match code {
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                Ok(RDKafkaErrorCode::TopicAuthorizationFailed.to_string())
            }
            other => Err(CheckError::NotRefused {
                topic: topic.to_owned(),
                answer: other.map_or_else(|| "metadata".to_owned(), |code| code.to_string()),
            }),
        }
    }
}
