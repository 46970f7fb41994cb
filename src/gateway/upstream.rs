//! From a login to the broker its connection goes to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rand::seq::SliceRandom;

use super::close::Close;
use super::config::ClusterConfig;
use super::shared::{Port, Shared};
use super::view::{ClusterView, Login};
use crate::kafka::client::{Connection, Session, UpstreamSecurity};
use crate::kafka::sasl::Credentials;
use crate::kafka::socket::Socket;
use crate::policy::ZoneView;
use crate::policy::principal::{self, Generation};
use crate::zone::ZoneId;

/// What brokers see as the client id of our own requests on a connection; the partner's requests carry the partner's.
pub(crate) const CLIENT_ID: &str = "partner-zones-gateway";

/// Connects and logs in to the broker behind this port: on a bootstrap address any live one, else exactly that one.
pub(crate) async fn connect(
    shared: &Shared,
    login: &Login,
    port: &Port,
) -> Result<(Socket, Option<Session>), Close> {
    let zone = &login.zone;
    let view = shared.view();
    let (Some(cluster), Some(config)) =
        (view.cluster(&zone.cluster), shared.config.clusters.get(&zone.cluster))
    else {
        return Err(Close::NotReady);
    };
    if let Port::Broker { cluster: of_port, .. } = port
        && *of_port != zone.cluster
    {
        return Err(Close::WrongCluster { zone: zone.name.to_string(), cluster: zone.cluster.to_string() });
    }
    let within = shared.config.limits.connect_within;
    let security = shared.principals.security(zone, config);
    let mut failures = Vec::new();
    for address in candidates(cluster, port) {
        match Connection::connect(&address, &security, CLIENT_ID, within).await {
            Ok(connection) => return Ok(connection.into_parts()),
            Err(error) => failures.push(format!("{address}: {error}")),
        }
    }
    if let Some(refresh) = shared.refresh.get(&zone.cluster) {
        refresh.notify_one();
    }
    if failures.is_empty() {
        failures.push("this broker is not live".to_owned());
    }
    Err(Close::NoBroker(failures.join("; ")))
}

/// The logins of zones that have their own principal. Kept, since a salted password costs thousands of rounds.
#[derive(Debug, Default)]
pub(crate) struct Principals(Mutex<HashMap<ZoneId, Credentials>>);

/// Zones that come and go must not fill the memory: beyond this many, all are derived anew.
const PRINCIPALS_KEPT: usize = 20_000;

impl Principals {
    /// How a zone's connections to this cluster are secured: as its own principal where it has one, and then never as anybody
    /// else. That principal proves itself by SCRAM, even where the gateway does not.
    fn security(&self, zone: &ZoneView, config: &ClusterConfig) -> UpstreamSecurity {
        let Some(key) = &config.principals else { return config.security.clone() };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= PRINCIPALS_KEPT {
            kept.clear();
        }
        let credentials = kept.entry(zone.id).or_insert_with(|| {
            Credentials::new(
                config.security.principals_mechanism(),
                principal::user(&zone.name),
                key.password(zone.id, Generation::FIRST),
            )
        });
        UpstreamSecurity { tls: config.security.tls.clone(), sasl: Some(credentials.clone()) }
    }
}

/// At most two: a client gives up before we could try more.
fn candidates(cluster: &Arc<ClusterView>, port: &Port) -> Vec<String> {
    let brokers = &cluster.topology.brokers;
    match port {
        Port::Broker { node, .. } | Port::Zone { node: Some(node), .. } => {
            brokers.get(node).cloned().into_iter().collect()
        }
        Port::Bootstrap | Port::Zone { node: None, .. } => {
            let mut all: Vec<String> = brokers.values().cloned().collect();
            all.shuffle(&mut rand::rng());
            all.truncate(2);
            all
        }
    }
}
