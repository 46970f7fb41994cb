//! What is no throughput: latency, memory of idle connections, and of readers that do not read.

use std::slice::from_ref;
use std::thread;
use std::time::{Duration, Instant};

use super::gateway::Gateway;
use super::process::resident_kib;
use super::requests::{Appetite, By, batch, fetch, produce};
use super::site::Peer;
use super::table::{median, quantile};
use super::wire::{Client, Frame};

/// Requests timed one by one, of which the first are not counted.
const SAMPLES: usize = 4_000;
const WARM_UP: usize = 500;
const IDLE: usize = 1_000;
const READERS: usize = 100;

/// One record at a time, acknowledged before the next is sent: median and 99th percentile in microseconds.
pub(crate) fn latency(peer: &Peer, by: By) -> (f64, f64) {
    let mut client = Client::connect(&peer.address);
    let mut frame = Frame::new(by.produce(), &produce(by, from_ref(&peer.topics.written), 1, &batch(1)));
    let mut micros = Vec::with_capacity(SAMPLES);
    for _ in 0..WARM_UP + SAMPLES {
        let started = Instant::now();
        client.send(&mut frame);
        client.receive();
        micros.push(started.elapsed().as_secs_f64() * 1e6);
    }
    let counted = &micros[WARM_UP..];
    (median(counted), quantile(counted, 0.99))
}

/// KiB of memory for each connection that has produced and fetched and is now idle, its peer's side included.
pub(crate) fn idle_connection(peer: &Peer) -> f64 {
    let pid = peer.pid.unwrap();
    let records = batch(16);
    let before = resident_kib(pid);
    let open: Vec<Client> = (0..IDLE)
        .map(|_| {
            let mut client = Client::connect(&peer.address);
            client.send(&mut Frame::new(13, &produce(By::Id, from_ref(&peer.topics.written), 1, &records)));
            client.receive();
            let appetite = Appetite { partitions: 6, partition_bytes: 16 << 10, bytes: 96 << 10 };
            let request = fetch(By::Id, from_ref(&peer.topics.filled), appetite, (0, -1));
            client.send(&mut Frame::new(17, &request));
            client.receive();
            client
        })
        .collect();
    thread::sleep(Duration::from_secs(1));
    let after = resident_kib(pid);
    drop(open);
    (after - before) / IDLE as f64
}

/// What readers of a 50 MiB fetch cost that hardly read.
pub(crate) struct Slow {
    /// MiB by which the process grew at most, and MiB of its budget that were taken at most.
    pub(crate) grown: f64,
    pub(crate) budget: f64,
    /// Readers whose connection still stood at the end.
    pub(crate) served: usize,
}

pub(crate) fn slow_readers(peer: &Peer, gateway: &Gateway, by: By) -> Slow {
    let pid = peer.pid.unwrap();
    let before = resident_kib(pid);
    let appetite = Appetite { partitions: 6, partition_bytes: 9 << 20, bytes: 50 << 20 };
    let request = fetch(by, from_ref(&peer.topics.filled), appetite, (0, -1));
    let mut readers: Vec<Client> = (0..READERS)
        .map(|_| {
            let mut client = Client::connect(&peer.address);
            client.send(&mut Frame::new(by.fetch(), &request));
            client
        })
        .collect();
    let (mut grown, mut budget) = (0.0_f64, 0.0_f64);
    let mut served = vec![true; READERS];
    let until = Instant::now() + Duration::from_secs(15);
    while Instant::now() < until {
        for (reader, served) in readers.iter_mut().zip(&mut served) {
            *served = *served && reader.sip(16 << 10);
        }
        grown = grown.max((resident_kib(pid) - before) / 1024.0);
        budget = budget.max(gateway.buffered() / 1024.0 / 1024.0);
        thread::sleep(Duration::from_millis(50));
    }
    Slow { grown, budget, served: served.into_iter().filter(|served| *served).count() }
}
