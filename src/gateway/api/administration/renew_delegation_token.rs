//! RenewDelegationToken (39): there are none.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{RenewDelegationTokenRequest, RenewDelegationTokenResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(1, 2);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 39,
    name: "RenewDelegationTokenRequest",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("hmac", T::Bytes),
        F::new("renewPeriodMs", T::Int64),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 39,
    name: "RenewDelegationTokenResponse",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("errorCode", T::Int16),
        F::new("expiryTimestampMs", T::Int64),
        F::new("throttleTimeMs", T::Int32),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    refuse(&REQUEST, exchange, body, |_: RenewDelegationTokenRequest, _| {
        RenewDelegationTokenResponse::default()
            .with_error_code(ResponseError::DelegationTokenAuthDisabled.code())
    })
}
