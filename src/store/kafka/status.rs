//! Heartbeats: what the nodes say of themselves, and which of them live.

use std::sync::Arc;
use std::time::Instant;

use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Connection, lost_position};
use super::reader::Reader;
use super::{Names, Timing};
use crate::store::roster::Roster;
use crate::store::{Heartbeat, Nodes, StoreError};

/// Follows the heartbeats on a thread of its own, until `cancel`. It starts at the end of the topic: whoever lives is heard
/// within one heartbeat, and the past says nothing.
///
/// A client that hears nothing for [`Timing::renewal`] is replaced. Where no node lives one is made every so often for nothing, which
/// costs little.
pub(super) fn start(
    connection: &Connection,
    names: &Names,
    timing: Timing,
    tracker: &TaskTracker,
    cancel: CancellationToken,
) -> Result<watch::Receiver<Arc<Nodes>>, StoreError> {
    let (sender, nodes) = watch::channel(Arc::default());
    let mut reader = Reader::open(connection, &names.reader_group, (&names.status, Offset::End), tracker)?;
    tracker.spawn_blocking(move || {
        let mut roster = Roster::new(timing.node_lifetime);
        let mut last_heard = Instant::now();
        while !cancel.is_cancelled() {
            let heard = next(&reader, &mut roster);
            if roster.expire(Instant::now()) || heard == Next::Heartbeat {
                sender.send_replace(roster.nodes());
            }
            if heard == Next::Heartbeat {
                last_heard = Instant::now();
            }
            if heard == Next::Lost || reader.is_due() || last_heard.elapsed() > timing.renewal {
                last_heard = Instant::now();
                match reader.renew() {
                    Ok(()) => tracing::debug!("heartbeats are read with a new client"),
                    Err(error) => tracing::warn!(%error, "heartbeats cannot be read"),
                }
            }
        }
    });
    Ok(nodes)
}

#[derive(PartialEq)]
enum Next {
    Heartbeat,
    Nothing,
    /// The topic's retention has overtaken a reader that was cut off: the end is where to go on.
    Lost,
}

/// Waits a moment for a heartbeat.
fn next(reader: &Reader, roster: &mut Roster) -> Next {
    match reader.poll() {
        None | Some(Err(KafkaError::PartitionEOF(_))) => Next::Nothing,
        Some(Ok(message)) => record(roster, message.key(), message.payload().unwrap_or_default()),
        Some(Err(error)) => {
            tracing::debug!(%error, "reading heartbeats");
            if lost_position(&error) { Next::Lost } else { Next::Nothing }
        }
    }
}

fn record(roster: &mut Roster, node: Option<&[u8]>, payload: &[u8]) -> Next {
    if payload.is_empty() {
        roster.remove(&String::from_utf8_lossy(node.unwrap_or_default()));
        return Next::Heartbeat;
    }
    match serde_json::from_slice::<Heartbeat>(payload) {
        Ok(heartbeat) => {
            roster.record(heartbeat, Instant::now());
            Next::Heartbeat
        }
        Err(error) => {
            tracing::debug!(%error, "a heartbeat that this version cannot read");
            Next::Nothing
        }
    }
}
