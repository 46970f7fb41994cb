//! The store's promises, on real Kafka: whole commits or none, one writer, nothing lost when a process dies.

mod audit;
mod contract;
mod leadership;
mod loss;
mod reading;
mod renewal;
mod topics;
mod usage;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partner_zones::manifest::document;
use partner_zones::store::kafka::{KafkaOptions, KafkaStore, Names, Role, Timing};
use partner_zones::store::{Change, Leadership, State, Store, StoreError, ZoneRecord};
use partner_zones::zone::{
    Credential, KeyId, PlainVerifier, Revision, ScramHash, ScramVerifier, Sequence, ZoneId, ZoneName,
};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::json;
use time::macros::datetime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::kafka::{Cluster, unique};

/// What any single step may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// An installation of its own on the shared cluster: topics, group and transactional id under one prefix.
#[derive(Clone)]
struct Installation {
    bootstrap: String,
    prefix: String,
}

impl Installation {
    fn new() -> Self {
        Self::on(Cluster::shared())
    }

    fn on(cluster: &Cluster) -> Self {
        Self { bootstrap: cluster.bootstrap().to_owned(), prefix: unique("_partner-zones.t") }
    }

    fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn options(&self, role: Role, node: &str) -> KafkaOptions {
        KafkaOptions {
            bootstrap_servers: self.bootstrap.clone(),
            properties: BTreeMap::new(),
            replication: None,
            role,
            node: node.to_owned(),
            advertised_url: format!("http://{node}:8080"),
            names: Names::under(&self.prefix),
            timing: Timing {
                session: Duration::from_secs(6),
                lease_renewal: Duration::from_secs(2),
                node_lifetime: Duration::from_secs(3),
                all_heard: Duration::from_millis(100),
                ..Timing::default()
            },
        }
    }

    async fn try_open(&self, role: Role, node: &str) -> Result<Node, StoreError> {
        open(self.options(role, node)).await
    }

    async fn controller(&self, node: &str) -> Node {
        self.try_open(Role::Controller, node).await.expect("a controller opens the store")
    }

    async fn leader(&self, node: &str) -> Node {
        let node = self.controller(node).await;
        node.await_leadership().await;
        node
    }

    async fn gateway(&self, node: &str) -> Node {
        self.try_open(Role::Gateway, node).await.expect("a gateway opens the store")
    }

    /// A producer with the store's own transactional id: as a second leader, or as one that died, would leave it.
    fn transactional_producer(&self) -> BaseProducer {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("transactional.id", self.topic("controller"))
            .create()
            .unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer
    }

    /// Writes to the state topic behind the store's back.
    fn write(&self, key: &str, value: Option<&str>) {
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", &self.bootstrap).create().unwrap();
        send(&producer, &self.topic("state"), key, value);
    }
}

async fn open(options: KafkaOptions) -> Result<Node, StoreError> {
    let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
    let store = KafkaStore::open(options, &tracker, cancel.clone()).await?;
    Ok(Node { store, tracker, cancel })
}

fn send(producer: &BaseProducer, topic: &str, key: &str, value: Option<&str>) {
    let mut record = BaseRecord::<str, str>::to(topic).partition(0).key(key);
    if let Some(value) = value {
        record = record.payload(value);
    }
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}

/// A process, as far as the store is concerned.
struct Node {
    store: Arc<KafkaStore>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Drop for Node {
    /// A test that fails must not wait for the store's threads.
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Node {
    async fn await_leadership(&self) {
        until(&mut self.store.leadership(), "leadership", |l| *l == Leadership::Leading).await;
    }

    async fn await_sequence(&self, sequence: Sequence) -> Arc<State> {
        let what = format!("commit {sequence}");
        let state = &mut self.store.state();
        until(state, &what, |s| s.as_ref().is_some_and(|s| s.sequence >= sequence)).await.unwrap()
    }

    /// Ends it in good order, which must be quick.
    async fn stop(self) {
        let start = Instant::now();
        self.cancel.cancel();
        self.tracker.close();
        tokio::time::timeout(PATIENCE, self.tracker.wait()).await.expect("all tasks end");
        let took = start.elapsed();
        assert!(took < Duration::from_secs(5), "ending took {took:?}");
    }
}

/// Waits for a value, and gives it.
async fn until<T: Clone>(receiver: &mut watch::Receiver<T>, what: &str, wanted: impl FnMut(&T) -> bool) -> T {
    let value = tokio::time::timeout(PATIENCE, receiver.wait_for(wanted)).await;
    value.unwrap_or_else(|_| panic!("{what} did not come within {PATIENCE:?}")).unwrap().clone()
}

fn zone(name: &str) -> ZoneRecord {
    let document = json!({
        "apiVersion": "v2",
        "kind": "PartnerZone",
        "metadata": {"name": name, "labels": {"team": "streams"}},
        "spec": {
            "cluster": "gateway",
            "displayName": format!("Zone {name}"),
            "authenticationMode": {"type": "PLAIN", "serviceAccount": format!("{name}-account")},
            "topics": [{"name": "orders", "backingTopic": "orders-v1", "permission": "READ"}],
        },
    });
    let zone = document::from_document(&document).unwrap();
    ZoneRecord {
        id: ZoneId::derive("home-cluster", &zone.name),
        zone: zone.into(),
        changed: Sequence(0),
        revision: Revision::commit("refs/heads/main", "8c1f"),
        updated_at: datetime!(2026-11-22 10:00 UTC),
    }
}

fn zone_name(name: &str) -> ZoneName {
    ZoneName::try_from(name).unwrap()
}

fn put_zone(name: &str) -> Change {
    Change::PutZone(Box::new(zone(name)))
}

fn credential(zone: &str, number: usize) -> Credential {
    let mut digits = number;
    Credential {
        key_id: KeyId::from_random(|limit| {
            let digit = digits % limit;
            digits /= limit;
            digit
        }),
        zone: zone_name(zone),
        created_at: datetime!(2026-11-22 10:00 UTC),
        expires_at: None,
        replaced_by: None,
        plain: PlainVerifier { salt: vec![1; 16], hash: vec![2; 32] },
        scram: vec![ScramVerifier {
            hash: ScramHash::Sha256,
            salt: vec![3; 16],
            iterations: 4096,
            stored_key: vec![4; 32],
            server_key: vec![5; 32],
        }],
    }
}

fn zone_names(state: &State) -> Vec<&str> {
    state.zones.keys().map(ZoneName::as_str).collect()
}
