//! Asking a cluster where topics' partitions stand: their ends, and the first record of a time (ListOffsets, KIP-79).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    BrokerId, ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::client::{ClientError, Connection, UpstreamSecurity, host_port};
use super::control_shapes::{LIST_OFFSETS_RESPONSE, METADATA_RESPONSE};
use super::shape::Versions;

/// From version 4 on a question does not create the topic that it names; 10 is the first with topic ids.
const METADATA: Versions = Versions::new(4, 12);
/// From version 1 on there is one offset for a time; 7 is the last before other questions than these two.
const LIST_OFFSETS: Versions = Versions::new(1, 7);
/// The timestamp that asks for a partition's end.
const LATEST: i64 = -1;
/// "No record", for a time after the last one.
const NONE: i64 = -1;

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const UNSUPPORTED_VERSION: i16 = 35;

/// A topic's partitions, with an offset for each that has answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offsets {
    /// None on a cluster that has no ids (before 2.8).
    pub topic_id: Option<Uuid>,
    /// How many partitions there are.
    pub partitions: usize,
    pub of: BTreeMap<i32, i64>,
}

impl Offsets {
    /// Those of all partitions, in their order; none while one is missing.
    pub fn all(&self) -> Option<Vec<i64>> {
        let in_order = || (0..).zip(&self.of).all(|(at, (&partition, _))| at == partition);
        (self.partitions > 0 && self.of.len() == self.partitions && in_order())
            .then(|| self.of.values().copied().collect())
    }
}

/// What there is to say of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Known(Offsets),
    /// There is no such topic.
    Missing,
    /// The cluster answers with this error code of Kafka's.
    Failed(i16),
}

/// Answers by topic.
pub type Answers = BTreeMap<String, Answer>;

/// Asks one cluster, and keeps its connections from one question to the next.
#[derive(Debug)]
pub struct OffsetReader {
    bootstrap: Vec<String>,
    security: UpstreamSecurity,
    client_id: &'static str,
    within: Duration,
    /// To the broker that is asked which topics there are.
    any: Option<Connection>,
    /// To partitions' leaders, each with its address.
    leaders: BTreeMap<i32, (String, Connection)>,
}

/// The partitions of one leader that are asked for.
type Asked = BTreeMap<String, Vec<i32>>;

impl OffsetReader {
    /// `within` is the time for each connection, and for each request.
    pub fn new(
        bootstrap: Vec<String>,
        security: UpstreamSecurity,
        client_id: &'static str,
        within: Duration,
    ) -> Self {
        Self { bootstrap, security, client_id, within, any: None, leaders: BTreeMap::new() }
    }

    /// The ends of these topics' partitions: the offset that the next record gets, or the first that is not acknowledged by all
    /// of the partition's replicas yet.
    ///
    /// # Errors
    /// No broker answers. A leader that does not answer only leaves its partitions out.
    pub async fn ends(&mut self, topics: &BTreeSet<String>) -> Result<Answers, ClientError> {
        let metadata = self.metadata(topics).await?;
        Ok(self.answers(topics, &metadata, &[LATEST]).await)
    }

    /// For each partition the first record that is as young as `timestamp` (milliseconds since 1970, by the records' own
    /// time), or its end if all are older.
    ///
    /// # Errors
    /// As those of [`Self::ends`].
    pub async fn first_since(
        &mut self,
        topics: &BTreeSet<String>,
        timestamp: i64,
    ) -> Result<Answers, ClientError> {
        let metadata = self.metadata(topics).await?;
        // The end first: a record that comes between the two questions is younger than it.
        Ok(self.answers(topics, &metadata, &[LATEST, timestamp]).await)
    }

    async fn answers(
        &mut self,
        topics: &BTreeSet<String>,
        metadata: &MetadataResponse,
        timestamps: &[i64],
    ) -> Answers {
        let mut answers = Answers::new();
        let mut asked: BTreeMap<i32, Asked> = BTreeMap::new();
        for topic in &metadata.topics {
            // An answer about something else was not asked for.
            let Some(name) = topic.name.as_ref().filter(|name| topics.contains(name.as_str())) else {
                continue;
            };
            let answer = answer(topic);
            if matches!(answer, Answer::Known(_)) {
                for partition in topic.partitions.iter().filter(|partition| partition.leader_id.0 >= 0) {
                    let of_leader = asked.entry(partition.leader_id.0).or_default();
                    of_leader.entry(name.to_string()).or_default().push(partition.partition_index);
                }
            }
            answers.insert(name.to_string(), answer);
        }
        let addresses: BTreeMap<i32, String> =
            metadata.brokers.iter().map(|it| (it.node_id.0, host_port(&it.host, it.port))).collect();
        self.leaders.retain(|id, (address, _)| addresses.get(id) == Some(address));
        for (leader, asked) in asked {
            let Some(address) = addresses.get(&leader) else { continue };
            match self.ask_leader(leader, address, &asked, timestamps).await {
                Ok(offsets) => take(&mut answers, &asked, offsets),
                Err(error) => {
                    tracing::debug!(leader, address, %error, "a leader does not tell offsets");
                }
            }
        }
        answers
    }

    async fn metadata(&mut self, topics: &BTreeSet<String>) -> Result<MetadataResponse, ClientError> {
        let mut connection = match self.any.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let version = connection
            .common_version(METADATA_RESPONSE.api_key, METADATA)
            .ok_or(ClientError::Refused { api: "Metadata", code: UNSUPPORTED_VERSION })?;
        let topic = |name: &String| MetadataRequestTopic::default().with_name(Some(wire(name)));
        let request = MetadataRequest::default()
            .with_topics(Some(topics.iter().map(topic).collect()))
            .with_allow_auto_topic_creation(false);
        let response = connection.request(&request, version, &METADATA_RESPONSE).await?;
        self.any = Some(connection);
        Ok(response)
    }

    async fn connect(&self) -> Result<Connection, ClientError> {
        let known = self.leaders.values().map(|(address, _)| address);
        let addresses = self.bootstrap.iter().chain(known).map(String::as_str);
        Connection::connect_any(addresses, &self.security, self.client_id, self.within).await
    }

    /// Asks for each of `timestamps`, one behind the other; an answer without a record leaves that of the one before.
    async fn ask_leader(
        &mut self,
        leader: i32,
        address: &str,
        asked: &Asked,
        timestamps: &[i64],
    ) -> Result<BTreeMap<(String, i32), i64>, ClientError> {
        let mut connection = match self.leaders.remove(&leader) {
            Some((_, connection)) => connection,
            None => Connection::connect(address, &self.security, self.client_id, self.within).await?,
        };
        let version = connection
            .common_version(LIST_OFFSETS_RESPONSE.api_key, LIST_OFFSETS)
            .ok_or(ClientError::Refused { api: "ListOffsets", code: UNSUPPORTED_VERSION })?;
        let mut offsets = BTreeMap::new();
        for &timestamp in timestamps {
            let response: ListOffsetsResponse =
                connection.request(&question(asked, timestamp), version, &LIST_OFFSETS_RESPONSE).await?;
            for topic in response.topics {
                for partition in topic.partitions {
                    let of = (topic.name.to_string(), partition.partition_index);
                    if partition.error_code != 0 {
                        // Half an answer is none.
                        offsets.remove(&of);
                    } else if partition.offset != NONE && (timestamp == LATEST || offsets.contains_key(&of)) {
                        offsets.insert(of, partition.offset);
                    }
                }
            }
        }
        self.leaders.insert(leader, (address.to_owned(), connection));
        Ok(offsets)
    }
}

fn answer(topic: &MetadataResponseTopic) -> Answer {
    match topic.error_code {
        0 => Answer::Known(Offsets {
            topic_id: Some(topic.topic_id).filter(|id| !id.is_nil()),
            partitions: topic.partitions.len(),
            of: BTreeMap::new(),
        }),
        UNKNOWN_TOPIC_OR_PARTITION => Answer::Missing,
        code => Answer::Failed(code),
    }
}

/// Takes what a leader said of the partitions that it was asked for, and nothing else.
fn take(answers: &mut Answers, asked: &Asked, mut offsets: BTreeMap<(String, i32), i64>) {
    for (name, partitions) in asked {
        let Some(Answer::Known(known)) = answers.get_mut(name) else { continue };
        for &partition in partitions {
            if let Some(offset) = offsets.remove(&(name.clone(), partition)) {
                known.of.insert(partition, offset);
            }
        }
    }
}

fn question(asked: &Asked, timestamp: i64) -> ListOffsetsRequest {
    let partition = |&index: &i32| {
        ListOffsetsPartition::default()
            .with_partition_index(index)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp)
    };
    let topic = |(name, partitions): (&String, &Vec<i32>)| {
        ListOffsetsTopic::default()
            .with_name(wire(name))
            .with_partitions(partitions.iter().map(partition).collect())
    };
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(asked.iter().map(topic).collect())
}

fn wire(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_topics_offsets_are_known_when_every_partition_has_answered() {
        let offsets =
            |of: &[(i32, i64)]| Offsets { topic_id: None, partitions: 2, of: of.iter().copied().collect() };
        assert_eq!(offsets(&[(0, 7), (1, 9)]).all(), Some(vec![7, 9]));
        assert_eq!(offsets(&[(1, 9)]).all(), None);
        assert_eq!(offsets(&[(0, 7), (2, 9)]).all(), None, "a partition that there is not");
        assert_eq!(Offsets::default().all(), None, "a topic without partitions is one that is being made");
    }
}
