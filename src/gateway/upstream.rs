//! From a login to the broker its connection goes to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rand::seq::SliceRandom;

use super::close::Close;
use super::config::ClusterConfig;
use super::shared::{Port, Shared};
use super::view::{ClusterView, Login};
use crate::kafka::client::{Connection, Session, UpstreamSecurity};
use crate::kafka::sasl::{Credentials, Mechanism};
use crate::kafka::socket::Socket;
use crate::policy::ZoneView;
use crate::policy::principal::{self, Generation};
use crate::zone::{KeyName, Slots, ZoneId};

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
    let security = match config.login_files() {
        // Nobody else's login stands in for one that is missing.
        Some(files) => UpstreamSecurity {
            tls: config.security.tls.clone(),
            sasl: Some(files.latest(zone.name.as_str()).await.map_err(Close::LoginFile)?),
        },
        None => shared.principals.security(zone, view.slots(&zone.name), config)?,
    };
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

/// The logins of zones that have their own principal, made here. Kept, since a salted password costs thousands of rounds.
#[derive(Debug, Default)]
pub(crate) struct Principals(Mutex<HashMap<ZoneId, Kept>>);

#[derive(Debug)]
struct Kept {
    key: KeyName,
    credentials: Credentials,
}

/// Zones that come and go must not fill the memory: beyond this many, all are derived anew.
const PRINCIPALS_KEPT: usize = 20_000;

impl Principals {
    /// How a zone's connections to this cluster are secured: as its own principal where it has one, and then never as anybody
    /// else. That principal proves itself by SCRAM, even where the gateway does not; `slots` say by which of its two passwords.
    fn security(
        &self,
        zone: &ZoneView,
        slots: Option<&Slots>,
        config: &ClusterConfig,
    ) -> Result<UpstreamSecurity, Close> {
        let Some(keys) = config.master_keys() else { return Ok(config.security.clone()) };
        let name = slots.map_or(keys.current(), Slots::key_in_force);
        let Some(key) = keys.get(name) else { return Err(Close::MasterKey(name.to_string())) };
        let mechanism = slots.map_or_else(
            || config.security.principals_mechanism(),
            |slots| Mechanism::of_scram(slots.in_force),
        );
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= PRINCIPALS_KEPT {
            all.clear();
        }
        let fresh = || {
            let password = key.password(zone.id, Generation::FIRST);
            let credentials = Credentials::new(mechanism, principal::user(&zone.name), password);
            Kept { key: name.clone(), credentials }
        };
        let kept = all.entry(zone.id).or_insert_with(fresh);
        if kept.key != *name || kept.credentials.mechanism != mechanism {
            *kept = fresh();
        }
        Ok(UpstreamSecurity { tls: config.security.tls.clone(), sasl: Some(kept.credentials.clone()) })
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

#[cfg(test)]
mod tests {
    use super::super::config::PrincipalsFrom;
    use super::super::fixture;
    use super::*;
    use crate::policy::principal::{MasterKey, MasterKeys};
    use crate::secret::Secret;
    use crate::zone::ScramHash;

    fn key(letter: &str) -> MasterKey {
        MasterKey::new(&Secret::new(letter.repeat(32))).unwrap()
    }

    #[test]
    fn a_zone_logs_in_by_the_password_that_the_state_says_is_in_force_or_not_at_all() {
        let (shared, _views) = fixture::shared(super::super::config::Limits::default());
        let view = shared.view();
        let zone = view.zone(&"acme".try_into().unwrap()).unwrap();
        let mut config = shared.config.clusters.values().next().unwrap().clone();
        let made = PrincipalsFrom::MasterKeys;
        config.principals = Some(made(MasterKeys::new(key("k"), Some(key("l")))));
        let [new, old] = ["k", "l"].map(|letter| key(letter).name());
        let logged_in = |slots: Option<&Slots>| {
            let sasl = shared.principals.security(zone, slots, &config).unwrap().sasl.unwrap();
            (sasl.mechanism, sasl.password.expose().clone())
        };
        let password = |letter: &str| key(letter).password(zone.id, Generation::FIRST).expose().clone();
        assert_eq!(logged_in(None), (Mechanism::ScramSha512, password("k")));
        let slots = Slots::both(&old, ScramHash::Sha512);
        assert_eq!(logged_in(Some(&slots)), (Mechanism::ScramSha512, password("l")));
        let slots = Slots { in_force: ScramHash::Sha256, ..slots.with(ScramHash::Sha256, &new) };
        assert_eq!(logged_in(Some(&slots)), (Mechanism::ScramSha256, password("k")));
        config.principals = Some(made(key("l").into()));
        let refused = shared.principals.security(zone, Some(&slots), &config).unwrap_err();
        assert!(matches!(&refused, Close::MasterKey(name) if name == new.as_str()), "{refused}");
    }
}
