//! What a run does on the backing clusters, around the commit of the state: widen first, narrow last.
//!
//! ```text
//! observe → plan → widen → commit → every live gateway serves it → narrow
//! ```
//!
//! Between two steps the process may be killed, or lose the lead. So each step is level-triggered: every run of the leader begins
//! with a look at what the clusters have, and the steps do what that look found missing or too much. What a stale leader still sent is
//! undone by the next look.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::plan::Change;
use crate::manifest::{Finding, Loaded};
use crate::store::{State, ZoneRecord};
use crate::zone::{LoginLock, PartnerZone, ZoneId, ZoneName};

/// Zones as a cluster is to serve them, with the ids that passwords and names are derived from.
pub type Zones = BTreeMap<ZoneName, (ZoneId, Arc<PartnerZone>)>;

/// The zones of the state.
pub(super) fn in_force(state: &State) -> Zones {
    let zone = |record: &ZoneRecord| (record.id, Arc::clone(&record.zone));
    state.zones.iter().map(|(name, record)| (name.clone(), zone(record))).collect()
}

/// One run, as far as the clusters are concerned.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// In force when the run began.
    pub before: Zones,
    /// In force once it is committed. Equal to `before` where only the clusters drifted.
    pub after: Zones,
    /// The zones of which the plan lists a change that goes ahead: of no other is anything written on a cluster. The others'
    /// rights stand in `before` and `after` all the same, so that nobody takes them for rights that nobody asks for.
    pub touched: BTreeSet<ZoneName>,
}

/// What a look at the clusters found.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    pub changes: Vec<Change>,
    /// What a person should know or do.
    pub doubts: Vec<Finding>,
    /// Zones that cannot be served as they should be, and why: a new one waits. Looked at anew in each run.
    pub waiting: BTreeMap<ZoneName, String>,
    /// What came of the logins that are in zones' files, and what zones' own principals may do.
    pub locks: BTreeMap<ZoneName, LoginLock>,
}

/// Why a zone's part of a step was not done. The other zones' parts were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackingFailure {
    /// For the operator: cause and next step, without secrets.
    pub message: String,
    /// Trying again helps nothing until the files, or the cluster's settings, change: not permitted, not ours, no authorizer.
    pub is_terminal: bool,
}

/// The zones that failed; empty when all went well. A cluster that cannot be reached fails all its zones that have something
/// to do there.
pub type Failures = BTreeMap<ZoneName, BackingFailure>;

/// A boxed future, so that the trait can be used as `Arc<dyn Backing>`.
pub type BackingFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The backing clusters' principals and ACLs. Without one, every cluster has `isolation: shared`: all zones use the gateway's
/// own principal, and there is nothing to give or to take. The leader alone calls it, and proves that it leads right before
/// [`widen`](Self::widen) and [`narrow`](Self::narrow): what fencing does not cover is sent by a leader only.
pub trait Backing: Send + Sync + std::fmt::Debug {
    /// Reads what the clusters have, in bulk, and says how it differs from what `wanted` asks for: part of the plan. Of a cluster
    /// that cannot be judged there are doubts, and no changes: unknown is not empty.
    fn observe<'a>(&'a self, loaded: &'a Loaded, wanted: &'a Zones) -> BackingFuture<'a, Observation>;

    /// Gives what `after` needs and the clusters lack, takes nothing away, and has read back what it gave. A zone that fails stays
    /// as it was: it is left out of the commit.
    fn widen<'a>(&'a self, step: &'a Step) -> BackingFuture<'a, Failures>;

    /// Takes away what carries our ownership and no zone of `after` asks for. Called once every live gateway serves `after`, so
    /// that nobody's open connection loses what it still needs.
    fn narrow<'a>(&'a self, step: &'a Step) -> BackingFuture<'a, Failures>;
}
