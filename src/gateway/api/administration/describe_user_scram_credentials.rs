//! DescribeUserScramCredentials (50): they name users of everybody.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};

use super::{Exchange, Outcome, Refusal, refuse};
pub(crate) use crate::kafka::admin::shapes::DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE as RESPONSE;
use crate::kafka::shape::{Field as F, Shape, Type as T, Versions};

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

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    refuse(&REQUEST, exchange, body, |_: DescribeUserScramCredentialsRequest, _| {
        DescribeUserScramCredentialsResponse::default()
            .with_error_code(ResponseError::ClusterAuthorizationFailed.code())
            .with_error_message(None)
    })
}
