//! Producers' identities and transactions.

use std::time::Duration;

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeTransactionsRequest, EndTxnRequest,
    InitProducerIdRequest, ListTransactionsRequest, TransactionalId, TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::data::name;
use super::groups::group;
use super::side::Side;
use super::{Allowed, HIDDEN, ORDERS, Oracle, PRODUCED, READABLE};

const DRAWN: [Allowed; 2] =
    [("producer_id", "drawn by the broker"), ("producer_epoch", "drawn by the broker")];

fn id(text: &str) -> TransactionalId {
    TransactionalId(StrBytes::from_string(text.to_owned()))
}

/// Adds topics to a new transaction, in the form of versions up to 3.
fn add(side: &mut Side, transaction: &str, topics: &[&str]) -> AddPartitionsToTxnRequest {
    let (id, producer, epoch) = side.producer(transaction);
    let topic =
        |topic: &&str| AddPartitionsToTxnTopic::default().with_name(name(topic)).with_partitions(vec![0]);
    AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(id)
        .with_v3_and_below_producer_id(producer)
        .with_v3_and_below_producer_epoch(epoch)
        .with_v3_and_below_topics(topics.iter().map(topic).collect())
}

pub(super) fn compare(oracle: &mut Oracle) {
    members(oracle);
    ends_and_listings(oracle);
}

/// What joins a transaction.
fn members(oracle: &mut Oracle) {
    oracle.compare(
        &DRAWN,
        |version, _| {
            let of = |id| {
                InitProducerIdRequest::default().with_transactional_id(id).with_transaction_timeout_ms(60_000)
            };
            let too_long = of(Some(id("t-long"))).with_transaction_timeout_ms(i32::MAX);
            vec![of(None), of(Some(id(&format!("t-init-{version}")))), of(Some(id(""))), too_long]
        },
        |_| {},
    );
    oracle.compare(
        &[],
        |version, side| {
            vec![
                add(side, &format!("t-add-{version}"), &[ORDERS, PRODUCED]),
                add(side, &format!("t-denied-{version}"), &[ORDERS, READABLE, HIDDEN]),
            ]
        },
        |answer| answer.results_by_topic_v3_and_below.sort_by(|a, b| a.name.cmp(&b.name)),
    );
    oracle.compare(
        &[],
        |version, side| {
            let (id, producer, epoch) = side.producer(&format!("t-offsets-{version}"));
            let request = AddOffsetsToTxnRequest::default()
                .with_transactional_id(id)
                .with_producer_id(producer)
                .with_producer_epoch(epoch);
            vec![request.clone().with_group_id(group("g-transaction")), request.with_group_id(group(""))]
        },
        |_| {},
    );
    oracle.compare(
        &[],
        |version, side| {
            let (id, producer, epoch) = side.producer(&format!("t-commit-{version}"));
            let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(1);
            let topic = |topic| {
                TxnOffsetCommitRequestTopic::default()
                    .with_name(name(topic))
                    .with_partitions(vec![partition.clone()])
            };
            let request = TxnOffsetCommitRequest::default()
                .with_transactional_id(id)
                .with_producer_id(producer)
                .with_producer_epoch(epoch)
                .with_group_id(group("g-transaction"))
                .with_topics([ORDERS, PRODUCED, HIDDEN].map(topic).to_vec());
            vec![request]
        },
        |answer| answer.topics.sort_by(|a, b| a.name.cmp(&b.name)),
    );
}

fn ends_and_listings(oracle: &mut Oracle) {
    oracle.compare(
        &DRAWN,
        |version, side| {
            let transaction = format!("t-end-{version}");
            let added = add(side, &transaction, &[ORDERS]);
            assert_eq!(
                side.ask(&added, 3).results_by_topic_v3_and_below[0].results_by_partition[0]
                    .partition_error_code,
                0
            );
            let end = |id| {
                EndTxnRequest::default()
                    .with_transactional_id(id)
                    .with_producer_id(added.v3_and_below_producer_id)
                    .with_producer_epoch(added.v3_and_below_producer_epoch)
                    .with_committed(true)
            };
            vec![end(id(&transaction)), end(id("t-nobody"))]
        },
        |_| {},
    );
    oracle.compare(
        &[("producer_id", "drawn by the broker"), ("transaction_start_time_ms", "a moment")],
        |_, side| {
            let added = add(side, "t-described", &[ORDERS]);
            side.ask(&added, 3);
            let ids = vec![id("t-described"), id("t-nobody")];
            vec![DescribeTransactionsRequest::default().with_transactional_ids(ids)]
        },
        |answer| answer.transaction_states.sort_by(|a, b| a.transactional_id.cmp(&b.transactional_id)),
    );
    oracle.compare(
        &[("producer_id", "drawn by the broker")],
        |version, side| {
            let all = ListTransactionsRequest::default();
            let ending = ["PrepareCommit", "PrepareAbort"].map(Into::into).to_vec();
            while !side.ask(&all.clone().with_state_filters(ending.clone()), 0).transaction_states.is_empty()
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            let mut requests = vec![all.clone(), all.clone().with_state_filters(vec!["Ongoing".into()])];
            if version >= 2 {
                requests.push(all.clone().with_transactional_id_pattern(Some("t-add.*".into())));
                requests.push(all.with_transactional_id_pattern(Some("(".into())));
            }
            requests
        },
        |answer| answer.transaction_states.sort_by(|a, b| a.transactional_id.cmp(&b.transactional_id)),
    );
}
