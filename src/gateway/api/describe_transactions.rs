//! DescribeTransactions (65): a zone's own transactions, with the topics of each that the zone has.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use kafka_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ProducerId, TransactionalId,
};

use super::{Exchange, Outcome, Refusal, body, names, transactional_id};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::policy::{Topic, ZoneView};
use crate::zone::Operation;

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 0);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 65,
    name: "DescribeTransactionsRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("transactionalIds", T::Array(&T::String)).entity(Entity::TransactionalId),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 65,
    name: "DescribeTransactionsResponse",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("transactionStates", T::Array(&T::Struct(&[
            F::new("errorCode", T::Int16),
            F::new("transactionalId", T::String).entity(Entity::TransactionalId),
            F::new("transactionState", T::String),
            F::new("transactionTimeoutMs", T::Int32),
            F::new("transactionStartTimeMs", T::Int64),
            F::new("producerId", T::Int64),
            F::new("producerEpoch", T::Int16),
            F::new("topics", T::Array(&T::Struct(&[
                F::new("topic", T::String).entity(Entity::TopicName),
                F::new("partitions", T::Array(&T::Int32)),
            ]))),
        ]))),
    ],
};

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: DescribeTransactionsRequest = body::request(&REQUEST, version, body)?;
    let admit = |id: &mut TransactionalId| {
        *id = transactional_id::inside(exchange.view, id)?;
        Ok(())
    };
    let (own, refused) =
        names::sort(std::mem::take(&mut request.transactional_ids), admit, |id, error| refuse(&id, error));
    if own.is_empty() {
        let response = DescribeTransactionsResponse::default().with_transaction_states(refused);
        return body::answer(&response, version);
    }
    request.transactional_ids = own;
    let view = Arc::clone(exchange.view);
    body::forward(&request, &RESPONSE, version, move |response: &mut DescribeTransactionsResponse| {
        response.transaction_states.retain_mut(|state| show(&view, state));
        response.transaction_states.extend(refused);
    })
}

fn refuse(id: &TransactionalId, error: ResponseError) -> TransactionState {
    TransactionState::default()
        .with_error_code(error.code())
        // In memory of its own: as decoded it keeps the whole frame.
        .with_transactional_id(TransactionalId(id.to_string().into()))
        .with_transaction_start_time_ms(-1)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}

/// Turns a transaction into the partner's words. False for one that is not the zone's.
fn show(view: &ZoneView, state: &mut TransactionState) -> bool {
    if !transactional_id::rename_back(view, &mut state.transactional_id) {
        return false;
    }
    state.topics.retain_mut(|topic| rename(view, topic));
    true
}

/// A topic that the zone does not have (any more) is not shown, nor is the topic of the groups' offsets. Of two aliases it is
/// the one that can be written to: that is how the topic came into the transaction.
fn rename(view: &ZoneView, topic: &mut TopicData) -> bool {
    let aliases = || view.by_backing(&topic.topic);
    let writable = |known: &&Topic| known.permission.allows(Operation::Write);
    let Some(known) = aliases().find(writable).or_else(|| aliases().next()) else { return false };
    topic.topic = names::wire(&known.alias);
    true
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Partner, Read, Write, topic};
    use super::*;

    fn ask(ids: &[&str]) -> DescribeTransactionsRequest {
        let ids = ids.iter().map(|&id| TransactionalId(id.to_owned().into()));
        DescribeTransactionsRequest::default().with_transactional_ids(ids.collect())
    }

    fn state(id: &'static str, topics: &[&str]) -> TransactionState {
        let topics =
            topics.iter().map(|name| TopicData::default().with_topic(topic(name)).with_partitions(vec![3]));
        TransactionState::default()
            .with_transactional_id(TransactionalId(id.into()))
            .with_transaction_state("Ongoing".into())
            .with_producer_id(ProducerId(9))
            .with_topics(topics.collect())
    }

    #[test]
    fn a_transaction_is_shown_in_the_partners_words() {
        let partner = Partner::of(&[("r", "y", Read), ("w", "y", Write), ("gone", "z", Read)]);
        let (sent, awaited) =
            partner.send(65, 0, &ask(&["t", "u"])).forwarded::<DescribeTransactionsRequest>();
        assert_eq!(sent, ask(&["acme:t", "acme:u"]));
        let unknown = refuse(&TransactionalId("acme:u".into()), ResponseError::TransactionalIdNotFound);
        let states = vec![
            state("acme:t", &["__consumer_offsets", "y", "z", "secret", "w"]),
            unknown,
            state("other:t", &["y"]),
        ];
        let response = DescribeTransactionsResponse::default().with_transaction_states(states);
        let response: DescribeTransactionsResponse = partner.receive(awaited, &response);
        let unknown = refuse(&TransactionalId("u".into()), ResponseError::TransactionalIdNotFound);
        assert_eq!(response.transaction_states, [state("t", &["w", "gone"]), unknown]);
    }

    #[test]
    fn what_kafka_does_not_take_is_refused_beside_what_it_does() {
        let partner = Partner::of(&[]);
        let (sent, awaited) =
            partner.send(65, 0, &ask(&["", "t"])).forwarded::<DescribeTransactionsRequest>();
        assert_eq!(sent, ask(&["acme:t"]));
        let response =
            DescribeTransactionsResponse::default().with_transaction_states(vec![state("acme:t", &[])]);
        let response: DescribeTransactionsResponse = partner.receive(awaited, &response);
        let codes: Vec<_> = response.transaction_states.iter().map(|s| s.error_code).collect();
        assert_eq!(codes, [0, 42]);
        let long = "t".repeat(32_767);
        let answer: DescribeTransactionsResponse = partner.send(65, 0, &ask(&[&long])).answered();
        assert_eq!(answer.transaction_states[0].error_code, 53);
    }
}
