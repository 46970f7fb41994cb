//! ConsumerGroupHeartbeat on the wire.

use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 1);

#[rustfmt::skip]
const TOPIC_PARTITIONS: T = T::Array(&T::Struct(&[
    F::new("topicId", T::Uuid).entity(Entity::TopicId),
    F::new("partitions", T::Array(&T::Int32)),
]));

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 68,
    name: "ConsumerGroupHeartbeatRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("groupId", T::String).entity(Entity::GroupId),
        F::new("memberId", T::String),
        F::new("memberEpoch", T::Int32),
        F::new("instanceId", T::String).nullable_since(0),
        F::new("rackId", T::String).nullable_since(0),
        F::new("rebalanceTimeoutMs", T::Int32),
        F::new("subscribedTopicNames", T::Array(&T::String)).nullable_since(0).entity(Entity::TopicName),
        F::new("subscribedTopicRegex", T::String).since(1).nullable_since(1),
        F::new("serverAssignor", T::String).nullable_since(0),
        F::new("topicPartitions", TOPIC_PARTITIONS).nullable_since(0),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 68,
    name: "ConsumerGroupHeartbeatResponse",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
        F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
        F::new("memberId", T::String).nullable_since(0),
        F::new("memberEpoch", T::Int32),
        F::new("heartbeatIntervalMs", T::Int32),
        F::new("assignment", T::Struct(&[
            F::new("topicPartitions", TOPIC_PARTITIONS),
        ])).nullable_since(0),
    ],
};
