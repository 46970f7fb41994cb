//! One backing topic under two aliases of a zone: two names of one topic, for clients that know nothing of it.

use std::collections::BTreeMap;

use crate::support::client::{Client, Connection};
use crate::support::events::{Events, Record};
use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Product, Setup, manifest};

/// A zone whose aliases `in` (WRITE, first in the file) and `out` (READ) are one topic of six partitions.
fn start() -> (Product, Connection) {
    let backing = unique("sales.orders");
    Cluster::shared().create_topic(&backing, 6);
    let topics = [("in", backing.as_str(), "WRITE"), ("out", backing.as_str(), "READ")];
    let product =
        Product::start(Cluster::shared(), Setup::MEMORY, &[("zone.yaml", &manifest("acme", &topics))]);
    product.wait_for_status("acme", "READY");
    let connection = product.partner("acme").connection();
    (product, connection)
}

fn produce(client: Client, connection: &Connection, partition: &str, count: usize) {
    let arguments = ["produce", "--topic", "in", "--partition", partition, "--count", &count.to_string()];
    let produced = client.run(connection, &[&arguments[..], &["--value", "value-{i}"]].concat());
    assert_eq!((produced.acked().len(), produced.errors()), (count, vec![]));
}

/// The offsets that came, by alias and partition, in the order of arrival.
fn offsets(events: &Events) -> BTreeMap<(String, i32), Vec<i64>> {
    let mut offsets: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    for Record { topic, partition, offset, .. } in events.records() {
        offsets.entry((topic, partition)).or_default().push(offset);
    }
    offsets
}

#[test]
fn a_consumer_that_was_assigned_both_aliases_reads_every_record_under_each() {
    for client in Client::ALL {
        let (_product, connection) = start();
        produce(client, &connection, "0", 50);
        produce(client, &connection, "1", 20);
        let both = ["assign", "--topic", "in", "--topic", "out", "--partition", "0", "--partition", "1"];
        let read = client.run(&connection, &[&both[..], &["--max", "140"]].concat());
        assert_eq!(read.errors(), []);
        let all = |alias: &str, partition, count| ((alias.to_owned(), partition), (0..count).collect());
        let expected =
            BTreeMap::from([all("in", 0, 50), all("in", 1, 20), all("out", 0, 50), all("out", 1, 20)]);
        assert_eq!(offsets(&read), expected, "{}", client.name());
        // New records reach it under both as well.
        let latest = [&both[..7], &["--from", "latest", "--until-stdin-closes"]].concat();
        let mut following = client.start(&connection, &latest);
        let seen = following.wait_for("new records under both aliases", |events| {
            produce(client, &connection, "0", 1);
            let aliases: Vec<_> = offsets(events).into_keys().map(|(alias, _)| alias).collect();
            (aliases == ["in", "out"]).then_some(aliases)
        });
        assert_eq!(seen.len(), 2);
        assert_eq!(following.stop().errors(), []);
    }
}

#[test]
fn in_a_group_the_topic_is_there_once_under_the_first_alias_that_the_member_subscribed_to() {
    for client in Client::ALL {
        let (_product, connection) = start();
        for partition in ["0", "3", "5"] {
            produce(client, &connection, partition, 4);
        }
        for (subscribed, shown) in [(&["out", "in"][..], "in"), (&["out"], "out")] {
            for protocol in ["eager", "cooperative"] {
                let group = unique("readers");
                let mut arguments = vec!["consume", "--group", &group, "--protocol", protocol, "--commit"];
                for topic in subscribed {
                    arguments.extend(["--topic", topic]);
                }
                arguments.extend(["--idle", "1500"]);
                let read = client.run(&connection, &arguments);
                assert_eq!(read.errors(), []);
                let once = [0, 3, 5].map(|partition| ((shown.to_owned(), partition), vec![0, 1, 2, 3]));
                assert_eq!(offsets(&read), BTreeMap::from(once), "{} {protocol}", client.name());
                // What was committed belongs to the topic: each alias shows it.
                let committed = client.run(&connection, &["committed", "--group", &group]);
                let mut at_3: Vec<_> = committed.offsets().into_iter().filter(|o| o.partition == 3).collect();
                at_3.sort_by(|one, other| one.topic.cmp(&other.topic));
                let at_3: Vec<_> = at_3.into_iter().map(|o| (o.topic, o.offset)).collect();
                assert_eq!(at_3, [("in".to_owned(), 4), ("out".to_owned(), 4)], "{}", client.name());
            }
        }
    }
}
