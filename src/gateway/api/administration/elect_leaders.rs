//! ElectLeaders (43): which broker leads is the cluster's business.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 2);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 43,
    name: "ElectLeadersRequest",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("electionType", T::Int8).since(1),
        F::new("topicPartitions", T::Array(&T::Struct(&[
            F::new("topic", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Int32)),
        ]))).nullable_since(0),
        F::new("timeoutMs", T::Int32),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 43,
    name: "ElectLeadersResponse",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16).since(1),
        F::new("replicaElectionResults", T::Array(&T::Struct(&[
            F::new("topic", T::String).entity(Entity::TopicName),
            F::new("partitionResult", T::Array(&T::Struct(&[
                F::new("partitionId", T::Int32),
                F::new("errorCode", T::Int16),
                F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
            ]))),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let refused = |topic: TopicPartitions| {
        let partitions = topic.partitions.iter().map(|&index| {
            PartitionResult::default()
                .with_partition_id(index)
                .with_error_code(ResponseError::ClusterAuthorizationFailed.code())
                .with_error_message(None)
        });
        ReplicaElectionResult::default().with_partition_result(partitions.collect()).with_topic(topic.topic)
    };
    refuse(&REQUEST, exchange, body, |request: ElectLeadersRequest, version| {
        let topics = request.topic_partitions.unwrap_or_default();
        let response = ElectLeadersResponse::default()
            .with_replica_election_results(topics.into_iter().map(refused).collect());
        if version == 0 {
            return response;
        }
        response.with_error_code(ResponseError::ClusterAuthorizationFailed.code())
    })
}
