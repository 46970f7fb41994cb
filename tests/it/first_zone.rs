//! The product end to end: Git → plan → gateway → clients that nobody here wrote, on three real brokers.
//!
//! Each test has a product of its own; the brokers are shared where nothing is stopped. So are the groups of zones with the
//! same name: group names are unique.

use crate::support::client::{Client, Connection};
use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Partner, Product, Setup, manifest};
use crate::support::scenarios::{self, Protocol, Site};

/// The partner of a new zone of a product of its own.
struct Zone {
    product: Product,
    partner: Partner,
}

/// Starts a product with one zone that shares each backing topic (made here, six partitions) under its alias.
fn zone(name: &str, topics: &[(&str, &str, &str)]) -> Zone {
    let cluster = Cluster::shared();
    for (_, backing, _) in topics {
        cluster.create_topic(backing, 6);
    }
    let product = Product::start(cluster, Setup::MEMORY, &[("zone.yaml", &manifest(name, topics))]);
    product.wait_for_status(name, "READY");
    let partner = product.partner(name);
    Zone { product, partner }
}

/// Runs `check` for each client on the alias `orders` of a zone with WRITE, on a fresh backing topic.
fn with_each_client(check: impl Fn(Site<'_>)) {
    for client in Client::ALL {
        let zone = zone("acme", &[("orders", &unique("sales.orders"), "WRITE")]);
        let connection = zone.partner.connection();
        check(Site { client, connection: &connection, topic: "orders" });
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
    with_each_client(|site| scenarios::members_join_and_leave(site, Protocol::Eager, &unique("readers"), 6));
}

#[test]
fn members_join_and_leave_a_cooperative_group() {
    with_each_client(|site| {
        scenarios::members_join_and_leave(site, Protocol::Cooperative, &unique("readers"), 6);
    });
}

#[test]
fn committed_offsets_survive_a_restart_of_gateway_and_client() {
    for client in Client::ALL {
        let cluster = Cluster::private(1);
        cluster.create_topic("sales.orders", 6);
        let text = manifest("acme", &[("orders", "sales.orders", "WRITE")]);
        // The store is Kafka: credentials must survive as well.
        let mut product = Product::start(&cluster, Setup::KAFKA, &[("acme.yaml", &text)]);
        product.wait_for_status("acme", "READY");
        let connection = product.partner("acme").connection();
        let site = Site { client, connection: &connection, topic: "orders" };
        scenarios::a_group_goes_on_where_it_stopped(site, "readers", || {
            product.restart();
            product.wait_for_status("acme", "READY");
        });
    }
}

#[test]
fn listings_show_aliases_only_and_addresses_are_the_gateways() {
    let backing = unique("sales.orders");
    let zone =
        zone("acme", &[("orders", &backing, "READ"), ("invoices", &unique("sales.invoices"), "PRODUCE")]);
    let connection = zone.partner.connection();
    for client in Client::ALL {
        scenarios::listings_show_exactly(client, &connection, &["invoices", "orders"]);
        let wanted: Vec<String> = (1..=3).map(|id| format!("127.0.0.1:{}", zone.product.port + id)).collect();
        let mut addresses = scenarios::node_addresses(client, &connection);
        addresses.sort();
        assert_eq!(addresses, wanted, "{client:?}");
    }
}

#[test]
fn permissions_are_kept() {
    let zone = zone(
        "acme",
        &[("readable", &unique("readable"), "READ"), ("writable", &unique("writable"), "PRODUCE")],
    );
    let connection = zone.partner.connection();
    for client in Client::ALL {
        let on = |topic| Site { client, connection: &connection, topic };
        scenarios::produce_is_refused(on("readable"), "TOPIC_AUTHORIZATION_FAILED");
        scenarios::consume_is_refused(on("writable"), &unique("readers"), "TOPIC_AUTHORIZATION_FAILED");
    }
}

#[test]
fn unknown_and_forbidden_topics_look_the_same() {
    let hidden = unique("hidden");
    Cluster::shared().create_topic(&hidden, 1);
    let zone = zone("acme", &[("orders", &unique("orders"), "WRITE")]);
    let connection = zone.partner.connection();
    for client in Client::ALL {
        scenarios::topics_look_the_same(client, &connection, &hidden, &unique("nowhere"));
    }
}

/// Produces one record under an alias and reads it straight from the backing topic.
fn produced_under_goes_to(client: Client, connection: &Connection, alias: &str, backing: &str) {
    let value = unique("value");
    let produced =
        client.run(connection, &["produce", "--topic", alias, "--partition", "0", "--value", &value]);
    assert_eq!((produced.acked().len(), produced.errors()), (1, vec![]));
    let direct = Connection::plaintext(Cluster::shared().bootstrap());
    let offset = produced.acked()[0].at().to_string();
    let read = |connection: &Connection, topic: &str| {
        client
            .run(
                connection,
                &["assign", "--topic", topic, "--partition", "0", "--from", &offset, "--max", "1"],
            )
            .records()
            .first()
            .map(|record| (record.topic.clone(), record.text()))
    };
    assert_eq!(read(&direct, backing), Some((backing.to_owned(), value.clone())));
    assert_eq!(read(connection, alias), Some((alias.to_owned(), value)));
}

#[test]
fn swapped_aliases_and_an_alias_named_like_an_unshared_topic_go_where_they_should() {
    let (a, b, shared, unshared) = (unique("a"), unique("b"), unique("shared"), unique("unshared"));
    Cluster::shared().create_topic(&unshared, 6);
    let zone = zone("acme", &[(&a, &b, "WRITE"), (&b, &a, "WRITE"), (&unshared, &shared, "WRITE")]);
    let connection = zone.partner.connection();
    for client in Client::ALL {
        produced_under_goes_to(client, &connection, &a, &b);
        produced_under_goes_to(client, &connection, &b, &a);
        produced_under_goes_to(client, &connection, &unshared, &shared);
        // A group sees the same: the names inside its protocol are mapped too.
        let group = unique("group");
        let read = client.run(&connection, &["consume", "--topic", &a, "--group", &group, "--max", "1"]);
        assert_eq!(read.records().first().map(|record| record.topic.clone()), Some(a.clone()));
    }
}

#[test]
fn the_published_document_works_as_it_stands() {
    let cluster = Cluster::shared();
    cluster.create_topic("kafka-topic-a", 3);
    let seed = include_str!("../manifests/valid/seed.yaml");
    let product = Product::start(cluster, Setup::MEMORY, &[("seed.yaml", seed)]);
    product.wait_for_status("external-partner-zone", "READY");
    let connection = product.partner("external-partner-zone").connection();
    for client in Client::ALL {
        let value = unique("value");
        let produced = client
            .run(&connection, &["produce", "--topic", "topic-a", "--partition", "0", "--value", &value]);
        assert_eq!((produced.acked().len(), produced.errors()), (1, vec![]));
        let offset = produced.acked()[0].at().to_string();
        let arguments = ["assign", "--topic", "topic-b", "--partition", "0", "--from", &offset, "--max", "1"];
        let read = client.run(&connection, &arguments);
        assert_eq!(
            read.records().first().map(|record| (record.topic.as_str(), record.text())),
            Some(("topic-b", value))
        );
        // The READ alias of the same topic still refuses.
        scenarios::produce_is_refused(
            Site { client, connection: &connection, topic: "topic-b" },
            "TOPIC_AUTHORIZATION_FAILED",
        );
    }
}

#[test]
fn the_providers_own_tools_see_real_topics_and_lag() {
    let backing = unique("sales.orders");
    let zone = zone("acme", &[("orders", &backing, "WRITE")]);
    let connection = zone.partner.connection();
    let group = unique("readers");
    let site = Site { client: Client::Java, connection: &connection, topic: "orders" };
    scenarios::a_group_goes_on_where_it_stopped(site, &group, || {
        let cluster = Cluster::shared();
        let described = cluster.tool(
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            &["--describe", "--group", &format!("acme:{group}")],
        );
        let line =
            described.lines().find(|line| line.contains(&backing)).unwrap_or_else(|| panic!("{described}"));
        // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG
        let columns: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(columns[..6], [&format!("acme:{group}"), &backing, "0", "4", "10", "6"], "{described}");
    });
}

/// The zone of the tests that change it while clients are connected.
fn changing() -> (Zone, [String; 2]) {
    let backing = [unique("first"), unique("second")];
    let zone = zone("acme", &[("one", &backing[0], "WRITE"), ("two", &backing[1], "WRITE")]);
    (zone, backing)
}

#[test]
fn a_commit_that_adds_a_zone_is_live_without_a_restart() {
    let (zone, _) = changing();
    let backing = unique("late");
    Cluster::shared().create_topic(&backing, 1);
    let text = manifest("late", &[("orders", &backing, "WRITE")]);
    zone.product.commit("Add a partner", &[("late.yaml", Some(&text))]);
    zone.product.wait_for_status("late", "READY");
    let connection = zone.product.partner("late").connection();
    for client in Client::ALL {
        produced_under_goes_to(client, &connection, "orders", &backing);
    }
}

#[test]
fn a_renamed_alias_and_a_dropped_topic_take_effect_on_connected_clients() {
    for client in Client::ALL {
        let (zone, backing) = changing();
        let connection = zone.partner.connection();
        let mut producer = client.start(
            &connection,
            &["produce", "--topic", "two", "--value", "{i}", "--interval", "50", "--until-stdin-closes"],
        );
        producer.wait_for("records", |events| (events.acked().len() > 5).then_some(()));
        // `one` becomes `uno`; `two` is no longer shared.
        let text = manifest("acme", &[("uno", &backing[0], "WRITE")]);
        let revision = zone.product.commit("Rename one topic, drop another", &[("zone.yaml", Some(&text))]);
        zone.product.wait_for_zone("acme", |zone| {
            zone.is_some_and(|zone| {
                zone["status"]["phase"] == "READY"
                    && zone["status"]["revision"].as_str().is_some_and(|served| served.ends_with(&revision))
            })
        });
        producer.wait_for("a refusal", |events| {
            events.errors().iter().any(|error| error.error == "TOPIC_AUTHORIZATION_FAILED").then_some(())
        });
        producer.kill();
        scenarios::listings_show_exactly(client, &connection, &["uno"]);
        produced_under_goes_to(client, &connection, "uno", &backing[0]);
    }
}

#[test]
fn an_invalid_commit_changes_nothing_for_its_zone_and_is_reported() {
    let (zone, backing) = changing();
    let broken = manifest("acme", &[("one", &backing[0], "write")]);
    let other = unique("other");
    Cluster::shared().create_topic(&other, 1);
    let good = manifest("good", &[("orders", &other, "READ")]);
    zone.product
        .commit("Break one zone, add another", &[("zone.yaml", Some(&broken)), ("good.yaml", Some(&good))]);
    // The other zone of the same commit goes ahead.
    zone.product.wait_for_status("good", "READY");
    let shown = zone.product.wait_for_zone("acme", |zone| {
        zone.is_some_and(|zone| zone["status"].to_string().contains("zones/zone.yaml"))
    });
    assert_eq!(shown.unwrap()["spec"]["topics"].as_array().map(Vec::len), Some(2));
    let connection = zone.partner.connection();
    scenarios::listings_show_exactly(Client::Librdkafka, &connection, &["one", "two"]);
    produced_under_goes_to(Client::Librdkafka, &connection, "two", &backing[1]);
}

#[test]
fn a_deleted_zone_cuts_its_connections() {
    let (zone, _) = changing();
    let keep = unique("keep");
    Cluster::shared().create_topic(&keep, 1);
    let text = manifest("keep", &[("orders", &keep, "READ")]);
    zone.product.commit("Add a zone that stays", &[("keep.yaml", Some(&text))]);
    zone.product.wait_for_status("keep", "READY");
    let connection = zone.partner.connection();
    for client in Client::ALL {
        let events = client.run(&connection, &["list-topics"]);
        assert_eq!(events.errors(), []);
    }
    let mut member = Client::Librdkafka
        .start(&connection, &["consume", "--topic", "one", "--group", "readers", "--until-stdin-closes"]);
    member.wait_for("an assignment", |events| events.assignment().map(|_| ()));
    zone.product.commit("Remove the partner", &[("zone.yaml", None)]);
    zone.product.wait_for_zone("acme", |zone| zone.is_none());
    member.wait_for("the end", |events| (!events.errors().is_empty()).then_some(()));
    member.kill();
    for client in Client::ALL {
        let errors = client.run(&connection, &["list-topics", "--timeout", "5000"]).errors();
        assert!(!errors.is_empty(), "{client:?} still gets an answer");
    }
}

#[test]
fn a_zone_with_a_missing_backing_topic_fails_with_a_reason_and_serves_its_other_aliases() {
    let (there, missing) = (unique("there"), unique("missing"));
    let cluster = Cluster::shared();
    cluster.create_topic(&there, 1);
    let text = manifest("acme", &[("orders", &there, "WRITE"), ("later", &missing, "READ")]);
    let product = Product::start(cluster, Setup::MEMORY, &[("acme.yaml", &text)]);
    let shown = product.wait_for_status("acme", "FAILED");
    let reason = shown["status"]["failedReason"].as_str().unwrap();
    assert!(reason.contains(&missing), "{reason}");
    let connection = product.partner("acme").connection();
    produced_under_goes_to(Client::Librdkafka, &connection, "orders", &there);
    // It heals by itself once the topic is there.
    cluster.create_topic(&missing, 1);
    product.wait_for_status("acme", "READY");
}
