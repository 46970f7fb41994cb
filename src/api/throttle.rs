//! Slows down an address that presents wrong keys. A key has 256 random bits, so this keeps the log quiet
//! rather than the key safe.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use crate::policy::throttle::{self, Pace};

const PACE: Pace = Pace {
    free: 9,
    first: Duration::from_secs(1),
    longest: Duration::from_mins(1),
    forget_after: Duration::from_mins(10),
};

#[derive(Debug)]
pub(super) struct Throttle(Mutex<throttle::Throttle<IpAddr>>);

impl Default for Throttle {
    fn default() -> Self {
        Self(Mutex::new(throttle::Throttle::new(PACE)))
    }
}

impl Throttle {
    /// How much longer an address has to wait.
    pub(super) fn blocked(&self, peer: IpAddr, now: OffsetDateTime) -> Option<Duration> {
        self.lock().wait(&peer, now)
    }

    pub(super) fn failed(&self, peer: IpAddr, now: OffsetDateTime) {
        self.lock().failed(peer, now);
    }

    pub(super) fn succeeded(&self, peer: IpAddr) {
        self.lock().succeeded(&peer);
    }

    /// A panic of another holder leaves nothing half done here.
    fn lock(&self) -> MutexGuard<'_, throttle::Throttle<IpAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
