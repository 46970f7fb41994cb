//! DescribeClientQuotas (48): they name users and clients of everybody.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 1);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 48,
    name: "DescribeClientQuotasRequest",
    versions: VERSIONS,
    flexible_since: 1,
    fields: &[
        F::new("components", T::Array(&T::Struct(&[
            F::new("entityType", T::String),
            F::new("matchType", T::Int8),
            F::new("match", T::String).nullable_since(0),
        ]))),
        F::new("strict", T::Bool),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 48,
    name: "DescribeClientQuotasResponse",
    versions: VERSIONS,
    flexible_since: 1,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
        F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
        F::new("entries", T::Array(&T::Struct(&[
            F::new("entity", T::Array(&T::Struct(&[
                F::new("entityType", T::String),
                F::new("entityName", T::String).nullable_since(0),
            ]))),
            F::new("values", T::Array(&T::Struct(&[
                F::new("key", T::String),
                F::new("value", T::Int64), // eight bytes of a float
            ]))),
        ]))).nullable_since(0),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    refuse(&REQUEST, exchange, body, |_: DescribeClientQuotasRequest, _| {
        DescribeClientQuotasResponse::default()
            .with_error_code(ResponseError::ClusterAuthorizationFailed.code())
            .with_error_message(None)
            .with_entries(None)
    })
}
