//! OffsetFetch on the wire.

use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share. Version 10 names topics by id.
pub(crate) const VERSIONS: Versions = Versions::new(1, 9);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 9,
    name: "OffsetFetchRequest",
    versions: VERSIONS,
    flexible_since: 6,
    fields: &[
        F::new("groupId", T::String).until(7).entity(Entity::GroupId),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitionIndexes", T::Array(&T::Int32)),
        ]))).until(7).nullable_since(2),
        F::new("groups", T::Array(&T::Struct(&[
            F::new("groupId", T::String).entity(Entity::GroupId),
            F::new("memberId", T::String).since(9).nullable_since(9),
            F::new("memberEpoch", T::Int32).since(9),
            F::new("topics", T::Array(&T::Struct(&[
                F::new("name", T::String).entity(Entity::TopicName),
                F::new("partitionIndexes", T::Array(&T::Int32)),
            ]))).nullable_since(8),
        ]))).since(8),
        F::new("requireStable", T::Bool).since(7),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 9,
    name: "OffsetFetchResponse",
    versions: VERSIONS,
    flexible_since: 6,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(3),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("committedOffset", T::Int64),
                F::new("committedLeaderEpoch", T::Int32).since(5),
                F::new("metadata", T::String).nullable_since(0),
                F::new("errorCode", T::Int16),
            ]))),
        ]))).until(7),
        F::new("errorCode", T::Int16).since(2).until(7),
        F::new("groups", T::Array(&T::Struct(&[
            F::new("groupId", T::String).entity(Entity::GroupId),
            F::new("topics", T::Array(&T::Struct(&[
                F::new("name", T::String).entity(Entity::TopicName),
                F::new("partitions", T::Array(&T::Struct(&[
                    F::new("partitionIndex", T::Int32),
                    F::new("committedOffset", T::Int64),
                    F::new("committedLeaderEpoch", T::Int32),
                    F::new("metadata", T::String).nullable_since(0),
                    F::new("errorCode", T::Int16),
                ]))),
            ]))),
            F::new("errorCode", T::Int16),
        ]))).since(8),
    ],
};
