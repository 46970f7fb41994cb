//! AlterConfigs (33): how a topic is kept is the provider's decision.

use bytes::Bytes;
use kafka_protocol::messages::alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::gateway::api::config_resource;
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 2);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 33,
    name: "AlterConfigsRequest",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("resources", T::Array(&T::Struct(&[
            F::new("resourceType", T::Int8),
            F::new("resourceName", T::String),
            F::new("configs", T::Array(&T::Struct(&[
                F::new("name", T::String),
                F::new("value", T::String).nullable_since(0),
            ]))),
        ]))),
        F::new("validateOnly", T::Bool),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 33,
    name: "AlterConfigsResponse",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("responses", T::Array(&T::Struct(&[
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
            F::new("resourceType", T::Int8),
            F::new("resourceName", T::String),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let refused = |resource: AlterConfigsResource| {
        AlterConfigsResourceResponse::default()
            .with_error_code(config_resource::forbidden(resource.resource_type).code())
            .with_error_message(None)
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name)
    };
    refuse(&REQUEST, exchange, body, |request: AlterConfigsRequest, _| {
        AlterConfigsResponse::default().with_responses(request.resources.into_iter().map(refused).collect())
    })
}
