//! OffsetFetch on the wire.

pub(crate) use crate::kafka::control_shapes::OFFSET_FETCH_RESPONSE as RESPONSE;
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
