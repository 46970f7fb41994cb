//! What faults happen to: three brokers, two controllers and two gateways in processes of their own, a balancer, a relay in front of
//! the brokers, and clients that never stop.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::flow::{Account, DIRECT, Flow};
use super::ledger::{Counts, PARTITIONS};
use super::node::{Node, Place};
use super::relay::{HOST, Party, Relay};
use crate::crash::topic::StateTopic;
use crate::support::balancer::Balancer;
use crate::support::git::Repository;
use crate::support::kafka::{ADMIN, Cluster};
use crate::support::product::{Partner, free_ports, manifest};

/// From the end of a fault until everything is as it was: a session of 10 s, elections, clients that back off; on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);
const MASTER_KEY: &str = "a key of this test, thirty-two bytes and more";
/// Two partners who call different topics by the same name, and one on a cluster that has an address of its own.
const ZONES: [&str; 3] = ["acme", "globex", BESIDE];
pub(super) const BESIDE: &str = "initech";
/// The end can be held against the beginning.
pub(super) const NOTHING_COMPACTED: [&str; 1] = ["log.cleaner.backoff.ms=604800000"];
const ALIAS: &str = "orders";

pub(super) struct Stage {
    /// First to be dropped: clients say goodbye to brokers.
    pub(super) flows: Vec<Flow>,
    pub(super) kafka: Cluster,
    pub(super) relay: Arc<Relay>,
    pub(super) balancer: Arc<Balancer>,
    pub(super) controllers: [Node; 2],
    pub(super) gateways: [Node; 2],
    repository: Repository,
    folder: tempfile::TempDir,
    /// Of the last commit.
    generation: usize,
    head: String,
    /// How many commits were seen in force, besides the first.
    waited_for: usize,
}

/// What a stage stands on, and where its nodes are.
pub(super) struct Ground {
    pub(super) kafka: Cluster,
    pub(super) relay: Arc<Relay>,
    /// Of the configuration: the cluster of [`BESIDE`], by a way of its own.
    pub(super) beside: String,
    pub(super) controllers: [Place; 2],
    pub(super) gateways: [Place; 2],
}

impl Ground {
    /// Everything beside the test, with a relay in front of the brokers.
    fn new() -> Self {
        let kafka = Cluster::private_behind(HOST, &NOTHING_COMPACTED);
        let ports = kafka.sasl_bootstrap().split(',').map(port_of).collect::<Vec<_>>();
        let relay = Relay::start(ports.into_iter());
        let beside = format!("bootstrapServers: '{}'", kafka.bootstrap());
        let controllers = [1, 1].map(Place::here);
        Self { kafka, relay, beside, controllers, gateways: [2, 3].map(Place::here) }
    }
}

impl Stage {
    /// Starts everything, and waits until all flows flow.
    pub(super) fn start() -> Self {
        Self::on(Ground::new())
    }

    pub(super) fn on(ground: Ground) -> Self {
        let Ground { kafka, relay, beside, controllers, gateways } = ground;
        for owner in ZONES.iter().chain(&[DIRECT]) {
            let copies = [("min.insync.replicas", "2")];
            kafka.create_topic_with(&backing(owner), i32::try_from(PARTITIONS).unwrap(), &copies);
        }
        let (repository, folder) = (Repository::new(), tempfile::tempdir().unwrap());
        write_zones(&repository, 0);
        let head = repository.push("Generation 0");
        let (port, key_file) = (free_ports(8), folder.path().join("api-key"));
        let start = |party: Party, place: Place| {
            let shared = shared(&kafka, &beside, &repository, port, place.address);
            Node::start(party, place, &relay, &shared, &key_file)
        };
        let balancer =
            Balancer::start(port..port + 8, gateways.each_ref().map(|place| place.address.octets()));
        let mut number = 0;
        let controllers = controllers.map(|place| {
            number += 1;
            start(Party::Controller(number), place)
        });
        let gateways = gateways.map(|place| {
            number += 1;
            start(Party::Gateway(number - 2), place)
        });
        let flows = Vec::new();
        let mut stage = Self {
            kafka,
            relay,
            balancer,
            controllers,
            gateways,
            flows,
            repository,
            folder,
            generation: 0,
            head,
            waited_for: 0,
        };
        stage.gateways.iter_mut().for_each(Node::await_ready);
        stage.await_applied();
        stage.flows = ["acme", "globex"].map(|zone| Flow::start(stage.account(zone))).into();
        stage.flows.push(Flow::start(Account {
            owner: DIRECT.to_owned(),
            bootstrap: stage.kafka.sasl_bootstrap().to_owned(),
            user: ADMIN.user.to_owned(),
            password: ADMIN.password.to_owned(),
            topic: backing(DIRECT),
        }));
        stage.await_flows();
        stage
    }

    /// A new credential of a zone, which both gateways know.
    pub(super) fn account(&self, zone: &str) -> Account {
        // As an operator would, who is told that the leader has just changed.
        let issued: Value = self.wait("a credential is issued", || {
            let output = Command::new(env!("CARGO_BIN_EXE_reconciler"))
                .arg("--config")
                .arg(self.controllers[0].config())
                .args(["credentials", "issue", zone, "-o", "json"])
                .env("RECONCILER_API_KEY", self.key())
                .output()
                .unwrap();
            let said = || String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() {
                Ok(serde_json::from_slice(&output.stdout).unwrap())
            } else {
                Err(said())
            }
        });
        assert_eq!(issued["served"], true, "{}", issued["distribution"]);
        let text = |field: &str| issued[field].as_str().unwrap().to_owned();
        let partner = Partner {
            bootstrap: text("bootstrapServers"),
            username: text("username"),
            secret: text("secret"),
        };
        Account {
            owner: zone.to_owned(),
            bootstrap: partner.bootstrap,
            user: partner.username,
            password: partner.secret,
            topic: ALIAS.to_owned(),
        }
    }

    /// Changes every zone, and says to which commit.
    pub(super) fn push(&mut self) {
        self.generation += 1;
        write_zones(&self.repository, self.generation);
        self.head = self.repository.push(&format!("Generation {}", self.generation));
    }

    /// The controller that leads, as itself and nobody else says.
    pub(super) fn leader(&self) -> Option<usize> {
        self.controllers.iter().position(|node| self.leads(node))
    }

    fn leads(&self, node: &Node) -> bool {
        !node.is_dead()
            && node
                .ask(&self.key(), "/api/v1/controller")
                .is_some_and(|answer| answer["leading"] == true && answer["node"] == node.name().as_str())
    }

    /// Waits until a controller leads, which is not this one.
    pub(super) fn await_leader_but(&self, other: Option<usize>) -> usize {
        self.wait("a controller leads", || {
            self.leader().filter(|leader| Some(*leader) != other).ok_or("none")
        })
    }

    /// A commit, and waits until it is in force and served.
    pub(super) fn serve_a_commit(&mut self) {
        self.push();
        self.await_applied();
        self.waited_for += 1;
    }

    /// Waits until the last commit is in force and served, with every zone READY.
    pub(super) fn await_applied(&self) {
        self.wait("the last commit is served", || self.applied());
    }

    /// The revision of each zone.
    pub(super) fn in_force(&self) -> Vec<Value> {
        let listed = self.wait("the zones in force", || {
            let leader = self.leader().ok_or("no controller leads")?;
            self.controllers[leader].ask(&self.key(), "/api/v1/zones").ok_or("the leader does not answer")
        });
        let zones = listed["items"].as_array().unwrap().iter();
        zones.map(|zone| zone["status"]["revision"].clone()).collect()
    }

    /// What this controller did last, as it says itself.
    pub(super) fn last_run(&self, controller: usize) -> Value {
        let shown = self.controllers[controller].ask(&self.key(), "/api/v1/controller").unwrap_or_default();
        shown["runs"].as_array().and_then(|runs| runs.first()).cloned().unwrap_or_default()
    }

    /// Whether the last commit is in force, or what is not as it should be.
    fn applied(&self) -> Result<(), String> {
        let key = self.key();
        let leader = self.leader().ok_or("no controller leads")?;
        let leader = &self.controllers[leader];
        let listed = leader.ask(&key, "/api/v1/zones").ok_or("the leader does not answer")?;
        let zones = listed["items"].as_array().unwrap();
        let in_force = format!("main@sha1:{}", self.head);
        for name in ZONES {
            let zone = zones
                .iter()
                .find(|zone| zone["metadata"]["name"] == name)
                .ok_or_else(|| format!("there is no zone {name}"))?;
            if zone["status"]["phase"] != "READY" || zone["status"]["revision"] != in_force.as_str() {
                return Err(format!("wanted {in_force}, and zone {name} is {:#}", zone["status"]));
            }
        }
        let nodes = leader.ask(&key, "/api/v1/nodes").ok_or("the leader does not answer")?;
        for gateway in &self.gateways {
            let lives =
                nodes["items"].as_array().unwrap().iter().any(|node| node["node"] == gateway.name().as_str());
            if !lives {
                return Err(format!("{} is not among the nodes: {nodes}", gateway.name()));
            }
        }
        Ok(())
    }

    /// Waits until every flow has read whatever it has sent by now, and more, on each of its partitions.
    pub(super) fn await_flows(&self) {
        for flow in &self.flows {
            self.await_flow(flow);
        }
    }

    pub(super) fn await_flow(&self, flow: &Flow) {
        let sent = flow.ledger.sent();
        self.wait("a flow goes on", || {
            let now = flow.ledger.marks();
            let goes_on = sent.iter().zip(&now).all(|(sent, now)| now.1 > sent + 3);
            let said = || format!("{} had sent {sent:?}, and is at {now:?}", flow.account.owner);
            goes_on.then_some(()).ok_or_else(said)
        });
    }

    /// Panics with everybody's last words when `what` does not come.
    pub(super) fn wait<T, E: Into<String>>(&self, what: &str, check: impl Fn() -> Result<T, E>) -> T {
        self.wait_for(PATIENCE, what, check)
    }

    pub(super) fn wait_for<T, E: Into<String>>(
        &self,
        patience: Duration,
        what: &str,
        check: impl Fn() -> Result<T, E>,
    ) -> T {
        let begun = Instant::now();
        loop {
            match check() {
                Ok(found) => return found,
                Err(why) if begun.elapsed() > patience => {
                    let said = self.controllers.iter().chain(&self.gateways).map(Node::transcript);
                    let complaints = self.flows.iter().flat_map(|flow| flow.ledger.complaints());
                    let (said, complaints) = (said.collect::<Vec<_>>(), complaints.collect::<Vec<_>>());
                    panic!(
                        "not in {patience:?}: {what}: {}\n{complaints:#?}\n{}",
                        why.into(),
                        said.join("\n")
                    );
                }
                Err(_) => sleep(Duration::from_millis(200)),
            }
        }
    }

    /// Panics if a process has ended by itself, or a client was told or given what it must not be.
    pub(super) fn check(&mut self) {
        for node in self.controllers.iter_mut().chain(&mut self.gateways) {
            assert!(!node.has_ended(), "it ended by itself:\n{}", node.transcript());
        }
        for flow in &self.flows {
            assert_eq!(flow.ledger.complaints(), [""; 0], "{}", flow.account.owner);
        }
    }

    /// Ends all flows, and panics if one has lost or swapped anything. Gives what each counted.
    pub(super) fn settle(mut self) -> Vec<(String, Counts)> {
        self.check();
        let flows = std::mem::take(&mut self.flows);
        let mut counts = Vec::new();
        for flow in flows {
            let owner = flow.account.owner.clone();
            let (counted, wrong) = flow.settle(&self.kafka, &backing(&owner));
            assert_eq!(wrong, [""; 0], "{owner}: {counted:?}");
            counts.push((owner, counted));
        }
        self.audit();
        counts
    }

    /// Every generation that was waited for is told, once for each zone; and no zone was ever deleted.
    fn audit(&self) {
        let StateTopic { state, audit } = StateTopic::read(self.kafka.bootstrap());
        let deleted: Vec<_> =
            state.iter().filter(|(key, value)| key.starts_with("zone/") && value.is_none()).collect();
        assert!(deleted.is_empty(), "{deleted:?}");
        for name in ZONES {
            let subject = format!("zone/{name}");
            let of_zone = |(key, value): &(String, Option<Value>),
                           sequence: &dyn Fn(&Value) -> Option<u64>| {
                (*key == subject).then(|| sequence(value.as_ref()?)).flatten()
            };
            let written: Vec<u64> =
                state.iter().filter_map(|it| of_zone(it, &|zone| zone["changed"].as_u64())).collect();
            // Credentials are a zone's too.
            let change = |event: &Value| {
                let is_change = event["type"].as_str()?.starts_with("partner-zones.zone.");
                is_change.then(|| event["data"]["sequence"].as_u64()).flatten()
            };
            let told: Vec<u64> = audit.iter().filter_map(|it| of_zone(it, &change)).collect();
            assert_eq!(told, written, "the audit log of {subject}, and its records");
            assert!(
                written.len() > self.waited_for,
                "{subject}: {written:?}, {} waited for",
                self.waited_for
            );
        }
    }

    fn key(&self) -> String {
        fs::read_to_string(self.key_file()).unwrap_or_default().trim().to_owned()
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("api-key")
    }
}

/// What the nodes share.
fn shared(kafka: &Cluster, beside: &str, repository: &Repository, port: u16, listen: Ipv4Addr) -> String {
    format!(
        "source: {{url: {source}, path: zones, pollInterval: 1s}}\n\
         gateway: {{listen: {listen}, advertisedHost: 127.0.0.1, bootstrapPort: {port}, brokerPortBase: {port}}}\n\
         clusters:\n  default: {{bootstrapServers: '{sasl}', isolation: principal, properties: {{security.protocol: \
         SASL_PLAINTEXT, sasl.mechanism: SCRAM-SHA-512, sasl.username: {user}, sasl.password: {password}}}}}\n  \
         beside: {{{beside}, isolation: shared, brokerPortBase: {beside_port}}}\n\
         masterKey: {MASTER_KEY}\nstore: kafka\n",
        source = repository.url().display(),
        sasl = kafka.sasl_bootstrap(),
        user = ADMIN.user,
        password = ADMIN.password,
        beside_port = port + 4,
    )
}

pub(super) fn backing(owner: &str) -> String {
    format!("{owner}-orders")
}

/// Each generation has another sentence in each zone, which changes nothing else.
fn write_zones(repository: &Repository, generation: usize) {
    for name in ZONES {
        let topic = backing(name);
        let text = manifest(name, &[(ALIAS, topic.as_str(), "WRITE")]);
        let shown = format!("displayName: {name}, generation {generation}");
        let text = text.replacen(&format!("displayName: {name}"), &shown, 1);
        let beside = if name == BESIDE { "  underlyingCluster: beside\n" } else { "" };
        repository.write(&format!("zones/{name}.yaml"), text + beside);
    }
}

pub(super) fn port_of(address: &str) -> u16 {
    address.rsplit_once(':').unwrap().1.parse().unwrap()
}
