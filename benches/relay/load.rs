//! What the clients do: keep every connection busy until enough has passed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::messages::{FetchResponse, ProduceResponse};

use super::requests::{Appetite, By, Topic, batch, fetch, produce};
use super::wire::{Address, Client, Frame};

pub(crate) const PARTITIONS: i32 = 6;
pub(crate) const WIDE_PARTITIONS: i32 = 10;
/// Of the topics that are only read: more than a fetch takes of a partition.
pub(crate) const FILLED_RECORDS: usize = 16 << 10;
pub(crate) const WIDE_RECORDS: usize = 7;
const MIB: i32 = 1 << 20;
/// What a Java client asks for by default.
const JAVA: Appetite = Appetite { partitions: PARTITIONS, partition_bytes: MIB, bytes: 50 * MIB };

/// One peer, and its words for the topics.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) address: Address,
    pub(crate) pid: Option<u32>,
    pub(crate) written: Topic,
    pub(crate) filled: Topic,
    pub(crate) wide: Vec<Topic>,
}

/// What a connection repeats.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// A batch of so many records for each of so many partitions.
    Produce { partitions: i32, records: usize },
    /// All partitions of one topic, a MiB of each.
    Fetch,
    /// All partitions of all wide topics in one fetch session, each moved on by every request.
    Session,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) by: By,
    pub(crate) work: Work,
    pub(crate) connections: usize,
}

/// Threads that drive the connections.
const THREADS: usize = 4;

pub(crate) const SCENARIOS: [Scenario; 10] = {
    const fn row(name: &'static str, by: By, work: Work, connections: usize) -> Scenario {
        Scenario { name, by, work, connections }
    }
    const LARGE: Work = Work::Produce { partitions: 6, records: 64 };
    const USUAL: Work = Work::Produce { partitions: 6, records: 8 };
    const SMALL: Work = Work::Produce { partitions: 1, records: 16 };
    [
        row("produce 6 × 64 KiB, by id", By::Id, LARGE, 4),
        row("produce 6 × 64 KiB, by name", By::Name, LARGE, 4),
        row("produce 6 × 8 KiB, by id", By::Id, USUAL, 4),
        row("produce 6 × 8 KiB, by name", By::Name, USUAL, 4),
        row("produce 16 KiB, 1000 connections", By::Id, SMALL, 1000),
        row("fetch 6 × 1 MiB, by id", By::Id, Work::Fetch, 4),
        row("fetch 6 × 1 MiB, by name", By::Name, Work::Fetch, 4),
        row("fetch 6 × 1 MiB, 40 connections", By::Id, Work::Fetch, 40),
        row("session of 1000 × 7 KiB, by id", By::Id, Work::Session, 2),
        row("session of 1000 × 7 KiB, by name", By::Name, Work::Session, 2),
    ]
};

/// A connection with its next request.
struct Busy {
    client: Client,
    frame: Frame,
    /// Requests without an answer.
    depth: usize,
    /// Record bytes that each request moves, and the length that each answer then has.
    moves: usize,
    answer: usize,
}

/// Connections that are ready to go.
pub(crate) struct Ready {
    all: Vec<Busy>,
}

impl Scenario {
    /// Connects, logs in, and sends each request once to see that it is answered as it should.
    pub(crate) fn prepare(&self, peer: &Peer) -> Ready {
        let by = self.by;
        let records =
            if let Work::Produce { records, .. } = self.work { batch(records) } else { Bytes::new() };
        let build = |_| {
            let mut client = Client::connect(&peer.address);
            match self.work {
                Work::Produce { partitions, .. } => {
                    produce_again(client, by, &peer.written, partitions, &records)
                }
                Work::Fetch => {
                    let request = fetch(by, std::slice::from_ref(&peer.filled), JAVA, (0, -1));
                    let moves = records_in(&client.call(by.fetch(), &request));
                    Busy::new(client, Frame::new(by.fetch(), &request), 2, moves)
                }
                Work::Session => {
                    let appetite = Appetite { partitions: WIDE_PARTITIONS, ..JAVA };
                    let first = client.call(by.fetch(), &fetch(by, &peer.wide, appetite, (0, 0)));
                    assert_ne!(first.session_id, 0, "no session");
                    let next = fetch(by, &peer.wide, appetite, (first.session_id, 1));
                    let moves = records_in(&first);
                    Busy::new(client, Frame::in_session(by.fetch(), &next), 1, moves)
                }
            }
        };
        Ready { all: (0..self.connections).map(build).collect() }
    }
}

fn produce_again(mut client: Client, by: By, topic: &Topic, partitions: i32, batch: &Bytes) -> Busy {
    let indexes: Vec<i32> = (0..partitions).collect();
    let request = produce(by, topic, &indexes, batch);
    let response: ProduceResponse = client.call(by.produce(), &request);
    let codes: Vec<i16> = response
        .responses
        .iter()
        .flat_map(|topic| topic.partition_responses.iter().map(|partition| partition.error_code))
        .collect();
    assert_eq!(codes, vec![0; indexes.len()]);
    Busy::new(client, Frame::new(by.produce(), &request), 4, batch.len() * indexes.len())
}

/// Record bytes of a response in which every partition must have some.
fn records_in(response: &FetchResponse) -> usize {
    assert_eq!(response.error_code, 0);
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    let sizes = partitions.map(|partition| {
        assert_eq!(partition.error_code, 0);
        partition.records.as_ref().map_or(0, Bytes::len)
    });
    sizes.inspect(|len| assert!(*len > 0, "a partition came without records")).sum()
}

impl Busy {
    fn new(mut client: Client, mut frame: Frame, depth: usize, moves: usize) -> Self {
        client.send(&mut frame);
        let answer = client.receive();
        Self { client, frame, depth, moves, answer }
    }

    fn ask(&mut self) {
        self.client.send(&mut self.frame);
    }

    fn take(&mut self) -> usize {
        assert_eq!(self.client.receive(), self.answer, "an answer unlike the first");
        self.moves
    }
}

impl Ready {
    /// Keeps all connections busy until `bytes` of records have passed; what has passed, and in how many seconds.
    pub(crate) fn run(mut self, bytes: usize) -> (usize, f64) {
        let passed = AtomicUsize::new(0);
        let share = self.all.len().div_ceil(THREADS);
        let started = Instant::now();
        thread::scope(|scope| {
            for mine in self.all.chunks_mut(share) {
                let passed = &passed;
                scope.spawn(move || drive(mine, passed, bytes));
            }
        });
        (passed.into_inner(), started.elapsed().as_secs_f64())
    }
}

fn drive(mine: &mut [Busy], passed: &AtomicUsize, bytes: usize) {
    for one in mine.iter_mut() {
        (0..one.depth).for_each(|_| one.ask());
    }
    'all: loop {
        for one in mine.iter_mut() {
            if passed.fetch_add(one.take(), Ordering::Relaxed) + one.moves >= bytes {
                one.depth -= 1;
                break 'all;
            }
            one.ask();
        }
    }
    // What was asked for comes all the same, and counts.
    for one in mine {
        for _ in 0..one.depth {
            passed.fetch_add(one.take(), Ordering::Relaxed);
        }
    }
}
