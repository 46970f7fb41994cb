//! Slows down an address that presents wrong keys. A key has 256 random bits, so this keeps the log quiet
//! rather than the key safe.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures that cost nothing: people mistype.
const FREE_FAILURES: u32 = 10;
const LONGEST_BLOCK: Duration = Duration::from_mins(1);
/// After this long without a failure an address starts anew.
const FORGET_AFTER: Duration = Duration::from_mins(10);
/// Addresses that are remembered; beyond that the oldest is forgotten.
const MAX_ADDRESSES: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<IpAddr, Failures>>);

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn blocked_until(self) -> Option<Instant> {
        let beyond = self.count.checked_sub(FREE_FAILURES)?;
        let block = Duration::from_secs(1_u64.checked_shl(beyond).unwrap_or(u64::MAX)).min(LONGEST_BLOCK);
        self.last.checked_add(block)
    }
}

impl Throttle {
    /// How much longer an address has to wait.
    pub(super) fn blocked(&self, peer: IpAddr, now: Instant) -> Option<Duration> {
        let until = self.lock().get(&peer).copied()?.blocked_until()?;
        until.checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    pub(super) fn failed(&self, peer: IpAddr, now: Instant) {
        let mut all = self.lock();
        if all.len() >= MAX_ADDRESSES && !all.contains_key(&peer) {
            let oldest = all.iter().min_by_key(|(_, failures)| failures.last).map(|(address, _)| *address);
            oldest.map(|address| all.remove(&address));
        }
        let failures = all.entry(peer).or_insert(Failures { count: 0, last: now });
        if now.saturating_duration_since(failures.last) > FORGET_AFTER {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    pub(super) fn succeeded(&self, peer: IpAddr) {
        self.lock().remove(&peer);
    }

    /// A panic of another holder leaves nothing half done here.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_is_blocked_longer_with_every_failure_until_it_succeeds() {
        let throttle = Throttle::default();
        let (peer, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let start = Instant::now();
        for _ in 1..FREE_FAILURES {
            throttle.failed(peer, start);
        }
        assert_eq!(throttle.blocked(peer, start), None, "some failures are free");
        for wanted in [1, 2, 4, 8, 16, 32, 60, 60] {
            throttle.failed(peer, start);
            assert_eq!(throttle.blocked(peer, start), Some(Duration::from_secs(wanted)));
        }
        assert_eq!(throttle.blocked(other, start), None, "another address is not concerned");
        assert_eq!(throttle.blocked(peer, start + Duration::from_mins(1)), None);
        throttle.succeeded(peer);
        assert_eq!(throttle.blocked(peer, start), None);
    }

    #[test]
    fn memory_is_bounded_however_many_addresses_fail() {
        let throttle = Throttle::default();
        let start = Instant::now();
        for n in 0..u32::try_from(MAX_ADDRESSES).unwrap() + 100 {
            throttle.failed(Ipv4Addr::from(n).into(), start + Duration::from_millis(n.into()));
        }
        assert_eq!(throttle.lock().len(), MAX_ADDRESSES);
    }
}
