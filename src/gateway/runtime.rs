//! Starts the data plane and tells what it really serves.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use prometheus_client::registry::Registry;
use thiserror::Error;
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::allowance::Allowances;
use super::budget::Budget;
use super::config::{ClusterConfig, GatewayConfig};
use super::editing::Editing;
use super::gate::Gate;
use super::guesses::Guesses;
use super::issuers::Issuers;
use super::listener::{Blocked, ListenError, Listeners, bind};
use super::login_files::{self, Faults};
use super::metrics::Metrics;
use super::replay::{Follower, Starts};
use super::seldom::Seldom;
use super::shared::{Checks, Port, Shared};
use super::topology::{Clusters, Poller};
use super::traffic::{Demands, Reports, Traffic};
use super::upstream::{CLIENT_ID, Principals};
use super::usage::{Usage, ZoneUsage};
use super::view::{GatewayView, wanted_topics};
use super::workers::Workers;
use crate::kafka::offsets::OffsetReader;
use crate::policy::Served;
use crate::zone::{self, ClusterName, FailedLogins, KeyId, KeyName, LastUse, Sequence, TopicName, ZoneName};

/// The zones to serve; `None` until there has been a snapshot.
pub type Zones = watch::Receiver<Option<Arc<Served>>>;

/// What this node says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The commit that connections are served from, once all of its zones have been held against their clusters.
    pub serving: Option<Sequence>,
    /// Zones that are not served as wanted, with a reason a person can act on.
    pub problems: BTreeMap<ZoneName, String>,
}

/// Why a gateway cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("cannot start the threads that serve partners: {0}; see the limits on threads and open files")]
    Workers(#[source] io::Error),
}

/// Starts gateways.
#[derive(Debug)]
pub struct Gateway;

/// A running gateway. It ends when the cancellation token that it was started with is cancelled.
#[derive(Debug)]
pub struct Handle {
    reports: watch::Receiver<Report>,
    shared: Arc<Shared>,
    bootstrap: SocketAddr,
    look_at_certificate: Arc<Notify>,
}

impl Gateway {
    /// Opens the bootstrap port and starts all tasks on `tasks`. They end when `cancel` is cancelled: connections get their
    /// owed answers first, within [`super::Limits::drain_within`].
    pub fn start(
        config: GatewayConfig,
        zones: Zones,
        registry: &mut Registry,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Result<Handle, StartError> {
        Self::begin(config, Checks::InForce, zones, registry, tasks, cancel)
    }

    pub(super) fn begin(
        config: GatewayConfig,
        checks: Checks,
        zones: Zones,
        registry: &mut Registry,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Result<Handle, StartError> {
        let listener = bind(SocketAddr::new(config.listen, config.bootstrap_port), "gateway.bootstrapPort")?;
        let bootstrap = listener.local_addr().map_err(|cause| ListenError {
            address: SocketAddr::new(config.listen, config.bootstrap_port),
            cause,
            setting: "gateway.bootstrapPort",
        })?;
        // Told to partners under host names of their own.
        let config = GatewayConfig { bootstrap_port: bootstrap.port(), ..config };
        let metrics = Metrics::register(registry);
        let (views, seen) = watch::channel(Arc::new(GatewayView::default()));
        let (clusters, clusters_seen) = watch::channel(Clusters::new());
        let (wanted, refresh) = start_pollers(&config, clusters, tasks, cancel);
        let starts = follow_windows(&config, &seen, tasks, cancel);
        let limits = &config.limits;
        let budget = Budget::new(limits.buffered, limits.budget_within, metrics.buffered.clone());
        let shared = Arc::new(Shared {
            editing: Editing::new(),
            unreadable: Seldom::default(),
            allowances: Allowances::new(budget, limits.connections_per_zone),
            issuers: Arc::new(Issuers::start(&config.issuers, metrics.clone(), tasks, cancel)),
            principals: Principals::default(),
            usage: Usage::default(),
            traffic: Traffic::default(),
            guesses: Guesses::new(limits.longest_login_delay),
            metrics,
            starts,
            views: seen.clone(),
            refresh,
            checks,
            config,
        });
        let (blocked, blocked_seen) = watch::channel(BTreeMap::new());
        let limits = &shared.config.limits;
        let listeners = Listeners {
            shared: Arc::clone(&shared),
            gate: Arc::new(Gate::new(limits.connections, limits.unauthenticated_per_address)),
            tasks: tasks.clone(),
            workers: Arc::new(Workers::start(tasks.clone(), cancel).map_err(StartError::Workers)?),
            cancel: cancel.clone(),
            blocked,
        };
        listeners.accept(listener, Port::Bootstrap, cancel.child_token());
        tracing::info!(%bootstrap, gateway = shared.config.name, "gateway listens");
        tasks.spawn(listeners.follow(seen));
        let look_at_certificate = Arc::new(Notify::new());
        if let Some(tls) = shared.config.tls.clone() {
            let following = tls.follow(Arc::clone(&look_at_certificate), shared.metrics.clone());
            let stop = cancel.clone();
            tasks.spawn(async move { stop.run_until_cancelled(following).await });
        }
        let (reports, reported) = watch::channel(Report::default());
        let publisher = Publisher {
            shared: Arc::clone(&shared),
            zones,
            clusters: clusters_seen,
            blocked: blocked_seen,
            wanted,
            views,
            reports,
            faults: Faults::new(),
        };
        let stop = cancel.clone();
        tasks.spawn(async move { stop.run_until_cancelled(publisher.run()).await });
        Ok(Handle { reports: reported, shared, bootstrap, look_at_certificate })
    }
}

impl Handle {
    /// What is really served; each change is published.
    pub fn reports(&self) -> watch::Receiver<Report> {
        self.reports.clone()
    }

    /// Partner connections that are open now.
    pub fn connections(&self) -> u64 {
        u64::try_from(self.shared.metrics.connections.get()).unwrap_or_default()
    }

    /// The master keys that this node can make passwords of.
    pub fn master_keys(&self) -> BTreeSet<KeyName> {
        let keys = self.shared.config.clusters.values().filter_map(ClusterConfig::master_keys);
        keys.flat_map(|keys| keys.all().map(|(name, _)| name.clone())).collect()
    }

    /// The clients that are connected now, and the aliases they use.
    pub fn usage(&self) -> BTreeMap<ZoneName, ZoneUsage> {
        self.shared.usage.summary()
    }

    /// What was counted since the last call, by zone.
    pub fn take_usage(&self) -> BTreeMap<ZoneName, zone::Usage> {
        let taken = self.shared.usage.take();
        let view = self.shared.view();
        self.shared.metrics.zones.count(&taken, |zone| view.knows(zone));
        taken
    }

    /// What partners use of the limits of their zones, and would use.
    pub fn demands(&self) -> BTreeMap<ZoneName, Demands> {
        self.shared.traffic.demands(Instant::now())
    }

    /// Takes over what all nodes that live say of that; `node` is this one.
    pub fn hear(&self, node: &str, reports: Reports) {
        self.shared.traffic.hear(node, reports, Instant::now());
    }

    /// When and from where each credential was used in the last minutes.
    pub fn credentials(&self) -> BTreeMap<KeyId, LastUse> {
        self.shared.usage.credentials(OffsetDateTime::now_utc())
    }

    /// Who failed to log in again and again in the last minutes.
    pub fn failed_logins(&self) -> Vec<FailedLogins> {
        self.shared.guesses.told(OffsetDateTime::now_utc())
    }

    /// The port partners bootstrap from, as bound.
    pub fn bootstrap_port(&self) -> u16 {
        self.bootstrap.port()
    }

    /// Reads the certificate's files again, changed or not; the outcome is in the log.
    pub fn reload_certificate(&self) {
        self.look_at_certificate.notify_one();
    }

    /// Whether partners' connections are under TLS.
    pub fn is_secured(&self) -> bool {
        self.shared.config.tls.is_some()
    }

    /// In SNI mode what follows `<zone>.` in every zone's own bootstrap address: domain and port.
    pub fn zone_domain(&self) -> Option<String> {
        self.shared.config.sni.as_ref().map(|domain| format!("{domain}:{}", self.bootstrap.port()))
    }

    /// `host:port` for partners, by cluster. In port mode it is one address for all.
    pub fn bootstrap_addresses(&self) -> BTreeMap<ClusterName, String> {
        let address = format!("{}:{}", self.shared.config.advertised_host, self.bootstrap.port());
        self.shared.config.clusters.keys().map(|name| (name.clone(), address.clone())).collect()
    }
}

type Wanted = BTreeMap<ClusterName, watch::Sender<Arc<BTreeSet<TopicName>>>>;

fn start_pollers(
    config: &GatewayConfig,
    clusters: watch::Sender<Clusters>,
    tasks: &TaskTracker,
    cancel: &CancellationToken,
) -> (Wanted, BTreeMap<ClusterName, Arc<Notify>>) {
    let published = Arc::new(clusters);
    let (mut wanted, mut refresh) = (Wanted::new(), BTreeMap::new());
    for (name, cluster) in &config.clusters {
        let (want, topics) = watch::channel(Arc::default());
        let poke = Arc::new(Notify::new());
        let poller = Poller {
            cluster: name.clone(),
            config: cluster.clone(),
            connect_within: config.limits.connect_within,
            wanted: topics,
            refresh: Arc::clone(&poke),
            published: Arc::clone(&published),
        };
        tasks.spawn(poller.run(cancel.clone()));
        wanted.insert(name.clone(), want);
        refresh.insert(name.clone(), poke);
    }
    (wanted, refresh)
}

/// Starts to ask every cluster where replay windows begin.
fn follow_windows(
    config: &GatewayConfig,
    views: &watch::Receiver<Arc<GatewayView>>,
    tasks: &TaskTracker,
    cancel: &CancellationToken,
) -> watch::Receiver<Arc<Starts>> {
    let (published, seen) = watch::channel(Arc::default());
    let published = Arc::new(published);
    for (name, cluster) in &config.clusters {
        let (servers, security) = (cluster.bootstrap_servers.clone(), cluster.security.clone());
        let follower = Follower {
            cluster: name.clone(),
            reader: OffsetReader::new(servers, security, CLIENT_ID, config.limits.connect_within),
            views: views.clone(),
            published: Arc::clone(&published),
        };
        tasks.spawn(follower.run(cancel.clone()));
    }
    seen
}

/// Turns zones and clusters into views, and views into reports.
struct Publisher {
    shared: Arc<Shared>,
    zones: Zones,
    clusters: watch::Receiver<Clusters>,
    blocked: watch::Receiver<BTreeMap<u16, Blocked>>,
    wanted: Wanted,
    views: watch::Sender<Arc<GatewayView>>,
    reports: watch::Sender<Report>,
    /// Zones whose logins cannot be read from their files.
    faults: Faults,
}

impl Publisher {
    async fn run(mut self) {
        let mut issuers = self.shared.issuers.changes();
        loop {
            let served = self.zones.borrow_and_update().clone();
            self.faults = login_files::faults(&self.shared.config, served.as_ref()).await;
            self.publish(served.as_deref());
            let reloaded = async {
                match &self.shared.config.tls {
                    Some(tls) => tls.replaced().await,
                    None => std::future::pending().await,
                }
            };
            let changed = tokio::select! {
                () = reloaded => Ok(()),
                changed = self.zones.changed() => changed,
                changed = self.clusters.changed() => changed,
                changed = self.blocked.changed() => changed,
                Ok(()) = issuers.changed() => Ok(()),
                () = login_files::changed(&self.shared.config, served.as_ref(), &self.faults) => Ok(()),
            };
            if changed.is_err() {
                // The feed has ended: what was served last is still served, until the gateway is told to stop.
                std::future::pending::<()>().await;
            }
        }
    }

    fn publish(&mut self, served: Option<&Served>) {
        for (cluster, topics) in wanted_topics(&self.shared.config, served) {
            if let Some(want) = self.wanted.get(&cluster) {
                want.send_if_modified(|before| {
                    let changed = **before != topics;
                    if changed {
                        *before = Arc::new(topics);
                    }
                    changed
                });
            }
        }
        let before = Arc::clone(&self.views.borrow());
        let view = {
            let clusters = self.clusters.borrow_and_update();
            GatewayView::build(&self.shared.config, served, &clusters, &before)
        };
        let view = Arc::new(view);
        if let Some(tls) = &self.shared.config.tls {
            tls.trust(view.rules());
        }
        if let Some(served) = &served {
            // Before anybody is let in by the view.
            self.shared.traffic.follow(served, Instant::now());
        }
        self.views.send_replace(Arc::clone(&view));
        self.report(&view);
    }

    fn report(&mut self, view: &GatewayView) {
        let mut problems = view.problems.clone();
        for blocked in self.blocked.borrow_and_update().values() {
            let Port::Broker { cluster, .. } = &blocked.port else { continue };
            for zone in view.zones_on(cluster) {
                problems.entry(zone.clone()).or_insert_with(|| blocked.reason.clone());
            }
        }
        for (zone, fault) in &self.faults {
            problems.entry(zone.clone()).or_insert_with(|| fault.clone());
        }
        let mut settled = view.settled;
        for (zone, issuer) in view.issuers() {
            settled &= self.shared.issuers.is_settled(issuer);
            if let Some(trouble) = self.shared.issuers.trouble(issuer) {
                problems.entry(zone.clone()).or_insert(trouble);
            }
        }
        self.reports.send_if_modified(|report| {
            let serving = if settled { view.sequence } else { report.serving };
            let fresh = Report { serving, problems };
            let changed = *report != fresh;
            *report = fresh;
            changed
        });
    }
}
