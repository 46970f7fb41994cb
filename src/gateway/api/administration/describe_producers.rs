//! DescribeProducers (61): the producers of a shared topic are other people's too.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_producers_response::{PartitionResponse, TopicResponse};
use kafka_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 0);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 61,
    name: "DescribeProducersRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitionIndexes", T::Array(&T::Int32)),
        ]))),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 61,
    name: "DescribeProducersResponse",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("errorCode", T::Int16),
                F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
                F::new("activeProducers", T::Array(&T::Struct(&[
                    F::new("producerId", T::Int64),
                    F::new("producerEpoch", T::Int32),
                    F::new("lastSequence", T::Int32),
                    F::new("lastTimestamp", T::Int64),
                    F::new("coordinatorEpoch", T::Int32),
                    F::new("currentTxnStartOffset", T::Int64),
                ]))),
            ]))),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let refused = |topic: TopicRequest| {
        let partitions = topic.partition_indexes.iter().map(|&index| {
            PartitionResponse::default()
                .with_partition_index(index)
                .with_error_code(ResponseError::TopicAuthorizationFailed.code())
                .with_error_message(None)
        });
        TopicResponse::default().with_partitions(partitions.collect()).with_name(topic.name)
    };
    refuse(&REQUEST, exchange, body, |request: DescribeProducersRequest, _| {
        DescribeProducersResponse::default().with_topics(request.topics.into_iter().map(refused).collect())
    })
}
