//! PushTelemetry (72): nobody was asked for metrics, so nobody's are taken (KIP-714). Never forwarded.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{PushTelemetryRequest, PushTelemetryResponse};

use super::{Exchange, Outcome, Refusal, body};
use crate::kafka::shape::{Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 0);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 72,
    name: "PushTelemetryRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("clientInstanceId", T::Uuid),
        F::new("subscriptionId", T::Int32),
        F::new("terminating", T::Bool),
        F::new("compressionType", T::Int8),
        F::new("metrics", T::Bytes),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 72,
    name: "PushTelemetryResponse",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
    ],
};

/// A client that believes in a subscription, of another cluster or of an earlier broker here, asks for it again.
pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let _: PushTelemetryRequest = body::request(&REQUEST, version, body)?;
    let unknown = ResponseError::UnknownSubscriptionId;
    body::answer(&PushTelemetryResponse::default().with_error_code(unknown.code()), version)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Partner;
    use super::*;

    #[test]
    fn what_a_client_pushes_is_not_taken() {
        let request = PushTelemetryRequest::default().with_metrics(Bytes::from_static(b"host=inside"));
        let answer: PushTelemetryResponse = Partner::of(&[]).send(72, 0, &request).answered();
        assert_eq!(answer.error_code, 117);
    }
}
