//! SyncGroup (14): the leader hands out partitions, every member gets its own.

use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 5);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 14,
    name: "SyncGroupRequest",
    versions: VERSIONS,
    flexible_since: 4,
    fields: &[
        F::new("groupId", T::String).entity(Entity::GroupId),
        F::new("generationId", T::Int32),
        F::new("memberId", T::String),
        F::new("groupInstanceId", T::String).since(3).nullable_since(3),
        F::new("protocolType", T::String).since(5).nullable_since(5),
        F::new("protocolName", T::String).since(5).nullable_since(5),
        F::new("assignments", T::Array(&T::Struct(&[
            F::new("memberId", T::String),
            F::new("assignment", T::Bytes).entity(Entity::GroupProtocol),
        ]))),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 14,
    name: "SyncGroupResponse",
    versions: VERSIONS,
    flexible_since: 4,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(1),
        F::new("errorCode", T::Int16),
        F::new("protocolType", T::String).since(5).nullable_since(5),
        F::new("protocolName", T::String).since(5).nullable_since(5),
        F::new("assignment", T::Bytes).entity(Entity::GroupProtocol),
    ],
};
