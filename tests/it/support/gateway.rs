//! The gateway alone, in this process, with zones made by hand: no controller, no store, no Git.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use partner_zones::gateway::{
    ClusterConfig, Gateway, GatewayConfig, Handle, Limits, PrincipalsFrom, StartError,
};
use partner_zones::kafka::client::UpstreamSecurity;
use partner_zones::manifest::document::from_document;
use partner_zones::policy::principal::MasterKey;
use partner_zones::policy::{Served, ServedZone};
use partner_zones::zone::{ClusterName, Credential, KeyId, PlainVerifier, Sequence, ZoneId};
use prometheus_client::registry::Registry;
use serde_json::json;
use time::OffsetDateTime;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::Connection;
#[cfg(debug_assertions)]
use super::kafka::ADMIN;
use super::kafka::{Cluster, GATEWAY, Login};
use super::product::free_ports;

/// Every zone's secret here.
pub(crate) const SECRET: &str = "only-for-tests";
const PATIENCE: Duration = Duration::from_mins(1);

/// A gateway in front of a cluster, on ports of its own. Dropping it stops it.
pub(crate) struct InProcess {
    ports: Ports,
    upstream: Upstream,
    limits: Limits,
    begin: Begin,
    zones: watch::Sender<Option<Arc<Served>>>,
    running: Option<Running>,
}

/// How a gateway is started.
type Begin = fn(
    GatewayConfig,
    watch::Receiver<Option<Arc<Served>>>,
    &mut Registry,
    &TaskTracker,
    &CancellationToken,
) -> Result<Handle, StartError>;

struct Running {
    runtime: Runtime,
    handle: Handle,
    registry: Registry,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

#[derive(Clone, Copy)]
struct Ports {
    listen: [u8; 4],
    bootstrap: u16,
    broker_base: u16,
}

#[derive(Clone)]
struct Upstream {
    bootstrap: String,
    security: UpstreamSecurity,
    principals: Option<MasterKey>,
}

/// One alias: (alias, backing topic, permission).
pub(crate) type Alias<'a> = (&'a str, &'a str, &'a str);

/// A zone whose service account is its name, with one credential whose secret is [`SECRET`].
pub(crate) fn zone(name: &str, topics: &[Alias<'_>]) -> ServedZone {
    let topics: Vec<_> = topics
        .iter()
        .map(|(alias, backing, permission)| {
            json!({"name": alias, "backingTopic": backing, "permission": permission})
        })
        .collect();
    let document = json!({
        "apiVersion": "v2",
        "kind": "PartnerZone",
        "metadata": {"name": name},
        "spec": {
            "cluster": "gateway",
            "displayName": name,
            "authenticationMode": {"type": "PLAIN", "serviceAccount": name},
            "topics": topics,
        },
    });
    let zone = from_document(&document).unwrap();
    let mut letter = name.bytes().cycle();
    let key_id = KeyId::from_random(|limit| usize::from(letter.next().unwrap()) % limit);
    let credential = Credential {
        key_id,
        zone: zone.name.clone(),
        created_at: OffsetDateTime::UNIX_EPOCH,
        expires_at: None,
        replaced_by: None,
        plain: PlainVerifier::new(SECRET, name.as_bytes()),
        scram: Vec::new(),
    };
    ServedZone {
        id: ZoneId::derive("test", &zone.name),
        cluster: cluster_name(),
        changed: Sequence(1),
        open: true,
        slots: None,
        starts: None,
        credentials: vec![Arc::new(credential)],
        zone: Arc::new(zone),
    }
}

fn cluster_name() -> ClusterName {
    ClusterName::try_from("default").unwrap()
}

impl InProcess {
    /// In front of the cluster's plain listeners.
    pub(crate) fn start(cluster: &Cluster) -> Self {
        Self::in_front_of(Upstream::plain(cluster))
    }

    /// As [`start`](Self::start), with limits that a test can wait for.
    pub(crate) fn start_limited(cluster: &Cluster, limits: Limits) -> Self {
        Self::on(Ports::free(), Upstream::plain(cluster), limits)
    }

    /// Two that serve the same addresses, which are those of whatever stands in front of them: they listen on the same ports
    /// of two addresses of their own.
    pub(crate) fn pair(cluster: &Cluster) -> [Self; 2] {
        let ports = Ports::free();
        [[127, 0, 0, 2], [127, 0, 0, 3]]
            .map(|listen| Self::on(Ports { listen, ..ports }, Upstream::plain(cluster), Limits::default()))
    }

    /// In front of the cluster's SASL listeners, as the gateway's own user.
    pub(crate) fn start_with_login(cluster: &Cluster, mechanism: &str) -> Self {
        Self::in_front_of(Upstream::sasl(cluster, GATEWAY, mechanism))
    }

    /// One that keeps no partner in its zone, in front of the cluster's SASL listeners: with a master key it is each zone's own
    /// principal, else a super user whatever the zone. A release has no such gateway, and benchmarks use this file too.
    #[cfg(debug_assertions)]
    pub(crate) fn start_unchecked(cluster: &Cluster, principals: Option<MasterKey>) -> Self {
        let upstream = Upstream { principals, ..Upstream::sasl(cluster, ADMIN, "SCRAM-SHA-512") };
        Self::begin(Ports::free(), upstream, Limits::default(), Gateway::start_unchecked)
    }

    fn in_front_of(upstream: Upstream) -> Self {
        Self::on(Ports::free(), upstream, Limits::default())
    }

    fn on(ports: Ports, upstream: Upstream, limits: Limits) -> Self {
        Self::begin(ports, upstream, limits, Gateway::start)
    }

    fn begin(ports: Ports, upstream: Upstream, limits: Limits, begin: Begin) -> Self {
        let (zones, _) = watch::channel(None);
        let mut gateway = Self { ports, upstream, limits, begin, zones, running: None };
        gateway.run();
        gateway
    }

    fn run(&mut self) {
        // What the gateway tells its operator, shown when a test fails. Another test may have done it already.
        let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_test_writer().try_init();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let config = GatewayConfig {
            name: "gateway".to_owned(),
            listen: self.ports.listen.into(),
            advertised_host: "127.0.0.1".to_owned(),
            bootstrap_port: self.ports.bootstrap,
            tls: None,
            sni: None,
            balancers: Vec::new(),
            clusters: BTreeMap::from([(
                cluster_name(),
                ClusterConfig {
                    bootstrap_servers: self.upstream.bootstrap.split(',').map(str::to_owned).collect(),
                    security: self.upstream.security.clone(),
                    principals: self
                        .upstream
                        .principals
                        .clone()
                        .map(|key| PrincipalsFrom::MasterKeys(key.into())),
                    gives_principals_up: false,
                    broker_port_base: self.ports.broker_base,
                },
            )]),
            issuers: Vec::new(),
            limits: self.limits.clone(),
        };
        let mut registry = Registry::default();
        let handle = {
            let _entered = runtime.enter();
            (self.begin)(config, self.zones.subscribe(), &mut registry, &tasks, &cancel).unwrap()
        };
        self.running = Some(Running { runtime, handle, registry, tasks, cancel });
    }

    /// Gives the gateway these zones and waits until it says that it serves them. Answers its problems by zone.
    pub(crate) fn serve(&self, zones: impl IntoIterator<Item = ServedZone>) -> BTreeMap<String, String> {
        let next = self.zones.borrow().as_ref().map_or(Sequence(1), |served| served.sequence.next());
        let served = Served { sequence: next, zones: zones.into_iter().map(Arc::new).collect() };
        self.zones.send_replace(Some(Arc::new(served)));
        self.await_serving(next)
    }

    fn await_serving(&self, sequence: Sequence) -> BTreeMap<String, String> {
        let Running { runtime, handle, .. } = self.running.as_ref().unwrap();
        let mut reports = handle.reports();
        let report = runtime.block_on(async {
            let served = reports.wait_for(|report| report.serving == Some(sequence));
            tokio::time::timeout(PATIENCE, served).await.expect("not served in time").unwrap().clone()
        });
        report.problems.into_iter().map(|(zone, problem)| (zone.to_string(), problem)).collect()
    }

    /// Stops it as SIGTERM does and starts another on the same ports with the same zones.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.run();
        let served = self.zones.borrow().as_ref().map(|served| served.sequence);
        if let Some(sequence) = served {
            self.await_serving(sequence);
        }
    }

    /// The bootstrap port and the brokers', and the address they are on.
    pub(crate) fn listens_on(&self) -> ([u8; 4], std::ops::RangeInclusive<u16>) {
        (self.ports.listen, self.ports.bootstrap..=self.ports.broker_base + 3)
    }

    fn stop(&mut self) {
        let Some(Running { runtime, tasks, cancel, .. }) = self.running.take() else { return };
        cancel.cancel();
        tasks.close();
        runtime.block_on(async {
            tokio::time::timeout(PATIENCE, tasks.wait()).await.expect("a task did not end");
        });
    }

    /// How a client connects as this zone's partner.
    pub(crate) fn connection(&self, zone: &str) -> Connection {
        Connection::sasl(&self.bootstrap(), "PLAIN", zone, SECRET)
    }

    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.bootstrap)
    }

    /// What partners are told of broker `id`.
    pub(crate) fn broker_address(&self, id: u16) -> String {
        format!("127.0.0.1:{}", self.broker_port(id))
    }

    pub(crate) fn broker_port(&self, id: u16) -> u16 {
        self.ports.broker_base + id
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.running.as_ref().unwrap().registry)
            .unwrap();
        text
    }

    /// A counter as `/metrics` shows it, such as `gateway_closed_total{reason="idle"}`; 0 until it first counts.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let text = self.metrics();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// The sum of a counter over all its labels.
    pub(crate) fn sum(&self, name: &str) -> u64 {
        let text = self.metrics();
        let of =
            |line: &str| line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once(' ')?.1.parse::<u64>().ok();
        text.lines().filter_map(of).sum()
    }

    pub(crate) fn open_connections(&self) -> u64 {
        self.handle().connections()
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.running.as_ref().unwrap().handle
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Upstream {
    fn plain(cluster: &Cluster) -> Self {
        Self {
            bootstrap: cluster.bootstrap().to_owned(),
            security: UpstreamSecurity::default(),
            principals: None,
        }
    }

    fn sasl(cluster: &Cluster, login: Login, mechanism: &str) -> Self {
        let properties = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", mechanism),
            ("sasl.username", login.user),
            ("sasl.password", login.password),
        ];
        let properties: BTreeMap<String, String> =
            properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let security = UpstreamSecurity::from_properties(&properties).unwrap();
        Self { bootstrap: cluster.sasl_bootstrap().to_owned(), security, principals: None }
    }
}

impl Ports {
    /// The bootstrap port, and one for each of up to three brokers. None that the kernel gives to outgoing connections: it
    /// would take them while a gateway is stopped.
    fn free() -> Self {
        let first = free_ports(4);
        Self { listen: [127, 0, 0, 1], bootstrap: first, broker_base: first }
    }
}
