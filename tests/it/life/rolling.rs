//! Everything is restarted, one after the other, while clients work.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::end_of;
use crate::support::balancer::Balancer;
use crate::support::client::{Client, Connection, Running};
use crate::support::events::{ClientError, Events};
use crate::support::gateway::{InProcess, SECRET, zone};
use crate::support::kafka::Cluster;
use crate::support::wire::Wire;

const PATIENCE: Duration = Duration::from_secs(90);

/// A producer and a member of a group, on a topic of their own.
struct Pair {
    client: Client,
    alias: String,
    producer: Running,
    consumer: Running,
}

impl Pair {
    fn start(client: Client, connection: &Connection) -> Self {
        let alias = format!("of-{}", client.name());
        let work = |command: &str, more: &[&str]| {
            let common = [command, "--topic", &alias, "--until-stdin-closes", "--timeout", "60000"];
            client.start(connection, &[&common[..], more].concat())
        };
        let idempotent = ["-X", "enable.idempotence=true", "--acks", "all", "--interval", "10"];
        let producer =
            work("produce", &[&idempotent[..], &["--key", "{i}", "--value", "value-{i}"]].concat());
        let consumer = work("consume", &["--group", "readers", "--commit"]);
        Self { client, alias, producer, consumer }
    }

    /// Waits until more was acknowledged and read than before.
    fn goes_on(&mut self) {
        let name = self.client.name();
        let (acked, read) = (self.producer.events().acked().len(), self.consumer.events().records().len());
        self.producer.wait_for(&format!("{name}: more acknowledged records"), |events| {
            (events.acked().len() > acked + 5).then_some(())
        });
        self.consumer.wait_for(&format!("{name}: more records"), |events| {
            (events.records().len() > read + 5).then_some(())
        });
    }

    /// Stops both and holds what they saw against what Kafka has.
    fn settle(mut self, cluster: &Cluster) {
        let produced = self.producer.stop();
        assert_eq!(failures(&produced, &[]), [], "{:?}", self.client);
        let acked: BTreeMap<i64, String> =
            produced.acked().iter().map(|acked| (acked.offset, format!("value-{}", acked.number))).collect();
        assert_eq!(acked.len(), produced.acked().len(), "an offset was acknowledged twice");
        // Nothing lost, nothing twice: what Kafka has is what was acknowledged.
        assert_eq!(end_of(cluster, &self.alias), i64::try_from(acked.len()).unwrap());
        let last = *acked.keys().last().unwrap();
        self.consumer.wait_for("the last record", |events| {
            events.records().iter().any(|record| record.offset == last).then_some(())
        });
        let consumed = self.consumer.stop();
        // A commit that a rebalance or a move of the coordinator overtook is repeated with the next batch.
        let overtaken = [
            "REBALANCE_IN_PROGRESS",
            "ILLEGAL_GENERATION",
            "UNKNOWN_MEMBER_ID",
            "NOT_COORDINATOR",
            "COORDINATOR_LOAD_IN_PROGRESS",
        ];
        assert_eq!(failures(&consumed, &overtaken), [], "{:?}", self.client);
        let read: BTreeSet<_> = consumed.records().iter().map(|record| record.offset).collect();
        assert_eq!(read, acked.keys().copied().collect(), "{:?}", self.client);
        for record in consumed.records() {
            assert_eq!(record.text(), acked[&record.offset]);
        }
    }
}

/// What went wrong, but for these. That a connection was lost, librdkafka says of every restart, and goes on.
fn failures(events: &Events, expected: &[&str]) -> Vec<ClientError> {
    let fails = |error: &ClientError| {
        let lost = error.error == "NETWORK_EXCEPTION" && error.number.is_none();
        !lost && !expected.contains(&error.error.as_str())
    };
    events.errors().into_iter().filter(fails).collect()
}

/// Waits until every partition of these topics has a copy on all three brokers again.
fn await_in_sync(cluster: &Cluster, topics: &[&str]) {
    let client: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap()).create().unwrap();
    let begun = Instant::now();
    let complete = |topic: &&str| {
        let metadata = client.fetch_metadata(Some(topic), Duration::from_secs(5));
        metadata.is_ok_and(|m| m.topics()[0].partitions().iter().all(|partition| partition.isr().len() == 3))
    };
    while !topics.iter().all(complete) {
        assert!(begun.elapsed() < PATIENCE, "{topics:?} are not in sync");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn brokers_and_gateways_restart_one_by_one_and_no_client_notices() {
    let cluster = Cluster::private(3);
    let topics = Client::ALL.map(|client| format!("of-{}", client.name()));
    for topic in &topics {
        cluster.create_topic(topic, 1);
    }
    let aliases: Vec<_> = topics.iter().map(|topic| (topic.as_str(), topic.as_str(), "WRITE")).collect();
    let mut gateways = InProcess::pair(&cluster);
    let ports = gateways[0].listens_on().1;
    for gateway in &gateways {
        gateway.serve([zone("acme", &aliases)]);
    }
    Balancer::start(ports.clone(), [gateways[0].listens_on().0, gateways[1].listens_on().0]);
    let mut pairs = Client::ALL.map(|client| Pair::start(client, &gateways[0].connection("acme")));
    pairs.iter_mut().for_each(Pair::goes_on);

    for broker in 1..=3_u16 {
        // The connection of a partner who does nothing just now ends with the broker's.
        let mut idle = Wire::logged_in(ports.start() + broker, "acme", SECRET);
        cluster.broker(broker.into()).stop();
        assert_eq!(idle.socket.read(&mut [0; 1]).unwrap(), 0, "left open without a broker");
        cluster.broker(broker.into()).start();
        await_in_sync(&cluster, &topics.each_ref().map(String::as_str));
        pairs.iter_mut().for_each(Pair::goes_on);
    }
    for gateway in &mut gateways {
        gateway.restart();
        pairs.iter_mut().for_each(Pair::goes_on);
    }
    for pair in pairs {
        pair.settle(&cluster);
    }
    a_broker_that_says_nothing_is_given_up_before_the_client_gives_up(&cluster, *ports.start());
}

/// Its kernel still takes connections. A client waits 10 s for one before it asks elsewhere.
fn a_broker_that_says_nothing_is_given_up_before_the_client_gives_up(cluster: &Cluster, first_port: u16) {
    let pid = std::fs::read_to_string(cluster.folder().join("broker-2.pid")).unwrap();
    let signal = |name: &str| Command::new("kill").args([name, pid.trim()]).status().unwrap();
    assert!(signal("-STOP").success());
    let mut partner = Wire::logged_in(first_port + 2, "acme", SECRET);
    let begun = Instant::now();
    let end = partner.socket.read(&mut [0; 1]);
    let waited = begun.elapsed();
    assert!(signal("-CONT").success());
    assert_eq!(end.unwrap(), 0);
    assert!((2..8).contains(&waited.as_secs()), "{waited:?}");
}
