//! Asking brokers which groups they keep, and what those have committed (ListGroups, OffsetFetch).
//!
//! A broker lists the groups whose coordinator it is, so it is the one to ask for their offsets too: nobody has to look for it.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    GroupId, ListGroupsRequest, ListGroupsResponse, MetadataRequest, MetadataResponse, OffsetFetchRequest,
    OffsetFetchResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::client::{ClientError, Connection, UpstreamSecurity, host_port};
use super::control_shapes::{LIST_GROUPS_RESPONSE, METADATA_RESPONSE, OFFSET_FETCH_RESPONSE};
use super::shape::Versions;

/// From version 4 on a question never creates a topic.
const METADATA: Versions = Versions::new(4, 12);
/// From version 2 on there is an error of the group itself.
const OFFSET_FETCH: Versions = Versions::new(2, 9);
/// From this version on a request is about several groups.
const SEVERAL_GROUPS: i16 = 8;
/// Groups that a broker may list.
const LISTED: u32 = 500_000;

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const GROUP_AUTHORIZATION_FAILED: i16 = 30;
const UNSUPPORTED_VERSION: i16 = 35;
const GROUP_ID_NOT_FOUND: i16 = 69;

/// Partitions by their topic's name: as many as this from 0 on.
pub type Partitions = BTreeMap<String, i32>;

/// What a group has committed in the partitions that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    Known {
        offsets: BTreeMap<(String, i32), i64>,
        /// Whether the broker refused to say it of one of the partitions.
        is_partial: bool,
    },
    /// Whoever is logged in may not know of the group.
    Forbidden,
    /// There is no such group any more.
    Gone,
    /// The broker answers with this error code of Kafka's.
    Failed(i16),
}

/// `host:port` of the cluster's brokers that live, as the first of the bootstrap servers that answers knows them.
///
/// # Errors
/// What the last of them had against it.
pub async fn brokers(
    bootstrap: impl Iterator<Item = &str>,
    security: &UpstreamSecurity,
    client_id: &str,
    within: Duration,
) -> Result<Vec<String>, ClientError> {
    let mut connection = Connection::connect_any(bootstrap, security, client_id, within).await?;
    let version = connection
        .common_version(METADATA_RESPONSE.api_key, METADATA)
        .ok_or(ClientError::Refused { api: "Metadata", code: UNSUPPORTED_VERSION })?;
    let request = MetadataRequest::default().with_topics(Some(vec![])).with_allow_auto_topic_creation(false);
    let answer: MetadataResponse = connection.request(&request, version, &METADATA_RESPONSE).await?;
    Ok(answer.brokers.iter().map(|broker| host_port(&broker.host, broker.port)).collect())
}

/// A connection to one broker, for the groups that it keeps.
#[derive(Debug)]
pub struct Coordinator {
    connection: Connection,
}

impl Coordinator {
    /// `within` is the time for the connection, and for each request.
    pub async fn connect(
        address: &str,
        security: &UpstreamSecurity,
        client_id: &str,
        within: Duration,
    ) -> Result<Self, ClientError> {
        let connection = Connection::connect(address, security, client_id, within).await?;
        Ok(Self { connection: connection.taking(LISTED) })
    }

    /// The groups that this broker keeps and that are `wanted`. With DESCRIBE on the cluster these are all there are, else those that
    /// one may describe: without rights none, and no error.
    pub async fn groups(&mut self, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>, ClientError> {
        const API: &str = "ListGroups";
        let version = self
            .connection
            .common_version(LIST_GROUPS_RESPONSE.api_key, LIST_GROUPS_RESPONSE.versions)
            .ok_or(ClientError::Refused { api: API, code: UNSUPPORTED_VERSION })?;
        let request = ListGroupsRequest::default();
        let answer: ListGroupsResponse =
            self.connection.request(&request, version, &LIST_GROUPS_RESPONSE).await?;
        if answer.error_code != 0 {
            return Err(ClientError::Refused { api: API, code: answer.error_code });
        }
        let groups = answer.groups.iter().map(|group| group.group_id.as_str());
        Ok(groups.filter(|group| wanted(group)).map(str::to_owned).collect())
    }

    /// What these groups have committed. One that the broker does not answer for is not in the answer.
    pub async fn committed(
        &mut self,
        asked: &BTreeMap<&str, &Partitions>,
    ) -> Result<BTreeMap<String, Committed>, ClientError> {
        let version = self
            .connection
            .common_version(OFFSET_FETCH_RESPONSE.api_key, OFFSET_FETCH)
            .ok_or(ClientError::Refused { api: "OffsetFetch", code: UNSUPPORTED_VERSION })?;
        let mut known = BTreeMap::new();
        if version >= SEVERAL_GROUPS {
            let answer = self.ask(&question(asked), version).await?;
            known.extend(answer.groups.iter().map(of_group));
        } else {
            for (&group, &partitions) in asked {
                let answer = self.ask(&question_of_one(group, partitions), version).await?;
                let offsets = answer.topics.iter().map(of_topic).collect::<Vec<_>>();
                known.insert(group.to_owned(), committed(answer.error_code, &offsets));
            }
        }
        // An answer about something else was not asked for.
        known.retain(|group, committed| match (asked.get(group.as_str()), committed) {
            (Some(partitions), Committed::Known { offsets, .. }) => {
                offsets
                    .retain(|(topic, at), _| partitions.get(topic).is_some_and(|&all| (0..all).contains(at)));
                true
            }
            (asked, _) => asked.is_some(),
        });
        Ok(known)
    }

    async fn ask(
        &mut self,
        request: &OffsetFetchRequest,
        version: i16,
    ) -> Result<OffsetFetchResponse, ClientError> {
        self.connection.request(request, version, &OFFSET_FETCH_RESPONSE).await
    }
}

fn question(asked: &BTreeMap<&str, &Partitions>) -> OffsetFetchRequest {
    let topic = |(name, &count): (&String, &i32)| {
        OffsetFetchRequestTopics::default()
            .with_name(topic_name(name))
            .with_partition_indexes((0..count).collect())
    };
    let group = |(group, partitions): (&&str, &&Partitions)| {
        OffsetFetchRequestGroup::default()
            .with_group_id(group_id(group))
            .with_topics(Some(partitions.iter().map(topic).collect()))
    };
    OffsetFetchRequest::default().with_groups(asked.iter().map(group).collect())
}

fn question_of_one(group: &str, partitions: &Partitions) -> OffsetFetchRequest {
    let topic = |(name, &count): (&String, &i32)| {
        OffsetFetchRequestTopic::default()
            .with_name(topic_name(name))
            .with_partition_indexes((0..count).collect())
    };
    OffsetFetchRequest::default()
        .with_group_id(group_id(group))
        .with_topics(Some(partitions.iter().map(topic).collect()))
}

/// A topic's partitions, each with its offset and its error.
type OfTopic = (String, Vec<(i32, i64, i16)>);

fn of_group(group: &OffsetFetchResponseGroup) -> (String, Committed) {
    let topic = |topic: &OffsetFetchResponseTopics| {
        let partitions = topic.partitions.iter();
        let partitions = partitions.map(|it| (it.partition_index, it.committed_offset, it.error_code));
        (topic.name.to_string(), partitions.collect())
    };
    let topics: Vec<OfTopic> = group.topics.iter().map(topic).collect();
    (group.group_id.to_string(), committed(group.error_code, &topics))
}

fn of_topic(topic: &OffsetFetchResponseTopic) -> OfTopic {
    let partitions = topic.partitions.iter();
    let partitions = partitions.map(|it| (it.partition_index, it.committed_offset, it.error_code));
    (topic.name.to_string(), partitions.collect())
}

fn committed(error: i16, topics: &[OfTopic]) -> Committed {
    match error {
        0 => {}
        GROUP_AUTHORIZATION_FAILED => return Committed::Forbidden,
        GROUP_ID_NOT_FOUND => return Committed::Gone,
        code => return Committed::Failed(code),
    }
    let (mut offsets, mut is_partial) = (BTreeMap::new(), false);
    for (topic, partitions) in topics {
        for &(partition, offset, error) in partitions {
            match error {
                // Without a commit it is -1.
                0 if offset >= 0 => drop(offsets.insert((topic.clone(), partition), offset)),
                0 | UNKNOWN_TOPIC_OR_PARTITION => {}
                _ => is_partial = true,
            }
        }
    }
    Committed::Known { offsets, is_partial }
}

fn group_id(group: &str) -> GroupId {
    GroupId(StrBytes::from_string(group.to_owned()))
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_or_partition_that_is_refused_or_gone_is_told_from_one_without_a_commit() {
        const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
        let of = |partitions: &[(i32, i64, i16)]| committed(0, &[("t".to_owned(), partitions.to_vec())]);
        let known = |offsets: &[(i32, i64)], is_partial| Committed::Known {
            offsets: offsets
                .iter()
                .map(|&(partition, offset)| (("t".to_owned(), partition), offset))
                .collect(),
            is_partial,
        };
        assert_eq!(of(&[(0, 7, 0), (1, -1, 0)]), known(&[(0, 7)], false));
        assert_eq!(of(&[(0, 7, 0), (1, -1, UNKNOWN_TOPIC_OR_PARTITION)]), known(&[(0, 7)], false));
        assert_eq!(of(&[(0, 7, 0), (1, -1, TOPIC_AUTHORIZATION_FAILED)]), known(&[(0, 7)], true));
        assert_eq!(committed(GROUP_AUTHORIZATION_FAILED, &[]), Committed::Forbidden);
        assert_eq!(committed(GROUP_ID_NOT_FOUND, &[]), Committed::Gone);
        assert_eq!(committed(16, &[]), Committed::Failed(16));
    }
}
