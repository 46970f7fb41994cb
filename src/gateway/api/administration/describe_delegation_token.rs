//! DescribeDelegationToken (41): there are none.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{DescribeDelegationTokenRequest, DescribeDelegationTokenResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(1, 3);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 41,
    name: "DescribeDelegationTokenRequest",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("owners", T::Array(&T::Struct(&[
            F::new("principalType", T::String),
            F::new("principalName", T::String),
        ]))).nullable_since(1),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 41,
    name: "DescribeDelegationTokenResponse",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("errorCode", T::Int16),
        F::new("tokens", T::Array(&T::Struct(&[
            F::new("principalType", T::String),
            F::new("principalName", T::String),
            F::new("tokenRequesterPrincipalType", T::String).since(3),
            F::new("tokenRequesterPrincipalName", T::String).since(3),
            F::new("issueTimestamp", T::Int64),
            F::new("expiryTimestamp", T::Int64),
            F::new("maxTimestamp", T::Int64),
            F::new("tokenId", T::String),
            F::new("hmac", T::Bytes),
            F::new("renewers", T::Array(&T::Struct(&[
                F::new("principalType", T::String),
                F::new("principalName", T::String),
            ]))),
        ]))),
        F::new("throttleTimeMs", T::Int32),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    refuse(&REQUEST, exchange, body, |_: DescribeDelegationTokenRequest, _| {
        DescribeDelegationTokenResponse::default()
            .with_error_code(ResponseError::DelegationTokenAuthDisabled.code())
    })
}
