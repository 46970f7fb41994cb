//! JoinGroup (11): a member and its subscription.

use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 9);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 11,
    name: "JoinGroupRequest",
    versions: VERSIONS,
    flexible_since: 6,
    fields: &[
        F::new("groupId", T::String).entity(Entity::GroupId),
        F::new("sessionTimeoutMs", T::Int32),
        F::new("rebalanceTimeoutMs", T::Int32).since(1),
        F::new("memberId", T::String),
        F::new("groupInstanceId", T::String).since(5).nullable_since(5),
        F::new("protocolType", T::String),
        F::new("protocols", T::Array(&T::Struct(&[
            F::new("name", T::String),
            F::new("metadata", T::Bytes).entity(Entity::GroupProtocol),
        ]))),
        F::new("reason", T::String).since(8).nullable_since(8),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 11,
    name: "JoinGroupResponse",
    versions: VERSIONS,
    flexible_since: 6,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(2),
        F::new("errorCode", T::Int16),
        F::new("generationId", T::Int32),
        F::new("protocolType", T::String).since(7).nullable_since(7),
        F::new("protocolName", T::String).nullable_since(7),
        F::new("leader", T::String),
        F::new("skipAssignment", T::Bool).since(9),
        F::new("memberId", T::String),
        F::new("members", T::Array(&T::Struct(&[
            F::new("memberId", T::String),
            F::new("groupInstanceId", T::String).since(5).nullable_since(5),
            F::new("metadata", T::Bytes).entity(Entity::GroupProtocol),
        ]))),
    ],
};
