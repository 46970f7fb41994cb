//! GetTelemetrySubscriptions (71): no metrics are wanted (KIP-714). Answered here, so that clients are quiet and neither
//! their names nor their addresses reach the cluster.

use bytes::Bytes;
use kafka_protocol::messages::{GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse};
use uuid::Uuid;

use super::{Exchange, Outcome, Refusal, body};
use crate::kafka::shape::{Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 0);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 71,
    name: "GetTelemetrySubscriptionsRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("clientInstanceId", T::Uuid),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 71,
    name: "GetTelemetrySubscriptionsResponse",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
        F::new("clientInstanceId", T::Uuid),
        F::new("subscriptionId", T::Int32),
        F::new("acceptedCompressionTypes", T::Array(&T::Int8)),
        F::new("pushIntervalMs", T::Int32),
        F::new("telemetryMaxBytes", T::Int32),
        F::new("deltaTemporality", T::Bool),
        F::new("requestedMetrics", T::Array(&T::String)),
    ],
};

/// When a client may ask again, in milliseconds: Kafka's default. librdkafka counts it in microseconds of 32 bits, and asks without a pause
/// if they are too many.
const INTERVAL: i32 = 300_000;

/// What a client would be allowed to push at a time, in bytes: Kafka's default. Clients take 0 for an error.
const MAX_BYTES: i32 = 1_048_576;

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let request: GetTelemetrySubscriptionsRequest = body::request(&REQUEST, version, body)?;
    let known = Some(request.client_instance_id).filter(|id| !id.is_nil());
    let response = GetTelemetrySubscriptionsResponse::default()
        .with_client_instance_id(known.unwrap_or_else(Uuid::new_v4))
        .with_push_interval_ms(INTERVAL)
        .with_telemetry_max_bytes(MAX_BYTES);
    body::answer(&response, version)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Partner;
    use super::*;

    #[test]
    fn a_client_gets_an_id_that_stays_and_is_asked_for_nothing() {
        let ask = |id| -> GetTelemetrySubscriptionsResponse {
            let request = GetTelemetrySubscriptionsRequest::default().with_client_instance_id(id);
            Partner::of(&[]).send(71, 0, &request).answered()
        };
        let fresh = ask(Uuid::nil());
        assert!(!fresh.client_instance_id.is_nil() && fresh.requested_metrics.is_empty());
        assert_eq!((fresh.error_code, fresh.subscription_id, fresh.push_interval_ms), (0, 0, INTERVAL));
        assert_eq!(ask(fresh.client_instance_id), fresh);
        assert!(fresh.push_interval_ms.checked_mul(1_000).is_some(), "as librdkafka counts");
    }
}
