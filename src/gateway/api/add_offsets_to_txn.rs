//! AddOffsetsToTxn (25): a group's offsets join a transaction.

use bytes::Bytes;
use kafka_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::{Exchange, Outcome, Refusal, body, group_id, transactional_id};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 4);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 25,
    name: "AddOffsetsToTxnRequest",
    versions: VERSIONS,
    flexible_since: 3,
    fields: &[
        F::new("transactionalId", T::String).entity(Entity::TransactionalId),
        F::new("producerId", T::Int64),
        F::new("producerEpoch", T::Int16),
        F::new("groupId", T::String).entity(Entity::GroupId),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 25,
    name: "AddOffsetsToTxnResponse",
    versions: VERSIONS,
    flexible_since: 3,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
    ],
};

/// Which topics the offsets are of comes with TxnOffsetCommit.
pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: AddOffsetsToTxnRequest = body::request(&REQUEST, version, body)?;
    let inside = transactional_id::inside(exchange.view, &request.transactional_id)
        .and_then(|id| Ok((id, group_id::inside(exchange.view, &request.group_id)?)));
    match inside {
        Ok((id, group)) => {
            request.transactional_id = id;
            request.group_id = group;
            body::forward(&request, &RESPONSE, version, |_: &mut AddOffsetsToTxnResponse| {})
        }
        Err(error) => {
            body::answer(&AddOffsetsToTxnResponse::default().with_error_code(error.code()), version)
        }
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{GroupId, ProducerId, TransactionalId};

    use super::super::fixture::Partner;
    use super::*;

    fn ask(id: &str, group: &str) -> AddOffsetsToTxnRequest {
        AddOffsetsToTxnRequest::default()
            .with_transactional_id(TransactionalId(id.to_owned().into()))
            .with_producer_id(ProducerId(4))
            .with_producer_epoch(2)
            .with_group_id(GroupId(group.to_owned().into()))
    }

    #[test]
    fn transaction_and_group_are_the_zones_own_at_every_version() {
        let partner = Partner::of(&[]);
        for version in VERSIONS.first..=VERSIONS.last {
            let (sent, awaited) =
                partner.send(25, version, &ask("t", "g")).forwarded::<AddOffsetsToTxnRequest>();
            assert_eq!(sent, ask("acme:t", "acme:g"), "v{version}");
            let response = AddOffsetsToTxnResponse::default().with_error_code(47);
            assert_eq!(partner.receive::<AddOffsetsToTxnResponse, _>(awaited, &response), response);
        }
    }

    #[test]
    fn what_kafka_does_not_take_is_refused_here() {
        let long = "x".repeat(32_767);
        for (id, group, code) in [("", "g", 42), (&long, "g", 53), ("t", &long, 24)] {
            let answer: AddOffsetsToTxnResponse = Partner::of(&[]).send(25, 4, &ask(id, group)).answered();
            assert_eq!(answer.error_code, code);
        }
    }
}
