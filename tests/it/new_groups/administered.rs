//! What admin clients see of groups with live members, and may do to them.

use std::time::{Duration, Instant};

use super::{member, topics};
use crate::support::client::{Client, Connection, Running};
use crate::support::events::{Events, Partition};
use crate::support::gateway::{InProcess, zone};
use crate::support::kafka::{Cluster, unique};

const PATIENCE: Duration = Duration::from_mins(1);

fn describe(client: Client, connection: &Connection, group: &str) -> Events {
    client.run(connection, &["describe-group", "--group", group])
}

#[test]
fn a_group_is_described_to_its_zone_in_its_own_words_and_to_others_as_one_that_is_not_there() {
    let gateway = InProcess::start(Cluster::shared());
    for client in Client::ALL {
        let [backing] = topics([2]);
        let shared = [("orders", backing.as_str(), "READ")];
        gateway.serve([zone("acme", &shared), zone("other", &shared)]);
        let (own, other) = (gateway.connection("acme"), gateway.connection("other"));
        let group = unique("readers");
        let mut member = member(client, &own, &group, &["--topic", "orders"]);
        member.wait_for("both partitions", |events| events.assignment().filter(|held| held.len() == 2));
        let begun = Instant::now();
        let described = loop {
            let described = describe(client, &own, &group);
            if described.described_groups().first().is_some_and(|of| of.state.as_deref() == Some("STABLE")) {
                break described;
            }
            assert!(begun.elapsed() < PATIENCE, "{described:?}");
        };
        let [shown] = &described.described_groups()[..] else { panic!("{described:?}") };
        let [only] = &shown.members[..] else { panic!("{shown:?}") };
        assert_eq!((shown.kind.as_deref(), only.host.as_str()), (Some("CONSUMER"), "-"), "{client:?}");
        let both = [0, 1].map(|partition| Partition { topic: "orders".to_owned(), partition });
        assert_eq!((&only.partitions[..], only.target.as_deref()), (&both[..], Some(&both[..])));
        assert_eq!(shown.authorized_operations, ["DELETE", "DESCRIBE", "READ"], "{client:?}");
        let text = format!("{described:?}");
        assert!(!text.contains(&backing) && !text.contains("acme:"), "{text}");

        // The group's own name, the broker's for it, and one that nobody ever had: as if none were there.
        let inside = format!("acme:{group}");
        let told = [group.as_str(), &inside, "never-there"].map(|name| {
            let told = describe(client, &other, name);
            assert!(!told.errors().is_empty() || told.described_groups()[0].members.is_empty(), "{told:?}");
            format!("{told:?}").replace(name, "GROUP")
        });
        assert_eq!((&told[0], &told[1]), (&told[2], &told[2]), "{client:?}");
        member.stop();
    }
}

/// What a group has committed, by topic.
fn committed(connection: &Connection, group: &str) -> Vec<(String, i64)> {
    let events = Client::Java.run(connection, &["committed", "--group", group]);
    assert_eq!(events.errors(), []);
    let mut offsets: Vec<_> = events.offsets().into_iter().map(|at| (at.topic, at.offset)).collect();
    offsets.sort();
    offsets
}

fn delete_offsets(connection: &Connection, group: &str, topic: &str) -> Vec<String> {
    let events = Client::Java.run(connection, &["delete-offsets", "--group", group, "--topic", topic]);
    events.errors().into_iter().map(|error| error.error).collect()
}

/// A member that has read and committed the one record of a topic.
fn reader(client: Client, connection: &Connection, group: &str, protocol: &str, topic: &str) -> Running {
    let of = ["--group", group, "--protocol", protocol, "--topic", topic];
    let mut member =
        client.start(connection, &[&["consume"], &of[..], &["--commit", "--until-stdin-closes"]].concat());
    member.wait_for("a committed offset", |events| events.committed().pop());
    member
}

#[test]
fn offsets_of_a_topic_are_deleted_once_no_member_subscribes_to_it() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let direct = Connection::plaintext(cluster.bootstrap());
    let [orders, done] = topics([1, 1]);
    for topic in [&orders, &done] {
        let produced = Client::Librdkafka.run(&direct, &["produce", "--topic", topic, "--value", "x"]);
        assert_eq!(produced.errors(), []);
    }
    let shared = [("orders", orders.as_str(), "READ"), ("same", &orders, "READ"), ("done", &done, "READ")];
    gateway.serve([zone("acme", &shared)]);
    let through = gateway.connection("acme");
    for (client, protocol) in [
        (Client::Java, "eager"),
        (Client::Librdkafka, "cooperative"),
        (Client::Java, "consumer"),
        (Client::Librdkafka, "consumer"),
    ] {
        // On the left the gateway with its aliases, on the right Kafka itself.
        for (connection, subscribed, other, aliases) in [
            (&through, "orders", "done", &["orders", "same"][..]),
            (&direct, orders.as_str(), done.as_str(), &[orders.as_str()]),
        ] {
            let group = unique("readers");
            let context = format!("{client:?} {protocol} {subscribed}");
            reader(client, connection, &group, protocol, other).stop();
            let member = reader(client, connection, &group, protocol, subscribed);
            for alias in aliases {
                let refused = delete_offsets(connection, &group, alias);
                assert_eq!(refused, ["GROUP_SUBSCRIBED_TO_TOPIC"], "{context}");
            }
            assert_eq!(delete_offsets(connection, &group, other), [] as [&str; 0], "{context}");
            let left: Vec<_> = aliases.iter().map(|alias| ((*alias).to_owned(), 1)).collect();
            assert_eq!(committed(connection, &group), left, "{context}");
            member.stop();
            // By another alias than the one that was subscribed to, where there is one.
            let alias = aliases[aliases.len() - 1];
            assert_eq!(delete_offsets(connection, &group, alias), [] as [&str; 0], "{context}");
            assert_eq!(committed(connection, &group), [], "{context}");
        }
    }
}
