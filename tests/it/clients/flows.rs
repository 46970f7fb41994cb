//! What each client does, directly and through the gateway: the same flow must show the same things.

use std::collections::BTreeSet;

use crate::support::client::{Client, Connection, Running};
use crate::support::events::{ClientError, Events, Partition, Record};

/// The topics of a client's zone, under their aliases; each has [`PARTITIONS`] partitions.
pub(super) const ALIASES: [&str; 3] = ["orders", "payments", "shipments"];
pub(super) const PARTITIONS: i32 = 3;

/// A column of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Produce,
    Consume,
    Group,
    NewGroup,
    Transaction,
    Listing,
}

/// Where a client is sent.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) client: Client,
    pub(super) connection: Connection,
    /// The name here of each of [`ALIASES`].
    pub(super) topics: [String; 3],
    /// All groups and transactional ids of this site begin so.
    pub(super) prefix: String,
    /// Whether whatever is listed must be the client's own.
    pub(super) closed: bool,
}

/// What a flow showed, in words that do not depend on the site.
pub(super) type Observed = Vec<String>;

impl Flow {
    /// In the order in which they run: each needs what those before it wrote.
    pub(super) const ALL: [Self; 6] =
        [Self::Produce, Self::Consume, Self::Group, Self::NewGroup, Self::Transaction, Self::Listing];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Produce => "produce",
            Self::Consume => "consume",
            Self::Group => "group",
            Self::NewGroup => "new group",
            Self::Transaction => "transaction",
            Self::Listing => "listing",
        }
    }

    /// Whether the client has what the flow needs at all.
    pub(super) fn offered_by(self, client: Client) -> bool {
        self != Self::NewGroup || matches!(client, Client::Java | Client::Librdkafka | Client::FranzGo)
    }

    /// # Errors
    /// What the client complained of.
    pub(super) fn run(self, site: &Site) -> Result<Observed, String> {
        match self {
            Self::Produce => site.produce(),
            Self::Consume => site.consume(),
            Self::Group => site.group("eager"),
            Self::NewGroup => site.group("consumer"),
            Self::Transaction => site.transaction(),
            Self::Listing => site.listing(),
        }
    }
}

/// The codecs that a client has without further packages.
fn codecs(client: Client) -> &'static str {
    if client == Client::Kafkajs { "none,gzip" } else { "none,gzip,snappy,lz4,zstd" }
}

impl Site {
    /// Every codec under every kind of acknowledgement.
    fn produce(&self) -> Result<Observed, String> {
        let codecs = codecs(self.client);
        let options = ["--partition", "0", "--acks", "1,all,0", "--compression", codecs];
        let record = ["--key", "key-{i}", "--value", "{acks}/{compression}/ü", "--header", "trace=ä"];
        let count = ["--count", "1", "--timestamp", "1700000000000"];
        let produced = self.run("produce", &[&self.topic(0)[..], &options, &record, &count].concat())?;
        Ok(self.acked(&produced))
    }

    /// What [`produce`](Self::produce) wrote, with all that belongs to a record.
    fn consume(&self) -> Result<Observed, String> {
        let records = (3 * codecs(self.client).split(',').count()).to_string();
        let options = ["--partition", "0", "--max", &records];
        let read = self.run("assign", &[&self.topic(0)[..], &options].concat())?;
        let mut observed: Observed = read
            .records()
            .iter()
            .map(|record| {
                let text = |bytes: &Option<Vec<u8>>| {
                    bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                };
                let headers: Vec<_> =
                    record.headers.iter().map(|(name, value)| (name, text(value))).collect();
                format!(
                    "{}-{} {:?} {:?} {headers:?} at {}",
                    self.alias(&record.topic),
                    record.partition,
                    text(&record.key),
                    text(&record.value),
                    record.timestamp
                )
            })
            .collect();
        // Without an acknowledgement the next record does not wait for the last.
        observed.sort();
        Ok(observed)
    }

    /// A group goes on where it stopped; then two members share a topic, and one of them leaves.
    fn group(&self, protocol: &str) -> Result<Observed, String> {
        let group = format!("{}{protocol}-readers", self.prefix);
        let mut observed = Observed::new();
        for _ in 0..2 {
            let member = self.membership(&group, protocol);
            let options = [&self.topic(0)[..], &member, &["--commit", "--max", "2"]].concat();
            let read = self.run("consume", &options)?;
            observed.push(format!("read {}", read.records().len()));
            let committed = self.run("committed", &["--group", &group])?;
            let mut offsets = committed.offsets();
            offsets.sort();
            observed.extend(offsets.iter().map(|offset| {
                format!("committed {}-{} at {}", self.alias(&offset.topic), offset.partition, offset.offset)
            }));
        }
        let mut members = vec![self.member(protocol)];
        await_shared(&mut members, &self.topics[2]);
        members.push(self.member(protocol));
        await_shared(&mut members, &self.topics[2]);
        observed.push("two members share".to_owned());
        let left = members.pop().unwrap().stop();
        await_shared(&mut members, &self.topics[2]);
        observed.push("one member has all".to_owned());
        for member in [left, members.pop().unwrap().stop()] {
            fine("consume", &member)?;
        }
        Ok(observed)
    }

    fn member(&self, protocol: &str) -> Running {
        let group = format!("{}{protocol}-members", self.prefix);
        let member = self.membership(&group, protocol);
        let options = [&["consume", "--until-stdin-closes"], &self.topic(2)[..], &member].concat();
        self.client.start(&self.connection, &options)
    }

    /// Options of a member. By default a rebalance takes three seconds, until the next heartbeat; the other drivers have
    /// set that themselves, and under the new protocol it is the broker's to say.
    fn membership<'a>(&self, group: &'a str, protocol: &'a str) -> Vec<&'a str> {
        let mut options = vec!["--group", group, "--protocol", protocol];
        if protocol == "eager" && matches!(self.client, Client::Java | Client::Java2 | Client::Librdkafka) {
            options.extend(["-X", "heartbeat.interval.ms=500"]);
        }
        options
    }

    /// Commits and aborts; then reads, writes and commits offsets in one transaction, and in one that is aborted.
    fn transaction(&self) -> Result<Observed, String> {
        let id = format!("{}writer", self.prefix);
        let group = format!("{}transformers", self.prefix);
        let mut observed = Observed::new();
        let of_its_own =
            ["--partition", "0", "--count", "2", "--value", "{end}-{i}", "--ends", "commit,abort,commit"];
        let transformed = [
            "--partition",
            "1",
            "--from-topic",
            &self.topics[0],
            "--group",
            &group,
            "--max",
            "2",
            "--ends",
            "abort,commit",
        ];
        for options in [&of_its_own[..], &transformed] {
            let id = ["--transactional-id", &id];
            let run = self.run("transact", &[&self.topic(1)[..], &id, options].concat())?;
            observed.extend(self.acked(&run));
            observed.extend(run.transactions());
        }
        for (partition, isolation, records) in
            [("0", "read_committed", "4"), ("0", "read_uncommitted", "6"), ("1", "read_committed", "2")]
        {
            let options = ["--partition", partition, "--isolation", isolation, "--max", records];
            let read = self.run("assign", &[&self.topic(1)[..], &options].concat())?;
            let values: Vec<String> = read.records().iter().map(Record::text).collect();
            let aborted = values.iter().any(|value| value.starts_with("abort"));
            if values.len().to_string() != records || (isolation == "read_committed" && aborted) {
                return Err(format!("{isolation} of partition {partition} shows {values:?}"));
            }
            observed.push(format!("{isolation} {values:?}"));
        }
        let offsets = self.run("committed", &["--group", &group])?.offsets();
        observed.extend(offsets.iter().map(|offset| {
            format!("{}-{} at {}", self.alias(&offset.topic), offset.partition, offset.offset)
        }));
        Ok(observed)
    }

    /// Topics, groups and nodes. Through the gateway nothing else may be there.
    fn listing(&self) -> Result<Observed, String> {
        let mut observed = Observed::new();
        let topics: BTreeSet<String> =
            self.run("list-topics", &[])?.topics().into_iter().map(|topic| topic.name).collect();
        for topic in topics {
            if self.topics.contains(&topic) {
                observed.push(format!("topic {}", self.alias(&topic)));
            } else if self.closed {
                return Err(format!("topic {topic} is listed"));
            }
        }
        for group in self.run("list-groups", &[])?.groups().into_iter().collect::<BTreeSet<_>>() {
            if let Some(group) = group.strip_prefix(&self.prefix) {
                observed.push(format!("group {group}"));
            } else if self.closed && !group.starts_with("assign-") {
                return Err(format!("group {group} is listed"));
            }
        }
        for topic in self.run("describe-topic", &self.topic(0))?.topics() {
            observed.extend(topic.partitions.iter().map(|partition| {
                let (replicas, isr) = (partition.replicas.len(), partition.isr.len());
                let led = partition.replicas.contains(&partition.leader);
                format!(
                    "{}-{}: {replicas} replicas, {isr} in sync, led: {led}",
                    self.alias(&topic.name),
                    partition.partition
                )
            }));
        }
        let cluster = self.run("describe-cluster", &[])?.cluster().ok_or("no cluster")?;
        let mut ids: Vec<i32> = cluster.nodes.iter().map(|node| node.id).collect();
        ids.sort_unstable();
        observed.push(format!("nodes {ids:?}, controlled: {}", ids.contains(&cluster.controller)));
        Ok(observed)
    }

    /// What was acknowledged; the offsets hold only where everything before was waited for.
    fn acked(&self, events: &Events) -> Observed {
        let acked = events.acked().into_iter();
        acked
            .map(|acked| {
                let offset = if acked.acks == "0" { "unknown".to_owned() } else { acked.at().to_string() };
                let (topic, partition, with) = (self.alias(&acked.topic), acked.partition, acked.compression);
                format!("{topic}-{partition} acks={} {with} at {offset}", acked.acks)
            })
            .collect()
    }

    fn topic(&self, index: usize) -> [&str; 2] {
        ["--topic", &self.topics[index]]
    }

    /// A topic's name as the gateway shows it.
    fn alias(&self, topic: &str) -> String {
        let index = self.topics.iter().position(|own| own == topic);
        index.map_or_else(|| format!("foreign {topic}"), |index| ALIASES[index].to_owned())
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Result<Events, String> {
        let events = self.client.run(&self.connection, &[&[command], arguments].concat());
        fine(command, &events)?;
        Ok(events)
    }
}

fn fine(command: &str, events: &Events) -> Result<(), String> {
    let said = |error: ClientError| format!("{command}: {}: {}", error.error, error.message);
    events.errors().into_iter().next().map_or(Ok(()), |error| Err(said(error)))
}

/// Waits until every member holds something, and all together hold each partition once.
fn await_shared(members: &mut [Running], topic: &str) {
    let wanted: Vec<_> =
        (0..PARTITIONS).map(|partition| Partition { topic: topic.to_owned(), partition }).collect();
    let (last, others) = members.split_last_mut().unwrap();
    last.wait_for(&format!("its share beside {} others", others.len()), |events| {
        let mut held: Vec<_> =
            others.iter().map(|member| member.events().assignment().unwrap_or_default()).collect();
        held.push(events.assignment().unwrap_or_default());
        let all_have_some = held.iter().all(|held| !held.is_empty());
        let mut all = held.concat();
        all.sort();
        (all_have_some && all == wanted).then_some(())
    });
}
