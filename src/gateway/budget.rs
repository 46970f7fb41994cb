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

/// One zone's part of the budget. Parts overlap: all of them together are more than there is, but none of them is all.
#[derive(Debug)]
pub(crate) struct Share {
    of: Budget,
    semaphore: Arc<Semaphore>,
    units: usize,
}

/// What a frame takes; given back on drop.
#[derive(Debug)]
pub(crate) struct Reservation {
    bytes: i64,
    held: Gauge,
    _of_zone: OwnedSemaphorePermit,
    _of_process: OwnedSemaphorePermit,
}

/// The zone, or the process, holds as much as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl Budget {
    pub(crate) fn new(bytes: usize, within: Duration, held: Gauge) -> Self {
        let units = (bytes / UNIT).min(Semaphore::MAX_PERMITS);
        Self { semaphore: Arc::new(Semaphore::new(units)), units, within, held }
    }

    /// A part for a zone: half, so that the largest request that is served fits, and one partner cannot starve another.
    pub(crate) fn share(&self) -> Share {
        let units = self.units / 2;
        Share { of: self.clone(), semaphore: Arc::new(Semaphore::new(units)), units }
    }
}

impl Share {
    /// Whether a frame worth so much can ever be held.
    pub(crate) fn holds(&self, bytes: usize) -> bool {
        bytes.div_ceil(UNIT) <= self.units
    }

    /// Waits for room, at most as long as the budget's deadline. A frame larger than the whole share is refused at once.
    pub(crate) async fn reserve(&self, bytes: usize) -> Result<Reservation, Exhausted> {
        if !self.holds(bytes) {
            return Err(Exhausted);
        }
        let wanted = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| Exhausted)?;
        // The zone's own part first: whoever waits for its neighbours of the same zone is not in anybody else's way.
        let room = async {
            let of_zone = Arc::clone(&self.semaphore).acquire_many_owned(wanted).await;
            let of_process = Arc::clone(&self.of.semaphore).acquire_many_owned(wanted).await;
            of_zone.and_then(|of_zone| Ok((of_zone, of_process?)))
        };
        let room = timeout(self.of.within, room).await.map_err(|_| Exhausted)?;
        let (of_zone, of_process) = room.map_err(|_| Exhausted)?;
        let (bytes, held) = (i64::try_from(bytes).map_err(|_| Exhausted)?, self.of.held.clone());
        held.inc_by(bytes);
        Ok(Reservation { bytes, held, _of_zone: of_zone, _of_process: of_process })
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
        let share = budget.share();
        let first = share.reserve(20 << 10).await.unwrap();
        assert_eq!(budget.held.get(), 20 << 10);
        assert_eq!(share.reserve(20 << 10).await.unwrap_err(), Exhausted);
        drop(first);
        assert_eq!(budget.held.get(), 0);
        assert!(share.reserve(32 << 10).await.is_ok());
    }

    #[tokio::test]
    async fn all_shares_together_get_no_more_than_there_is() {
        let budget = Budget::new(64 << 10, Duration::from_millis(20), Gauge::default());
        let shares = [budget.share(), budget.share(), budget.share()];
        let _first = shares[0].reserve(32 << 10).await.unwrap();
        let _second = shares[1].reserve(32 << 10).await.unwrap();
        assert_eq!(shares[2].reserve(1 << 10).await.unwrap_err(), Exhausted);
    }

    #[tokio::test]
    async fn a_frame_above_the_whole_share_is_refused_without_waiting() {
        let share = Budget::new(64 << 10, Duration::from_hours(1), Gauge::default()).share();
        assert_eq!(share.reserve((32 << 10) + 1).await.unwrap_err(), Exhausted);
    }
}
