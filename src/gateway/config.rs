//! What a gateway is told at start.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::issuers::IssuerConfig;
use super::tls::ServerTls;
use crate::kafka::client::UpstreamSecurity;
use crate::kafka::sasl::LoginFiles;
use crate::policy::principal::MasterKeys;
use crate::zone::{Authentication, AuthenticationMode, ClusterName, IssuerName, SniDomain};

/// The `gateway` and `clusters` parts of the configuration, resolved.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// What `spec.cluster` of a zone names.
    pub name: String,
    pub listen: IpAddr,
    /// The host partners are told for every broker.
    pub advertised_host: String,
    /// Where partners start. 0 lets the system choose (tests).
    pub bootstrap_port: u16,
    /// What partners' connections are secured with; none: plain text.
    pub tls: Option<ServerTls>,
    /// Beside port mode, every zone has hosts below this domain. Needs `tls`.
    pub sni: Option<SniDomain>,
    /// Balancers that say in front of each connection where it comes from. Nobody else may.
    pub balancers: Vec<IpNet>,
    pub clusters: BTreeMap<ClusterName, ClusterConfig>,
    /// Whose tokens are accepted; the first is the one of zones that name none.
    pub issuers: Vec<IssuerConfig>,
    pub limits: Limits,
}

impl GatewayConfig {
    /// Whether a connection from there begins with a header of the PROXY protocol.
    pub(crate) fn is_balancer(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.balancers.iter().any(|block| block.contains(&address))
    }

    /// The issuer whose tokens open a zone of this kind: the one that it names, else the first; none for another kind of zone, or if it
    /// is not configured.
    pub(crate) fn issuer_of(&self, zone: &Authentication) -> Option<&IssuerName> {
        if zone.mode != AuthenticationMode::OauthBearer {
            return None;
        }
        let mut names = self.issuers.iter().map(|issuer| &issuer.name);
        names.find(|name| zone.issuer.as_ref().is_none_or(|wanted| wanted == *name))
    }
}

/// One backing cluster.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// `host:port` each.
    pub bootstrap_servers: Vec<String>,
    /// How the gateway proves itself, for what it asks itself; and for partners' requests where zones have no principals.
    pub security: UpstreamSecurity,
    /// Where the logins of the zones' own principals come from; none: zones have no principals on this cluster.
    pub principals: Option<PrincipalsFrom>,
    /// Whether a zone that has a principal is served as the gateway's own user all the same.
    pub gives_principals_up: bool,
    /// Broker n is served at `broker_port_base + n`.
    pub broker_port_base: u16,
}

/// Where the logins of zones' own principals come from.
#[derive(Debug, Clone)]
pub enum PrincipalsFrom {
    /// They are made here; their passwords are derived.
    MasterKeys(MasterKeys),
    /// Somebody else makes them; each zone's login is in a file.
    Files(LoginFiles),
}

impl ClusterConfig {
    /// What derived passwords come from.
    pub(crate) fn master_keys(&self) -> Option<&MasterKeys> {
        match self.principals.as_ref()? {
            PrincipalsFrom::MasterKeys(keys) => Some(keys),
            PrincipalsFrom::Files(_) => None,
        }
    }

    /// Where zones' logins are.
    pub(crate) fn login_files(&self) -> Option<&LoginFiles> {
        match self.principals.as_ref()? {
            PrincipalsFrom::MasterKeys(_) => None,
            PrincipalsFrom::Files(files) => Some(files),
        }
    }
}

/// What one process, address or connection may take. None of it is a setting yet; tests lower them.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Partner connections in this process.
    pub connections: usize,
    /// Logged-in connections of one zone: a partner that opens all it can leaves room for others.
    pub connections_per_zone: usize,
    /// Connections of one address that have not authenticated.
    pub unauthenticated_per_address: usize,
    /// Bytes of a frame before authentication; a PLAIN token is far smaller.
    pub unauthenticated_frame: usize,
    /// How long a balancer's header may take. It comes with the first byte of its client, or before.
    pub proxy_header_within: Duration,
    /// From accept to a successful login.
    pub authenticate_within: Duration,
    /// How long a failed login waits for its answer, as Kafka's `connection.failed.authentication.delay.ms`.
    pub failed_login_delay: Duration,
    /// What it waits at most, of an address or under a name that failed before.
    pub longest_login_delay: Duration,
    /// Bytes of a Produce request: Kafka's `socket.request.max.bytes`.
    pub produce_frame: usize,
    /// Bytes of any other request. The largest in practice, a SyncGroup of a big group, stays below a record's limit of 1 MiB.
    pub control_frame: usize,
    /// Bytes of a broker's response: what a Fetch may ask for, with room for one batch above it.
    pub response_frame: usize,
    /// A frame up to this size is held as a whole without asking for budget, and is never worth streaming.
    pub small_frame: usize,
    /// Bytes of larger frames that this process holds at any time. One zone gets at most half of it.
    pub buffered: usize,
    /// How long a frame waits for its share of `buffered`.
    pub budget_within: Duration,
    /// Requests of one connection without an answer; then the client sees TCP backpressure.
    pub in_flight: usize,
    /// Bytes that those requests leave here until they are answered: the parts that were not sent on, and the answers given
    /// here. A larger one waits until it is alone. Parts that do not pass are rare with an honest client.
    pub kept: usize,
    /// Without a request for this long, a connection is closed: longer than a Java client's `connections.max.idle.ms` (9 min),
    /// shorter than a broker's (10 min).
    pub idle: Duration,
    /// To reach and log in to one broker; well below a client's `socket.connection.setup.timeout.ms` (10 s).
    pub connect_within: Duration,
    /// Over how long a process that shuts down lets go of its connections, each at a moment of its own. A client whose
    /// connections all go at once says so to its application, even if the next gateway has it back in no time.
    pub leave_within: Duration,
    /// After the partner is done or the process shuts down, for answers still owed.
    pub drain_within: Duration,
    /// From the first byte of a frame to its last, beside the time its length takes at 32 KiB/s: slower is either a broken line
    /// or somebody who wants to hold memory.
    pub frame_within: Duration,
    /// How long a write may make no progress before the peer counts as gone.
    pub write_stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_zone: 2_500,
            unauthenticated_per_address: 128,
            unauthenticated_frame: 64 << 10,
            proxy_header_within: Duration::from_secs(3),
            authenticate_within: Duration::from_secs(10),
            failed_login_delay: Duration::from_millis(100),
            longest_login_delay: Duration::from_secs(1),
            produce_frame: 100 << 20,
            control_frame: 8 << 20,
            response_frame: 128 << 20,
            small_frame: 64 << 10,
            buffered: 256 << 20,
            budget_within: Duration::from_secs(10),
            in_flight: 64,
            kept: 256 << 10,
            idle: Duration::from_secs(590),
            connect_within: Duration::from_secs(4),
            leave_within: Duration::from_secs(3),
            drain_within: Duration::from_secs(10),
            frame_within: Duration::from_secs(30),
            write_stall: Duration::from_mins(1),
        }
    }
}

impl Limits {
    /// How long a frame of this length may take.
    pub(crate) fn frame_time(&self, len: usize) -> Duration {
        let seconds = u64::try_from(len / (32 << 10)).unwrap_or(u64::MAX);
        self.frame_within.saturating_add(Duration::from_secs(seconds))
    }
}
