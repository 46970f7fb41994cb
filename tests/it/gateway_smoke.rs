//! The gateway alone in front of real Kafka: real clients do through it what they do with Kafka itself, and nothing more.

use std::time::{Duration, Instant};

use crate::support::client::{Client, Connection};
use crate::support::gateway::{InProcess, zone};
use crate::support::kafka::{Cluster, unique};
use crate::support::scenarios::{self, Site};

/// Records near the largest that a topic takes: their frames are passed on in pieces in both directions.
#[test]
fn large_records_arrive_whole_by_name_and_by_id() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    for client in Client::ALL {
        let backing = unique("backing");
        cluster.create_topic(&backing, 1);
        gateway.serve([zone("acme", &[("orders", &backing, "WRITE"), ("closed", &backing, "READ")])]);
        let connection = gateway.connection("acme");
        let produced = client.run(
            &connection,
            &[
                "produce",
                "--topic",
                "orders",
                "--count",
                "40",
                "--value",
                "{acks}/{i} ",
                "--size",
                "900000",
                "--acks",
                "1,all,0",
            ],
        );
        assert_eq!((produced.acked().len(), produced.errors()), (120, vec![]));
        let arguments = ["assign", "--topic", "orders", "--partition", "0", "--max", "120"];
        for connection in [&connection, &Connection::plaintext(cluster.bootstrap())] {
            let topic = if connection.login.is_some() { "orders" } else { &backing };
            let arguments = arguments.map(|argument| if argument == "orders" { topic } else { argument });
            let records = client.run(connection, &arguments).records();
            assert_eq!(records.len(), 120);
            for (number, record) in records.iter().enumerate() {
                let acks = ["1", "all", "0"][number / 40];
                assert_eq!(record.value.as_ref().unwrap().len(), 900_000);
                assert!(record.text().starts_with(&format!("{acks}/{} ", number % 40)), "record {number}");
            }
        }
        let refused =
            client.run(&connection, &["produce", "--topic", "closed", "--value", "x", "--size", "900000"]);
        let errors: Vec<_> = refused.errors().into_iter().map(|error| error.error).collect();
        assert_eq!((errors, refused.acked()), (vec!["TOPIC_AUTHORIZATION_FAILED".to_owned()], vec![]));
    }
}

#[test]
fn a_zone_shows_its_aliases_and_the_gateways_addresses_only() {
    let cluster = Cluster::shared();
    let (one, two) = (unique("one"), unique("two"));
    cluster.create_topic(&one, 1);
    cluster.create_topic(&two, 1);
    let gateway = InProcess::start(cluster);
    gateway.serve([zone("acme", &[("a", &one, "READ"), ("b", &two, "WRITE")]), zone("empty", &[])]);
    for client in Client::ALL {
        scenarios::listings_show_exactly(client, &gateway.connection("acme"), &["a", "b"]);
        scenarios::listings_show_exactly(client, &gateway.connection("empty"), &[]);
        let addresses = scenarios::node_addresses(client, &gateway.connection("acme"));
        assert_eq!(addresses, [1, 2, 3].map(|id| gateway.broker_address(id)));
    }
}

#[test]
fn permissions_hold_and_what_is_not_shared_looks_like_what_does_not_exist() {
    let cluster = Cluster::shared();
    let (readable, writable, hidden) = (unique("readable"), unique("writable"), unique("hidden"));
    for topic in [&readable, &writable, &hidden] {
        cluster.create_topic(topic, 1);
    }
    let gateway = InProcess::start(cluster);
    gateway.serve([zone("acme", &[("in", &readable, "READ"), ("out", &writable, "PRODUCE")])]);
    let connection = gateway.connection("acme");
    for client in Client::ALL {
        let site = |topic| Site { client, connection: &connection, topic };
        scenarios::produce_is_refused(site("in"), "TOPIC_AUTHORIZATION_FAILED");
        scenarios::consume_is_refused(site("out"), &unique("group"), "TOPIC_AUTHORIZATION_FAILED");
        scenarios::topics_look_the_same(client, &connection, &hidden, "not-even-there");
        scenarios::topics_look_the_same(client, &connection, &readable, "not-even-there");
    }
}

#[test]
fn a_zone_that_is_gone_cuts_its_clients_and_another_zone_does_not_notice() {
    let cluster = Cluster::shared();
    let topic = unique("topic");
    cluster.create_topic(&topic, 1);
    let gateway = InProcess::start(cluster);
    let (gone, stays) = (zone("gone", &[("t", &topic, "WRITE")]), zone("stays", &[("t", &topic, "WRITE")]));
    gateway.serve([gone, stays.clone()]);
    let start = |zone: &str| {
        let arguments =
            ["produce", "--topic", "t", "--interval", "50", "--until-stdin-closes", "--timeout", "3000"];
        Client::Librdkafka.start(&gateway.connection(zone), &arguments)
    };
    let (mut cut, mut left_alone) = (start("gone"), start("stays"));
    for running in [&mut cut, &mut left_alone] {
        running.wait_for("a record", |events| events.acked().first().map(|_| ()));
    }
    let before = gateway.open_connections();
    gateway.serve([stays]);
    let deadline = Instant::now() + Duration::from_secs(1);
    while gateway.open_connections() >= before {
        assert!(Instant::now() < deadline, "the connections are still open");
        std::thread::sleep(Duration::from_millis(10));
    }
    cut.wait_for("an error", |events| events.errors().first().map(|_| ()));
    let so_far = left_alone.events().acked().len();
    left_alone.wait_for("more records", |events| (events.acked().len() > so_far + 10).then_some(()));
    assert_eq!(left_alone.stop().errors(), []);
    cut.kill();
}

#[test]
fn a_missing_backing_topic_is_told_and_served_as_soon_as_it_is_there() {
    let cluster = Cluster::shared();
    let (there, later) = (unique("there"), unique("later"));
    cluster.create_topic(&there, 1);
    let gateway = InProcess::start(cluster);
    let zones = || [zone("acme", &[("a", &there, "WRITE"), ("b", &later, "WRITE")])];
    let problems = gateway.serve(zones());
    assert!(problems["acme"].contains(&later) && !problems["acme"].contains(&there), "{problems:?}");
    let connection = gateway.connection("acme");
    let produced = Client::Librdkafka.run(&connection, &["produce", "--topic", "a", "--value", "x"]);
    assert_eq!((produced.acked().len(), produced.errors()), (1, vec![]));
    cluster.create_topic(&later, 1);
    let produced = Client::Java.run(&connection, &["produce", "--topic", "b", "--value", "x"]);
    assert_eq!((produced.acked().len(), produced.errors()), (1, vec![]));
    let deadline = Instant::now() + Duration::from_secs(10);
    while !gateway.serve(zones()).is_empty() {
        assert!(Instant::now() < deadline, "still a problem");
    }
}

#[test]
fn the_gateway_logs_in_to_brokers_that_want_it() {
    let cluster = Cluster::shared();
    let topic = unique("topic");
    cluster.create_topic(&topic, 1);
    let grant = |arguments: &[&str]| {
        let principal = ["--add", "--allow-principal", "User:gateway", "--force"];
        cluster.tool("org.apache.kafka.tools.AclCommand", &[&principal[..], arguments].concat());
    };
    grant(&["--operation", "Read", "--operation", "Write", "--operation", "Describe", "--topic", &topic]);
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let gateway = InProcess::start_with_login(cluster, mechanism);
        assert_eq!(gateway.serve([zone("acme", &[("orders", &topic, "WRITE")])]), [].into());
        let connection = gateway.connection("acme");
        let produced =
            Client::Librdkafka.run(&connection, &["produce", "--topic", "orders", "--value", mechanism]);
        assert_eq!((produced.acked().len(), produced.errors()), (1, vec![]), "{mechanism}");
    }
}
