//! ListOffsets (2): offsets by time, under alias names.

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, ListOffsetsResponse};

use super::body::Topics;
use super::names::{self, Key, Rounds};
use super::{Exchange, Outcome, Refusal, body};
pub(crate) use crate::kafka::control_shapes::LIST_OFFSETS_RESPONSE as RESPONSE;
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::policy::Topic;
use crate::zone::{Operation, TopicName};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(1, 10);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 2,
    name: "ListOffsetsRequest",
    versions: VERSIONS,
    flexible_since: 6,
    fields: &[
        F::new("replicaId", T::Int32),
        F::new("isolationLevel", T::Int8).since(2),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("currentLeaderEpoch", T::Int32).since(4),
                F::new("timestamp", T::Int64),
            ]))),
        ]))),
        F::new("timeoutMs", T::Int32).since(10),
    ],
};

/// Timestamps that are questions of their own: for the end, and for the first record that the log has, or that the leader has on
/// its own disk (KIP-405). Others ask for one record of some kind (KIP-734, KIP-1005).
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const EARLIEST_LOCAL: i64 = -4;
/// No offset, or no time.
const NONE: i64 = -1;

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: ListOffsetsRequest = body::request(&REQUEST, version, body)?;
    // Other ids see beyond the high watermark.
    request.replica_id = BrokerId(-1);
    let mut windows = Windows::default();
    let admit = |topic: &mut ListOffsetsTopic| {
        let known = names::authorise(exchange.view, Key::Name(&topic.name), Operation::Describe)?;
        windows.note(exchange, known, topic);
        topic.name = names::wire(&known.backing);
        Ok(known)
    };
    let (rounds, refused) = Rounds::sort(exchange.view, std::mem::take(&mut request.topics), admit, refuse);
    if rounds.is_empty() {
        return body::answer(&ListOffsetsResponse::default().with_topics(refused), version);
    }
    let topics = Topics {
        of: |response: &mut ListOffsetsResponse| &mut response.topics,
        name: |topic| &mut topic.name,
    };
    let round = |topics| request.clone().with_topics(topics);
    let edit = move |topic: &mut ListOffsetsTopicResponse| windows.apply(topic);
    body::forward_rounds(rounds, round, &RESPONSE, version, &topics, edit, refused)
}

/// What was asked of partitions of which not all may be read, by alias.
#[derive(Debug, Default)]
struct Windows(HashMap<TopicName, HashMap<i32, Asked>>);

#[derive(Debug, Clone, Copy)]
struct Asked {
    timestamp: i64,
    /// Of those that may be read.
    first_offset: Result<i64, ResponseError>,
}

impl Windows {
    fn note(&mut self, exchange: &Exchange<'_>, known: &Topic, topic: &ListOffsetsTopic) {
        for partition in &topic.partitions {
            let (index, timestamp) = (partition.partition_index, partition.timestamp);
            let first = exchange.starts.first_offset(exchange.view, known, index);
            if let Some(first_offset) = first.transpose() {
                let of_topic = self.0.entry(known.alias.clone()).or_default();
                of_topic.insert(index, Asked { timestamp, first_offset });
            }
        }
    }

    /// Makes the answer that of a broker which keeps older records no longer.
    fn apply(&self, topic: &mut ListOffsetsTopicResponse) {
        let Some(asked) = self.0.get(topic.name.as_str()) else { return };
        for partition in topic.partitions.iter_mut().filter(|partition| partition.error_code == 0) {
            match asked.get(&partition.partition_index) {
                Some(Asked { timestamp, first_offset: Ok(first) }) => narrow(partition, *timestamp, *first),
                Some(Asked { first_offset: Err(error), .. }) => {
                    partition.error_code = error.code();
                    (partition.offset, partition.timestamp, partition.leader_epoch) = (NONE, NONE, -1);
                }
                None => {}
            }
        }
    }
}

fn narrow(partition: &mut ListOffsetsPartitionResponse, asked: i64, first: i64) {
    if partition.offset < 0 || partition.offset >= first {
        return;
    }
    // What is known of the record that the broker has named says nothing of the one at `first`.
    partition.leader_epoch = -1;
    (partition.offset, partition.timestamp) = match asked {
        LATEST | EARLIEST | EARLIEST_LOCAL => (first, NONE),
        // A record of that time or later: those that follow it are, as far as times are in order.
        time if time >= 0 => (first, partition.timestamp.max(time)),
        _ => (NONE, NONE),
    };
}

fn refuse(topic: ListOffsetsTopic, error: ResponseError) -> ListOffsetsTopicResponse {
    let refused = |partition: ListOffsetsPartition| {
        ListOffsetsPartitionResponse::default()
            .with_partition_index(partition.partition_index)
            .with_error_code(error.code())
    };
    ListOffsetsTopicResponse::default()
        .with_name(names::detached(&topic.name))
        .with_partitions(topic.partitions.into_iter().map(refused).collect())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, Partner, Produce, Read, Write, topic};
    use super::*;
    use crate::zone::{Replay, SharedTopic, sample};

    fn ask(names: &[&str]) -> ListOffsetsRequest {
        let partition = ListOffsetsPartition::default().with_partition_index(4).with_timestamp(-2);
        let topics = names.iter().map(|name| {
            ListOffsetsTopic::default().with_name(topic(name)).with_partitions(vec![partition.clone()])
        });
        ListOffsetsRequest::default().with_replica_id(BrokerId(7)).with_topics(topics.collect())
    }

    fn errors(response: &ListOffsetsResponse) -> Vec<(String, i16)> {
        let of = |t: &ListOffsetsTopicResponse| (t.name.to_string(), t.partitions[0].error_code);
        response.topics.iter().map(of).collect()
    }

    fn reply(request: &ListOffsetsRequest) -> ListOffsetsResponse {
        // In another order than asked: replies are matched by name.
        let topics = request.topics.iter().rev().map(|t| {
            let partition = ListOffsetsPartitionResponse::default().with_partition_index(4).with_offset(9);
            ListOffsetsTopicResponse::default().with_name(t.name.clone()).with_partitions(vec![partition])
        });
        ListOffsetsResponse::default().with_topics(topics.collect())
    }

    #[test]
    fn swapped_aliases_go_where_they_should_at_every_version() {
        let partner = Partner::of(&[("a", "b", Read), ("b", "a", Produce)]);
        for version in VERSIONS.first..=VERSIONS.last {
            let (sent, awaited) =
                partner.send(2, version, &ask(&["a", "b"])).forwarded::<ListOffsetsRequest>();
            let names: Vec<_> = sent.topics.iter().map(|t| t.name.to_string()).collect();
            assert_eq!(names, ["b", "a"]);
            assert_eq!(sent.replica_id, BrokerId(-1));
            let response = partner.receive(awaited, &reply(&sent));
            assert_eq!(errors(&response), [("b".to_owned(), 0), ("a".to_owned(), 0)]);
        }
    }

    #[test]
    fn what_is_not_the_zones_is_answered_here_and_merged_in() {
        let partner = Partner::of(&[("orders", "sales.orders", Read)]);
        let request = ask(&["sales.orders", "orders", "nothing"]);
        let (sent, awaited) = partner.send(2, 7, &request).forwarded::<ListOffsetsRequest>();
        assert_eq!(sent.topics.len(), 1);
        let response = partner.receive(awaited, &reply(&sent));
        let expected = [("orders", 0), ("sales.orders", 29), ("nothing", 29)];
        assert_eq!(errors(&response), expected.map(|(name, code)| (name.to_owned(), code)));
        assert_eq!(response.topics[1].partitions[0].offset, -1);
    }

    #[test]
    fn nothing_left_is_answered_here_at_every_version() {
        for version in VERSIONS.first..=VERSIONS.last {
            let answer = Partner::of(&[]).send(2, version, &ask(&["x"])).answered();
            assert_eq!(errors(&answer), [("x".to_owned(), 29)], "v{version}");
        }
    }

    #[test]
    fn two_aliases_of_one_topic_are_asked_for_one_behind_the_other_at_every_version() {
        let partner = Partner::of(&[("in", "t", Write), ("out", "t", Read), ("a", "u", Read)]);
        for version in VERSIONS.first..=VERSIONS.last {
            let request = ask(&["out", "in", "a", "x"]);
            let (sent, awaited) = partner.send(2, version, &request).forwarded_each::<ListOffsetsRequest>();
            let asked = |sent: &ListOffsetsRequest| {
                sent.topics.iter().map(|t| t.name.to_string()).collect::<Vec<_>>()
            };
            assert_eq!(sent.iter().map(asked).collect::<Vec<_>>(), [vec!["t", "u"], vec!["t"]]);
            let replies: Vec<_> = sent.iter().map(reply).collect();
            let response = partner.receive_each(awaited, &replies);
            let expected = [("a", 0), ("out", 0), ("in", 0), ("x", 29)];
            assert_eq!(errors(&response), expected.map(|(name, code)| (name.to_owned(), code)), "v{version}");
        }
    }

    #[test]
    fn a_topic_that_nobody_asked_for_is_not_shown() {
        let partner = Partner::of(&[("a", "x", Read), ("b", "y", Read)]);
        let (_, awaited) = partner.send(2, 7, &ask(&["a"])).forwarded::<ListOffsetsRequest>();
        let response: ListOffsetsResponse = partner.receive(awaited, &reply(&ask(&["x", "y", "secret"])));
        assert_eq!(errors(&response), [("a".to_owned(), 0)]);
    }

    #[test]
    fn the_log_begins_with_the_window_whatever_is_asked_for_it() {
        let narrowed = |asked, offset, timestamp| {
            let mut partition = ListOffsetsPartitionResponse::default()
                .with_offset(offset)
                .with_timestamp(timestamp)
                .with_leader_epoch(3);
            narrow(&mut partition, asked, 100);
            (partition.offset, partition.timestamp, partition.leader_epoch)
        };
        assert_eq!(narrowed(EARLIEST, 7, -1), (100, -1, -1));
        assert_eq!(narrowed(EARLIEST, 120, -1), (120, -1, 3), "the broker keeps less");
        assert_eq!(narrowed(LATEST, 99, -1), (100, -1, -1), "an open transaction from before");
        assert_eq!(narrowed(LATEST, 150, -1), (150, -1, 3));
        assert_eq!(narrowed(5_000, 7, 5_001), (100, 5_001, -1), "a time before the window");
        assert_eq!(narrowed(5_000, 130, 5_001), (130, 5_001, 3));
        assert_eq!(narrowed(5_000, -1, -1), (-1, -1, 3), "no record is as young");
        assert_eq!(narrowed(-3, 7, 9_000), (-1, -1, -1), "the youngest record is not to be read");
    }

    #[test]
    fn a_window_that_nobody_knows_yet_is_one_whose_leader_is_on_the_move() {
        let replay = Some(Replay::FromLatest);
        let shared = SharedTopic { replay, ..sample::topic("a", "t", Read) };
        let zone = sample::zone("acme", vec![shared, sample::topic("b", "u", Read)]);
        let partner = Partner::in_zone(fixture::view_of(zone, None));
        for version in VERSIONS.first..=VERSIONS.last {
            let (sent, awaited) =
                partner.send(2, version, &ask(&["a", "b"])).forwarded::<ListOffsetsRequest>();
            let response = partner.receive(awaited, &reply(&sent));
            assert_eq!(errors(&response), [("b".to_owned(), 0), ("a".to_owned(), 6)], "v{version}");
        }
    }
}
