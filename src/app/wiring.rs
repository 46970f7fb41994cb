//! Puts the parts together, starts them, and stops them in the right order.
//!
//! ```text
//! source → controller → store → feed → gateway → heartbeat → store → api, traffic → gateway; gateway → usage → store
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use super::config::{Cluster, Config, ConfigError, Isolation};
pub use super::signal::{reload_asked, stop_asked};
use super::storage::{self, OpenError, Storage};
use super::tasks::Tasks;
use super::topics::AskedTopics;
use super::usage::Recorder;
use super::{control, failed_logins, feed, heartbeat, identity, lag, last_use, traffic, usage};
use crate::api::{self, ApiConfig, ApiMetrics, SessionKey, Topics};
use crate::gateway::{
    self, ClusterConfig, Gateway, GatewayConfig, Handle, Limits, PrincipalsFrom, ServerTls,
};
use crate::kafka::tls::TlsError;
use crate::reconcile::apply::Applier;
use crate::reconcile::backing::Backing;
use crate::reconcile::controller::{Controller, ControllerConfig};
use crate::reconcile::forge::{Forge, ForgeError};
use crate::reconcile::lag::LagReader;
use crate::reconcile::metrics::ReconcileMetrics;
use crate::reconcile::outbox::{OutboxMetrics, Postman, Webhook, WebhookError};
use crate::reconcile::source::{LocationError, Source};
use crate::store::{Leadership, Store};
use crate::ui;
use crate::zone::{ApplyRequest, ControllerStatus};

/// For partners' owed answers and open requests to the API.
const DRAIN_DEADLINE: Duration = Duration::from_secs(15);

/// For the others to hear that this node is gone.
const GOODBYE_DEADLINE: Duration = Duration::from_secs(2);

/// For what partners used since it was written down last.
const USAGE_DEADLINE: Duration = Duration::from_secs(3);

/// For the store's last writes, after everything that uses it has ended.
const STORE_DEADLINE: Duration = Duration::from_secs(5);

/// Between attempts to make the first admin key: a person makes the folder, or the store comes back.
const FIRST_KEY_RETRY: Duration = Duration::from_secs(15);

/// Runs that may wait for the controller; who asks for more is told to come again.
const APPLY_REQUESTS: usize = 16;

/// Writes to the source that may wait; each is a push.
const WRITE_REQUESTS: usize = 64;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Role {
    /// Both of the others in one process
    #[default]
    All,
    /// Git → plan → apply, and the API that writes
    Controller,
    /// The data plane
    Gateway,
}

impl Role {
    pub(super) fn controls(self) -> bool {
        self != Self::Gateway
    }

    fn serves(self) -> bool {
        self != Self::Controller
    }
}

/// Why a process cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(#[from] OpenError),
    #[error("`source.url`: {0}")]
    Source(#[from] LocationError),
    #[error(transparent)]
    Gateway(#[from] gateway::StartError),
    #[error("`gateway.tls`: {0}")]
    Tls(#[source] TlsError),
    #[error("`http.admin`: cannot listen on {address}: {cause}")]
    Admin { address: SocketAddr, cause: std::io::Error },
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    #[error(transparent)]
    Forge(#[from] ForgeError),
    #[error("no HTTP client can be made for other nodes: {0}")]
    Http(#[from] reqwest::Error),
}

/// A running process. Everything it started ends with [`Running::stop`].
#[derive(Debug)]
pub struct Running {
    /// What uses the store, and ends first.
    front: Tasks,
    /// The store itself.
    back: Tasks,
    store: Arc<dyn Store>,
    admin: SocketAddr,
    gateway: Option<Arc<Handle>>,
    /// What writes down the usage of the gateway's partners.
    recorder: Option<Arc<Recorder>>,
    node: String,
    drain_delay: Duration,
    /// Told to whoever asks whether this node is ready.
    leaving: watch::Sender<bool>,
}

impl Running {
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Where the admin API listens.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    pub fn gateway(&self) -> Option<&Handle> {
        self.gateway.as_deref()
    }

    /// Reads again what may be replaced while the process runs: the gateway's certificate.
    pub fn reload(&self) {
        match self.gateway() {
            Some(gateway) if gateway.is_secured() => gateway.reload_certificate(),
            _ => tracing::info!("SIGHUP: this process has no certificate to read again"),
        }
    }

    /// Waits until a part of the process has ended that should not have.
    pub async fn failed(&self) {
        tokio::select! {
            () = self.front.cancel.cancelled() => {}
            () = self.back.cancel.cancelled() => {}
        }
    }

    /// Stops everything, partners' connections last to notice; `false` if a part had to be left behind or had failed.
    ///
    /// Balancers hear first: for `gateway.drainDelay` connections are still taken, while this node says that it is not ready.
    pub async fn stop(self) -> bool {
        let failed = self.front.failed() || self.back.failed();
        self.leaving.send_replace(true);
        if !failed && self.gateway.is_some() {
            tokio::time::sleep(self.drain_delay).await;
        }
        let drained = self.front.stop(DRAIN_DEADLINE).await;
        if let Some(recorder) = &self.recorder
            && tokio::time::timeout(USAGE_DEADLINE, recorder.record()).await.is_err()
        {
            tracing::warn!("what partners used last could not be written in time; it is lost");
        }
        if self.gateway.is_some() {
            let goodbye = self.store.leave(self.node.clone());
            if !matches!(tokio::time::timeout(GOODBYE_DEADLINE, goodbye).await, Ok(Ok(()))) {
                tracing::debug!("the other nodes were not told; they will notice by its silence");
            }
        }
        let closed = self.back.stop(STORE_DEADLINE).await;
        if !(drained && closed) {
            tracing::warn!("not everything ended in time; leaving it behind");
        }
        drained && closed && !failed
    }
}

/// Starts everything that the role asks for. `memory_cluster_id` stands for the home cluster's id when the store is in
/// memory. Dropping the future before it is done leaves nothing running.
pub async fn start(
    config: Config,
    role: Role,
    memory_cluster_id: Option<String>,
) -> Result<Running, StartError> {
    let (front, back) = (Tasks::default(), Tasks::default());
    // Whatever has been started ends if the rest cannot be.
    let unfinished = (front.cancel.clone().drop_guard(), back.cancel.clone().drop_guard());
    // First of all, since it fails at once where the rest would wait.
    let address = config.http.admin;
    let listener = TcpListener::bind(address).await.map_err(|cause| StartError::Admin { address, cause })?;
    let admin = listener.local_addr().map_err(|cause| StartError::Admin { address, cause })?;
    let storage = storage::open(&config, role, memory_cluster_id, &back.tracker, &back.cancel).await?;
    let store = Arc::clone(&storage.store);
    let mut registry = Registry::default();
    let api_metrics = ApiMetrics::register(&mut registry);
    let (apply, requests) = mpsc::channel(APPLY_REQUESTS);
    let (writes, asked) = mpsc::channel(WRITE_REQUESTS);
    let source = role.controls().then(|| control::source(&config)).transpose()?;
    if let Some(source) = &source {
        source.register(&mut registry);
    }
    let hints = source.as_ref().and_then(|source| control::hints(&config, source));
    let controller = match source {
        Some(source) => {
            let write_back = control::write_back(&config, source.clone(), &store)?;
            front.spawn("writes to the source", write_back.run(asked, front.cancel.clone()));
            controller(&config, source, &storage, requests, &mut registry, &front)?
        }
        None => watch::channel(Arc::default()).1,
    };
    let (leaving, is_leaving) = watch::channel(false);
    let (serves, serving) = watch::channel(false);
    let gateway =
        if role.serves() { Some(gateway(&config, &store, serves, &mut registry, &front)?) } else { None };
    let recorder = gateway.as_ref().map(|gateway| recorder(&config, gateway, &store, &front));
    let api = ApiConfig {
        store: Arc::clone(&store),
        node: config.node.clone(),
        default_cluster: config.home()?.name.clone(),
        principals: control::with_principals(&config).map(|cluster| cluster.name.clone()).collect(),
        login_files: control::with_login_files(&config).map(|cluster| cluster.name.clone()).collect(),
        issuers: config.issuers.iter().map(|it| (it.name.clone(), it.rules.clone())).collect(),
        planning: control::planning(&config, &storage.cluster_id),
        controller,
        apply,
        writes,
        serves: serving,
        leaving: is_leaving,
        topics: role.controls().then(|| topics(&config)),
        hints,
        session_key: session_key(&config),
        sign_in: config.sign_in.clone(),
    };
    let router = api::router(api, api_metrics, Arc::new(registry))?;
    let router = router.with(|api| ui::pages(api, &config.http.public_url));
    let cancel = front.cancel.clone();
    front.spawn("admin API", async move {
        if let Err(error) = api::serve(listener, router, cancel).await {
            tracing::error!(%error, "the admin API has failed");
        }
    });
    tracing::info!(%admin, node = config.node, ?role, "started");
    let _ = (unfinished.0.disarm(), unfinished.1.disarm());
    Ok(Running {
        front,
        back,
        store,
        admin,
        gateway,
        recorder,
        node: config.node,
        drain_delay: config.gateway.drain_delay,
        leaving,
    })
}

/// With a master key a session that one node began is good on all.
fn session_key(config: &Config) -> SessionKey {
    let of_all = config.master_keys.as_ref().and_then(|keys| keys.common("sessions"));
    of_all.map_or_else(SessionKey::random, SessionKey::new)
}

/// Asks the clusters for their topics when somebody wants to know.
fn topics(config: &Config) -> Arc<dyn Topics> {
    Arc::new(AskedTopics::new(control::addresses(config)))
}

/// Starts the control plane and the maker of the first key.
fn controller(
    config: &Config,
    source: Source,
    storage: &Storage,
    requests: mpsc::Receiver<ApplyRequest>,
    registry: &mut Registry,
    tasks: &Tasks,
) -> Result<watch::Receiver<Arc<ControllerStatus>>, StartError> {
    let controller = Controller::new(
        ControllerConfig {
            source,
            poll_interval: config.source()?.poll_interval,
            known: control::known(config),
            limits: control::limits(config.guards),
            self_heal: control::self_heal(config),
            applier: Applier { home_cluster_id: storage.cluster_id.clone(), node: config.node.clone() },
            clusters: control::addresses(config),
            backing: control::backing(config, &storage.store, &storage.cluster_id)
                .map(|backing| -> Arc<dyn Backing> { Arc::new(backing) }),
            data_plane: control::data_plane(config)?,
            requests,
            metrics: ReconcileMetrics::register(registry),
        },
        identity::checked(&storage.store, control::addresses(config)),
    );
    let status = controller.status();
    outbox(config, storage, registry, status.clone(), tasks)?;
    tasks.spawn("controller", controller.run(tasks.cancel.clone()));
    led(config, storage, registry, tasks);
    Ok(status)
}

/// Starts what is done beside it on the node that leads.
fn led(config: &Config, storage: &Storage, registry: &mut Registry, tasks: &Tasks) {
    let beside = |task: StoppedWithTheRest| {
        let cancel = tasks.cancel.clone();
        tasks.tracker.spawn(async move { cancel.run_until_cancelled(task).await });
    };
    let store = || Arc::clone(&storage.store);
    let (keys, key_file) = (store(), config.http.bootstrap_key_file.clone());
    beside(Box::pin(async move { first_key(&*keys, &key_file).await }));
    beside(Box::pin(last_use::run(store())));
    beside(Box::pin(usage::fold(store())));
    let reader = LagReader::new(control::addresses(config), registry);
    let (told, lags) = watch::channel(Arc::default());
    beside(Box::pin(lag::run(
        storage.store.leadership(),
        storage.store.state(),
        reader,
        told,
        lag::INTERVAL,
    )));
    beside(Box::pin(lag::tell(lags, store())));
    beside(Box::pin(failed_logins::run(config.node.clone(), store())));
}

/// It may be dropped wherever it waits.
type StoppedWithTheRest = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts the postman, if there is anybody to tell.
fn outbox(
    config: &Config,
    storage: &Storage,
    registry: &mut Registry,
    status: watch::Receiver<Arc<ControllerStatus>>,
    tasks: &Tasks,
) -> Result<(), StartError> {
    let webhook = config.outside.webhook.clone().map(Webhook::new).transpose()?;
    let forge = config.outside.forge.clone().map(Forge::new).transpose()?;
    if webhook.is_some() || forge.is_some() {
        let postman = Postman::new(webhook, forge, OutboxMetrics::register(registry));
        tasks.spawn("outbox", postman.run(Arc::clone(&storage.store), status, tasks.cancel.clone()));
    }
    Ok(())
}

/// Makes the first admin key when this node comes to lead, if there is none, and tries again for as long as it cannot.
async fn first_key(store: &dyn Store, file: &std::path::Path) {
    let mut leadership = store.leadership();
    while leadership.wait_for(|leadership| *leadership == Leadership::Leading).await.is_ok() {
        let made = api::create_first_key(store, file).await;
        if let Err(error) = &made {
            tracing::error!(%error, retry_after = ?FIRST_KEY_RETRY, "nobody can use the admin API");
        }
        tokio::select! {
            changed = leadership.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(FIRST_KEY_RETRY), if made.is_err() => {}
        }
    }
}

/// Starts the data plane, what it is fed with and what it reports.
fn gateway(
    config: &Config,
    store: &Arc<dyn Store>,
    serves: watch::Sender<bool>,
    registry: &mut Registry,
    tasks: &Tasks,
) -> Result<Arc<Handle>, StartError> {
    let (zones, wanted) = watch::channel(None);
    let handle = Gateway::start(gateway_config(config)?, wanted, registry, &tasks.tracker, &tasks.cancel)?;
    let handle = Arc::new(handle);
    let feed = feed::run(store.state(), config.home()?.name.clone(), zones);
    let cancel = tasks.cancel.clone();
    tasks.spawn("feed", async move {
        cancel.run_until_cancelled(feed).await;
    });
    let heard = traffic::run(config.node.clone(), Arc::clone(&handle), store.nodes());
    let cancel = tasks.cancel.clone();
    tasks.spawn("traffic", async move {
        cancel.run_until_cancelled(heard).await;
    });
    let heartbeats = heartbeat::run(config.node.clone(), Arc::clone(&handle), Arc::clone(store), serves);
    let cancel = tasks.cancel.clone();
    tasks.spawn("heartbeats", async move {
        cancel.run_until_cancelled(heartbeats).await;
    });
    Ok(handle)
}

/// Starts to write down what partners use.
fn recorder(config: &Config, gateway: &Arc<Handle>, store: &Arc<dyn Store>, tasks: &Tasks) -> Arc<Recorder> {
    let counting = Arc::clone(gateway);
    let take = Box::new(move || counting.take_usage());
    let recorder = Arc::new(Recorder::new(config.node.clone(), Arc::clone(store), take));
    let (running, cancel) = (Arc::clone(&recorder), tasks.cancel.clone());
    tasks.spawn("usage", async move {
        cancel.run_until_cancelled(running.run()).await;
    });
    recorder
}

fn gateway_config(config: &Config) -> Result<GatewayConfig, StartError> {
    let cluster = |cluster: &Cluster| {
        let servers = cluster.bootstrap_servers.split(',').map(|server| server.trim().to_owned()).collect();
        let config = ClusterConfig {
            bootstrap_servers: servers,
            security: cluster.data_plane.clone(),
            principals: match &cluster.isolation {
                Isolation::Shared { .. } => None,
                Isolation::Principal(keys) => Some(PrincipalsFrom::MasterKeys(keys.clone())),
                Isolation::PrincipalFiles(files) => Some(PrincipalsFrom::Files(files.clone())),
            },
            gives_principals_up: cluster.isolation.gives_principals_up(),
            broker_port_base: cluster.broker_port_base,
        };
        (cluster.name.clone(), config)
    };
    Ok(GatewayConfig {
        name: config.gateway.name.clone(),
        listen: config.gateway.listen,
        advertised_host: config.advertised_host()?.to_owned(),
        bootstrap_port: config.gateway.bootstrap_port,
        tls: config.gateway.tls.clone().map(ServerTls::load).transpose().map_err(StartError::Tls)?,
        sni: config.gateway.sni.clone(),
        balancers: config.gateway.balancers.clone(),
        clusters: config.clusters.iter().map(cluster).collect(),
        issuers: config.issuers.clone(),
        limits: Limits::default(),
    })
}
