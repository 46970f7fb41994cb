//! Sources of usage that are no more → one record for each zone and month, and none for months of long ago.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::sleep;

use super::cells::GIVEN_UP_AFTER;
use crate::store::{Change, Foldable, Leadership, Store, StoreError};
use crate::zone::Month;

/// How often, and how much at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    interval: Duration,
    silent: Duration,
    /// Records of one commit, about.
    records: usize,
    /// Between two commits, each of which every node reads.
    pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            interval: Duration::from_mins(10),
            silent: 2 * GIVEN_UP_AFTER,
            records: 400,
            pause: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
impl Pace {
    /// At once, and two records at a time.
    pub(super) fn short() -> Self {
        Self { interval: Duration::from_millis(5), silent: Duration::ZERO, records: 2, pause: Duration::ZERO }
    }
}

/// Folds for as long as this node leads and the store lives.
pub(in crate::app) async fn run(store: Arc<dyn Store>) {
    at(store, Pace::default()).await;
}

pub(super) async fn at(store: Arc<dyn Store>, pace: Pace) {
    let mut leadership = store.leadership();
    while leadership.wait_for(|leadership| *leadership == Leadership::Leading).await.is_ok() {
        if let Err(error) = round(&*store, pace).await {
            tracing::debug!(%error, "usage is not added up; it is tried again");
        }
        sleep(pace.interval).await;
    }
}

async fn round(store: &dyn Store, pace: Pace) -> Result<(), StoreError> {
    let rules =
        Foldable { silent: pace.silent, today: Month::of(OffsetDateTime::now_utc()), most: pace.records };
    let mut batch = Vec::new();
    let mut records = 0;
    for fold in store.ledger().folds(rules) {
        records += fold.records();
        batch.push(Change::FoldUsage(fold));
        if records >= pace.records {
            store.commit(std::mem::take(&mut batch)).await?;
            records = 0;
            sleep(pace.pause).await;
        }
    }
    if !batch.is_empty() {
        store.commit(batch).await?;
    }
    Ok(())
}
