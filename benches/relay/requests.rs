//! The requests of the load, by name and by id.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{FetchRequest, ProduceRequest, ProduceResponse};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use uuid::Uuid;

use super::wire::topic_name;

pub(crate) const RECORD_BYTES: usize = 1024;

/// How topics are addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// What a Java client 2.x sends.
    Name,
    /// What a current one does.
    Id,
}

impl By {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Id => "id",
        }
    }

    pub(crate) fn produce(self) -> i16 {
        match self {
            Self::Name => 8,
            Self::Id => 13,
        }
    }

    pub(crate) fn fetch(self) -> i16 {
        match self {
            Self::Name => 11,
            Self::Id => 17,
        }
    }
}

/// A topic as one peer calls it.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
}

/// A batch of this many records that no codec and no cache makes smaller.
pub(crate) fn batch(records: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut value = || -> Bytes {
        let byte = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        };
        (0..RECORD_BYTES).map(byte).collect()
    };
    let records: Vec<Record> = (0..i64::try_from(records).unwrap())
        .map(|offset| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id: -1,
            producer_epoch: -1,
            timestamp_type: TimestampType::Creation,
            offset,
            // Of no idempotent producer: the batch starts at −1, and every record counts one on.
            sequence: i32::try_from(offset).unwrap() - 1,
            timestamp: 1_700_000_000_000,
            key: None,
            value: Some(value()),
            headers: kafka_protocol::indexmap::IndexMap::default(),
        })
        .collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut out, &records, &options).unwrap();
    out.freeze()
}

/// `acks=all`, this batch for each of the first partitions of each of the topics.
pub(crate) fn produce(by: By, topics: &[Topic], partitions: i32, batch: &Bytes) -> ProduceRequest {
    let partition =
        |index| PartitionProduceData::default().with_index(index).with_records(Some(batch.clone()));
    let topic = |topic: &Topic| {
        let data = TopicProduceData::default().with_partition_data((0..partitions).map(partition).collect());
        match by {
            By::Name => data.with_name(topic_name(&topic.name)),
            By::Id => data.with_topic_id(topic.id),
        }
    };
    let topics = topics.iter().map(topic).collect();
    ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(topics)
}

/// Every partition of a response took its batch.
pub(crate) fn accepted(response: &ProduceResponse) -> bool {
    let mut partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    partitions.all(|partition| partition.error_code == 0)
}

/// How much a fetch asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Appetite {
    pub(crate) partitions: i32,
    pub(crate) partition_bytes: i32,
    pub(crate) bytes: i32,
}

/// From the start of every partition, without a session (epoch −1) or in one.
pub(crate) fn fetch(by: By, topics: &[Topic], appetite: Appetite, session: (i32, i32)) -> FetchRequest {
    let partition = |index| {
        FetchPartition::default()
            .with_partition(index)
            .with_fetch_offset(0)
            .with_partition_max_bytes(appetite.partition_bytes)
    };
    let topic = |topic: &Topic| {
        let fetched =
            FetchTopic::default().with_partitions((0..appetite.partitions).map(partition).collect());
        match by {
            By::Name => fetched.with_topic(topic_name(&topic.name)),
            By::Id => fetched.with_topic_id(topic.id),
        }
    };
    FetchRequest::default()
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(appetite.bytes)
        .with_session_id(session.0)
        .with_session_epoch(session.1)
        .with_topics(topics.iter().map(topic).collect())
}
