//! `make bench`: the same requests sent directly, through HAProxy in TCP mode and through this gateway, interleaved in one
//! run on one real broker.
//!
//! What counts is the ratio within a round: the gateway's CPU seconds per GB of records over HAProxy's, each read from the
//! kernel for its process alone. The absolute figures, and all that is timed, are those of a shared machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

mod gateway;
mod haproxy;
mod load;
mod probes;
mod process;
mod requests;
mod stub;
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../../tests/it/support/mod.rs"]
mod support;
mod table;
mod wire;

use bytes::Bytes;
use gateway::Gateway;
use haproxy::HaProxy;
use load::{FILLED_RECORDS, PARTITIONS, Peer, SCENARIOS, WIDE_PARTITIONS, WIDE_RECORDS};
use requests::{By, Topic, batch};
use support::kafka::Cluster;
use table::{Row, spread};
use wire::{Address, Client};

const DEFAULT_ROUNDS: usize = 5;
/// The kernel counts CPU time in steps of 10 ms: less than this would show the steps.
const DEFAULT_MEGABYTES: usize = 1024;
const DEFAULT_HAPROXY_BUFFER: usize = 16 << 10;
const WIDE_TOPICS: usize = 100;

fn main() {
    let number = |name, default| argument(name).map_or(default, |value| value.parse().unwrap());
    let rounds = number("--rounds", DEFAULT_ROUNDS);
    let bytes = number("--megabytes", DEFAULT_MEGABYTES) * 1_000_000;
    let buffer = number("--haproxy-buffer", DEFAULT_HAPROXY_BUFFER);
    let only = argument("--only").unwrap_or_default();
    let cluster = Cluster::private(1);
    let topics = create_topics(&cluster);
    let stub = stub::start();
    let haproxy = HaProxy::start(&[cluster.bootstrap(), &stub], buffer);
    let gateway = Gateway::start(cluster.bootstrap(), &topics);
    let peers = peers(cluster.bootstrap(), haproxy.address(0), haproxy.pid(), &gateway, &topics);
    eprintln!(
        "{rounds} rounds of {} MB; haproxy is {}, the gateway {}; load {}",
        bytes / 1_000_000,
        haproxy.pid(),
        gateway.pid(),
        process::load_average()
    );
    throughput(&peers, rounds, bytes, &only);
    if "latency".contains(&only) {
        let stubbed = Gateway::start(&stub, &topics[..1]);
        let behind_stub = latency_peers(&stub, haproxy.address(1), &stubbed, &topics);
        latency(&behind_stub, rounds);
    }
    if "memory".contains(&only) {
        memory(cluster.bootstrap(), buffer, &topics);
    }
    eprintln!("load at the end: {}", process::load_average());
}

fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args();
    arguments.find(|argument| argument == name).and_then(|_| arguments.next())
}

/// Pairs of alias and backing topic: the one that is written, the one that is read, and the wide ones.
fn create_topics(cluster: &Cluster) -> Vec<(String, String)> {
    // What is written goes soon: the data lies in memory.
    let short =
        [("retention.bytes", "33554432"), ("segment.bytes", "16777216"), ("file.delete.delay.ms", "1000")];
    let mut topics = vec![
        ("orders".to_owned(), "bench.orders.v1".to_owned()),
        ("readings".to_owned(), "bench.readings.v1".to_owned()),
    ];
    cluster.create_topic_with(&topics[0].1, PARTITIONS, &short);
    cluster.create_topic(&topics[1].1, PARTITIONS);
    for index in 0..WIDE_TOPICS {
        let backing = format!("bench.wide.{index:03}.v1");
        cluster.create_topic(&backing, WIDE_PARTITIONS);
        topics.push((format!("wide-{index:03}"), backing));
    }
    let address = Address { host_port: cluster.bootstrap().to_owned(), login: None };
    let known = known(&address, topics[1..].iter().map(|(_, backing)| backing.clone()).collect());
    let mut client = Client::connect(&address);
    let large = batch(512);
    for _ in 0..FILLED_RECORDS / 512 {
        fill(&mut client, &known[0], PARTITIONS, &large);
    }
    let small = batch(WIDE_RECORDS);
    known[1..].iter().for_each(|topic| fill(&mut client, topic, WIDE_PARTITIONS, &small));
    topics
}

fn fill(client: &mut Client, topic: &Topic, partitions: i32, batch: &Bytes) {
    let indexes: Vec<i32> = (0..partitions).collect();
    let response = client.call(By::Name.produce(), &requests::produce(By::Name, topic, &indexes, batch));
    let codes = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    assert!(codes.map(|partition| partition.error_code).all(|code| code == 0), "filling {}", topic.name);
}

/// The topics with the ids that this peer tells.
fn known(address: &Address, names: Vec<String>) -> Vec<Topic> {
    let ids = Client::connect(address).topic_ids(&names);
    names.into_iter().zip(ids).map(|(name, id)| Topic { name, id }).collect()
}

fn peer(name: &'static str, address: Address, pid: Option<u32>, names: Vec<String>) -> Peer {
    let mut topics = known(&address, names).into_iter();
    let written = topics.next().unwrap();
    let filled = topics.next().unwrap_or_else(|| written.clone());
    Peer { name, address, pid, written, filled, wide: topics.collect() }
}

fn peers(
    broker: &str,
    haproxy: String,
    haproxy_pid: u32,
    gateway: &Gateway,
    topics: &[(String, String)],
) -> [Peer; 3] {
    let open = |host_port: String| Address { host_port, login: None };
    let backing: Vec<String> = topics.iter().map(|(_, backing)| backing.clone()).collect();
    let aliases = topics.iter().map(|(alias, _)| alias.clone()).collect();
    [
        peer("direct", open(broker.to_owned()), None, backing.clone()),
        peer("haproxy", open(haproxy), Some(haproxy_pid), backing),
        peer("gateway", gateway.address(), Some(gateway.pid()), aliases),
    ]
}

fn throughput(peers: &[Peer; 3], rounds: usize, bytes: usize, only: &str) {
    Row::print_head();
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.name.contains(only)) {
        let mut row = Row::default();
        // The first round warms up; who goes first changes, so that nobody always gets the warmer broker.
        for round in 0..=rounds {
            for turn in 0..peers.len() {
                let peer = &peers[(round + turn) % peers.len()];
                let ready = scenario.prepare(peer);
                let before = peer.pid.map(process::cpu_seconds);
                let (passed, seconds) = ready.run(bytes);
                let cpu =
                    peer.pid.map(process::cpu_seconds).zip(before).map(|(after, before)| after - before);
                if round > 0 {
                    row.add(peer.name, passed, seconds, cpu);
                }
            }
        }
        row.print(scenario.name);
    }
}

fn latency_peers(stub: &str, haproxy: String, gateway: &Gateway, topics: &[(String, String)]) -> [Peer; 3] {
    peers(stub, haproxy, 0, gateway, &topics[..1])
}

fn latency(peers: &[Peer; 3], rounds: usize) {
    println!(
        "\nlatency of one record in front of a stub broker, µs: median of medians (min … max), then of 99th percentiles"
    );
    for by in [By::Id, By::Name] {
        let mut all = [const { (Vec::new(), Vec::new()) }; 3];
        for round in 0..rounds {
            for turn in 0..peers.len() {
                let which = (round + turn) % peers.len();
                let (middle, tail) = probes::latency(&peers[which], by);
                all[which].0.push(middle);
                all[which].1.push(tail);
            }
        }
        for (peer, (middle, tail)) in peers.iter().zip(&all) {
            println!("  by {by:?}, {:<8} p50 {:<28} p99 {}", peer.name, spread(middle), spread(tail));
        }
    }
}

/// On processes that have done nothing yet: what they keep of earlier work is not what a connection takes.
fn memory(broker: &str, buffer: usize, topics: &[(String, String)]) {
    println!("\nmemory");
    let haproxy = HaProxy::start(&[broker], buffer);
    let gateway = Gateway::start(broker, topics);
    let peers = peers(broker, haproxy.address(0), haproxy.pid(), &gateway, topics);
    for peer in &peers[1..] {
        println!(
            "  1000 idle connection pairs, {:<8} {:.1} KiB each",
            peer.name,
            probes::idle_connection(peer)
        );
    }
    for by in [By::Id, By::Name] {
        let slow = probes::slow_readers(&peers[2], &gateway, by);
        println!(
            "  100 slow readers of 50 MiB, by {by:?}: the gateway grew by {:.0} MiB, {:.0} MiB of its budget were taken, \
             {} connections still stood",
            slow.grown, slow.budget, slow.served
        );
    }
}
