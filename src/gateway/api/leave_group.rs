//! LeaveGroup (13): a member goes.

use bytes::Bytes;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::{Exchange, Outcome, Refusal, body, group_id};
use crate::gateway::memory::Memory;
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 5);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 13,
    name: "LeaveGroupRequest",
    versions: VERSIONS,
    flexible_since: 4,
    fields: &[
        F::new("groupId", T::String).entity(Entity::GroupId),
        F::new("memberId", T::String).until(2),
        F::new("members", T::Array(&T::Struct(&[
            F::new("memberId", T::String),
            F::new("groupInstanceId", T::String).nullable_since(3),
            F::new("reason", T::String).since(5).nullable_since(5),
        ]))).since(3),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 13,
    name: "LeaveGroupResponse",
    versions: VERSIONS,
    flexible_since: 4,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(1),
        F::new("errorCode", T::Int16),
        F::new("members", T::Array(&T::Struct(&[
            F::new("memberId", T::String),
            F::new("groupInstanceId", T::String).nullable_since(3),
            F::new("errorCode", T::Int16),
        ]))).since(3),
    ],
};

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: LeaveGroupRequest = body::request(&REQUEST, version, body)?;
    forget(exchange, &request);
    match group_id::member_inside(exchange.view, &request.group_id) {
        Ok(group) => request.group_id = group,
        Err(error) => {
            return body::answer(&LeaveGroupResponse::default().with_error_code(error.code()), version);
        }
    }
    body::forward(&request, &RESPONSE, version, |_: &mut LeaveGroupResponse| {})
}

/// A member that joins again may do so as something else, over another connection.
fn forget(exchange: &Exchange<'_>, request: &LeaveGroupRequest) {
    /// No more are remembered: a request that names a million members is not worth a million looks.
    const MOST: usize = 64;
    let mut memory = Memory::lock(exchange.memory);
    let members = request.members.iter().map(|member| &member.member_id);
    for member in [&request.member_id].into_iter().chain(members).take(MOST) {
        memory.memberships.remove(&(request.group_id.to_string(), member.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::GroupId;
    use kafka_protocol::messages::leave_group_request::MemberIdentity;

    use super::super::fixture::Partner;
    use super::*;
    use crate::gateway::memory::Membership;

    #[test]
    fn the_group_is_the_zones_own_and_the_members_stay() {
        let partner = Partner::of(&[]);
        let request = LeaveGroupRequest::default()
            .with_group_id(GroupId("g".into()))
            .with_members(vec![MemberIdentity::default().with_member_id("client-1".into())]);
        let (sent, _) = partner.send(13, 5, &request).forwarded::<LeaveGroupRequest>();
        assert_eq!(sent, request.with_group_id(GroupId("acme:g".into())));
    }

    #[test]
    fn what_a_member_was_is_forgotten_when_it_leaves_at_every_version() {
        let partner = Partner::of(&[]);
        for version in VERSIONS.first..=VERSIONS.last {
            let key = |member: &str| ("g".to_owned(), member.to_owned());
            for member in ["m", "stays"] {
                Memory::lock(&partner.memory).memberships.put(&key(member), Membership::Other);
            }
            let request = LeaveGroupRequest::default().with_group_id(GroupId("g".into()));
            let member = MemberIdentity::default().with_member_id("m".into());
            let request = match version {
                0..=2 => request.with_member_id("m".into()),
                _ => request.with_members(vec![member]),
            };
            partner.send(13, version, &request).forwarded::<LeaveGroupRequest>();
            let memory = Memory::lock(&partner.memory);
            assert_eq!(memory.memberships.get(&key("m")), None, "v{version}");
            assert_eq!(memory.memberships.get(&key("stays")), Some(&Membership::Other));
        }
    }

    #[test]
    fn no_group_is_not_a_group_at_any_version() {
        for version in VERSIONS.first..=VERSIONS.last {
            let sent = Partner::of(&[]).send(13, version, &LeaveGroupRequest::default());
            assert_eq!(sent.answered::<LeaveGroupResponse>().error_code, 24, "v{version}");
        }
    }
}
