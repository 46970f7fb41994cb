//! Traffic control on real Kafka, measured where it counts: at clients that nobody here wrote.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "figures of tests are small")]

mod commits;
mod connections;
mod nodes;
mod processes;
mod requests;

use std::thread::sleep;
use std::time::{Duration, Instant};

use partner_zones::policy::ServedZone;
use partner_zones::zone::TrafficControl;

use crate::support::client::{Client, Connection, Running};
use crate::support::gateway::{InProcess, zone};
use crate::support::kafka::{Cluster, unique};

/// The value of a record in these tests. What is around it on the wire is less than two per cent.
const RECORD: usize = 10_000;

fn no_limit() -> TrafficControl {
    TrafficControl::default()
}

/// A zone that shares one topic as `orders`.
fn limited(name: &str, backing: &str, limits: TrafficControl) -> ServedZone {
    let mut zone = zone(name, &[("orders", backing, "WRITE")]);
    std::sync::Arc::make_mut(&mut zone.zone).traffic_control = limits;
    zone
}

/// Bytes per second that a client shows of its records, over this time from now: from one step to the last one, since large frames
/// come in steps.
fn rate(client: &Running, kind: &str, over: Duration) -> f64 {
    let (begun, mut last) = (Instant::now(), client.count(kind));
    let (mut from, mut to) = (None, None);
    while begun.elapsed() < over {
        sleep(Duration::from_millis(20));
        let count = client.count(kind);
        if count > last {
            last = count;
            to = Some((Instant::now(), count));
            from = from.or(to);
        }
    }
    let (Some((from, first)), Some((to, last))) = (from, to) else { return 0.0 };
    (last - first) as f64 * RECORD as f64 / to.duration_since(from).as_secs_f64()
}

/// Waits for the first event of a kind, and until what may come at once has come.
fn settle(client: &mut Running, kind: &'static str) {
    let first = |events: &crate::support::events::Events| match kind {
        "record" => events.records().first().map(|_| ()),
        _ => events.acked().first().map(|_| ()),
    };
    client.wait_for(kind, first);
    sleep(Duration::from_secs(2));
}

/// Both clients' batches: some hundred KB at most, where librdkafka would send a MB at once.
const BATCH: [&str; 2] = ["-X", "batch.size=100000"];

fn produce(client: Client, connection: &Connection, more: &[&str]) -> Running {
    let size = RECORD.to_string();
    let common = ["produce", "--topic", "orders", "--size", &size, "--key", "{i}", "--timeout", "100000"];
    client.start(connection, &[&common, &BATCH[..], more].concat())
}

/// An endless producer, with as many records as it may.
fn flood(client: Client, connection: &Connection) -> Running {
    produce(client, connection, &["--count", "100000"])
}

fn assert_near(what: &str, measured: f64, limit: f64, within: std::ops::Range<f64>) {
    let ratio = measured / limit;
    eprintln!("{what}: {ratio:.3} of the limit");
    assert!(within.contains(&ratio), "{what}: {measured:.0} is {ratio:.3} of {limit:.0}");
}

#[test]
fn a_producer_gets_its_limit_loses_and_doubles_nothing_and_slows_nobody_else() {
    const LIMIT: f64 = 300_000.0;
    const COUNT: usize = 400;
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let limits = TrafficControl { max_produce_rate: Some(300_000), ..no_limit() };
    let zones = Client::ALL.map(|client| (client, unique("limited"), unique("free")));
    let mut all = Vec::new();
    for (client, slow, free) in &zones {
        for (name, backing, limits) in [("limited", slow, limits), ("free", free, no_limit())] {
            cluster.create_topic(backing, 1);
            all.push(limited(&format!("{name}-{}", client.name()), backing, limits));
        }
    }
    gateway.serve(all);
    let direct = Connection::plaintext(cluster.bootstrap());
    std::thread::scope(|scope| {
        for (client, slow, _) in &zones {
            let (gateway, direct) = (&gateway, &direct);
            scope.spawn(move || {
                let count = COUNT.to_string();
                let at = |zone: &str| gateway.connection(&format!("{zone}-{}", client.name()));
                // Idempotent, with several requests under way.
                let mut held = produce(*client, &at("limited"), &["--count", &count]);
                settle(&mut held, "acked");
                let begun = Instant::now();
                let mut free = produce(*client, &at("free"), &["--count", &count]);
                free.wait_for("all records", |events| (events.acked().len() == COUNT).then_some(()));
                eprintln!("{client:?}, without a limit: {:?}", begun.elapsed());
                assert!(begun.elapsed() < Duration::from_secs(10), "the neighbour is slowed");
                let measured = rate(&held, "acked", Duration::from_secs(6));
                assert_near(&format!("{client:?}, produce"), measured, LIMIT, 0.7..1.25);
                let events = held.finish();
                assert_eq!(events.errors(), [], "{client:?}");
                let mut offsets: Vec<_> = events.acked().iter().map(|acked| acked.offset).collect();
                offsets.sort_unstable();
                assert_eq!(offsets, (0..COUNT as i64).map(Some).collect::<Vec<_>>(), "{client:?}");
                let read = ["assign", "--topic", slow, "--partition", "0", "--max", &count];
                let read = client.run(direct, &read).records();
                let keys: Vec<_> = read.iter().map(|record| record.key.clone().unwrap()).collect();
                let sent: Vec<_> = (0..COUNT).map(|i| i.to_string().into_bytes()).collect();
                assert_eq!(keys, sent, "{client:?}: in order, each once");
            });
        }
    });
    assert!(gateway.counter("gateway_throttled_total{limit=\"produce\"}") > 0);
    assert_eq!(gateway.counter("gateway_throttled_total{limit=\"consume\"}"), 0);
}

#[test]
fn a_consumer_gets_its_limit_and_a_changed_limit_counts_from_the_next_request_on() {
    let cluster = Cluster::shared();
    let backing = unique("limited");
    cluster.create_topic(&backing, 1);
    let direct = Connection::plaintext(cluster.bootstrap());
    let size = RECORD.to_string();
    let produce = ["produce", "--topic", &backing, "--size", &size, "--count", "2500", "--acks", "1"];
    Client::Librdkafka.run(&direct, &[&produce[..], &BATCH].concat());
    for client in Client::ALL {
        let gateway = InProcess::start(cluster);
        let serve = |rate| {
            let limits = TrafficControl { max_consume_rate: rate, ..no_limit() };
            gateway.serve([limited("acme", &backing, limits)]);
        };
        serve(Some(300_000));
        let read =
            ["assign", "--topic", "orders", "--partition", "0", "--max", "2500", "--timeout", "100000"];
        let mut reader = client.start(&gateway.connection("acme"), &read);
        settle(&mut reader, "record");
        let measured = rate(&reader, "record", Duration::from_secs(10));
        assert_near(&format!("{client:?}, consume"), measured, 300_000.0, 0.7..1.25);
        serve(Some(900_000));
        sleep(Duration::from_secs(2));
        let measured = rate(&reader, "record", Duration::from_secs(8));
        assert_near(&format!("{client:?}, consume more"), measured, 900_000.0, 0.7..1.25);
        let begun = Instant::now();
        serve(None);
        let events = reader.finish();
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        assert_eq!(events.errors(), []);
        let offsets: Vec<_> = events.records().iter().map(|record| record.offset).collect();
        assert_eq!(offsets, (0..2500).collect::<Vec<_>>(), "{client:?}: in order, each once");
    }
}

#[test]
fn transactions_under_a_limit_are_committed_and_aborted_as_without_one() {
    let cluster = Cluster::shared();
    for client in Client::ALL {
        let gateway = InProcess::start(cluster);
        let (backing, id) = (unique("limited"), unique("billing"));
        cluster.create_topic(&backing, 1);
        let limits = TrafficControl { max_produce_rate: Some(100_000), ..no_limit() };
        gateway.serve([limited("acme", &backing, limits)]);
        let value = format!("{{end}} {{i}}{}", ".".repeat(90_000));
        let transact = ["transact", "--transactional-id", &id, "--topic", "orders", "--partition", "0"];
        let ends = ["--ends", "commit,abort,commit", "--count", "2", "--value", &value, "--timeout", "60000"];
        let begun = Instant::now();
        let written = client.run(&gateway.connection("acme"), &[&transact[..], &ends].concat());
        assert_eq!(written.errors(), [], "{client:?}");
        assert!(begun.elapsed() > Duration::from_secs(3), "540 KB in {:?}", begun.elapsed());
        let read = ["assign", "--topic", &backing, "--partition", "0", "--max", "4", "--isolation"];
        let direct = Connection::plaintext(cluster.bootstrap());
        let read = client.run(&direct, &[&read[..], &["read_committed"]].concat());
        let texts: Vec<_> =
            read.records().iter().map(|record| record.text().trim_end_matches('.').to_owned()).collect();
        assert_eq!(texts, ["commit 0", "commit 1", "commit 0", "commit 1"], "{client:?}");
    }
}

#[test]
fn a_client_beyond_the_connections_of_its_zone_waits_for_one_and_gets_it() {
    let cluster = Cluster::shared();
    for client in Client::ALL {
        let gateway = InProcess::start(cluster);
        let backing = unique("limited");
        cluster.create_topic(&backing, 1);
        // A client has one connection to start from and one to its topic's broker, and perhaps another.
        let serve = |most| {
            let limits = TrafficControl { max_connections: most, ..no_limit() };
            gateway.serve([limited("acme", &backing, limits)]);
        };
        serve(Some(3));
        let connection = gateway.connection("acme");
        let endless = ["produce", "--topic", "orders", "--value", "v", "--until-stdin-closes"];
        let mut first = client.start(&connection, &endless);
        first.wait_for("a record", |events| events.acked().first().map(|_| ()));
        let others: Vec<_> = (0..3).map(|_| client.start(&connection, &endless)).collect();
        for _ in 0..200 {
            sleep(Duration::from_millis(100));
            // One that is about to be turned away is open for a moment.
            let turned_away = gateway.counter("gateway_closed_total{reason=\"connection_limit\"}");
            if turned_away > 3 {
                break;
            }
        }
        assert!(gateway.counter("gateway_closed_total{reason=\"connection_limit\"}") > 3, "{client:?}");
        let so_far = first.count("acked");
        first.wait_for("more records", |events| (events.acked().len() > so_far + 20).then_some(()));
        serve(None);
        for mut other in others {
            other.wait_for("a record", |events| events.acked().first().map(|_| ()));
            other.stop();
        }
        assert_eq!(first.stop().errors(), [], "{client:?}");
    }
}
