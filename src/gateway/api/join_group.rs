//! JoinGroup (11): a member and its subscription.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::{Exchange, Outcome, Refusal, body, group_id, group_protocol};
use crate::gateway::memory::{Membership, Memory};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::policy::ZoneView;

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 9);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 11,
    name: "JoinGroupRequest",
    versions: VERSIONS,
    flexible_since: 6,
    fields: &[
        F::new("groupId", T::String).entity(Entity::GroupId),
        F::new("sessionTimeoutMs", T::Int32),
        F::new("rebalanceTimeoutMs", T::Int32).since(1),
        F::new("memberId", T::String),
        F::new("groupInstanceId", T::String).since(5).nullable_since(5),
        F::new("protocolType", T::String),
        F::new("protocols", T::Array(&T::Struct(&[
            F::new("name", T::String),
            F::new("metadata", T::Bytes).entity(Entity::GroupProtocol),
        ]))),
        F::new("reason", T::String).since(8).nullable_since(8),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 11,
    name: "JoinGroupResponse",
    versions: VERSIONS,
    flexible_since: 6,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(2),
        F::new("errorCode", T::Int16),
        F::new("generationId", T::Int32),
        F::new("protocolType", T::String).since(7).nullable_since(7),
        F::new("protocolName", T::String).nullable_since(7),
        F::new("leader", T::String),
        F::new("skipAssignment", T::Bool).since(9),
        F::new("memberId", T::String),
        F::new("members", T::Array(&T::Struct(&[
            F::new("memberId", T::String),
            F::new("groupInstanceId", T::String).since(5).nullable_since(5),
            F::new("metadata", T::Bytes).entity(Entity::GroupProtocol),
        ]))),
    ],
};

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let view = exchange.view;
    let mut request: JoinGroupRequest = body::request(&REQUEST, version, body)?;
    let known_as = request.group_id.to_string();
    let membership = match inside(view, &mut request) {
        Ok(membership) => membership,
        Err(error) => {
            let refused = JoinGroupResponse::default().with_error_code(error.code()).with_generation_id(-1);
            return body::answer(&refused, version);
        }
    };
    let view = Arc::clone(view);
    body::forward_and_note(&request, &RESPONSE, version, move |response: &mut JoinGroupResponse, memory| {
        if response.error_code == 0 {
            // Not before: what is remembered of a member is what the broker has accepted of it.
            let member = (known_as, response.member_id.to_string());
            Memory::lock(memory).memberships.put(&member, membership.clone());
        }
        // Only the leader gets the members; it sees all of them with the aliases that it knows itself.
        if let Membership::Consumer(subscribed) = &membership {
            for member in &mut response.members {
                group_protocol::subscription_out(&view, subscribed, &mut member.metadata);
            }
        }
    })
}

/// Puts the request into the broker's words.
fn inside(view: &ZoneView, request: &mut JoinGroupRequest) -> Result<Membership, ResponseError> {
    request.group_id = group_id::member_inside(view, &request.group_id)?;
    let subscriptions = request.protocols.iter().map(|protocol| &protocol.metadata);
    let membership = group_protocol::membership(view, &request.protocol_type, subscriptions);
    if membership != Membership::Other {
        for protocol in &mut request.protocols {
            group_protocol::subscription_in(view, &mut protocol.metadata)?;
        }
    }
    Ok(membership)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
    use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
    use kafka_protocol::messages::{ConsumerProtocolSubscription, GroupId};
    use kafka_protocol::protocol::Encodable as _;

    use super::super::fixture::{Partner, Produce, Read, Write};
    use super::*;
    use crate::kafka::consumer_protocol::names_in_subscription;

    fn subscription(topics: &[&str]) -> Bytes {
        let mut bytes = bytes::BytesMut::from(&[0, 1][..]);
        ConsumerProtocolSubscription::default()
            .with_topics(topics.iter().map(|topic| (*topic).to_owned().into()).collect())
            .with_user_data(Some(Bytes::from_static(b"sticky: a")))
            .encode(&mut bytes, 1)
            .unwrap();
        bytes.freeze()
    }

    fn join(kind: &'static str, metadata: Bytes) -> JoinGroupRequest {
        let protocol = JoinGroupRequestProtocol::default().with_name("range".into()).with_metadata(metadata);
        JoinGroupRequest::default()
            .with_group_id(GroupId("g".into()))
            .with_protocol_type(kind.into())
            .with_protocols(vec![protocol])
    }

    fn led(version: i16, members: &[Bytes]) -> JoinGroupResponse {
        let member = |bytes: &Bytes| JoinGroupResponseMember::default().with_metadata(bytes.clone());
        let response = JoinGroupResponse::default().with_members(members.iter().map(member).collect());
        if version >= 7 { response.with_protocol_type(Some("consumer".into())) } else { response }
    }

    #[test]
    fn a_member_joins_with_backing_names_and_the_leader_sees_aliases_at_every_version() {
        let partner = Partner::of(&[("a", "b", Read), ("b", "a", Read), ("in", "t", Produce)]);
        for version in VERSIONS.first..=VERSIONS.last {
            let request = join("consumer", subscription(&["b", "in", "secret", "a"]));
            let (sent, awaited) = partner.send(11, version, &request).forwarded::<JoinGroupRequest>();
            assert_eq!(sent.group_id.as_str(), "acme:g");
            // An alias without READ may be subscribed to, as in Kafka; what is no alias may not.
            assert_eq!(sent.protocols[0].metadata, subscription(&["a", "t", "b"]));
            let members = [subscription(&["a", "b"]), subscription(&["b", "not-shared"])];
            let response: JoinGroupResponse = partner.receive(awaited, &led(version, &members));
            assert_eq!(response.members[0].metadata, subscription(&["b", "a"]));
            assert_eq!(response.members[1].metadata, subscription(&["a"]));
        }
    }

    #[test]
    fn two_aliases_of_one_topic_are_one_there_and_the_leaders_own_here() {
        let partner = Partner::of(&[("one", "t", Read), ("two", "t", Write)]);
        for (asked, shown) in [(&["two"][..], "two"), (&["one"], "one"), (&["two", "one"], "one")] {
            let request = join("consumer", subscription(asked));
            let (sent, awaited) = partner.send(11, 5, &request).forwarded::<JoinGroupRequest>();
            assert_eq!(names_in_subscription(&sent.protocols[0].metadata).unwrap(), ["t"]);
            let response: JoinGroupResponse = partner.receive(awaited, &led(5, &[subscription(&["t"])]));
            assert_eq!(names_in_subscription(&response.members[0].metadata).unwrap(), [shown]);
        }
    }

    #[test]
    fn bytes_of_another_protocol_pass_both_ways_and_so_do_none() {
        let partner = Partner::of(&[("a", "b", Read)]);
        for (kind, bytes) in [("connect", subscription(&["a"])), ("consumer", Bytes::new())] {
            let (sent, awaited) =
                partner.send(11, 5, &join(kind, bytes.clone())).forwarded::<JoinGroupRequest>();
            assert_eq!(sent.protocols[0].metadata, bytes);
            let response: JoinGroupResponse = partner.receive(awaited, &led(5, std::slice::from_ref(&bytes)));
            assert_eq!(response.members[0].metadata, bytes);
        }
    }

    #[test]
    fn a_consumers_bytes_that_do_not_parse_are_refused_and_never_shown() {
        let partner = Partner::of(&[("a", "b", Read)]);
        // A broker reads this name, with a replacement character, and would read the ones beside it as they are.
        let not_utf8 = Bytes::from_static(b"\0\0\0\0\0\x02\0\x06secret\0\x01\xff\xff\xff\xff\xff");
        for odd in
            [not_utf8, Bytes::from_static(b"\0\0\x7f\xff\xff\xff"), Bytes::from_static(b"\xff\xff\0\0")]
        {
            for version in VERSIONS.first..=VERSIONS.last {
                let answer: JoinGroupResponse =
                    partner.send(11, version, &join("consumer", odd.clone())).answered();
                assert_eq!((answer.error_code, answer.generation_id), (23, -1), "v{version}");
            }
            let request = join("consumer", subscription(&["a"]));
            let (_, awaited) = partner.send(11, 5, &request).forwarded::<JoinGroupRequest>();
            let response: JoinGroupResponse = partner.receive(awaited, &led(5, &[odd]));
            assert_eq!(response.members[0].metadata, Bytes::new());
        }
    }

    #[test]
    fn a_member_is_remembered_once_the_broker_has_accepted_it() {
        let partner = Partner::of(&[("a", "b", Read)]);
        let member = ("g".to_owned(), "m-1".to_owned());
        for (error, remembered) in [(79, None), (0, Some(Membership::Other))] {
            let (_, awaited) =
                partner.send(11, 5, &join("connect", Bytes::new())).forwarded::<JoinGroupRequest>();
            let response = led(5, &[]).with_error_code(error).with_member_id("m-1".into());
            partner.receive::<JoinGroupResponse, _>(awaited, &response);
            assert_eq!(Memory::lock(&partner.memory).memberships.get(&member).cloned(), remembered);
        }
    }

    #[test]
    fn an_error_passes_and_no_group_is_not_a_group_at_any_version() {
        let partner = Partner::of(&[]);
        for version in VERSIONS.first..=VERSIONS.last {
            let request = join("consumer", subscription(&[]));
            let (_, awaited) = partner.send(11, version, &request).forwarded::<JoinGroupRequest>();
            let response = JoinGroupResponse::default().with_error_code(79).with_member_id("m-1".into());
            assert_eq!(partner.receive::<JoinGroupResponse, _>(awaited, &response), response);
            let nameless = request.with_group_id(GroupId::default());
            let answer: JoinGroupResponse = partner.send(11, version, &nameless).answered();
            assert_eq!((answer.error_code, answer.generation_id), (24, -1), "v{version}");
        }
    }
}
