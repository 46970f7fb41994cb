//! Zones, clusters and a shared state for the runtime's tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "for tests and fuzzing only"
)]

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use time::OffsetDateTime;
use tokio::sync::watch;
use uuid::Uuid;

use super::allowance::Allowances;
use super::api::REGISTRY;
use super::budget::Budget;
use super::config::{ClusterConfig, GatewayConfig, Limits};
use super::editing::Editing;
use super::guesses::Guesses;
use super::metrics::Metrics;
use super::offer::Offer;
use super::seldom::Seldom;
use super::shared::{Checks, Shared};
use super::topology::{ClusterState, Clusters, TopicState, Topology};
use super::traffic::Traffic;
use super::upstream::Principals;
use super::usage::Usage;
use super::view::{GatewayView, Origin};
use crate::kafka::client::UpstreamSecurity;
use crate::policy::{Served, ServedZone};
use crate::zone::{
    ClusterName, Credential, KeyId, Permission, PlainVerifier, Sequence, TopicName, ZoneId, ZoneName, sample,
};

pub(crate) const KEY_ID: &str = "pz0123456789abcdef";
/// A connection from this machine, of which nothing else is known.
pub(super) const LOCAL: Origin<'static> = Origin { address: IpAddr::V4(Ipv4Addr::LOCALHOST), zone: None };
pub(super) const SECRET: &str = "correct-horse";

pub(super) fn cluster() -> ClusterName {
    ClusterName::try_from("default").unwrap()
}

pub(super) fn topic(name: &str) -> TopicName {
    TopicName::try_from(name).unwrap()
}

pub(super) fn config() -> GatewayConfig {
    GatewayConfig {
        name: "gateway".to_owned(),
        listen: [127, 0, 0, 1].into(),
        advertised_host: "kafka.example.com".to_owned(),
        bootstrap_port: 0,
        tls: None,
        sni: None,
        balancers: Vec::new(),
        clusters: BTreeMap::from([(
            cluster(),
            ClusterConfig {
                bootstrap_servers: vec!["127.0.0.1:9".to_owned()],
                security: UpstreamSecurity::default(),
                principals: None,
                gives_principals_up: false,
                broker_port_base: 19_100,
            },
        )]),
        issuers: Vec::new(),
        limits: Limits::default(),
    }
}

/// Limits that a test can wait for.
pub(super) fn impatient() -> Limits {
    let soon = Duration::from_millis(300);
    Limits {
        authenticate_within: soon,
        failed_login_delay: Duration::from_millis(5),
        longest_login_delay: Duration::from_millis(5),
        idle: soon,
        leave_within: Duration::ZERO,
        drain_within: soon,
        frame_within: soon,
        write_stall: soon,
        budget_within: soon,
        ..Limits::default()
    }
}

/// A zone with these (alias, backing) pairs, all WRITE, and one credential.
pub(super) fn zone(name: &str, topics: &[(&str, &str)]) -> ServedZone {
    let zone_name = ZoneName::try_from(name).unwrap();
    let credential = Credential {
        key_id: KeyId::try_from(KEY_ID).unwrap(),
        zone: zone_name.clone(),
        created_at: OffsetDateTime::UNIX_EPOCH,
        expires_at: None,
        replaced_by: None,
        plain: PlainVerifier::new(SECRET, b"salt"),
        scram: Vec::new(),
    };
    let topics = topics.iter().map(|(alias, backing)| sample::topic(alias, backing, Permission::Write));
    let zone = sample::zone(name, topics.collect());
    ServedZone {
        id: ZoneId(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())),
        zone: Arc::new(zone),
        cluster: cluster(),
        changed: Sequence(1),
        open: true,
        slots: None,
        starts: None,
        credentials: vec![Arc::new(credential)],
    }
}

pub(super) fn served(sequence: u64, zones: Vec<ServedZone>) -> Served {
    Served { sequence: Sequence(sequence), zones: zones.into_iter().map(Arc::new).collect() }
}

/// One broker that serves everything we do, and these topics.
pub(super) fn clusters(topics: &[(&str, TopicState)]) -> Clusters {
    let versions = REGISTRY.iter().map(|entry| (entry.key(), entry.versions)).collect();
    let topology = Topology {
        cluster_id: None,
        brokers: BTreeMap::from([(1, "127.0.0.1:9".to_owned())]),
        offer: Arc::new(Offer { versions, ..Offer::default() }),
        topics: topics.iter().map(|&(name, state)| (topic(name), state)).collect::<HashMap<_, _>>(),
    };
    BTreeMap::from([(cluster(), ClusterState { last: Some(Arc::new(topology)), trouble: None })])
}

pub(super) fn present(name: &str) -> TopicState {
    TopicState::Present(Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()))
}

pub(super) fn view(served: &Served, clusters: &Clusters) -> GatewayView {
    GatewayView::build(&config(), Some(served), clusters, &GatewayView::default())
}

/// Zone `acme` with alias `orders` of `backing-orders`, and the sender to replace the view with.
pub(super) fn shared(limits: Limits) -> (Shared, watch::Sender<Arc<GatewayView>>) {
    let served = served(1, vec![zone("acme", &[("orders", "backing-orders")])]);
    let view = view(&served, &clusters(&[("backing-orders", present("backing-orders"))]));
    let (sender, views) = watch::channel(Arc::new(view));
    let budget = Budget::new(limits.buffered, limits.budget_within, Gauge::default());
    let allowances = Allowances::new(budget, limits.connections_per_zone);
    let config = GatewayConfig { limits, ..config() };
    let guesses = Guesses::new(config.limits.longest_login_delay);
    let shared = Shared {
        config,
        checks: Checks::InForce,
        metrics: Metrics::default(),
        allowances,
        starts: watch::channel(Arc::default()).1,
        editing: Editing::new(),
        unreadable: Seldom::default(),
        views,
        issuers: Arc::default(),
        principals: Principals::default(),
        usage: Usage::default(),
        traffic: Traffic::default(),
        guesses,
        refresh: BTreeMap::new(),
    };
    (shared, sender)
}
