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

#[rustfmt::skip]
pub static LIST_OFFSETS_RESPONSE: Shape = Shape {
    api_key: 2,
    name: "ListOffsetsResponse",
    versions: Versions::new(1, 10),
    flexible_since: 6,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(2),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("errorCode", T::Int16),
                F::new("timestamp", T::Int64),
                F::new("offset", T::Int64),
                F::new("leaderEpoch", T::Int32).since(4),
            ]))),
        ]))),
    ],
};

#[rustfmt::skip]
pub static LIST_GROUPS_RESPONSE: Shape = Shape {
    api_key: 16,
    name: "ListGroupsResponse",
    versions: Versions::new(0, 5),
    flexible_since: 3,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(1),
        F::new("errorCode", T::Int16),
        F::new("groups", T::Array(&T::Struct(&[
            F::new("groupId", T::String).entity(Entity::GroupId),
            F::new("protocolType", T::String),
            F::new("groupState", T::String).since(4),
            F::new("groupType", T::String).since(5),
        ]))),
    ],
};

#[rustfmt::skip]
pub static OFFSET_FETCH_RESPONSE: Shape = Shape {
    api_key: 9,
    name: "OffsetFetchResponse",
    versions: Versions::new(1, 9),
    flexible_since: 6,
    fields: &[
        F::new("throttleTimeMs", T::Int32).since(3),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("committedOffset", T::Int64),
                F::new("committedLeaderEpoch", T::Int32).since(5),
                F::new("metadata", T::String).nullable_since(0),
                F::new("errorCode", T::Int16),
            ]))),
        ]))).until(7),
        F::new("errorCode", T::Int16).since(2).until(7),
        F::new("groups", T::Array(&T::Struct(&[
            F::new("groupId", T::String).entity(Entity::GroupId),
            F::new("topics", T::Array(&T::Struct(&[
                F::new("name", T::String).entity(Entity::TopicName),
                F::new("partitions", T::Array(&T::Struct(&[
                    F::new("partitionIndex", T::Int32),
                    F::new("committedOffset", T::Int64),
                    F::new("committedLeaderEpoch", T::Int32),
                    F::new("metadata", T::String).nullable_since(0),
                    F::new("errorCode", T::Int16),
                ]))),
            ]))),
            F::new("errorCode", T::Int16),
        ]))).since(8),
    ],
};

#[rustfmt::skip]
pub static FETCH_RESPONSE: Shape = Shape {
    api_key: 1,
    name: "FetchResponse",
    versions: Versions::new(4, 18),
    flexible_since: 12,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16).since(7),
        F::new("sessionId", T::Int32).since(7),
        F::new("responses", T::Array(&T::Struct(&[
            F::new("topic", T::String).until(12).entity(Entity::TopicName),
            F::new("topicId", T::Uuid).since(13).entity(Entity::TopicId),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("errorCode", T::Int16),
                F::new("highWatermark", T::Int64),
                F::new("lastStableOffset", T::Int64),
                F::new("logStartOffset", T::Int64).since(5),
                F::new("abortedTransactions", T::Array(&T::Struct(&[
                    F::new("producerId", T::Int64),
                    F::new("firstOffset", T::Int64),
                ]))).nullable_since(4),
                F::new("preferredReadReplica", T::Int32).since(11),
                F::new("records", T::Records).nullable_since(0),
                F::new("divergingEpoch", T::Struct(&[
                    F::new("epoch", T::Int32),
                    F::new("endOffset", T::Int64),
                ])).since(12).tagged(0),
                F::new("currentLeader", T::Struct(&[
                    F::new("leaderId", T::Int32),
                    F::new("leaderEpoch", T::Int32),
                ])).since(12).tagged(1),
                F::new("snapshotId", T::Struct(&[
                    F::new("endOffset", T::Int64),
                    F::new("epoch", T::Int32),
                ])).since(12).tagged(2),
            ]))),
        ]))),
        F::new("nodeEndpoints", T::Array(&T::Struct(&[
            F::new("nodeId", T::Int32),
            F::new("host", T::String).entity(Entity::Host),
            F::new("port", T::Int32).entity(Entity::Port),
            F::new("rack", T::String).nullable_since(16),
        ]))).since(16).tagged(0),
    ],
};

#[rustfmt::skip]
pub static INIT_PRODUCER_ID_RESPONSE: Shape = Shape {
    api_key: 22,
    name: "InitProducerIdResponse",
    versions: Versions::new(0, 5),
    flexible_since: 2,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("errorCode", T::Int16),
        F::new("producerId", T::Int64),
        F::new("producerEpoch", T::Int16),
    ],
};

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{
        ApiVersionsResponse, FetchResponse, InitProducerIdResponse, ListGroupsResponse, ListOffsetsResponse,
        MetadataResponse, OffsetFetchResponse, SaslAuthenticateResponse, SaslHandshakeResponse,
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
        for version in 1..=10 {
            assert_agreement::<ListOffsetsResponse>(&LIST_OFFSETS_RESPONSE, version);
        }
        for version in 0..=5 {
            assert_agreement::<ListGroupsResponse>(&LIST_GROUPS_RESPONSE, version);
        }
        for version in 1..=9 {
            assert_agreement::<OffsetFetchResponse>(&OFFSET_FETCH_RESPONSE, version);
        }
        for version in 0..=13 {
            assert_agreement::<MetadataResponse>(&METADATA_RESPONSE, version);
        }
        for version in 4..=18 {
            assert_agreement::<FetchResponse>(&FETCH_RESPONSE, version);
        }
        for version in 0..=5 {
            assert_agreement::<InitProducerIdResponse>(&INIT_PRODUCER_ID_RESPONSE, version);
        }
    }
}
