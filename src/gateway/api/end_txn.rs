//! EndTxn (26): commits or aborts a transaction.

use bytes::Bytes;
use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse, ProducerId};

use super::{Exchange, Outcome, Refusal, body, transactional_id};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share. Version 5 gives the producer its next epoch (KIP-890).
pub(crate) const VERSIONS: Versions = Versions::new(0, 5);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 26,
    name: "EndTxnRequest",
    versions: VERSIONS,
    flexible_since: 3,
    fields: &[
        F::new("transactionalId", T::String).entity(Entity::TransactionalId),
        F::new("producerId", T::Int64),
        F::new("producerEpoch", T::Int16),
        F::new("committed", T::Bool),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 26,
    name: "EndTxnResponse",
    versions: VERSIONS,
    flexible_since: 3,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
        F::new("producerId", T::Int64).since(5),
        F::new("producerEpoch", T::Int16).since(5),
    ],
};

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: EndTxnRequest = body::request(&REQUEST, version, body)?;
    match transactional_id::inside(exchange.view, &request.transactional_id) {
        Ok(inside) => request.transactional_id = inside,
        Err(error) => {
            let refused = EndTxnResponse::default()
                .with_error_code(error.code())
                .with_producer_id(ProducerId(-1))
                .with_producer_epoch(-1);
            return body::answer(&refused, version);
        }
    }
    body::forward(&request, &RESPONSE, version, |_: &mut EndTxnResponse| {})
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::TransactionalId;

    use super::super::fixture::Partner;
    use super::*;

    fn ask(id: &str) -> EndTxnRequest {
        EndTxnRequest::default()
            .with_transactional_id(TransactionalId(id.to_owned().into()))
            .with_producer_id(ProducerId(4))
            .with_producer_epoch(2)
            .with_committed(true)
    }

    #[test]
    fn the_zones_own_transaction_ends_and_the_next_epoch_comes_back_at_every_version() {
        let partner = Partner::of(&[]);
        for version in VERSIONS.first..=VERSIONS.last {
            let (sent, awaited) = partner.send(26, version, &ask("t")).forwarded::<EndTxnRequest>();
            assert_eq!(sent, ask("acme:t"), "v{version}");
            let response = EndTxnResponse::default();
            let response = if version < 5 {
                response
            } else {
                response.with_producer_id(ProducerId(4)).with_producer_epoch(3)
            };
            assert_eq!(partner.receive::<EndTxnResponse, _>(awaited, &response), response);
        }
    }

    #[test]
    fn an_empty_id_is_invalid_and_one_too_long_refused() {
        for (id, code) in [(String::new(), 42), ("t".repeat(32_767), 53)] {
            for version in [4, 5] {
                let answer: EndTxnResponse = Partner::of(&[]).send(26, version, &ask(&id)).answered();
                assert_eq!((answer.error_code, answer.producer_id), (code, ProducerId(-1)));
            }
        }
    }
}
