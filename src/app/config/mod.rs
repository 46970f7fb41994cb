//! The configuration: `reconciler.yaml` with environment variables over it, read once at start.
//!
//! A setting is never ignored: an unknown key is an error with its place, and so is a key whose behaviour this version does
//! not have. Which settings a role cannot do without is asked when they are used ([`Config::source`], [`Config::home`]).

mod clusters;
mod environment;
mod file;
mod keys;
mod oauth;
mod outside;
mod parse;
mod profiles;
mod resolve;
mod settings;
mod sign_in;
mod source;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use thiserror::Error;

pub use environment::Environment;
pub use outside::Outside;
pub use profiles::{Profile, ProfileError};

use crate::api::OpenIdConfig;
use crate::gateway::{IssuerConfig, TlsFiles};
use crate::kafka::client::UpstreamSecurity;
use crate::kafka::sasl::LoginFiles;
use crate::policy::principal::MasterKeys;
use crate::reconcile::source::{Access, Limits, Verify};
use crate::reconcile::write_back::WriteBackMode;
use crate::zone::{ClusterName, SniDomain};

/// Looked for in the working directory when nothing else names a file.
const DEFAULT_FILE: &str = "reconciler.yaml";

/// Everything that can be set, with the documented defaults filled in.
#[derive(Debug, Clone)]
pub struct Config {
    source: Option<Source>,
    pub gateway: Gateway,
    /// In the order of the file; the first is the home cluster.
    pub clusters: Vec<Cluster>,
    /// Whose tokens are accepted, in the order of the file; the first is the one of zones that name none.
    pub issuers: Vec<IssuerConfig>,
    pub guards: Guards,
    pub self_heal: SelfHeal,
    pub http: Http,
    /// Where people sign in, beside API keys.
    pub sign_in: Option<OpenIdConfig>,
    /// What all nodes have in common and nobody else, if they have.
    pub master_keys: Option<MasterKeys>,
    pub outside: Outside,
    /// This process among the nodes.
    pub node: String,
    /// The Git mirror and other things that can be rebuilt.
    pub data_dir: PathBuf,
    pub store: StoreKind,
}

/// Where the zones are written.
#[derive(Debug, Clone)]
pub struct Source {
    /// An https or ssh address, or a local path.
    pub url: String,
    /// Fully qualified.
    pub reference: String,
    /// Folders in the repository, or globs; `.` is its root. Of the environment that is chosen, if there are any.
    pub paths: Vec<String>,
    pub exclude: Vec<String>,
    pub access: Access,
    pub verify: Verify,
    pub limits: Limits,
    /// What a forge's hints are signed with.
    pub webhook_secret_file: Option<PathBuf>,
    pub poll_interval: Duration,
    pub on_history_rewrite: OnHistoryRewrite,
    pub write_back: WriteBackMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnHistoryRewrite {
    Refuse,
    Accept,
}

/// How partners reach this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// What `spec.cluster` of a zone names.
    pub name: String,
    pub listen: IpAddr,
    advertised_host: Option<String>,
    pub bootstrap_port: u16,
    /// None: partners connect in plain text.
    pub tls: Option<TlsFiles>,
    /// None: port mode alone.
    pub sni: Option<SniDomain>,
    /// Balancers, each of whose connections begins with a header of the PROXY protocol.
    pub balancers: Vec<IpNet>,
    /// How long a node that is told to stop still takes connections, while `/readyz` says that it goes.
    pub drain_delay: Duration,
}

/// A backing cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub name: ClusterName,
    pub bootstrap_servers: String,
    /// How this process proves itself to it (`properties`): the control plane, and the store on the home cluster.
    pub security: UpstreamSecurity,
    /// How its gateway does (`dataPlane.properties`); without them as `security` says.
    pub data_plane: UpstreamSecurity,
    pub isolation: Isolation,
    /// `None`: three, or as many as there are brokers.
    pub state_replication_factor: Option<u16>,
    /// Broker n is advertised at this port + n.
    pub broker_port_base: u16,
}

/// Who the gateway is to a cluster when it serves a zone.
#[derive(Debug, Clone)]
pub enum Isolation {
    /// The user of `properties`, whatever the zone.
    Shared {
        /// Somebody wrote it. Without, no zone that has a principal is served as anybody else: a master key that is missing may be
        /// an accident.
        asked_for: bool,
    },
    /// The zone's own principal, made here: the cluster keeps zones apart as well.
    Principal(MasterKeys),
    /// The zone's own principal, made by somebody else, whose login is in a file.
    PrincipalFiles(LoginFiles),
}

impl Isolation {
    /// What the passwords of the zones' principals come from; none where no principals are made.
    pub fn master_keys(&self) -> Option<&MasterKeys> {
        match self {
            Self::Shared { .. } | Self::PrincipalFiles(_) => None,
            Self::Principal(keys) => Some(keys),
        }
    }

    /// Where the logins of the zones' principals are that somebody else makes.
    pub fn login_files(&self) -> Option<&LoginFiles> {
        match self {
            Self::Shared { .. } | Self::Principal(_) => None,
            Self::PrincipalFiles(files) => Some(files),
        }
    }

    /// Whether a zone that has a principal may be served as the user of `properties`.
    pub fn gives_principals_up(&self) -> bool {
        matches!(self, Self::Shared { asked_for: true })
    }
}

/// When a plan is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guards {
    pub max_delete_percent: u8,
    pub max_update_percent: u8,
    /// Existing zones from which on the percentages apply.
    pub floor: usize,
}

/// What is done about a state that is no longer what the revision in force asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelfHeal {
    Off,
    Report,
    Correct,
}

/// The admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    pub admin: SocketAddr,
    /// How other nodes reach this one when it leads.
    pub advertised_url: String,
    /// Where people find the pages.
    pub public_url: String,
    pub bootstrap_key_file: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    Kafka,
    Memory,
}

impl Config {
    pub fn source(&self) -> Result<&Source, ConfigError> {
        self.source.as_ref().ok_or(ConfigError::Missing("source.url"))
    }

    /// The cluster that holds the state topics.
    pub fn home(&self) -> Result<&Cluster, ConfigError> {
        self.clusters.first().ok_or(ConfigError::Missing("clusters.<name>.bootstrapServers"))
    }

    pub fn advertised_host(&self) -> Result<&str, ConfigError> {
        self.gateway.advertised_host.as_deref().ok_or(ConfigError::Missing("gateway.advertisedHost"))
    }
}

impl Cluster {
    /// How librdkafka is told what `security` says.
    pub fn librdkafka_properties(&self) -> BTreeMap<String, String> {
        self.security.librdkafka_properties()
    }
}

/// Why there is no configuration to run with.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("cannot read the configuration {path}: {cause}")]
    Unreadable { path: String, cause: std::io::Error },
    /// Every problem, each with its place.
    #[error("the configuration is not valid:\n  {}", .0.join("\n  "))]
    Invalid(Vec<String>),
    #[error(
        "`{0}` is not set, and this command needs it; set it in {DEFAULT_FILE} or name a file with --config"
    )]
    Missing(&'static str),
}

/// Reads the configuration: the named file, else the one that `RECONCILER_CONFIG` names, else `reconciler.yaml` in the
/// working directory if there is one, each with the environment's settings over it.
pub fn load(named: Option<&Path>, environment: &Environment) -> Result<Config, ConfigError> {
    let wanted = asked_for(named, environment);
    let path = wanted.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    let shown = path.display().to_string();
    match std::fs::read(&path) {
        Ok(bytes) => parse(&shown, &bytes, environment),
        Err(cause) if wanted.is_none() && cause.kind() == std::io::ErrorKind::NotFound => {
            parse(&shown, b"{}", environment)
        }
        Err(cause) => Err(ConfigError::Unreadable { path: shown, cause }),
    }
}

/// The file that [`load`] reads, whether there is one or not.
pub fn file(named: Option<&Path>, environment: &Environment) -> PathBuf {
    asked_for(named, environment).unwrap_or_else(|| PathBuf::from(DEFAULT_FILE))
}

fn asked_for(named: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    named.map(Path::to_owned).or_else(|| environment.get("RECONCILER_CONFIG").map(PathBuf::from))
}

/// Makes the configuration of a file's bytes; `shown` is the file's name in messages.
pub fn parse(shown: &str, bytes: &[u8], environment: &Environment) -> Result<Config, ConfigError> {
    let mut problems = Vec::new();
    let leaves = file::leaves(shown, bytes, &mut problems);
    let settings = settings::Settings::new(leaves, environment, &mut problems);
    let config = resolve::resolve(&settings, environment, &mut problems);
    if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(problems)) }
}

impl fmt::Display for OnHistoryRewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refuse => "refuse",
            Self::Accept => "accept",
        })
    }
}

#[cfg(test)]
mod tests;
