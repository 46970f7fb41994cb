//! What a client asks on its way to its first record, one question after the other, each with its answer as it is: for whoever has to
//! know how far a client gets. Nothing here writes.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, FetchRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::admin::Operation;
use super::client::{ClientError, Connection, host_port};
use super::control_shapes::{
    FETCH_RESPONSE, INIT_PRODUCER_ID_RESPONSE, LIST_OFFSETS_RESPONSE, METADATA_RESPONSE,
};
use super::records::{Batch, Reader, RecordsError, Room, batches};
use super::rights::{NOT_TOLD, operations};
use super::shape::{Shape, Versions};

/// From version 8 on it says what one may do with a topic.
const METADATA: Versions = Versions::new(8, 12);
/// From version 1 on there is one offset for a question; 7 is the last before other questions than ours.
const LIST_OFFSETS: Versions = Versions::new(1, 7);
/// Up to 12 a topic is asked for by its name.
const FETCH: Versions = Versions::new(4, 12);
const INIT_PRODUCER_ID: Versions = Versions::new(0, 4);
const UNSUPPORTED_VERSION: i16 = 35;

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
/// Of a fetch. The first batch comes whole, however large it is.
const BYTES: i32 = 64 << 10;
/// What one batch may become when it is decompressed.
const ROOM: usize = 64 << 20;
const WAIT_MS: i32 = 500;

/// What Metadata says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// `host:port` of each broker.
    pub brokers: BTreeMap<i32, String>,
    /// Of the topics that were asked for.
    pub topics: BTreeMap<String, Topic>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Kafka's error code; 0 is none.
    pub error: i16,
    /// The leader of each partition; none while there is none.
    pub partitions: BTreeMap<i32, Option<i32>>,
    /// What whoever asks may do, as far as it is told.
    pub may: Option<BTreeSet<Operation>>,
}

/// Asks for these topics, and for the brokers.
pub async fn metadata(connection: &mut Connection, names: &[&str]) -> Result<Cluster, ClientError> {
    let version = version(connection, "Metadata", &METADATA_RESPONSE, METADATA)?;
    let topic = |name: &&str| MetadataRequestTopic::default().with_name(Some(wire(name)));
    let request = MetadataRequest::default()
        .with_topics(Some(names.iter().map(topic).collect()))
        .with_allow_auto_topic_creation(false)
        .with_include_topic_authorized_operations(true);
    let answer = connection.request(&request, version, &METADATA_RESPONSE).await?;
    let leader = |id: BrokerId| (id.0 >= 0).then_some(id.0);
    let topics = answer.topics.iter().filter_map(|topic| {
        // An answer about something else was not asked for.
        let name = topic.name.as_ref().filter(|name| names.contains(&name.as_str()))?;
        let told = topic.topic_authorized_operations;
        let seen = Topic {
            error: topic.error_code,
            partitions: topic
                .partitions
                .iter()
                .map(|it| (it.partition_index, leader(it.leader_id)))
                .collect(),
            may: (told != NOT_TOLD).then(|| operations(told)),
        };
        Some((name.to_string(), seen))
    });
    Ok(Cluster {
        topics: topics.collect(),
        brokers: answer.brokers.iter().map(|it| (it.node_id.0, host_port(&it.host, it.port))).collect(),
    })
}

/// Where a partition's records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub first: i64,
    /// The offset that the next record gets.
    pub end: i64,
}

/// Asks the leader of these partitions where their records are; for one of which it does not say so, Kafka's error code.
pub async fn ranges(
    leader: &mut Connection,
    topic: &str,
    partitions: &[i32],
) -> Result<BTreeMap<i32, Result<Range, i16>>, ClientError> {
    let firsts = offsets(leader, topic, partitions, EARLIEST).await?;
    let mut ends = offsets(leader, topic, partitions, LATEST).await?;
    let both = |(partition, first): (i32, Result<i64, i16>)| {
        let end = ends.remove(&partition)?;
        Some((partition, first.and_then(|first| end.map(|end| Range { first, end }))))
    };
    Ok(firsts.into_iter().filter_map(both).collect())
}

async fn offsets(
    leader: &mut Connection,
    topic: &str,
    partitions: &[i32],
    timestamp: i64,
) -> Result<BTreeMap<i32, Result<i64, i16>>, ClientError> {
    let version = version(leader, "ListOffsets", &LIST_OFFSETS_RESPONSE, LIST_OFFSETS)?;
    let partition = |&index: &i32| {
        ListOffsetsPartition::default()
            .with_partition_index(index)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp)
    };
    let asked = ListOffsetsTopic::default()
        .with_name(wire(topic))
        .with_partitions(partitions.iter().map(partition).collect());
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![asked]);
    let answer = leader.request(&request, version, &LIST_OFFSETS_RESPONSE).await?;
    let told = answer.topics.iter().filter(|it| it.name.as_str() == topic).flat_map(|it| &it.partitions);
    let told = told.filter(|it| partitions.contains(&it.partition_index));
    Ok(told.map(|it| (it.partition_index, code(it.error_code).map(|()| it.offset))).collect())
}

/// What a fetch has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// Bytes of the first record's key and value.
    Record(usize),
    /// Nothing but a broker's own marks, such as the ends of transactions.
    Marks,
    Nothing,
    /// Kafka's error code.
    Refused(i16),
    Unreadable(RecordsError),
}

/// Fetches from the leader of a partition, from this offset on.
pub async fn fetch(
    leader: &mut Connection,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<Fetched, ClientError> {
    let version = version(leader, "Fetch", &FETCH_RESPONSE, FETCH)?;
    let wanted = FetchPartition::default()
        .with_partition(partition)
        .with_current_leader_epoch(-1)
        .with_fetch_offset(offset)
        .with_last_fetched_epoch(-1)
        .with_log_start_offset(-1)
        .with_partition_max_bytes(BYTES);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(WAIT_MS)
        .with_min_bytes(1)
        .with_max_bytes(BYTES)
        // Outside of fetch sessions.
        .with_session_epoch(-1)
        .with_topics(vec![FetchTopic::default().with_topic(wire(topic)).with_partitions(vec![wanted])]);
    let answer = leader.request(&request, version, &FETCH_RESPONSE).await?;
    if answer.error_code != 0 {
        return Ok(Fetched::Refused(answer.error_code));
    }
    let told = answer.responses.iter().filter(|it| it.topic.as_str() == topic).flat_map(|it| &it.partitions);
    let Some(told) = told.into_iter().find(|it| it.partition_index == partition) else {
        return Ok(Fetched::Nothing);
    };
    Ok(match (told.error_code, told.records.as_deref()) {
        (0, Some(records)) => first(records).unwrap_or_else(Fetched::Unreadable),
        (0, None) => Fetched::Nothing,
        (code, _) => Fetched::Refused(code),
    })
}

fn first(records: &[u8]) -> Result<Fetched, RecordsError> {
    let mut fetched = Fetched::Nothing;
    for batch in batches(records) {
        let batch: Batch<'_> = batch?;
        if batch.is_control() || batch.records() == 0 {
            fetched = Fetched::Marks;
            continue;
        }
        let decompressed = batch.decompressed(&Room::new(ROOM, ROOM))?;
        let record = Reader::new(&decompressed).record()?;
        let len = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        return Ok(Fetched::Record(len(record.key) + len(record.value)));
    }
    Ok(fetched)
}

/// Asks for an idempotent producer's identity, which is given to whoever may write to some topic; and Kafka's error code if it is not.
pub async fn producer_id(connection: &mut Connection) -> Result<Result<(), i16>, ClientError> {
    let version = version(connection, "InitProducerId", &INIT_PRODUCER_ID_RESPONSE, INIT_PRODUCER_ID)?;
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let answer = connection.request(&request, version, &INIT_PRODUCER_ID_RESPONSE).await?;
    Ok(code(answer.error_code))
}

fn version(
    connection: &Connection,
    api: &'static str,
    response: &Shape,
    ours: Versions,
) -> Result<i16, ClientError> {
    let common = connection.common_version(response.api_key, ours);
    common.ok_or(ClientError::Refused { api, code: UNSUPPORTED_VERSION })
}

fn code(code: i16) -> Result<(), i16> {
    if code == 0 { Ok(()) } else { Err(code) }
}

fn wire(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// Whether clients ask again by themselves after this error code.
pub fn is_passing(code: i16) -> bool {
    ResponseError::try_from_code(code).is_some_and(|error| error.is_retriable())
}

/// The name of an error code, as Kafka's documentation has it: `UNKNOWN_TOPIC_OR_PARTITION`.
pub fn error_name(code: i16) -> String {
    let Some(error) =
        ResponseError::try_from_code(code).filter(|it| !matches!(it, ResponseError::Unknown(_)))
    else {
        return format!("error {code}");
    };
    let mut name = String::new();
    for (at, letter) in format!("{error:?}").chars().enumerate() {
        if at > 0 && letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::records::{Codec, NewRecord, build};
    use crate::kafka::sample;

    #[test]
    fn the_first_record_is_found_behind_a_brokers_own_marks() {
        let data = build(&[NewRecord::default()], Codec::Zstd, 1).unwrap();
        let mut mark = sample_mark();
        assert_eq!(first(&[]), Ok(Fetched::Nothing));
        assert_eq!(first(&mark), Ok(Fetched::Marks));
        mark.extend_from_slice(&data);
        assert!(matches!(first(&mark), Ok(Fetched::Record(_))));
        // A batch that is not there to its end is none.
        assert_eq!(first(&data[..data.len() - 1]), Ok(Fetched::Nothing));
        let mut damaged = data.to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        assert_eq!(first(&damaged), Err(RecordsError::Checksum));
    }

    fn sample_mark() -> Vec<u8> {
        let mut mark = crate::kafka::records::sample::batches(1).remove(0);
        mark.control = true;
        mark.bytes()
    }

    #[test]
    fn errors_have_the_names_of_kafkas_documentation() {
        assert_eq!(error_name(3), "UNKNOWN_TOPIC_OR_PARTITION");
        assert_eq!(error_name(29), "TOPIC_AUTHORIZATION_FAILED");
        assert_eq!(error_name(12345), "error 12345");
    }

    #[test]
    fn hostile_answers_are_harmless() {
        sample::assert_hostile_lengths_are_harmless::<kafka_protocol::messages::InitProducerIdResponse>(
            &INIT_PRODUCER_ID_RESPONSE,
            4,
        );
    }
}
