//! ListOffsets (2): offsets by time, under alias names.

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
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::zone::Operation;

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

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 2,
    name: "ListOffsetsResponse",
    versions: VERSIONS,
    flexible_since: 6,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(2),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("errorCode", T::Int16),
                F::new("timestamp", T::Int64),
                F::new("offset", T::Int64),
                F::new("leaderEpoch", T::Int32).since(4),
            ]))),
        ]))),
    ],
};

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: ListOffsetsRequest = body::request(&REQUEST, version, body)?;
    // Other ids see beyond the high watermark.
    request.replica_id = BrokerId(-1);
    let admit = |topic: &mut ListOffsetsTopic| {
        let known = names::authorise(exchange.view, Key::Name(&topic.name), Operation::Describe)?;
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
    body::forward_rounds(rounds, round, &RESPONSE, version, &topics, refused)
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
    use super::super::fixture::{Partner, Produce, Read, Write, topic};
    use super::*;

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
}
