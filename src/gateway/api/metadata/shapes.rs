//! Metadata on the wire.

use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 13);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 3,
    name: "MetadataRequest",
    versions: VERSIONS,
    flexible_since: 9,
    fields: &[
        F::new("topics", T::Array(&T::Struct(&[
            F::new("topicId", T::Uuid).since(10).entity(Entity::TopicId),
            F::new("name", T::String).nullable_since(10).entity(Entity::TopicName),
        ]))).nullable_since(1),
        F::new("allowAutoTopicCreation", T::Bool).since(4),
        F::new("includeClusterAuthorizedOperations", T::Bool).since(8).until(10),
        F::new("includeTopicAuthorizedOperations", T::Bool).since(8),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 3,
    name: "MetadataResponse",
    versions: VERSIONS,
    flexible_since: 9,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(3),
        F::new("brokers", T::Array(&T::Struct(&[
            F::new("nodeId", T::Int32),
            F::new("host", T::String).entity(Entity::Host),
            F::new("port", T::Int32).entity(Entity::Port),
            F::new("rack", T::String).since(1).nullable_since(1),
        ]))),
        F::new("clusterId", T::String).since(2).nullable_since(2),
        F::new("controllerId", T::Int32).since(1),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("errorCode", T::Int16),
            F::new("name", T::String).nullable_since(12).entity(Entity::TopicName),
            F::new("topicId", T::Uuid).since(10).entity(Entity::TopicId),
            F::new("isInternal", T::Bool).since(1),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("errorCode", T::Int16),
                F::new("partitionIndex", T::Int32),
                F::new("leaderId", T::Int32),
                F::new("leaderEpoch", T::Int32).since(7),
                F::new("replicaNodes", T::Array(&T::Int32)),
                F::new("isrNodes", T::Array(&T::Int32)),
                F::new("offlineReplicas", T::Array(&T::Int32)).since(5),
            ]))),
            F::new("topicAuthorizedOperations", T::Int32).since(8),
        ]))),
        F::new("clusterAuthorizedOperations", T::Int32).since(8).until(10),
        F::new("errorCode", T::Int16).since(13),
    ],
};
