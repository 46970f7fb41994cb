//! How exactly a zone is held to its limits, by one node and by three: what passed, over what may.

use std::slice::from_ref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use partner_zones::zone::TrafficControl;

use super::requests::{Appetite, By, batch, fetch, produce};
use super::support::gateway::{InProcess, SECRET, zone};
use super::support::heartbeats::Heartbeats;
use super::support::kafka::Cluster;
use super::table::spread;
use super::topics::{Pair, Topics};
use super::wire::{Address, Client, Frame};

/// Bytes per second for the zone.
const LIMIT: u64 = 20_000_000;
const ZONE: &str = "limited";
/// Until shares have followed the demand.
const SETTLES: Duration = Duration::from_secs(8);
const MEASURED: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
enum Work {
    Produce,
    Fetch,
}

/// Connections of each node that has something to do.
const CONNECTIONS: usize = 4;

/// What each node wants, in parts of the limit.
struct Load {
    name: &'static str,
    wanted: &'static [f64],
}

const LOADS: [Load; 5] = [
    Load { name: "one node", wanted: &[3.0] },
    Load { name: "three nodes, equal", wanted: &[3.0, 3.0, 3.0] },
    Load { name: "three nodes, uneven", wanted: &[3.0, 0.6, 0.2] },
    Load { name: "three nodes, little", wanted: &[0.5, 0.4, 0.3] },
    Load { name: "three nodes, one busy", wanted: &[3.0, 0.0, 0.0] },
];

pub(crate) fn print(cluster: &Cluster, topics: &[Pair], rounds: usize) {
    println!(
        "\nlimits: bytes that passed over those that may, {LIMIT} B/s for the zone: median of the rounds (extremes)"
    );
    for work in [Work::Produce, Work::Fetch] {
        for load in &LOADS {
            println!(
                "  {:<8} {:<22} {}",
                format!("{work:?}"),
                load.name,
                spread(&measure(cluster, topics, work, load, rounds))
            );
        }
    }
}

fn measure(cluster: &Cluster, topics: &[Pair], work: Work, load: &Load, rounds: usize) -> Vec<f64> {
    let aliases: Vec<_> =
        topics.iter().map(|(alias, backing)| (alias.as_str(), backing.as_str(), "WRITE")).collect();
    let mut served = zone(ZONE, &aliases);
    let rate = Some(LIMIT);
    Arc::make_mut(&mut served.zone).traffic_control = match work {
        Work::Produce => TrafficControl { max_produce_rate: rate, ..TrafficControl::default() },
        Work::Fetch => TrafficControl { max_consume_rate: rate, ..TrafficControl::default() },
    };
    let nodes: Vec<_> = load.wanted.iter().map(|_| InProcess::start(cluster)).collect();
    for node in &nodes {
        node.serve([served.clone()]);
    }
    let (passed, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    Heartbeats::between(&nodes, |_| {
        thread::scope(|scope| {
            for (node, wanted) in nodes.iter().zip(load.wanted).filter(|(_, wanted)| **wanted > 0.0) {
                let address = Address {
                    login: Some((ZONE.to_owned(), SECRET.to_owned())),
                    ..Address::open(&node.broker_address(1))
                };
                let each = wanted * LIMIT as f64 / CONNECTIONS as f64;
                for _ in 0..CONNECTIONS {
                    let (address, passed, stop) = (address.clone(), &passed, &stop);
                    scope.spawn(move || keep_busy(&address, topics, (work, each), passed, stop));
                }
            }
            thread::sleep(SETTLES);
            let ratio = |_| {
                let (before, begun) = (passed.load(Ordering::Relaxed), Instant::now());
                thread::sleep(MEASURED);
                let bytes = passed.load(Ordering::Relaxed) - before;
                bytes as f64 / begun.elapsed().as_secs_f64() / LIMIT as f64
            };
            let ratios = (0..rounds).map(ratio).collect();
            stop.store(true, Ordering::Relaxed);
            ratios
        })
    })
}

/// Sends, reads the answer and sends again, like a client that does not know of throttling, with pauses for so many bytes per second.
/// What was not sent while it was held back is not made up for.
fn keep_busy(
    address: &Address,
    topics: &[Pair],
    (work, rate): (Work, f64),
    passed: &AtomicUsize,
    stop: &AtomicBool,
) {
    let (aliases, _): (Vec<_>, Vec<_>) = topics[..2].iter().cloned().unzip();
    let topics = Topics::known_to(address, &aliases);
    let mut client = Client::connect(address);
    let (mut frame, sent) = match work {
        Work::Produce => {
            let request = produce(By::Id, from_ref(&topics.written), 1, &batch(64));
            let frame = Frame::new(By::Id.produce(), &request);
            let len = frame.len();
            (frame, len)
        }
        Work::Fetch => {
            let appetite = Appetite { partitions: 1, partition_bytes: 64 << 10, bytes: 1 << 20 };
            (Frame::new(By::Id.fetch(), &fetch(By::Id, from_ref(&topics.filled), appetite, (0, -1))), 0)
        }
    };
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        client.send(&mut frame);
        let answer = client.receive();
        let bytes = if matches!(work, Work::Produce) { sent } else { answer };
        passed.fetch_add(bytes, Ordering::Relaxed);
        thread::sleep(Duration::from_secs_f64(bytes as f64 / rate).saturating_sub(begun.elapsed()));
    }
}
