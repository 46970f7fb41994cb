//! DeleteAcls (31): rights come from the zone's file.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use kafka_protocol::messages::{DeleteAclsRequest, DeleteAclsResponse};

use super::{Exchange, Outcome, Refusal, refuse};
pub(crate) use crate::kafka::admin::shapes::DELETE_ACLS_RESPONSE as RESPONSE;
use crate::kafka::shape::{Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(1, 3);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 31,
    name: "DeleteAclsRequest",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("filters", T::Array(&T::Struct(&[
            F::new("resourceTypeFilter", T::Int8),
            F::new("resourceNameFilter", T::String).nullable_since(1),
            F::new("patternTypeFilter", T::Int8),
            F::new("principalFilter", T::String).nullable_since(1),
            F::new("hostFilter", T::String).nullable_since(1),
            F::new("operation", T::Int8),
            F::new("permissionType", T::Int8),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    refuse(&REQUEST, exchange, body, |request: DeleteAclsRequest, _| {
        let refused = DeleteAclsFilterResult::default()
            .with_error_code(ResponseError::ClusterAuthorizationFailed.code())
            .with_error_message(None);
        DeleteAclsResponse::default().with_filter_results(vec![refused; request.filters.len()])
    })
}
