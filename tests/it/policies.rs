//! Policies of records that change by a commit while clients work, and what a batch that no policy can be kept for does to the log.

use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::client::{Client, Connection, Running};
use crate::support::events::Record;
use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Product, Setup, manifest};

const OLD: i64 = 7;

/// Headers are added and removed, or the window of what may be read is as said.
struct Policy {
    marks: Option<&'static str>,
    hides: bool,
    window: bool,
}

const POLICIES: [Policy; 4] = [
    Policy { marks: Some("1"), hides: true, window: false },
    Policy { marks: Some("2"), hides: false, window: true },
    Policy { marks: None, hides: true, window: true },
    Policy { marks: None, hides: false, window: false },
];

fn file(topics: &[(&str, &str, &str)], policy: &Policy) -> String {
    let mut text = manifest("acme", topics);
    if policy.window {
        text = text.replace("permission: WRITE", "permission: WRITE\n      replay: {maxAge: 10m}");
    }
    if policy.marks.is_some() || policy.hides {
        text.push_str("  headers:\n");
    }
    if let Some(mark) = policy.marks {
        let add = format!("{{key: policy, value: \"{mark}\", overrideIfExists: true}}");
        writeln!(text, "    addOnProduce:\n      - {add}").unwrap();
    }
    if policy.hides {
        text.push_str("    removeOnConsume:\n      - keyRegex: internal\n");
    }
    text
}

/// Headers as `key=value`.
fn headers(record: &Record) -> Vec<String> {
    let text = |value: &Option<Vec<u8>>| String::from_utf8(value.clone().unwrap_or_default()).unwrap();
    record.headers.iter().map(|(key, value)| format!("{key}={}", text(value))).collect()
}

fn has(record: &Record, key: &str) -> bool {
    record.headers.iter().any(|(name, _)| name == key)
}

/// A client that writes to partition 0 of its topic and one that reads there, for as long as the test goes on. In partition 1 is what
/// is older than the window.
struct Pair {
    client: Client,
    alias: String,
    backing: String,
    writer: Running,
    reader: Running,
}

impl Pair {
    fn start(client: Client, connection: &Connection, alias: String, backing: String) -> Self {
        let read = ["assign", "--topic", &alias, "--partition", "0", "--until-stdin-closes"];
        let reader = client.start(connection, &read);
        let write = ["produce", "--topic", &alias, "--partition", "0", "--value", "{i}", "--interval", "3"];
        let more = ["--header", "internal=x", "--compression", "zstd", "--until-stdin-closes"];
        let writer = client.start(connection, &[&write[..], &more].concat());
        Self { client, alias, backing, writer, reader }
    }

    fn goes_on(&mut self) {
        let (acked, read) = (self.writer.count("acked"), self.reader.count("record"));
        self.writer.wait_for("more records", |events| (events.acked().len() >= acked + 40).then_some(()));
        self.reader.wait_for("more records", |events| (events.records().len() >= read + 40).then_some(()));
    }

    /// Requests of this moment are served as the policy says.
    fn follows(&self, connection: &Connection, direct: &Connection, policy: &Policy) {
        let Self { client, alias, backing, .. } = self;
        let write =
            ["produce", "--topic", alias, "--partition", "1", "--value", "now", "--header", "internal=x"];
        let written = client.run(connection, &write);
        assert_eq!(written.errors(), [], "{client:?}");
        let offset = written.acked()[0].offset.unwrap();
        let at = offset.to_string();
        let one = |connection: &Connection, topic: &str, from: &str| {
            let read = ["assign", "--topic", topic, "--partition", "1", "--from", from, "--max", "1"];
            let read = client.run(connection, &read);
            assert_eq!(read.errors(), [], "{client:?}");
            read.records().remove(0)
        };
        let expected =
            ["internal=x".to_owned()].into_iter().chain(policy.marks.map(|it| format!("policy={it}")));
        assert_eq!(headers(&one(direct, backing, &at)), expected.collect::<Vec<_>>(), "{client:?}");
        assert_eq!(has(&one(connection, alias, &at), "internal"), !policy.hides, "{client:?}");
        let begins = if policy.window { OLD } else { 0 };
        assert_eq!(one(connection, alias, "earliest").offset, begins, "{client:?}");
    }

    /// Nobody noticed more than the policies.
    fn settle(mut self, direct: &Connection) {
        let client = self.client;
        let written = self.writer.stop();
        assert_eq!(written.errors(), [], "{client:?}");
        let count = written.acked().len();
        self.reader.wait_for("all records", |events| (events.records().len() >= count).then_some(()));
        let read = self.reader.stop();
        assert_eq!(read.errors(), [], "{client:?}");
        let max = count.to_string();
        let all = ["assign", "--topic", &self.backing, "--partition", "0", "--max", &max];
        let (stored, seen) = (client.run(direct, &all).records(), read.records());
        let numbers: Vec<_> = (0..count).map(|number| number.to_string()).collect();
        assert_eq!(
            stored.iter().map(Record::text).collect::<Vec<_>>(),
            numbers,
            "{client:?}: in order, each once"
        );
        assert_eq!(
            seen.iter().map(Record::text).collect::<Vec<_>>(),
            numbers,
            "{client:?}: in order, each once"
        );
        let mut marks: Vec<_> = stored.iter().map(|record| headers(record)[1..].to_vec()).collect();
        marks.dedup();
        assert_eq!(
            marks,
            [vec![], vec!["policy=1".to_owned()], vec!["policy=2".to_owned()], vec![]],
            "{client:?}"
        );
        let mut shown: Vec<_> = seen.iter().map(|record| has(record, "internal")).collect();
        shown.dedup();
        assert_eq!(shown, [true, false, true, false, true], "{client:?}: each from a moment on");
    }
}

#[test]
fn a_commit_changes_policies_under_load_and_no_client_sees_an_error() {
    let cluster = Cluster::shared();
    let direct = Connection::plaintext(cluster.bootstrap());
    let names = Client::ALL.map(|client| (format!("orders-{}", client.name()), unique("backing")));
    let hour_ago = (SystemTime::now() - Duration::from_hours(1)).duration_since(UNIX_EPOCH).unwrap();
    let (then, old) = (hour_ago.as_millis().to_string(), OLD.to_string());
    for (_, backing) in &names {
        cluster.create_topic(backing, 2);
        let write =
            ["produce", "--topic", backing, "--partition", "1", "--count", &old, "--timestamp", &then];
        assert_eq!(Client::Librdkafka.run(&direct, &write).errors(), []);
    }
    let topics: Vec<_> = names.iter().map(|(alias, backing)| (&**alias, &**backing, "WRITE")).collect();
    let none = Policy { marks: None, hides: false, window: false };
    let product = Product::start(cluster, Setup::MEMORY, &[("acme.yaml", &file(&topics, &none))]);
    product.wait_for_status("acme", "READY");
    let connection = product.partner("acme").connection();
    let mut pairs: Vec<_> = Client::ALL
        .into_iter()
        .zip(names.clone())
        .map(|(client, (alias, backing))| Pair::start(client, &connection, alias, backing))
        .collect();
    pairs.iter_mut().for_each(Pair::goes_on);
    for (step, policy) in POLICIES.iter().enumerate() {
        product.commit(&format!("Step {step}"), &[("acme.yaml", Some(&file(&topics, policy)))]);
        product.wait_for_zone("acme", |zone| {
            zone.is_some_and(|zone| {
                let (headers, topic) = (&zone["spec"]["headers"], &zone["spec"]["topics"][0]);
                let mark = headers["addOnProduce"][0]["value"].as_str();
                zone["status"]["phase"] == "READY"
                    && mark == policy.marks
                    && headers["removeOnConsume"][0].is_object() == policy.hides
                    && topic.get("replay").is_some() == policy.window
            })
        });
        for pair in &mut pairs {
            pair.follows(&connection, &direct, policy);
            pair.goes_on();
        }
    }
    for pair in pairs {
        pair.settle(&direct);
    }
}

/// Zeros that become 40 MB, which nobody decompresses here.
#[test]
fn a_batch_that_cannot_be_read_is_in_the_log_once_however_often_it_is_asked_for() {
    let cluster = Cluster::shared();
    let backing = unique("backing");
    cluster.create_topic(&backing, 1);
    let direct = Connection::plaintext(cluster.bootstrap());
    let write = ["produce", "--topic", &backing, "--partition", "0", "--value", "v", "--size", "40000000"];
    let large = ["--compression", "zstd", "-X", "message.max.bytes=100000000"];
    assert_eq!(Client::Librdkafka.run(&direct, &[&write[..], &large].concat()).errors(), []);
    let policy = Policy { marks: None, hides: true, window: false };
    let zone = file(&[("orders", &backing, "WRITE")], &policy);
    let product = Product::start(cluster, Setup::MEMORY, &[("acme.yaml", &zone)]);
    product.wait_for_status("acme", "READY");
    let connection = product.partner("acme").connection();
    let read = ["assign", "--topic", "orders", "--partition", "0", "--until-stdin-closes"];
    let readers = Client::ALL.map(|client| client.start(&connection, &read));
    let refused = || {
        let name = "gateway_refused_records_total{direction=\"down\",reason=\"too_large\"} ";
        let metrics = product.metrics();
        metrics.lines().find_map(|line| line.strip_prefix(name)).map_or(0, |count| count.parse().unwrap())
    };
    let begun = Instant::now();
    while refused() < 10 {
        assert!(begun.elapsed() < Duration::from_mins(1), "asked for {} times", refused());
        std::thread::sleep(Duration::from_millis(100));
    }
    for reader in readers {
        assert_eq!(reader.stop().records(), []);
    }
    let log = product.transcript();
    let said: Vec<_> = log.lines().filter(|line| line.contains("a batch cannot be read")).collect();
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("acme") && said[0].contains(&backing), "{}", said[0]);
}
