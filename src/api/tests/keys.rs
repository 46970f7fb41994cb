//! API keys that are deleted at one moment.

use super::*;
use crate::store::{AuditStretch, Ledger, Place};
use crate::zone::{Usage, ZoneLag, ZoneName};

/// Longer than two requests take that are made at one moment.
const A_WHILE: Duration = Duration::from_millis(200);

#[tokio::test]
async fn two_admins_who_delete_each_others_key_leave_one() {
    let store = memory_store();
    let [one, other] = [key_of(&*store, ApiKeyRole::Admin).await, key_of(&*store, ApiKeyRole::Admin).await];
    let node = Node::start("n1", Arc::new(Slow(Arc::clone(&store)))).await;
    let delete = async |by: &str, whose: &str| {
        let path = format!("/api/v1/api-keys/{}", whose.split('_').nth(1).unwrap());
        node.send(Method::DELETE, &path, by, None).await.0
    };
    let ends = tokio::join!(delete(&one, &other), delete(&other, &one));
    let left = store.state().borrow().as_ref().unwrap().api_keys.len();
    assert_eq!(left, 1, "{ends:?}");
    assert!([ends.0, ends.1].contains(&StatusCode::NO_CONTENT), "{ends:?}");
}

/// A store whose commits take a while, as they do over a network.
#[derive(Debug)]
struct Slow(Arc<MemoryStore>);

impl Store for Slow {
    fn state(&self) -> watch::Receiver<Option<Arc<State>>> {
        self.0.state()
    }

    fn nodes(&self) -> watch::Receiver<Arc<Nodes>> {
        self.0.nodes()
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.0.leadership()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.0.health()
    }

    fn commit(&self, changes: Vec<Change>) -> StoreFuture<'_, Sequence> {
        Box::pin(async move {
            tokio::time::sleep(A_WHILE).await;
            self.0.commit(changes).await
        })
    }

    fn heartbeat(&self, heartbeat: Heartbeat) -> StoreFuture<'_, ()> {
        self.0.heartbeat(heartbeat)
    }

    fn leave(&self, node: String) -> StoreFuture<'_, ()> {
        self.0.leave(node)
    }

    fn audit(&self, event: Value) -> StoreFuture<'_, ()> {
        self.0.audit(event)
    }

    fn read_audit(&self, before: Option<u64>) -> StoreFuture<'_, AuditStretch> {
        self.0.read_audit(before)
    }

    fn ledger(&self) -> &Ledger {
        self.0.ledger()
    }

    fn record_usage(&self, place: Place, usage: Arc<Usage>) -> StoreFuture<'_, ()> {
        self.0.record_usage(place, usage)
    }

    fn record_lag(&self, zone: ZoneName, lag: Option<Arc<ZoneLag>>) -> StoreFuture<'_, ()> {
        self.0.record_lag(zone, lag)
    }

    fn confirm_leadership(&self) -> StoreFuture<'_, ()> {
        self.0.confirm_leadership()
    }
}
