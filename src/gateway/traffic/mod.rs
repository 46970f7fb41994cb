//! Traffic control: what the limits of zones do to their connections (`spec.trafficControlPolicies`).
//!
//! * A produce is forwarded, whatever the rate: refusing it would break the sequence of an idempotent producer. What it is worth is
//!   charged to the zone's meter, its answer says for how long the connection is held back, and the next request waits for so long
//!   (KIP-219): clients that do not know of throttling are slowed by that alone.
//! * A fetch is charged when its answer comes, which passes in full: an empty one in its place would leave the broker's and the
//!   client's idea of a fetch session apart. It asks for no more than a second's worth ([`Pace::quota`]), as on a broker with quotas,
//!   and the next one of its connection waits for that answer ([`Pace::fetch_is_answered`]). To charge what it asks for beforehand
//!   would hold back those who wait for records that do not come.
//! * A commit is answered at once too, and the next request waits. Only if the next one would have to wait longer than
//!   [`connection::LONGEST_FOR_FEW`] it is refused, with COORDINATOR_LOAD_IN_PROGRESS: of the errors that clients retry on, Java's and
//!   librdkafka's, it is the one that does not make them look for another coordinator.
//! * A connection beyond `maxConnections` is closed after its login: an error there would be final for clients. One beyond
//!   `maxConnectionRate` waits after its login, and is closed if it would have to wait long.
//!
//! Meters belong to a zone and live as long as it is served, so that a new connection finds what the last one left. Nobody waits for
//! somebody else's connection: each waits for what it was charged itself, outside of every lock, with no memory of the budget in its hands.

mod connection;
mod heard;
#[cfg(test)]
mod tests;
pub(crate) mod throttle_time;
mod zone;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub(crate) use self::connection::{GLANCE, Pace, Quota, admit};
use self::heard::Heard;
pub use self::heard::{Demands, Reports};
use self::zone::ZoneTraffic;
use crate::policy::Served;
use crate::zone::{TrafficControl, ZoneId, ZoneName};

/// The zones of this gateway, and what the nodes said of them.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    zones: Mutex<HashMap<ZoneId, Arc<ZoneTraffic>>>,
    heard: Mutex<Heard>,
}

impl Traffic {
    /// Takes over the limits of what is served. Zones that are gone, or have no limit and no connection, are forgotten.
    pub(crate) fn follow(&self, served: &Served, now: Instant) {
        let heard = lock(&self.heard);
        let mut zones = lock(&self.zones);
        let ids: HashSet<ZoneId> = served.zones.iter().map(|served| served.id).collect();
        zones.retain(|id, zone| ids.contains(id) && (zone.is_limited() || Arc::strong_count(zone) > 1));
        for served in &served.zones {
            let wanted = &served.zone.traffic_control;
            if *wanted == TrafficControl::default() && !zones.contains_key(&served.id) {
                continue;
            }
            let zone = zones.entry(served.id).or_insert_with(|| ZoneTraffic::new(&served.zone.name));
            zone.limit(wanted, &heard, now);
        }
    }

    /// Takes over what the nodes say, and with it this node's share of every limit.
    pub(crate) fn hear(&self, node: &str, reports: Reports, now: Instant) {
        let mut heard = lock(&self.heard);
        heard.take(node, reports);
        for zone in lock(&self.zones).values() {
            zone.divide(&heard, now);
        }
    }

    /// What this node has to say of zones that have limits and do something.
    pub(crate) fn demands(&self, now: Instant) -> BTreeMap<ZoneName, Demands> {
        let zones: Vec<_> = lock(&self.zones).values().cloned().collect();
        let said = zones.iter().map(|zone| (zone.name().clone(), zone.demands(now)));
        said.filter(|(_, demands)| !demands.is_empty()).collect()
    }

    fn of(&self, id: ZoneId, name: &ZoneName) -> Arc<ZoneTraffic> {
        Arc::clone(lock(&self.zones).entry(id).or_insert_with(|| ZoneTraffic::new(name)))
    }
}

/// A panic of another holder leaves nothing half done here that matters more than the traffic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
