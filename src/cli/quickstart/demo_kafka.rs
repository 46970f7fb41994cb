//! The embedded demo Kafka: librdkafka's mock cluster, in this process, on loopback, forgotten at exit.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::types::RDKafkaApiKey;
use thiserror::Error;

use crate::zone::TopicName;

/// Brokers of the demo; enough to show that each gets an address of its own.
const BROKERS: i32 = 3;
const PARTITIONS: i32 = 3;
/// The mock keeps 5 MiB a partition and forgets silently: the demo stays far below.
const RECORDS_PER_TOPIC: u32 = 12;

/// The last versions that the mock of librdkafka 2.12.1 gets right. Later ones say their empty tag section twice (Metadata),
/// not once for each member (JoinGroup), read the old form (SyncGroup) or answer without the members (LeaveGroup): the
/// gateway rightly takes these for malformed.
const SOUND: [(RDKafkaApiKey, i16); 4] = [
    (RDKafkaApiKey::Metadata, 8),
    (RDKafkaApiKey::JoinGroup, 5),
    (RDKafkaApiKey::SyncGroup, 3),
    (RDKafkaApiKey::LeaveGroup, 2),
];
const SEED_TIMEOUT: Duration = Duration::from_secs(20);

/// Why there is no demo Kafka.
#[derive(Debug, Error)]
pub(crate) enum DemoError {
    #[error("the demo Kafka could not be started: {0}")]
    Start(String),
    #[error("the demo's records could not be written: {0}")]
    Seed(#[from] rdkafka::error::KafkaError),
}

/// Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct DemoKafka {
    pub(crate) bootstrap_servers: String,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl DemoKafka {
    /// Starts the brokers and makes the topics through the mock's own call, since it has no admin API.
    pub(crate) fn start(topics: Vec<TopicName>) -> Result<Self, DemoError> {
        let (stop, stopped) = mpsc::channel::<()>();
        let (started, wait) = mpsc::channel();
        // The mock's handle must stay on the thread that made it.
        let thread = std::thread::Builder::new()
            .name("demo-kafka".to_owned())
            .spawn(move || {
                let cluster = match make(&topics) {
                    Ok(cluster) => cluster,
                    Err(error) => {
                        let _ = started.send(Err(error.to_string()));
                        return;
                    }
                };
                let _ = started.send(Ok(cluster.bootstrap_servers()));
                // Ends when the owner goes: the channel then hangs up.
                let _ = stopped.recv();
            })
            .map_err(|error| DemoError::Start(error.to_string()))?;
        let bootstrap_servers = wait
            .recv()
            .map_err(|_| DemoError::Start("its thread ended".to_owned()))?
            .map_err(DemoError::Start)?;
        Ok(Self { bootstrap_servers, stop: Some(stop), thread: Some(thread) })
    }

    /// Writes a few records to each topic, so that there is something to read.
    pub(crate) fn seed(&self, topics: &[TopicName]) -> Result<(), DemoError> {
        let producer: ThreadedProducer<DefaultProducerContext> =
            ClientConfig::new().set("bootstrap.servers", &self.bootstrap_servers).create()?;
        for topic in topics {
            for number in 1..=RECORDS_PER_TOPIC {
                let key = format!("{topic}-{number}");
                let value = format!("{{\"number\":{number},\"from\":\"{topic}\"}}");
                let headers = OwnedHeaders::new()
                    .insert(Header { key: "source", value: Some("partner-zones-quickstart") });
                producer
                    .send(BaseRecord::to(topic.as_str()).key(&key).payload(&value).headers(headers))
                    .map_err(|(error, _)| error)?;
            }
        }
        Ok(producer.flush(SEED_TIMEOUT)?)
    }
}

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn make(topics: &[TopicName]) -> Result<Cluster, rdkafka::error::KafkaError> {
    let cluster = MockCluster::new(BROKERS)?;
    for (api, version_max) in SOUND {
        cluster.apiversion(api, Some(0), Some(version_max))?;
    }
    for topic in topics {
        cluster.create_topic(topic.as_str(), PARTITIONS, 1)?;
    }
    Ok(cluster)
}

impl Drop for DemoKafka {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::consumer::{BaseConsumer, Consumer};

    #[test]
    fn the_demo_has_its_topics_and_their_records() {
        let topic = TopicName::try_from("orders").unwrap();
        let demo = DemoKafka::start(vec![topic.clone()]).unwrap();
        demo.seed(std::slice::from_ref(&topic)).unwrap();
        let consumer: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", &demo.bootstrap_servers).create().unwrap();
        let total: i64 = (0..PARTITIONS)
            .map(|partition| consumer.fetch_watermarks("orders", partition, SEED_TIMEOUT).unwrap().1)
            .sum();
        assert_eq!(total, i64::from(RECORDS_PER_TOPIC));
    }
}
