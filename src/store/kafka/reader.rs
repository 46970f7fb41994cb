//! Consumers that this process asks without waiting inside of librdkafka ([`time_of_day`](super::time_of_day) says why).

use std::ops::Deref;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::task::TaskTracker;

use super::PARTITION;
use super::connection::{Connection, POLL, QUESTION, Reports};
use super::time_of_day::TimeOfDay;
use crate::store::StoreError;

/// A consumer, and word of what there is to take from it.
pub(super) struct Asked<C: ConsumerContext + 'static> {
    consumer: BaseConsumer<C>,
    news: Receiver<()>,
}

impl<C: ConsumerContext> Asked<C> {
    pub(super) fn new(mut consumer: BaseConsumer<C>) -> Self {
        let (tell, news) = sync_channel(1);
        // Full: it is known already.
        consumer.set_nonempty_callback(move || _ = tell.try_send(()));
        Self { consumer, news }
    }

    /// What comes next, within [`POLL`].
    pub(super) fn poll(&self) -> Option<Result<BorrowedMessage<'_>, KafkaError>> {
        self.consumer.poll(Duration::ZERO).or_else(|| {
            let _ = self.news.recv_timeout(POLL);
            self.consumer.poll(Duration::ZERO)
        })
    }
}

impl<C: ConsumerContext> Deref for Asked<C> {
    type Target = BaseConsumer<C>;

    fn deref(&self) -> &BaseConsumer<C> {
        &self.consumer
    }
}

/// A consumer of one partition, and how to make it anew.
///
/// A client is given its partition once. To begin elsewhere is to take a new one: librdkafka (up to the version that is used here,
/// 2.12) ends the whole process (`rktp->rktp_started`, its issue 5573) when a partition is taken away a second time before it has
/// stopped for the first.
pub(super) struct Reader {
    connection: Connection,
    group: String,
    topic: String,
    from: Offset,
    tracker: TaskTracker,
    time_of_day: TimeOfDay,
    is_due: bool,
    reports: Reports,
    consumer: Asked<Reports>,
}

impl Reader {
    /// Reads the topic from there on.
    pub(super) fn open(
        connection: &Connection,
        group: &str,
        (topic, from): (&str, Offset),
        tracker: &TaskTracker,
    ) -> Result<Self, StoreError> {
        let time_of_day = TimeOfDay::now();
        let (reports, consumer) = client(connection, group, (topic, from))?;
        let (connection, tracker) = (connection.clone(), tracker.clone());
        let (group, topic) = (group.to_owned(), topic.to_owned());
        Ok(Self { connection, group, topic, from, tracker, time_of_day, is_due: false, reports, consumer })
    }

    /// Whether it has to be [renewed](Self::renew): the time of day was set back, or a client could not be made.
    pub(super) fn is_due(&mut self) -> bool {
        self.is_due |= self.time_of_day.was_set_back();
        self.is_due
    }

    /// Begins where it once began, with a new client.
    pub(super) fn renew(&mut self) -> Result<(), StoreError> {
        self.is_due = true;
        let (reports, new) = client(&self.connection, &self.group, (&self.topic, self.from))?;
        let old = std::mem::replace(&mut self.consumer, new);
        (self.reports, self.is_due) = (reports, false);
        // A client that does not work any more may take its time to go.
        self.tracker.spawn_blocking(move || drop(old));
        Ok(())
    }

    /// `error` of a call for `what`, with what the client reported.
    pub(super) fn unreachable(&self, what: &str, error: &KafkaError) -> StoreError {
        self.reports.unreachable(what, error)
    }

    /// The offset of what comes next, if there is one yet.
    pub(super) fn position(&self) -> Option<i64> {
        let positions = self.consumer.position().ok()?;
        match positions.find_partition(&self.topic, PARTITION)?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    /// The first offset of the partition, and the one after its last record.
    pub(super) fn watermarks(&self) -> Result<(i64, i64), KafkaError> {
        self.consumer.fetch_watermarks(&self.topic, PARTITION, QUESTION)
    }
}

fn client(
    connection: &Connection,
    group: &str,
    (topic, from): (&str, Offset),
) -> Result<(Reports, Asked<Reports>), StoreError> {
    let reports = Reports::default();
    let consumer = Asked::new(connection.reader(group, reports.clone())?);
    let mut partitions = TopicPartitionList::new();
    partitions
        .add_partition_offset(topic, PARTITION, from)
        .and_then(|()| consumer.assign(&partitions))
        .map_err(|error| reports.unreachable(&format!("reading {topic}"), &error))?;
    Ok((reports, consumer))
}

impl Deref for Reader {
    type Target = Asked<Reports>;

    fn deref(&self) -> &Asked<Reports> {
        &self.consumer
    }
}

pub(super) fn is_unknown(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
        )
    )
}
