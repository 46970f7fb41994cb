//! AlterReplicaLogDirs (34): where a broker keeps its files is no partner's business.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_replica_log_dirs_request::AlterReplicaLogDirTopic;
use kafka_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use kafka_protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(1, 2);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 34,
    name: "AlterReplicaLogDirsRequest",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("dirs", T::Array(&T::Struct(&[
            F::new("path", T::String),
            F::new("topics", T::Array(&T::Struct(&[
                F::new("name", T::String).entity(Entity::TopicName),
                F::new("partitions", T::Array(&T::Int32)),
            ]))),
        ]))),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 34,
    name: "AlterReplicaLogDirsResponse",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("results", T::Array(&T::Struct(&[
            F::new("topicName", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("errorCode", T::Int16),
            ]))),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let refused = |topic: AlterReplicaLogDirTopic| {
        let partitions = topic.partitions.iter().map(|&index| {
            AlterReplicaLogDirPartitionResult::default()
                .with_partition_index(index)
                .with_error_code(ResponseError::ClusterAuthorizationFailed.code())
        });
        AlterReplicaLogDirTopicResult::default()
            .with_partitions(partitions.collect())
            .with_topic_name(topic.name)
    };
    refuse(&REQUEST, exchange, body, |request: AlterReplicaLogDirsRequest, _| {
        let topics = request.dirs.into_iter().flat_map(|dir| dir.topics);
        AlterReplicaLogDirsResponse::default().with_results(topics.map(refused).collect())
    })
}
