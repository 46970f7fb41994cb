//! InitProducerId (22): an identity for an idempotent producer.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::{Exchange, Outcome, Refusal, body};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker and `kafka-protocol` share in the stable protocol; version 6 is for two-phase commit.
pub(crate) const VERSIONS: Versions = Versions::new(0, 5);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 22,
    name: "InitProducerIdRequest",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("transactionalId", T::String).nullable_since(0).entity(Entity::TransactionalId),
        F::new("transactionTimeoutMs", T::Int32),
        F::new("producerId", T::Int64).since(3),
        F::new("producerEpoch", T::Int16).since(3),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 22,
    name: "InitProducerIdResponse",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
        F::new("producerId", T::Int64),
        F::new("producerEpoch", T::Int16),
    ],
};

/// Null is an idempotent producer and passes. Transactions come later: an id is refused as if it were not the partner's.
pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let request: InitProducerIdRequest = body::request(&REQUEST, version, body)?;
    if request.transactional_id.is_some() {
        let refused = InitProducerIdResponse::default()
            .with_error_code(ResponseError::TransactionalIdAuthorizationFailed.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        return body::answer(&refused, version);
    }
    body::forward(&request, &RESPONSE, version, |_: &mut InitProducerIdResponse| {})
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::TransactionalId;

    use super::super::fixture::Partner;
    use super::*;

    #[test]
    fn an_idempotent_producer_gets_its_identity_from_the_broker() {
        let partner = Partner::of(&[]);
        for version in VERSIONS.first..=VERSIONS.last {
            let request = InitProducerIdRequest::default().with_transactional_id(None);
            let (sent, awaited) = partner.send(22, version, &request).forwarded::<InitProducerIdRequest>();
            assert_eq!(sent, request);
            let response = InitProducerIdResponse::default().with_producer_id(ProducerId(4000));
            assert_eq!(partner.receive::<InitProducerIdResponse, _>(awaited, &response), response);
        }
    }

    #[test]
    fn a_transactional_id_is_refused_here_at_every_version() {
        for version in VERSIONS.first..=VERSIONS.last {
            let request =
                InitProducerIdRequest::default().with_transactional_id(Some(TransactionalId("t".into())));
            let answer: InitProducerIdResponse = Partner::of(&[]).send(22, version, &request).answered();
            assert_eq!(
                (answer.error_code, answer.producer_id, answer.producer_epoch),
                (53, ProducerId(-1), -1)
            );
        }
    }
}
