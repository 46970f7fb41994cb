//! DescribeGroups (15): the members of a group, and what each has.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};
use kafka_protocol::protocol::StrBytes;

use super::{Exchange, Outcome, Refusal, body, group_id, group_protocol, names, operations};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::policy::ZoneView;

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 6);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 15,
    name: "DescribeGroupsRequest",
    versions: VERSIONS,
    flexible_since: 5,
    fields: &[
        F::new("groups", T::Array(&T::String)).entity(Entity::GroupId),
        F::new("includeAuthorizedOperations", T::Bool).since(3),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 15,
    name: "DescribeGroupsResponse",
    versions: VERSIONS,
    flexible_since: 5,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(1),
        F::new("groups", T::Array(&T::Struct(&[
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).since(6).nullable_since(6).entity(Entity::ErrorMessage),
            F::new("groupId", T::String).entity(Entity::GroupId),
            F::new("groupState", T::String),
            F::new("protocolType", T::String),
            F::new("protocolData", T::String),
            F::new("members", T::Array(&T::Struct(&[
                F::new("memberId", T::String),
                F::new("groupInstanceId", T::String).since(4).nullable_since(4),
                F::new("clientId", T::String),
                F::new("clientHost", T::String).entity(Entity::Host),
                F::new("memberMetadata", T::Bytes).entity(Entity::GroupProtocol),
                F::new("memberAssignment", T::Bytes).entity(Entity::GroupProtocol),
            ]))),
            F::new("authorizedOperations", T::Int32).since(3),
        ]))),
    ],
};

/// The state of a group that does not exist.
const DEAD: StrBytes = StrBytes::from_static_str("Dead");

/// What stands where a broker tells a member's host. It knows the gateway's only, which is no partner's business; Kafka's
/// tools print columns, so it is not left empty.
pub(super) const NO_HOST: StrBytes = StrBytes::from_static_str("-");

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: DescribeGroupsRequest = body::request(&REQUEST, version, body)?;
    let with_operations = std::mem::take(&mut request.include_authorized_operations);
    let admit = |group: &mut GroupId| {
        *group = group_id::inside(exchange.view, group)?;
        Ok(())
    };
    let (groups, refused) = names::sort(request.groups, admit, |group, error| refuse(&group, error));
    if groups.is_empty() {
        return body::answer(&DescribeGroupsResponse::default().with_groups(refused), version);
    }
    request.groups = groups;
    let view = Arc::clone(exchange.view);
    body::forward(&request, &RESPONSE, version, move |response: &mut DescribeGroupsResponse| {
        response.groups.retain_mut(|group| group_id::rename_back(&view, &mut group.group_id));
        for group in &mut response.groups {
            group.error_message = None;
            if with_operations && group.error_code == 0 {
                group.authorized_operations = operations::ON_GROUP;
            }
            let is_consumer = group.protocol_type.as_str() == group_protocol::CONSUMER;
            group.members.iter_mut().for_each(|member| show(&view, is_consumer, member));
        }
        response.groups.extend(refused);
    })
}

fn refuse(group: &GroupId, error: ResponseError) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_state(DEAD)
        .with_group_id(group_id::detached(group))
        .with_error_code(error.code())
}

/// Which aliases a member subscribed to is known to the connection it joined over. Whoever asks here sees the zone's first
/// readable alias of each topic, as a leader does that knows none of its own.
fn show(view: &ZoneView, is_consumer: bool, member: &mut DescribedGroupMember) {
    member.client_host = NO_HOST;
    if is_consumer {
        let subscribed = HashSet::new();
        group_protocol::subscription_out(view, &subscribed, &mut member.member_metadata);
        group_protocol::assignment_out(view, &subscribed, &mut member.member_assignment);
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};

    use super::super::fixture::{Partner, Produce, Read};
    use super::*;

    fn group(id: &str) -> GroupId {
        GroupId(id.to_owned().into())
    }

    /// A subscription (version 0) to these topics.
    fn subscription(topics: &[&str]) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_i16(0);
        bytes.put_i32(i32::try_from(topics.len()).unwrap());
        for topic in topics {
            bytes.put_i16(i16::try_from(topic.len()).unwrap());
            bytes.put_slice(topic.as_bytes());
        }
        bytes.put_i32(-1);
        bytes.freeze()
    }

    /// An assignment (version 0) of partition 3 of each of these topics.
    fn assignment(topics: &[&str]) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_i16(0);
        bytes.put_i32(i32::try_from(topics.len()).unwrap());
        for topic in topics {
            bytes.put_i16(i16::try_from(topic.len()).unwrap());
            bytes.put_slice(topic.as_bytes());
            bytes.put_i32(1);
            bytes.put_i32(3);
        }
        bytes.put_i32(-1);
        bytes.freeze()
    }

    fn described(id: &str, protocol: &'static str, topics: &[&str]) -> DescribedGroup {
        let member = DescribedGroupMember::default()
            .with_member_id("m-1".into())
            .with_client_host("/10.0.0.7".into())
            .with_member_metadata(subscription(topics))
            .with_member_assignment(assignment(topics));
        DescribedGroup::default()
            .with_group_id(group(id))
            .with_protocol_type(protocol.into())
            .with_members(vec![member])
    }

    #[test]
    fn a_group_shows_aliases_and_no_address_at_every_version() {
        let partner = Partner::of(&[("in", "t", Produce), ("a", "t", Read), ("b", "a", Read)]);
        for version in VERSIONS.first..=VERSIONS.last {
            let request = DescribeGroupsRequest::default()
                .with_groups(vec![group("g")])
                .with_include_authorized_operations(version >= 3);
            let (sent, awaited) = partner.send(15, version, &request).forwarded::<DescribeGroupsRequest>();
            assert_eq!(sent.groups, [group("acme:g")]);
            assert!(!sent.include_authorized_operations);
            let groups = ["acme:g", "other:g"].map(|id| described(id, "consumer", &["a", "t", "not-shared"]));
            let response = DescribeGroupsResponse::default().with_groups(groups.to_vec());
            let seen: DescribeGroupsResponse = partner.receive(awaited, &response);
            let [only] = &seen.groups[..] else { panic!("{seen:?}") };
            assert_eq!(only.group_id, group("g"));
            assert_eq!(only.members[0].client_host.as_str(), "-");
            assert_eq!(only.members[0].member_metadata, subscription(&["b", "a"]), "v{version}");
            assert_eq!(only.members[0].member_assignment, assignment(&["b", "a"]), "v{version}");
            let operations = if version >= 3 { operations::ON_GROUP } else { operations::NOT_ASKED };
            assert_eq!(only.authorized_operations, operations, "v{version}");
        }
    }

    #[test]
    fn what_members_of_another_kind_say_is_their_own() {
        let partner = Partner::of(&[("a", "t", Read)]);
        let request = DescribeGroupsRequest::default().with_groups(vec![group("g")]);
        let (_, awaited) = partner.send(15, 6, &request).forwarded::<DescribeGroupsRequest>();
        let response =
            DescribeGroupsResponse::default().with_groups(vec![described("acme:g", "connect", &["t"])]);
        let seen: DescribeGroupsResponse = partner.receive(awaited, &response);
        assert_eq!(seen.groups[0].members[0].member_metadata, subscription(&["t"]));
    }

    #[test]
    fn a_brokers_words_are_dropped_and_an_impossible_group_is_answered_here() {
        let partner = Partner::of(&[]);
        let long = "g".repeat(32_767);
        let request = DescribeGroupsRequest::default().with_groups(vec![group("g"), group(&long)]);
        let (sent, awaited) = partner.send(15, 6, &request).forwarded::<DescribeGroupsRequest>();
        assert_eq!(sent.groups.len(), 1);
        let unknown = described("acme:g", "", &[])
            .with_error_code(69)
            .with_error_message(Some("Group acme:g not found.".into()));
        let response = DescribeGroupsResponse::default().with_groups(vec![unknown]);
        let seen: DescribeGroupsResponse = partner.receive(awaited, &response);
        let codes: Vec<_> =
            seen.groups.iter().map(|group| (group.error_code, group.error_message.clone())).collect();
        assert_eq!(codes, [(69, None), (24, None)]);
        let alone = DescribeGroupsRequest::default().with_groups(vec![group(&long)]);
        let answer: DescribeGroupsResponse = partner.send(15, 6, &alone).answered();
        assert_eq!((answer.groups[0].error_code, answer.groups[0].group_state.as_str()), (24, "Dead"));
    }
}
