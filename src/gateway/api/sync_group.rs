//! SyncGroup (14): the leader hands out partitions, every member gets its own.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::{Exchange, Outcome, Refusal, body, group_id, group_protocol};
use crate::gateway::memory::{Membership, Memory};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::policy::ZoneView;

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 5);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 14,
    name: "SyncGroupRequest",
    versions: VERSIONS,
    flexible_since: 4,
    fields: &[
        F::new("groupId", T::String).entity(Entity::GroupId),
        F::new("generationId", T::Int32),
        F::new("memberId", T::String),
        F::new("groupInstanceId", T::String).since(3).nullable_since(3),
        F::new("protocolType", T::String).since(5).nullable_since(5),
        F::new("protocolName", T::String).since(5).nullable_since(5),
        F::new("assignments", T::Array(&T::Struct(&[
            F::new("memberId", T::String),
            F::new("assignment", T::Bytes).entity(Entity::GroupProtocol),
        ]))),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 14,
    name: "SyncGroupResponse",
    versions: VERSIONS,
    flexible_since: 4,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(1),
        F::new("errorCode", T::Int16),
        F::new("protocolType", T::String).since(5).nullable_since(5),
        F::new("protocolName", T::String).since(5).nullable_since(5),
        F::new("assignment", T::Bytes).entity(Entity::GroupProtocol),
    ],
};

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let view = exchange.view;
    let mut request: SyncGroupRequest = body::request(&REQUEST, version, body)?;
    let member = (request.group_id.to_string(), request.member_id.to_string());
    let remembered = Memory::lock(exchange.memory).memberships.get(&member).cloned();
    // A member that joined over another connection: what it says itself, else what members mostly are.
    let membership = remembered.unwrap_or_else(|| {
        let protocol_type = request.protocol_type.as_deref().unwrap_or(group_protocol::CONSUMER);
        group_protocol::membership(view, protocol_type, std::iter::empty())
    });
    if let Err(error) = inside(view, &membership, &mut request) {
        return body::answer(&SyncGroupResponse::default().with_error_code(error.code()), version);
    }
    let view = Arc::clone(view);
    body::forward(&request, &RESPONSE, version, move |response: &mut SyncGroupResponse| {
        let assignment = &mut response.assignment;
        match &membership {
            Membership::Consumer(subscribed) => group_protocol::assignment_out(&view, subscribed, assignment),
            Membership::Other => group_protocol::unknown_out(&view, assignment),
        }
    })
}

/// Puts the request into the broker's words.
fn inside(
    view: &ZoneView,
    membership: &Membership,
    request: &mut SyncGroupRequest,
) -> Result<(), ResponseError> {
    request.group_id = group_id::member_inside(view, &request.group_id)?;
    if *membership != Membership::Other {
        for member in &mut request.assignments {
            group_protocol::assignment_in(view, &mut member.assignment)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use kafka_protocol::messages::consumer_protocol_assignment::TopicPartition;
    use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
    use kafka_protocol::messages::{ConsumerProtocolAssignment, GroupId};
    use kafka_protocol::protocol::Encodable as _;

    use super::super::fixture::{Partner, Read, Write, topic};
    use super::*;
    use crate::zone::TopicName;

    fn assignment(topics: &[(&str, &[i32])]) -> Bytes {
        let of = |(name, partitions): &(&str, &[i32])| {
            TopicPartition::default().with_topic(topic(name)).with_partitions(partitions.to_vec())
        };
        let mut bytes = bytes::BytesMut::from(&[0, 1][..]);
        ConsumerProtocolAssignment::default()
            .with_assigned_partitions(topics.iter().map(of).collect())
            .with_user_data(Some(Bytes::from_static(b"a stays a")))
            .encode(&mut bytes, 1)
            .unwrap();
        bytes.freeze()
    }

    fn sync(bytes: &Bytes) -> SyncGroupRequest {
        let member =
            SyncGroupRequestAssignment::default().with_member_id("m".into()).with_assignment(bytes.clone());
        SyncGroupRequest::default()
            .with_group_id(GroupId("g".into()))
            .with_member_id("m".into())
            .with_assignments(vec![member])
    }

    fn subscribed_to(partner: &Partner, aliases: &[&str]) {
        let aliases: HashSet<_> = aliases.iter().map(|alias| TopicName::try_from(*alias).unwrap()).collect();
        let membership = Membership::Consumer(Arc::new(aliases));
        Memory::lock(&partner.memory).memberships.put(&("g".to_owned(), "m".to_owned()), membership);
    }

    #[test]
    fn partitions_are_handed_out_under_backing_names_and_arrive_under_aliases_at_every_version() {
        let partner = Partner::of(&[("a", "b", Read), ("b", "a", Read)]);
        for version in VERSIONS.first..=VERSIONS.last {
            let request = sync(&assignment(&[("a", &[0, 2]), ("secret", &[1]), ("b", &[1])]));
            let (sent, awaited) = partner.send(14, version, &request).forwarded::<SyncGroupRequest>();
            assert_eq!(sent.group_id.as_str(), "acme:g");
            assert_eq!(sent.assignments[0].assignment, assignment(&[("b", &[0, 2]), ("a", &[1])]));
            let handed = assignment(&[("b", &[2]), ("not-shared", &[0]), ("a", &[1])]);
            let response = SyncGroupResponse::default().with_assignment(handed);
            let response: SyncGroupResponse = partner.receive(awaited, &response);
            assert_eq!(response.assignment, assignment(&[("a", &[2]), ("b", &[1])]));
        }
    }

    #[test]
    fn the_alias_is_one_that_the_member_subscribed_to() {
        let partner = Partner::of(&[("one", "t", Read), ("two", "t", Write)]);
        for (aliases, shown) in [(&["two"][..], "two"), (&["one", "two"], "one"), (&[], "one")] {
            subscribed_to(&partner, aliases);
            let request = sync(&assignment(&[("two", &[0, 1]), ("one", &[1])]));
            let (sent, awaited) = partner.send(14, 4, &request).forwarded::<SyncGroupRequest>();
            assert_eq!(sent.assignments[0].assignment, assignment(&[("t", &[0, 1])]));
            let response = SyncGroupResponse::default().with_assignment(assignment(&[("t", &[1])]));
            let response: SyncGroupResponse = partner.receive(awaited, &response);
            assert_eq!(response.assignment, assignment(&[(shown, &[1])]));
        }
    }

    #[test]
    fn another_protocols_bytes_pass_both_ways_whoever_says_so() {
        let partner = Partner::of(&[("a", "b", Read)]);
        let bytes = assignment(&[("a", &[0])]);
        let passes = |version, request: &SyncGroupRequest| {
            let (sent, awaited) = partner.send(14, version, request).forwarded::<SyncGroupRequest>();
            assert_eq!(sent.assignments[0].assignment, bytes);
            let response = SyncGroupResponse::default().with_assignment(bytes.clone());
            assert_eq!(partner.receive::<SyncGroupResponse, _>(awaited, &response).assignment, bytes);
        };
        passes(5, &sync(&bytes).with_protocol_type(Some("connect".into())));
        Memory::lock(&partner.memory).memberships.put(&("g".to_owned(), "m".to_owned()), Membership::Other);
        passes(3, &sync(&bytes));
    }

    #[test]
    fn a_member_that_has_become_a_consumer_elsewhere_sees_no_real_names() {
        let partner = Partner::of(&[("a", "b", Read)]);
        Memory::lock(&partner.memory).memberships.put(&("g".to_owned(), "m".to_owned()), Membership::Other);
        let (_, awaited) = partner.send(14, 3, &sync(&Bytes::new())).forwarded::<SyncGroupRequest>();
        let handed = assignment(&[("b", &[2]), ("not-shared", &[0])]);
        let response = SyncGroupResponse::default().with_assignment(handed);
        let response: SyncGroupResponse = partner.receive(awaited, &response);
        assert_eq!(response.assignment, assignment(&[("a", &[2])]));
    }

    #[test]
    fn an_assignment_that_does_not_parse_is_refused_and_none_passes() {
        let partner = Partner::of(&[("a", "b", Read)]);
        for version in VERSIONS.first..=VERSIONS.last {
            let odd = Bytes::from_static(b"\0\x01\0\0\0\x01\0\x06secre");
            let answer: SyncGroupResponse = partner.send(14, version, &sync(&odd)).answered();
            assert_eq!(answer.error_code, 23, "v{version}");
            let (sent, _) = partner.send(14, version, &sync(&Bytes::new())).forwarded::<SyncGroupRequest>();
            assert_eq!(sent.assignments[0].assignment, Bytes::new());
        }
    }

    #[test]
    fn an_error_has_no_assignment_and_no_group_is_not_a_group() {
        let partner = Partner::of(&[]);
        for version in VERSIONS.first..=VERSIONS.last {
            let (_, awaited) =
                partner.send(14, version, &sync(&Bytes::new())).forwarded::<SyncGroupRequest>();
            let response = SyncGroupResponse::default().with_error_code(27);
            assert_eq!(partner.receive::<SyncGroupResponse, _>(awaited, &response), response);
            let answer: SyncGroupResponse =
                partner.send(14, version, &SyncGroupRequest::default()).answered();
            assert_eq!(answer.error_code, 24);
        }
    }
}
