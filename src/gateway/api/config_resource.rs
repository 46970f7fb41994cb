//! What configurations belong to: Kafka's `ConfigResource.Type` codes.

use kafka_protocol::error::ResponseError;

pub(super) const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

/// What a broker says to somebody who may not touch the configuration of a resource of this type.
pub(super) fn forbidden(kind: i8) -> ResponseError {
    match kind {
        TOPIC => ResponseError::TopicAuthorizationFailed,
        GROUP => ResponseError::GroupAuthorizationFailed,
        BROKER | BROKER_LOGGER | CLIENT_METRICS => ResponseError::ClusterAuthorizationFailed,
        _ => ResponseError::InvalidRequest,
    }
}
