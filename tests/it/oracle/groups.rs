//! Groups and their offsets.

use kafka_protocol::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest,
    GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::data::name;
use super::side::Side;
use super::{Allowed, HIDDEN, NOWHERE, ORDERS, Oracle, PRODUCED};
use crate::support::wire::consumer_bytes;

const TOPICS: [&str; 4] = [ORDERS, PRODUCED, HIDDEN, NOWHERE];
const DRAWN: [Allowed; 2] =
    [("member_id", "drawn by the broker"), ("leader", "the member that the broker has just drawn an id for")];

pub(super) fn group(id: &str) -> GroupId {
    GroupId(StrBytes::from_string(id.to_owned()))
}

pub(super) fn compare(oracle: &mut Oracle) {
    coordinator(oracle);
    offsets(oracle);
    members(oracle);
    administration(oracle);
    if oracle.serves(68) {
        new_protocol(oracle);
    }
}

fn coordinator(oracle: &mut Oracle) {
    oracle.compare(
        &[],
        |version, _| {
            let kinds: &[(i8, &str)] = &[(0, "g"), (1, "t"), (2, "g:t:0"), (9, "g")];
            let ask = |&(kind, key): &(i8, &'static str)| {
                let request = FindCoordinatorRequest::default();
                let request = if version == 0 { request } else { request.with_key_type(kind) };
                if version < 4 {
                    request.with_key(key.into())
                } else {
                    request.with_coordinator_keys(vec![key.into()])
                }
            };
            kinds[..if version == 0 { 1 } else { 4 }].iter().map(ask).collect()
        },
        |_| {},
    );
}

fn commit(version: i16, id: &str, topics: &[&str]) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(1);
    let topic = |topic: &&str| {
        OffsetCommitRequestTopic::default().with_name(name(topic)).with_partitions(vec![partition.clone()])
    };
    let request = OffsetCommitRequest::default()
        .with_group_id(group(id))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(topics.iter().map(topic).collect());
    if version <= 4 { request.with_retention_time_ms(-1) } else { request }
}

fn offsets(oracle: &mut Oracle) {
    oracle.compare(
        &[],
        |version, _| vec![commit(version, "g-offsets", &TOPICS), commit(version, "g-none", &[HIDDEN])],
        |answer| answer.topics.sort_by(|a, b| a.name.cmp(&b.name)),
    );
    oracle.compare(
        &[],
        |version, _| {
            // Without PRODUCED: a broker shows offsets to whoever may describe a topic, the gateway to whoever may read it.
            let named: &[&str] = &[ORDERS, HIDDEN, NOWHERE];
            let wanted = if version < 2 { vec![Some(named)] } else { vec![Some(named), None] };
            wanted.into_iter().map(|topics| fetch(version, "g-offsets", topics)).collect()
        },
        |answer| {
            answer.topics.sort_by(|a, b| a.name.cmp(&b.name));
            answer.groups.iter_mut().for_each(|group| group.topics.sort_by(|a, b| a.name.cmp(&b.name)));
        },
    );
    oracle.compare(
        &[],
        |_, side| {
            side.ask(&commit(8, "g-forgets", &[ORDERS]), 8);
            let partition = OffsetDeleteRequestPartition::default();
            let topic = |topic: &&str| {
                OffsetDeleteRequestTopic::default()
                    .with_name(name(topic))
                    .with_partitions(vec![partition.clone()])
            };
            let of = |id, topics: &[&str]| {
                OffsetDeleteRequest::default()
                    .with_group_id(group(id))
                    .with_topics(topics.iter().map(topic).collect())
            };
            vec![
                of("g-forgets", &TOPICS),
                of("g-nobody", &TOPICS),
                of("g-nobody", &[HIDDEN]),
                of("", &TOPICS),
            ]
        },
        |answer| answer.topics.sort_by(|a, b| a.name.cmp(&b.name)),
    );
}

fn fetch(version: i16, id: &str, topics: Option<&[&str]>) -> OffsetFetchRequest {
    let old = |topic: &&str| {
        OffsetFetchRequestTopic::default().with_name(name(topic)).with_partition_indexes(vec![0])
    };
    let new = |topic: &&str| {
        OffsetFetchRequestTopics::default().with_name(name(topic)).with_partition_indexes(vec![0])
    };
    if version < 8 {
        let topics = topics.map(|topics| topics.iter().map(old).collect());
        return OffsetFetchRequest::default().with_group_id(group(id)).with_topics(topics);
    }
    let topics = topics.map(|topics| topics.iter().map(new).collect());
    let batch = OffsetFetchRequestGroup::default().with_group_id(group(id)).with_topics(topics);
    OffsetFetchRequest::default().with_groups(vec![batch])
}

fn join(version: i16, id: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name("range".into())
        .with_metadata(consumer_bytes(ORDERS, false));
    let request = JoinGroupRequest::default()
        .with_group_id(group(id))
        .with_session_timeout_ms(60_000)
        .with_protocol_type("consumer".into())
        .with_protocols(vec![protocol]);
    if version >= 1 { request.with_rebalance_timeout_ms(60_000) } else { request }
}

/// Makes `id` a group with one member, which leads it, and answers the member's id.
fn joined(side: &mut Side, id: &str) -> StrBytes {
    let answer = side.ask(&join(3, id), 3);
    assert_eq!(answer.error_code, 0, "{answer:?}");
    answer.member_id
}

fn sync(id: &str, member: &StrBytes) -> SyncGroupRequest {
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(member.clone())
        .with_assignment(consumer_bytes(ORDERS, true));
    SyncGroupRequest::default()
        .with_group_id(group(id))
        .with_generation_id(1)
        .with_member_id(member.clone())
        .with_assignments(vec![assignment])
}

fn members(oracle: &mut Oracle) {
    oracle.compare(
        &DRAWN,
        |version, _| {
            let id = format!("g-join-{version}");
            vec![join(version, &id), join(version, "")]
        },
        // An error comes with a null name or an empty one; no client looks.
        |answer| answer.protocol_name = answer.protocol_name.take().filter(|name| !name.is_empty()),
    );
    let nobody = || StrBytes::from_static_str("nobody");
    oracle.compare(
        &[],
        |version, side| {
            let id = format!("g-sync-{version}");
            let member = joined(side, &id);
            let mut requests = vec![sync(&id, &member), sync(&id, &nobody()), sync("", &member)];
            if version >= 5 {
                for request in &mut requests {
                    request.protocol_type = Some("consumer".into());
                    request.protocol_name = Some("range".into());
                }
            }
            requests
        },
        |_| {},
    );
    oracle.compare(
        &[],
        |version, side| {
            let id = format!("g-beat-{version}");
            let member = joined(side, &id);
            let beat = |id: &str, member| {
                HeartbeatRequest::default()
                    .with_group_id(group(id))
                    .with_generation_id(1)
                    .with_member_id(member)
            };
            vec![beat(&id, member.clone()), beat(&id, nobody()), beat("g-nobody", nobody()), beat("", member)]
        },
        |_| {},
    );
    oracle.compare(
        &[("member_id", "drawn by the broker")],
        |version, side| {
            let id = format!("g-leave-{version}");
            let member = joined(side, &id);
            let leave = |id: &str, member: StrBytes| {
                let request = LeaveGroupRequest::default().with_group_id(group(id));
                if version < 3 {
                    return request.with_member_id(member);
                }
                request.with_members(vec![MemberIdentity::default().with_member_id(member)])
            };
            vec![
                leave(&id, nobody()),
                leave(&id, member.clone()),
                leave("g-nobody", member.clone()),
                leave("", member),
            ]
        },
        |_| {},
    );
}

fn administration(oracle: &mut Oracle) {
    oracle.compare(
        &[("member_id", "drawn by the broker")],
        |version, side| {
            let id = format!("g-describe-{version}");
            let member = joined(side, &id);
            side.ask(&sync(&id, &member), 3);
            let request = DescribeGroupsRequest::default().with_groups(vec![group(&id), group("g-nobody")]);
            vec![if version >= 3 { request.with_include_authorized_operations(true) } else { request }]
        },
        |answer| answer.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id)),
    );
    oracle.compare(
        &[],
        |version, _| {
            let request = ListGroupsRequest::default();
            let mut requests = vec![request.clone()];
            if version >= 4 {
                requests.push(request.clone().with_states_filter(vec!["Empty".into()]));
            }
            if version >= 5 {
                requests.push(request.with_types_filter(vec!["consumer".into()]));
            }
            requests
        },
        |answer| answer.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id)),
    );
    oracle.compare(
        &[],
        |version, side| {
            let (empty, busy) = (format!("g-delete-{version}"), format!("g-busy-{version}"));
            side.ask(&commit(8, &empty, &[ORDERS]), 8);
            joined(side, &busy);
            let groups = [&empty, &busy, "g-nobody"].map(group).to_vec();
            vec![DeleteGroupsRequest::default().with_groups_names(groups)]
        },
        |answer| answer.results.sort_by(|a, b| a.group_id.cmp(&b.group_id)),
    );
}

fn new_protocol(oracle: &mut Oracle) {
    oracle.compare(
        &[("member_id", "drawn by the broker"), ("heartbeat_interval_ms", "the broker's to say")],
        |version, _| {
            let subscribe = |id: &str, topics: &[&str]| {
                ConsumerGroupHeartbeatRequest::default()
                    .with_group_id(group(id))
                    .with_member_id("oracle-member".into())
                    .with_rebalance_timeout_ms(60_000)
                    .with_subscribed_topic_names(Some(topics.iter().map(|topic| name(topic)).collect()))
                    .with_topic_partitions(Some(vec![]))
            };
            vec![subscribe(&format!("g-new-{version}"), &[ORDERS]), subscribe("", &[ORDERS])]
        },
        |_| {},
    );
    oracle.compare(
        &[
            ("member_id", "drawn by the broker"),
            ("subscribed_topic_regex", "evaluated by the gateway: the broker never had it"),
        ],
        |version, _| {
            let groups = vec![group(&format!("g-new-{version}")), group("g-nobody")];
            vec![
                ConsumerGroupDescribeRequest::default()
                    .with_group_ids(groups)
                    .with_include_authorized_operations(true),
            ]
        },
        |answer| answer.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id)),
    );
}
