//! InitProducerId (22): an identity for an idempotent producer, or for a transactional one, which fences its predecessor.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::{Exchange, Outcome, Refusal, body, transactional_id};
pub(crate) use crate::kafka::control_shapes::INIT_PRODUCER_ID_RESPONSE as RESPONSE;
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

/// Without a transactional id it is for an idempotent producer and passes.
pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: InitProducerIdRequest = body::request(&REQUEST, version, body)?;
    if let Some(id) = &request.transactional_id {
        match transactional_id::inside(exchange.view, id) {
            Ok(inside) => request.transactional_id = Some(inside),
            Err(error) => return body::answer(&refused(error), version),
        }
    }
    body::forward(&request, &RESPONSE, version, |_: &mut InitProducerIdResponse| {})
}

fn refused(error: ResponseError) -> InitProducerIdResponse {
    InitProducerIdResponse::default()
        .with_error_code(error.code())
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
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
    fn a_transactional_producer_is_the_zones_own_at_every_version() {
        let partner = Partner::of(&[]);
        for version in VERSIONS.first..=VERSIONS.last {
            let request =
                InitProducerIdRequest::default().with_transactional_id(Some(TransactionalId("t".into())));
            let (sent, awaited) = partner.send(22, version, &request).forwarded::<InitProducerIdRequest>();
            assert_eq!(sent, request.with_transactional_id(Some(TransactionalId("acme:t".into()))));
            // A timeout above the broker's highest.
            let response = refused(ResponseError::InvalidTransactionTimeout);
            assert_eq!(partner.receive::<InitProducerIdResponse, _>(awaited, &response), response);
        }
    }

    #[test]
    fn an_empty_transactional_id_is_invalid_and_one_too_long_refused() {
        for (id, code) in [(String::new(), 42), ("t".repeat(32_767), 53)] {
            let id = TransactionalId(id.into());
            let request = InitProducerIdRequest::default().with_transactional_id(Some(id));
            let answer: InitProducerIdResponse = Partner::of(&[]).send(22, 4, &request).answered();
            assert_eq!(
                (answer.error_code, answer.producer_id, answer.producer_epoch),
                (code, ProducerId(-1), -1)
            );
        }
    }
}
