//! The meters of one zone on this node, shared by all of its connections.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::heard::{Demands, Heard};
use super::lock;
use crate::policy::traffic::{Meter, Ticket, pace};
use crate::zone::{Demand, Limit, TrafficControl, ZoneName};

/// For how long the other nodes hear of a connection that was turned away.
const TURNED_AWAY_FOR: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct ZoneTraffic {
    name: ZoneName,
    /// Whether there is any limit: most zones have none, and pay nothing for it.
    limited: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the zone may have over all nodes.
    wanted: TrafficControl,
    meters: BTreeMap<Limit, Meter>,
    /// Connections that may be open here; none: any number.
    most_open: Option<u64>,
    open: u64,
    turned_away: Option<Instant>,
}

impl ZoneTraffic {
    pub(super) fn new(name: &ZoneName) -> Arc<Self> {
        Arc::new(Self { name: name.clone(), limited: AtomicBool::new(false), state: Mutex::default() })
    }

    pub(super) fn name(&self) -> &ZoneName {
        &self.name
    }

    pub(super) fn is_limited(&self) -> bool {
        self.limited.load(Ordering::Relaxed)
    }

    /// Takes over what the zone wants. What is owed stays owed, at the new pace.
    pub(super) fn limit(&self, wanted: &TrafficControl, heard: &Heard, now: Instant) {
        self.limited.store(*wanted != TrafficControl::default(), Ordering::Relaxed);
        {
            let mut state = lock(&self.state);
            if state.wanted == *wanted {
                return;
            }
            state.wanted = *wanted;
        }
        self.divide(heard, now);
    }

    /// Takes over this node's share of each limit.
    pub(super) fn divide(&self, heard: &Heard, now: Instant) {
        let mut state = lock(&self.state);
        let wanted = state.wanted;
        state.most_open = wanted.max_connections.map(|of| heard.connections(of, &self.name));
        for limit in Limit::ALL {
            let share = limit.of(&wanted).and_then(|of| pace(limit, heard.rate(limit, of, &self.name), of));
            match (share, state.meters.get_mut(&limit)) {
                (Some(pace), Some(meter)) => meter.set(pace, now),
                (Some(pace), None) => drop(state.meters.insert(limit, Meter::new(pace, now))),
                (None, _) => drop(state.meters.remove(&limit)),
            }
        }
    }

    pub(super) fn demands(&self, now: Instant) -> Demands {
        let mut state = lock(&self.state);
        let mut demands = Demands::new();
        for (limit, meter) in &mut state.meters {
            let (per_second, held) = meter.demand(now);
            let used = rounded_up(per_second * limit.seconds().unwrap_or(1.0));
            demands.insert(*limit, Demand { used, held });
        }
        if state.most_open.is_some() {
            let turned_away = state.turned_away;
            let held = turned_away.is_some_and(|at| now.saturating_duration_since(at) < TURNED_AWAY_FOR);
            demands.insert(Limit::Connections, Demand { used: state.open, held });
        }
        demands.retain(|_, demand| *demand != Demand::default());
        demands
    }

    /// Does something with the meter of a limit, if there is one.
    pub(super) fn metered<T>(&self, limit: Limit, with: impl FnOnce(&mut Meter) -> T) -> Option<T> {
        if !self.is_limited() {
            return None;
        }
        lock(&self.state).meters.get_mut(&limit).map(with)
    }

    /// How long until a charge is paid. None: it is, or there is no limit any more.
    pub(super) fn left(&self, limit: Limit, ticket: Ticket, now: Instant) -> Option<Duration> {
        self.metered(limit, |meter| meter.left(ticket, now)).filter(|left| !left.is_zero())
    }

    /// Counts a connection that comes. None: there are as many as there may be.
    pub(super) fn enter(self: &Arc<Self>, now: Instant) -> Option<Place> {
        let mut state = lock(&self.state);
        if state.most_open.is_some_and(|most| state.open >= most) {
            state.turned_away = Some(now);
            return None;
        }
        state.open += 1;
        Some(Place(Arc::clone(self)))
    }
}

/// A connection that is open; it leaves on drop.
#[derive(Debug)]
pub(super) struct Place(pub(super) Arc<ZoneTraffic>);

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.open = state.open.saturating_sub(1);
    }
}

/// Less than a thousandth of a unit is what is left of a use that has ended.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and is never negative"
)]
fn rounded_up(used: f64) -> u64 {
    if used < 1e-3 { 0 } else { used.ceil() as u64 }
}
