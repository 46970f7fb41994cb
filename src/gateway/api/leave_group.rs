//! LeaveGroup (13): a member goes.

use bytes::Bytes;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::{Exchange, Outcome, Refusal, body, group_id};
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
    match group_id::member_inside(exchange.view, &request.group_id) {
        Ok(group) => request.group_id = group,
        Err(error) => {
            return body::answer(&LeaveGroupResponse::default().with_error_code(error.code()), version);
        }
    }
    body::forward(&request, &RESPONSE, version, |_: &mut LeaveGroupResponse| {})
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::GroupId;
    use kafka_protocol::messages::leave_group_request::MemberIdentity;

    use super::super::fixture::Partner;
    use super::*;

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
    fn no_group_is_not_a_group_at_any_version() {
        for version in VERSIONS.first..=VERSIONS.last {
            let sent = Partner::of(&[]).send(13, version, &LeaveGroupRequest::default());
            assert_eq!(sent.answered::<LeaveGroupResponse>().error_code, 24, "v{version}");
        }
    }
}
