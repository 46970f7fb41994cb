//! Gateway → store: what partners used, so that it outlives this process and every node can say it.

mod cells;
mod fold;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::cells::{Cells, Moment};
pub(super) use self::fold::run as fold;
use crate::store::{Store, StoreError};
use crate::zone::{Month, Usage, ZoneName};

/// Between two writes: what a process that is killed has not written yet is lost.
///
/// It is longer than a write that was given up can still be on its way, from a client that was replaced too: an old figure never comes
/// behind a newer one.
const INTERVAL: Duration = Duration::from_secs(15);

/// Records that are on their way at a time.
const AT_ONCE: usize = 100;

/// Gives what was counted since it was asked last.
type Take = Box<dyn Fn() -> BTreeMap<ZoneName, Usage> + Send + Sync>;

/// Writes down what the gateway counts.
pub(super) struct Recorder {
    take: Take,
    store: Arc<dyn Store>,
    cells: Mutex<Cells>,
    was_failing: AtomicBool,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Recorder {
    pub(super) fn new(node: String, store: Arc<dyn Store>, take: Take) -> Self {
        Self { take, store, cells: Mutex::new(Cells::new(node)), was_failing: AtomicBool::new(false) }
    }

    /// Records for as long as it runs. It may be dropped at any moment: what was sent by then is sent again with the next record.
    pub(super) async fn run(&self) {
        loop {
            sleep(INTERVAL).await;
            self.record().await;
        }
    }

    /// Writes all that was counted up to now, unless the store is away: then it is kept for the next time.
    pub(super) async fn record(&self) {
        let written = self.write().await;
        let was_failing = self.was_failing.swap(written.is_err(), Ordering::Relaxed);
        match written {
            Err(error) if !was_failing => {
                tracing::warn!(%error, "usage cannot be written; it is counted on, and tried again");
            }
            Ok(()) if was_failing => tracing::info!("usage is written again"),
            _ => {}
        }
    }

    async fn write(&self) -> Result<(), StoreError> {
        let mut cells = self.cells.lock().await;
        let now = Moment::now();
        cells.count((self.take)(), Month::of(now.wall), now);
        loop {
            // What was in doubt first; once that is settled, what was counted since.
            let due = cells.due(Moment::now());
            if due.is_empty() {
                return Ok(());
            }
            for some in due.chunks(AT_ONCE) {
                let sent = Moment::now();
                let mut writes = JoinSet::new();
                for (place, usage) in some {
                    let (store, place, usage) = (Arc::clone(&self.store), place.clone(), Arc::clone(usage));
                    writes.spawn(async move {
                        store.record_usage(place.clone(), Arc::clone(&usage)).await.map(|()| (place, usage))
                    });
                }
                let mut failure = None;
                while let Some(written) = writes.join_next().await {
                    match written {
                        Ok(Ok((place, usage))) => cells.acknowledge(&place, usage, sent),
                        Ok(Err(error)) => failure = Some(error),
                        Err(error) => failure = Some(StoreError::Unreachable(error.to_string())),
                    }
                }
                failure.map_or(Ok(()), Err)?;
            }
        }
    }
}

#[cfg(test)]
mod tests;
