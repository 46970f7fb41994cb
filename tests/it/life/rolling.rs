//! Everything is restarted, one after the other, while clients work.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::installation::Installation;
use crate::support::client::{Client, Connection, Running};
use crate::support::events::{ClientError, Events};
use crate::support::kafka::{ADMIN, Cluster};
use crate::support::log;
use crate::support::wire::request;

const PATIENCE: Duration = Duration::from_secs(90);

/// What librdkafka says in its error callback, or of a commit, and gets over by itself: Kafka's retriable errors of a coordinator
/// that moves, and of connections. Whatever else a client says fails the test, and so does all that is about a record. Java says
/// nothing at all. It is the same list for those who talk to the brokers directly: nobody is promised more quiet there.
const SAID: [(&str, &str); 7] = [
    // A commit met the coordinator that had just moved, ended, or had not read the group yet; it is repeated.
    ("consume", "NOT_COORDINATOR"),
    ("consume", "COORDINATOR_NOT_AVAILABLE"),
    ("consume", "COORDINATOR_LOAD_IN_PROGRESS"),
    // Or had no answer in time.
    ("consume", "REQUEST_TIMED_OUT"),
    // All of its connections were lost at once, as when they go through one gateway and that ends; it makes new ones.
    ("consume", CONNECTION_LOST),
    ("produce", CONNECTION_LOST),
    // Asked while the coordinator of transactions, which gives producers their ids, was moving.
    ("produce", "COORDINATOR_LOAD_IN_PROGRESS"),
];
const CONNECTION_LOST: &str = "NETWORK_EXCEPTION";

/// A producer and the one member of a group, on a topic of their own.
pub(crate) struct Pair {
    client: Client,
    topic: String,
    producer: Running,
    consumer: Running,
}

impl Pair {
    pub(crate) fn start(client: Client, connection: &Connection, topic: &str) -> Self {
        let work = |command: &str, more: &[&str]| {
            let common = [command, "--topic", topic, "--until-stdin-closes", "--timeout", "60000"];
            client.start(connection, &[&common[..], more].concat())
        };
        let idempotent = ["-X", "enable.idempotence=true", "--acks", "all", "--interval", "10"];
        let producer =
            work("produce", &[&idempotent[..], &["--key", "{i}", "--value", "value-{i}"]].concat());
        let consumer = work("consume", &["--group", &format!("readers-{topic}"), "--commit"]);
        Self { client, topic: topic.to_owned(), producer, consumer }
    }

    /// Waits until more was acknowledged and read than before.
    pub(crate) fn goes_on(&mut self) {
        let (acked, read) = (self.producer.events().acked().len(), self.consumer.events().records().len());
        self.producer.wait_for(&format!("{}: more acknowledged records", self.topic), |events| {
            (events.acked().len() > acked + 5).then_some(())
        });
        self.consumer.wait_for(&format!("{}: more records", self.topic), |events| {
            (events.records().len() > read + 5).then_some(())
        });
    }

    /// Stops both and holds what they saw against what Kafka has.
    pub(crate) fn settle(mut self, cluster: &Cluster) {
        let topic = self.topic.as_str();
        let produced = self.producer.stop();
        assert_eq!(unexpected(self.client, "produce", &produced), [], "{topic}");
        // Each that was sent was acknowledged, and once.
        let acked = produced.acked();
        let numbers: BTreeSet<_> = acked.iter().map(|acked| acked.number).collect();
        assert_eq!(numbers, (0..i64::try_from(acked.len()).unwrap()).collect(), "{topic}");
        // Nothing lost, nothing twice: what Kafka has is what was acknowledged, in this order.
        let logged = log::records(cluster.bootstrap(), topic, 0, PATIENCE).unwrap();
        let number = |text: &str| text.strip_prefix("value-")?.parse().ok();
        let held = log::held(&logged, acked.len() as u64, number, (cluster.folder(), topic, 0));
        assert_eq!(held.wrong, [""; 0], "{topic}");
        let logged: BTreeMap<_, _> =
            logged.into_iter().map(|record| (record.offset, record.value.unwrap())).collect();
        for acked in &acked {
            let told = acked.offset.map(|offset| String::from_utf8_lossy(&logged[&offset]).into_owned());
            assert!(told.is_none_or(|value| value == format!("value-{}", acked.number)), "{acked:?}");
        }
        let last = *logged.keys().last().unwrap();
        // And committed, whatever was said of commits on the way.
        self.consumer.wait_for("the last record, committed", |events| {
            (events.committed().last().map(|at| at.offset) == Some(last + 1)).then_some(())
        });
        let consumed = self.consumer.stop();
        assert_eq!(unexpected(self.client, "consume", &consumed), [], "{topic}");
        let read: BTreeSet<_> =
            consumed.records().into_iter().map(|record| (record.offset, record.value.unwrap())).collect();
        assert_eq!(read, logged.into_iter().collect(), "{topic}");
    }
}

/// What is not in [`SAID`].
fn unexpected(client: Client, operation: &str, events: &Events) -> Vec<ClientError> {
    let mut errors = events.errors();
    errors.retain(|error| {
        // librdkafka's words for a connection that is gone before the login has an answer; a login refused has others.
        let lost = error.message.contains("Local: Broker transport failure");
        let kind = if lost { CONNECTION_LOST } else { &error.error };
        let said = SAID.contains(&(operation, kind));
        client != Client::Librdkafka || error.number.is_some() || !said
    });
    errors
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
    let shared = Client::ALL.map(|client| format!("of-{}", client.name()));
    let direct = Client::ALL.map(|client| format!("direct-of-{}", client.name()));
    let topics: Vec<&str> = shared.iter().chain(&direct).map(String::as_str).collect();
    for topic in &topics {
        cluster.create_topic(topic, 1);
    }
    // The same clients with the brokers themselves: what these say and lose is the measure.
    let mut installation = Installation::start(&cluster, &topics[..shared.len()]);
    let sites = [
        (installation.partner.connection(), &shared),
        (Connection::sasl(cluster.sasl_bootstrap(), "PLAIN", ADMIN.user, ADMIN.password), &direct),
    ];
    let mut pairs: Vec<Pair> = sites
        .iter()
        .flat_map(|(connection, topics)| {
            Client::ALL.into_iter().zip(*topics).map(|(client, topic)| Pair::start(client, connection, topic))
        })
        .collect();
    pairs.iter_mut().for_each(Pair::goes_on);

    for broker in 1..=3_u16 {
        // The connection of a partner who does nothing just now ends with the broker's.
        let mut idle = installation.idle(broker);
        cluster.broker(broker.into()).stop();
        assert_eq!(idle.socket.read(&mut [0; 1]).unwrap(), 0, "left open without a broker");
        cluster.broker(broker.into()).start();
        await_in_sync(&cluster, &topics);
        // Its address works again, at gateways that nobody restarted.
        let metadata_of_nothing = request(3, 1, &0_i32.to_be_bytes());
        assert!(installation.idle_soon(broker).ask(&metadata_of_nothing).is_some());
        pairs.iter_mut().for_each(Pair::goes_on);
    }
    for gateway in &mut installation.gateways {
        gateway.restart();
        pairs.iter_mut().for_each(Pair::goes_on);
    }
    for pair in pairs {
        pair.settle(&cluster);
    }
    installation.await_ready();
    a_broker_that_says_nothing_is_given_up_before_the_client_gives_up(&cluster, &installation);
}

/// Its kernel still takes connections. A client waits 10 s for one before it asks elsewhere.
fn a_broker_that_says_nothing_is_given_up_before_the_client_gives_up(
    cluster: &Cluster,
    installation: &Installation,
) {
    let pid = std::fs::read_to_string(cluster.folder().join("broker-2.pid")).unwrap();
    let signal = |name: &str| Command::new("kill").args([name, pid.trim()]).status().unwrap();
    assert!(signal("-STOP").success());
    let mut partner = installation.idle(2);
    let begun = Instant::now();
    let end = partner.socket.read(&mut [0; 1]);
    let waited = begun.elapsed();
    assert!(signal("-CONT").success());
    assert_eq!(end.unwrap(), 0);
    assert!((2..8).contains(&waited.as_secs()), "{waited:?}");
}
