//! Heartbeat (12): a member is alive.

use bytes::Bytes;
use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::{Exchange, Outcome, Refusal, body, group_id};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 4);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 12,
    name: "HeartbeatRequest",
    versions: VERSIONS,
    flexible_since: 4,
    fields: &[
        F::new("groupId", T::String).entity(Entity::GroupId),
        F::new("generationId", T::Int32),
        F::new("memberId", T::String),
        F::new("groupInstanceId", T::String).since(3).nullable_since(3),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 12,
    name: "HeartbeatResponse",
    versions: VERSIONS,
    flexible_since: 4,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(1),
        F::new("errorCode", T::Int16),
    ],
};

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: HeartbeatRequest = body::request(&REQUEST, version, body)?;
    match group_id::member_inside(exchange.view, &request.group_id) {
        Ok(group) => request.group_id = group,
        Err(error) => {
            return body::answer(&HeartbeatResponse::default().with_error_code(error.code()), version);
        }
    }
    body::forward(&request, &RESPONSE, version, |_: &mut HeartbeatResponse| {})
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::GroupId;

    use super::super::fixture::Partner;
    use super::*;

    #[test]
    fn the_group_is_the_zones_own() {
        let partner = Partner::of(&[]);
        for version in VERSIONS.first..=VERSIONS.last {
            let request =
                HeartbeatRequest::default().with_group_id(GroupId("g".into())).with_generation_id(7);
            let (sent, awaited) = partner.send(12, version, &request).forwarded::<HeartbeatRequest>();
            assert_eq!(sent, request.with_group_id(GroupId("acme:g".into())));
            let response = HeartbeatResponse::default().with_error_code(27);
            assert_eq!(partner.receive::<HeartbeatResponse, _>(awaited, &response), response);
        }
    }

    #[test]
    fn no_group_is_not_a_group() {
        let answer: HeartbeatResponse = Partner::of(&[]).send(12, 4, &HeartbeatRequest::default()).answered();
        assert_eq!(answer.error_code, 24);
    }
}
