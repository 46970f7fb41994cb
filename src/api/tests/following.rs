//! A node that does not lead passes writes on.

use super::*;
use crate::store::{AuditStretch, Ledger, Place};
use crate::zone::{Usage, ZoneLag, ZoneName};

#[tokio::test]
async fn a_follower_passes_writes_to_the_leader_with_the_callers_key() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let viewer = key_of(&*store, ApiKeyRole::Viewer).await;
    put_zone(&*store, "acme", "PLAIN").await;
    heartbeat(&*store, EVERYTHING).await;
    let leader = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let follower = Node::start("n2", Follower::of(store.clone(), Some(("n1", leader.address)))).await;
    let (status, issued) = follower.send(Method::POST, ISSUE, &admin, Some(json!({}))).await;
    assert_eq!(status, StatusCode::CREATED, "{issued}");
    assert_eq!(store.state().borrow().as_ref().unwrap().credentials.len(), 1);
    let answer = follower.request(Method::POST, ISSUE, &admin).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store", "what has a secret in it stays in no memory");
    assert_eq!(follower.send(Method::POST, ISSUE, &viewer, None).await.0, StatusCode::FORBIDDEN);
    let (status, problem) = follower.send(Method::POST, "/api/v1/zones/none/credentials", &admin, None).await;
    assert_eq!((status, problem["status"].as_u64()), (StatusCode::NOT_FOUND, Some(404)));
}

#[tokio::test]
async fn without_a_leader_writes_are_to_be_tried_again_and_never_travel_in_circles() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    let leaderless = Node::start("n1", Follower::of(store.clone(), None)).await;
    // A follower that is told that another follower leads.
    let misled = Node::start("n2", Follower::of(store.clone(), Some(("n1", leaderless.address)))).await;
    let unreachable = SocketAddr::from(([127, 0, 0, 1], 1));
    let lonely = Node::start("n3", Follower::of(store, Some(("gone", unreachable)))).await;
    for node in [leaderless, misled, lonely] {
        let answer = node.request(Method::POST, ISSUE, &admin).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()["retry-after"], "2");
    }
}

/// The store of a node that does not lead: it reads the leader's state and cannot write.
#[derive(Debug)]
pub(super) struct Follower {
    inner: Arc<MemoryStore>,
    state: watch::Sender<Option<Arc<State>>>,
    leadership: watch::Sender<Leadership>,
}

impl Follower {
    pub(super) fn of(inner: Arc<MemoryStore>, leader: Option<(&str, SocketAddr)>) -> Arc<Self> {
        let mut state = State::clone(inner.state().borrow().as_ref().unwrap());
        state.leader = leader.map(|(node, address)| Lease {
            node: node.to_owned(),
            url: format!("http://{address}"),
            renewed_at: OffsetDateTime::now_utc(),
        });
        Arc::new(Self {
            inner,
            state: watch::Sender::new(Some(Arc::new(state))),
            leadership: watch::Sender::new(Leadership::Following),
        })
    }
}

impl Store for Follower {
    fn state(&self) -> watch::Receiver<Option<Arc<State>>> {
        self.state.subscribe()
    }

    fn nodes(&self) -> watch::Receiver<Arc<Nodes>> {
        self.inner.nodes()
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.inner.health()
    }

    fn commit(&self, _: Vec<Change>) -> StoreFuture<'_, Sequence> {
        Box::pin(async { Err(StoreError::NotLeader) })
    }

    fn heartbeat(&self, heartbeat: Heartbeat) -> StoreFuture<'_, ()> {
        self.inner.heartbeat(heartbeat)
    }

    fn leave(&self, node: String) -> StoreFuture<'_, ()> {
        self.inner.leave(node)
    }

    fn audit(&self, event: Value) -> StoreFuture<'_, ()> {
        self.inner.audit(event)
    }

    fn read_audit(&self, before: Option<u64>) -> StoreFuture<'_, AuditStretch> {
        self.inner.read_audit(before)
    }

    fn ledger(&self) -> &Ledger {
        self.inner.ledger()
    }

    fn record_usage(&self, place: Place, usage: Arc<Usage>) -> StoreFuture<'_, ()> {
        self.inner.record_usage(place, usage)
    }

    fn record_lag(&self, zone: ZoneName, lag: Option<Arc<ZoneLag>>) -> StoreFuture<'_, ()> {
        self.inner.record_lag(zone, lag)
    }

    fn confirm_leadership(&self) -> StoreFuture<'_, ()> {
        Box::pin(async { Err(StoreError::NotLeader) })
    }
}
