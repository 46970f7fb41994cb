//! The state of the system, its one writer, and what the nodes say of themselves.
//!
//! [`Store`] has two implementations: Kafka (the only one for real use) and memory (quickstart and fast tests, one
//! process). A reader sees whole commits only.
//!
//! | file | what it holds |
//! |---|---|
//! | [`backup`] | the whole state as a document, and what puts it back |
//! | `changes` | what a commit does to a [`State`], the same for both stores |
//! | `continuity` | whether what is read goes on from what is known |
//! | [`ledger`] | what partners used |
//! | `event` | the envelope of what the audit log is told |
//! | `roster` | which nodes live |
//! | `record` | the records of the state topic |
//! | [`kafka`] | the store in Kafka |
//! | [`memory`] | the store in memory |

pub mod backup;
mod changes;
mod continuity;
mod event;
pub mod kafka;
pub mod ledger;
pub mod memory;
mod record;
mod roster;
#[cfg(test)]
pub(crate) mod samples;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::OffsetDateTime;
use tokio::sync::watch;

pub use self::continuity::Lineage;
pub use self::event::{event, name_asker};
pub use self::ledger::{Fold, Foldable, Ledger, Place};
pub use self::record::{Later, PrincipalRow};
use crate::zone::{
    Acceptance, ApiKey, Asked, ClusterName, Controls, Credential, Demand, FailedLogins, KeyId, LastUse,
    Letter, PartnerZone, Principal, ReplayStarts, Revision, Rollback, Scope, Sequence, Spent, Usage, ZoneId,
    ZoneLag, ZoneName,
};

/// Everything the state topic holds, as of one commit. Immutable once published.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The last commit in it.
    pub sequence: Sequence,
    /// The Git revision applied last.
    pub revision: Option<Revision>,
    pub zones: BTreeMap<ZoneName, Arc<ZoneRecord>>,
    pub credentials: BTreeMap<KeyId, Arc<Credential>>,
    /// When each was used last, to about [ten minutes](LAST_USE_STEP). What nodes say of the moment is more exact.
    pub last_uses: BTreeMap<KeyId, LastUse>,
    pub api_keys: BTreeMap<String, Arc<ApiKey>>,
    /// The principals on backing clusters that are ours. Written before the principal is made, and gone after it: what is under our
    /// name and not in here is somebody else's.
    pub principals: Principals,
    /// Where topics stood of which nothing is shared that was there before; of zones that have such topics.
    pub replays: BTreeMap<ZoneName, Arc<ReplayStarts>>,
    /// What operators asked of the controller.
    pub controls: Controls,
    /// What was made use of the trailers of commits that no revision in force has in full, by the commits' ids.
    pub spent: BTreeMap<String, Spent>,
    /// Sessions of the admin API that somebody has ended, and until when they could have lasted, by their ids.
    pub ended_sessions: BTreeMap<String, OffsetDateTime>,
    /// What is to be told outside, and what was, by [`Content::id`](crate::zone::Content::id).
    pub outbox: BTreeMap<String, Arc<Letter>>,
    /// The clusters that were worked with, by the name that the configuration gives them: each with the id it had.
    pub clusters: BTreeMap<ClusterName, String>,
    /// Who leads, as the leader's lease record says.
    pub leader: Option<Lease>,
    /// The store that this is, and those that it goes on from.
    pub lineage: Lineage,
    /// What a leader has to know to write here: [`LEADER_VERSION`] of the newest that led.
    pub leader_version: u32,
    /// What a later version wrote and this one does not know. It stays as it is.
    pub later: Later,
}

/// Raised when an older leader would do harm to what this version writes, although it keeps what it does not know: from then on
/// it leaves the lead to newer ones. 2: where a zone's topics stood goes with the zone.
pub const LEADER_VERSION: u32 = 2;

impl State {
    /// A zone's id: as it was made once, or as it is to be made.
    pub fn id_of(&self, zone: &ZoneName, home_cluster_id: &str) -> ZoneId {
        self.zones.get(zone).map_or_else(|| ZoneId::derive(home_cluster_id, zone), |record| record.id)
    }
}

/// How exact the state is about a credential's last use: it is not written each time.
pub const LAST_USE_STEP: time::Duration = time::Duration::minutes(10);

/// The zones' own principals, each on its cluster.
pub type Principals = BTreeMap<(ClusterName, ZoneName), Principal>;

/// A zone as it was last applied.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneRecord {
    pub id: ZoneId,
    pub zone: Arc<PartnerZone>,
    /// The commit that changed this zone last: READY once every live node serves it.
    pub changed: Sequence,
    /// The source revision that brought this form of it.
    pub revision: Revision,
    pub updated_at: OffsetDateTime,
}

/// The leader's word that it leads, and where it can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Leader")]
pub struct Lease {
    pub node: String,
    /// `http.advertisedUrl` of the leading node.
    pub url: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub renewed_at: OffsetDateTime,
}

/// One change to the state. A commit is a list of them, in order.
#[derive(Debug, Clone)]
pub enum Change {
    /// `changed` is filled in by the store: the sequence of the commit it is part of.
    PutZone(Box<ZoneRecord>),
    /// Takes the zone's credentials with it: a zone of the same name made later must not let an old partner in.
    DeleteZone(ZoneName),
    /// Of a zone that exists; [`StoreError::Conflict`] otherwise.
    PutCredential(Credential),
    DeleteCredential(KeyId),
    /// Writes nothing: the commit is a [`StoreError::Conflict`] unless this credential is still as it is here.
    Expect(Box<Credential>),
    /// This credential was used then.
    Used(KeyId, LastUse),
    /// Written with the end of a credential.
    ForgetUse(KeyId),
    PutApiKey(ApiKey),
    DeleteApiKey(String),
    /// This zone's principal on this cluster is ours.
    PutPrincipal {
        cluster: ClusterName,
        zone: ZoneName,
        principal: Principal,
    },
    DeletePrincipal {
        cluster: ClusterName,
        zone: ZoneName,
    },
    /// Of a zone that exists; it goes with it.
    PutReplay(ZoneName, Arc<ReplayStarts>),
    DeleteReplay(ZoneName),
    Suspend(Scope, Asked),
    Resume(Scope),
    Rollback(Rollback),
    EndRollback,
    Accept(Acceptance),
    /// Takes the place of one of the same [id](crate::zone::Content::id).
    PutLetter(Letter),
    DeleteLetter(String),
    /// The id of the cluster that is behind a name.
    PutCluster(ClusterName, String),
    /// So much of what the trailers of the commit with this id let pass is used up.
    Spend(String, Spent),
    /// It is of no interest any more.
    ForgetSpent(String),
    /// A session of this id counts no more. It could have lasted until then.
    EndSession(String, OffsetDateTime),
    /// It would be over anyway.
    ForgetSession(String),
    /// The source revision that the state now reflects. What was spent before it is forgotten: its commits' trailers do not
    /// count any more.
    Applied(Revision),
    /// Writes no record of its own: what is written with it goes on from another store, which had come to this commit. So the
    /// commit's number is a later one, and whoever has read that store takes what this one holds.
    GoesOn {
        from: Sequence,
        lineage: Lineage,
    },
    /// Records of usage become one. Of the state it changes nothing. A conflict if they are others by now.
    FoldUsage(Fold),
    /// An event of the audit log (CloudEvents 1.0), written with the commit or not at all. `data.sequence` is filled in by the
    /// store: the number of the commit.
    Audit(serde_json::Value),
}

/// What a gateway node says of itself every two seconds (status topic).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    pub node: String,
    /// The commit this node serves.
    pub serving: u64,
    /// Host and port partners bootstrap from, per cluster.
    pub bootstrap: BTreeMap<String, String>,
    /// Whether partners connect under TLS.
    #[serde(default)]
    pub tls: bool,
    /// In SNI mode what follows `<zone>.` in each zone's own bootstrap address: `domain:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub zone_domain: Option<String>,
    /// Zones it cannot serve as wanted, with the reason (zone name → reason).
    pub problems: BTreeMap<String, String>,
    pub connections: u64,
    /// The names of the master keys that this node has.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub master_keys: BTreeSet<String>,
    /// Clients that are connected now, by zone: for plans, which say whom a change concerns.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub usage: BTreeMap<String, ZoneUsage>,
    /// When and from where credentials were used in the last minutes, by key id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub credentials: BTreeMap<String, LastUse>,
    /// Who failed to log in again and again in the last minutes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_logins: Vec<FailedLogins>,
    /// What it uses of the limits of zones and would use, by zone and by the limit's label: the other nodes divide them by it. A
    /// label that a node does not know is none to it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub traffic: BTreeMap<String, BTreeMap<String, Demand>>,
    /// There is more usage than a heartbeat holds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub usage_is_partial: bool,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: OffsetDateTime,
}

/// The clients of one zone on one node, and how many of them use which alias.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ZoneClients")]
pub struct ZoneUsage {
    pub clients: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub topics: BTreeMap<String, u64>,
}

/// Live nodes by id: those whose last heartbeat is at most ten seconds old.
pub type Nodes = BTreeMap<String, Heartbeat>;

/// Whether this process may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leadership {
    Leading,
    /// Somebody else leads, or nobody yet; the lease in [`State`] says who.
    Following,
}

/// Whether what this process reads from the store is up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Nothing whole has been read yet.
    Starting,
    Current,
    /// The store is lost, or holds something that cannot be read: the last snapshot goes on being served.
    Stale {
        since: OffsetDateTime,
        reason: String,
    },
}

/// Closed set: each is one label of the store's error metric.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("this node does not lead")]
    NotLeader,
    #[error("another node has taken over as leader; the change was not made")]
    Fenced,
    #[error("the store cannot be reached: {0}")]
    Unreachable(String),
    #[error("the state is not fit for use: {0}")]
    Unfit(String),
    /// A topic is missing, and this role does not make it. Passes as soon as a controller has started.
    #[error(
        "the topic `{0}` does not exist yet; start a controller (role `all` or `controller`), which creates it"
    )]
    NotSetUp(String),
    /// What the change builds on is gone; the caller may look again and retry.
    #[error("the state has changed meanwhile: {0}")]
    Conflict(String),
}

/// A boxed future, so that the trait can be used as `Arc<dyn Store>`.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A stretch of the audit log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditStretch {
    /// The newest first, each with its place in the log.
    pub events: Vec<(u64, serde_json::Value)>,
    /// There is more of the log before this place.
    pub older: Option<u64>,
}

/// Where state lives. Reading never waits: the receivers hold the last whole commit.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// `None` until the first snapshot is complete: a node without one serves nobody.
    fn state(&self) -> watch::Receiver<Option<Arc<State>>>;

    fn nodes(&self) -> watch::Receiver<Arc<Nodes>>;

    fn leadership(&self) -> watch::Receiver<Leadership>;

    fn health(&self) -> watch::Receiver<Health>;

    /// Writes all changes or none, in one transaction that ends with the revision record, and returns its number once
    /// this process reads it back. Only the leader can.
    fn commit(&self, changes: Vec<Change>) -> StoreFuture<'_, Sequence>;

    /// Tells the others that this node lives and what it serves.
    fn heartbeat(&self, heartbeat: Heartbeat) -> StoreFuture<'_, ()>;

    /// Tells the others that this node is gone, so that nobody waits for it.
    fn leave(&self, node: String) -> StoreFuture<'_, ()>;

    /// Appends to the audit log what no commit goes with: a CloudEvents 1.0 JSON object.
    fn audit(&self, event: serde_json::Value) -> StoreFuture<'_, ()>;

    /// Events of the audit log from before this place in it, or up to its end: those of one bounded stretch, in which there may be none.
    fn read_audit(&self, before: Option<u64>) -> StoreFuture<'_, AuditStretch>;

    /// What is known of usage.
    fn ledger(&self) -> &Ledger;

    /// Writes what a source counted up to now, in place of what it wrote before. Whoever writes it is the source; nobody has to lead.
    fn record_usage(&self, place: Place, usage: Arc<Usage>) -> StoreFuture<'_, ()>;

    /// Writes how far a zone's consumers are behind, in place of what was written before; `None` is the end of it. For the leader.
    fn record_lag(&self, zone: ZoneName, lag: Option<Arc<ZoneLag>>) -> StoreFuture<'_, ()>;

    /// Proves to itself that this process still leads, before anything that fencing does not cover (admin calls, pushes).
    fn confirm_leadership(&self) -> StoreFuture<'_, ()>;
}
