//! Transactions through the gateway, on real Kafka. The Java client speaks their second version (KIP-890: partitions join by
//! themselves, each transaction gets an epoch), librdkafka the first (AddPartitionsToTxn, one epoch).

use crate::support::client::{Client, Connection};
use crate::support::events::{Acked, Events, Partition, TransactionalId};
use crate::support::gateway::{InProcess, zone};
use crate::support::kafka::{Cluster, unique};

/// Reads partition 0 of a topic from its start until there are as many records as expected, and compares. What comes before
/// the last of them and should not be seen shows itself.
fn assert_reads(client: Client, connection: &Connection, topic: &str, isolation: &str, expected: &[&str]) {
    let max = expected.len().to_string();
    let arguments = ["assign", "--topic", topic, "--partition", "0", "--max", &max, "--isolation", isolation];
    let read = client.run(connection, &arguments);
    assert_eq!(read.errors(), []);
    let values: Vec<_> =
        read.records().iter().map(|record| record.text().trim_end_matches('.').to_owned()).collect();
    assert_eq!(values, expected, "{client:?} {isolation}");
}

fn assert_committed(client: Client, connection: &Connection, topic: &str, expected: &[&str]) {
    assert_reads(client, connection, topic, "read_committed", expected);
}

/// `transact` on partition 0 of `topic`, with more arguments.
fn transact<'a>(id: &'a str, topic: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["transact", "--transactional-id", id, "--topic", topic, "--partition", "0"], more].concat()
}

fn errors(events: &Events) -> Vec<String> {
    events.errors().into_iter().map(|error| error.error).collect()
}

/// What the provider's own tool says in this column of this id.
fn provider_sees(id: &str, column: &str) -> String {
    let arguments = ["describe", "--transactional-id", id];
    let table = Cluster::shared().tool("org.apache.kafka.tools.TransactionsCommand", &arguments);
    let mut lines = table.lines().map(|line| line.split('\t').map(str::trim).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let at = header.iter().position(|name| *name == column).unwrap_or_else(|| panic!("{table}"));
    lines.next().unwrap()[at].to_owned()
}

/// Records that fit into one read of the gateway, and records that pass it in pieces.
#[test]
fn committed_records_are_read_and_aborted_ones_only_by_those_who_ask_for_them() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    for client in Client::ALL {
        let (backing, id) = (unique("backing"), unique("billing"));
        cluster.create_topic(&backing, 1);
        gateway.serve([zone("acme", &[("orders", &backing, "WRITE")])]);
        let connection = gateway.connection("acme");
        let large = format!("{{end}} {{i}}{}", ".".repeat(90_000));
        for value in ["{end} {i}", &large] {
            let options = ["--ends", "commit,abort,commit", "--count", "2", "--value", value];
            let written = client.run(&connection, &transact(&id, "orders", &options));
            assert_eq!(written.errors(), []);
            assert_eq!(written.transactions(), ["open", "commit", "open", "abort", "open", "commit"]);
            // A record in the log for each end of a transaction.
            let offsets: Vec<_> = written.acked().iter().map(Acked::at).collect();
            let first = offsets[0];
            assert_eq!(offsets, [0, 1, 3, 4, 6, 7].map(|offset| first + offset), "{client:?}");
        }
        let one = ["commit 0", "commit 1", "commit 0", "commit 1"];
        let all = ["commit 0", "commit 1", "abort 0", "abort 1", "commit 0", "commit 1"];
        assert_committed(client, &connection, "orders", &[one, one].concat());
        assert_reads(client, &connection, "orders", "read_uncommitted", &[all, all].concat());
        assert_committed(client, &Connection::plaintext(cluster.bootstrap()), &backing, &[one, one].concat());

        // Under the first version of transactions an epoch lasts as long as the producer.
        let epoch: i32 = provider_sees(&format!("acme:{id}"), "ProducerEpoch").parse().unwrap();
        match client {
            Client::Java => assert!(epoch >= 6, "each transaction has an epoch: {epoch}"),
            _ => assert!(epoch < 3, "each producer has an epoch: {epoch}"),
        }
    }
}

#[test]
fn a_transform_commits_the_offsets_of_two_groups_with_what_it_wrote() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    for client in Client::ALL {
        let (source, sink, id) = (unique("source"), unique("sink"), unique("transform"));
        let (one, two) = (unique("one"), unique("two"));
        cluster.create_topic(&source, 1);
        cluster.create_topic(&sink, 1);
        gateway.serve([zone("acme", &[("in", &source, "READ"), ("out", &sink, "WRITE")])]);
        let connection = gateway.connection("acme");
        let direct = Connection::plaintext(cluster.bootstrap());
        client.run(&direct, &["produce", "--topic", &source, "--count", "6", "--value", "{i}"]);
        let run = |ends| {
            let groups =
                ["--from-topic", "in", "--group", &one, "--group", &two, "--max", "2", "--ends", ends];
            let events = client.run(&connection, &transact(&id, "out", &groups));
            assert_eq!(events.errors(), [], "{client:?}");
        };
        let offsets = |connection: &Connection, group: &str| {
            let offsets = client.run(connection, &["committed", "--group", group]).offsets();
            offsets.into_iter().map(|at| (at.topic, at.offset)).collect::<Vec<_>>()
        };
        // What an aborted transaction had read is read again by the next producer.
        run("commit,abort");
        for group in [&one, &two] {
            assert_eq!(offsets(&connection, group), [("in".to_owned(), 2)], "{client:?}");
        }
        run("commit");
        for group in [&one, &two] {
            assert_eq!(offsets(&connection, group), [("in".to_owned(), 4)]);
            assert_eq!(offsets(&direct, &format!("acme:{group}")), [(source.clone(), 4)]);
        }
        assert_committed(client, &connection, "out", &["0", "1", "0", "1", "2", "3", "2", "3"]);
    }
}

#[test]
fn a_producer_is_fenced_by_its_own_zones_successor_and_by_nobody_else() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    for client in Client::ALL {
        let (backing, id) = (unique("backing"), unique("billing"));
        cluster.create_topic(&backing, 1);
        let topics = [("orders", backing.as_str(), "WRITE")];
        gateway.serve([zone("acme", &topics), zone("other", &topics)]);
        let (acme, other) = (gateway.connection("acme"), gateway.connection("other"));
        let hold = ["--value", "held", "--until-stdin-closes"];
        let mut held = client.start(&acme, &transact(&id, "orders", &hold));
        held.wait_for("an open transaction", |events| events.transactions().first().map(|_| ()));
        let others = client.run(&other, &transact(&id, "orders", &["--value", "another zone's"]));
        assert_eq!((others.errors(), others.transactions().len()), (vec![], 2), "{client:?}");
        let held = held.stop();
        assert_eq!(
            (held.errors(), held.transactions()),
            (vec![], vec!["open".to_owned(), "commit".to_owned()])
        );

        let mut fenced = client.start(&acme, &transact(&id, "orders", &["--value", "fenced", hold[2]]));
        fenced.wait_for("an open transaction", |events| events.transactions().first().map(|_| ()));
        let successor = client.run(&acme, &transact(&id, "orders", &["--value", "successor"]));
        assert_eq!(successor.errors(), [], "{client:?}");
        let fenced = fenced.stop();
        assert_eq!(fenced.transactions(), ["open"], "{:?}", fenced.errors());
        let told = errors(&fenced);
        assert!(
            matches!(told[0].as_str(), "PRODUCER_FENCED" | "INVALID_PRODUCER_EPOCH"),
            "{client:?}: {told:?}"
        );
        assert_committed(client, &acme, "orders", &["held", "another zone's", "successor"]);
    }
}

#[test]
fn a_transaction_survives_a_restart_of_the_gateway() {
    let cluster = Cluster::shared();
    let mut gateway = InProcess::start(cluster);
    for client in Client::ALL {
        let (backing, id) = (unique("backing"), unique("billing"));
        cluster.create_topic(&backing, 1);
        gateway.serve([zone("acme", &[("orders", &backing, "WRITE")])]);
        let connection = gateway.connection("acme");
        client.run(&connection, &["produce", "--topic", "orders", "--value", "before"]);
        let options = ["--value", "kept", "--until-stdin-closes"];
        let mut open = client.start(&connection, &transact(&id, "orders", &options));
        open.wait_for("an open transaction", |events| events.transactions().first().map(|_| ()));
        gateway.restart();
        let arguments = ["assign", "--topic", "orders", "--partition", "0", "--idle", "2000"];
        let isolation = ["--max", "2", "--isolation", "read_committed"];
        let before = client.run(&connection, &[&arguments[..], &isolation].concat()).records();
        assert!(before.len() <= 1, "{client:?} reads what is not committed");
        let ended = open.stop();
        assert_eq!(ended.transactions(), ["open", "commit"], "{client:?}: {:?}", ended.errors());
        assert_committed(client, &connection, "orders", &["before", "kept"]);
    }
}

#[test]
fn a_topic_that_may_not_be_written_takes_its_transaction_down_and_the_next_one_goes_on() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    for client in Client::ALL {
        let (backing, id) = (unique("backing"), unique("billing"));
        cluster.create_topic(&backing, 1);
        // Two aliases of one topic: what one allows, the other does not.
        gateway.serve([zone("acme", &[("orders", &backing, "WRITE"), ("readable", &backing, "READ")])]);
        let connection = gateway.connection("acme");
        for denied in ["readable", "elsewhere"] {
            let options = ["--topic", denied, "--count", "2", "--value", denied, "--timeout", "10000"];
            let refused = client.run(&connection, &transact(&id, "orders", &options));
            assert!(!refused.transactions().contains(&"commit".to_owned()), "{client:?}");
            let told = errors(&refused);
            assert!(
                told.contains(&"TOPIC_AUTHORIZATION_FAILED".to_owned()),
                "{client:?} {denied}: {refused:?}"
            );
        }
        let next = client.run(&connection, &transact(&id, "orders", &["--value", "next"]));
        assert_eq!((next.errors(), next.transactions().len()), (vec![], 2), "{client:?}");
        assert_committed(client, &connection, "orders", &["next"]);
    }
}

#[test]
fn a_timeout_above_the_brokers_highest_is_told_in_kafkas_words() {
    let cluster = Cluster::shared();
    let backing = unique("backing");
    cluster.create_topic(&backing, 1);
    let gateway = InProcess::start(cluster);
    gateway.serve([zone("acme", &[("orders", &backing, "WRITE")])]);
    for client in Client::ALL {
        let id = unique("billing");
        let options = ["-X", "transaction.timeout.ms=900001", "--value", "x", "--timeout", "10000"];
        let told = |connection: &Connection, topic: &str| {
            let mut errors = client.run(connection, &transact(&id, topic, &options)).errors();
            // librdkafka says which broker its coordinator is.
            for error in &mut errors {
                error.message.retain(|c| !c.is_ascii_digit());
            }
            errors
        };
        let refused = told(&gateway.connection("acme"), "orders");
        assert_eq!(refused, told(&Connection::plaintext(cluster.bootstrap()), &backing));
        assert_eq!((refused.len(), refused[0].message.contains("timeout")), (1, true), "{refused:?}");
    }
}

#[test]
fn a_zone_is_shown_its_own_transactions_in_its_own_words() {
    let cluster = Cluster::shared();
    let (backing, id) = (unique("backing"), unique("billing"));
    cluster.create_topic(&backing, 1);
    let gateway = InProcess::start(cluster);
    let topics = [("orders", backing.as_str(), "WRITE"), ("same", backing.as_str(), "READ")];
    // A name that is a pattern which matches another's.
    gateway.serve([zone("a.me", &topics), zone("acme", &topics)]);
    let (own, other) = (gateway.connection("a.me"), gateway.connection("acme"));
    let java = Client::Java;
    java.run(&other, &transact(&id, "orders", &["--value", "x"]));
    let hold = ["--value", "x", "--until-stdin-closes"];
    let mut open = java.start(&own, &transact(&id, "orders", &hold));
    open.wait_for("an open transaction", |events| events.transactions().first().map(|_| ()));

    let of =
        |state: &str, partitions| TransactionalId { id: id.clone(), state: state.to_owned(), partitions };
    let seen = |arguments: &[&str]| java.run(&own, arguments).transactional_ids();
    assert_eq!(seen(&["list-transactions"]), [of("Ongoing", vec![])]);
    let prefix = id.split('-').next().unwrap();
    assert_eq!(
        seen(&["list-transactions", "--pattern", &format!("{prefix}-[0-9]+")]),
        [of("Ongoing", vec![])]
    );
    assert_eq!(seen(&["list-transactions", "--pattern", prefix]), []);
    for invalid in ["(", "x)|(?:.*"] {
        let refused = java.run(&own, &["list-transactions", "--pattern", invalid, "--timeout", "5000"]);
        assert_eq!(errors(&refused), ["INVALID_REGULAR_EXPRESSION"], "{invalid}");
    }
    let partitions = vec![Partition { topic: "orders".to_owned(), partition: 0 }];
    let describe = ["describe-transaction", "--transactional-id", &id];
    assert_eq!(seen(&describe), [of("Ongoing", partitions)]);
    assert_eq!(java.run(&other, &describe).transactional_ids()[0].state, "CompleteCommit");
    for hidden in [&format!("acme:{id}"), "not-even-there"] {
        let unknown = java.run(&own, &["describe-transaction", "--transactional-id", hidden]);
        assert_eq!(errors(&unknown), ["TRANSACTIONAL_ID_NOT_FOUND"], "{hidden}");
    }
    open.stop();
    assert_eq!(provider_sees(&format!("a.me:{id}"), "TransactionState"), "CompleteCommit");
}
