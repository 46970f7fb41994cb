//! UpdateFeatures (57): what the whole cluster speaks.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 2);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 57,
    name: "UpdateFeaturesRequest",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("timeoutMs", T::Int32),
        F::new("featureUpdates", T::Array(&T::Struct(&[
            F::new("feature", T::String),
            F::new("maxVersionLevel", T::Int16),
            F::new("allowDowngrade", T::Bool).until(0),
            F::new("upgradeType", T::Int8).since(1),
        ]))),
        F::new("validateOnly", T::Bool).since(1),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 57,
    name: "UpdateFeaturesResponse",
    versions: VERSIONS,
    flexible_since: 0,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
        F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
        F::new("results", T::Array(&T::Struct(&[
            F::new("feature", T::String),
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
        ]))).until(1),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    refuse(&REQUEST, exchange, body, |_: UpdateFeaturesRequest, _| {
        UpdateFeaturesResponse::default()
            .with_error_code(ResponseError::ClusterAuthorizationFailed.code())
            .with_error_message(None)
    })
}
