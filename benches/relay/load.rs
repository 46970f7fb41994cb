//! What the clients do: keep every connection busy until enough has passed.

use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::messages::FetchResponse;

use super::requests::{Appetite, By, Topic, accepted, batch, fetch, produce};
use super::scenarios::{Scenario, Work};
use super::site::Peer;
use super::topics::{PARTITIONS, Topics, WIDE_PARTITIONS};
use super::wire::{Client, Frame};

const MIB: i32 = 1 << 20;
/// What a Java client asks for by default.
const JAVA: Appetite = Appetite { partitions: PARTITIONS, partition_bytes: MIB, bytes: 50 * MIB };
/// Threads that drive the connections.
const THREADS: usize = 4;

/// A connection with its next request.
pub(crate) struct Busy {
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
        let Topics { written, filled, small, wide } = &peer.topics;
        let records = match self.work {
            Work::Produce { records, .. } | Work::ProduceMany { records } => batch(records),
            Work::Fetch | Work::Session => Bytes::new(),
        };
        let build = |_| {
            let client = Client::connect(&peer.address);
            match self.work {
                Work::Produce { partitions, .. } => {
                    produce_again(client, by, slice::from_ref(written), partitions, &records)
                }
                Work::ProduceMany { .. } => produce_again(client, by, small, 1, &records),
                Work::Fetch => fetch_again(client, by, filled).0,
                Work::Session => {
                    let (busy, is_session) = follow_again(client, by, wide);
                    assert!(is_session, "no session");
                    busy
                }
            }
        };
        Ready { all: (0..self.connections).map(build).collect() }
    }
}

/// Repeats a fetch of all partitions of a topic, outside of sessions; with the answer that it gets.
pub(crate) fn fetch_again(mut client: Client, by: By, topic: &Topic) -> (Busy, FetchResponse) {
    let request = fetch(by, slice::from_ref(topic), JAVA, (0, -1));
    let answer = client.call(by.fetch(), &request);
    let moves = records_in(&answer);
    (Busy::new(client, Frame::new(by.fetch(), &request), 2, moves), answer)
}

/// Fetches all partitions of wide topics again and again, each moved on by every request: in a session if it is given one, as clients
/// do, and whether it was.
pub(crate) fn follow_again(mut client: Client, by: By, wide: &[Topic]) -> (Busy, bool) {
    let appetite = Appetite { partitions: WIDE_PARTITIONS, ..JAVA };
    let request = fetch(by, wide, appetite, (0, 0));
    let first = client.call(by.fetch(), &request);
    let moves = records_in(&first);
    let frame = match first.session_id {
        0 => Frame::new(by.fetch(), &request),
        id => Frame::in_session(by.fetch(), &fetch(by, wide, appetite, (id, 1))),
    };
    (Busy::new(client, frame, 1, moves), first.session_id != 0)
}

/// Repeats a request with this batch for each partition.
pub(crate) fn produce_again(
    mut client: Client,
    by: By,
    topics: &[Topic],
    partitions: i32,
    batch: &Bytes,
) -> Busy {
    let request = produce(by, topics, partitions, batch);
    assert!(accepted(&client.call(by.produce(), &request)));
    let batches = topics.len() * usize::try_from(partitions).unwrap();
    Busy::new(client, Frame::new(by.produce(), &request), 4, batch.len() * batches)
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

    /// With another count of what each request moves.
    pub(crate) fn moving(self, moves: usize) -> Self {
        Self { moves, ..self }
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
    pub(crate) fn of(connections: usize, busy: impl Fn() -> Busy) -> Self {
        Self { all: (0..connections).map(|_| busy()).collect() }
    }

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
