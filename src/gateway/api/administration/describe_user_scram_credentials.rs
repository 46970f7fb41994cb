//! DescribeUserScramCredentials (50): they name users of everybody.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 0);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 50,
    name: "DescribeUserScramCredentialsRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("users", T::Array(&T::Struct(&[
            F::new("name", T::String),
        ]))).nullable_since(0),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 50,
    name: "DescribeUserScramCredentialsResponse",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
        F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
        F::new("results", T::Array(&T::Struct(&[
            F::new("user", T::String),
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
            F::new("credentialInfos", T::Array(&T::Struct(&[
                F::new("mechanism", T::Int8),
                F::new("iterations", T::Int32),
            ]))),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    refuse(&REQUEST, exchange, body, |_: DescribeUserScramCredentialsRequest, _| {
        DescribeUserScramCredentialsResponse::default()
            .with_error_code(ResponseError::ClusterAuthorizationFailed.code())
            .with_error_message(None)
    })
}
