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
mod headers;
mod limits;
mod load;
mod policies;
mod probes;
mod process;
mod replay;
mod requests;
mod scenarios;
mod site;
mod stub;
#[allow(dead_code, unused_imports, reason = "shared with the tests, which use all of it")]
#[path = "../../tests/it/support/mod.rs"]
mod support;
mod table;
mod topics;
mod transport;
mod wire;

use policies::Effort;
use process::Cpu;
use requests::By;
use scenarios::{SCENARIOS, Scenario};
use site::{Plan, Site};
use support::kafka::Cluster;
use table::{Row, Run, ratios, spread};
use topics::Pair;

const DEFAULT_ROUNDS: usize = 5;
const DEFAULT_MEGABYTES: usize = 400;
const DEFAULT_HAPROXY_BUFFER: usize = 16 << 10;
const MIB: f64 = 1024.0 * 1024.0;

fn main() {
    let number = |name, default| argument(name).map_or(default, |value| value.parse().unwrap());
    let rounds = number("--rounds", DEFAULT_ROUNDS);
    let bytes = number("--megabytes", DEFAULT_MEGABYTES) * 1_000_000;
    let plan = Plan::new(number("--haproxy-buffer", DEFAULT_HAPROXY_BUFFER));
    let split = std::env::args().any(|argument| argument == "--split");
    let only = argument("--only").unwrap_or_default();
    // Gateways in this process would write all that they do between the figures.
    let quiet = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr);
    quiet.try_init().unwrap();
    let cluster = Cluster::private(1);
    let topics = topics::create(&cluster);
    eprintln!("{rounds} rounds of {} MB; load {}", bytes / 1_000_000, process::load_average());
    let scenarios: Vec<_> = SCENARIOS.iter().filter(|scenario| scenario.name.contains(&only)).collect();
    if !scenarios.is_empty() {
        Row::print_head();
    }
    for scenario in scenarios {
        let site = plan.start(cluster.bootstrap(), &topics, scenario.tls);
        let row = throughput(&site, scenario, rounds, bytes);
        row.print(scenario.name);
        if split {
            row.print_split();
        }
    }
    if "latency".contains(&only) {
        latency(&plan, &topics[..1], rounds);
    }
    if "memory".contains(&only) {
        memory(&plan, cluster.bootstrap(), &topics);
    }
    let effort = Effort { rounds, bytes };
    if "headers".contains(&only) {
        headers::print(&cluster, effort);
    }
    if "replay".contains(&only) {
        replay::print(&cluster, effort);
    }
    if "limits".contains(&only) {
        limits::print(&cluster, &topics, rounds);
    }
    eprintln!("load at the end: {}", process::load_average());
}

fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args();
    arguments.find(|argument| argument == name).and_then(|_| arguments.next())
}

fn throughput(site: &Site, scenario: &Scenario, rounds: usize, bytes: usize) -> Row {
    let mut row = Row::default();
    let processes = [1, 2].map(|peer: usize| site.peers[peer].pid.unwrap());
    let idle = processes.map(process::resident_kib);
    processes.into_iter().for_each(process::forget_peak);
    // The first round warms up; who goes first changes, so that nobody always gets the warmer broker.
    for round in 0..=rounds {
        for turn in 0..site.peers.len() {
            let which = (round + turn) % site.peers.len();
            let peer = &site.peers[which];
            let ready = scenario.prepare(peer);
            if round == 0 {
                row.budget = row.budget.max(site.gateway.most_buffered(|| ready.run(bytes)).0 / MIB);
                continue;
            }
            let before = peer.pid.map(Cpu::of);
            let (bytes, seconds) = ready.run(bytes);
            let cpu = peer.pid.map(Cpu::of).zip(before).map(|(after, before)| after.since(&before));
            [&mut row.direct, &mut row.haproxy, &mut row.gateway][which].push(Run { bytes, seconds, cpu });
        }
    }
    row.peak = [0, 1].map(|which| (process::peak_kib(processes[which]) - idle[which]) * 1024.0 / MIB);
    row
}

fn latency(plan: &Plan, topics: &[Pair], rounds: usize) {
    println!("\nlatency of one record in front of a stub broker, µs: medians of the rounds (extremes)");
    let stub = stub::start();
    for tls in [false, true] {
        let site = plan.start(&stub, topics, tls);
        for by in [By::Id, By::Name] {
            let mut all = [const { (Vec::new(), Vec::new()) }; 3];
            for round in 0..rounds {
                for turn in 0..site.peers.len() {
                    let which = (round + turn) % site.peers.len();
                    let (middle, tail) = probes::latency(&site.peers[which], by);
                    all[which].0.push(middle);
                    all[which].1.push(tail);
                }
            }
            let how = format!("by {}{}", by.word(), if tls { ", TLS" } else { "" });
            for (peer, (middle, tail)) in site.peers.iter().zip(&all) {
                println!("  {how:<12} {:<17} p50 {:<28} p99 {}", peer.name, spread(middle), spread(tail));
            }
            println!("  {how:<12} gateway / HAProxy p50 {}", ratios(&all[2].0, &all[1].0));
        }
    }
}

/// On processes that have done nothing yet: what they keep of earlier work is not what a connection takes.
fn memory(plan: &Plan, broker: &str, topics: &[Pair]) {
    println!("\nmemory");
    for tls in [false, true] {
        let site = plan.start(broker, topics, tls);
        for peer in &site.peers[1..] {
            let each = probes::idle_connection(peer);
            let tls = if tls { ", TLS" } else { "" };
            println!("  1000 idle connection pairs{tls}, {:<8} {each:.1} KiB each", peer.name);
        }
    }
    let site = plan.start(broker, topics, false);
    for by in [By::Id, By::Name] {
        let slow = probes::slow_readers(&site.peers[2], &site.gateway, by);
        println!(
            "  100 slow readers of 50 MiB, by {}: the gateway grew by {:.0} MiB, {:.0} MiB of its budget were taken, {} \
             connections still stood",
            by.word(),
            slow.grown,
            slow.budget,
            slow.served
        );
    }
}
