//! AlterPartitionReassignments (45): which brokers keep a topic is the cluster's business.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_partition_reassignments_request::ReassignableTopic;
use kafka_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use kafka_protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 1);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 45,
    name: "AlterPartitionReassignmentsRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("timeoutMs", T::Int32),
        F::new("allowReplicationFactorChange", T::Bool).since(1),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("replicas", T::Array(&T::Int32)).nullable_since(0),
            ]))),
        ]))),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 45,
    name: "AlterPartitionReassignmentsResponse",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("allowReplicationFactorChange", T::Bool).since(1),
        F::new("errorCode", T::Int16),
        F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
        F::new("responses", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("errorCode", T::Int16),
                F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
            ]))),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let code = ResponseError::ClusterAuthorizationFailed.code();
    let refused = |topic: ReassignableTopic| {
        let partitions = topic.partitions.iter().map(|partition| {
            ReassignablePartitionResponse::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code)
                .with_error_message(None)
        });
        ReassignableTopicResponse::default().with_partitions(partitions.collect()).with_name(topic.name)
    };
    refuse(&REQUEST, exchange, body, |request: AlterPartitionReassignmentsRequest, _| {
        AlterPartitionReassignmentsResponse::default()
            .with_error_code(code)
            .with_error_message(None)
            .with_responses(request.topics.into_iter().map(refused).collect())
    })
}
