//! Reads the state topic, committed transactions only, and publishes whole commits.
//!
//! At the start nothing is published before the end of the partition: what lies behind has been compacted and is no state
//! that ever was. From then on a snapshot is published at each `revision` record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Names;
use super::connection::{Connection, POLL, lost_position};
use super::reader::{Reader, is_unknown};
use super::snapshot::{Snapshot, Taken, Written};
use crate::store::continuity::{self, REMEDY};
use crate::store::{Health, State, StoreError};

/// How often the broker is asked something, so that a lost store is noticed where nothing is written.
pub(super) const CONTACT_INTERVAL: Duration = Duration::from_secs(3);

/// After a longer absence the topic is read from the start: tombstones live for a day (`delete.retention.ms`), and a deletion
/// that was compacted away would never be seen.
pub(super) const REREAD_AFTER: time::Duration = time::Duration::hours(1);

const TRUNCATED: &str = "the state topic was truncated or made anew; it is read again from its start";

/// What the tail publishes.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    pub(super) state: watch::Receiver<Option<Arc<State>>>,
    pub(super) health: watch::Receiver<Health>,
    /// What is there is not the state, or cannot be read: nobody may write on the strength of it. It does not pass by itself.
    pub(super) unfit: watch::Receiver<bool>,
    /// The offset up to which everything is part of what was read.
    pub(super) position: watch::Receiver<i64>,
    /// What this process writes and is about to read.
    pub(super) written: Written,
}

/// Starts reading on a thread of its own, until `cancel`.
pub(super) fn start(
    connection: &Connection,
    names: &Names,
    tracker: &TaskTracker,
    cancel: CancellationToken,
) -> Result<Tail, StoreError> {
    let from = (names.state.as_str(), Offset::Beginning);
    let reader = Reader::open(connection, &names.reader_group, from, tracker)?;
    let written = Written::default();
    let reading = Reading {
        snapshot: Snapshot::new(written.clone()),
        written: written.clone(),
        at_end: false,
        last_contact: OffsetDateTime::now_utc(),
        state: watch::Sender::new(None),
        health: watch::Sender::new(Health::Starting),
        unfit: watch::Sender::new(false),
        is_gone: false,
        position: watch::Sender::new(0),
    };
    let tail = Tail {
        state: reading.state.subscribe(),
        health: reading.health.subscribe(),
        unfit: reading.unfit.subscribe(),
        position: reading.position.subscribe(),
        written,
    };
    tracker.spawn_blocking(move || reading.run(reader, &cancel));
    Ok(tail)
}

struct Reading {
    snapshot: Snapshot,
    written: Written,
    /// Whether the end of the partition was reached since the start of this reading.
    at_end: bool,
    last_contact: OffsetDateTime,
    state: watch::Sender<Option<Arc<State>>>,
    health: watch::Sender<Health>,
    unfit: watch::Sender<bool>,
    /// There was no topic when it was looked for last.
    is_gone: bool,
    position: watch::Sender<i64>,
}

impl Reading {
    fn run(mut self, mut reader: Reader, cancel: &CancellationToken) {
        let mut contact_due = Instant::now() + CONTACT_INTERVAL;
        while !cancel.is_cancelled() {
            if reader.is_due() && !self.read_again(&mut reader) {
                // What the client of before still brings is no part of the new reading.
                std::thread::sleep(POLL);
                continue;
            }
            match reader.poll() {
                None => {}
                Some(Ok(message)) => {
                    let taken = self.snapshot.take(message.key(), message.payload());
                    if taken == Taken::Commit && self.at_end {
                        self.publish();
                    }
                    self.position.send_replace(message.offset().saturating_add(1));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => self.end_of_partition(&mut reader),
                Some(Err(error)) if lost_position(&error) => {
                    self.stale(TRUNCATED);
                    self.read_again(&mut reader);
                }
                Some(Err(error)) => {
                    self.stale(&reader.unreachable("reading the state", &error).to_string());
                }
            }
            if Instant::now() >= contact_due {
                self.contact(&mut reader);
                contact_due = Instant::now() + CONTACT_INTERVAL;
            }
        }
    }

    /// What is published stays until the new reading has reached the end. Whether there is a client for it.
    fn read_again(&mut self, reader: &mut Reader) -> bool {
        self.snapshot = Snapshot::new(self.written.clone());
        self.at_end = false;
        self.position.send_replace(0);
        reader.renew().inspect_err(|error| self.stale(&error.to_string())).is_ok()
    }

    /// The end of the partition for a reader of committed records: every transaction before it is decided. It is told once, so
    /// how far the reading has come counts whether the broker answers more or not.
    fn end_of_partition(&mut self, reader: &mut Reader) {
        let position = reader.position();
        let (low, high) = match reader.watermarks() {
            Ok(watermarks) => watermarks,
            Err(error) => {
                self.stale(&reader.unreachable("reading the end of the state", &error).to_string());
                // Without this answer the first end is not one; a reading that was there before needs none.
                if !self.at_end {
                    self.read_again(reader);
                } else if let Some(position) = position {
                    self.position.send_replace(position);
                }
                return;
            }
        };
        // Offsets have holes, and markers take some: the position is what counts, never the last record's offset. A topic
        // in which there is nothing has no position.
        if let Some(position) = position.or((low == high).then_some(high)) {
            if !self.at_end && position >= high {
                self.at_end = true;
                self.publish();
            }
            self.position.send_replace(position);
        }
    }

    fn publish(&self) {
        let state = match self.snapshot.state() {
            Ok(state) => state,
            Err(problem) => return self.unfit(&problem),
        };
        let known = self.state.borrow().clone();
        if let Some(problem) = known.and_then(|known| continuity::broken(&known, state)) {
            return self.unfit(&problem);
        }
        self.state.send_replace(Some(Arc::new(state.clone())));
        self.current();
    }

    fn contact(&mut self, reader: &mut Reader) {
        let high = match reader.watermarks() {
            Ok((_, high)) => high,
            Err(error) if is_unknown(&error) => {
                self.is_gone = true;
                return self.unfit(&format!("the state topic is gone; {REMEDY}"));
            }
            Err(error) => {
                return self.stale(&reader.unreachable("reading the state", &error).to_string());
            }
        };
        let now = OffsetDateTime::now_utc();
        let away = now - self.last_contact;
        self.last_contact = now;
        if high < *self.position.borrow() || std::mem::take(&mut self.is_gone) {
            self.stale(TRUNCATED);
            self.read_again(reader);
        } else if away > REREAD_AFTER {
            self.read_again(reader);
        } else if self.at_end && self.snapshot.is_whole() {
            self.publish_if_stale();
        }
    }

    /// The store answers again: what was read up to here is published anew, which also says whether it is fit.
    fn publish_if_stale(&self) {
        let stale = matches!(*self.health.borrow(), Health::Stale { .. });
        if stale {
            self.publish();
        }
    }

    fn current(&self) {
        self.unfit.send_replace(false);
        let recovered = self.health.send_if_modified(|health| {
            let changed = *health != Health::Current;
            *health = Health::Current;
            changed
        });
        if recovered {
            tracing::info!("the state is up to date");
        }
    }

    fn unfit(&self, problem: &str) {
        self.stale(problem);
        self.unfit.send_replace(true);
    }

    fn stale(&self, problem: &str) {
        let news = self.health.send_if_modified(|health| {
            let (since, news) = match health {
                Health::Stale { since, reason } => (*since, reason != problem),
                Health::Starting | Health::Current => (OffsetDateTime::now_utc(), true),
            };
            *health = Health::Stale { since, reason: problem.to_owned() };
            news
        });
        if news {
            tracing::warn!(problem, "the state is not up to date; what was read last stays in use");
        }
    }
}
