//! Store → gateway: what is to be served of the zones at this moment, with the credentials that are good now.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::policy::{Served, ServedZone};
use crate::store::{State, ZoneRecord};
use crate::zone::{ClusterName, Credential, Slots, ZoneName};

/// Expiry is looked at this often at least: the wall clock may be set while we sleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What was served last, so that what did not change stays the same value.
#[derive(Debug)]
struct Feed {
    default_cluster: ClusterName,
    last: BTreeMap<ZoneName, Fed>,
}

#[derive(Debug)]
struct Fed {
    record: Arc<ZoneRecord>,
    served: Arc<ServedZone>,
}

/// Publishes what to serve whenever the state changes, a credential expires, or a zone opens or ends. Ends when the store does.
pub(super) async fn run(
    mut states: watch::Receiver<Option<Arc<State>>>,
    default_cluster: ClusterName,
    served: watch::Sender<Option<Arc<Served>>>,
) {
    let mut feed = Feed { default_cluster, last: BTreeMap::new() };
    loop {
        let state = states.borrow_and_update().clone();
        let now = OffsetDateTime::now_utc();
        let mut wait = LONGEST_SLEEP;
        if let Some(state) = state {
            served.send_replace(Some(Arc::new(feed.next(&state, now))));
            wait = until_next_change(&state, now).map_or(wait, |until| until.min(wait));
        }
        tokio::select! {
            changed = states.changed() => if changed.is_err() { return },
            () = sleep(wait) => {}
        }
    }
}

/// How long until time alone changes what is served.
fn until_next_change(state: &State, now: OffsetDateTime) -> Option<Duration> {
    let expiries = state.credentials.values().filter_map(|c| c.expires_at).filter(|at| *at > now);
    let of_zones = state.zones.values().filter_map(|record| record.zone.next_change(now));
    Duration::try_from(expiries.chain(of_zones).min()? - now).ok()
}

impl Feed {
    fn next(&mut self, state: &State, now: OffsetDateTime) -> Served {
        let mut credentials: BTreeMap<&ZoneName, Vec<Arc<Credential>>> = BTreeMap::new();
        for credential in state.credentials.values().filter(|credential| !credential.is_expired(now)) {
            credentials.entry(&credential.zone).or_default().push(Arc::clone(credential));
        }
        let mut last = std::mem::take(&mut self.last);
        for (name, record) in &state.zones {
            let served = ServedZone {
                id: record.id,
                zone: record.zone.without_ended(now),
                cluster: self.cluster_of(record),
                changed: record.changed,
                slots: self.slots(record, state),
                starts: state.replays.get(name).cloned(),
                open: record.zone.access.is_open(now),
                credentials: credentials.remove(name).unwrap_or_default(),
            };
            let same = last.remove(name).filter(|fed| fed.is(record, &served));
            let fresh = || Fed { record: Arc::clone(record), served: Arc::new(served) };
            self.last.insert(name.clone(), same.unwrap_or_else(fresh));
        }
        let zones = self.last.values().map(|fed| Arc::clone(&fed.served)).collect();
        Served { sequence: state.sequence, zones }
    }

    /// The passwords of the zone's principal on its cluster.
    fn slots(&self, record: &ZoneRecord, state: &State) -> Option<Slots> {
        let of = (self.cluster_of(record), record.zone.name.clone());
        state.principals.get(&of)?.slots.clone()
    }

    fn cluster_of(&self, record: &ZoneRecord) -> ClusterName {
        record.zone.underlying_cluster.clone().unwrap_or_else(|| self.default_cluster.clone())
    }
}

impl Fed {
    fn is(&self, record: &Arc<ZoneRecord>, served: &ServedZone) -> bool {
        Arc::ptr_eq(&self.record, record)
            && self.served.open == served.open
            && self.served.slots == served.slots
            && self.served.starts == served.starts
            // Time only takes aliases away, one after the other.
            && self.served.zone.topics.len() == served.zone.topics.len()
            && self.served.credentials.len() == served.credentials.len()
            && self.served.credentials.iter().zip(&served.credentials).all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

#[cfg(test)]
mod tests;
