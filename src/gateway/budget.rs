//! How many bytes of frames the process may hold.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// One permit is a KiB, so that the count fits a semaphore at any size.
const UNIT: usize = 1 << 10;

/// A process-wide allowance. A frame takes its whole length at once, before its first byte is kept: taking it piece by
/// piece, two half-read frames could wait for each other.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    semaphore: Arc<Semaphore>,
    units: usize,
    within: Duration,
    held: Gauge,
}

/// A frame's share; given back on drop.
#[derive(Debug)]
pub(crate) struct Reservation {
    bytes: i64,
    held: Gauge,
    _permit: OwnedSemaphorePermit,
}

/// The process holds as much as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl Budget {
    pub(crate) fn new(bytes: usize, within: Duration, held: Gauge) -> Self {
        let units = (bytes / UNIT).min(Semaphore::MAX_PERMITS);
        Self { semaphore: Arc::new(Semaphore::new(units)), units, within, held }
    }

    /// Waits for room, at most as long as the budget's deadline. A frame larger than the whole budget is refused at once.
    pub(crate) async fn reserve(&self, bytes: usize) -> Result<Reservation, Exhausted> {
        let units = bytes.div_ceil(UNIT);
        if units > self.units {
            return Err(Exhausted);
        }
        let wanted = u32::try_from(units).map_err(|_| Exhausted)?;
        let permit = timeout(self.within, Arc::clone(&self.semaphore).acquire_many_owned(wanted))
            .await
            .map_err(|_| Exhausted)?
            .map_err(|_| Exhausted)?;
        let bytes = i64::try_from(bytes).map_err(|_| Exhausted)?;
        self.held.inc_by(bytes);
        Ok(Reservation { bytes, held: self.held.clone(), _permit: permit })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.held.dec_by(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_given_back_can_be_taken_again() {
        let budget = Budget::new(64 << 10, Duration::from_millis(20), Gauge::default());
        let first = budget.reserve(40 << 10).await.unwrap();
        assert_eq!(budget.held.get(), 40 << 10);
        assert_eq!(budget.reserve(40 << 10).await.unwrap_err(), Exhausted);
        drop(first);
        assert_eq!(budget.held.get(), 0);
        assert!(budget.reserve(64 << 10).await.is_ok());
    }

    #[tokio::test]
    async fn a_frame_above_the_whole_budget_is_refused_without_waiting() {
        let budget = Budget::new(64 << 10, Duration::from_hours(1), Gauge::default());
        assert_eq!(budget.reserve((64 << 10) + 1).await.unwrap_err(), Exhausted);
    }
}
