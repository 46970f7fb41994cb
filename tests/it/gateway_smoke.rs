//! The gateway alone in front of real Kafka: real clients do through it what they do with Kafka itself, and nothing more.

use std::time::{Duration, Instant};

use crate::support::client::{Client, Connection};
use crate::support::gateway::{InProcess, zone};
use crate::support::kafka::{Cluster, unique};
use crate::support::scenarios::{self, Protocol, Site};

/// Runs `check` for each client through a gateway of its own, with an alias of a fresh topic of six partitions.
fn with_each_client(check: impl Fn(Site<'_>)) {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    for client in Client::ALL {
        let backing = unique("backing");
        cluster.create_topic(&backing, 6);
        assert_eq!(gateway.serve([zone("acme", &[("orders", &backing, "WRITE")])]), [].into());
        check(Site { client, connection: &gateway.connection("acme"), topic: "orders" });
    }
}

#[test]
fn records_arrive_unchanged_with_every_codec_and_acknowledgement() {
    with_each_client(scenarios::records_arrive_unchanged);
}

#[test]
fn nulls_stay_nulls() {
    with_each_client(scenarios::nulls_stay_nulls);
}

#[test]
fn members_join_and_leave_an_eager_group() {
    with_each_client(|site| scenarios::members_join_and_leave(site, Protocol::Eager, &unique("group"), 6));
}

#[test]
fn members_join_and_leave_a_cooperative_group() {
    with_each_client(|site| {
        scenarios::members_join_and_leave(site, Protocol::Cooperative, &unique("group"), 6);
    });
}

#[test]
fn a_group_goes_on_where_it_stopped_over_a_restart_of_the_gateway() {
    let cluster = Cluster::shared();
    for client in Client::ALL {
        let mut gateway = InProcess::start(cluster);
        let backing = unique("backing");
        cluster.create_topic(&backing, 6);
        gateway.serve([zone("acme", &[("orders", &backing, "WRITE")])]);
        let connection = gateway.connection("acme");
        let site = Site { client, connection: &connection, topic: "orders" };
        scenarios::a_group_goes_on_where_it_stopped(site, &unique("group"), || gateway.restart());
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
fn aliases_swapped_with_each_other_go_where_they_should() {
    let cluster = Cluster::shared();
    for client in Client::ALL {
        let (a, b) = (unique("a"), unique("b"));
        cluster.create_topic(&a, 1);
        cluster.create_topic(&b, 1);
        let gateway = InProcess::start(cluster);
        gateway.serve([zone("acme", &[(&a, &b, "WRITE"), (&b, &a, "WRITE")])]);
        let through = gateway.connection("acme");
        let direct = Connection::plaintext(cluster.bootstrap());
        client.run(&through, &["produce", "--topic", &a, "--value", "to alias a"]);
        client.run(&through, &["produce", "--topic", &b, "--value", "to alias b"]);
        for (connection, topic, text) in [
            (&through, &a, "to alias a"),
            (&through, &b, "to alias b"),
            (&direct, &b, "to alias a"),
            (&direct, &a, "to alias b"),
        ] {
            let read =
                client.run(connection, &["assign", "--topic", topic, "--partition", "0", "--max", "1"]);
            assert_eq!(read.errors(), []);
            assert_eq!(read.records()[0].text(), text);
            assert_eq!(read.records()[0].topic, *topic);
        }
    }
}

#[test]
fn a_wrong_secret_is_refused_as_kafka_refuses_it() {
    let gateway = InProcess::start(Cluster::shared());
    gateway.serve([zone("acme", &[])]);
    for client in Client::ALL {
        let wrong = Connection::sasl(&gateway.bootstrap(), "PLAIN", "acme", "wrong");
        let events = client.run(&wrong, &["list-topics", "--timeout", "5000"]);
        let errors: Vec<_> = events.errors().into_iter().map(|error| error.error).collect();
        assert!(errors.contains(&"SASL_AUTHENTICATION_FAILED".to_owned()), "{errors:?}");
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
