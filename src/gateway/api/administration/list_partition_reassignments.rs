//! ListPartitionReassignments (46): `kafka-topics --describe` asks for it, and goes on without.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 0);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 46,
    name: "ListPartitionReassignmentsRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("timeoutMs", T::Int32),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitionIndexes", T::Array(&T::Int32)),
        ]))).nullable_since(0),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 46,
    name: "ListPartitionReassignmentsResponse",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
        F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("replicas", T::Array(&T::Int32)),
                F::new("addingReplicas", T::Array(&T::Int32)),
                F::new("removingReplicas", T::Array(&T::Int32)),
            ]))),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    refuse(&REQUEST, exchange, body, |_: ListPartitionReassignmentsRequest, _| {
        ListPartitionReassignmentsResponse::default()
            .with_error_code(ResponseError::ClusterAuthorizationFailed.code())
            .with_error_message(None)
    })
}
