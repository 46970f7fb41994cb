//! What a verifiable producer and a verifiable consumer saw: every record carries its owner, its partition and its number there.

use std::sync::Mutex;
use std::time::{Duration, Instant};

pub(super) const PARTITIONS: usize = 3;
/// Acknowledgements closer together than this are service.
const GAP: Duration = Duration::from_millis(100);
/// More of them say nothing new.
const COMPLAINTS: usize = 20;

/// The book of one flow.
#[derive(Debug)]
pub(super) struct Ledger {
    owner: String,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    lanes: [Lane; PARTITIONS],
    twice: Vec<Twice>,
    complaints: Vec<String>,
}

/// A record that is in the log again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Twice {
    pub(super) partition: usize,
    pub(super) number: u64,
}

/// One partition.
#[derive(Debug)]
struct Lane {
    sent: u64,
    acknowledged: u64,
    last: Instant,
    gaps: Vec<(Instant, Instant)>,
    /// Offsets by the records' numbers.
    read: Vec<i64>,
    again: u64,
    skipped: u64,
}

/// What was counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) acknowledged: u64,
    /// Records of the log that were not seen although later ones were.
    pub(super) lost: u64,
    /// Records that are in the log more than once.
    pub(super) duplicated: u64,
    /// Records that the consumer was given more than once, as it may be after a failure.
    pub(super) again: u64,
}

impl Ledger {
    pub(super) fn new(owner: &str) -> Self {
        let lanes = std::array::from_fn(|_| Lane {
            sent: 0,
            acknowledged: 0,
            last: Instant::now(),
            gaps: Vec::new(),
            read: Vec::new(),
            again: 0,
            skipped: 0,
        });
        let book = Book { lanes, twice: Vec::new(), complaints: Vec::new() };
        Self { owner: owner.to_owned(), book: Mutex::new(book) }
    }

    /// The next record of a partition.
    pub(super) fn next(&self, partition: usize) -> String {
        let lane = &mut self.book.lock().unwrap().lanes[partition];
        lane.sent += 1;
        format!("{}/{partition}/{}", self.owner, lane.sent - 1)
    }

    /// A record of this partition was acknowledged.
    pub(super) fn acknowledge(&self, partition: usize) {
        let lane = &mut self.book.lock().unwrap().lanes[partition];
        let now = Instant::now();
        if now - lane.last > GAP {
            lane.gaps.push((lane.last, now));
        }
        lane.last = now;
        lane.acknowledged += 1;
    }

    /// A record was read. One that is somebody else's, or not where it belongs, is a complaint.
    pub(super) fn read(&self, partition: usize, offset: i64, text: &str) {
        let number = self.number(partition, text);
        let mut book = self.book.lock().unwrap();
        let Some(number) = number else {
            return book.complain(format!("{}: read {text:?} on partition {partition}", self.owner));
        };
        let lane = &mut book.lanes[partition];
        let next = lane.read.len();
        if let Some(known) = lane.read.get(number) {
            if *known == offset {
                lane.again += 1;
            } else {
                book.twice.push(Twice { partition, number: number as u64 });
            }
        } else {
            lane.skipped += (number - next) as u64;
            lane.read.resize(number, -1);
            lane.read.push(offset);
            if number > next {
                book.complain(format!("{text} at {offset} came instead of number {next}"));
            }
        }
    }

    /// A record's number, if it is one of this flow and this partition.
    pub(super) fn number(&self, partition: usize, text: &str) -> Option<usize> {
        text.strip_prefix(&format!("{}/{partition}/", self.owner))?.parse().ok()
    }

    /// What must not have been said or seen.
    pub(super) fn complain(&self, what: impl Into<String>) {
        self.book.lock().unwrap().complain(what.into());
    }

    pub(super) fn complaints(&self) -> Vec<String> {
        self.book.lock().unwrap().complaints.clone()
    }

    /// How many were acknowledged, and how many read, on each partition.
    pub(super) fn marks(&self) -> [(u64, u64); PARTITIONS] {
        self.book.lock().unwrap().lanes.each_ref().map(|lane| (lane.acknowledged, lane.read.len() as u64))
    }

    /// Those that are in the log again, in the order in which they were seen there.
    pub(super) fn twice(&self) -> Vec<Twice> {
        self.book.lock().unwrap().twice.clone()
    }

    /// How many were sent on each partition.
    pub(super) fn sent(&self) -> [u64; PARTITIONS] {
        self.book.lock().unwrap().lanes.each_ref().map(|lane| lane.sent)
    }

    pub(super) fn counts(&self) -> Counts {
        let book = self.book.lock().unwrap();
        let mut counts = Counts { duplicated: book.twice.len() as u64, ..Counts::default() };
        for lane in &book.lanes {
            counts.acknowledged += lane.acknowledged;
            counts.lost += lane.skipped;
            counts.again += lane.again;
        }
        counts
    }

    /// The longest time without an acknowledgement, on any partition, that reaches behind `since`.
    pub(super) fn longest_gap(&self, since: Instant) -> Duration {
        let book = self.book.lock().unwrap();
        let open = book.lanes.iter().map(|lane| (lane.last, Instant::now()));
        let gaps = book.lanes.iter().flat_map(|lane| lane.gaps.iter().copied()).chain(open);
        gaps.filter(|(_, end)| *end > since).map(|(begin, end)| end - begin).max().unwrap_or_default()
    }
}

impl Book {
    fn complain(&mut self, what: String) {
        if self.complaints.len() < COMPLAINTS {
            self.complaints.push(what);
        }
    }
}

#[test]
fn a_ledger_tells_lost_duplicated_foreign_and_read_again_apart() {
    let ledger = Ledger::new("acme");
    for (offset, text) in [(0, "acme/1/0"), (1, "acme/1/1"), (0, "acme/1/0"), (1, "acme/1/1")] {
        ledger.read(1, offset, text);
    }
    assert_eq!(ledger.counts(), Counts { again: 2, ..Counts::default() });
    ledger.read(1, 2, "acme/1/1");
    assert_eq!(ledger.counts(), Counts { again: 2, duplicated: 1, ..Counts::default() });
    assert_eq!(ledger.complaints(), [""; 0]);
    ledger.read(1, 3, "acme/1/4");
    assert_eq!((ledger.counts().lost, ledger.complaints().len()), (2, 1));
    for text in ["globex/1/5", "acme/2/5", "acme/1/x", ""] {
        ledger.read(1, 4, text);
    }
    assert_eq!(ledger.complaints().len(), 5);
    assert_eq!(ledger.marks(), [(0, 0), (0, 5), (0, 0)]);
}
