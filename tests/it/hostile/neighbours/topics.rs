//! Requests about topics, by another zone's names and ids for them.

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, DeleteRecordsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    DescribeProducersRequest, FetchRequest, ListOffsetsRequest, MetadataRequest, OffsetForLeaderEpochRequest,
    ProduceRequest, TopicName,
};
use uuid::Uuid;

use super::names::{Names, topic};
use super::transactions::record;
use crate::support::wire::typed;

/// Each frame is one attack.
pub(super) fn attacks(names: &Names) -> Vec<Vec<u8>> {
    let all = names.topics.iter().chain(&names.internal);
    let named = all.flat_map(|name| by_name(names, &topic(name)));
    let all = names.ids.iter().chain(&names.internal_ids);
    let identified = all.flat_map(|id| by_id(names, *id));
    named.chain(identified).chain(in_its_session(names)).collect()
}

fn by_name(names: &Names, name: &TopicName) -> Vec<Vec<u8>> {
    let asked = MetadataRequestTopic::default().with_name(Some(name.clone()));
    let metadata =
        MetadataRequest::default().with_topics(Some(vec![asked])).with_allow_auto_topic_creation(true);
    let data = TopicProduceData::default().with_name(name.clone());
    let fetched = FetchTopic::default().with_topic(name.clone());
    let offsets = ListOffsetsTopic::default()
        .with_name(name.clone())
        .with_partitions(vec![ListOffsetsPartition::default()]);
    let epochs = OffsetForLeaderTopic::default()
        .with_topic(name.clone())
        .with_partitions(vec![OffsetForLeaderPartition::default()]);
    let producers = TopicRequest::default().with_name(name.clone()).with_partition_indexes(vec![0]);
    let mut frames = vec![
        typed(&metadata, 13),
        typed(&produce(names, data), 12),
        typed(&fetch(fetched).with_replica_id(BrokerId(-1)), 12),
        typed(&ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![offsets]), 10),
        typed(&OffsetForLeaderEpochRequest::default().with_topics(vec![epochs]), 4),
        typed(&DescribeProducersRequest::default().with_topics(vec![producers]), 0),
    ];
    frames.extend(administration(name));
    frames
}

fn administration(name: &TopicName) -> [Vec<u8>; 4] {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(name.0.clone())
        .with_configuration_keys(None);
    let records = DeleteRecordsTopic::default()
        .with_name(name.clone())
        .with_partitions(vec![DeleteRecordsPartition::default().with_offset(1)]);
    let deleted = DeleteTopicState::default().with_name(Some(name.clone()));
    let grown = CreatePartitionsTopic::default().with_name(name.clone()).with_count(9).with_assignments(None);
    [
        typed(&DescribeConfigsRequest::default().with_resources(vec![resource]), 4),
        typed(&DeleteRecordsRequest::default().with_topics(vec![records]).with_timeout_ms(5_000), 2),
        typed(&DeleteTopicsRequest::default().with_topics(vec![deleted]).with_timeout_ms(5_000), 6),
        typed(&CreatePartitionsRequest::default().with_topics(vec![grown]).with_timeout_ms(5_000), 3),
    ]
}

fn by_id(names: &Names, id: Uuid) -> Vec<Vec<u8>> {
    let asked = MetadataRequestTopic::default().with_name(None).with_topic_id(id);
    let data = TopicProduceData::default().with_topic_id(id);
    let fetched = || fetch(FetchTopic::default().with_topic_id(id));
    let deleted = DeleteTopicState::default().with_name(None).with_topic_id(id);
    vec![
        typed(&MetadataRequest::default().with_topics(Some(vec![asked])), 13),
        typed(&produce(names, data), 13),
        typed(&fetched().with_replica_id(BrokerId(-1)), 13),
        typed(&fetched(), 18),
        typed(&DeleteTopicsRequest::default().with_topics(vec![deleted]).with_timeout_ms(5_000), 6),
    ]
}

/// The fetch session goes on, is asked for more and for less, and ends.
fn in_its_session(names: &Names) -> Vec<Vec<u8>> {
    let [_, real] = names.ids;
    let more = FetchTopic::default().with_topic_id(real).with_partitions(vec![FetchPartition::default()]);
    let less = ForgottenTopic::default().with_topic_id(real).with_partitions(vec![0]);
    let on = || in_session(names, 1);
    [on(), on().with_topics(vec![more]), on().with_forgotten_topics_data(vec![less]), in_session(names, -1)]
        .map(|fetch| typed(&fetch, 17))
        .to_vec()
}

/// A fetch of nothing new in the session; with epoch 0 it begins anew.
pub(super) fn in_session(names: &Names, epoch: i32) -> FetchRequest {
    FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_session_id(names.fetch_session)
        .with_session_epoch(epoch)
}

fn produce(names: &Names, data: TopicProduceData) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_records(Some(record(names, false, 1)));
    ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![data.with_partition_data(vec![partition])])
}

fn fetch(topic: FetchTopic) -> FetchRequest {
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
    FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic.with_partitions(vec![partition])])
}
