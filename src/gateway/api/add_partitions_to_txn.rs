//! AddPartitionsToTxn (24): partitions join a transaction, all of them or none.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};

use super::body::Topics;
use super::names::{self, Key, Rounds};
use super::{Exchange, Outcome, Refusal, body, transactional_id};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::policy::Topic;
use crate::zone::Operation;

/// Clients stop at 3: from version 4 on, brokers ask each other about many transactions at once.
pub(crate) const VERSIONS: Versions = Versions::new(0, 3);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 24,
    name: "AddPartitionsToTxnRequest",
    versions: VERSIONS,
    flexible_since: 3,
    fields: &[
        F::new("transactionalId", T::String).entity(Entity::TransactionalId),
        F::new("producerId", T::Int64),
        F::new("producerEpoch", T::Int16),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Int32)),
        ]))),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 24,
    name: "AddPartitionsToTxnResponse",
    versions: VERSIONS,
    flexible_since: 3,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("results", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("resultsByPartition", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("partitionErrorCode", T::Int16),
            ]))),
        ]))),
    ],
};

/// A topic that may not be written takes part in no transaction, and then no other topic of the request does either.
pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let (version, view) = (exchange.version, exchange.view);
    let mut request: AddPartitionsToTxnRequest = body::request(&REQUEST, version, body)?;
    let topics = std::mem::take(&mut request.v3_and_below_topics);
    let denied = |topic: &AddPartitionsToTxnTopic| authorise(exchange, topic).err();
    let inside = match transactional_id::inside(view, &request.v3_and_below_transactional_id) {
        Ok(inside) if topics.iter().all(|topic| denied(topic).is_none()) => inside,
        Ok(_) => {
            let not_attempted = ResponseError::OperationNotAttempted;
            return answer(topics, version, |topic| denied(topic).unwrap_or(not_attempted));
        }
        Err(error) => return answer(topics, version, |_| error),
    };
    request.v3_and_below_transactional_id = inside;
    let admit = |topic: &mut AddPartitionsToTxnTopic| {
        let known = authorise(exchange, topic)?;
        topic.name = names::wire(&known.backing);
        Ok(known)
    };
    let (rounds, refused) = Rounds::sort(exchange.view, topics, admit, refuse);
    if rounds.is_empty() {
        return answer(Vec::new(), version, |_| ResponseError::OperationNotAttempted);
    }
    let topics = Topics {
        of: |response: &mut AddPartitionsToTxnResponse| &mut response.results_by_topic_v3_and_below,
        name: |topic| &mut topic.name,
    };
    let round = |topics| request.clone().with_v3_and_below_topics(topics);
    body::forward_rounds(rounds, round, &RESPONSE, version, &topics, |_| {}, refused)
}

fn authorise<'e>(
    exchange: &Exchange<'e>,
    topic: &AddPartitionsToTxnTopic,
) -> Result<&'e Topic, ResponseError> {
    names::authorise(exchange.view, Key::Name(&topic.name), Operation::Write)
}

fn answer(
    topics: Vec<AddPartitionsToTxnTopic>,
    version: i16,
    error: impl Fn(&AddPartitionsToTxnTopic) -> ResponseError,
) -> Result<Outcome, Refusal> {
    let results = topics.into_iter().map(|topic| {
        let error = error(&topic);
        refuse(topic, error)
    });
    let response =
        AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results.collect());
    body::answer(&response, version)
}

fn refuse(topic: AddPartitionsToTxnTopic, error: ResponseError) -> AddPartitionsToTxnTopicResult {
    let refused = |index: i32| {
        AddPartitionsToTxnPartitionResult::default()
            .with_partition_index(index)
            .with_partition_error_code(error.code())
    };
    AddPartitionsToTxnTopicResult::default()
        .with_name(names::detached(&topic.name))
        .with_results_by_partition(topic.partitions.into_iter().map(refused).collect())
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{ProducerId, TransactionalId};

    use super::super::fixture::{Partner, Produce, Read, Write, topic};
    use super::*;

    fn ask(id: &str, names: &[&str]) -> AddPartitionsToTxnRequest {
        let of = |name: &&str| {
            AddPartitionsToTxnTopic::default().with_name(topic(name)).with_partitions(vec![0, 7])
        };
        AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(TransactionalId(id.to_owned().into()))
            .with_v3_and_below_producer_id(ProducerId(4))
            .with_v3_and_below_producer_epoch(2)
            .with_v3_and_below_topics(names.iter().map(of).collect())
    }

    /// (topic, partition, error) of every partition.
    fn seen(response: &AddPartitionsToTxnResponse) -> Vec<(String, i32, i16)> {
        let topics = response.results_by_topic_v3_and_below.iter();
        topics
            .flat_map(|t| {
                let of = |p: &AddPartitionsToTxnPartitionResult| {
                    (t.name.to_string(), p.partition_index, p.partition_error_code)
                };
                t.results_by_partition.iter().map(of)
            })
            .collect()
    }

    fn done(names: &[&str], code: ResponseError) -> AddPartitionsToTxnResponse {
        let results = names.iter().map(|name| refuse(ask("", &[name]).v3_and_below_topics.remove(0), code));
        AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results.collect())
    }

    #[test]
    fn writable_topics_join_the_zones_own_transaction_at_every_version() {
        let partner = Partner::of(&[("a", "b", Write), ("b", "a", Produce)]);
        for version in VERSIONS.first..=VERSIONS.last {
            let (sent, awaited) =
                partner.send(24, version, &ask("t", &["a", "b"])).forwarded::<AddPartitionsToTxnRequest>();
            assert_eq!(sent, ask("acme:t", &["b", "a"]), "v{version}");
            let invalid = ResponseError::InvalidProducerEpoch;
            let mut response = done(&["a", "b"], invalid);
            response.results_by_topic_v3_and_below.extend(refused_topic("elsewhere"));
            let response: AddPartitionsToTxnResponse = partner.receive(awaited, &response);
            let code = invalid.code();
            let expected = [("b", 0, code), ("b", 7, code), ("a", 0, code), ("a", 7, code)];
            assert_eq!(seen(&response), expected.map(|(name, at, code)| (name.to_owned(), at, code)));
        }
    }

    fn refused_topic(name: &str) -> Vec<AddPartitionsToTxnTopicResult> {
        done(&[name], ResponseError::UnknownServerError).results_by_topic_v3_and_below
    }

    #[test]
    fn one_topic_that_may_not_be_written_keeps_all_others_out_at_every_version() {
        let partner = Partner::of(&[("w", "y", Write), ("ro", "x", Read)]);
        for version in VERSIONS.first..=VERSIONS.last {
            for bad in ["ro", "secret"] {
                let answer = partner.send(24, version, &ask("t", &["w", bad])).answered();
                let expected = [("w", 0, 55), ("w", 7, 55), (bad, 0, 29), (bad, 7, 29)];
                assert_eq!(seen(&answer), expected.map(|(name, at, code)| (name.to_owned(), at, code)));
            }
        }
    }

    #[test]
    fn two_aliases_of_one_topic_join_once_each_and_each_gets_its_answer() {
        let partner = Partner::of(&[("one", "t", Write), ("two", "t", Produce)]);
        let (sent, awaited) =
            partner.send(24, 3, &ask("t", &["one", "two"])).forwarded_each::<AddPartitionsToTxnRequest>();
        assert_eq!(sent, [ask("acme:t", &["t"]), ask("acme:t", &["t"])]);
        let responses = [ResponseError::UnknownTopicOrPartition, ResponseError::ConcurrentTransactions];
        let responses = responses.map(|error| done(&["t"], error));
        let response: AddPartitionsToTxnResponse = partner.receive_each(awaited, &responses);
        let expected = [("one", 0, 3), ("one", 7, 3), ("two", 0, 51), ("two", 7, 51)];
        assert_eq!(seen(&response), expected.map(|(name, at, code)| (name.to_owned(), at, code)));
    }

    #[test]
    fn an_id_that_cannot_be_is_refused_for_every_partition() {
        let partner = Partner::of(&[("w", "y", Write)]);
        for (id, code) in [(String::new(), 42), ("t".repeat(32_767), 53)] {
            let answer = partner.send(24, 3, &ask(&id, &["w", "x"])).answered();
            assert!(seen(&answer).iter().all(|(.., error)| *error == code), "{answer:?}");
            assert_eq!(seen(&answer).len(), 4);
        }
        let nothing: AddPartitionsToTxnResponse = partner.send(24, 3, &ask("t", &[])).answered();
        assert_eq!(seen(&nothing), []);
    }
}
