use std::sync::Mutex as StdMutex;

use time::macros::datetime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cells::GIVEN_UP_AFTER;
use super::*;
use crate::store::memory::MemoryStore;
use crate::store::samples::usage;
use crate::store::{Foldable, Place};

fn zone(name: &str) -> ZoneName {
    ZoneName::try_from(name).unwrap()
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn counted(requests: u64) -> BTreeMap<ZoneName, Usage> {
    [(zone("acme"), usage(requests))].into()
}

/// A process's cells, and the records that the store has of them.
struct Bench {
    cells: Cells,
    begun: Moment,
    written: BTreeMap<Place, u64>,
}

impl Bench {
    fn new() -> Self {
        let begun = Moment { wall: datetime!(2026-11-22 10:00 UTC), ..Moment::now() };
        Self { cells: Cells::new("g1".to_owned()), begun, written: BTreeMap::new() }
    }

    fn at(&self, after: Duration) -> Moment {
        Moment { steady: self.begun.steady + after, wall: self.begun.wall + after }
    }

    fn count(&mut self, requests: u64, after: Duration) {
        self.cells.count(counted(requests), month("2026-11"), self.at(after));
    }

    /// What is sent at this moment, which the store gets.
    fn send(&mut self, after: Duration) -> Vec<(Place, Arc<Usage>)> {
        let due = self.cells.due(self.at(after));
        self.written.extend(due.iter().map(|(place, usage)| (place.clone(), usage.total().requests)));
        due
    }

    /// The same, and this process hears of it.
    fn write(&mut self, after: Duration) {
        let at = self.at(after);
        for (place, usage) in self.send(after) {
            self.cells.acknowledge(&place, usage, at);
        }
    }

    fn total(&self) -> u64 {
        self.written.values().sum()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_source_writes_all_that_it_has_counted_and_only_if_that_is_news() {
    let mut bench = Bench::new();
    bench.count(1, SECOND);
    bench.write(SECOND);
    bench.count(10, 2 * SECOND);
    bench.write(2 * SECOND);
    assert_eq!(bench.written.values().collect::<Vec<_>>(), [&11]);
    assert!(bench.send(3 * SECOND).is_empty());
    bench.cells.count(counted(100), month("2026-12"), bench.at(4 * SECOND));
    bench.write(4 * SECOND);
    assert_eq!((bench.written.len(), bench.total()), (2, 111), "a new month has a record of its own");
}

#[test]
fn what_was_not_acknowledged_is_written_again_as_it_was_before_anything_is_added() {
    let mut bench = Bench::new();
    bench.count(1, SECOND);
    bench.send(SECOND);
    bench.count(10, 2 * SECOND);
    bench.send(2 * SECOND);
    assert_eq!(bench.total(), 1);
    bench.write(3 * SECOND);
    bench.write(3 * SECOND);
    assert_eq!((bench.written.len(), bench.total()), (1, 11));
}

#[test]
fn a_source_that_could_not_write_for_long_is_given_up_and_nothing_counts_twice() {
    let mut bench = Bench::new();
    bench.count(1, SECOND);
    bench.write(SECOND);
    let first = bench.written.keys().next().unwrap().clone();
    // The store takes these, and nobody hears of it.
    bench.count(10, 2 * SECOND);
    bench.send(2 * SECOND);
    bench.count(100, 3 * SECOND);
    bench.send(3 * SECOND);
    let late = GIVEN_UP_AFTER + 2 * SECOND;
    let sent = bench.send(late);
    assert!(sent.iter().all(|(place, usage)| *place != first && usage.total().requests == 0), "{sent:?}");
    // And so for hours: what is in doubt does not grow.
    bench.count(1_000, late + SECOND);
    let later = 3 * GIVEN_UP_AFTER;
    let sent = bench.send(later);
    assert!(sent.iter().all(|(_, usage)| usage.total().requests == 0), "{sent:?}");
    bench.write(later + SECOND);
    bench.write(later + SECOND);
    assert_eq!(bench.total(), 1_111);
    assert_eq!(bench.written[&first], 11, "the first source was left alone");
}

#[test]
fn a_source_with_nothing_to_say_ends_and_either_clock_says_how_long_it_was_silent() {
    for on_the_wall in [false, true] {
        let mut bench = Bench::new();
        bench.count(1, SECOND);
        bench.write(SECOND);
        let mut late = bench.at(SECOND);
        if on_the_wall {
            late.wall += GIVEN_UP_AFTER;
        } else {
            late.steady += GIVEN_UP_AFTER;
        }
        assert!(bench.cells.due(late).is_empty());
        bench.cells.count(counted(10), month("2026-11"), late);
        let due = bench.cells.due(late);
        bench.written.extend(due.iter().map(|(place, usage)| (place.clone(), usage.total().requests)));
        assert_eq!((bench.written.len(), bench.total()), (2, 11), "it went on under its old source");
    }
    // A clock that is set back is no silence, and no reason to believe that there was none.
    let mut bench = Bench::new();
    bench.count(1, SECOND);
    bench.write(SECOND);
    let mut back = bench.at(2 * SECOND);
    back.wall -= GIVEN_UP_AFTER;
    bench.cells.count(counted(10), month("2026-11"), back);
    assert_eq!(bench.cells.due(back)[0].1.total().requests, 11);
}

fn store() -> (Arc<MemoryStore>, CancellationToken) {
    let cancel = CancellationToken::new();
    (MemoryStore::start(&TaskTracker::new(), cancel.clone()), cancel)
}

#[tokio::test]
async fn two_processes_and_their_successors_add_up_and_are_folded_into_the_same() {
    let (store, cancel) = store();
    for requests in [1, 10, 100] {
        let all = StdMutex::new(vec![counted(requests), counted(requests)]);
        let take = Box::new(move || all.lock().unwrap().pop().unwrap_or_default());
        let recorder = Recorder::new("g1".to_owned(), Arc::clone(&store) as Arc<dyn Store>, take);
        recorder.record().await;
        recorder.record().await;
        recorder.record().await;
    }
    let today = Month::of(Moment::now().wall);
    let total = || store.ledger().usage(&zone("acme"), today).unwrap().total().requests;
    assert_eq!(total(), 222);
    let rules = Foldable { silent: Duration::ZERO, today, most: 10 };
    assert_eq!(store.ledger().folds(rules)[0].records(), 4, "three sources and the base");
    let folding = fold::at(Arc::clone(&store) as Arc<dyn Store>, fold::Pace::short());
    let folded = async {
        while !store.ledger().folds(rules).is_empty() {
            assert_eq!(total(), 222);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = folding => panic!("it ends"),
        () = folded => {}
    }
    assert_eq!(total(), 222);
    cancel.cancel();
}
