//! Topics and records.

use bytes::Bytes;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeConfigsRequest, FetchRequest, ListOffsetsRequest,
    MetadataRequest, OffsetForLeaderEpochRequest, ProduceRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{HIDDEN, NOWHERE, ORDERS, Oracle, PRODUCED, READABLE};
use crate::support::wire::one_record;

const ALL: [&str; 5] = [ORDERS, READABLE, PRODUCED, HIDDEN, NOWHERE];

pub(super) fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

fn batch() -> Bytes {
    one_record((-1, -1), -1, false)
}

pub(super) fn compare(oracle: &mut Oracle) {
    produce_and_fetch(oracle);
    oracle.compare(
        &[],
        |version, _| {
            let partition = ListOffsetsPartition::default().with_timestamp(-1);
            let topic = |topic| {
                ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![partition.clone()])
            };
            let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1));
            let request = if version >= 10 { request.with_timeout_ms(1000) } else { request };
            vec![request.with_topics(ALL.map(topic).to_vec())]
        },
        |answer| answer.topics.sort_by(|a, b| a.name.cmp(&b.name)),
    );
    oracle.compare(
        &[],
        |version, _| {
            let partition = OffsetForLeaderPartition::default().with_leader_epoch(0);
            let topic = |topic| {
                OffsetForLeaderTopic::default()
                    .with_topic(name(topic))
                    .with_partitions(vec![partition.clone()])
            };
            let request = OffsetForLeaderEpochRequest::default().with_topics(ALL.map(topic).to_vec());
            vec![if version >= 3 { request.with_replica_id(BrokerId(-1)) } else { request }]
        },
        |answer| answer.topics.sort_by(|a, b| a.topic.cmp(&b.topic)),
    );
    metadata(oracle);
    oracle.compare(
        &[],
        |version, _| {
            let request = DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
            if version == 0 { vec![request] } else { vec![request.clone(), request.with_endpoint_type(2)] }
        },
        |_| {},
    );
    configs(oracle);
}

fn produce_and_fetch(oracle: &mut Oracle) {
    oracle.compare(
        &[("base_offset", "both write to one topic"), ("log_start_offset", "told of one's own records only")],
        |version, side| {
            let topic = |topic: &&str| {
                let partition = PartitionProduceData::default().with_records(Some(batch()));
                let data = TopicProduceData::default().with_partition_data(vec![partition]);
                if version < 13 { data.with_name(name(topic)) } else { data.with_topic_id(side.id(topic)) }
            };
            // By id an unshared topic is as unknown as one that does not exist: no name is left to say which.
            let topics = ALL[..if version < 13 { 5 } else { 4 }].iter().map(topic).collect();
            vec![ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(topics)]
        },
        |answer| {
            answer
                .responses
                .sort_by_key(|topic| (topic.name.clone(), topic.partition_responses[0].error_code));
        },
    );
    oracle.compare(
        &[],
        |version, side| {
            let topic = |topic: &&str| {
                let partition = FetchPartition::default().with_partition_max_bytes(1_000_000);
                let fetch = FetchTopic::default().with_partitions(vec![partition]);
                if version < 13 { fetch.with_topic(name(topic)) } else { fetch.with_topic_id(side.id(topic)) }
            };
            let topics = ALL[..if version < 13 { 5 } else { 4 }].iter().map(topic).collect();
            let request = FetchRequest::default().with_max_bytes(1_000_000).with_topics(topics);
            vec![if version < 15 { request.with_replica_id(BrokerId(-1)) } else { request }]
        },
        |answer| answer.responses.sort_by_key(|topic| (topic.topic.clone(), topic.partitions[0].error_code)),
    );
}

fn metadata(oracle: &mut Oracle) {
    oracle.compare(
        &[],
        |version, side| {
            let all = MetadataRequest::default().with_topics(if version == 0 { Some(vec![]) } else { None });
            let named = |topic| MetadataRequestTopic::default().with_name(Some(name(topic)));
            let names = MetadataRequest::default().with_topics(Some(ALL.map(named).to_vec()));
            let mut requests = vec![all, names];
            if version >= 12 {
                let by_id = |id: Uuid| MetadataRequestTopic::default().with_name(None).with_topic_id(id);
                let ids = vec![by_id(side.id(ORDERS)), by_id(side.id(PRODUCED)), by_id(side.id(NOWHERE))];
                requests.push(MetadataRequest::default().with_topics(Some(ids)));
            }
            for request in &mut requests {
                request.allow_auto_topic_creation = version < 4;
                request.include_topic_authorized_operations = version >= 8;
                request.include_cluster_authorized_operations = (8..=10).contains(&version);
            }
            requests
        },
        |answer| answer.topics.sort_by(|a, b| (&a.name, a.topic_id).cmp(&(&b.name, b.topic_id))),
    );
}

fn configs(oracle: &mut Oracle) {
    oracle.compare(
        &[(
            "configs",
            "only settings that name nobody are shown; their values are compared one by one below",
        )],
        |_, _| {
            let resource = |kind, name: &'static str| {
                DescribeConfigsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(name.into())
                    .with_configuration_keys(None)
            };
            let topics = ALL.map(|topic| resource(2, topic));
            let others = [resource(4, "1"), resource(8, "1"), resource(16, "metrics"), resource(32, "x")];
            vec![DescribeConfigsRequest::default().with_resources([&topics[..], &others].concat())]
        },
        |answer| answer.results.sort_by_key(|r| (r.resource_type, r.resource_name.clone())),
    );
    oracle.compare(
        &[],
        |version, _| {
            let keys =
                ["retention.ms", "min.insync.replicas", "cleanup.policy"].map(StrBytes::from_static_str);
            let resource = DescribeConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(ORDERS.into())
                .with_configuration_keys(Some(keys.to_vec()));
            let request =
                DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true);
            vec![if version >= 3 { request.with_include_documentation(true) } else { request }]
        },
        |answer| answer.results[0].configs.sort_by_key(|config| config.name.clone()),
    );
}
