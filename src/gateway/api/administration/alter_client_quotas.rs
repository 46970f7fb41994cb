//! AlterClientQuotas (49): limits come from the zone's file.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_client_quotas_request as asked;
use kafka_protocol::messages::alter_client_quotas_response::{EntityData, EntryData};
use kafka_protocol::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 1);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 49,
    name: "AlterClientQuotasRequest",
    versions: VERSIONS,
    flexible_since: 1,
    fields: &[
        F::new("entries", T::Array(&T::Struct(&[
            F::new("entity", T::Array(&T::Struct(&[
                F::new("entityType", T::String),
                F::new("entityName", T::String).nullable_since(0),
            ]))),
            F::new("ops", T::Array(&T::Struct(&[
                F::new("key", T::String),
                F::new("value", T::Int64), // eight bytes of a float
                F::new("remove", T::Bool),
            ]))),
        ]))),
        F::new("validateOnly", T::Bool),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 49,
    name: "AlterClientQuotasResponse",
    versions: VERSIONS,
    flexible_since: 1,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("entries", T::Array(&T::Struct(&[
            F::new("errorCode", T::Int16),
            F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
            F::new("entity", T::Array(&T::Struct(&[
                F::new("entityType", T::String),
                F::new("entityName", T::String).nullable_since(0),
            ]))),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let entity = |entity: asked::EntityData| {
        EntityData::default().with_entity_type(entity.entity_type).with_entity_name(entity.entity_name)
    };
    let refused = |entry: asked::EntryData| {
        EntryData::default()
            .with_error_code(ResponseError::ClusterAuthorizationFailed.code())
            .with_error_message(None)
            .with_entity(entry.entity.into_iter().map(entity).collect())
    };
    refuse(&REQUEST, exchange, body, |request: AlterClientQuotasRequest, _| {
        AlterClientQuotasResponse::default().with_entries(request.entries.into_iter().map(refused).collect())
    })
}
