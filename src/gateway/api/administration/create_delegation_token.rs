//! CreateDelegationToken (38): it would speak for the gateway itself.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{CreateDelegationTokenRequest, CreateDelegationTokenResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(1, 3);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 38,
    name: "CreateDelegationTokenRequest",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("ownerPrincipalType", T::String).since(3).nullable_since(3),
        F::new("ownerPrincipalName", T::String).since(3).nullable_since(3),
        F::new("renewers", T::Array(&T::Struct(&[
            F::new("principalType", T::String),
            F::new("principalName", T::String),
        ]))),
        F::new("maxLifetimeMs", T::Int64),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 38,
    name: "CreateDelegationTokenResponse",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("errorCode", T::Int16),
        F::new("principalType", T::String),
        F::new("principalName", T::String),
        F::new("tokenRequesterPrincipalType", T::String).since(3),
        F::new("tokenRequesterPrincipalName", T::String).since(3),
        F::new("issueTimestampMs", T::Int64),
        F::new("expiryTimestampMs", T::Int64),
        F::new("maxTimestampMs", T::Int64),
        F::new("tokenId", T::String),
        F::new("hmac", T::Bytes),
        F::new("throttleTimeMs", T::Int32),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    refuse(&REQUEST, exchange, body, |_: CreateDelegationTokenRequest, _| {
        CreateDelegationTokenResponse::default()
            .with_error_code(ResponseError::DelegationTokenAuthDisabled.code())
    })
}
