//! A zone at work: a member in a group of each protocol, offsets, an open transaction, a fetch session.

use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    BrokerId, ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DescribeGroupsRequest,
    DescribeTransactionsRequest, EndTxnRequest, FetchRequest, GroupId, HeartbeatRequest,
    InitProducerIdRequest, JoinGroupRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetFetchRequest, SyncGroupRequest,
};
use uuid::Uuid;

use super::names::{Member, Names, text, topic};
use super::transactions::{add, produce};
use crate::support::wire::{Wire, consumer_bytes};

const PATIENCE: Duration = Duration::from_secs(30);
/// A coordinator that is not there yet, that still loads, or that is somewhere else.
const NOT_YET: [i16; 3] = [14, 15, 16];
/// What each group has committed: the classic one, the new one, the one that was there before.
const OFFSETS: [i64; 3] = [5, 6, 7];

pub(super) struct Victim {
    wire: Wire,
    pub(super) names: Names,
}

/// Asks again while the coordinator is not ready, and gives the error in the end.
pub(super) fn once_ready(mut ask: impl FnMut() -> i16) -> i16 {
    let begun = Instant::now();
    loop {
        let code = ask();
        if !NOT_YET.contains(&code) {
            return code;
        }
        assert!(begun.elapsed() < PATIENCE, "no coordinator: error {code}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// What this side calls the topic by.
pub(super) fn id_of(wire: &mut Wire, name: &str) -> Uuid {
    let all = wire.call(&MetadataRequest::default().with_topics(None), 12).topics;
    all.into_iter().find(|shown| shown.name.as_ref() == Some(&topic(name))).unwrap().topic_id
}

impl Victim {
    /// `names` says how the zone's things are called; what the broker draws is added.
    pub(super) fn at_work(mut wire: Wire, mut names: Names) -> Self {
        names.members = [join_classic(&mut wire, &names), join_modern(&mut wire, &names)];
        for (group, member, offset) in [
            (&names.classic, &names.members[0], OFFSETS[0]),
            (&names.modern, &names.members[1], OFFSETS[1]),
            (&names.kept[0], &Member { id: String::new(), epoch: -1 }, OFFSETS[2]),
        ] {
            let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
            let committed = OffsetCommitRequestTopic::default()
                .with_name(topic(&names.topics[0]))
                .with_partitions(vec![partition]);
            let commit = OffsetCommitRequest::default()
                .with_group_id(GroupId(text(group)))
                .with_generation_id_or_member_epoch(member.epoch)
                .with_member_id(text(&member.id))
                .with_topics(vec![committed]);
            let code = || wire.call(&commit, 9).topics[0].partitions[0].error_code;
            assert_eq!(once_ready(code), 0, "{group}");
        }
        begin_transaction(&mut wire, &mut names);
        let opened = wire.call(&fetch(&names, 0, 0), 17);
        assert_eq!((opened.error_code, opened.responses.len()), (0, 1));
        names.fetch_session = opened.session_id;
        let mut victim = Self { wire, names };
        victim.groups_are_as_they_were();
        victim
    }

    /// Nobody has joined, left, committed, written or aborted but itself; and it goes on.
    pub(super) fn goes_on_as_it_was(mut self) {
        self.groups_are_as_they_were();
        let Self { mut wire, names } = self;
        let fetched = wire.call(&fetch(&names, names.fetch_session, 1), 17);
        assert_eq!((fetched.error_code, fetched.session_id), (0, names.fetch_session));
        let [id, _] = names.transactional_ids();
        let describe = DescribeTransactionsRequest::default().with_transactional_ids(vec![id.clone()]);
        let mut state = || wire.call(&describe, 0).transaction_states[0].transaction_state.to_string();
        assert_eq!(state(), "Ongoing");
        let end = EndTxnRequest::default()
            .with_transactional_id(id)
            .with_producer_id(names.producer())
            .with_producer_epoch(names.producer_epoch)
            .with_committed(true);
        assert_eq!(wire.call(&end, 3).error_code, 0);
        let begun = Instant::now();
        // Its one record and the end of the transaction, and nobody else's.
        while last_stable_offset(&mut wire, &names) != 2 {
            assert!(begun.elapsed() < PATIENCE, "the transaction is not committed");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn groups_are_as_they_were(&mut self) {
        let Self { wire, names } = self;
        let [classic, modern] = &names.members;
        let beat = HeartbeatRequest::default()
            .with_group_id(GroupId(text(&names.classic)))
            .with_generation_id(classic.epoch)
            .with_member_id(text(&classic.id));
        assert_eq!(wire.call(&beat, 4).error_code, 0);
        let described = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(&names.classic))]);
        let described = wire.call(&described, 5).groups.remove(0);
        let members: Vec<_> = described.members.iter().map(|member| member.member_id.as_str()).collect();
        assert_eq!((described.group_state.as_str(), members), ("Stable", vec![classic.id.as_str()]));

        let beat = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(text(&names.modern)))
            .with_member_id(text(&modern.id))
            .with_member_epoch(modern.epoch)
            .with_rebalance_timeout_ms(-1)
            .with_topic_partitions(None);
        let answer = wire.call(&beat, 1);
        assert_eq!((answer.error_code, answer.member_epoch), (0, modern.epoch));
        let described =
            ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(text(&names.modern))]);
        let described = wire.call(&described, 1).groups.remove(0);
        let members: Vec<_> = described.members.iter().map(|member| member.member_id.as_str()).collect();
        assert_eq!((described.group_epoch, members), (modern.epoch, vec![modern.id.as_str()]));

        let groups = [&names.classic, &names.modern, &names.kept[0]].map(|group| {
            OffsetFetchRequestGroup::default().with_group_id(GroupId(text(group))).with_topics(None)
        });
        let fetched = wire.call(&OffsetFetchRequest::default().with_groups(groups.to_vec()), 9).groups;
        let offsets: Vec<_> = fetched
            .iter()
            .flat_map(|group| &group.topics)
            .flat_map(|topic| &topic.partitions)
            .map(|partition| partition.committed_offset)
            .collect();
        assert_eq!(offsets, OFFSETS, "{fetched:?}");
    }
}

fn join_classic(wire: &mut Wire, names: &Names) -> Member {
    let group = GroupId(text(&names.classic));
    let protocol = JoinGroupRequestProtocol::default()
        .with_name("range".into())
        .with_metadata(consumer_bytes(&names.topics[0], false));
    let join = JoinGroupRequest::default()
        .with_group_id(group.clone())
        .with_session_timeout_ms(60_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type("consumer".into())
        .with_protocols(vec![protocol]);
    let mut joined = wire.call(&join, 3);
    once_ready(|| {
        if joined.error_code != 0 {
            joined = wire.call(&join, 3);
        }
        joined.error_code
    });
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(consumer_bytes(&names.topics[0], true));
    let sync = SyncGroupRequest::default()
        .with_group_id(group)
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_assignments(vec![assignment]);
    assert_eq!((joined.error_code, wire.call(&sync, 3).error_code), (0, 0));
    Member { id: joined.member_id.to_string(), epoch: joined.generation_id }
}

/// Heartbeats until it has its partition, and has said so.
fn join_modern(wire: &mut Wire, names: &Names) -> Member {
    let mut member = Member { id: "5f0c9a52-7d3e-4b61-9c84-e2a1b07d66f3".to_owned(), epoch: 0 };
    let mut owned: Option<Vec<TopicPartitions>> = None;
    let begun = Instant::now();
    loop {
        let beat = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(text(&names.modern)))
            .with_member_id(text(&member.id))
            .with_member_epoch(member.epoch)
            .with_rebalance_timeout_ms(60_000)
            .with_subscribed_topic_names(Some(vec![topic(&names.topics[0])]))
            .with_topic_partitions(Some(owned.clone().unwrap_or_default()));
        let answer = wire.call(&beat, 1);
        assert!([&[0][..], &NOT_YET].concat().contains(&answer.error_code), "{answer:?}");
        if answer.error_code == 0 {
            if owned.is_some() && answer.member_epoch == member.epoch {
                return member;
            }
            member.epoch = answer.member_epoch;
            let assigned = answer.assignment.into_iter().flat_map(|all| all.topic_partitions);
            let assigned: Vec<_> = assigned
                .map(|of| {
                    TopicPartitions::default().with_topic_id(of.topic_id).with_partitions(of.partitions)
                })
                .collect();
            owned = Some(assigned).filter(|all| !all.is_empty()).or(owned);
        }
        assert!(begun.elapsed() < PATIENCE, "no partition for {member:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// One record in it. The partition joins by a request of its own, as with the first version of transactions.
fn begin_transaction(wire: &mut Wire, names: &mut Names) {
    let [id, _] = names.transactional_ids();
    let init = InitProducerIdRequest::default()
        .with_transactional_id(Some(id.clone()))
        .with_transaction_timeout_ms(600_000);
    let code = once_ready(|| {
        let answer = wire.call(&init, 4);
        (names.producer, names.producer_epoch) = (answer.producer_id.0, answer.producer_epoch);
        answer.error_code
    });
    assert_eq!(code, 0);
    let name = topic(&names.topics[0]);
    let added = wire.call(&add(names, &id, &name), 3);
    assert_eq!(added.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code, 0);
    let produced = wire.call(&produce(names, &id, &name, 0), 11);
    assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);
}

fn fetch(names: &Names, session: i32, epoch: i32) -> FetchRequest {
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic_id(names.ids[0]).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_session_id(session)
        .with_session_epoch(epoch)
        .with_topics(if epoch == 0 { vec![topic] } else { vec![] })
}

fn last_stable_offset(wire: &mut Wire, names: &Names) -> i64 {
    let latest = ListOffsetsPartition::default().with_timestamp(-1);
    let asked = ListOffsetsTopic::default().with_name(topic(&names.topics[0])).with_partitions(vec![latest]);
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(1)
        .with_topics(vec![asked]);
    wire.call(&request, 8).topics[0].partitions[0].offset
}
