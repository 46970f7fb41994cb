//! Groups of the new consumer protocol (KIP-848) through the gateway, on real Kafka: with names, with regular expressions,
//! mixed with members of the classic one, and while zones, connections and gateways change.

mod administered;
mod moving;

use std::sync::Arc;
use std::time::Duration;

use partner_zones::zone::{ConsumerGroup, GroupName};

use crate::support::client::{Client, Connection, Running};
use crate::support::events::{Committed, Events, Partition, Record};
use crate::support::gateway::{InProcess, zone};
use crate::support::kafka::{Cluster, unique};
use crate::support::scenarios::{self, Protocol, Site};

/// Backing topics of these numbers of partitions, made here.
fn topics<const N: usize>(partitions: [i32; N]) -> [String; N] {
    partitions.map(|partitions| {
        let name = unique("backing");
        Cluster::shared().create_topic(&name, partitions);
        name
    })
}

fn member(client: Client, connection: &Connection, group: &str, options: &[&str]) -> Running {
    let arguments = ["consume", "--group", group, "--protocol", "consumer", "--until-stdin-closes"];
    client.start(connection, &[&arguments[..], options].concat())
}

/// Waits until the member holds partition 0 of exactly these topics, which have one partition each.
fn await_topics(member: &mut Running, expected: &[&str]) {
    let expected: Vec<_> =
        expected.iter().map(|topic| Partition { topic: (*topic).to_owned(), partition: 0 }).collect();
    member.wait_for(&format!("{expected:?}"), |events| {
        let mut held = events.assignment().unwrap_or_default();
        held.sort();
        (held == expected).then_some(())
    });
}

fn produce(connection: &Connection, topic: &str, value: &str) {
    let arguments = ["produce", "--topic", topic, "--partition", "0", "--value", value];
    let produced = Client::Librdkafka.run(connection, &arguments);
    assert_eq!((produced.acked().len(), produced.errors()), (1, vec![]));
}

fn await_value(member: &mut Running, topic: &str, value: &str) {
    let is = |events: &Events| {
        events.records().iter().any(|record| record.topic == topic && record.text() == value).then_some(())
    };
    member.wait_for(&format!("{value} in {topic}"), is);
}

/// How a client subscribes to what the broker would look for, were it asked: a regular expression that it sends.
fn by_expression(client: Client, expression: &str) -> [String; 2] {
    match client {
        Client::Java => ["--regex".to_owned(), expression.to_owned()],
        _ => ["--topic".to_owned(), format!("^{expression}")],
    }
}

#[test]
fn members_join_and_leave_a_group_of_the_new_protocol() {
    let gateway = InProcess::start(Cluster::shared());
    for client in Client::ALL {
        let [backing] = topics([6]);
        gateway.serve([zone("acme", &[("orders", &backing, "WRITE")])]);
        let connection = gateway.connection("acme");
        let site = Site { client, connection: &connection, topic: "orders" };
        scenarios::members_join_and_leave(site, Protocol::Consumer, &unique("readers"), 6);
    }
}

#[test]
fn a_group_goes_from_the_classic_protocol_to_the_new_one_and_back_with_members_of_both() {
    let gateway = InProcess::start(Cluster::shared());
    for client in Client::ALL {
        let [backing] = topics([6]);
        gateway.serve([zone("acme", &[("orders", &backing, "WRITE")])]);
        let connection = gateway.connection("acme");
        let site = Site { client, connection: &connection, topic: "orders" };
        scenarios::a_group_changes_its_protocol_and_back(site, &unique("readers"), 6);
    }
}

/// What becomes of a classic group of so many members with librdkafka's sticky assignor when one of the new protocol joins: the
/// error that it gets, or none if it takes part.
fn upgrade(connection: &Connection, topic: &str, sticky: usize, joins: Client) -> Option<String> {
    let (group, of) = (unique("readers"), ["--topic", topic]);
    let mut members = Vec::new();
    for _ in 0..sticky {
        let arguments = ["consume", "--group", &group, "--protocol", "cooperative", "--until-stdin-closes"];
        members.push(Client::Librdkafka.start(connection, &[&arguments[..], &of].concat()));
        scenarios::await_shared(&mut members, topic, 6);
    }
    let mut joined = member(joins, connection, &group, &of);
    let told = joined.wait_for("partitions or an error", |events| {
        let error = events.errors().into_iter().next().map(|error| error.error);
        let takes_part = events.assignment().is_some_and(|held| !held.is_empty());
        (error.is_some() || takes_part).then_some(error)
    });
    if told.is_none() {
        members.push(joined);
        scenarios::await_shared(&mut members, topic, 6);
    } else {
        // Those that were there keep what they have.
        scenarios::await_shared(&mut members, topic, 6);
        joined.stop();
    }
    for member in members {
        member.stop();
    }
    told
}

#[test]
fn a_sticky_group_of_librdkafka_is_converted_or_not_as_it_is_without_the_gateway() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let direct = Connection::plaintext(cluster.bootstrap());
    let [backing] = topics([6]);
    gateway.serve([zone("acme", &[("orders", &backing, "WRITE")])]);
    let through = gateway.connection("acme");
    for joins in Client::ALL {
        for sticky in [1, 2] {
            let theirs = upgrade(&direct, &backing, sticky, joins);
            let ours = upgrade(&through, "orders", sticky, joins);
            assert_eq!(ours, theirs, "{joins:?} joins {sticky}");
            // Where two share, the assignor puts data of its own into their assignments.
            assert_eq!(theirs.is_some(), sticky == 2, "{joins:?} joins {sticky}: {theirs:?}");
        }
    }
}

/// The backing names would match where the aliases do not, and the other way round.
#[test]
fn an_expression_finds_aliases_and_follows_them_while_members_run() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    for client in Client::ALL {
        let [orders, payments, later] = topics([1, 1, 1]);
        let [hidden, other] = [unique("eu.hidden"), unique("eu.backing")];
        cluster.create_topic(&hidden, 1);
        cluster.create_topic(&other, 1);
        let serve = |more: &[(&str, &str, &str)]| {
            let always = [("us.orders", other.as_str(), "WRITE"), ("eu.in", &payments, "PRODUCE")];
            gateway.serve([zone("acme", &[more, &always].concat())]);
        };
        serve(&[("eu.orders", &orders, "WRITE")]);
        let connection = gateway.connection("acme");
        let subscription = by_expression(client, "eu\\..*");
        let subscription = subscription.each_ref().map(String::as_str);
        let mut member = member(client, &connection, &unique("readers"), &subscription);
        await_topics(&mut member, &["eu.orders"]);
        serve(&[("eu.orders", &orders, "WRITE"), ("eu.later", &later, "WRITE")]);
        await_topics(&mut member, &["eu.later", "eu.orders"]);
        produce(&connection, "eu.later", "new");
        await_value(&mut member, "eu.later", "new");
        // A new name for one, the other goes.
        serve(&[("eu.renamed", &later, "WRITE")]);
        await_topics(&mut member, &["eu.renamed"]);
        produce(&connection, "eu.renamed", "under its new name");
        await_value(&mut member, "eu.renamed", "under its new name");
        let events = member.stop();
        assert!(events.records().iter().all(|record| record.topic != hidden && record.topic != other));
    }
}

/// Names, an expression that the client evaluates itself, and what is no expression.
#[test]
fn what_is_subscribed_to_in_other_ways_is_what_is_shared_too() {
    let [one, two, hidden] = topics([1, 1, 1]);
    let gateway = InProcess::start(Cluster::shared());
    let aliases = [("a", one.as_str(), "WRITE"), ("b", &two, "READ"), ("b.again", &two, "READ")];
    gateway.serve([zone("acme", &aliases)]);
    let connection = gateway.connection("acme");
    let mut by_pattern = member(Client::Java, &connection, &unique("readers"), &["--pattern", "a|b"]);
    await_topics(&mut by_pattern, &["a", "b"]);
    by_pattern.stop();
    for client in Client::ALL {
        // The second alias of a topic stands for it where the first is not subscribed to; an unshared name gives nothing.
        let names = ["--topic", "a", "--topic", "b.again"];
        let mut by_name = member(client, &connection, &unique("readers"), &names);
        await_topics(&mut by_name, &["a", "b.again"]);
        by_name.stop();
        let [missing, group] = [unique("missing"), unique("readers")];
        let answers = [&hidden, &missing].map(|name| {
            let arguments = [
                "consume",
                "--group",
                &group,
                "--protocol",
                "consumer",
                "--topic",
                name,
                "--timeout",
                "25000",
            ];
            let events = client.run(&connection, &arguments);
            assert_eq!((events.assignment().unwrap_or_default(), events.records()), (vec![], vec![]));
            events.errors().into_iter().map(|error| error.error).collect::<Vec<_>>()
        });
        assert_eq!(answers[0], answers[1], "{client:?}");
    }
    let invalid =
        ["consume", "--group", "g", "--protocol", "consumer", "--regex", "(?=a)a", "--timeout", "25000"];
    let errors = Client::Java.run(&connection, &invalid).errors();
    assert_eq!(errors.first().map(|error| error.error.as_str()), Some("INVALID_REGULAR_EXPRESSION"));
}

/// With idle connections closed after a second, each heartbeat comes over a connection that has never heard of the member,
/// as after a move to another gateway. It keeps its partitions all the same.
#[test]
fn a_member_keeps_its_partitions_over_connections_and_gateways_that_do_not_know_it() {
    let mut gateway = InProcess::start(Cluster::shared());
    let [backing] = topics([1]);
    let served = || [zone("acme", &[("orders", &backing, "WRITE")])];
    gateway.serve(served());
    let connection = gateway.connection("acme");
    let mut members = Client::ALL.map(|client| {
        let expression = by_expression(client, "ord.*");
        let expression = expression.each_ref().map(String::as_str);
        let idle = ["-X", "connections.max.idle.ms=1000"];
        let mut member = member(client, &connection, &unique("readers"), &[&expression[..], &idle].concat());
        await_topics(&mut member, &["orders"]);
        member
    });
    // Three heartbeats of five seconds.
    std::thread::sleep(Duration::from_secs(16));
    produce(&connection, "orders", "after other connections");
    for member in &mut members {
        await_value(member, "orders", "after other connections");
    }
    gateway.restart();
    produce(&connection, "orders", "after a restart");
    for member in &mut members {
        await_value(member, "orders", "after a restart");
    }
    std::thread::sleep(Duration::from_secs(6));
    produce(&connection, "orders", "after one more heartbeat");
    for mut member in members {
        await_value(&mut member, "orders", "after one more heartbeat");
        let events = member.stop();
        assert_eq!(events.losses(), 0);
        assert_eq!(events.revocations(), 1, "only when it left");
        assert_eq!(events.records().len(), 3, "each once");
    }
}

/// What was committed directly is where the partner goes on, with either protocol, and the provider's view stays the same.
#[test]
fn a_partner_goes_on_in_the_group_it_had() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let direct = Connection::plaintext(cluster.bootstrap());
    for client in Client::ALL {
        let [backing] = topics([1]);
        let group = unique("partner.readers");
        let mut shared = zone("acme", &[("orders", &backing, "READ")]);
        Arc::make_mut(&mut shared.zone).consumer_groups.push(ConsumerGroup {
            name: GroupName::try_from("readers").unwrap(),
            backing_group: GroupName::try_from(group.as_str()).unwrap(),
        });
        gateway.serve([shared]);
        let connection = gateway.connection("acme");
        let produced =
            client.run(&direct, &["produce", "--topic", &backing, "--count", "10", "--value", "{i}"]);
        assert_eq!((produced.acked().len(), produced.errors()), (10, vec![]));
        let read = |connection: &Connection, topic: &str, group: &str, protocol: &str, max: &str| {
            let arguments = [
                "consume",
                "--topic",
                topic,
                "--group",
                group,
                "--protocol",
                protocol,
                "--max",
                max,
                "--commit",
            ];
            let events = client.run(connection, &arguments);
            assert_eq!(events.errors(), []);
            events.records().iter().map(Record::text).collect::<Vec<_>>()
        };
        assert_eq!(read(&direct, &backing, &group, "eager", "4"), ["0", "1", "2", "3"]);
        assert_eq!(read(&connection, "orders", "readers", "consumer", "3"), ["4", "5", "6"]);
        assert_eq!(read(&connection, "orders", "readers", "eager", "2"), ["7", "8"]);
        for (connection, group, topic) in
            [(&connection, "readers", "orders"), (&direct, group.as_str(), backing.as_str())]
        {
            let offsets = client.run(connection, &["committed", "--group", group]).offsets();
            let expected = Committed { topic: topic.to_owned(), partition: 0, offset: 9 };
            assert_eq!(offsets, [expected]);
        }
    }
}
