//! What the gateway counts of its partners, on real Kafka: held against what the brokers' own files hold.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{BrokerId, FetchRequest, MetadataRequest, ProduceRequest, TopicName};
use partner_zones::kafka::records::{Codec, NewRecord, batches, build};
use partner_zones::policy::ServedZone;
use partner_zones::zone::{AddHeader, Credential, Headers, KeyId, PlainVerifier, TopicUsage, Usage, Volume};

use crate::support::client::{Client, Connection};
use crate::support::events::Events;
use crate::support::gateway::{InProcess, SECRET, zone};
use crate::support::kafka::{Cluster, unique};
use crate::support::wire::{Wire, typed};

const CODECS: &str = "none,gzip,snappy,lz4,zstd";
/// So that a broker cuts no batch short.
const ALL_AT_ONCE: &[&str] =
    &["-X", "fetch.max.bytes=50000000", "-X", "max.partition.fetch.bytes=50000000", "--idle", "20000"];

/// What the log of partition 0 holds: data, and bytes of the brokers' own batches beside it.
fn log(topic: &str) -> (Volume, u64) {
    let folder = Cluster::shared().folder();
    let segments = |broker: i32| -> Vec<u8> {
        let folder = fs::read_dir(folder.join(format!("data-{broker}/{topic}-0"))).unwrap();
        let mut files: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
        files.retain(|path| path.extension() == Some(OsStr::new("log")));
        files.sort();
        files.into_iter().flat_map(|path| fs::read(path).unwrap()).collect()
    };
    // Those that follow may be behind.
    let bytes = (1..=3).map(segments).max_by_key(Vec::len).unwrap();
    let (mut data, mut control) = (Volume::default(), 0);
    for batch in batches(&bytes) {
        let batch = batch.unwrap();
        let len = u64::try_from(batch.bytes().len()).unwrap();
        if batch.is_control() {
            control += len;
        } else {
            data.add(&Volume { bytes: len, records: batch.records().into() });
        }
    }
    (data, control)
}

fn of(records: &Bytes) -> Volume {
    let records_of =
        |batch: Result<partner_zones::kafka::records::Batch<'_>, _>| u64::from(batch.unwrap().records());
    let whole = batches(records).map(records_of).sum();
    Volume { bytes: u64::try_from(records.len()).unwrap(), records: whole }
}

fn take(gateway: &InProcess) -> Usage {
    gateway.handle().take_usage().remove("acme").unwrap_or_default()
}

fn alias(usage: &Usage, alias: &str) -> TopicUsage {
    usage.topics.get(alias).copied().unwrap_or_default()
}

/// Another credential of the zone, and how a client connects with it.
fn second(zone: &mut ServedZone, gateway: &InProcess) -> (String, Connection) {
    let key_id = KeyId::from_random(|limit| limit - 1);
    let credential = Credential {
        key_id: key_id.clone(),
        zone: zone.zone.name.clone(),
        created_at: zone.credentials[0].created_at,
        expires_at: None,
        replaced_by: None,
        plain: PlainVerifier::new("another-one-for-tests", b"salt"),
        scram: Vec::new(),
    };
    zone.credentials.push(Arc::new(credential));
    let connection =
        Connection::sasl(&gateway.bootstrap(), "PLAIN", key_id.as_str(), "another-one-for-tests");
    (key_id.to_string(), connection)
}

fn run(client: Client, connection: &Connection, arguments: &[&str], more: &[&str]) -> Events {
    let events = client.run(connection, &[arguments, more].concat());
    assert_eq!(events.errors(), [], "{client:?} {arguments:?}");
    events
}

/// That the metrics say what was counted.
fn assert_shown(gateway: &InProcess, usage: &Usage) {
    assert!(gateway.sum("gateway_requests_total") > 100);
    assert_eq!(usage.total().requests, gateway.sum("gateway_requests_total"));
    let commits = ["OffsetCommit", "TxnOffsetCommit"]
        .map(|api| gateway.counter(&format!("gateway_requests_total{{api=\"{api}\"}}")));
    assert!(commits[1] > 0);
    assert_eq!(usage.total().commits, commits.iter().sum::<u64>());
    let shown = |family: &str, labels: &str| {
        gateway.counter(&format!("gateway_zone_{family}_total{{zone=\"acme\"{labels}}}"))
    };
    let total = usage.total();
    for (labels, volume) in [(",direction=\"up\"", total.produced), (",direction=\"down\"", total.consumed)] {
        assert_eq!((shown("bytes", labels), shown("records", labels)), (volume.bytes, volume.records));
    }
    let shown = [shown("requests", ""), shown("commits", ""), shown("connections", "")];
    assert_eq!(shown, [total.requests, total.commits, total.connections]);
    assert_eq!(total.connections, gateway.counter("gateway_authentications_total{result=\"success\"}"));
}

#[test]
fn what_clients_produce_and_consume_is_counted_as_the_log_holds_it() {
    let cluster = Cluster::shared();
    for client in Client::ALL {
        let gateway = InProcess::start(cluster);
        let (backing, other) = (unique("backing"), unique("other"));
        cluster.create_topic(&backing, 1);
        cluster.create_topic(&other, 1);
        let mut acme = zone("acme", &[("orders", &backing, "WRITE"), ("done", &other, "WRITE")]);
        let first = acme.credentials[0].key_id.to_string();
        let (second, reader) = second(&mut acme, &gateway);
        gateway.serve([acme]);
        let writer = gateway.connection("acme");

        let to =
            ["produce", "--topic", "orders", "--partition", "0", "--compression", CODECS, "--value", "{i} "];
        run(client, &writer, &to, &["--acks", "0,1,all", "--count", "60", "--size", "700", "--key", "k{i}"]);
        let mut usage = take(&gateway);
        // Frames that pass in pieces, and what is left of them compressed.
        run(client, &writer, &to, &["--acks", "0,all", "--count", "3", "--size", "300000"]);
        let id = unique("billing");
        let transacting = ["transact", "--transactional-id", &id, "--topic", "orders", "--partition", "0"];
        run(
            client,
            &writer,
            &transacting,
            &["--ends", "commit,abort,commit", "--count", "4", "--value", "{i}"],
        );

        let sent = 3 * 5 * 60 + 2 * 5 * 3 + 3 * 4;
        let max = sent.to_string();
        let from = ["assign", "--topic", "orders", "--partition", "0", "--max", &max];
        let read = run(client, &reader, &from, ALL_AT_ONCE);
        assert_eq!(read.records().len(), sent, "{client:?}");
        let group = unique("readers");
        let moving = [
            "transact",
            "--transactional-id",
            &id,
            "--topic",
            "done",
            "--from-topic",
            "orders",
            "--partition",
            "0",
        ];
        run(client, &writer, &moving, &["--group", &group, "--max", "20"]);
        usage.add(&take(&gateway));

        let (data, control) = log(&backing);
        assert_eq!((data.records, control), (u64::try_from(sent).unwrap(), 3 * 78), "{client:?}");
        let orders = alias(&usage, "orders");
        assert_eq!(orders.produced, data, "{client:?}");
        let [first, second] = [&first, &second].map(|key| usage.credentials[key]);
        assert_eq!(
            second.consumed,
            Volume { bytes: data.bytes + control, records: data.records },
            "{client:?}"
        );
        assert_eq!((second.produced, second.commits), (Volume::default(), 0));
        let (done, _) = log(&other);
        assert_eq!((alias(&usage, "done").produced, done.records), (done, 20), "{client:?}");
        let mut produced = data;
        produced.add(&done);
        assert_eq!(first.produced, produced);
        // The reader of the transaction has its own fetches.
        assert!(first.consumed.records >= 20);
        let mut consumed = first.consumed;
        consumed.add(&second.consumed);
        assert_eq!(orders.consumed, consumed);
        assert_eq!(usage.credentials.len(), 2);
        assert!(second.connections >= 1 && first.connections > second.connections);
        assert!(orders.last_seen.is_some() && orders.last_seen <= first.last_seen.max(second.last_seen));

        assert_shown(&gateway, &usage);
    }
}

#[test]
fn a_client_of_before_that_joins_a_group_is_counted_too() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let backing = unique("backing");
    cluster.create_topic(&backing, 1);
    gateway.serve([zone("acme", &[("orders", &backing, "WRITE")])]);
    let (connection, group) = (gateway.connection("acme"), unique("readers"));
    let to = ["produce", "--topic", "orders", "--value", "{i}", "--count", "100", "--compression", CODECS];
    run(Client::Java2, &connection, &to, &[]);
    let arguments = ["consume", "--topic", "orders", "--group", &group, "--commit", "--max", "500"];
    assert_eq!(run(Client::Java2, &connection, &arguments, ALL_AT_ONCE).records().len(), 500);
    let (usage, (data, _)) = (take(&gateway), log(&backing));
    assert_eq!(data.records, 500);
    assert_eq!((alias(&usage, "orders").produced, alias(&usage, "orders").consumed), (data, data));
    assert!(usage.total().commits > 0);
}

/// A connection to the broker that leads partition 0 of an alias.
fn leader(gateway: &InProcess, alias: &str) -> Wire {
    let mut wire = Wire::logged_in(gateway.broker_port(1), "acme", SECRET);
    let metadata = wire.call(&metadata(alias), 12);
    let leader = *metadata.topics[0].partitions[0].leader_id;
    Wire::logged_in(gateway.broker_port(leader.try_into().unwrap()), "acme", SECRET)
}

fn name(alias: &str) -> TopicName {
    TopicName(alias.to_owned().into())
}

fn metadata(alias: &str) -> MetadataRequest {
    let topic = MetadataRequestTopic::default().with_name(Some(name(alias)));
    MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(false)
}

fn produce(wire: &mut Wire, alias: &str, records: &Bytes) -> i16 {
    let partition = PartitionProduceData::default().with_records(Some(records.clone()));
    let topic = TopicProduceData::default().with_name(name(alias)).with_partition_data(vec![partition]);
    let request =
        ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![topic]);
    let response = wire.call(&request.with_transactional_id(None), 9);
    response.responses[0].partition_responses[0].error_code
}

/// What one fetch outside of a session brings of an alias from its start.
fn fetch(wire: &mut Wire, version: i16, alias: &str, most: i32) -> Bytes {
    let id = wire.call(&metadata(alias), 12).topics[0].topic_id;
    let partition = FetchPartition::default().with_partition_max_bytes(most);
    let topic = FetchTopic::default().with_partitions(vec![partition]);
    let topic = if version < 13 { topic.with_topic(name(alias)) } else { topic.with_topic_id(id) };
    let request =
        FetchRequest::default().with_max_bytes(most).with_session_epoch(-1).with_topics(vec![topic]);
    let request = if version < 15 { request.with_replica_id(BrokerId(-1)) } else { request };
    let response = wire.call(&request.with_max_wait_ms(100), version);
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    partition.records.clone().unwrap()
}

/// One record of so many bytes that do not become fewer.
fn batch(codec: Codec, records: usize, size: usize) -> Bytes {
    let noise = |seed: usize| -> Vec<u8> {
        let mut state = seed as u64 + 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..size).map(|_| next()).collect()
    };
    let header = |key: &'static str| (Bytes::from(key), Some(Bytes::from("theirs")));
    let record = |seed| NewRecord {
        value: Some(noise(seed).into()),
        headers: vec![header("internal-a"), header("trace")],
        ..NewRecord::default()
    };
    build(&(0..records).map(record).collect::<Vec<_>>(), codec, 1_700_000_000_000).unwrap()
}

#[test]
fn answers_that_pass_in_pieces_count_by_name_and_by_id_and_a_batch_that_is_cut_short_has_no_records() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let backing = unique("backing");
    cluster.create_topic(&backing, 1);
    gateway.serve([zone("acme", &[("orders", &backing, "WRITE")])]);
    let mut wire = leader(&gateway, "orders");
    for size in [100, 30_000, 200_000] {
        assert_eq!(produce(&mut wire, "orders", &batch(Codec::Lz4, 3, size)), 0);
    }
    let (data, _) = log(&backing);
    assert_eq!((alias(&take(&gateway), "orders").produced, data.records), (data, 9));
    for version in [4, 11, 12, 13, 17] {
        let whole = fetch(&mut wire, version, "orders", 50_000_000);
        assert_eq!(of(&whole), data);
        assert_eq!(alias(&take(&gateway), "orders").consumed, data, "v{version}");
        for most in [200, 150_000] {
            let part = fetch(&mut wire, version, "orders", most);
            let part = of(&part);
            assert!(part.bytes < data.bytes && part.records < 9, "v{version}: {part:?}");
            assert_eq!(alias(&take(&gateway), "orders").consumed, part, "v{version} {most}");
        }
    }
}

#[test]
fn what_is_refused_is_a_request_without_records() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let backing = unique("backing");
    cluster.create_topic(&backing, 1);
    gateway.serve([zone("acme", &[("closed", &backing, "READ"), ("orders", &backing, "PRODUCE")])]);
    let mut wire = leader(&gateway, "orders");
    take(&gateway);
    for size in [10, 200_000] {
        assert_eq!(produce(&mut wire, "closed", &batch(Codec::None, 1, size)), 29);
        assert_eq!(produce(&mut wire, "elsewhere", &batch(Codec::None, 1, size)), 29);
    }
    let usage = take(&gateway);
    assert_eq!((usage.total().requests, usage.total().produced), (4, Volume::default()));
    assert_eq!(usage.topics, BTreeMap::new());
    // What breaks off reaches no log.
    let partition = PartitionProduceData::default().with_records(Some(batch(Codec::None, 1, 200_000)));
    let topic = TopicProduceData::default().with_name(name("orders")).with_partition_data(vec![partition]);
    let request = ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic]);
    let whole = typed(&request.with_transactional_id(None), 9);
    assert!(wire.send(&whole[..whole.len() - 1]));
    drop(wire);
    let begun = Instant::now();
    while gateway.counter("gateway_closed_total{reason=\"cut_frame\"}") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the connection did not end");
        thread::sleep(Duration::from_millis(20));
    }
    let total = take(&gateway).total();
    assert_eq!((total.requests, total.produced), (1, Volume::default()));
    assert_eq!(log(&backing).0, Volume::default());
}

#[test]
fn edited_records_count_as_the_partner_sent_them_and_as_the_brokers_did() {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let backing = unique("backing");
    cluster.create_topic(&backing, 1);
    let mut acme = zone("acme", &[("orders", &backing, "WRITE")]);
    let added = AddHeader {
        key: "internal-zone".to_owned(),
        value: "{{user}}".parse().unwrap(),
        override_if_exists: true,
    };
    Arc::make_mut(&mut acme.zone).headers =
        Headers { add_on_produce: vec![added], remove_on_consume: vec!["internal-.*".parse().unwrap()] };
    gateway.serve([acme]);
    let mut wire = leader(&gateway, "orders");
    let mut sent = Volume::default();
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        for size in [10, 40_000] {
            let batch = batch(codec, 3, size);
            assert_eq!(produce(&mut wire, "orders", &batch), 0, "{codec}");
            sent.add(&of(&batch));
        }
    }
    let damaged = {
        let mut bytes = batch(Codec::None, 1, 10).to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        Bytes::from(bytes)
    };
    assert_eq!(produce(&mut wire, "orders", &damaged), 2);
    let seen = of(&fetch(&mut wire, 12, "orders", 8_000_000));
    let (data, _) = log(&backing);
    let orders = alias(&take(&gateway), "orders");
    assert_eq!((orders.produced, orders.consumed), (sent, data));
    assert_eq!([sent.records, data.records, seen.records], [30; 3]);
    assert!(sent.bytes < data.bytes && seen.bytes < sent.bytes, "{sent:?} {data:?} {seen:?}");
}

#[test]
fn two_aliases_of_one_topic_have_figures_of_their_own() {
    let cluster = Cluster::shared();
    for client in Client::ALL {
        let gateway = InProcess::start(cluster);
        let backing = unique("backing");
        cluster.create_topic(&backing, 1);
        gateway.serve([zone("acme", &[("in", &backing, "WRITE"), ("out", &backing, "READ")])]);
        let connection = gateway.connection("acme");
        let to = ["produce", "--topic", "in", "--partition", "0", "--value", "{i}", "--count", "40"];
        run(client, &connection, &to, &["--size", "500"]);
        let once = ["assign", "--topic", "out", "--partition", "0", "--max", "40"];
        assert_eq!(run(client, &connection, &once, ALL_AT_ONCE).records().len(), 40);
        let both = ["assign", "--topic", "in", "--topic", "out", "--partition", "0", "--max", "80"];
        assert_eq!(run(client, &connection, &both, ALL_AT_ONCE).records().len(), 80);
        let ((data, _), usage) = (log(&backing), take(&gateway));
        let mut twice = data;
        twice.add(&data);
        let [within, out] = ["in", "out"].map(|name| alias(&usage, name));
        assert_eq!((within.produced, within.consumed), (data, data), "{client:?}");
        assert_eq!((out.produced, out.consumed), (Volume::default(), twice), "{client:?}");
    }
}
