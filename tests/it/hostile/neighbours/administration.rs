//! Administration of another zone's things, by its names for them and by whom they belong to.

use kafka_protocol::messages as m;
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::{BrokerId, TopicName};
use kafka_protocol::messages::{
    alter_client_quotas_request as alter_quotas, alter_configs_request as alter,
    create_acls_request as create_acls, create_delegation_token_request as create_token,
    delete_acls_request as delete_acls, describe_client_quotas_request as quotas,
    describe_delegation_token_request as tokens, describe_quorum_request as quorum,
    describe_user_scram_credentials_request as users, incremental_alter_configs_request as alter_some,
    update_features_request as features,
};

use super::names::{Names, text, topic};
use crate::support::wire::typed;

/// Kinds of resources: topic, group, broker, broker's loggers, client metrics, group settings; and those that an ACL is about:
/// group, cluster, transactional id, delegation token, user.
const CONFIGURED: [i8; 6] = [2, 3, 4, 8, 16, 32];
const GUARDED: [i8; 6] = [2, 3, 4, 5, 6, 7];

/// Each frame is one attack.
pub(super) fn attacks(names: &Names) -> Vec<Vec<u8>> {
    let topics = names.topics.iter().chain(&names.internal);
    let mut frames: Vec<_> = topics.flat_map(|name| placement(&topic(name))).collect();
    let of_configurations = names.topics.iter().chain(&names.kept).chain([&names.modern]);
    frames
        .extend(of_configurations.flat_map(|name| CONFIGURED.map(|kind| configuration(kind, name)).concat()));
    let guarded = names.topics.iter().chain(&names.kept).chain([&names.prefix, &names.transaction]);
    frames.extend(guarded.flat_map(|name| GUARDED.map(|kind| rights(kind, name, &names.account)).concat()));
    frames.extend(of_a_user(&names.account));
    frames.extend(of_the_cluster());
    frames
}

/// Where a topic lies, and that it is there at all.
fn placement(name: &TopicName) -> Vec<Vec<u8>> {
    let on = |id| BrokerId(id);
    let partition = ReassignablePartition::default().with_replicas(Some(vec![on(1)]));
    let moved = ReassignableTopic::default().with_name(name.clone()).with_partitions(vec![partition]);
    let moved = m::AlterPartitionReassignmentsRequest::default().with_topics(vec![moved]);
    let moving =
        ListPartitionReassignmentsTopics::default().with_name(name.clone()).with_partition_indexes(vec![0]);
    let moving = m::ListPartitionReassignmentsRequest::default().with_topics(Some(vec![moving]));
    let in_folder = AlterReplicaLogDirTopic::default().with_name(name.clone()).with_partitions(vec![0]);
    let folder = AlterReplicaLogDir::default().with_path("/tmp".into()).with_topics(vec![in_folder]);
    let lying = DescribableLogDirTopic::default().with_topic(name.clone()).with_partitions(vec![0]);
    let elected = TopicPartitions::default().with_topic(name.clone()).with_partitions(vec![0]);
    let elect = m::ElectLeadersRequest::default().with_topic_partitions(Some(vec![elected]));
    let by_hand = CreatableReplicaAssignment::default().with_broker_ids(vec![on(1)]);
    let by_count =
        CreatableTopic::default().with_name(name.clone()).with_num_partitions(1).with_replication_factor(1);
    let by_hand = by_count.clone().with_num_partitions(-1).with_assignments(vec![by_hand]);
    let quorum = quorum::TopicData::default()
        .with_topic_name(name.clone())
        .with_partitions(vec![quorum::PartitionData::default()]);
    let mut frames = vec![
        typed(&moved, 0),
        typed(&moving, 0),
        typed(&m::AlterReplicaLogDirsRequest::default().with_dirs(vec![folder]), 2),
        typed(&m::DescribeLogDirsRequest::default().with_topics(Some(vec![lying])), 4),
        typed(&elect, 2),
        typed(&m::DescribeQuorumRequest::default().with_topics(vec![quorum]), 2),
    ];
    for created in [by_count, by_hand] {
        let create = m::CreateTopicsRequest::default().with_topics(vec![created]);
        let tried = create.clone().with_validate_only(true);
        frames.extend([create, tried].map(|create| typed(&create, 7)));
    }
    frames
}

/// What is set for a resource: seen, and changed.
fn configuration(kind: i8, name: &str) -> Vec<Vec<u8>> {
    let (setting, value) = (text("retention.ms"), Some(text("1")));
    let described = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    let altered = alter::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(vec![
            alter::AlterableConfig::default().with_name(setting.clone()).with_value(value.clone()),
        ]);
    let altered_some = alter_some::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(vec![alter_some::AlterableConfig::default().with_name(setting).with_value(value)]);
    vec![
        typed(&m::DescribeConfigsRequest::default().with_resources(vec![described]), 4),
        typed(&m::AlterConfigsRequest::default().with_resources(vec![altered]), 2),
        typed(&m::IncrementalAlterConfigsRequest::default().with_resources(vec![altered_some]), 1),
    ]
}

/// Who may do what with a resource: seen, given to oneself, taken from its owner.
fn rights(kind: i8, name: &str, account: &str) -> Vec<Vec<u8>> {
    const ALL: i8 = 2;
    const ANY: i8 = 1;
    const ALLOW: i8 = 3;
    const LITERAL: i8 = 3;
    let creation = create_acls::AclCreation::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_resource_pattern_type(LITERAL)
        .with_principal("User:*".into())
        .with_host("*".into())
        .with_operation(ALL)
        .with_permission_type(ALLOW);
    let deletion = delete_acls::DeleteAclsFilter::default()
        .with_resource_type_filter(kind)
        .with_resource_name_filter(Some(text(name)))
        .with_pattern_type_filter(ANY)
        .with_principal_filter(Some(text(&format!("User:{account}"))))
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY);
    let seen = m::DescribeAclsRequest::default()
        .with_resource_type_filter(kind)
        .with_resource_name_filter(Some(text(name)))
        .with_pattern_type_filter(ANY)
        .with_operation(ANY)
        .with_permission_type(ANY);
    vec![
        typed(&m::CreateAclsRequest::default().with_creations(vec![creation]), 3),
        typed(&m::DeleteAclsRequest::default().with_filters(vec![deletion]), 3),
        typed(&seen, 3),
    ]
}

/// Its quotas, its passwords, and tokens in its name.
fn of_a_user(account: &str) -> Vec<Vec<u8>> {
    let (user, name) = (text("user"), text(account));
    let limited = alter_quotas::EntryData::default()
        .with_entity(vec![
            alter_quotas::EntityData::default()
                .with_entity_type(user.clone())
                .with_entity_name(Some(name.clone())),
        ])
        .with_ops(vec![
            alter_quotas::OpData::default().with_key("producer_byte_rate".into()).with_value(1.0),
        ]);
    let seen = quotas::ComponentData::default().with_entity_type(user).with_match(Some(name.clone()));
    let removed = ScramCredentialDeletion::default().with_name(name.clone()).with_mechanism(1);
    let replaced = ScramCredentialUpsertion::default()
        .with_name(name.clone())
        .with_mechanism(2)
        .with_iterations(4_096)
        .with_salt(vec![7; 16].into())
        .with_salted_password(vec![7; 64].into());
    let asked = users::UserName::default().with_name(name.clone());
    let renewer = create_token::CreatableRenewers::default()
        .with_principal_type("User".into())
        .with_principal_name(name.clone());
    let token = m::CreateDelegationTokenRequest::default()
        .with_owner_principal_type(Some("User".into()))
        .with_owner_principal_name(Some(name.clone()))
        .with_renewers(vec![renewer]);
    let owner = tokens::DescribeDelegationTokenOwner::default()
        .with_principal_type("User".into())
        .with_principal_name(name);
    let credentials = m::AlterUserScramCredentialsRequest::default();
    vec![
        typed(&m::AlterClientQuotasRequest::default().with_entries(vec![limited]), 1),
        typed(&m::DescribeClientQuotasRequest::default().with_components(vec![seen]), 1),
        typed(&credentials.clone().with_deletions(vec![removed]), 0),
        typed(&credentials.with_upsertions(vec![replaced]), 0),
        typed(&m::DescribeUserScramCredentialsRequest::default().with_users(Some(vec![asked])), 0),
        typed(&token, 3),
        typed(&m::DescribeDelegationTokenRequest::default().with_owners(Some(vec![owner])), 3),
        typed(&m::RenewDelegationTokenRequest::default().with_hmac(vec![7; 64].into()), 2),
        typed(&m::ExpireDelegationTokenRequest::default().with_hmac(vec![7; 64].into()), 2),
    ]
}

/// Everything of everybody: all users, quotas, tokens, reassignments, folders, settings, features.
fn of_the_cluster() -> Vec<Vec<u8>> {
    let feature = features::FeatureUpdateKey::default()
        .with_feature("transaction.version".into())
        .with_max_version_level(1)
        .with_upgrade_type(2);
    vec![
        typed(&m::DescribeClientQuotasRequest::default(), 1),
        typed(&m::DescribeUserScramCredentialsRequest::default().with_users(None), 0),
        typed(&m::DescribeDelegationTokenRequest::default().with_owners(None), 3),
        typed(&m::ListPartitionReassignmentsRequest::default().with_topics(None), 0),
        typed(&m::DescribeLogDirsRequest::default().with_topics(None), 4),
        typed(&m::ListConfigResourcesRequest::default(), 1),
        typed(&m::UpdateFeaturesRequest::default().with_feature_updates(vec![feature]), 2),
        typed(&m::DescribeClusterRequest::default().with_include_cluster_authorized_operations(true), 1),
        typed(&m::DescribeClusterRequest::default().with_endpoint_type(2), 1),
    ]
}
