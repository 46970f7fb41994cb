//! OffsetForLeaderEpoch (23): where an epoch ended, for a consumer that looks for truncation.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{BrokerId, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::body::Topics;
use super::names::{self, Key, Rounds};
use super::{Exchange, Outcome, Refusal, body};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::zone::Operation;

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(2, 4);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 23,
    name: "OffsetForLeaderEpochRequest",
    versions: VERSIONS,
    flexible_since: 4,
    fields: &[
        F::new("replicaId", T::Int32).since(3),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("topic", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partition", T::Int32),
                F::new("currentLeaderEpoch", T::Int32),
                F::new("leaderEpoch", T::Int32),
            ]))),
        ]))),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 23,
    name: "OffsetForLeaderEpochResponse",
    versions: VERSIONS,
    flexible_since: 4,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("topic", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("errorCode", T::Int16),
                F::new("partition", T::Int32),
                F::new("leaderEpoch", T::Int32),
                F::new("endOffset", T::Int64),
            ]))),
        ]))),
    ],
};

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: OffsetForLeaderEpochRequest = body::request(&REQUEST, version, body)?;
    // The ids of replicas are the brokers' own.
    request.replica_id = BrokerId(-1);
    let admit = |topic: &mut OffsetForLeaderTopic| {
        let known = names::authorise(exchange.view, Key::Name(&topic.topic), Operation::Describe)?;
        topic.topic = names::wire(&known.backing);
        Ok(known)
    };
    let (rounds, refused) = Rounds::sort(exchange.view, std::mem::take(&mut request.topics), admit, refuse);
    if rounds.is_empty() {
        return body::answer(&OffsetForLeaderEpochResponse::default().with_topics(refused), version);
    }
    let topics = Topics {
        of: |response: &mut OffsetForLeaderEpochResponse| &mut response.topics,
        name: |topic| &mut topic.topic,
    };
    let round = |topics| request.clone().with_topics(topics);
    body::forward_rounds(rounds, round, &RESPONSE, version, &topics, |_| {}, refused)
}

fn refuse(topic: OffsetForLeaderTopic, error: ResponseError) -> OffsetForLeaderTopicResult {
    let refused = |partition: OffsetForLeaderPartition| {
        EpochEndOffset::default().with_partition(partition.partition).with_error_code(error.code())
    };
    OffsetForLeaderTopicResult::default()
        .with_topic(names::detached(&topic.topic))
        .with_partitions(topic.partitions.into_iter().map(refused).collect())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Partner, Read, Write, topic};
    use super::*;

    fn ask(names: &[&str]) -> OffsetForLeaderEpochRequest {
        let partition = OffsetForLeaderPartition::default().with_partition(2).with_leader_epoch(5);
        let of = |name: &&str| {
            OffsetForLeaderTopic::default().with_topic(topic(name)).with_partitions(vec![partition.clone()])
        };
        OffsetForLeaderEpochRequest::default().with_topics(names.iter().map(of).collect())
    }

    #[test]
    fn names_are_mapped_there_and_back_and_the_rest_is_refused_at_every_version() {
        let partner = Partner::of(&[("a", "b", Read), ("b", "a", Read), ("a2", "b", Write)]);
        for version in VERSIONS.first..=VERSIONS.last {
            let request = ask(&["a", "b", "a2", "x"]);
            let (sent, awaited) =
                partner.send(23, version, &request).forwarded_each::<OffsetForLeaderEpochRequest>();
            let asked = |sent: &OffsetForLeaderEpochRequest| {
                sent.topics.iter().map(|t| t.topic.to_string()).collect::<Vec<_>>()
            };
            assert_eq!(sent.iter().map(asked).collect::<Vec<_>>(), [vec!["b", "a"], vec!["b"]]);
            let found = |name: &str, end| {
                let partition = EpochEndOffset::default().with_partition(2).with_end_offset(end);
                OffsetForLeaderTopicResult::default().with_topic(topic(name)).with_partitions(vec![partition])
            };
            let first =
                OffsetForLeaderEpochResponse::default().with_topics(vec![found("a", 1), found("b", 2)]);
            let second = OffsetForLeaderEpochResponse::default().with_topics(vec![found("b", 3)]);
            let response: OffsetForLeaderEpochResponse = partner.receive_each(awaited, &[first, second]);
            let seen = |t: &OffsetForLeaderTopicResult| {
                (t.topic.to_string(), t.partitions[0].end_offset, t.partitions[0].error_code)
            };
            let expected = [("b", 1, 0), ("a", 2, 0), ("a2", 3, 0), ("x", -1, 29)];
            let expected = expected.map(|(name, end, code)| (name.to_owned(), end, code));
            assert_eq!(response.topics.iter().map(seen).collect::<Vec<_>>(), expected, "v{version}");
        }
    }

    #[test]
    fn nothing_left_is_answered_here_at_every_version() {
        for version in VERSIONS.first..=VERSIONS.last {
            let answer: OffsetForLeaderEpochResponse =
                Partner::of(&[]).send(23, version, &ask(&["x"])).answered();
            assert_eq!(answer.topics[0].partitions[0].error_code, 29, "v{version}");
        }
    }
}
