//! What a zone does to the headers of records, on real Kafka, with clients that check every batch's checksum.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};
use partner_zones::gateway::Limits;
use partner_zones::kafka::records::{Codec, NewRecord, build};
use partner_zones::policy::ServedZone;
use partner_zones::zone::{AddHeader, Headers};

use crate::support::client::{Client, Connection};
use crate::support::events::{ClientError, Record};
use crate::support::gateway::{Alias, InProcess, SECRET, zone};
use crate::support::kafka::{Cluster, unique};
use crate::support::wire::Wire;

const CODECS: &str = "none,gzip,snappy,lz4,zstd";

/// A header that is added: key, value, `overrideIfExists`.
type Add<'a> = (&'a str, &'a str, bool);

/// The zone `acme` with these headers added and these removed.
fn acme(topics: &[Alias<'_>], add: &[Add<'_>], remove: &[&str]) -> ServedZone {
    let add = add.iter().map(|(key, value, override_if_exists)| AddHeader {
        key: (*key).to_owned(),
        value: value.parse().unwrap(),
        override_if_exists: *override_if_exists,
    });
    let mut zone = zone("acme", topics);
    Arc::make_mut(&mut zone.zone).headers = Headers {
        add_on_produce: add.collect(),
        remove_on_consume: remove.iter().map(|pattern| pattern.parse().unwrap()).collect(),
    };
    zone
}

/// All of partition 0, once there is so much of it.
fn all(client: Client, connection: &Connection, topic: &str, records: usize) -> Vec<Record> {
    let max = records.to_string();
    let read = client.run(connection, &["assign", "--topic", topic, "--partition", "0", "--max", &max]);
    assert_eq!(read.errors(), []);
    read.records()
}

/// A record's headers as `key=value`; one whose value is null has no `=`.
fn headers(record: &Record) -> Vec<String> {
    let text = |value: &Vec<u8>| String::from_utf8(value.clone()).unwrap();
    let one = |(key, value): &(String, Option<Vec<u8>>)| match value {
        Some(value) => format!("{key}={}", text(value)),
        None => key.clone(),
    };
    record.headers.iter().map(one).collect()
}

#[test]
fn headers_are_added_in_every_codec_and_nothing_else_changes() {
    const TIMESTAMP: i64 = 1_700_000_000_000;
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let direct = Connection::plaintext(cluster.bootstrap());
    for client in Client::ALL {
        let backing = unique("backing");
        cluster.create_topic(&backing, 1);
        let value = "{{user}} {{userIp}} {{gatewayHost}} {{apiKey}} {{apiKeyVersion}} {{timestampMillis}} {{clientId}}";
        let add = [("from", value, true), ("trace", "ours", false), ("zone", "acme", false)];
        gateway.serve([acme(&[("orders", &backing, "WRITE")], &add, &[])]);
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let arguments =
            ["produce", "--topic", "orders", "--partition", "0", "--count", "3", "--size", "2000"];
        let sent = [
            "--acks",
            "0,1,all",
            "--compression",
            CODECS,
            "--key",
            "k{i}",
            "--value",
            "{acks}/{compression}",
        ];
        let with =
            ["--header", "from=forged", "--header", "trace=a", "--header", "trace=b", "--header", "none"];
        let at = ["--header", "from=again", "--timestamp", &TIMESTAMP.to_string(), "-X", "client.id=app-7"];
        let produced = client.run(&gateway.connection("acme"), &[&arguments[..], &sent, &with, &at].concat());
        assert_eq!(produced.errors(), []);
        assert_eq!(produced.acked().len(), 45);
        let records = all(client, &direct, &backing, 45);
        for acked in produced.acked().iter().filter(|acked| acked.acks != "0") {
            let record = records.iter().find(|record| Some(record.offset) == acked.offset).unwrap();
            assert!(record.text().starts_with(&format!("{}/{}", acked.acks, acked.compression)));
        }
        for record in &records {
            let number = i64::from(record.key.as_ref().unwrap()[1] - b'0');
            assert_eq!((record.timestamp, record.timestamp_type.as_str()), (TIMESTAMP + number, "create"));
            let found = headers(record);
            assert_eq!(found[..3], ["trace=a", "trace=b", "none"], "{client:?}");
            let (from, zone) = (found[3].strip_prefix("from=").unwrap(), &found[4]);
            assert_eq!((zone.as_str(), found.len()), ("zone=acme", 5));
            let [user, ip, host, key, version, millis, app] = from.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{from}")
            };
            assert_eq!([user, ip, host, key, app], ["acme", "127.0.0.1", "127.0.0.1", "0", "app-7"]);
            assert!((3..=13).contains(&version.parse::<i16>().unwrap()));
            assert!(millis.parse::<u128>().unwrap() >= before);
        }
    }
    assert!(gateway.counter("gateway_edited_batches_total{direction=\"up\"}") >= 30);
}

#[test]
fn headers_are_removed_in_every_codec_and_nothing_else_changes() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let direct = Connection::plaintext(cluster.bootstrap());
    for client in Client::ALL {
        let backing = unique("backing");
        cluster.create_topic(&backing, 1);
        let arguments =
            ["produce", "--topic", &backing, "--partition", "0", "--count", "40", "--size", "3000"];
        let with = [
            "--header",
            "internal-a=1",
            "--header",
            "trace=a",
            "--header",
            "internal-b",
            "--header",
            "trace=",
        ];
        let more = ["--compression", CODECS, "--key", "k{i}", "--value", "{compression} {i}"];
        assert_eq!(client.run(&direct, &[&arguments[..], &with, &more].concat()).errors(), []);
        gateway.serve([acme(&[("orders", &backing, "READ")], &[], &["internal-.*", "(?i)NOTHING"])]);
        let [expected, seen] = [(&direct, backing.as_str()), (&gateway.connection("acme"), "orders")]
            .map(|(connection, topic)| all(client, connection, topic, 200));
        assert_eq!(seen.len(), 200);
        for (seen, mut expected) in seen.into_iter().zip(expected) {
            assert_eq!(expected.headers.len(), 4);
            assert_eq!(headers(&seen), ["trace=a", "trace="], "{client:?}");
            expected.topic = "orders".to_owned();
            expected.headers.retain(|(key, _)| key == "trace");
            assert_eq!(seen, expected);
        }
    }
    assert!(gateway.counter("gateway_edited_batches_total{direction=\"down\"}") >= 10);
}

/// Markers of brokers stand among the records, and the epoch and sequence of a producer in front of them.
#[test]
fn transactions_and_sequences_are_what_they_were() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    for client in Client::ALL {
        let (backing, id) = (unique("backing"), unique("billing"));
        cluster.create_topic(&backing, 1);
        let add = [("internal-zone", "{{user}}", true), ("trace", "ours", true)];
        gateway.serve([acme(&[("orders", &backing, "WRITE")], &add, &["internal-.*"])]);
        let connection = gateway.connection("acme");
        let written = client.run(
            &connection,
            &[
                &["transact", "--transactional-id", &id, "--topic", "orders", "--partition", "0"][..],
                &["--ends", "commit,abort,commit", "--count", "2", "--value", "{end} {i}"],
            ]
            .concat(),
        );
        assert_eq!(written.errors(), []);
        assert_eq!(written.transactions(), ["open", "commit", "open", "abort", "open", "commit"]);
        for (isolation, wanted) in [("read_committed", 4), ("read_uncommitted", 6)] {
            let max = wanted.to_string();
            let arguments =
                ["assign", "--topic", "orders", "--partition", "0", "--max", &max, "--isolation", isolation];
            let read = client.run(&connection, &arguments);
            assert_eq!(read.errors(), []);
            let records = read.records();
            assert_eq!(records.len(), wanted);
            assert!(records.iter().all(|record| headers(record) == ["trace=ours"]));
            let aborted = records.iter().filter(|record| record.text().starts_with("abort")).count();
            assert_eq!(aborted, wanted - 4, "{client:?}");
        }
        let direct = Connection::plaintext(cluster.bootstrap());
        let stored = all(client, &direct, &backing, 6);
        assert!(stored.iter().all(|record| headers(record) == ["internal-zone=acme", "trace=ours"]));
    }
}

#[test]
fn a_changed_policy_counts_for_open_connections_and_loses_nothing() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let direct = Connection::plaintext(cluster.bootstrap());
    for client in Client::ALL {
        let backing = unique("backing");
        cluster.create_topic(&backing, 1);
        let topics: [Alias<'_>; 1] = [("orders", &backing, "WRITE")];
        gateway.serve([acme(&topics, &[], &[])]);
        let connection = gateway.connection("acme");
        let mut reader = client
            .start(&connection, &["assign", "--topic", "orders", "--partition", "0", "--until-stdin-closes"]);
        let arguments =
            ["produce", "--topic", "orders", "--partition", "0", "--value", "{i}", "--interval", "3"];
        let more =
            ["--header", "internal=x", "--acks", "all", "--compression", "lz4", "--until-stdin-closes"];
        let mut writer = client.start(&connection, &[&arguments[..], &more].concat());
        let policies: [(&[Add<'_>], &[&str]); 3] = [
            (&[("policy", "1", true)], &["internal"]),
            (&[("policy", "2", true)], &[]),
            (&[], &["internal"]),
        ];
        let mut more = |than: usize| {
            writer.wait_for("more records", |events| (events.acked().len() >= than + 60).then_some(()));
            // Whatever the machine is busy with: some of them are read before the next change.
            reader.wait_for("more records", |events| (events.records().len() >= than + 60).then_some(()));
            writer.events().acked().len()
        };
        let mut before = more(0);
        for (add, remove) in policies {
            gateway.serve([acme(&topics, add, remove)]);
            before = more(before);
        }
        let written = writer.stop();
        assert_eq!(written.errors(), []);
        let count = written.acked().len();
        reader.wait_for("all records", |events| (events.records().len() >= count).then_some(()));
        let read = reader.stop();
        assert_eq!(read.errors(), []);

        let stored = all(client, &direct, &backing, count);
        let numbers: Vec<_> = stored.iter().map(Record::text).collect();
        assert_eq!(numbers, (0..count).map(|number| number.to_string()).collect::<Vec<_>>(), "{client:?}");
        let mut policies: Vec<_> = stored.iter().map(|record| headers(record)[1..].to_vec()).collect();
        policies.dedup();
        let one = |text: &str| vec![text.to_owned()];
        assert_eq!(
            policies,
            [vec![], one("policy=1"), one("policy=2"), vec![]],
            "{client:?}: each from a moment on"
        );

        let seen = read.records();
        assert_eq!(seen.len(), count);
        assert!(seen.iter().zip(&stored).all(|(seen, stored)| seen.value == stored.value));
        let mut shown: Vec<_> =
            seen.iter().map(|record| record.headers.iter().any(|(key, _)| key == "internal")).collect();
        shown.dedup();
        assert_eq!(shown, [true, false, true, false], "{client:?}: each from a moment on");
    }
}

#[test]
fn a_batch_that_outgrows_its_topic_is_refused_by_the_broker_and_the_connection_goes_on() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    for client in Client::ALL {
        let backing = unique("backing");
        cluster.create_topic_with(&backing, 1, &[("max.message.bytes", "3000")]);
        let long = "x".repeat(500);
        gateway.serve([acme(&[("orders", &backing, "WRITE")], &[("note", &long, true)], &[])]);
        let connection = gateway.connection("acme");
        let produce = |size: &str| {
            let value = ["--value", "v", "--size", size];
            client.run(
                &connection,
                &[&["produce", "--topic", "orders", "--partition", "0"][..], &value].concat(),
            )
        };
        assert_eq!(produce("2400").errors(), [], "{client:?}: it fits with its header");
        let errors: Vec<_> = produce("2800").errors().into_iter().map(|error| error.error).collect();
        assert_eq!(errors, ["MESSAGE_TOO_LARGE"], "{client:?}: it would fit without");
        assert_eq!(produce("10").acked().len(), 1);
        let stored = all(client, &Connection::plaintext(cluster.bootstrap()), &backing, 2);
        assert!(stored.iter().all(|record| headers(record) == [format!("note={long}")]));
    }
    assert_eq!(gateway.counter("gateway_closed_total{reason=\"refused\"}"), 0);
}

/// Larger than one read of the gateway, than what it edits at once, and than what a fetch holds.
#[test]
fn large_batches_are_edited_whole() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let client = Client::Librdkafka;
    let backing = unique("backing");
    cluster.create_topic_with(&backing, 1, &[("max.message.bytes", "20000000")]);
    let add = [("internal-zone", "{{user}}", true), ("trace", "ours", true)];
    gateway.serve([acme(&[("orders", &backing, "WRITE")], &add, &["internal-.*"])]);
    let connection = gateway.connection("acme");
    let arguments = ["produce", "--topic", "orders", "--partition", "0", "--count", "5", "--size", "9000000"];
    let more = ["--compression", "none,snappy", "-X", "message.max.bytes=20000000", "--value", "{i}"];
    let produced = client.run(&connection, &[&arguments[..], &more].concat());
    assert_eq!((produced.errors(), produced.acked().len()), (vec![], 10));
    let records = all(client, &connection, "orders", 10);
    assert!(records.iter().all(|record| headers(record) == ["trace=ours"]));
    assert!(records.iter().all(|record| record.value.as_ref().unwrap().len() == 9_000_000));
}

/// Zeros that compress to next to nothing: they are not decompressed, and what cannot be edited does not pass.
#[test]
fn what_cannot_be_edited_passes_in_neither_direction() {
    // Of one broker, which leads every partition.
    let cluster = Cluster::private(1);
    let gateway = InProcess::start(&cluster);
    let record = |size: usize| NewRecord {
        value: Some(vec![0; size].into()),
        headers: vec![("internal-a".into(), Some("a secret".into()))],
        ..NewRecord::default()
    };
    let bomb = build(&[record(40 << 20)], Codec::Zstd, 1_700_000_000_000).unwrap();
    let good = build(&[record(10)], Codec::Zstd, 1_700_000_000_000).unwrap();
    let mut damaged = good.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let backing = unique("backing");
    cluster.create_topic(&backing, 1);
    let port = |address: &str| address.rsplit(':').next().unwrap().parse().unwrap();

    let mut provider = Wire::connect(port(cluster.bootstrap().split(',').next().unwrap()));
    assert_eq!(produce(&mut provider, &backing, &good), 0);
    assert_eq!(produce(&mut provider, &backing, &bomb), 0, "the broker itself takes it");
    gateway.serve([acme(&[("orders", &backing, "WRITE")], &[("zone", "acme", true)], &["internal-.*"])]);
    let mut partner = Wire::logged_in(port(&gateway.bootstrap()), "acme", SECRET);
    assert_eq!(produce(&mut partner, "orders", &bomb), 10);
    assert_eq!(produce(&mut partner, "orders", &Bytes::from(damaged)), 2);
    assert_eq!(produce(&mut partner, "orders", &good.slice(..good.len() - 1)), 87);
    assert_eq!(produce(&mut partner, "orders", &good), 0, "the connection goes on");
    assert_eq!(gateway.counter("gateway_refused_records_total{direction=\"up\",reason=\"too_large\"}"), 1);

    for client in Client::ALL {
        let arguments = ["assign", "--topic", "orders", "--partition", "0", "--idle", "4000"];
        let read = client.run(&gateway.connection("acme"), &arguments);
        let records = read.records();
        assert_eq!(records.len(), 1, "{client:?}: what stands in front of it");
        assert_eq!(records[0].headers, []);
        let errors = read.errors();
        assert!(!errors.is_empty(), "{client:?} says nothing to its application");
        // Java's own word for it has no code.
        let says_why = |error: &ClientError| error.code == 2 || error.message.contains("corrupt message");
        assert!(errors.iter().all(says_why), "{client:?}: {errors:?}");
    }
    thread::sleep(Duration::from_millis(100));
    assert!(gateway.counter("gateway_refused_records_total{direction=\"down\",reason=\"too_large\"}") > 0);
}

/// The error code for records that one broker alone has.
fn produce(wire: &mut Wire, topic: &str, records: &Bytes) -> i16 {
    let partition = PartitionProduceData::default().with_records(Some(records.clone()));
    let topic = TopicProduceData::default()
        .with_name(TopicName(topic.to_owned().into()))
        .with_partition_data(vec![partition]);
    let request = ProduceRequest::default()
        .with_transactional_id(None)
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic]);
    wire.call(&request, 9).responses[0].partition_responses[0].error_code
}

/// A gateway that may hold less: frames of 4 MiB can be edited, and what is larger is read without being edited.
#[test]
fn what_is_too_large_to_be_held_for_editing_is_refused_for_its_records_and_the_connection_goes_on() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start_limited(cluster, Limits { buffered: 24 << 20, ..Limits::default() });
    let direct = Connection::plaintext(cluster.bootstrap());
    for client in Client::ALL {
        let backing = unique("backing");
        cluster.create_topic_with(&backing, 1, &[("max.message.bytes", "20000000")]);
        let topics: [Alias<'_>; 1] = [("orders", &backing, "WRITE")];
        gateway.serve([acme(&topics, &[("zone", "acme", true)], &["internal-.*"])]);
        let connection = gateway.connection("acme");
        let most =
            if client == Client::Java { "max.request.size=20000000" } else { "message.max.bytes=20000000" };
        let produce = |connection: &Connection, topic: &str, size: &str, more: &[&str]| {
            let arguments = ["produce", "--topic", topic, "--partition", "0", "--value", "v", "--size", size];
            client.run(connection, &[&arguments[..], &["-X", most], more].concat())
        };
        let errors: Vec<_> =
            produce(&connection, "orders", "5000000", &[]).errors().into_iter().map(|it| it.error).collect();
        assert_eq!(
            errors,
            ["MESSAGE_TOO_LARGE"],
            "{client:?}: as a broker says to one above max.message.bytes"
        );
        assert_eq!(produce(&connection, "orders", "3000000", &[]).acked().len(), 1, "{client:?}");
        if client == Client::Java {
            // A batch of several is split and sent again.
            let batch = [
                "--count",
                "7",
                "-X",
                "batch.size=7000000",
                "-X",
                "linger.ms=3000",
                "-X",
                "request.timeout.ms=20000",
            ];
            let split = produce(&connection, "orders", "900000", &batch);
            assert_eq!((split.errors(), split.acked().len()), (vec![], 7));
        }
        let before = all(client, &connection, "orders", if client == Client::Java { 8 } else { 1 });
        assert!(before.iter().all(|record| headers(record) == ["zone=acme"]), "{client:?}");
        assert_eq!(produce(&direct, &backing, "5000000", &[]).errors(), []);
        let arguments = ["assign", "--topic", "orders", "--partition", "0", "--idle", "4000"];
        let read = client.run(&connection, &arguments);
        assert_eq!(read.records().len(), before.len(), "{client:?}: what stands in front of it");
        let says_why = |error: &ClientError| error.code == 2 || error.message.contains("corrupt message");
        assert!(
            !read.errors().is_empty() && read.errors().iter().all(says_why),
            "{client:?}: {:?}",
            read.errors()
        );
    }
    for direction in ["up", "down"] {
        let refused =
            format!("gateway_refused_records_total{{direction=\"{direction}\",reason=\"too_large\"}}");
        assert!(gateway.counter(&refused) > 0, "{direction}");
    }
    assert_eq!(gateway.counter("gateway_closed_total{reason=\"budget_exhausted\"}"), 0);
}
