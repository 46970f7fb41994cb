//! The store in memory: one process, which always leads. For quickstart and fast tests; nothing survives.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ledger::Records;
use super::record::{Line, lag_key, lag_value, usage_key, usage_value};
use super::roster::{NODE_LIFETIME, Roster};
use super::{
    AuditStretch, Change, Health, Heartbeat, Leadership, Ledger, Nodes, Place, State, Store, StoreError,
    StoreFuture, changes,
};
use crate::zone::{Sequence, Usage, ZoneLag, ZoneName};

/// Audit events that are kept to look at; older ones are dropped.
const AUDIT_EVENTS_KEPT: usize = 1_000;

/// How often nodes that fell silent are looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_millis(250);

/// See the module. Cheap to share as `Arc`.
#[derive(Debug)]
pub struct MemoryStore {
    state: watch::Sender<Option<Arc<State>>>,
    nodes: watch::Sender<Arc<Nodes>>,
    leadership: watch::Sender<Leadership>,
    health: watch::Sender<Health>,
    roster: Mutex<Roster>,
    audit: Mutex<AuditLog>,
    ledger: Ledger,
}

/// The last events, each with its place.
#[derive(Debug, Default)]
struct AuditLog {
    events: VecDeque<(u64, serde_json::Value)>,
    next: u64,
}

impl MemoryStore {
    /// An empty store. One task of `tracker` forgets silent nodes until `cancel`.
    pub fn start(tracker: &TaskTracker, cancel: CancellationToken) -> Arc<Self> {
        Self::with_node_lifetime(NODE_LIFETIME, tracker, cancel)
    }

    /// As [`start`](Self::start); a node is gone after `lifetime`.
    pub fn with_node_lifetime(
        lifetime: Duration,
        tracker: &TaskTracker,
        cancel: CancellationToken,
    ) -> Arc<Self> {
        tracing::warn!(
            "the state is kept in memory: it belongs to this process alone and is lost when it ends"
        );
        let store = Arc::new(Self {
            state: watch::Sender::new(Some(Arc::new(State::default()))),
            nodes: watch::Sender::new(Arc::default()),
            leadership: watch::Sender::new(Leadership::Leading),
            health: watch::Sender::new(Health::Current),
            roster: Mutex::new(Roster::new(lifetime)),
            audit: Mutex::default(),
            ledger: Ledger::new(),
        });
        store.ledger.publish(Records::default());
        let expiring = Arc::clone(&store);
        tracker.spawn(async move {
            let mut tick = tokio::time::interval(EXPIRY_INTERVAL);
            while cancel.run_until_cancelled(tick.tick()).await.is_some() {
                let mut roster = lock(&expiring.roster);
                if roster.expire(Instant::now()) {
                    expiring.nodes.send_replace(roster.nodes());
                }
            }
        });
        store
    }

    /// The last audit events, oldest first.
    pub fn audit_events(&self) -> Vec<serde_json::Value> {
        lock(&self.audit).events.iter().map(|(_, event)| event.clone()).collect()
    }

    fn append(&self, event: serde_json::Value) {
        let mut log = lock(&self.audit);
        if log.events.len() == AUDIT_EVENTS_KEPT {
            log.events.pop_front();
        }
        let place = log.next;
        log.events.push_back((place, event));
        log.next += 1;
    }

    fn commit_now(&self, changes: Vec<Change>) -> Result<Sequence, StoreError> {
        let mut outcome = Err(StoreError::NotLeader);
        // The sender's lock makes reading the old state and publishing the new one a single step.
        self.state.send_if_modified(|published| {
            let state = published.as_deref().cloned().unwrap_or_default();
            let sequence = changes::number(&changes, state.sequence);
            outcome = changes::complete(changes, &state).and_then(|(complete, _)| {
                self.fold(&complete)?;
                for change in &complete {
                    if let Change::Audit(event) = change {
                        self.append(changes::numbered(event, sequence));
                    }
                }
                *published = Some(Arc::new(state.after(complete, sequence)));
                Ok(sequence)
            });
            outcome.is_ok()
        });
        outcome
    }

    fn fold(&self, changes: &[Change]) -> Result<(), StoreError> {
        let mut lines = Vec::new();
        for fold in self.ledger.folds_among(changes)? {
            lines.extend(Line::fold(fold)?);
        }
        for line in lines {
            self.ledger.take(line.key.as_bytes(), line.value.as_deref());
        }
        Ok(())
    }
}

/// A panic of another holder leaves nothing half done here, so its poison is no reason to stop.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for MemoryStore {
    fn state(&self) -> watch::Receiver<Option<Arc<State>>> {
        self.state.subscribe()
    }

    fn nodes(&self) -> watch::Receiver<Arc<Nodes>> {
        self.nodes.subscribe()
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    fn commit(&self, changes: Vec<Change>) -> StoreFuture<'_, Sequence> {
        Box::pin(async move { self.commit_now(changes) })
    }

    fn heartbeat(&self, heartbeat: Heartbeat) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut roster = lock(&self.roster);
            roster.record(heartbeat, Instant::now());
            self.nodes.send_replace(roster.nodes());
            Ok(())
        })
    }

    fn leave(&self, node: String) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut roster = lock(&self.roster);
            roster.remove(&node);
            self.nodes.send_replace(roster.nodes());
            Ok(())
        })
    }

    fn audit(&self, event: serde_json::Value) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.append(event);
            Ok(())
        })
    }

    fn read_audit(&self, before: Option<u64>) -> StoreFuture<'_, AuditStretch> {
        Box::pin(async move {
            let log = lock(&self.audit);
            let events =
                log.events.iter().rev().filter(|(place, _)| before.is_none_or(|before| *place < before));
            Ok(AuditStretch { events: events.cloned().collect(), older: None })
        })
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn record_usage(&self, place: Place, usage: Arc<Usage>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let value = usage_value(&usage, &[])?;
            self.ledger.take(usage_key(&place).as_bytes(), Some(&value));
            Ok(())
        })
    }

    fn record_lag(&self, zone: ZoneName, lag: Option<Arc<ZoneLag>>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let value = lag.map(|lag| lag_value(&lag)).transpose()?;
            self.ledger.take(lag_key(&zone).as_bytes(), value.as_deref());
            Ok(())
        })
    }

    fn confirm_leadership(&self) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
