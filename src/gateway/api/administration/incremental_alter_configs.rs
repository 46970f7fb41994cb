//! IncrementalAlterConfigs (44): what AlterConfigs became.

use bytes::Bytes;
use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::gateway::api::config_resource;
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 1);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 44,
    name: "IncrementalAlterConfigsRequest",
    versions: VERSIONS,
    flexible_since: 1,
    fields: &[
        F::new("resources", T::Array(&T::Struct(&[
            F::new("resourceType", T::Int8),
            F::new("resourceName", T::String),
            F::new("configs", T::Array(&T::Struct(&[
                F::new("name", T::String),
                F::new("configOperation", T::Int8),
                F::new("value", T::String).nullable_since(0),
            ]))),
        ]))),
        F::new("validateOnly", T::Bool),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 44,
    name: "IncrementalAlterConfigsResponse",
    versions: VERSIONS,
    flexible_since: 1,
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
    refuse(&REQUEST, exchange, body, |request: IncrementalAlterConfigsRequest, _| {
        IncrementalAlterConfigsResponse::default()
            .with_responses(request.resources.into_iter().map(refused).collect())
    })
}
