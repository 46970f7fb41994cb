//! How many requests a key may make: a program that has run wild is told to wait, before it is in everybody's way.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::policy::traffic::{Meter, Pace};

/// More than any program needs that means well.
const PACE: Pace = Pace { per_second: 50.0, burst: 200.0, most_owed: 0.0 };

/// Keys that are counted at a time: more than there may be ([`super::api_keys`]), for those that were deleted.
const MOST: usize = 2_048;

/// Of one node. What it passes on to the leader counts there too.
#[derive(Debug, Default)]
pub(super) struct Quotas(Mutex<HashMap<String, Used>>);

#[derive(Debug)]
struct Used {
    meter: Meter,
    last: Instant,
}

impl Quotas {
    /// Counts a request of a key, or says for how long it has to wait.
    pub(super) fn take(&self, key: &str, now: Instant) -> Result<(), Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(key) {
            // After some seconds without a request, being forgotten changes nothing.
            let idlest = all.iter().min_by_key(|(_, used)| used.last).map(|(key, _)| key.clone());
            idlest.map(|key| all.remove(&key));
        }
        let anew = || Used { meter: Meter::new(PACE, now), last: now };
        let used = all.entry(key.to_owned()).or_insert_with(anew);
        used.last = now;
        match used.meter.would_wait(1.0, now) {
            Duration::ZERO => {
                used.meter.charge(1.0, now);
                Ok(())
            }
            wait => Err(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn let_in(quotas: &Quotas, key: &str, now: Instant) -> usize {
        (0..1_000).filter(|_| quotas.take(key, now).is_ok()).count()
    }

    #[test]
    fn a_key_has_a_burst_and_then_its_pace_and_another_one_its_own() {
        let (quotas, start) = (Quotas::default(), Instant::now());
        assert_eq!(let_in(&quotas, "one", start), 200);
        let wait = quotas.take("one", start).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_millis(20), "{wait:?}");
        assert_eq!(
            let_in(&quotas, "one", start + Duration::from_secs(1)),
            50,
            "what is refused costs nothing"
        );
        assert_eq!(let_in(&quotas, "two", start), 200);
        assert_eq!(let_in(&quotas, "one", start + Duration::from_hours(1)), 200);
        assert_eq!(let_in(&quotas, "one", start), 0, "a clock that was set back gives nothing");
    }

    #[test]
    fn memory_is_bounded_and_the_key_that_was_idle_longest_is_forgotten() {
        let (quotas, start) = (Quotas::default(), Instant::now());
        for key in 0..MOST + 10 {
            let now = start + Duration::from_millis(u64::try_from(key).unwrap());
            quotas.take(&key.to_string(), now).unwrap();
        }
        let all = quotas.0.lock().unwrap();
        assert_eq!(all.len(), MOST);
        assert!(
            !all.contains_key("9") && all.contains_key("10") && all.contains_key(&(MOST + 9).to_string())
        );
    }
}
