//! The binary's roles and its admin API, from the outside.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::git::Repository;
use crate::support::kafka::{Cluster, unique};
use crate::support::process::Process;
use crate::support::reconciler::{await_ok, reconciler};

/// What any single step may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Ports of one process: admin, bootstrap, and room for the brokers.
const PORTS: u16 = 8;

/// The first of [`PORTS`] ports in a row that nobody has now, and that no other test of this run is given.
fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(28_600);
    loop {
        let first = NEXT.fetch_add(PORTS, Ordering::Relaxed);
        if (first..first + PORTS).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return first;
        }
    }
}

/// One node: its folder, its configuration and its process.
struct Node {
    folder: TempDir,
    admin: String,
    process: Process,
}

impl Node {
    fn start(role: &str, store: &str, kafka: &str, zones: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let first = free_ports();
        let admin = format!("127.0.0.1:{first}");
        let configuration = format!(
            "source: {{url: {zones}, pollInterval: 1s}}\n\
             gateway: {{listen: 127.0.0.1, advertisedHost: 127.0.0.1, bootstrapPort: {}, brokerPortBase: {}}}\n\
             clusters: {{default: {{bootstrapServers: '{kafka}'}}}}\n\
             http: {{admin: '{admin}'}}\n\
             node: {{id: n{first}}}\n\
             dataDir: {folder}\n\
             store: {store}\n",
            first + 1,
            first + 2,
            zones = zones.display(),
            folder = folder.path().display(),
        );
        fs::write(folder.path().join("reconciler.yaml"), configuration).unwrap();
        let process = reconciler(folder.path(), &["run", "--role", role]);
        Self { folder, admin, process }
    }

    fn await_ok(&mut self, path: &str) {
        await_ok(&mut self.process, &self.admin, path, PATIENCE);
    }

    /// The first admin key. A node is ready a moment before it is written.
    fn first_key(&self) -> String {
        let started = Instant::now();
        loop {
            if let Ok(key) = fs::read_to_string(self.key_file()) {
                return key.trim().to_owned();
            }
            assert!(started.elapsed() < Duration::from_secs(10), "{}", self.process.transcript());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("api-key")
    }

    /// Runs a command of the binary against this node: exit code, stdout, everything.
    fn command(&self, key: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut all = arguments.to_vec();
        all.extend(["--api-key", key]);
        let mut process = reconciler(self.folder.path(), &all);
        let code = process.wait(PATIENCE).code();
        (code, process.stdout().join("\n"), process.transcript())
    }

    /// What a command prints as JSON.
    fn json(&self, key: &str, arguments: &[&str]) -> Value {
        let (code, stdout, all) = self.command(key, arguments);
        assert_eq!(code, Some(0), "{all}\n{}", self.process.transcript());
        serde_json::from_str(&stdout).unwrap()
    }

    fn await_phase(&self, key: &str, zone: &str, phase: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let zones = self.json(key, &["get", "zones", "-o", "json"]);
            let found = zones["items"].as_array().unwrap().iter().find(|z| z["metadata"]["name"] == zone);
            if found.is_some_and(|found| found["status"]["phase"] == phase) {
                return;
            }
            assert!(Instant::now() < deadline, "{zone}: {found:?}\n{}", self.process.transcript());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn stop(mut self) {
        self.process.terminate();
        let status = self.process.wait(PATIENCE);
        assert_eq!(status.code(), Some(0), "{}", self.process.transcript());
    }
}

fn repository_with(zone: &str, backing: &str) -> Repository {
    let repository = Repository::new();
    repository.write(&format!("zones/{zone}.yaml"), manifest(zone, backing));
    repository.push("Share a topic");
    repository
}

fn manifest(zone: &str, backing: &str) -> String {
    format!(
        "apiVersion: v2\nkind: PartnerZone\nmetadata:\n  name: {zone}\nspec:\n  cluster: gateway\n  displayName: {zone}\n  \
         authenticationMode:\n    type: PLAIN\n    serviceAccount: {zone}-sa\n  topics:\n    - name: orders\n      \
         backingTopic: {backing}\n      permission: READ\n"
    )
}

/// The topics that a partner sees with this credential; the error if it is not let in.
fn topics_seen(issued: &Value) -> Result<Vec<String>, String> {
    let text = |name: &str| issued[name].as_str().unwrap().to_owned();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", text("bootstrapServers"))
        .set("security.protocol", "sasl_plaintext")
        .set("sasl.mechanism", "PLAIN")
        .set("sasl.username", text("username"))
        .set("sasl.password", text("secret"))
        .create()
        .unwrap();
    let metadata =
        consumer.fetch_metadata(None, Duration::from_secs(10)).map_err(|error| error.to_string())?;
    Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
}

#[test]
fn one_process_takes_a_zone_from_git_to_a_partner_who_logs_in_with_an_issued_credential() {
    let backing = unique("http-orders");
    Cluster::shared().create_topic(&backing, 1);
    let repository = repository_with("acme", &backing);
    let mut node = Node::start("all", "memory", Cluster::shared().bootstrap(), &repository.url());
    node.await_ok("/healthz");
    node.await_ok("/readyz");
    let key = node.first_key();
    node.await_phase(&key, "acme", "READY");
    let issued = node.json(&key, &["credentials", "issue", "acme", "--expires", "90d", "-o", "json"]);
    assert_eq!(topics_seen(&issued).unwrap(), ["orders"]);
    let (_, listed, _) = node.command(&key, &["credentials", "list", "acme"]);
    assert!(listed.contains(issued["keyId"].as_str().unwrap()) && listed.contains("ACTIVE"), "{listed}");
    let secret = issued["secret"].as_str().unwrap();
    assert!(!listed.contains(secret) && !node.process.transcript().contains(secret));
    assert!(!node.process.transcript().contains(&key), "no key in the log");
    let (_, properties, _) = node.command(&key, &["credentials", "issue", "acme", "-o", "properties"]);
    assert!(properties.contains("sasl.mechanism=PLAIN") && properties.contains("PlainLoginModule required"));
    repository.write("zones/globex.yaml", manifest("globex", "no-such-topic"));
    repository.push("Share a topic that does not exist");
    node.await_phase(&key, "globex", "FAILED");
    assert_eq!(topics_seen(&issued).unwrap(), ["orders"], "another zone's fault is not this one's");
    node.stop();
}

#[test]
fn commands_end_with_the_documented_code_and_say_what_to_do() {
    let backing = unique("http-orders");
    Cluster::shared().create_topic(&backing, 1);
    let repository = repository_with("acme", &backing);
    let mut node = Node::start("all", "memory", Cluster::shared().bootstrap(), &repository.url());
    node.await_ok("/readyz");
    let key = node.first_key();
    let (_, viewer, _) = node.command(&key, &["api-key", "create", "--role", "viewer"]);
    for (key, arguments, code, said) in [
        ("pzk_wrong_key", &["get", "zones"][..], 2, "check --api-key"),
        (&viewer, &["credentials", "issue", "acme"], 2, "use a key of the role `admin`"),
        (&viewer, &["get", "zone", "none"], 2, "there is no zone of this name"),
        (&viewer, &["get", "nodes", "-o", "name"], 0, "n2"),
        (&viewer, &["get", "zones", "--url", "http://127.0.0.1:1"], 5, "cannot reach http://127.0.0.1:1"),
        (&viewer, &["get", "everything"], 2, "unrecognized subcommand"),
        (&key, &["api-key", "create", "--role", "owner"], 2, "an owner's key needs `topics`"),
        (&key, &["api-key", "create", "--role", "viewer", "--zone", "acme"], 2, "for the role `partner`"),
        (&key, &["api-key", "create", "--role", "partner", "--zone", "none"], 2, "there is no zone `none`"),
        (&key, &["api-key", "revoke", "none"], 2, "there is no API key of this id"),
    ] {
        let (ended, _, all) = node.command(key, arguments);
        assert_eq!(ended, Some(code), "{arguments:?}: {all}");
        assert!(all.contains(said), "{arguments:?}: {all}");
    }
    node.stop();
}

#[test]
fn owners_and_partners_have_keys_for_what_is_theirs_until_they_are_revoked() {
    let [orders, ledger] = ["http-orders", "http-ledger"].map(unique);
    for topic in [&orders, &ledger] {
        Cluster::shared().create_topic(topic, 1);
    }
    let repository = repository_with("acme", &orders);
    repository.write("zones/globex.yaml", manifest("globex", &ledger));
    repository.push("Share another topic");
    let mut node = Node::start("all", "memory", Cluster::shared().bootstrap(), &repository.url());
    node.await_ok("/readyz");
    let admin = node.first_key();
    for zone in ["acme", "globex"] {
        node.await_phase(&admin, zone, "READY");
    }
    let create = |arguments: &[&str]| {
        let (code, key, all) = node.command(&admin, &[&["api-key", "create"][..], arguments].concat());
        assert_eq!(code, Some(0), "{all}");
        key
    };
    let pattern = format!("{orders}*");
    let owner = create(&["--role", "owner", "--topics", &pattern, "--topics", "none-of-these"]);
    let partner = create(&["--role", "partner", "--zone", "globex"]);
    let (_, listed, _) = node.command(&admin, &["api-key", "list"]);
    let scopes = [format!("{pattern}, none-of-these"), "globex".to_owned()];
    assert!(scopes.iter().all(|scope| listed.contains(scope.as_str())), "{listed}");

    let zones = |key: &str| node.command(key, &["get", "zones", "-o", "name"]).1;
    assert_eq!((zones(&owner).as_str(), zones(&partner).as_str()), ("acme", "globex"));
    let issued = node.json(&owner, &["credentials", "issue", "acme", "-o", "json"]);
    assert_eq!(topics_seen(&issued).unwrap(), ["orders"]);
    let (_, shown, _) = node.command(&partner, &["get", "zone", "globex"]);
    assert!(shown.contains("orders") && shown.contains("READ") && !shown.contains(&ledger), "{shown}");
    let first = node.json(&admin, &["credentials", "issue", "globex", "-o", "json"]);
    let id = first["keyId"].as_str().unwrap();
    let second = node.json(&partner, &["credentials", "rotate", id, "--overlap", "0s", "-o", "json"]);
    assert_eq!(topics_seen(&second).unwrap(), ["orders"]);
    assert!(topics_seen(&first).is_err());
    for (key, arguments, said) in [
        (&owner, &["credentials", "issue", "globex"][..], "there is no zone of this name"),
        (&partner, &["credentials", "issue", "globex"], "the role `partner` may not do this"),
        (&partner, &["get", "zone", "acme"], "there is no zone of this name"),
        (&owner, &["get", "nodes"], "the role `owner` may not do this"),
    ] {
        let (code, _, all) = node.command(key, arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {all}");
        assert!(all.contains(said), "{arguments:?}: {all}");
    }
    let (code, _, all) = node.command(&admin, &["api-key", "revoke", partner.split('_').nth(1).unwrap()]);
    assert_eq!(code, Some(0), "{all}");
    let (code, _, all) = node.command(&partner, &["get", "zones"]);
    assert_eq!(code, Some(2), "{all}");
    assert!(all.contains("the API key is not valid"), "{all}");
    node.stop();
}

#[test]
fn a_wrong_configuration_ends_the_process_with_code_2_and_every_problem() {
    let folder = tempfile::tempdir().unwrap();
    for (configuration, wanted) in [
        ("http: {portal: '127.0.0.1:1'}\nsorce: 1\n", ["needs a later version", "unknown key `sorce`"]),
        ("store: memory\n", ["`source.url` is not set", "set it in reconciler.yaml"]),
    ] {
        let configuration = format!("{configuration}http: {{admin: '127.0.0.1:0'}}\n");
        fs::write(folder.path().join("reconciler.yaml"), configuration).unwrap();
        let mut process = reconciler(folder.path(), &[]);
        assert_eq!(process.wait(PATIENCE).code(), Some(2), "{}", process.transcript());
        for text in wanted {
            assert!(process.transcript().contains(text), "{}", process.transcript());
        }
    }
}

#[test]
fn two_controllers_and_a_gateway_work_together_and_outlive_the_leader() {
    let kafka = Cluster::private(1);
    kafka.create_topic("eu.orders", 1);
    let repository = repository_with("acme", "eu.orders");
    let start = |role: &str| Node::start(role, "kafka", kafka.bootstrap(), &repository.url());
    let mut nodes = [start("controller"), start("controller")];
    let mut gateway = start("gateway");
    gateway.await_ok("/readyz");
    for node in &mut nodes {
        node.await_ok("/healthz");
    }
    // Exactly one makes the first key: the one that leads.
    let begun = Instant::now();
    let leads = loop {
        if let Some(leads) = nodes.iter().position(|node| node.key_file().exists()) {
            break leads;
        }
        assert!(begun.elapsed() < PATIENCE, "nobody leads:\n{}", nodes[0].process.transcript());
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(!nodes[1 - leads].key_file().exists());
    let key = nodes[leads].first_key();
    // Every node answers; a write on one that does not lead reaches the leader.
    gateway.await_phase(&key, "acme", "READY");
    let issued = gateway.json(&key, &["credentials", "issue", "acme", "-o", "json"]);
    assert_eq!(topics_seen(&issued).unwrap(), ["orders"]);
    nodes[leads].process.kill();
    let survivor = &mut nodes[1 - leads];
    survivor.await_ok("/readyz");
    assert_eq!(topics_seen(&issued).unwrap(), ["orders"], "what was committed is still there");
    let again = gateway.json(&key, &["credentials", "issue", "acme", "-o", "json"]);
    assert_ne!(again["keyId"], issued["keyId"]);
    gateway.stop();
}
