//! Administration, which neither the principal nor a partner may do.

use bytes::Bytes;
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{
    self as m, BrokerId, alter_client_quotas_request, alter_configs_request,
    alter_partition_reassignments_request, alter_user_scram_credentials_request, describe_quorum_request,
    elect_leaders_request, incremental_alter_configs_request,
};
use kafka_protocol::protocol::StrBytes;

use super::data::name;
use super::{HIDDEN, NOWHERE, ORDERS, Oracle};

const TOPICS: [&str; 3] = [ORDERS, HIDDEN, NOWHERE];
/// Kafka's codes for what has a configuration: topic, broker, logger, client metrics, group.
const CONFIGURED: [(i8, &str); 7] =
    [(2, ORDERS), (2, HIDDEN), (2, NOWHERE), (4, "1"), (8, "1"), (16, "metrics"), (32, "x")];

pub(super) fn compare(oracle: &mut Oracle) {
    topics(oracle);
    configs(oracle);
    acls(oracle);
    placement(oracle);
    users(oracle);
    whole_cluster(oracle);
}

fn topics(oracle: &mut Oracle) {
    oracle.compare(
        &[],
        |_, _| {
            let topic = |topic| {
                CreatableTopic::default()
                    .with_name(name(topic))
                    .with_num_partitions(1)
                    .with_replication_factor(1)
            };
            vec![
                m::CreateTopicsRequest::default()
                    .with_topics(TOPICS.map(topic).to_vec())
                    .with_timeout_ms(1000),
            ]
        },
        |answer| answer.topics.sort_by(|a, b| a.name.cmp(&b.name)),
    );
    oracle.compare(
        &[],
        |version, side| {
            let request = m::DeleteTopicsRequest::default().with_timeout_ms(1000);
            if version < 6 {
                return vec![request.with_topic_names(TOPICS.map(name).to_vec())];
            }
            let by_name = |topic| DeleteTopicState::default().with_name(Some(name(topic)));
            let by_id = |topic| DeleteTopicState::default().with_topic_id(side.id(topic));
            vec![
                request.clone().with_topics(TOPICS.map(by_name).to_vec()),
                request.with_topics(vec![by_id(ORDERS), by_id(NOWHERE)]),
            ]
        },
        |answer| answer.responses.sort_by_key(|topic| (topic.name.clone(), topic.error_code)),
    );
    contents(oracle);
}

fn contents(oracle: &mut Oracle) {
    oracle.compare(
        &[],
        |_, _| {
            let partition = DeleteRecordsPartition::default().with_offset(0);
            let topic = |topic| {
                DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(vec![partition.clone()])
            };
            vec![
                m::DeleteRecordsRequest::default()
                    .with_topics(TOPICS.map(topic).to_vec())
                    .with_timeout_ms(1000),
            ]
        },
        |answer| answer.topics.sort_by(|a, b| a.name.cmp(&b.name)),
    );
    oracle.compare(
        &[],
        |_, _| {
            let topic = |topic| {
                CreatePartitionsTopic::default().with_name(name(topic)).with_count(5).with_assignments(None)
            };
            vec![
                m::CreatePartitionsRequest::default()
                    .with_topics(TOPICS.map(topic).to_vec())
                    .with_timeout_ms(1000),
            ]
        },
        |answer| answer.results.sort_by(|a, b| a.name.cmp(&b.name)),
    );
    oracle.compare(
        &[],
        |_, _| {
            let topic =
                |topic| TopicRequest::default().with_name(name(topic)).with_partition_indexes(vec![0]);
            // A topic that may be read is left out: a broker shows its producers, which here are other people's too.
            vec![m::DescribeProducersRequest::default().with_topics([HIDDEN, NOWHERE].map(topic).to_vec())]
        },
        |answer| answer.topics.sort_by(|a, b| a.name.cmp(&b.name)),
    );
}

fn configs(oracle: &mut Oracle) {
    oracle.compare(
        &[],
        |_, _| {
            let resource = |(kind, name): (i8, &'static str)| {
                alter_configs_request::AlterConfigsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(name.into())
            };
            // Not for loggers, client metrics and groups: this request never could.
            vec![
                m::AlterConfigsRequest::default()
                    .with_resources(CONFIGURED[..4].iter().copied().map(resource).collect()),
            ]
        },
        |answer| answer.responses.sort_by_key(|r| (r.resource_type, r.resource_name.clone())),
    );
    oracle.compare(
        &[],
        |_, _| {
            let resource = |(kind, name): (i8, &'static str)| {
                incremental_alter_configs_request::AlterConfigsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(name.into())
            };
            vec![
                m::IncrementalAlterConfigsRequest::default()
                    .with_resources(CONFIGURED.map(resource).to_vec()),
            ]
        },
        |answer| answer.responses.sort_by_key(|r| (r.resource_type, r.resource_name.clone())),
    );
    oracle.compare(
        &[],
        |version, _| {
            let request = m::ListConfigResourcesRequest::default();
            vec![if version == 0 { request } else { request.with_resource_types(vec![2, 16, 32]) }]
        },
        |_| {},
    );
}

fn acls(oracle: &mut Oracle) {
    oracle.compare(
        &[],
        |_, _| {
            let any = m::DescribeAclsRequest::default()
                .with_resource_type_filter(1)
                .with_resource_name_filter(None)
                .with_pattern_type_filter(1)
                .with_principal_filter(None)
                .with_host_filter(None)
                .with_operation(1)
                .with_permission_type(1);
            vec![any]
        },
        |_| {},
    );
    oracle.compare(
        &[],
        |_, _| {
            let creation = AclCreation::default()
                .with_resource_type(2)
                .with_resource_name(HIDDEN.into())
                .with_resource_pattern_type(3)
                .with_principal("User:gateway".into())
                .with_host("*".into())
                .with_operation(3)
                .with_permission_type(3);
            vec![m::CreateAclsRequest::default().with_creations(vec![creation.clone(), creation])]
        },
        |_| {},
    );
    oracle.compare(
        &[],
        |_, _| {
            let any = DeleteAclsFilter::default()
                .with_resource_type_filter(1)
                .with_resource_name_filter(None)
                .with_pattern_type_filter(1)
                .with_principal_filter(None)
                .with_host_filter(None)
                .with_operation(1)
                .with_permission_type(1);
            vec![m::DeleteAclsRequest::default().with_filters(vec![any])]
        },
        |_| {},
    );
}

fn placement(oracle: &mut Oracle) {
    oracle.compare(
        &[],
        |_, _| {
            let topic =
                |topic| AlterReplicaLogDirTopic::default().with_name(name(topic)).with_partitions(vec![0]);
            let dir = AlterReplicaLogDir::default()
                .with_path("/elsewhere".into())
                .with_topics(TOPICS.map(topic).to_vec());
            vec![m::AlterReplicaLogDirsRequest::default().with_dirs(vec![dir])]
        },
        |answer| answer.results.sort_by(|a, b| a.topic_name.cmp(&b.topic_name)),
    );
    oracle.compare(&[], |_, _| vec![m::DescribeLogDirsRequest::default().with_topics(None)], |_| {});
    oracle.compare(
        &[],
        |_, _| {
            let topic = |topic| {
                elect_leaders_request::TopicPartitions::default()
                    .with_topic(name(topic))
                    .with_partitions(vec![0])
            };
            let request = m::ElectLeadersRequest::default().with_timeout_ms(1000);
            vec![
                request.clone().with_topic_partitions(Some(TOPICS.map(topic).to_vec())),
                request.with_topic_partitions(None),
            ]
        },
        |answer| answer.replica_election_results.sort_by(|a, b| a.topic.cmp(&b.topic)),
    );
    oracle.compare(
        &[],
        |_, _| {
            use alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
            let partition = ReassignablePartition::default().with_replicas(Some(vec![BrokerId(1)]));
            let topic = |topic| {
                ReassignableTopic::default().with_name(name(topic)).with_partitions(vec![partition.clone()])
            };
            vec![m::AlterPartitionReassignmentsRequest::default().with_topics(TOPICS.map(topic).to_vec())]
        },
        |answer| answer.responses.sort_by(|a, b| a.name.cmp(&b.name)),
    );
    oracle.compare(
        &[],
        |_, _| vec![m::ListPartitionReassignmentsRequest::default().with_topics(None)],
        |_| {},
    );
}

fn users(oracle: &mut Oracle) {
    oracle.compare(&[], |_, _| vec![m::DescribeClientQuotasRequest::default()], |_| {});
    oracle.compare(
        &[],
        |_, _| {
            use alter_client_quotas_request::{EntityData, EntryData, OpData};
            let user =
                EntityData::default().with_entity_type("user".into()).with_entity_name(Some("x".into()));
            let rate = OpData::default().with_key("producer_byte_rate".into()).with_value(1.0);
            let entry = EntryData::default().with_entity(vec![user]).with_ops(vec![rate]);
            vec![m::AlterClientQuotasRequest::default().with_entries(vec![entry])]
        },
        |_| {},
    );
    oracle.compare(
        &[],
        |_, _| {
            // With null, which is every user, Kafka 4.4 owes somebody without the right an answer for ever.
            let user = UserName::default().with_name("admin".into());
            vec![m::DescribeUserScramCredentialsRequest::default().with_users(Some(vec![user]))]
        },
        // One, for a user without a name, comes with a broker's refusal.
        |answer| answer.results.clear(),
    );
    oracle.compare(
        &[],
        |_, _| {
            use alter_user_scram_credentials_request::{ScramCredentialDeletion, ScramCredentialUpsertion};
            let deletion = |user: &'static str| {
                ScramCredentialDeletion::default().with_name(user.into()).with_mechanism(1)
            };
            let upsertion = ScramCredentialUpsertion::default()
                .with_name("x".into())
                .with_mechanism(1)
                .with_iterations(4096)
                .with_salt(Bytes::from_static(b"salt"))
                .with_salted_password(Bytes::from_static(b"password"));
            let request =
                m::AlterUserScramCredentialsRequest::default().with_deletions(vec![deletion("admin")]);
            vec![request.with_upsertions(vec![upsertion])]
        },
        |answer| answer.results.sort_by(|a, b| a.user.cmp(&b.user)),
    );
    let principals = [
        ("principal_type", "names who asks, which is told to nobody here"),
        ("principal_name", "names who asks, which is told to nobody here"),
        ("token_requester_principal_type", "names who asks, which is told to nobody here"),
        ("token_requester_principal_name", "names who asks, which is told to nobody here"),
    ];
    oracle.compare(
        &principals,
        |_, _| vec![m::CreateDelegationTokenRequest::default().with_max_lifetime_ms(-1)],
        |_| {},
    );
    let hmac = || Bytes::from_static(b"no token");
    oracle.compare(&[], |_, _| vec![m::RenewDelegationTokenRequest::default().with_hmac(hmac())], |_| {});
    oracle.compare(&[], |_, _| vec![m::ExpireDelegationTokenRequest::default().with_hmac(hmac())], |_| {});
    oracle.compare(&[], |_, _| vec![m::DescribeDelegationTokenRequest::default().with_owners(None)], |_| {});
}

fn whole_cluster(oracle: &mut Oracle) {
    oracle.compare(
        &[],
        |_, _| {
            use describe_quorum_request::{PartitionData, TopicData};
            let topic = TopicData::default()
                .with_topic_name(name("__cluster_metadata"))
                .with_partitions(vec![PartitionData::default()]);
            vec![m::DescribeQuorumRequest::default().with_topics(vec![topic])]
        },
        |_| {},
    );
    oracle.compare(
        &[],
        |_, _| {
            let update = FeatureUpdateKey::default()
                .with_feature(StrBytes::from_static_str("transaction.version"))
                .with_max_version_level(1);
            vec![m::UpdateFeaturesRequest::default().with_timeout_ms(1000).with_feature_updates(vec![update])]
        },
        |_| {},
    );
}
