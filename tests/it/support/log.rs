//! A partition as the brokers have it.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

/// A record, as far as anybody here looks at it.
pub(crate) struct Logged {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

/// The committed records of a partition, from the first to the last; `None` if there is no such topic. Panics if its end is not
/// reached within `patience`.
pub(crate) fn records(
    bootstrap: &str,
    topic: &str,
    partition: i32,
    patience: Duration,
) -> Option<Vec<Logged>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "_partner-zones.test")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("topic.metadata.propagation.max.ms", "1000")
        .create()
        .unwrap();
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    consumer.assign(&partitions).unwrap();
    let (mut records, deadline) = (Vec::new(), Instant::now() + patience);
    let mut trouble = None;
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => records.push(Logged {
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
            }),
            Some(Err(KafkaError::PartitionEOF(_))) => return Some(records),
            Some(Err(error)) if is_missing(&error) => return None,
            // A broker that is slow to answer. The client goes on by itself, and what it has not read is not taken for nothing.
            Some(Err(error)) => trouble = Some(error),
            None => {}
        }
    }
    panic!("{topic}-{partition} has no end: {trouble:?}")
}

fn is_missing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    matches!(error.rdkafka_error_code(), Some(UnknownPartition | UnknownTopic | UnknownTopicOrPartition))
}
