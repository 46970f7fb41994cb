//! Requests about groups, by another zone's names for them.

use bytes::Bytes;
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DeleteGroupsRequest, DescribeGroupsRequest,
    FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest, TopicName,
};

use super::names::{Member, Names, text};
use crate::support::wire::typed;

/// Each frame is one attack. `own` is a topic of whoever asks.
pub(super) fn attacks(names: &Names, own: &str) -> Vec<Vec<u8>> {
    let groups = names.groups();
    let keys: Vec<_> = groups.iter().map(|group| group.0.clone()).collect();
    let find = FindCoordinatorRequest::default();
    let mut frames: Vec<_> = keys.iter().map(|key| typed(&find.clone().with_key(key.clone()), 2)).collect();
    // A share group's coordinator too: this cluster's own key type, which names a topic's id.
    let shares = keys.iter().map(|key| text(&format!("{}:{}:0", key.as_str(), names.ids[1]))).collect();
    frames.push(typed(&find.clone().with_key_type(2).with_coordinator_keys(shares), 6));
    frames.push(typed(&find.with_coordinator_keys(keys), 6));
    let topics = names.topics_and(own);
    for group in groups {
        frames.extend(described(&group));
        for member in &names.members {
            frames.extend(as_classic(&group, member));
            frames.extend(as_modern(&group, member, names, &topics));
            frames.extend(offsets(&group, member, &topics));
        }
        frames.push(typed(&DeleteGroupsRequest::default().with_groups_names(vec![group]), 2));
    }
    frames
}

fn described(group: &GroupId) -> [Vec<u8>; 2] {
    let classic = DescribeGroupsRequest::default()
        .with_groups(vec![group.clone()])
        .with_include_authorized_operations(true);
    let modern = ConsumerGroupDescribeRequest::default()
        .with_group_ids(vec![group.clone()])
        .with_include_authorized_operations(true);
    [typed(&classic, 6), typed(&modern, 1)]
}

fn as_classic(group: &GroupId, Member { id, epoch }: &Member) -> Vec<Vec<u8>> {
    let beat = HeartbeatRequest::default()
        .with_group_id(group.clone())
        .with_generation_id(*epoch)
        .with_member_id(text(id));
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(text(id))
        .with_assignment(Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]));
    let sync = SyncGroupRequest::default()
        .with_group_id(group.clone())
        .with_generation_id(*epoch)
        .with_member_id(text(id))
        .with_protocol_type(Some("consumer".into()))
        .with_protocol_name(Some("range".into()))
        .with_assignments(vec![assignment]);
    let protocol = JoinGroupRequestProtocol::default()
        .with_name("range".into())
        .with_metadata(Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]));
    let join = JoinGroupRequest::default()
        .with_group_id(group.clone())
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_member_id(text(id))
        .with_protocol_type("consumer".into())
        .with_protocols(vec![protocol]);
    let leaves = MemberIdentity::default().with_member_id(text(id));
    let leave = LeaveGroupRequest::default().with_group_id(group.clone()).with_members(vec![leaves]);
    vec![typed(&beat, 4), typed(&sync, 5), typed(&join, 9), typed(&leave, 5)]
}

/// What it said last, everything anew, and a farewell.
fn as_modern(
    group: &GroupId,
    Member { id, epoch }: &Member,
    names: &Names,
    topics: &[TopicName],
) -> Vec<Vec<u8>> {
    let beat = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group.clone())
        .with_member_id(text(id))
        .with_member_epoch(*epoch)
        .with_rebalance_timeout_ms(-1)
        .with_topic_partitions(None);
    let owned = names.ids.map(|id| TopicPartitions::default().with_topic_id(id).with_partitions(vec![0]));
    let all = beat
        .clone()
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(topics.to_vec()))
        .with_topic_partitions(Some(owned.to_vec()));
    let farewell = beat.clone().with_member_epoch(-1);
    [beat, all, farewell].map(|beat| typed(&beat, 1)).to_vec()
}

fn offsets(group: &GroupId, Member { id, epoch }: &Member, topics: &[TopicName]) -> Vec<Vec<u8>> {
    let committed = OffsetCommitRequestPartition::default().with_committed_offset(0);
    let commit = |topic: &TopicName| {
        OffsetCommitRequestTopic::default().with_name(topic.clone()).with_partitions(vec![committed.clone()])
    };
    let commit = OffsetCommitRequest::default()
        .with_group_id(group.clone())
        .with_generation_id_or_member_epoch(*epoch)
        .with_member_id(text(id))
        .with_topics(topics.iter().map(commit).collect());
    let named = |topic: &TopicName| {
        OffsetFetchRequestTopics::default().with_name(topic.clone()).with_partition_indexes(vec![0])
    };
    let everything = OffsetFetchRequestGroup::default().with_group_id(group.clone()).with_topics(None);
    let these = OffsetFetchRequestGroup::default()
        .with_group_id(group.clone())
        .with_topics(Some(topics.iter().map(named).collect()));
    let as_member = these.clone().with_member_id(Some(text(id))).with_member_epoch(*epoch);
    let deleted = |topic: &TopicName| {
        OffsetDeleteRequestTopic::default()
            .with_name(topic.clone())
            .with_partitions(vec![OffsetDeleteRequestPartition::default()])
    };
    let delete = OffsetDeleteRequest::default()
        .with_group_id(group.clone())
        .with_topics(topics.iter().map(deleted).collect());
    let fetches = [everything, these, as_member];
    let fetches = fetches.map(|group| typed(&OffsetFetchRequest::default().with_groups(vec![group]), 9));
    [&fetches[..], &[typed(&commit, 8), typed(&delete, 0)]].concat()
}
