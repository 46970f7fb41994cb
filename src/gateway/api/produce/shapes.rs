//! Produce on the wire.

use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share. Versions 0 to 2 are advertised, not served.
pub(crate) const VERSIONS: Versions = Versions::new(3, 13);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 0,
    name: "ProduceRequest",
    versions: VERSIONS,
    flexible_since: 9,
    fields: &[
        F::new("transactionalId", T::String).nullable_since(3).entity(Entity::TransactionalId),
        F::new("acks", T::Int16).entity(Entity::Acks),
        F::new("timeoutMs", T::Int32),
        F::new("topicData", T::Array(&T::Struct(&[
            F::new("name", T::String).until(12).entity(Entity::TopicName),
            F::new("topicId", T::Uuid).since(13).entity(Entity::TopicId),
            F::new("partitionData", T::Array(&T::Struct(&[
                F::new("index", T::Int32).entity(Entity::PartitionIndex),
                F::new("records", T::Records).nullable_since(0),
            ]))),
        ]))),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 0,
    name: "ProduceResponse",
    versions: VERSIONS,
    flexible_since: 9,
    fields: &[
        F::new("responses", T::Array(&T::Struct(&[
            F::new("name", T::String).until(12).entity(Entity::TopicName),
            F::new("topicId", T::Uuid).since(13).entity(Entity::TopicId),
            F::new("partitionResponses", T::Array(&T::Struct(&[
                F::new("index", T::Int32),
                F::new("errorCode", T::Int16),
                F::new("baseOffset", T::Int64),
                F::new("logAppendTimeMs", T::Int64),
                F::new("logStartOffset", T::Int64).since(5),
                F::new("recordErrors", T::Array(&T::Struct(&[
                    F::new("batchIndex", T::Int32),
                    F::new("batchIndexErrorMessage", T::String).nullable_since(8).entity(Entity::ErrorMessage),
                ]))).since(8),
                F::new("errorMessage", T::String).since(8).nullable_since(8).entity(Entity::ErrorMessage),
                F::new("currentLeader", T::Struct(&[
                    F::new("leaderId", T::Int32),
                    F::new("leaderEpoch", T::Int32),
                ])).since(10).tagged(0),
            ]))),
        ]))),
        F::new("throttleTimeMs", T::Int32),
        F::new("nodeEndpoints", T::Array(&T::Struct(&[
            F::new("nodeId", T::Int32),
            F::new("host", T::String).entity(Entity::Host),
            F::new("port", T::Int32).entity(Entity::Port),
            F::new("rack", T::String).nullable_since(10),
        ]))).since(10).tagged(0),
    ],
};
