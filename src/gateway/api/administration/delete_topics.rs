//! DeleteTopics (20): a shared topic belongs to the provider.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use uuid::Uuid;

use super::{Exchange, Outcome, Refusal, refuse};
use crate::gateway::api::names;
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(1, 6);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 20,
    name: "DeleteTopicsRequest",
    versions: VERSIONS,
    flexible_since: 4,
    fields: &[
        F::new("topicNames", T::Array(&T::String)).until(5).entity(Entity::TopicName),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).nullable_since(6).entity(Entity::TopicName),
            F::new("topicId", T::Uuid).entity(Entity::TopicId),
        ]))).since(6),
        F::new("timeoutMs", T::Int32),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 20,
    name: "DeleteTopicsResponse",
    versions: VERSIONS,
    flexible_since: 4,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("responses", T::Array(&T::Struct(&[
            F::new("name", T::String).nullable_since(6).entity(Entity::TopicName),
            F::new("topicId", T::Uuid).since(6).entity(Entity::TopicId),
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).since(5).nullable_since(5).entity(Entity::ErrorMessage),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let refused = |name, topic_id, error: ResponseError| {
        DeletableTopicResult::default().with_name(name).with_topic_id(topic_id).with_error_code(error.code())
    };
    let view = exchange.view;
    refuse(&REQUEST, exchange, body, |request: DeleteTopicsRequest, _| {
        let by_name = request
            .topic_names
            .into_iter()
            .map(|name| refused(Some(name), Uuid::nil(), ResponseError::TopicAuthorizationFailed));
        let either = request.topics.into_iter().map(|topic| match topic.name {
            Some(name) => refused(Some(name), topic.topic_id, ResponseError::TopicAuthorizationFailed),
            None => match view.by_synthetic_id(topic.topic_id) {
                Some(known) => {
                    let name = Some(names::wire(&known.alias));
                    refused(name, topic.topic_id, ResponseError::TopicAuthorizationFailed)
                }
                None => refused(None, topic.topic_id, ResponseError::UnknownTopicId),
            },
        });
        DeleteTopicsResponse::default().with_responses(by_name.chain(either).collect())
    })
}
