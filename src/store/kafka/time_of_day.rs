//! Notices that the time of day was set back, which librdkafka does not survive.
//!
//! Its threads wait until a time of day (`cnd_timedwait` by `CLOCK_REALTIME`): one that waits when the clock is set back by an hour
//! wakes an hour late, unless something is put before it. Its timers do not run meanwhile, so a consumer stays without a position,
//! or a member of a group without an answer, while nothing reports an error. So clients of before are replaced, and our own threads
//! do not wait inside of them.

use std::time::{Duration, Instant, SystemTime};

use tokio::time::sleep;

/// Less is waited for, and no reason to make anything anew.
const TOLERATED: Duration = Duration::from_secs(1);
/// Between two looks of [`TimeOfDay::set_back`].
const LOOK: Duration = Duration::from_millis(500);

/// A reading of both clocks.
#[derive(Debug)]
pub(super) struct TimeOfDay {
    steady: Instant,
    wall: SystemTime,
}

impl TimeOfDay {
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// Whether it was set back since this was asked last.
    pub(super) fn was_set_back(&mut self) -> bool {
        let before = std::mem::replace(self, Self::now());
        is_behind(before.wall, self.wall, self.steady.saturating_duration_since(before.steady))
    }

    /// Waits until it is set back. What was seen is kept when this is dropped.
    pub(super) async fn set_back(&mut self) {
        while !self.was_set_back() {
            sleep(LOOK).await;
        }
    }
}

/// The outcome of calls to librdkafka, or `None` if the time of day was set back meanwhile: then they may take for ever.
pub(super) async fn unless_set_back<T>(calls: impl Future<Output = T>) -> Option<T> {
    let mut time_of_day = TimeOfDay::now();
    tokio::select! {
        outcome = calls => Some(outcome),
        () = time_of_day.set_back() => None,
    }
}

fn is_behind(before: SystemTime, now: SystemTime, elapsed: Duration) -> bool {
    now + TOLERATED < before + elapsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_goes_back_counts() {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_hours(12);
        let minute = Duration::from_mins(1);
        assert!(is_behind(noon, noon - Duration::from_hours(1), minute));
        assert!(is_behind(noon, noon + minute / 2, minute), "half a minute, however long it took");
        assert!(!is_behind(noon, noon + minute, minute));
        assert!(!is_behind(noon, noon + minute - TOLERATED, minute), "as it is when a clock is kept right");
        assert!(!is_behind(noon, noon + Duration::from_hours(1), minute));
    }
}
