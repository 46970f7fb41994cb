//! DeleteRecords (21): records of a shared topic are the provider's to keep.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_records_request::DeleteRecordsTopic;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use super::{Exchange, Outcome, Refusal, refuse};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 2);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 21,
    name: "DeleteRecordsRequest",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("offset", T::Int64),
            ]))),
        ]))),
        F::new("timeoutMs", T::Int32),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 21,
    name: "DeleteRecordsResponse",
    versions: VERSIONS,
    flexible_since: 2,
    fields: &[
        F::new("throttleTimeMs", T::Int32),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("lowWatermark", T::Int64),
                F::new("errorCode", T::Int16),
            ]))),
        ]))),
    ],
};

pub(crate) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let refused = |topic: DeleteRecordsTopic| {
        let partitions = topic.partitions.iter().map(|partition| {
            DeleteRecordsPartitionResult::default()
                .with_partition_index(partition.partition_index)
                .with_low_watermark(-1)
                .with_error_code(ResponseError::TopicAuthorizationFailed.code())
        });
        DeleteRecordsTopicResult::default().with_partitions(partitions.collect()).with_name(topic.name)
    };
    refuse(&REQUEST, exchange, body, |request: DeleteRecordsRequest, _| {
        DeleteRecordsResponse::default().with_topics(request.topics.into_iter().map(refused).collect())
    })
}
