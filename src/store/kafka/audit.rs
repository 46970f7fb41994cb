//! Reads the audit topic backwards, committed transactions only: one stretch of it when somebody asks, with a client of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Connection, Reports, lost_position};
use super::reader::{Asked, is_unknown};
use super::{Names, PARTITION};
use crate::store::{AuditStretch, StoreError};

/// Offsets of a stretch. A kafka client reads forwards: where events are larger than [`MAX_BYTES`] together, a shorter stretch is read
/// anew. The last one is read whatever it holds: a broker takes no record that is larger than a megabyte.
const STRETCHES: [(i64, usize); 3] = [(1_000, MAX_BYTES), (100, MAX_BYTES), (10, usize::MAX)];

/// What is read of one stretch at most.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Readings at a time: each is a client with threads of its own.
const READINGS: usize = 2;

/// For a reading, and for the wait until it may begin.
const PATIENCE: Duration = Duration::from_secs(10);

/// For one answer of a broker to which there is no connection yet.
const ANSWER: Duration = Duration::from_secs(5);

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct AuditLog {
    connection: Connection,
    topic: String,
    group: String,
    free: Arc<Semaphore>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl AuditLog {
    pub(super) fn new(
        connection: &Connection,
        names: &Names,
        tracker: &TaskTracker,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            connection: connection.clone(),
            topic: names.audit.clone(),
            group: names.reader_group.clone(),
            free: Arc::new(Semaphore::new(READINGS)),
            tracker: tracker.clone(),
            cancel,
        }
    }

    pub(super) async fn read(&self, before: Option<u64>) -> Result<AuditStretch, StoreError> {
        let waiting = tokio::time::timeout(PATIENCE, Arc::clone(&self.free).acquire_owned());
        // The semaphore is never closed.
        let Ok(Ok(permit)) = waiting.await else { return Err(self.too_slow()) };
        let log = self.clone();
        let reading = self.tracker.spawn_blocking(move || {
            let _permit = permit;
            log.read_now(before.map(|before| i64::try_from(before).unwrap_or(i64::MAX)))
        });
        reading.await.unwrap_or_else(|_| Err(self.too_slow()))
    }

    fn too_slow(&self) -> StoreError {
        StoreError::Unreachable(format!("reading {}: no answer within {} s", self.topic, PATIENCE.as_secs()))
    }

    fn read_now(&self, before: Option<i64>) -> Result<AuditStretch, StoreError> {
        let deadline = Instant::now() + PATIENCE;
        for (offsets, bytes) in STRETCHES {
            if let Some(stretch) = self.stretch(before, offsets, bytes, deadline)? {
                return Ok(stretch);
            }
        }
        Ok(AuditStretch::default())
    }

    /// `None` if it is longer than so many bytes.
    fn stretch(
        &self,
        before: Option<i64>,
        offsets: i64,
        bytes: usize,
        deadline: Instant,
    ) -> Result<Option<AuditStretch>, StoreError> {
        let reports = Reports::default();
        let failed = |error: &KafkaError| match error {
            error if is_unknown(error) => StoreError::NotSetUp(self.topic.clone()),
            error => reports.unreachable(&format!("reading {}", self.topic), error),
        };
        // A client is given its partition once ([`super::reader::Reader`]).
        let consumer = Asked::new(self.connection.reader(&self.group, reports.clone())?);
        let (low, high) =
            consumer.fetch_watermarks(&self.topic, PARTITION, ANSWER).map_err(|error| failed(&error))?;
        let end = before.map_or(high, |before| before.min(high));
        let start = end.saturating_sub(offsets).max(low);
        let mut stretch = AuditStretch::default();
        if start >= end {
            return Ok(Some(stretch));
        }
        let mut partitions = TopicPartitionList::new();
        partitions
            .add_partition_offset(&self.topic, PARTITION, Offset::Offset(start))
            .and_then(|()| consumer.assign(&partitions))
            .map_err(|error| failed(&error))?;
        let mut read = 0;
        loop {
            if Instant::now() >= deadline || self.cancel.is_cancelled() {
                return Err(self.too_slow());
            }
            match consumer.poll() {
                None => {}
                // Markers of transactions take offsets too: what ends a stretch may be no event.
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Ok(message)) if message.offset() >= end => break,
                Some(Ok(message)) => {
                    let payload = message.payload().unwrap_or_default();
                    read += payload.len();
                    if read > bytes {
                        return Ok(None);
                    }
                    let event = serde_json::from_slice(payload).ok().filter(serde_json::Value::is_object);
                    let place = u64::try_from(message.offset()).unwrap_or_default();
                    stretch.events.extend(event.map(|event| (place, event)));
                }
                Some(Err(error)) if lost_position(&error) => {
                    let detail = "the audit log's retention took what was to be read; ask again";
                    return Err(StoreError::Conflict(detail.to_owned()));
                }
                // The client goes on by itself.
                Some(Err(error)) => tracing::debug!(%error, "reading the audit log"),
            }
        }
        stretch.events.reverse();
        stretch.older = (start > low).then_some(u64::try_from(start).unwrap_or_default());
        Ok(Some(stretch))
    }
}
