//! Fetch on the wire.

pub(crate) use crate::kafka::control_shapes::FETCH_RESPONSE as RESPONSE;
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(4, 18);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 1,
    name: "FetchRequest",
    versions: VERSIONS,
    flexible_since: 12,
    fields: &[
        F::new("replicaId", T::Int32).until(14),
        F::new("maxWaitMs", T::Int32),
        F::new("minBytes", T::Int32),
        F::new("maxBytes", T::Int32),
        F::new("isolationLevel", T::Int8),
        F::new("sessionId", T::Int32).since(7),
        F::new("sessionEpoch", T::Int32).since(7),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("topic", T::String).until(12).entity(Entity::TopicName),
            F::new("topicId", T::Uuid).since(13).entity(Entity::TopicId),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partition", T::Int32),
                F::new("currentLeaderEpoch", T::Int32).since(9),
                F::new("fetchOffset", T::Int64),
                F::new("lastFetchedEpoch", T::Int32).since(12),
                F::new("logStartOffset", T::Int64).since(5),
                F::new("partitionMaxBytes", T::Int32),
                F::new("replicaDirectoryId", T::Uuid).since(17).tagged(0),
                F::new("highWatermark", T::Int64).since(18).tagged(1),
            ]))),
        ]))),
        F::new("forgottenTopicsData", T::Array(&T::Struct(&[
            F::new("topic", T::String).until(12).entity(Entity::TopicName),
            F::new("topicId", T::Uuid).since(13).entity(Entity::TopicId),
            F::new("partitions", T::Array(&T::Int32)),
        ]))).since(7),
        F::new("rackId", T::String).since(11),
        F::new("clusterId", T::String).since(12).nullable_since(12).tagged(0),
        F::new("replicaState", T::Struct(&[
            F::new("replicaId", T::Int32),
            F::new("replicaEpoch", T::Int64),
        ])).since(15).tagged(1),
    ],
};
