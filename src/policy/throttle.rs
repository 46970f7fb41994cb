//! Slows down whoever fails again and again: counted by a key, forgotten after a while, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use time::OffsetDateTime;

/// Keys that are remembered; beyond that the one that has failed longest ago is forgotten.
const MOST: usize = 4_096;

/// How fast waiting grows.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Failures that cost nothing: people mistype.
    pub free: u32,
    /// What the first one beyond them costs; each further one twice as much.
    pub first: Duration,
    pub longest: Duration,
    /// After this long without a failure a key starts anew.
    pub forget_after: Duration,
}

/// The failures of many.
#[derive(Debug)]
pub struct Throttle<K> {
    pace: Pace,
    failures: HashMap<K, Failures>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: OffsetDateTime,
}

impl Pace {
    /// What the last of so many failures costs.
    fn cost(&self, count: u32) -> Option<Duration> {
        let beyond = count.checked_sub(self.free.saturating_add(1))?;
        let factor = 1_u32.checked_shl(beyond).unwrap_or(u32::MAX);
        Some(self.first.saturating_mul(factor).min(self.longest))
    }
}

impl<K: Eq + Hash + Clone> Throttle<K> {
    pub fn new(pace: Pace) -> Self {
        Self { pace, failures: HashMap::new() }
    }

    /// How much longer this one has to wait.
    pub fn wait(&self, key: &K, now: OffsetDateTime) -> Option<Duration> {
        let failures = self.failures.get(key)?;
        let cost = self.pace.cost(failures.count)?;
        let left = failures.last + cost - now;
        // A clock that was set back makes nobody wait longer.
        left.is_positive().then(|| left.unsigned_abs().min(cost))
    }

    /// Notes a failure.
    pub fn failed(&mut self, key: K, now: OffsetDateTime) {
        if self.failures.len() >= MOST && !self.failures.contains_key(&key) {
            let oldest = self.failures.iter().min_by_key(|(_, failures)| failures.last);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.map(|key| self.failures.remove(&key));
        }
        let failures = self.failures.entry(key).or_insert(Failures { count: 0, last: now });
        if now - failures.last > self.pace.forget_after {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// Forgets all failures of this one.
    pub fn succeeded(&mut self, key: &K) {
        self.failures.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        free: 2,
        first: Duration::from_secs(1),
        longest: Duration::from_mins(1),
        forget_after: Duration::from_mins(10),
    };

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn who_fails_waits_longer_each_time_until_it_succeeds() {
        let (mut throttle, start) = (Throttle::new(PACE), START);
        for _ in 0..PACE.free {
            throttle.failed("one", start);
        }
        assert_eq!(throttle.wait(&"one", start), None, "some failures are free");
        for wanted in [1, 2, 4, 8, 16, 32, 60, 60] {
            throttle.failed("one", start);
            assert_eq!(throttle.wait(&"one", start), Some(Duration::from_secs(wanted)));
        }
        assert_eq!(throttle.wait(&"two", start), None, "another one is not concerned");
        let half = start + Duration::from_secs(30);
        assert_eq!(throttle.wait(&"one", half), Some(Duration::from_secs(30)));
        assert_eq!(throttle.wait(&"one", start + Duration::from_mins(1)), None);
        assert_eq!(throttle.wait(&"one", start - Duration::from_hours(1)), Some(Duration::from_mins(1)));
        throttle.succeeded(&"one");
        assert_eq!(throttle.wait(&"one", start), None);
    }

    #[test]
    fn failures_are_forgotten_after_a_while_and_count_for_ever_until_then() {
        let (mut throttle, start) = (Throttle::new(PACE), START);
        for _ in 0..100 {
            throttle.failed("one", start);
        }
        let later = start + PACE.forget_after;
        throttle.failed("one", later);
        assert_eq!(throttle.wait(&"one", later), Some(PACE.longest));
        let much_later = later + PACE.forget_after + Duration::from_secs(1);
        throttle.failed("one", much_later);
        assert_eq!(throttle.wait(&"one", much_later), None);
    }

    #[test]
    fn memory_is_bounded_however_many_fail() {
        let (mut throttle, start) = (Throttle::new(PACE), START);
        for key in 0..MOST + 100 {
            throttle.failed(key, start + Duration::from_millis(u64::try_from(key).unwrap()));
        }
        assert_eq!(throttle.failures.len(), MOST);
        assert!(throttle.failures.contains_key(&(MOST + 99)) && !throttle.failures.contains_key(&99));
    }
}
