//! DescribeQuorum (55): the addresses of the controllers.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 2);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 55,
    name: "DescribeQuorumRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("topics", T::Array(&T::Struct(&[
            F::new("topicName", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
            ]))),
        ]))),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 55,
    name: "DescribeQuorumResponse",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("errorCode", T::Int16),
        F::new("errorMessage", T::String).since(2).nullable_since(2).entity(Entity::ErrorMessage),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("topicName", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("errorCode", T::Int16),
                F::new("errorMessage", T::String).since(2).nullable_since(2).entity(Entity::ErrorMessage),
                F::new("leaderId", T::Int32),
                F::new("leaderEpoch", T::Int32),
                F::new("highWatermark", T::Int64),
                F::new("currentVoters", T::Array(&T::Struct(&[
                    F::new("replicaId", T::Int32),
                    F::new("replicaDirectoryId", T::Uuid).since(2),
                    F::new("logEndOffset", T::Int64),
                    F::new("lastFetchTimestamp", T::Int64).since(1),
                    F::new("lastCaughtUpTimestamp", T::Int64).since(1),
                ]))),
                F::new("observers", T::Array(&T::Struct(&[
                    F::new("replicaId", T::Int32),
                    F::new("replicaDirectoryId", T::Uuid).since(2),
                    F::new("logEndOffset", T::Int64),
                    F::new("lastFetchTimestamp", T::Int64).since(1),
                    F::new("lastCaughtUpTimestamp", T::Int64).since(1),
                ]))),
            ]))),
        ]))),
        F::new("nodes", T::Array(&T::Struct(&[
            F::new("nodeId", T::Int32),
            F::new("listeners", T::Array(&T::Struct(&[
                F::new("name", T::String),
                F::new("host", T::String).entity(Entity::Host),
                F::new("port", T::Int16).entity(Entity::Port),
            ]))),
        ]))).since(2),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    refuse(&REQUEST, exchange, body, |_: DescribeQuorumRequest, version| {
        let refused = DescribeQuorumResponse::default()
            .with_error_code(ResponseError::ClusterAuthorizationFailed.code());
        if version < 2 { refused } else { refused.with_error_message(None) }
    })
}
