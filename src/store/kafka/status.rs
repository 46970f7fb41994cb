//! Heartbeats: what the nodes say of themselves, and which of them live.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Connection, POLL, Reports};
use super::{Names, PARTITION};
use crate::store::roster::Roster;
use crate::store::{Heartbeat, Nodes, StoreError};

/// Follows the heartbeats on a thread of its own, until `cancel`. It starts at the end of the topic: whoever lives is heard
/// within one heartbeat, and the past says nothing.
pub(super) fn start(
    connection: &Connection,
    names: &Names,
    node_lifetime: Duration,
    tracker: &TaskTracker,
    cancel: CancellationToken,
) -> Result<watch::Receiver<Arc<Nodes>>, StoreError> {
    let reports = Reports::default();
    let consumer = connection.reader(&names.reader_group, reports.clone())?;
    follow(&consumer, &names.status).map_err(|error| reports.unreachable("reading heartbeats", &error))?;
    let (sender, nodes) = watch::channel(Arc::default());
    let topic = names.status.clone();
    tracker.spawn_blocking(move || {
        let mut roster = Roster::new(node_lifetime);
        while !cancel.is_cancelled() {
            let heard = match consumer.poll(POLL) {
                None | Some(Err(KafkaError::PartitionEOF(_))) => false,
                Some(Ok(message)) => {
                    record(&mut roster, message.key(), message.payload().unwrap_or_default())
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "reading heartbeats");
                    // The topic's retention may overtake a reader that was cut off: the end is where to go on.
                    if let Err(error) = follow(&consumer, &topic) {
                        tracing::warn!(%error, "heartbeats cannot be read");
                    }
                    std::thread::sleep(POLL);
                    false
                }
            };
            if roster.expire(Instant::now()) || heard {
                sender.send_replace(roster.nodes());
            }
        }
    });
    Ok(nodes)
}

fn follow(consumer: &BaseConsumer<Reports>, topic: &str) -> Result<(), KafkaError> {
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(topic, PARTITION, Offset::End)?;
    consumer.assign(&partitions)
}

fn record(roster: &mut Roster, node: Option<&[u8]>, payload: &[u8]) -> bool {
    if payload.is_empty() {
        roster.remove(&String::from_utf8_lossy(node.unwrap_or_default()));
        return true;
    }
    match serde_json::from_slice::<Heartbeat>(payload) {
        Ok(heartbeat) => {
            roster.record(heartbeat, Instant::now());
            true
        }
        Err(error) => {
            tracing::debug!(%error, "a heartbeat that this version cannot read");
            false
        }
    }
}
