//! CreateTopics (19): an alias comes into being in the zone's file, never over the wire.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(2, 7);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 19,
    name: "CreateTopicsRequest",
    versions: VERSIONS,
    flexible_since: 5,
    fields: &[
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("numPartitions", T::Int32),
            F::new("replicationFactor", T::Int16),
            F::new("assignments", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("brokerIds", T::Array(&T::Int32)),
            ]))),
            F::new("configs", T::Array(&T::Struct(&[
                F::new("name", T::String),
                F::new("value", T::String).nullable_since(2),
            ]))),
        ]))),
        F::new("timeoutMs", T::Int32),
        F::new("validateOnly", T::Bool),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 19,
    name: "CreateTopicsResponse",
    versions: VERSIONS,
    flexible_since: 5,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("topicId", T::Uuid).since(7).entity(Entity::TopicId),
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).nullable_since(2).entity(Entity::ErrorMessage),
            F::new("numPartitions", T::Int32).since(5),
            F::new("replicationFactor", T::Int16).since(5),
            F::new("configs", T::Array(&T::Struct(&[
                F::new("name", T::String),
                F::new("value", T::String).nullable_since(5),
                F::new("readOnly", T::Bool),
                F::new("configSource", T::Int8),
                F::new("isSensitive", T::Bool),
            ]))).since(5).nullable_since(5),
            F::new("topicConfigErrorCode", T::Int16).since(5).tagged(0),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let refused = |topic: CreatableTopic| {
        CreatableTopicResult::default()
            .with_name(topic.name)
            .with_error_code(ResponseError::TopicAuthorizationFailed.code())
            .with_error_message(None)
    };
    refuse(&REQUEST, exchange, body, |request: CreateTopicsRequest, _| {
        CreateTopicsResponse::default().with_topics(request.topics.into_iter().map(refused).collect())
    })
}
