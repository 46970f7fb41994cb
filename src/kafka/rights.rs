//! What whoever is logged in on a connection may do with topics, as the broker itself says (KIP-430), and whether it asks anybody.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{DescribeAclsRequest, MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::admin::shapes::DESCRIBE_ACLS_RESPONSE;
use super::admin::{Effect, Operation, Pattern, ResourceKind};
use super::client::{ClientError, Connection};
use super::control_shapes::METADATA_RESPONSE;
use super::shape::Versions;

/// From version 8 on Metadata says what one may do.
const METADATA: Versions = Versions::new(8, 12);
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
const UNSUPPORTED_VERSION: i16 = 35;
const SECURITY_DISABLED: i16 = 54;
/// The broker did not say.
pub(super) const NOT_TOLD: i32 = i32::MIN;

/// What one may do with a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rights {
    /// One may know of it, and it is not there.
    NoSuchTopic,
    /// Of a topic that one may not know of: nothing.
    May(BTreeSet<Operation>),
}

/// The rights on these topics of whoever is logged in on this connection. A cluster without an authorizer allows everything.
///
/// # Errors
/// The broker cannot be asked, or does not say: it is older than Kafka 2.3.
pub async fn on_topics(
    connection: &mut Connection,
    topics: &[&str],
) -> Result<BTreeMap<String, Rights>, ClientError> {
    const API: &str = "Metadata";
    let version = connection
        .common_version(METADATA_RESPONSE.api_key, METADATA)
        .ok_or(ClientError::Refused { api: API, code: UNSUPPORTED_VERSION })?;
    let topic = |name: &&str| MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
    let request = MetadataRequest::default()
        .with_topics(Some(topics.iter().map(topic).collect()))
        .with_allow_auto_topic_creation(false)
        .with_include_topic_authorized_operations(true);
    let answer = connection.request(&request, version, &METADATA_RESPONSE).await?;
    let mut rights = BTreeMap::new();
    for topic in answer.topics {
        let Some(name) = topic.name.map(|name| name.0.to_string()) else { continue };
        let of_topic = match (topic.error_code, topic.topic_authorized_operations) {
            (TOPIC_AUTHORIZATION_FAILED, _) => Rights::May(BTreeSet::new()),
            (UNKNOWN_TOPIC_OR_PARTITION, _) => Rights::NoSuchTopic,
            // An error of its partitions says nothing of rights.
            (_, told) if told != NOT_TOLD => Rights::May(operations(told)),
            (code, _) => return Err(ClientError::Refused { api: API, code }),
        };
        // An answer about something else was not asked for.
        if topics.contains(&name.as_str()) {
            rights.insert(name, of_topic);
        }
    }
    Ok(rights)
}

/// A bit for each operation's number.
pub(super) fn operations(told: i32) -> BTreeSet<Operation> {
    let codes = 0..i8::try_from(i32::BITS).unwrap_or(i8::MAX);
    codes.filter(|code| told >> code & 1 == 1).map(Operation::of).collect()
}

/// Whether the cluster asks an authorizer at all. Anybody may ask this; where there is one, it may refuse to say more.
///
/// # Errors
/// The broker cannot be asked.
pub async fn has_authorizer(connection: &mut Connection, topic: &str) -> Result<bool, ClientError> {
    const API: &str = "DescribeAcls";
    let version = connection
        .common_version(DESCRIBE_ACLS_RESPONSE.api_key, DESCRIBE_ACLS_RESPONSE.versions)
        .ok_or(ClientError::Refused { api: API, code: UNSUPPORTED_VERSION })?;
    // Of one topic, so that the answer is small.
    let request = DescribeAclsRequest::default()
        .with_resource_type_filter(ResourceKind::Topic.code())
        .with_resource_name_filter(Some(text(topic)))
        .with_pattern_type_filter(Pattern::Literal.code())
        .with_operation(Operation::All.code())
        .with_permission_type(Effect::Deny.code());
    let answer = connection.request(&request, version, &DESCRIBE_ACLS_RESPONSE).await?;
    Ok(answer.error_code != SECURITY_DISABLED)
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_is_the_operation_of_its_number() {
        assert_eq!(operations(0), BTreeSet::new());
        let told = (1 << 3) | (1 << 4) | (1 << 11);
        let wanted = [Operation::Read, Operation::Write, Operation::AlterConfigs];
        assert_eq!(operations(told), wanted.into());
        assert_eq!(operations(1 << 20), [Operation::Other(20)].into(), "of a later Kafka");
    }
}
