//! Shapes of the few responses that this ring reads for itself; the gateway's registry serves the same ones.

use super::shape::{Entity, Field as F, Shape, Type as T, Versions};

#[rustfmt::skip]
pub static API_VERSIONS_RESPONSE: Shape = Shape {
    api_key: 18,
    name: "ApiVersionsResponse",
    versions: Versions::new(0, 4),
    flexible_since: 3,
    fields: &[
        F::new("errorCode", T::Int16),
        F::new("apiKeys", T::Array(&T::Struct(&[
            F::new("apiKey", T::Int16),
            F::new("minVersion", T::Int16),
            F::new("maxVersion", T::Int16),
        ]))),
        F::new("throttleTimeMs", T::Int32).since(1),
        F::new("supportedFeatures", T::Array(&T::Struct(&[
            F::new("name", T::String),
            F::new("minVersion", T::Int16),
            F::new("maxVersion", T::Int16),
        ]))).since(3).tagged(0),
        F::new("finalizedFeaturesEpoch", T::Int64).since(3).tagged(1),
        F::new("finalizedFeatures", T::Array(&T::Struct(&[
            F::new("name", T::String),
            F::new("maxVersionLevel", T::Int16),
            F::new("minVersionLevel", T::Int16),
        ]))).since(3).tagged(2),
        F::new("zkMigrationReady", T::Bool).since(3).tagged(3),
    ],
};

#[rustfmt::skip]
pub static SASL_HANDSHAKE_RESPONSE: Shape = Shape {
    api_key: 17,
    name: "SaslHandshakeResponse",
    versions: Versions::new(0, 1),
    flexible_since: i16::MAX,
    fields: &[
        F::new("errorCode", T::Int16),
        F::new("mechanisms", T::Array(&T::String)),
    ],
};

#[rustfmt::skip]
pub static SASL_AUTHENTICATE_RESPONSE: Shape = Shape {
    api_key: 36,
    name: "SaslAuthenticateResponse",
    versions: Versions::new(0, 2),
    flexible_since: 2,
    fields: &[
        F::new("errorCode", T::Int16),
        F::new("errorMessage", T::String).nullable_since(0).entity(Entity::ErrorMessage),
        F::new("authBytes", T::Bytes),
        F::new("sessionLifetimeMs", T::Int64).since(1),
    ],
};

#[rustfmt::skip]
pub static METADATA_RESPONSE: Shape = Shape {
    api_key: 3,
    name: "MetadataResponse",
    versions: Versions::new(0, 13),
    flexible_since: 9,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(3),
        F::new("brokers", T::Array(&T::Struct(&[
            F::new("nodeId", T::Int32),
            F::new("host", T::String).entity(Entity::Host),
            F::new("port", T::Int32).entity(Entity::Port),
            F::new("rack", T::String).since(1).nullable_since(1),
        ]))),
        F::new("clusterId", T::String).since(2).nullable_since(2),
        F::new("controllerId", T::Int32).since(1),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("errorCode", T::Int16),
            F::new("name", T::String).nullable_since(12).entity(Entity::TopicName),
            F::new("topicId", T::Uuid).since(10).entity(Entity::TopicId),
            F::new("isInternal", T::Bool).since(1),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("errorCode", T::Int16),
                F::new("partitionIndex", T::Int32),
                F::new("leaderId", T::Int32),
                F::new("leaderEpoch", T::Int32).since(7),
                F::new("replicaNodes", T::Array(&T::Int32)),
                F::new("isrNodes", T::Array(&T::Int32)),
                F::new("offlineReplicas", T::Array(&T::Int32)).since(5),
            ]))),
            F::new("topicAuthorizedOperations", T::Int32).since(8),
        ]))),
        F::new("clusterAuthorizedOperations", T::Int32).since(8).until(10),
        F::new("errorCode", T::Int16).since(13),
    ],
};

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{
        ApiVersionsResponse, MetadataResponse, SaslAuthenticateResponse, SaslHandshakeResponse,
    };

    use super::*;
    use crate::kafka::sample::assert_agreement;

    #[test]
    fn the_shapes_are_what_kafka_protocol_reads_and_writes() {
        for version in 0..=4 {
            assert_agreement::<ApiVersionsResponse>(&API_VERSIONS_RESPONSE, version);
        }
        for version in 0..=1 {
            assert_agreement::<SaslHandshakeResponse>(&SASL_HANDSHAKE_RESPONSE, version);
        }
        for version in 0..=2 {
            assert_agreement::<SaslAuthenticateResponse>(&SASL_AUTHENTICATE_RESPONSE, version);
        }
        for version in 0..=13 {
            assert_agreement::<MetadataResponse>(&METADATA_RESPONSE, version);
        }
    }
}
