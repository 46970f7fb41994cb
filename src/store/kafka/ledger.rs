//! Reads the usage topic, committed transactions only, into the [`Ledger`] of this process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Names;
use super::connection::{Connection, POLL, lost_position};
use super::reader::{Reader, is_unknown};
use super::tail::{CONTACT_INTERVAL, REREAD_AFTER};
use crate::store::ledger::Records;
use crate::store::{Ledger, StoreError};

/// How long whoever folds waits for the reading. It goes on all the time, so it is behind by some milliseconds.
const CATCH_UP: Duration = Duration::from_secs(5);

/// Follows the topic on a thread of its own, until `cancel`. There may be none yet.
pub(super) fn start(
    connection: &Connection,
    names: &Names,
    tracker: &TaskTracker,
    cancel: CancellationToken,
) -> Result<Arc<Ledger>, StoreError> {
    let from = (names.usage.as_str(), Offset::Beginning);
    let reader = Reader::open(connection, &names.reader_group, from, tracker)?;
    let ledger = Arc::new(Ledger::new());
    let reading = Reading {
        topic: names.usage.clone(),
        ledger: Arc::clone(&ledger),
        fresh: Some(Records::default()),
        last_contact: OffsetDateTime::now_utc(),
        is_gone: false,
    };
    tracker.spawn_blocking(move || reading.run(reader, &cancel));
    Ok(ledger)
}

/// Waits until everything before `end` was read.
pub(super) async fn reaches(ledger: &Ledger, end: i64) -> Result<(), StoreError> {
    let mut position = ledger.position().subscribe();
    let there = position.wait_for(|position| *position >= end);
    match tokio::time::timeout(CATCH_UP, there).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(StoreError::Conflict("not all of the usage topic has been read yet".to_owned())),
    }
}

struct Reading {
    topic: String,
    ledger: Arc<Ledger>,
    /// Of a reading from the start, until it comes to the end: what was there before stays until then.
    fresh: Option<Records>,
    last_contact: OffsetDateTime,
    /// There was no topic when it was looked for last.
    is_gone: bool,
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
                    let key = message.key().unwrap_or_default();
                    match &mut self.fresh {
                        Some(records) => records.take(key, message.payload()),
                        None => self.ledger.take(key, message.payload()),
                    }
                    self.reached(message.offset().saturating_add(1));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => self.end_of_partition(&mut reader),
                Some(Err(error)) if lost_position(&error) => {
                    tracing::warn!("the usage topic was truncated or made anew; it is read again");
                    self.read_again(&mut reader);
                }
                // The client goes on by itself. Another one would only begin anew.
                Some(Err(error)) => tracing::debug!(%error, "reading usage"),
            }
            if Instant::now() >= contact_due {
                self.contact(&mut reader);
                contact_due = Instant::now() + CONTACT_INTERVAL;
            }
        }
    }

    /// Whether there is a client for it.
    fn read_again(&mut self, reader: &mut Reader) -> bool {
        self.fresh = Some(Records::default());
        self.ledger.position().send_replace(0);
        reader.renew().inspect_err(|error| tracing::warn!(%error, "usage cannot be read")).is_ok()
    }

    /// Whoever folds waits for this, so what is read counts only once it is published.
    fn reached(&self, offset: i64) {
        if self.fresh.is_none() {
            self.ledger.position().send_replace(offset);
        }
    }

    fn end_of_partition(&mut self, reader: &mut Reader) {
        let position = reader.position();
        if self.fresh.is_none() {
            // Markers of transactions take offsets too.
            if let Some(position) = position {
                self.reached(position);
            }
            return;
        }
        let Ok((low, high)) = reader.watermarks() else {
            // An end is told once: without this answer there would be no other.
            self.read_again(reader);
            return;
        };
        // A topic in which there is nothing has no position.
        if let Some(position) = position.or((low == high).then_some(high))
            && position >= high
            && let Some(records) = self.fresh.take()
        {
            self.ledger.publish(records);
            self.ledger.found(true);
            self.reached(position);
        }
    }

    fn contact(&mut self, reader: &mut Reader) {
        let high = match reader.watermarks() {
            Ok((_, high)) => high,
            Err(error) => {
                if is_unknown(&error) && !std::mem::replace(&mut self.is_gone, true) {
                    tracing::warn!(topic = self.topic, "there is no usage topic; a controller makes it");
                    self.ledger.found(false);
                }
                return;
            }
        };
        let now = OffsetDateTime::now_utc();
        let away = now - self.last_contact;
        self.last_contact = now;
        let was_gone = std::mem::take(&mut self.is_gone);
        self.ledger.found(true);
        // Tombstones live for a day: whoever was away for long may have missed them.
        if was_gone || high < *self.ledger.position().borrow() || away > REREAD_AFTER {
            self.read_again(reader);
        }
    }
}
