//! Backing clusters → whoever wants to know: how far the zones' consumers are behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::reconcile::lag::{LagReader, Lags};
use crate::store::{Leadership, State, Store};
use crate::zone::{ZoneLag, ZoneName};

/// Between the beginnings of two looks, unless one takes longer.
pub(super) const INTERVAL: Duration = Duration::from_mins(1);

/// Looks for as long as this node leads and the store lives. Nothing is known on a node that does not lead.
pub(super) async fn run(
    mut leadership: watch::Receiver<Leadership>,
    states: watch::Receiver<Option<Arc<State>>>,
    mut reader: LagReader,
    told: watch::Sender<Arc<Lags>>,
    every: Duration,
) {
    // Who loses the lead and has it again asks no more often.
    let mut turns = interval(every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while leadership.wait_for(|leadership| *leadership == Leadership::Leading).await.is_ok() {
        let look = async {
            turns.tick().await;
            let state = states.borrow().clone();
            let zones = state.iter().flat_map(|state| state.zones.values());
            reader.measure(zones.map(|record| Arc::clone(&record.zone)).collect::<Vec<_>>()).await
        };
        let lags = tokio::select! {
            lags = look => lags,
            _ = leadership.wait_for(|leadership| *leadership != Leadership::Leading) => Lags::new(),
        };
        reader.show(&lags);
        told.send_replace(Arc::new(lags));
    }
}

/// What was measured → every node, as far as it is news.
pub(super) async fn tell(mut measured: watch::Receiver<Arc<Lags>>, store: Arc<dyn Store>) {
    let leadership = store.leadership();
    while measured.changed().await.is_ok() {
        let lags = measured.borrow_and_update().clone();
        let state = store.state().borrow().clone();
        let Some(state) = state.filter(|_| *leadership.borrow() == Leadership::Leading) else { continue };
        for (zone, lag) in news(&lags, &store.ledger().lags(), &state) {
            if let Err(error) = store.record_lag(zone, lag.map(Arc::new)).await {
                tracing::debug!(%error, "lag could not be told; it is tried again with the next look");
                break;
            }
        }
    }
}

/// What is not known as it is. A zone of which nothing could be measured keeps what is known; one that is gone does not.
fn news(lags: &Lags, known: &Lags, state: &State) -> Vec<(ZoneName, Option<ZoneLag>)> {
    let is_news = |(zone, lag): &(&ZoneName, &ZoneLag)| {
        state.zones.contains_key(*zone) && known.get(*zone) != Some(*lag)
    };
    let changed = lags.iter().filter(is_news).map(|(zone, lag)| (zone.clone(), Some(lag.clone())));
    let gone = known.keys().filter(|zone| !state.zones.contains_key(*zone)).map(|zone| (zone.clone(), None));
    changed.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::kafka::client::UpstreamSecurity;
    use crate::reconcile::identity::Address;
    use crate::store::Change;
    use crate::store::memory::MemoryStore;
    use crate::store::samples;
    use crate::zone::GroupLag;

    fn behind(lag: u64) -> ZoneLag {
        let group = GroupLag { group: "g".to_owned(), topic: "orders".to_owned(), lag, partitions: 1 };
        ZoneLag::new(vec![group], false)
    }

    #[tokio::test]
    async fn what_is_measured_is_told_and_ends_with_its_zone_and_not_with_a_cluster_that_is_away() {
        let cancel = tokio_util::sync::CancellationToken::new();
        let store = MemoryStore::start(&tokio_util::task::TaskTracker::new(), cancel.clone());
        let record = samples::zone("acme");
        let name = record.zone.name.clone();
        store.commit(vec![Change::PutZone(Box::new(record))]).await.unwrap();
        let lags = |lag: u64| Arc::new(Lags::from([(name.clone(), behind(lag))]));
        let (measured, measures) = watch::channel(Arc::default());
        let until = async |wanted: Option<ZoneLag>| {
            while store.ledger().lag(&name) != wanted {
                tokio::task::yield_now().await;
            }
        };
        let script = async {
            for lag in [7, 5] {
                measured.send_replace(lags(lag));
                until(Some(behind(lag))).await;
            }
            let state = store.state().borrow().clone().unwrap();
            assert!(news(&lags(5), &store.ledger().lags(), &state).is_empty());
            assert!(news(&Lags::new(), &store.ledger().lags(), &state).is_empty());
            store.commit(vec![Change::DeleteZone(name.clone())]).await.unwrap();
            measured.send_replace(lags(5));
            until(None).await;
        };
        tokio::select! {
            () = tell(measures, Arc::clone(&store) as Arc<dyn Store>) => panic!("it ends"),
            () = script => {}
        }
        cancel.cancel();
    }

    #[tokio::test]
    async fn only_the_leader_looks_no_more_often_than_it_should_and_it_forgets_when_it_leads_no_more() {
        const EVERY: Duration = Duration::from_millis(700);
        let mut registry = Registry::default();
        let nowhere = Address {
            name: "home".try_into().unwrap(),
            bootstrap_servers: "127.0.0.1:1".to_owned(),
            security: UpstreamSecurity::default(),
        };
        let reader = LagReader::new(vec![nowhere], &mut registry);
        // Each look at it fails.
        let looks = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            let count = "partner_zones_lag_failures_total{cluster=\"home\"} ";
            let count = text.lines().find_map(|line| line.strip_prefix(count)).unwrap();
            count.parse::<u32>().unwrap()
        };
        let record = samples::zone("acme");
        let known = Arc::new(Lags::from([(record.zone.name.clone(), ZoneLag::default())]));
        let state =
            State { zones: [(record.zone.name.clone(), Arc::new(record))].into(), ..State::default() };
        let (_states, states) = watch::channel(Some(Arc::new(state)));
        let (leads, leadership) = watch::channel(Leadership::Following);
        let (told, mut hears) = watch::channel(Arc::default());
        let script = async {
            assert!(timeout(EVERY * 2, hears.changed()).await.is_err(), "who does not lead asks nobody");
            leads.send_replace(Leadership::Leading);
            hears.changed().await.unwrap();
            let first = Instant::now();
            assert_eq!(looks(), 1);
            told.send_replace(known);
            hears.mark_unchanged();
            leads.send_replace(Leadership::Following);
            hears.changed().await.unwrap();
            assert!(hears.borrow_and_update().is_empty());
            leads.send_replace(Leadership::Leading);
            for looked in 2..=3 {
                hears.changed().await.unwrap();
                assert_eq!(looks(), looked);
            }
            // The first look itself takes a moment.
            assert!(first.elapsed() > EVERY + EVERY / 2);
        };
        tokio::select! {
            () = run(leadership, states, reader, told.clone(), EVERY) => panic!("it ends"),
            () = script => {}
        }
    }
}
