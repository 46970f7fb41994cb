//! TxnOffsetCommit (28): how far a group has read, as part of a transaction.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use super::body::Topics;
use super::names::{self, Key, Rounds};
use super::{Exchange, Outcome, Refusal, body, group_id, transactional_id};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::zone::Operation;

/// What the broker (Kafka 4.4) and `kafka-protocol` share. From version 5 on the offsets join the transaction by themselves
/// (KIP-890); version 6 names topics by id (KIP-1319).
pub(crate) const VERSIONS: Versions = Versions::new(0, 5);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 28,
    name: "TxnOffsetCommitRequest",
    versions: VERSIONS,
    flexible_since: 3,
    fields: &[
        F::new("transactionalId", T::String).entity(Entity::TransactionalId),
        F::new("groupId", T::String).entity(Entity::GroupId),
        F::new("producerId", T::Int64),
        F::new("producerEpoch", T::Int16),
        F::new("generationId", T::Int32).since(3),
        F::new("memberId", T::String).since(3),
        F::new("groupInstanceId", T::String).since(3).nullable_since(3),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("committedOffset", T::Int64),
                F::new("committedLeaderEpoch", T::Int32).since(2),
                F::new("committedMetadata", T::String).nullable_since(0),
            ]))),
        ]))),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 28,
    name: "TxnOffsetCommitResponse",
    versions: VERSIONS,
    flexible_since: 3,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
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
    let (version, view) = (exchange.version, exchange.view);
    let mut request: TxnOffsetCommitRequest = body::request(&REQUEST, version, body)?;
    let inside = transactional_id::inside(view, &request.transactional_id)
        .and_then(|id| Ok((id, group_id::member_inside(view, &request.group_id)?)));
    let admit = |topic: &mut TxnOffsetCommitRequestTopic| {
        inside.as_ref().map_err(|error| *error)?;
        let known = names::authorise(view, Key::Name(&topic.name), Operation::Read)?;
        exchange.quota.commit?;
        topic.name = names::wire(&known.backing);
        Ok(known)
    };
    let (rounds, refused) = Rounds::sort(exchange.view, std::mem::take(&mut request.topics), admit, refuse);
    let Some((id, group)) = inside.ok().filter(|_| !rounds.is_empty()) else {
        return body::answer(&TxnOffsetCommitResponse::default().with_topics(refused), version);
    };
    request.transactional_id = id;
    request.group_id = group;
    let topics = Topics {
        of: |response: &mut TxnOffsetCommitResponse| &mut response.topics,
        name: |topic| &mut topic.name,
    };
    let round = |topics| request.clone().with_topics(topics);
    body::forward_rounds(rounds, round, &RESPONSE, version, &topics, |_| {}, refused)
}

fn refuse(topic: TxnOffsetCommitRequestTopic, error: ResponseError) -> TxnOffsetCommitResponseTopic {
    let refused = |partition: TxnOffsetCommitRequestPartition| {
        TxnOffsetCommitResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_error_code(error.code())
    };
    TxnOffsetCommitResponseTopic::default()
        .with_name(names::detached(&topic.name))
        .with_partitions(topic.partitions.into_iter().map(refused).collect())
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{GroupId, ProducerId, TransactionalId};

    use super::super::fixture::{Partner, Produce, Read, Write, topic};
    use super::*;

    fn ask(id: &str, group: &str, names: &[&str]) -> TxnOffsetCommitRequest {
        let partition =
            TxnOffsetCommitRequestPartition::default().with_partition_index(1).with_committed_offset(10);
        let of = |name: &&str| {
            TxnOffsetCommitRequestTopic::default()
                .with_name(topic(name))
                .with_partitions(vec![partition.clone()])
        };
        TxnOffsetCommitRequest::default()
            .with_transactional_id(TransactionalId(id.to_owned().into()))
            .with_producer_id(ProducerId(4))
            .with_group_id(GroupId(group.to_owned().into()))
            .with_topics(names.iter().map(of).collect())
    }

    fn done(of: &[(&str, i16)]) -> TxnOffsetCommitResponse {
        let topics = of.iter().map(|(name, code)| {
            let partition =
                TxnOffsetCommitResponsePartition::default().with_partition_index(1).with_error_code(*code);
            TxnOffsetCommitResponseTopic::default().with_name(topic(name)).with_partitions(vec![partition])
        });
        TxnOffsetCommitResponse::default().with_topics(topics.collect())
    }

    fn errors(response: &TxnOffsetCommitResponse) -> Vec<(&str, i16)> {
        response.topics.iter().map(|t| (t.name.as_str(), t.partitions[0].error_code)).collect()
    }

    #[test]
    fn offsets_go_to_the_zones_own_group_and_need_read_at_every_version() {
        let partner = Partner::of(&[("a", "b", Read), ("b", "a", Write), ("in", "t", Produce)]);
        for version in VERSIONS.first..=VERSIONS.last {
            let request = ask("t", "g", &["a", "b", "in", "x"]);
            let (sent, awaited) = partner.send(28, version, &request).forwarded::<TxnOffsetCommitRequest>();
            assert_eq!(sent, ask("acme:t", "acme:g", &["b", "a"]), "v{version}");
            let response = done(&[("a", 0), ("b", 22), ("in", 0)]);
            let response = partner.receive(awaited, &response);
            assert_eq!(errors(&response), [("b", 0), ("a", 22), ("in", 29), ("x", 29)]);
        }
    }

    #[test]
    fn two_aliases_of_one_topic_each_get_their_answer() {
        let partner = Partner::of(&[("w", "t", Write), ("r", "t", Read)]);
        let (sent, awaited) = partner.send(28, 5, &ask("t", "g", &["w", "r"])).forwarded_each();
        let sent: Vec<TxnOffsetCommitRequest> = sent;
        assert!(sent.iter().all(|request| *request == ask("acme:t", "acme:g", &["t"])));
        assert_eq!(sent.len(), 2);
        let response = partner.receive_each(awaited, &[done(&[("t", 0)]), done(&[("t", 51)])]);
        assert_eq!(errors(&response), [("w", 0), ("r", 51)]);
    }

    #[test]
    fn what_kafka_does_not_take_is_refused_for_every_partition() {
        let partner = Partner::of(&[("a", "b", Read)]);
        let long = "x".repeat(32_767);
        for (id, group, code) in [("", "g", 42), (&long, "g", 53), ("t", "", 24), ("t", &long, 24)] {
            let answer = partner.send(28, 3, &ask(id, group, &["a", "x"])).answered();
            assert_eq!(errors(&answer), [("a", code), ("x", code)]);
        }
    }
}
