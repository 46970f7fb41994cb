//! The life of a connection on real Kafka: how each side leaves, and what is lost by it, which is nothing.

mod failing;
pub(crate) mod installation;
pub(crate) mod rolling;

use std::io::Read as _;
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use partner_zones::gateway::Limits;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use crate::support::gateway::{InProcess, SECRET, zone};
use crate::support::kafka::{Cluster, unique};
use crate::support::wire::{Wire, bytes, long_poll, request, string};

fn login(gateway: &InProcess, broker: u16) -> Wire {
    Wire::logged_in(gateway.broker_port(broker), "acme", SECRET)
}

/// Waits until so many connections are left, and says how long it took.
fn await_connections(gateway: &InProcess, left: u64, within: Duration) -> Duration {
    let begun = Instant::now();
    while gateway.open_connections() != left {
        assert!(begun.elapsed() < within, "{} are open after {within:?}", gateway.open_connections());
        thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed()
}

/// Produce v3 of one record.
fn produce(topic: &str, acks: i16, value: &[u8]) -> Vec<u8> {
    let record = Record {
        transactional: false,
        control: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: NO_SEQUENCE,
        timestamp: 1_700_000_000_000,
        delete_horizon: false,
        key: None,
        value: Some(value.to_vec().into()),
        headers: [].into_iter().collect(),
    };
    let mut records = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut records, [&record], &options).unwrap();
    let one = 1_i32.to_be_bytes();
    let body = [
        &(-1_i16).to_be_bytes()[..],
        &acks.to_be_bytes(),
        &30_000_i32.to_be_bytes(),
        &one,
        &string(topic),
        &one,
        &0_i32.to_be_bytes(),
        &bytes(&records),
    ];
    request(0, 3, &body.concat())
}

/// The offset behind the last record, as Kafka itself says.
fn end_of(cluster: &Cluster, topic: &str) -> i64 {
    let client: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap()).create().unwrap();
    client.fetch_watermarks(topic, 0, Duration::from_secs(20)).unwrap().1
}

/// The broker that leads partition 0.
fn leader_of(cluster: &Cluster, topic: &str) -> u16 {
    let client: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap()).create().unwrap();
    let metadata = client.fetch_metadata(Some(topic), Duration::from_secs(20)).unwrap();
    u16::try_from(metadata.topics()[0].partitions()[0].leader()).unwrap()
}

#[test]
fn a_partner_that_leaves_in_whatever_way_loses_nothing_and_leaves_nothing_behind() {
    let cluster = Cluster::shared();
    let (backing, empty) = (unique("backing"), unique("empty"));
    cluster.create_topic(&backing, 1);
    cluster.create_topic(&empty, 1);
    let gateway = InProcess::start(cluster);
    gateway.serve([zone("acme", &[("t", &backing, "WRITE"), ("empty", &empty, "READ")])]);
    let leader = leader_of(cluster, &backing);

    // Unacknowledged records, and gone: with a goodbye, and with a goodbye in the middle of the next frame.
    for (round, cut) in [(1, 0), (2, 20)] {
        let mut partner = login(&gateway, leader);
        for number in 0..200 {
            assert!(partner.send(&produce("t", 0, format!("{round}/{number}").as_bytes())));
        }
        assert!(partner.send(&produce("t", 0, b"cut off")[..cut]));
        drop(partner);
        await_connections(&gateway, 0, Duration::from_secs(5));
        let begun = Instant::now();
        while end_of(cluster, &backing) != round * 200 {
            assert!(begun.elapsed() < Duration::from_secs(10), "{} records", end_of(cluster, &backing));
            thread::sleep(Duration::from_millis(50));
        }
    }

    // It only stops sending: every answer that is owed still comes, then the end.
    let mut partner = login(&gateway, leader);
    for _ in 0..10 {
        assert!(partner.send(&produce("t", -1, b"acknowledged")));
    }
    partner.socket.shutdown(Shutdown::Write).unwrap();
    for _ in 0..10 {
        assert!(partner.answer().is_some(), "an answer is missing");
    }
    assert_eq!(partner.socket.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(end_of(cluster, &backing), 410);
    drop(partner);
    await_connections(&gateway, 0, Duration::from_secs(5));

    // Gone during a long poll. A reset says so; after a goodbye there could still be somebody who listens, for a while.
    let reset = login(&gateway, 1);
    socket2::SockRef::from(&reset.socket).set_linger(Some(Duration::ZERO)).unwrap();
    for (mut partner, within) in
        [(reset, Duration::from_secs(2)), (login(&gateway, 1), Duration::from_secs(13))]
    {
        assert!(partner.send(&long_poll("empty")));
        thread::sleep(Duration::from_millis(300));
        drop(partner);
        await_connections(&gateway, u64::from(within < Duration::from_secs(10)), within);
    }
}

#[test]
fn a_silent_partner_is_let_go_and_a_busy_one_is_not() {
    let cluster = Cluster::shared();
    let topic = unique("topic");
    cluster.create_topic(&topic, 1);
    let limits = Limits { idle: Duration::from_secs(1), ..Limits::default() };
    let gateway = InProcess::start_limited(cluster, limits);
    gateway.serve([zone("acme", &[("t", &topic, "WRITE")])]);
    let (mut silent, mut busy) = (login(&gateway, 1), login(&gateway, 1));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(2_500) {
        assert!(busy.ask(&request(18, 0, b"")).is_some(), "cut off while it is at work");
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(gateway.open_connections(), 1);
    assert_eq!(silent.socket.read(&mut [0; 1]).unwrap(), 0);
}
