//! What one zone may take of this process: a partner who takes all it can leaves the others theirs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::budget::{Budget, Exhausted, Reservation, Share};
use crate::zone::ZoneId;

/// How much memory a large frame is worth whose records are edited, in frames.
const EDITED: usize = 3;

/// The allowances of the zones that have connections now; of the others nothing is remembered.
#[derive(Debug)]
pub(crate) struct Allowances {
    budget: Budget,
    connections: usize,
    zones: Mutex<HashMap<ZoneId, Weak<Allowance>>>,
}

#[derive(Debug)]
struct Allowance {
    connections: Arc<Semaphore>,
    buffered: Share,
}

/// A logged-in connection's place among those of its zone; given back on drop.
#[derive(Debug)]
pub(crate) struct Seat {
    zone: Arc<Allowance>,
    _connection: OwnedSemaphorePermit,
}

impl Allowances {
    /// `connections` is for each zone.
    pub(crate) fn new(budget: Budget, connections: usize) -> Self {
        Self { budget, connections: connections.min(Semaphore::MAX_PERMITS), zones: Mutex::default() }
    }

    /// None when the zone has as many connections as it may.
    pub(crate) fn seat(&self, zone: ZoneId) -> Option<Seat> {
        let zone = self.of(zone);
        let connection = Arc::clone(&zone.connections).try_acquire_owned().ok()?;
        Some(Seat { zone, _connection: connection })
    }

    fn of(&self, zone: ZoneId) -> Arc<Allowance> {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = zones.get(&zone).and_then(Weak::upgrade) {
            return known;
        }
        zones.retain(|_, allowance| allowance.strong_count() > 0);
        let fresh = Arc::new(Allowance {
            connections: Arc::new(Semaphore::new(self.connections)),
            buffered: self.budget.share(),
        });
        zones.insert(zone, Arc::downgrade(&fresh));
        fresh
    }
}

impl Seat {
    /// Whether the records of a frame can be edited: they are there as they came, edited, and in what is written.
    pub(crate) fn edits(&self, frame_len: usize) -> bool {
        self.zone.buffered.holds(frame_len.saturating_mul(EDITED))
    }

    /// How much memory such a frame is worth, in frames. One whose records cannot be edited is read, and they are dropped.
    pub(crate) fn edited_worth(&self, frame_len: usize) -> usize {
        if self.edits(frame_len) { EDITED } else { 1 }
    }

    /// Waits for room for so much of a large frame, in the zone's share and in the process.
    pub(crate) async fn reserve(&self, bytes: usize) -> Result<Reservation, Exhausted> {
        self.zone.buffered.reserve(bytes).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus_client::metrics::gauge::Gauge;
    use uuid::Uuid;

    use super::*;

    fn zone(number: u128) -> ZoneId {
        ZoneId(Uuid::from_u128(number))
    }

    fn allowances(connections: usize) -> Allowances {
        Allowances::new(Budget::new(64 << 10, Duration::from_millis(20), Gauge::default()), connections)
    }

    #[test]
    fn a_zone_gets_only_so_many_connections_and_another_one_its_own() {
        let all = allowances(2);
        let (first, _second) = (all.seat(zone(1)).unwrap(), all.seat(zone(1)).unwrap());
        assert!(all.seat(zone(1)).is_none());
        assert!(all.seat(zone(2)).is_some());
        drop(first);
        assert!(all.seat(zone(1)).is_some());
    }

    #[test]
    fn a_zone_without_connections_is_forgotten() {
        let all = allowances(2);
        for number in 0..100 {
            drop(all.seat(zone(number)));
        }
        assert_eq!(all.zones.lock().unwrap().len(), 1, "only the last one, until the next comes");
    }

    #[tokio::test]
    async fn a_zone_that_holds_all_it_can_leaves_another_its_share() {
        let all = allowances(2);
        let (greedy, also_greedy, other) =
            (all.seat(zone(1)).unwrap(), all.seat(zone(1)).unwrap(), all.seat(zone(2)).unwrap());
        let _held = greedy.reserve(32 << 10).await.unwrap();
        assert_eq!(also_greedy.reserve(1 << 10).await.unwrap_err(), Exhausted);
        let _also_held = other.reserve(32 << 10).await.unwrap();
    }
}
