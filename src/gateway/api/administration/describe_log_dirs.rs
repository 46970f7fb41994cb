//! DescribeLogDirs (35): paths, and the sizes of everybody's topics.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(1, 4);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 35,
    name: "DescribeLogDirsRequest",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("topics", T::Array(&T::Struct(&[
            F::new("topic", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Int32)),
        ]))).nullable_since(1),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 35,
    name: "DescribeLogDirsResponse",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16).since(3),
        F::new("results", T::Array(&T::Struct(&[
            F::new("errorCode", T::Int16),
            F::new("logDir", T::String),
            F::new("topics", T::Array(&T::Struct(&[
                F::new("name", T::String),
                F::new("partitions", T::Array(&T::Struct(&[
                    F::new("partitionIndex", T::Int32),
                    F::new("partitionSize", T::Int64),
                    F::new("offsetLag", T::Int64),
                    F::new("isFutureKey", T::Bool),
                ]))),
            ]))),
            F::new("totalBytes", T::Int64).since(4),
            F::new("usableBytes", T::Int64).since(4),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    refuse(&REQUEST, exchange, body, |_: DescribeLogDirsRequest, version| {
        let nothing = DescribeLogDirsResponse::default();
        // Before version 3 there is no room for an error: nothing is what a broker says too.
        if version < 3 {
            return nothing;
        }
        nothing.with_error_code(ResponseError::ClusterAuthorizationFailed.code())
    })
}
