//! Metadata on the wire.

pub(crate) use crate::kafka::control_shapes::METADATA_RESPONSE as RESPONSE;
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
