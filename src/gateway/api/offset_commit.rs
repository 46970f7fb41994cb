//! OffsetCommit (8): how far a group has read.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use super::body::Topics;
use super::names::{self, Key, Rounds};
use super::{Exchange, Outcome, Refusal, body, group_id};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::zone::Operation;

/// What the broker (Kafka 4.4) and `kafka-protocol` share. Version 10 names topics by id.
pub(crate) const VERSIONS: Versions = Versions::new(2, 9);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 8,
    name: "OffsetCommitRequest",
    versions: VERSIONS,
    flexible_since: 8,
    fields: &[
        F::new("groupId", T::String).entity(Entity::GroupId),
        F::new("generationIdOrMemberEpoch", T::Int32),
        F::new("memberId", T::String),
        F::new("groupInstanceId", T::String).since(7).nullable_since(7),
        F::new("retentionTimeMs", T::Int64).until(4),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("committedOffset", T::Int64),
                F::new("committedLeaderEpoch", T::Int32).since(6),
                F::new("committedMetadata", T::String).nullable_since(0),
            ]))),
        ]))),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 8,
    name: "OffsetCommitResponse",
    versions: VERSIONS,
    flexible_since: 8,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(3),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("errorCode", T::Int16),
            ]))),
        ]))),
    ],
};

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: OffsetCommitRequest = body::request(&REQUEST, version, body)?;
    let group = group_id::inside(exchange.view, &request.group_id);
    let admit = |topic: &mut OffsetCommitRequestTopic| {
        group.as_ref().map_err(|error| *error)?;
        let known = names::authorise(exchange.view, Key::Name(&topic.name), Operation::Read)?;
        exchange.quota.commit?;
        topic.name = names::wire(&known.backing);
        Ok(known)
    };
    let (rounds, refused) = Rounds::sort(exchange.view, std::mem::take(&mut request.topics), admit, refuse);
    let Some(group) = group.ok().filter(|_| !rounds.is_empty()) else {
        return body::answer(&OffsetCommitResponse::default().with_topics(refused), version);
    };
    request.group_id = group;
    let topics = Topics {
        of: |response: &mut OffsetCommitResponse| &mut response.topics,
        name: |topic| &mut topic.name,
    };
    let round = |topics| request.clone().with_topics(topics);
    body::forward_rounds(rounds, round, &RESPONSE, version, &topics, |_| {}, refused)
}

fn refuse(topic: OffsetCommitRequestTopic, error: ResponseError) -> OffsetCommitResponseTopic {
    let refused = |partition: OffsetCommitRequestPartition| {
        OffsetCommitResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_error_code(error.code())
    };
    OffsetCommitResponseTopic::default()
        .with_name(names::detached(&topic.name))
        .with_partitions(topic.partitions.into_iter().map(refused).collect())
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::GroupId;

    use super::super::fixture::{Partner, Produce, Read, Write, topic};
    use super::*;

    fn ask(group: &str, names: &[&str]) -> OffsetCommitRequest {
        let partition =
            OffsetCommitRequestPartition::default().with_partition_index(1).with_committed_offset(10);
        let of = |name: &&str| {
            OffsetCommitRequestTopic::default()
                .with_name(topic(name))
                .with_partitions(vec![partition.clone()])
        };
        OffsetCommitRequest::default()
            .with_group_id(GroupId(group.to_owned().into()))
            .with_topics(names.iter().map(of).collect())
    }

    fn errors(response: &OffsetCommitResponse) -> Vec<(String, i16)> {
        response.topics.iter().map(|t| (t.name.to_string(), t.partitions[0].error_code)).collect()
    }

    #[test]
    fn offsets_belong_to_the_topic_and_need_read_at_every_version() {
        let partner =
            Partner::of(&[("a", "b", Read), ("b", "a", Write), ("in", "t", Produce), ("a2", "b", Read)]);
        for version in VERSIONS.first..=VERSIONS.last {
            let request = ask("g", &["a", "b", "in", "a2", "x"]);
            let (sent, awaited) = partner.send(8, version, &request).forwarded_each::<OffsetCommitRequest>();
            assert!(sent.iter().all(|sent| sent.group_id.as_str() == "acme:g"));
            let asked = |sent: &OffsetCommitRequest| {
                sent.topics.iter().map(|t| t.name.to_string()).collect::<Vec<_>>()
            };
            assert_eq!(sent.iter().map(asked).collect::<Vec<_>>(), [vec!["b", "a"], vec!["b"]]);
            let done = |name: &str, code| {
                let partition =
                    OffsetCommitResponsePartition::default().with_partition_index(1).with_error_code(code);
                OffsetCommitResponseTopic::default().with_name(topic(name)).with_partitions(vec![partition])
            };
            let first = OffsetCommitResponse::default().with_topics(vec![done("a", 0), done("b", 22)]);
            let second = OffsetCommitResponse::default().with_topics(vec![done("b", 25)]);
            let expected = [("b", 0), ("a", 22), ("a2", 25), ("in", 29), ("x", 29)];
            let response = partner.receive_each(awaited, &[first, second]);
            assert_eq!(errors(&response), expected.map(|(name, code)| (name.to_owned(), code)), "v{version}");
        }
    }

    #[test]
    fn a_group_too_long_is_refused_for_every_partition() {
        let partner = Partner::of(&[("a", "b", Read)]);
        let answer = partner.send(8, 8, &ask(&"g".repeat(32_767), &["a", "x"])).answered();
        assert_eq!(errors(&answer), [("a".to_owned(), 24), ("x".to_owned(), 24)]);
    }
}
