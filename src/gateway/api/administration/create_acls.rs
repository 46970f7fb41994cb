//! CreateAcls (30): rights come from the zone's file.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_acls_response::AclCreationResult;
use kafka_protocol::messages::{CreateAclsRequest, CreateAclsResponse};

use super::{Exchange, Outcome, Refusal, refuse};
pub(crate) use crate::kafka::admin::shapes::CREATE_ACLS_RESPONSE as RESPONSE;
use crate::kafka::shape::{Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(1, 3);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 30,
    name: "CreateAclsRequest",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("creations", T::Array(&T::Struct(&[
            F::new("resourceType", T::Int8),
            F::new("resourceName", T::String),
            F::new("resourcePatternType", T::Int8),
            F::new("principal", T::String),
            F::new("host", T::String),
            F::new("operation", T::Int8),
            F::new("permissionType", T::Int8),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    refuse(&REQUEST, exchange, body, |request: CreateAclsRequest, _| {
        let refused = AclCreationResult::default()
            .with_error_code(ResponseError::ClusterAuthorizationFailed.code())
            .with_error_message(None);
        CreateAclsResponse::default().with_results(vec![refused; request.creations.len()])
    })
}
