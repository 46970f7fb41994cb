//! The transactional producer: the one hand that writes the state. Its calls block.
//!
//! A fixed transactional id makes it safe: taking over aborts what a predecessor left open and fences it. A fenced producer
//! hears of it at its next broker call only, and `flush` answers well all the same: what counts is the answer to a commit.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, QUESTION, Reports};
use super::{Names, PARTITION};
use crate::store::StoreError;
use crate::store::record::{Line, Topic};

/// Brokers abort a transaction that is open for longer.
const TRANSACTION_TIMEOUT_MS: &str = "30000";
/// How long a decision may take to be taken: less than the broker's patience.
const DECISION: Duration = Duration::from_secs(20);
/// As above, once the process is to end.
const LAST_DECISION: Duration = Duration::from_millis(1_500);
/// How long taking over may take.
const TAKE_OVER: Duration = Duration::from_mins(1);

pub(super) struct Writer {
    producer: BaseProducer<Reports>,
    reports: Reports,
    topic: String,
    audit: String,
    usage: String,
    cancel: CancellationToken,
}

/// Why a transaction was not made, and whether its writer can go on.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    pub(super) writer: After,
}

/// What has become of a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Usable,
    /// To be dropped: whoever wants to write takes over anew.
    Broken,
}

impl Writer {
    /// Aborts what a predecessor left open and fences it. From here on the topic grows by this writer only.
    pub(super) fn take_over(
        connection: &Connection,
        names: &Names,
        cancel: CancellationToken,
    ) -> Result<Self, StoreError> {
        let reports = Reports::default();
        let ours = [
            ("transactional.id", names.transactional_id.as_str()),
            ("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS),
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("linger.ms", "0"),
            ("message.max.bytes", "4000000"),
            ("compression.type", "lz4"),
        ];
        let producer: BaseProducer<Reports> = connection.client(&ours, reports.clone())?;
        let Names { state: topic, audit, usage, .. } = names.clone();
        let writer = Self { producer, reports, topic, audit, usage, cancel };
        writer
            .persist(TAKE_OVER, |patience| writer.producer.init_transactions(patience))
            .map_err(|error| writer.error("taking over as the store's writer", &error))?;
        Ok(writer)
    }

    /// The end of the state topic. Right after [`take_over`](Self::take_over) it is where the predecessor's records end.
    pub(super) fn end(&self) -> Result<i64, StoreError> {
        self.end_of(&self.topic, "reading the end of the state")
    }

    /// The end of the usage topic.
    pub(super) fn end_of_usage(&self) -> Result<i64, StoreError> {
        self.end_of(&self.usage, "reading the end of the usage topic")
    }

    fn end_of(&self, topic: &str, what: &str) -> Result<i64, StoreError> {
        let watermarks = self.persist(DECISION, |patience| {
            self.producer.client().fetch_watermarks(topic, PARTITION, patience)
        });
        watermarks.map(|(_, high)| high).map_err(|error| self.error(what, &error))
    }

    /// Writes all lines or none.
    pub(super) fn transact(&self, lines: &[Line]) -> Result<(), Failure> {
        let broken = |error| Failure { error, writer: After::Broken };
        self.producer
            .begin_transaction()
            .map_err(|error| broken(self.error("beginning a commit", &error)))?;
        for line in lines {
            if let Err(error) = self.enqueue(line) {
                return Err(self.abort(self.error(&format!("writing the record `{}`", line.key), &error)));
            }
        }
        let committed = self.persist(DECISION, |patience| self.producer.commit_transaction(patience));
        committed.map_err(|error| {
            let reason = self.error("committing", &error);
            match &error {
                KafkaError::Transaction(e) if e.txn_requires_abort() && !e.is_fatal() => self.abort(reason),
                e if is_retriable(e) => broken(StoreError::Unreachable(format!(
                    "{reason}; whether the change was made will show when the store answers again"
                ))),
                _ => broken(reason),
            }
        })
    }

    fn enqueue(&self, line: &Line) -> Result<(), KafkaError> {
        let topic = match line.topic {
            Topic::State => &self.topic,
            Topic::Audit => &self.audit,
            Topic::Usage => &self.usage,
        };
        let mut record = BaseRecord::<str, [u8]>::to(topic).partition(PARTITION).key(&line.key);
        if let Some(value) = &line.value {
            record = record.payload(value);
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.producer.poll(Duration::from_millis(10));
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    fn abort(&self, reason: StoreError) -> Failure {
        let aborted = self.persist(DECISION, |patience| self.producer.abort_transaction(patience));
        let writer = if aborted.is_ok() { After::Usable } else { After::Broken };
        Failure { error: reason, writer }
    }

    /// Repeats a call that librdkafka lets resume after a timeout, so that the process can end between two tries.
    fn persist<T>(
        &self,
        patience: Duration,
        call: impl Fn(Duration) -> Result<T, KafkaError>,
    ) -> Result<T, KafkaError> {
        let mut deadline = Instant::now() + patience;
        let mut ending = false;
        loop {
            let error = match call(QUESTION) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if self.cancel.is_cancelled() && !ending {
                ending = true;
                deadline = deadline.min(Instant::now() + LAST_DECISION);
            }
            if !is_retriable(&error) || Instant::now() >= deadline {
                return Err(error);
            }
            // Serves the log and, where the call failed at once, waits a little.
            self.producer.poll(Duration::from_millis(50));
        }
    }

    fn error(&self, what: &str, error: &KafkaError) -> StoreError {
        let fatal = self.producer.client().fatal_error().map(|(code, _)| code);
        if [error.rdkafka_error_code(), fatal].into_iter().flatten().any(is_fenced) {
            StoreError::Fenced
        } else {
            self.reports.unreachable(what, error)
        }
    }
}

fn is_fenced(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch
    )
}

fn is_retriable(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => error.is_retriable(),
        KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut) => true,
        KafkaError::MetadataFetch(code) => matches!(
            code,
            RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
        ),
        _ => false,
    }
}
