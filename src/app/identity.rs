//! The store as the controller gets it: before anything is applied, the clusters are asked who they are.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use crate::reconcile::identity::{self, Address, Ids};
use crate::store::{
    AuditStretch, Change, Health, Heartbeat, Leadership, Ledger, Nodes, Place, State, Store, StoreError,
    StoreFuture,
};
use crate::zone::{Sequence, Usage, ZoneLag, ZoneName};

/// Asks for the clusters' ids.
type Ask = Box<dyn Fn() -> StoreFuture<'static, Ids> + Send + Sync>;

/// Leads only as long as every cluster is the one that it was. The ids are remembered in the state.
struct Checked {
    store: Arc<dyn Store>,
    ask: Ask,
}

/// The store, whose lead is confirmed only with the clusters that the state remembers.
pub(super) fn checked(store: &Arc<dyn Store>, clusters: Vec<Address>) -> Arc<dyn Store> {
    let clusters = Arc::new(clusters);
    let ask = move || -> StoreFuture<'static, Ids> {
        let clusters = Arc::clone(&clusters);
        Box::pin(async move { Ok(identity::ask(&clusters).await) })
    };
    Arc::new(Checked { store: Arc::clone(store), ask: Box::new(ask) })
}

impl Checked {
    async fn check(&self) -> Result<(), StoreError> {
        self.store.confirm_leadership().await?;
        let Some(state) = self.store.state().borrow().clone() else { return Ok(()) };
        let now = (self.ask)().await?;
        if let Some(strange) = identity::strange(&state.clusters, &now).into_iter().next() {
            return Err(StoreError::Unfit(strange));
        }
        let new = identity::new(&state.clusters, &now);
        let new: Vec<_> = new.map(|(name, id)| Change::PutCluster(name.clone(), id.clone())).collect();
        if !new.is_empty() {
            self.store.commit(new).await?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checked").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Store for Checked {
    fn state(&self) -> watch::Receiver<Option<Arc<State>>> {
        self.store.state()
    }

    fn nodes(&self) -> watch::Receiver<Arc<Nodes>> {
        self.store.nodes()
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.store.leadership()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.store.health()
    }

    fn commit(&self, changes: Vec<Change>) -> StoreFuture<'_, Sequence> {
        self.store.commit(changes)
    }

    fn heartbeat(&self, heartbeat: Heartbeat) -> StoreFuture<'_, ()> {
        self.store.heartbeat(heartbeat)
    }

    fn leave(&self, node: String) -> StoreFuture<'_, ()> {
        self.store.leave(node)
    }

    fn audit(&self, event: Value) -> StoreFuture<'_, ()> {
        self.store.audit(event)
    }

    fn read_audit(&self, before: Option<u64>) -> StoreFuture<'_, AuditStretch> {
        self.store.read_audit(before)
    }

    fn ledger(&self) -> &Ledger {
        self.store.ledger()
    }

    fn record_usage(&self, place: Place, usage: Arc<Usage>) -> StoreFuture<'_, ()> {
        self.store.record_usage(place, usage)
    }

    fn record_lag(&self, zone: ZoneName, lag: Option<Arc<ZoneLag>>) -> StoreFuture<'_, ()> {
        self.store.record_lag(zone, lag)
    }

    fn confirm_leadership(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.check())
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::store::memory::MemoryStore;

    fn answering(store: &Arc<dyn Store>, id: &'static str) -> Checked {
        let ask = move || -> StoreFuture<'static, Ids> {
            Box::pin(async move { Ok([("default".try_into().unwrap(), id.to_owned())].into()) })
        };
        Checked { store: Arc::clone(store), ask: Box::new(ask) }
    }

    #[tokio::test]
    async fn the_first_id_is_remembered_and_another_one_stops_everything() {
        let store: Arc<dyn Store> = MemoryStore::start(&TaskTracker::new(), CancellationToken::new());
        store.state().wait_for(Option::is_some).await.unwrap();
        answering(&store, "a").confirm_leadership().await.unwrap();
        let remembered = store.state().borrow().as_ref().unwrap().clusters.clone();
        assert_eq!(remembered.into_values().collect::<Vec<_>>(), ["a"]);
        answering(&store, "a").confirm_leadership().await.unwrap();
        let refused = answering(&store, "b").confirm_leadership().await.unwrap_err().to_string();
        assert!(refused.contains("`default` is another one: its id is `b`, and it was `a`"), "{refused}");
    }
}
