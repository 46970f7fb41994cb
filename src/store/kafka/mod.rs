//! The store in Kafka: four topics on the home cluster, one writer.
//!
//! | file | what it does |
//! |---|---|
//! | `topics` | makes and checks the topics |
//! | `tail` | reads the state topic, publishes whole commits (`snapshot` builds them) |
//! | `election` | says who should lead |
//! | `leader` | takes over, renews the lease, commits, steps down (`writer` is its transactional producer) |
//! | `status` | which nodes live |
//! | `ledger` | reads the usage topic |
//! | `audit` | reads the audit topic, when somebody asks |
//! | `announcer` | sends heartbeats, audit events and usage |
//! | `upkeep` | makes topics again whose loss is no loss of state |
//! | `connection` | how to reach the cluster |
//! | `reader` | consumers, and how they are asked |
//! | `time_of_day` | why clients are replaced when the clock is set back |
//!
//! librdkafka's calls block: each reader has a thread of its own, and transactions run on blocking threads.

mod announcer;
mod audit;
mod connection;
mod election;
mod leader;
mod ledger;
mod reader;
mod snapshot;
mod status;
mod tail;
mod time_of_day;
mod topics;
mod upkeep;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::announcer::Announcer;
use self::audit::AuditLog;
use self::connection::{Connection, Reports};
use self::leader::{Command, Identity, Leader};
use self::tail::Tail;
use super::roster::NODE_LIFETIME;
use super::{
    AuditStretch, Change, Health, Heartbeat, Leadership, Ledger, Nodes, Place, State, Store, StoreError,
    StoreFuture,
};
use crate::zone::{Sequence, Usage, ZoneLag, ZoneName};

/// Each of our topics has this one partition.
const PARTITION: i32 = 0;

/// Changes that may wait for the leader; more callers wait with theirs.
const COMMANDS: usize = 64;

/// Where the store is, and who this process is in it.
#[derive(Clone)]
pub struct KafkaOptions {
    /// `host:port,…` of the home cluster.
    pub bootstrap_servers: String,
    /// librdkafka property names; some are secret.
    pub properties: BTreeMap<String, String>,
    /// Copies of each topic; by default three, or as many as there are brokers.
    pub replication: Option<u16>,
    pub role: Role,
    /// This node's id and the URL under which other nodes reach it when it leads.
    pub node: String,
    pub advertised_url: String,
    pub names: Names,
    pub timing: Timing,
}

impl std::fmt::Debug for KafkaOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaOptions")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("role", &self.role)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// What a process may do with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Creates the topics, and may lead.
    Controller,
    /// Creates the topics, and leads at once, whoever does: for a single commit, after which that one goes on.
    Restorer,
    /// Reads the state and sends heartbeats; also what a command that only looks uses.
    Gateway,
}

/// Names on the home cluster. All processes of one installation use the same.
#[derive(Debug, Clone)]
pub struct Names {
    state: String,
    status: String,
    audit: String,
    usage: String,
    leader_group: String,
    reader_group: String,
    transactional_id: String,
}

impl Names {
    /// Everything under a prefix of its own, so that several installations can share a cluster.
    pub fn under(prefix: &str) -> Self {
        Self {
            state: format!("{prefix}.state"),
            status: format!("{prefix}.status"),
            audit: format!("{prefix}.audit"),
            usage: format!("{prefix}.usage"),
            leader_group: format!("{prefix}.leader"),
            reader_group: format!("{prefix}.reader"),
            transactional_id: format!("{prefix}.controller"),
        }
    }

    /// The topics.
    pub fn topics(&self) -> [&str; 4] {
        [&self.state, &self.status, &self.audit, &self.usage]
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::under("_partner-zones")
    }
}

/// How fast failures are noticed.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// After this silence the leader group gives the leadership to another node. Brokers want at least 6 s.
    pub session: Duration,
    /// How often the leader writes its lease, and so at the latest hears that it was fenced.
    pub lease_renewal: Duration,
    /// How long a node lives after its last heartbeat.
    pub node_lifetime: Duration,
    /// After this time every node that lives has been heard. Longer than from one heartbeat to the next.
    pub all_heard: Duration,
    /// A client that has heard no heartbeat for so long, or could not send one, is replaced by a new one.
    pub renewal: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            session: Duration::from_secs(10),
            lease_renewal: Duration::from_secs(5),
            node_lifetime: NODE_LIFETIME,
            all_heard: Duration::from_millis(2_500),
            renewal: Duration::from_secs(30),
        }
    }
}

/// See the module. Reading goes on for as long as its token lives; `Arc` clones share everything.
pub struct KafkaStore {
    cluster_id: String,
    tail: Tail,
    nodes: watch::Receiver<Arc<Nodes>>,
    leadership: watch::Sender<Leadership>,
    /// Of a gateway: nobody listens.
    commands: mpsc::Sender<Command>,
    announcer: Announcer,
    ledger: Arc<Ledger>,
    audit: AuditLog,
}

impl std::fmt::Debug for KafkaStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaStore").field("cluster_id", &self.cluster_id).finish_non_exhaustive()
    }
}

impl KafkaStore {
    /// Checks the topics (a controller makes missing ones) and starts the threads and tasks, which end with `cancel`.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] when no broker answers; [`StoreError::NotSetUp`] when a gateway comes before the first
    /// controller; [`StoreError::Unfit`] when a topic is not as it must be. The first two may pass.
    pub async fn open(
        options: KafkaOptions,
        tracker: &TaskTracker,
        cancel: CancellationToken,
    ) -> Result<Arc<Self>, StoreError> {
        let KafkaOptions { names, timing, role, replication, .. } = options;
        let opened = Instant::now();
        let connection = Connection::new(options.properties, options.bootstrap_servers);
        let cluster_id = topics::prepare(&connection, &names, replication, role).await?;
        // What was started ends again when the rest cannot be.
        let cancel = cancel.child_token();
        let unfinished = cancel.clone().drop_guard();
        let tail = tail::start(&connection, &names, tracker, cancel.clone())?;
        let nodes = status::start(&connection, &names, timing, tracker, cancel.clone())?;
        let ledger = ledger::start(&connection, &names, tracker, cancel.clone())?;
        let announcer = Announcer::new(&connection, &names, timing.renewal, tracker)?;
        let audit = AuditLog::new(&connection, &names, tracker, cancel.clone());
        if role == Role::Controller {
            let admin = connection.client(&[], Reports::default())?;
            let upkeep = upkeep::run(admin, connection.clone(), names.clone(), replication, tracker.clone());
            let cancel = cancel.clone();
            tracker.spawn(async move { cancel.run_until_cancelled(upkeep).await });
        }
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let leadership = watch::Sender::new(Leadership::Following);
        let election = match role {
            Role::Gateway => None,
            Role::Controller => {
                Some(election::start(&connection, &names, timing.session, tracker, cancel.clone())?)
            }
            Role::Restorer => Some(election::unopposed()),
        };
        if let Some((candidacy, rivals)) = election {
            let leader = Leader {
                connection,
                names,
                identity: Identity { node: options.node, url: options.advertised_url },
                lease_renewal: timing.lease_renewal,
                tail: tail.clone(),
                ledger: Arc::clone(&ledger),
                candidacy,
                rivals,
                nodes: nodes.clone(),
                all_heard: opened + timing.all_heard,
                commands: inbox,
                leadership: leadership.clone(),
                tracker: tracker.clone(),
                cancel,
            };
            tracker.spawn(leader.run());
        }
        unfinished.disarm();
        Ok(Arc::new(Self { cluster_id, tail, nodes, leadership, commands, announcer, ledger, audit }))
    }

    /// The home cluster's id, from which zone ids are derived.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// A broker could make the topic for whoever writes to it, and not as it must be.
    fn usage_topic(&self) -> Result<(), StoreError> {
        let topic = || StoreError::NotSetUp(self.announcer.usage_topic().to_owned());
        self.ledger.is_there().then_some(()).ok_or_else(topic)
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Command,
    ) -> Result<T, StoreError> {
        if *self.leadership.borrow() != Leadership::Leading {
            return Err(StoreError::NotLeader);
        }
        let (sender, answer) = oneshot::channel();
        self.commands.send(command(sender)).await.map_err(|_| StoreError::NotLeader)?;
        answer.await.unwrap_or(Err(StoreError::NotLeader))
    }
}

impl Store for KafkaStore {
    fn state(&self) -> watch::Receiver<Option<Arc<State>>> {
        self.tail.state.clone()
    }

    fn nodes(&self) -> watch::Receiver<Arc<Nodes>> {
        self.nodes.clone()
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.tail.health.clone()
    }

    fn commit(&self, changes: Vec<Change>) -> StoreFuture<'_, Sequence> {
        Box::pin(self.ask(|answer| Command::Commit(changes, answer)))
    }

    fn heartbeat(&self, heartbeat: Heartbeat) -> StoreFuture<'_, ()> {
        Box::pin(async move { self.announcer.heartbeat(&heartbeat).await })
    }

    fn leave(&self, node: String) -> StoreFuture<'_, ()> {
        Box::pin(async move { self.announcer.leave(&node).await })
    }

    fn audit(&self, event: serde_json::Value) -> StoreFuture<'_, ()> {
        Box::pin(async move { self.announcer.audit(&event).await })
    }

    fn read_audit(&self, before: Option<u64>) -> StoreFuture<'_, AuditStretch> {
        Box::pin(self.audit.read(before))
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn record_usage(&self, place: Place, usage: Arc<Usage>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.usage_topic()?;
            self.announcer.usage(&place, &usage).await
        })
    }

    fn record_lag(&self, zone: ZoneName, lag: Option<Arc<ZoneLag>>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.usage_topic()?;
            self.announcer.lag(&zone, lag.as_deref()).await
        })
    }

    fn confirm_leadership(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.ask(Command::Confirm))
    }
}
