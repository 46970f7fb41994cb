//! Requests about transactions, by another zone's names for them.

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeTransactionsRequest, EndTxnRequest,
    FindCoordinatorRequest, InitProducerIdRequest, ProduceRequest, TopicName, TransactionalId,
    TxnOffsetCommitRequest,
};

use super::names::{Names, text, topic};
use crate::support::wire::{one_record, typed};

/// Each frame is one attack. `own` is a topic of whoever asks.
pub(super) fn attacks(names: &Names, own: &str) -> Vec<Vec<u8>> {
    let ids = names.transactional_ids();
    let keys = ids.iter().map(|id| id.0.clone()).collect();
    let find = FindCoordinatorRequest::default().with_key_type(1).with_coordinator_keys(keys);
    let mut frames = vec![typed(&find, 6)];
    let topics = names.topics_and(own);
    for id in &ids {
        let describe = DescribeTransactionsRequest::default().with_transactional_ids(vec![id.clone()]);
        frames.push(typed(&describe, 0));
        for topic in &topics {
            frames.push(typed(&add(names, id, topic), 3));
            frames.push(typed(&produce(names, id, topic, 1), 12));
        }
        for committed in [false, true] {
            let end = EndTxnRequest::default()
                .with_transactional_id(id.clone())
                .with_producer_id(names.producer())
                .with_producer_epoch(names.producer_epoch)
                .with_committed(committed);
            frames.extend([3, 5].map(|version| typed(&end, version)));
        }
        frames.extend(offsets(names, id, own));
    }
    frames
}

/// Offsets of every group there is, within the transaction.
fn offsets(names: &Names, id: &TransactionalId, own: &str) -> Vec<Vec<u8>> {
    let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(0);
    let topic = TxnOffsetCommitRequestTopic::default().with_name(topic(own)).with_partitions(vec![partition]);
    let [member, _] = &names.members;
    let mut frames = Vec::new();
    for group in names.groups() {
        let add = AddOffsetsToTxnRequest::default()
            .with_transactional_id(id.clone())
            .with_producer_id(names.producer())
            .with_producer_epoch(names.producer_epoch)
            .with_group_id(group.clone());
        let commit = TxnOffsetCommitRequest::default()
            .with_transactional_id(id.clone())
            .with_group_id(group)
            .with_producer_id(names.producer())
            .with_producer_epoch(names.producer_epoch)
            .with_generation_id(member.epoch)
            .with_member_id(text(&member.id))
            .with_topics(vec![topic.clone()]);
        frames.extend([typed(&add, 4), typed(&commit, 3), typed(&commit, 5)]);
    }
    frames
}

pub(super) fn add(names: &Names, id: &TransactionalId, topic: &TopicName) -> AddPartitionsToTxnRequest {
    let topic = AddPartitionsToTxnTopic::default().with_name(topic.clone()).with_partitions(vec![0]);
    AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(id.clone())
        .with_v3_and_below_producer_id(names.producer())
        .with_v3_and_below_producer_epoch(names.producer_epoch)
        .with_v3_and_below_topics(vec![topic])
}

/// One record of the names' producer, by the topic's name.
pub(super) fn produce(
    names: &Names,
    id: &TransactionalId,
    topic: &TopicName,
    sequence: i32,
) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_records(Some(record(names, true, sequence)));
    let data = TopicProduceData::default().with_name(topic.clone()).with_partition_data(vec![partition]);
    ProduceRequest::default()
        .with_transactional_id(Some(id.clone()))
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![data])
}

/// A batch of one record with the producer's id and epoch.
pub(super) fn record(names: &Names, transactional: bool, sequence: i32) -> Bytes {
    one_record((names.producer, names.producer_epoch), sequence, transactional)
}

/// A producer that says it has been this one before, and one that does not. Whoever asks gets a producer of its own.
pub(super) fn successors(names: &Names) -> Vec<InitProducerIdRequest> {
    let of = |id: &TransactionalId| {
        let new = InitProducerIdRequest::default()
            .with_transactional_id(Some(id.clone()))
            .with_transaction_timeout_ms(60_000);
        let same = new.clone().with_producer_id(names.producer()).with_producer_epoch(names.producer_epoch);
        [same, new]
    };
    names.transactional_ids().iter().flat_map(of).collect()
}
