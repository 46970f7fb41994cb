//! From a login to the broker its connection goes to.

use std::sync::Arc;

use rand::seq::SliceRandom;

use super::close::Close;
use super::shared::{Port, Shared};
use super::view::{ClusterView, Login};
use crate::kafka::client::{Connection, Session};
use crate::kafka::socket::Socket;

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
    let mut failures = Vec::new();
    for address in candidates(cluster, port) {
        match Connection::connect(&address, &config.security, CLIENT_ID, within).await {
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
