//! CreatePartitions (37): the number of partitions is the provider's decision.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 3);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 37,
    name: "CreatePartitionsRequest",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("count", T::Int32),
            F::new("assignments", T::Array(&T::Struct(&[
                F::new("brokerIds", T::Array(&T::Int32)),
            ]))).nullable_since(0),
        ]))),
        F::new("timeoutMs", T::Int32),
        F::new("validateOnly", T::Bool),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 37,
    name: "CreatePartitionsResponse",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("results", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let refused = |topic: CreatePartitionsTopic| {
        CreatePartitionsTopicResult::default()
            .with_name(topic.name)
            .with_error_code(ResponseError::TopicAuthorizationFailed.code())
    };
    refuse(&REQUEST, exchange, body, |request: CreatePartitionsRequest, _| {
        CreatePartitionsResponse::default().with_results(request.topics.into_iter().map(refused).collect())
    })
}
