//! The second lock alone: a gateway that checks and maps nothing, so that whatever a partner asks for reaches the broker as it is.
//! What is outside the zone is refused there. The same table against a gateway that is a super user for every zone shows that it is
//! the broker who refuses, and that each attempt could succeed.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    self as m, BrokerId, GroupId, ProducerId, TopicName, TransactionalId,
    alter_user_scram_credentials_request,
};
use kafka_protocol::protocol::StrBytes;
use partner_zones::policy::ServedZone;

use super::{ADMIN, Cluster, Controller, Failures, id, key, names, zone};
use crate::support::gateway::{self, InProcess, SECRET};
use crate::support::wire::{Wire, consumer_bytes, one_record};

/// The zone and what it shares; next to it what it does not.
const ZONE: &str = "acme";
const READ: &str = "orders-v1";
const WRITE: &str = "returns-v1";
const OTHER: &str = "secrets-v1";
/// Of the product itself.
const STATE: &str = "_partner-zones.state";
/// Only there to be deleted.
const SPARE: &str = "spare-v1";
/// A neighbour whose name begins alike.
const NEIGHBOUR: &str = "acme0:app";

const NOT_THE_TOPIC: i16 = 29;
const NOT_THE_GROUP: i16 = 30;
const NOT_THE_CLUSTER: i16 = 31;
const NOT_THE_TRANSACTION: i16 = 53;

/// A coordinator that is only starting.
const LATER: [i16; 4] = [14, 15, 16, 51];

/// What a partner tries, and the code that the broker refuses it with.
struct Attempt {
    what: &'static str,
    refused: i16,
    ask: fn(&mut Wire) -> i16,
}

const fn attempt(what: &'static str, refused: i16, ask: fn(&mut Wire) -> i16) -> Attempt {
    Attempt { what, refused, ask }
}

/// What destroys something comes last, for the gateway to which nothing is refused.
const OUTSIDE: &[Attempt] = &[
    attempt("produce to a topic that is only read", NOT_THE_TOPIC, |wire| produce(wire, READ)),
    attempt("produce to another topic", NOT_THE_TOPIC, |wire| produce(wire, OTHER)),
    attempt("fetch another topic", NOT_THE_TOPIC, |wire| fetch(wire, OTHER)),
    attempt("fetch the state", NOT_THE_TOPIC, |wire| fetch(wire, STATE)),
    attempt("metadata of another topic", NOT_THE_TOPIC, |wire| metadata(wire, OTHER)),
    attempt("metadata of the state", NOT_THE_TOPIC, |wire| metadata(wire, STATE)),
    attempt("offsets of another topic", NOT_THE_TOPIC, |wire| list_offsets(wire, OTHER)),
    attempt("offsets of the state", NOT_THE_TOPIC, |wire| list_offsets(wire, STATE)),
    attempt("leader epochs of another topic", NOT_THE_TOPIC, |wire| leader_epoch(wire, OTHER)),
    attempt("configuration of another topic", NOT_THE_TOPIC, |wire| describe_configs(wire, 2, OTHER)),
    attempt("configuration of a broker", NOT_THE_CLUSTER, |wire| describe_configs(wire, 4, "1")),
    attempt("change the configuration of a shared topic", NOT_THE_TOPIC, |wire| {
        alter_configs(wire, 2, WRITE)
    }),
    attempt("change the configuration of a broker", NOT_THE_CLUSTER, |wire| alter_configs(wire, 4, "1")),
    attempt("find another's group", NOT_THE_GROUP, |wire| find_coordinator(wire, NEIGHBOUR, 0)),
    attempt("join another's group", NOT_THE_GROUP, |wire| join(wire, NEIGHBOUR)),
    attempt("sync in another's group", NOT_THE_GROUP, |wire| {
        wire.call(&m::SyncGroupRequest::default().with_group_id(group(NEIGHBOUR)), 2).error_code
    }),
    attempt("heartbeat in another's group", NOT_THE_GROUP, |wire| {
        wire.call(&m::HeartbeatRequest::default().with_group_id(group(NEIGHBOUR)), 2).error_code
    }),
    attempt("leave another's group", NOT_THE_GROUP, |wire| {
        wire.call(&m::LeaveGroupRequest::default().with_group_id(group(NEIGHBOUR)), 1).error_code
    }),
    attempt("join another's group by the new protocol", NOT_THE_GROUP, |wire| {
        let request = m::ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group(NEIGHBOUR))
            .with_member_id("m".into())
            .with_rebalance_timeout_ms(10_000)
            .with_subscribed_topic_names(Some(vec![topic(READ)]))
            .with_topic_partitions(Some(Vec::new()));
        wire.call(&request, 0).error_code
    }),
    attempt("commit offsets of another's group", NOT_THE_GROUP, |wire| commit(wire, NEIGHBOUR, READ)),
    attempt("commit offsets of another topic", NOT_THE_TOPIC, |wire| commit(wire, "acme:app", OTHER)),
    attempt("read offsets of another's group", NOT_THE_GROUP, |wire| {
        let request = m::OffsetFetchRequest::default().with_group_id(group(NEIGHBOUR)).with_topics(None);
        wire.call(&request, 5).error_code
    }),
    attempt("delete offsets of another's group", NOT_THE_GROUP, |wire| {
        let partition = OffsetDeleteRequestPartition::default();
        let of = OffsetDeleteRequestTopic::default().with_name(topic(READ)).with_partitions(vec![partition]);
        let request = m::OffsetDeleteRequest::default().with_group_id(group(NEIGHBOUR)).with_topics(vec![of]);
        wire.call(&request, 0).error_code
    }),
    attempt("describe another's group", NOT_THE_GROUP, |wire| {
        let request = m::DescribeGroupsRequest::default().with_groups(vec![group(NEIGHBOUR)]);
        wire.call(&request, 4).groups[0].error_code
    }),
    attempt("find another's transaction", NOT_THE_TRANSACTION, |wire| find_coordinator(wire, NEIGHBOUR, 1)),
    attempt("fence another's producer", NOT_THE_TRANSACTION, |wire| init_producer(wire, NEIGHBOUR)),
    attempt("add to another's transaction", NOT_THE_TRANSACTION, |wire| {
        add_partitions(wire, NEIGHBOUR, WRITE)
    }),
    attempt("add another topic to a transaction", NOT_THE_TOPIC, |wire| {
        add_partitions(wire, "acme:t", OTHER)
    }),
    attempt("add a group to another's transaction", NOT_THE_TRANSACTION, |wire| {
        let request = m::AddOffsetsToTxnRequest::default()
            .with_transactional_id(transaction(NEIGHBOUR))
            .with_group_id(group("acme:app"));
        wire.call(&request, 2).error_code
    }),
    attempt("commit offsets in another's transaction", NOT_THE_TRANSACTION, |wire| {
        let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(1);
        let of =
            TxnOffsetCommitRequestTopic::default().with_name(topic(READ)).with_partitions(vec![partition]);
        let request = m::TxnOffsetCommitRequest::default()
            .with_transactional_id(transaction(NEIGHBOUR))
            .with_group_id(group("acme:app"))
            .with_topics(vec![of]);
        wire.call(&request, 2).topics[0].partitions[0].error_code
    }),
    attempt("end another's transaction", NOT_THE_TRANSACTION, |wire| {
        wire.call(&m::EndTxnRequest::default().with_transactional_id(transaction(NEIGHBOUR)), 2).error_code
    }),
    attempt("describe another's transaction", NOT_THE_TRANSACTION, |wire| {
        let request =
            m::DescribeTransactionsRequest::default().with_transactional_ids(vec![transaction(NEIGHBOUR)]);
        wire.call(&request, 0).transaction_states[0].error_code
    }),
    attempt("read the ACLs", NOT_THE_CLUSTER, |wire| {
        let request = m::DescribeAclsRequest::default()
            .with_resource_type_filter(1)
            .with_pattern_type_filter(1)
            .with_operation(1)
            .with_permission_type(1);
        wire.call(&request, 2).error_code
    }),
    attempt("allow itself another topic", NOT_THE_CLUSTER, |wire| {
        let acl = AclCreation::default()
            .with_resource_type(2)
            .with_resource_name(OTHER.into())
            .with_resource_pattern_type(3)
            .with_principal("User:somebody".into())
            .with_host("*".into())
            .with_operation(3)
            .with_permission_type(3);
        wire.call(&m::CreateAclsRequest::default().with_creations(vec![acl]), 2).results[0].error_code
    }),
    // Who asks for the users and may not is never answered by Kafka 4.4.
    attempt("make a user", NOT_THE_CLUSTER, |wire| {
        let user = alter_user_scram_credentials_request::ScramCredentialUpsertion::default()
            .with_name("mallory".into())
            .with_mechanism(1)
            .with_iterations(4096)
            .with_salt(Bytes::from_static(b"salt"))
            .with_salted_password(Bytes::from_static(&[7; 32]));
        let request = m::AlterUserScramCredentialsRequest::default().with_upsertions(vec![user]);
        wire.call(&request, 0).results[0].error_code
    }),
    attempt("read the quotas", NOT_THE_CLUSTER, |wire| {
        wire.call(&m::DescribeClientQuotasRequest::default(), 1).error_code
    }),
    attempt("see the disks", NOT_THE_CLUSTER, |wire| {
        wire.call(&m::DescribeLogDirsRequest::default().with_topics(None), 3).error_code
    }),
    attempt("see the quorum", NOT_THE_CLUSTER, |wire| {
        wire.call(&m::DescribeQuorumRequest::default(), 1).error_code
    }),
    attempt("see what moves", NOT_THE_CLUSTER, |wire| {
        wire.call(&m::ListPartitionReassignmentsRequest::default().with_topics(None), 0).error_code
    }),
    attempt("elect leaders", NOT_THE_CLUSTER, |wire| {
        let request = m::ElectLeadersRequest::default().with_topic_partitions(None).with_timeout_ms(5000);
        wire.call(&request, 2).error_code
    }),
    attempt("make a topic", NOT_THE_TOPIC, |wire| {
        let made = CreatableTopic::default()
            .with_name(topic("mine"))
            .with_num_partitions(1)
            .with_replication_factor(1);
        let request = m::CreateTopicsRequest::default().with_topics(vec![made]).with_timeout_ms(5000);
        wire.call(&request, 4).topics[0].error_code
    }),
    attempt("add partitions to a shared topic", NOT_THE_TOPIC, |wire| {
        let more =
            CreatePartitionsTopic::default().with_name(topic(WRITE)).with_count(2).with_assignments(None);
        let request = m::CreatePartitionsRequest::default().with_topics(vec![more]).with_timeout_ms(5000);
        wire.call(&request, 1).results[0].error_code
    }),
    attempt("delete records of a shared topic", NOT_THE_TOPIC, |wire| delete_records(wire, WRITE)),
    attempt("delete records of another topic", NOT_THE_TOPIC, |wire| delete_records(wire, OTHER)),
    attempt("delete another's group", NOT_THE_GROUP, |wire| {
        let request = m::DeleteGroupsRequest::default().with_groups_names(vec![group(NEIGHBOUR)]);
        wire.call(&request, 1).results[0].error_code
    }),
    attempt("delete a topic", NOT_THE_TOPIC, |wire| {
        let request =
            m::DeleteTopicsRequest::default().with_topic_names(vec![topic(SPARE)]).with_timeout_ms(5000);
        wire.call(&request, 3).responses[0].error_code
    }),
];

/// What is the zone's own: a broker that refused everything would prove nothing.
const INSIDE: &[Attempt] = &[
    attempt("produce to a shared topic", 0, |wire| produce(wire, WRITE)),
    attempt("fetch a shared topic", 0, |wire| fetch(wire, READ)),
    attempt("metadata of a shared topic", 0, |wire| metadata(wire, READ)),
    attempt("offsets of a shared topic", 0, |wire| list_offsets(wire, READ)),
    attempt("configuration of a shared topic", 0, |wire| describe_configs(wire, 2, READ)),
    attempt("find a group", 0, |wire| find_coordinator(wire, "acme:app", 0)),
    attempt("commit offsets", 0, |wire| commit(wire, "acme:app", READ)),
    attempt("begin a transaction", 0, |wire| init_producer(wire, "acme:t")),
];

fn topic(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

fn group(name: &str) -> GroupId {
    GroupId(StrBytes::from_string(name.to_owned()))
}

fn transaction(name: &str) -> TransactionalId {
    TransactionalId(StrBytes::from_string(name.to_owned()))
}

fn produce(wire: &mut Wire, name: &str) -> i16 {
    let records = one_record((-1, -1), -1, false);
    let partition = PartitionProduceData::default().with_index(0).with_records(Some(records));
    let data = TopicProduceData::default().with_name(topic(name)).with_partition_data(vec![partition]);
    let request =
        m::ProduceRequest::default().with_acks(1).with_timeout_ms(10_000).with_topic_data(vec![data]);
    wire.call(&request, 7).responses[0].partition_responses[0].error_code
}

fn fetch(wire: &mut Wire, name: &str) -> i16 {
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
    let of = FetchTopic::default().with_topic(topic(name)).with_partitions(vec![partition]);
    let request = m::FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(100)
        .with_max_bytes(1 << 20)
        .with_topics(vec![of]);
    wire.call(&request, 11).responses[0].partitions[0].error_code
}

fn metadata(wire: &mut Wire, name: &str) -> i16 {
    let of = MetadataRequestTopic::default().with_name(Some(topic(name)));
    wire.call(&m::MetadataRequest::default().with_topics(Some(vec![of])), 9).topics[0].error_code
}

fn list_offsets(wire: &mut Wire, name: &str) -> i16 {
    let partition = ListOffsetsPartition::default().with_timestamp(-1);
    let of = ListOffsetsTopic::default().with_name(topic(name)).with_partitions(vec![partition]);
    let request = m::ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![of]);
    wire.call(&request, 5).topics[0].partitions[0].error_code
}

fn leader_epoch(wire: &mut Wire, name: &str) -> i16 {
    let partition = OffsetForLeaderPartition::default();
    let of = OffsetForLeaderTopic::default().with_topic(topic(name)).with_partitions(vec![partition]);
    let request =
        m::OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![of]);
    wire.call(&request, 3).topics[0].partitions[0].error_code
}

fn describe_configs(wire: &mut Wire, kind: i8, name: &'static str) -> i16 {
    let of = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(name.into())
        .with_configuration_keys(None);
    wire.call(&m::DescribeConfigsRequest::default().with_resources(vec![of]), 3).results[0].error_code
}

fn alter_configs(wire: &mut Wire, kind: i8, name: &'static str) -> i16 {
    // To what it is anyway, where it is allowed.
    let config = match kind {
        2 => ("retention.ms", "604800000"),
        _ => ("log.cleaner.threads", "1"),
    };
    let config = AlterableConfig::default().with_name(config.0.into()).with_value(Some(config.1.into()));
    let of = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(name.into())
        .with_configs(vec![config]);
    wire.call(&m::IncrementalAlterConfigsRequest::default().with_resources(vec![of]), 1).responses[0]
        .error_code
}

fn find_coordinator(wire: &mut Wire, name: &'static str, kind: i8) -> i16 {
    let request = m::FindCoordinatorRequest::default().with_key(name.into()).with_key_type(kind);
    wire.call(&request, 3).error_code
}

fn join(wire: &mut Wire, name: &str) -> i16 {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name("range".into())
        .with_metadata(consumer_bytes(READ, false));
    let request = m::JoinGroupRequest::default()
        .with_group_id(group(name))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(1_000)
        .with_protocol_type("consumer".into())
        .with_protocols(vec![protocol]);
    wire.call(&request, 4).error_code
}

fn commit(wire: &mut Wire, name: &str, of: &str) -> i16 {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(0);
    let of = OffsetCommitRequestTopic::default().with_name(topic(of)).with_partitions(vec![partition]);
    let request = m::OffsetCommitRequest::default().with_group_id(group(name)).with_topics(vec![of]);
    wire.call(&request, 5).topics[0].partitions[0].error_code
}

fn init_producer(wire: &mut Wire, name: &str) -> i16 {
    let request = m::InitProducerIdRequest::default()
        .with_transactional_id(Some(transaction(name)))
        .with_transaction_timeout_ms(10_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    wire.call(&request, 3).error_code
}

fn add_partitions(wire: &mut Wire, id: &str, name: &str) -> i16 {
    let of = AddPartitionsToTxnTopic::default().with_name(topic(name)).with_partitions(vec![0]);
    let request = m::AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(transaction(id))
        .with_v3_and_below_topics(vec![of]);
    wire.call(&request, 2).results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
}

fn delete_records(wire: &mut Wire, name: &str) -> i16 {
    let partition = DeleteRecordsPartition::default().with_offset(0);
    let of = DeleteRecordsTopic::default().with_name(topic(name)).with_partitions(vec![partition]);
    let request = m::DeleteRecordsRequest::default().with_topics(vec![of]).with_timeout_ms(5000);
    wire.call(&request, 1).topics[0].partitions[0].error_code
}

/// What the broker answers to each of these, over a connection of the partner's.
fn answers(gateway: &InProcess, attempts: &[Attempt]) -> BTreeMap<&'static str, i16> {
    let mut wire = Wire::logged_in(gateway.broker_port(1), ZONE, SECRET);
    let answered = |attempt: &Attempt| {
        for _ in 0..100 {
            let code = (attempt.ask)(&mut wire);
            if !LATER.contains(&code) {
                return (attempt.what, code);
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        panic!("{}: the coordinator does not come", attempt.what);
    };
    attempts.iter().map(answered).collect()
}

/// The names of all topics and groups that a client is shown.
fn shown(gateway: &InProcess) -> (Vec<String>, Vec<String>) {
    let mut wire = Wire::logged_in(gateway.broker_port(1), ZONE, SECRET);
    let metadata = wire.call(&m::MetadataRequest::default().with_topics(None), 9);
    let mut topics: Vec<String> =
        metadata.topics.iter().map(|topic| topic.name.as_ref().unwrap().to_string()).collect();
    topics.sort();
    let listed = wire.call(&m::ListGroupsRequest::default(), 2);
    let mut groups: Vec<String> = listed.groups.iter().map(|group| group.group_id.to_string()).collect();
    groups.sort();
    (topics, groups)
}

#[test]
fn with_the_gateways_own_checks_taken_away_the_broker_refuses_everything_outside_the_zone() {
    let cluster = Cluster::private(1);
    for name in [READ, WRITE, OTHER, SPARE, STATE] {
        cluster.create_topic(name, 1);
    }
    let zones = [zone(ZONE, &[&format!("READ {READ}"), &format!("WRITE {WRITE}")])];
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut controller = {
        let _inside = runtime.enter();
        Controller::new(cluster.sasl_bootstrap(), ADMIN)
    };
    assert_eq!(runtime.block_on(controller.run(&zones, &names(&zones))), Failures::new());
    // As the store would have it, under the id that the principal's password comes from.
    let served = || ServedZone { id: id(&zones[0].name), ..gateway::zone(ZONE, &[(READ, READ, "READ")]) };

    // Somebody who may do everything: the neighbour's things are there, and nothing is refused.
    let open = InProcess::start_unchecked(&cluster, None);
    open.serve([served()]);
    let prepared = [
        attempt("groups have a coordinator", 0, |wire| find_coordinator(wire, NEIGHBOUR, 0)),
        attempt("transactions have one", 0, |wire| find_coordinator(wire, NEIGHBOUR, 1)),
        attempt("the neighbour has a group", 0, |wire| commit(wire, NEIGHBOUR, READ)),
    ];
    assert_eq!(answers(&open, &prepared), prepared.iter().map(|it| (it.what, 0)).collect());
    let refusals = [NOT_THE_TOPIC, NOT_THE_GROUP, NOT_THE_CLUSTER, NOT_THE_TRANSACTION];
    let locked = InProcess::start_unchecked(&cluster, Some(key()));
    locked.serve([served()]);

    let expected = |attempts: &[Attempt]| -> BTreeMap<_, _> {
        attempts.iter().map(|attempt| (attempt.what, attempt.refused)).collect()
    };
    assert_eq!(answers(&locked, INSIDE), expected(INSIDE));
    assert_eq!(answers(&locked, OUTSIDE), expected(OUTSIDE));
    let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(shown(&locked), (strings(&[READ, WRITE]), strings(&["acme:app"])));

    let (topics, groups) = shown(&open);
    assert!(topics.iter().any(|name| name == STATE) && groups.iter().any(|name| name == NEIGHBOUR));
    for (what, code) in answers(&open, OUTSIDE) {
        assert!(!refusals.contains(&code), "{what}: {code}, and then the table proves nothing");
    }
}
