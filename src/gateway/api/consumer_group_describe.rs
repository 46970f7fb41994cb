//! ConsumerGroupDescribe (69): the members of a group of the new protocol (KIP-848), and what each has and will have.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::consumer_group_describe_response::{Assignment, DescribedGroup, Member};
use kafka_protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, GroupId};
use kafka_protocol::protocol::StrBytes;

use super::describe_groups::NO_HOST;
use super::{Exchange, Outcome, Refusal, body, group_id, group_protocol, names, operations};
use crate::gateway::memory::Memory;
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::policy::ZoneView;

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 1);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 69,
    name: "ConsumerGroupDescribeRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("groupIds", T::Array(&T::String)).entity(Entity::GroupId),
        F::new("includeAuthorizedOperations", T::Bool),
    ],
};

#[rustfmt::skip]
const ASSIGNMENT: T = T::Struct(&[
    F::new("topicPartitions", T::Array(&T::Struct(&[
        F::new("topicId", T::Uuid).entity(Entity::TopicId),
        F::new("topicName", T::String).entity(Entity::TopicName),
        F::new("partitions", T::Array(&T::Int32)),
    ]))),
]);

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 69,
    name: "ConsumerGroupDescribeResponse",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("groups", T::Array(&T::Struct(&[
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
            F::new("groupId", T::String).entity(Entity::GroupId),
            F::new("groupState", T::String),
            F::new("groupEpoch", T::Int32),
            F::new("assignmentEpoch", T::Int32),
            F::new("assignorName", T::String),
            F::new("members", T::Array(&T::Struct(&[
                F::new("memberId", T::String),
                F::new("instanceId", T::String).nullable_since(0),
                F::new("rackId", T::String).nullable_since(0),
                F::new("memberEpoch", T::Int32),
                F::new("clientId", T::String),
                F::new("clientHost", T::String).entity(Entity::Host),
                F::new("subscribedTopicNames", T::Array(&T::String)).entity(Entity::TopicName),
                F::new("subscribedTopicRegex", T::String).nullable_since(0),
                F::new("assignment", ASSIGNMENT),
                F::new("targetAssignment", ASSIGNMENT),
                F::new("memberType", T::Int8).since(1),
            ]))),
            F::new("authorizedOperations", T::Int32),
        ]))),
    ],
};

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: ConsumerGroupDescribeRequest = body::request(&REQUEST, version, body)?;
    let with_operations = std::mem::take(&mut request.include_authorized_operations);
    let admit = |group: &mut GroupId| {
        *group = group_id::member_inside(exchange.view, group)?;
        Ok(())
    };
    let (groups, refused) = names::sort(request.group_ids, admit, |group, error| refuse(&group, error));
    if groups.is_empty() {
        return body::answer(&ConsumerGroupDescribeResponse::default().with_groups(refused), version);
    }
    request.group_ids = groups;
    let view = Arc::clone(exchange.view);
    body::forward_and_note(
        &request,
        &RESPONSE,
        version,
        move |response: &mut ConsumerGroupDescribeResponse, memory| {
            let memory = Memory::lock(memory);
            response.groups.retain_mut(|group| group_id::rename_back(&view, &mut group.group_id));
            for group in &mut response.groups {
                group.error_message = None;
                if with_operations && group.error_code == 0 {
                    group.authorized_operations = operations::ON_GROUP;
                }
                for member in &mut group.members {
                    let key = (group.group_id.to_string(), member.member_id.to_string());
                    let pattern = memory.members.get(&key).and_then(|known| known.pattern());
                    // Of a pattern, the broker knows the topics that it found.
                    member.subscribed_topic_regex =
                        pattern.map(|text| StrBytes::from_string(text.to_owned()));
                    show(&view, member);
                }
            }
            response.groups.extend(refused);
        },
    )
}

fn refuse(group: &GroupId, error: ResponseError) -> DescribedGroup {
    DescribedGroup::default().with_group_id(group_id::detached(group)).with_error_code(error.code())
}

/// As in DescribeGroups, who asks sees the zone's first readable alias of each topic.
fn show(view: &ZoneView, member: &mut Member) {
    member.client_host = NO_HOST;
    let nobody = HashSet::new();
    member.subscribed_topic_names.retain_mut(|name| {
        let topic = group_protocol::shown_as(view, &nobody, name);
        *name = topic.map_or_else(names::empty, |topic| names::wire(&topic.alias));
        topic.is_some()
    });
    show_assignment(view, &mut member.assignment);
    show_assignment(view, &mut member.target_assignment);
}

fn show_assignment(view: &ZoneView, assignment: &mut Assignment) {
    let nobody = HashSet::new();
    assignment.topic_partitions.retain_mut(|assigned| {
        let topic = group_protocol::shown_as(view, &nobody, &assigned.topic_name);
        // A topic that was made again is another one until this gateway has seen it.
        let Some((topic, ids)) = topic.and_then(|topic| Some((topic, topic.ids?))) else { return false };
        assigned.topic_name = names::wire(&topic.alias);
        assigned.topic_id = ids.synthetic;
        true
    });
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::GroupId;
    use kafka_protocol::messages::consumer_group_describe_response::TopicPartitions;
    use uuid::Uuid;

    use super::super::fixture::{Partner, Produce, Read, Write, real_id, topic};
    use super::*;

    fn ask(groups: &[&str]) -> ConsumerGroupDescribeRequest {
        let groups = groups.iter().map(|group| GroupId((*group).to_owned().into()));
        ConsumerGroupDescribeRequest::default()
            .with_group_ids(groups.collect())
            .with_include_authorized_operations(true)
    }

    fn assignment(topics: &[&str]) -> Assignment {
        let of = |name: &&str| {
            TopicPartitions::default()
                .with_topic_name(topic(name))
                .with_topic_id(real_id(name))
                .with_partitions(vec![3])
        };
        Assignment::default().with_topic_partitions(topics.iter().map(of).collect())
    }

    fn described(id: &'static str) -> DescribedGroup {
        let topics = ["b", "t", "secret"];
        let member = Member::default()
            .with_member_id("m".into())
            .with_client_host("/10.0.0.7".into())
            .with_subscribed_topic_names(topics.iter().map(|name| topic(name)).collect())
            .with_subscribed_topic_regex(Some("secret.*".into()))
            .with_assignment(assignment(&topics))
            .with_target_assignment(assignment(&["secret"]));
        DescribedGroup::default()
            .with_group_id(GroupId(id.into()))
            .with_error_message(Some("group acme:g of topic b".into()))
            .with_authorized_operations(-1)
            .with_members(vec![member])
    }

    #[test]
    fn a_zones_own_groups_are_shown_in_its_own_words_and_nothing_else_is() {
        let partner =
            Partner::of(&[("in", "t", Produce), ("a", "b", Read), ("b", "a", Read), ("out", "t", Write)]);
        for version in VERSIONS.first..=VERSIONS.last {
            let (sent, awaited) =
                partner.send(69, version, &ask(&["g", ""])).forwarded::<ConsumerGroupDescribeRequest>();
            assert_eq!(sent.group_ids, [GroupId("acme:g".into())]);
            assert!(!sent.include_authorized_operations);
            let response = ConsumerGroupDescribeResponse::default().with_groups(vec![
                described("acme:g"),
                described("other:g"),
                described("g"),
            ]);
            let response: ConsumerGroupDescribeResponse = partner.receive(awaited, &response);
            let groups: Vec<_> =
                response.groups.iter().map(|group| (group.group_id.as_str(), group.error_code)).collect();
            assert_eq!(groups, [("g", 0), ("", 24)], "v{version}");
            let group = &response.groups[0];
            assert_eq!((&group.error_message, group.authorized_operations), (&None, operations::ON_GROUP));
            let member = &group.members[0];
            assert_eq!((member.client_host.as_str(), &member.subscribed_topic_regex), ("-", &None));
            assert_eq!(member.subscribed_topic_names, [topic("a"), topic("out")]);
            let id = |alias: &str| partner.view.by_alias(alias).unwrap().ids.unwrap().synthetic;
            let seen: Vec<(&str, Uuid)> = member
                .assignment
                .topic_partitions
                .iter()
                .map(|topic| (topic.topic_name.as_str(), topic.topic_id))
                .collect();
            assert_eq!(seen, [("a", id("a")), ("out", id("out"))]);
            assert_eq!(member.target_assignment, Assignment::default());
        }
    }

    #[test]
    fn only_asked_for_groups_that_exist_have_operations() {
        let partner = Partner::of(&[]);
        let (_, awaited) = partner
            .send(69, 1, &ask(&["g"]).with_include_authorized_operations(false))
            .forwarded::<ConsumerGroupDescribeRequest>();
        let untold = described("acme:g").with_authorized_operations(operations::NOT_ASKED);
        let response = ConsumerGroupDescribeResponse::default().with_groups(vec![untold]);
        let response: ConsumerGroupDescribeResponse = partner.receive(awaited, &response);
        assert_eq!(response.groups[0].authorized_operations, operations::NOT_ASKED);
        let answer: ConsumerGroupDescribeResponse = partner.send(69, 1, &ask(&[""])).answered();
        assert_eq!(answer.groups[0].error_code, 24);
    }
}
