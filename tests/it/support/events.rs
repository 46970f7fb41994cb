//! What the drivers print, typed; `tests/clients/README.md` has the grammar.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::process::{Line, Stream};

/// What a client showed, in order.
#[derive(Debug, Clone)]
pub(crate) struct Events(Vec<Value>);

impl Events {
    pub(crate) fn read(lines: &[Line]) -> Self {
        let events = lines.iter().filter(|line| line.stream == Stream::Stdout);
        let parse =
            |line: &Line| serde_json::from_str(&line.text).unwrap_or_else(|e| panic!("{e}: {}", line.text));
        Self(events.map(parse).collect())
    }

    fn all<T: DeserializeOwned>(&self, kind: &str) -> Vec<T> {
        let events = self.0.iter().filter(|event| event["event"] == kind);
        events
            .map(|event| serde_json::from_value(event.clone()).unwrap_or_else(|e| panic!("{e}: {event}")))
            .collect()
    }

    /// Whether the driver came to its end in good order.
    pub(crate) fn ended(&self) -> bool {
        self.0.last().is_some_and(|event| event["event"] == "end")
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.all("record")
    }

    pub(crate) fn acked(&self) -> Vec<Acked> {
        self.all("acked")
    }

    pub(crate) fn errors(&self) -> Vec<ClientError> {
        self.all("error")
    }

    /// Names of topics, of `list-topics` and `describe-topic`.
    pub(crate) fn topics(&self) -> Vec<Topic> {
        self.all("topic")
    }

    /// Names of groups, of `list-groups`.
    pub(crate) fn groups(&self) -> Vec<String> {
        self.described_groups().into_iter().map(|group| group.name).collect()
    }

    /// Groups, of `describe-group`.
    pub(crate) fn described_groups(&self) -> Vec<Group> {
        self.all("group")
    }

    /// Settings by name, of `describe-configs`.
    pub(crate) fn configs(&self) -> BTreeMap<String, String> {
        let settings = self.all::<Setting>("config");
        settings.into_iter().map(|Setting { name, value }| (name, value)).collect()
    }

    pub(crate) fn cluster(&self) -> Option<ClusterInfo> {
        self.all("cluster").pop()
    }

    /// Committed offsets, of `committed`.
    pub(crate) fn offsets(&self) -> Vec<Committed> {
        self.all("offset")
    }

    /// How far the transactions of `transact` have come: `open`, `commit`, `abort`.
    pub(crate) fn transactions(&self) -> Vec<String> {
        #[derive(Deserialize)]
        struct Transaction {
            state: String,
        }
        self.all("transaction").into_iter().map(|event: Transaction| event.state).collect()
    }

    /// What the admin client sees of transactions, of `list-transactions` and `describe-transaction`.
    pub(crate) fn transactional_ids(&self) -> Vec<TransactionalId> {
        self.all("transactional-id")
    }

    /// The offsets that a reader committed, the latest of each partition last.
    pub(crate) fn committed(&self) -> Vec<Committed> {
        #[derive(Deserialize)]
        struct Batch {
            offsets: Vec<Committed>,
        }
        self.all("committed").into_iter().flat_map(|event: Batch| event.offsets).collect()
    }

    /// The partitions that a group member holds now; `None` before its first assignment.
    pub(crate) fn assignment(&self) -> Option<Vec<Partition>> {
        let mut held: Option<Vec<Partition>> = None;
        for event in &self.0 {
            let kind = event["event"].as_str().unwrap_or_default();
            if !matches!(kind, "assigned" | "revoked" | "lost") {
                continue;
            }
            let partitions: Vec<Partition> = serde_json::from_value(event["partitions"].clone()).unwrap();
            let held = held.get_or_insert_default();
            held.retain(|partition| !partitions.contains(partition));
            if kind == "assigned" {
                held.extend(partitions);
            }
        }
        held
    }

    /// How often partitions were taken away: each rebalance under the eager protocol, only real moves under the
    /// cooperative one.
    pub(crate) fn revocations(&self) -> usize {
        let taken =
            |event: &&Value| event["event"] == "revoked" && event["partitions"] != Value::Array(vec![]);
        self.0.iter().filter(taken).count()
    }

    /// How often a member found out that its partitions are another's.
    pub(crate) fn losses(&self) -> usize {
        self.0.iter().filter(|event| event["event"] == "lost").count()
    }
}

/// A record as a consumer got it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// Milliseconds since 1970.
    pub(crate) timestamp: i64,
    /// `create`, `append` or `none`.
    pub(crate) timestamp_type: String,
    #[serde(deserialize_with = "bytes")]
    pub(crate) key: Option<Vec<u8>>,
    #[serde(deserialize_with = "bytes")]
    pub(crate) value: Option<Vec<u8>>,
    #[serde(deserialize_with = "headers")]
    pub(crate) headers: Headers,
}

impl Record {
    /// The value, which is UTF-8 text; a null one is empty.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.value.clone().unwrap_or_default()).unwrap()
    }
}

/// A record that the broker took.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Acked {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// -1 where no acknowledgement was asked for. `None` where it came without one: of a record whose own answer was lost, librdkafka
    /// knows that it was taken once a later one is, and not where it is.
    pub(crate) offset: Option<i64>,
    pub(crate) acks: String,
    pub(crate) compression: String,
    pub(crate) number: i64,
}

impl Acked {
    /// Where it is, for tests in which no answer is lost.
    pub(crate) fn at(&self) -> i64 {
        self.offset.unwrap_or_else(|| panic!("acknowledged without an offset: {self:?}"))
    }
}

/// An error under Kafka's own name, whichever client met it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ClientError {
    pub(crate) error: String,
    pub(crate) code: i16,
    pub(crate) message: String,
    /// The record's number, if it is about one.
    pub(crate) number: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Partition {
    pub(crate) topic: String,
    pub(crate) partition: i32,
}

/// A committed position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Committed {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// A transactional id as the admin client sees it; only `describe-transaction` gives its partitions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct TransactionalId {
    pub(crate) id: String,
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) partitions: Vec<Partition>,
}

/// A topic as the admin client sees it; `list-topics` gives only the name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) partitions: Vec<TopicPartition>,
    #[serde(default)]
    pub(crate) authorized_operations: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    #[serde(rename = "group")]
    pub(crate) name: String,
    /// Of `describe-group` in capitals, such as `STABLE`.
    pub(crate) state: Option<String>,
    /// `CLASSIC` or `CONSUMER`.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    /// Of a group of the new protocol; only Java has it.
    pub(crate) epoch: Option<i32>,
    #[serde(default)]
    pub(crate) members: Vec<Member>,
    #[serde(default)]
    pub(crate) authorized_operations: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) host: String,
    /// What it holds, sorted.
    pub(crate) partitions: Vec<Partition>,
    /// What it is to hold, sorted; of a group of the new protocol.
    pub(crate) target: Option<Vec<Partition>>,
    /// The last rebalance that it took part in; of a group of the new protocol, and only Java has it.
    pub(crate) epoch: Option<i32>,
}

#[derive(Debug, Clone, Deserialize)]
struct Setting {
    name: String,
    value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct TopicPartition {
    pub(crate) partition: i32,
    pub(crate) leader: i32,
    pub(crate) replicas: Vec<i32>,
    pub(crate) isr: Vec<i32>,
}

/// The cluster as the admin client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterInfo {
    pub(crate) id: String,
    pub(crate) controller: i32,
    pub(crate) nodes: Vec<Node>,
    pub(crate) authorized_operations: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) host: String,
    pub(crate) port: u16,
}

fn decoded<E: serde::de::Error>(text: Option<String>) -> Result<Option<Vec<u8>>, E> {
    text.map(|text| STANDARD.decode(text).map_err(E::custom)).transpose()
}

fn bytes<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
    decoded(Option::<String>::deserialize(from)?)
}

type Headers = Vec<(String, Option<Vec<u8>>)>;

fn headers<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Headers, D::Error> {
    let headers = Vec::<(String, Option<String>)>::deserialize(from)?;
    headers.into_iter().map(|(name, value)| Ok((name, decoded(value)?))).collect()
}
