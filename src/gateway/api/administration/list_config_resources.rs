//! ListConfigResources (74): the names of everybody's groups and topics.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 1);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 74,
    name: "ListConfigResourcesRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("resourceTypes", T::Array(&T::Int8)).since(1),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 74,
    name: "ListConfigResourcesResponse",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
        F::new("configResources", T::Array(&T::Struct(&[
            F::new("resourceName", T::String),
            F::new("resourceType", T::Int8).since(1),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    refuse(&REQUEST, exchange, body, |_: ListConfigResourcesRequest, _| {
        ListConfigResourcesResponse::default()
            .with_error_code(ResponseError::ClusterAuthorizationFailed.code())
    })
}
