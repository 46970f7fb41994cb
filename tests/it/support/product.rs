//! The product as an operator runs it: the `reconciler` binary on a configuration file, a Git repository, real Kafka.

use std::fmt::Write;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::client::Connection;
use super::git::{BRANCH, Repository};
use super::kafka::{ADMIN, Cluster};
use super::process::Process;
use super::reconciler::{await_ok, get, get_as, reconciler};

/// The bootstrap port and one for each broker of up to two clusters with ids 1 to 3: the second cluster starts at +4.
const PORTS: u16 = 10;
const START: Duration = Duration::from_mins(1);
/// A commit is polled for, planned, applied, served and reported back.
const SETTLE: Duration = Duration::from_secs(90);

/// How a product is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    /// `kafka` or `memory`.
    pub(crate) store: &'static str,
    /// Whether the gateway logs in to the brokers (SCRAM-SHA-512) or uses their open listener.
    pub(crate) upstream_sasl: bool,
}

impl Setup {
    pub(crate) const MEMORY: Self = Self { store: "memory", upstream_sasl: false };
    /// On a cluster of the test's own: the state is one for a cluster.
    pub(crate) const KAFKA: Self = Self { store: "kafka", upstream_sasl: true };
}

/// A running reconciler with its repository.
#[derive(Debug)]
pub(crate) struct Product {
    role: &'static str,
    repository: Repository,
    process: Option<Process>,
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    http: u16,
}

/// What a partner logs in with.
#[derive(Debug, Clone)]
pub(crate) struct Partner {
    pub(crate) bootstrap: String,
    pub(crate) username: String,
    pub(crate) secret: String,
}

impl Product {
    /// Starts with these zone files (name below `zones/`, text) and waits until the process serves.
    pub(crate) fn start(cluster: &Cluster, setup: Setup, zones: &[(&str, &str)]) -> Self {
        Self::start_with(zones, |port, folder| sections(cluster, setup, port, folder))
    }

    /// As [`start`](Self::start); what the configuration says of `gateway`, `clusters` and `store` is up to the caller, who is
    /// given the first of [`PORTS`] free ports and a folder for files of its own.
    pub(crate) fn start_with(zones: &[(&str, &str)], sections: impl FnOnce(u16, &Path) -> String) -> Self {
        Self::start_as("all", zones, sections)
    }

    /// As [`start_with`](Self::start_with), in this role only.
    pub(crate) fn start_as(
        role: &'static str,
        zones: &[(&str, &str)],
        sections: impl FnOnce(u16, &Path) -> String,
    ) -> Self {
        let repository = Repository::new();
        for (name, text) in zones {
            repository.write(&format!("zones/{name}"), text);
        }
        repository.push("Share the first topics");
        let (port, http) = (free_ports(PORTS), free_ports(1));
        let folder = tempfile::tempdir().unwrap();
        let mut product = Self { role, repository, process: None, folder, port, http };
        let sections = sections(port, product.folder.path());
        product.configure(&sections);
        product.restart();
        product
    }

    /// Writes another configuration, for the next start.
    pub(crate) fn configure(&self, sections: &str) {
        let common = format!(
            "source: {{url: {source}, path: zones, pollInterval: 1s}}\n\
             http: {{admin: \"127.0.0.1:{http}\", bootstrapKeyFile: {key}}}\ndataDir: {data}\n",
            source = self.repository.url().display(),
            http = self.http,
            key = self.key_file().display(),
            data = self.folder.path().join("data").display(),
        );
        fs::write(self.config(), common + sections).unwrap();
    }

    /// Stops the process if it runs (SIGTERM) and starts it on the same configuration.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let mut process = reconciler(self.folder.path(), &["run", "--role", self.role]);
        await_ok(&mut process, &format!("127.0.0.1:{}", self.http), "/readyz", START);
        self.process = Some(process);
        if self.role != "gateway" {
            self.await_key();
        }
    }

    /// A process is ready a moment before its first key is in its file, and is good.
    fn await_key(&self) {
        let (address, deadline) = (format!("127.0.0.1:{}", self.http), Instant::now() + START);
        loop {
            let key = self.admin_key();
            if !key.is_empty() && matches!(get_as(&key, &address, "/api/v1/nodes"), Some((200, _))) {
                return;
            }
            assert!(Instant::now() < deadline, "no key is good:\n{}", self.transcript());
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.terminate();
            process.wait(Duration::from_secs(30));
        }
    }

    /// Ends the process at once (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("the product runs").kill();
    }

    /// Asks the process to end (SIGTERM), and does not wait.
    pub(crate) fn terminate(&self) {
        self.process.as_ref().expect("the product runs").terminate();
    }

    /// Everything the process has written, for a failing test's message.
    pub(crate) fn transcript(&self) -> String {
        self.process.as_ref().map(Process::transcript).unwrap_or_default()
    }

    /// Waits for a line of the process that holds `text`.
    pub(crate) fn wait_for_line(&mut self, text: &str) {
        self.process.as_mut().expect("the product runs").wait_for_line(text, SETTLE);
    }

    /// Whether it says that it is ready.
    pub(crate) fn is_ready(&self) -> bool {
        get(&format!("127.0.0.1:{}", self.http), "/readyz").is_some_and(|(status, _)| status == 200)
    }

    /// What `/metrics` shows.
    pub(crate) fn metrics(&self) -> String {
        get(&format!("127.0.0.1:{}", self.http), "/metrics").unwrap().1
    }

    /// Changes the source: writes or removes (`None`) files below `zones/`, commits and pushes.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, Option<&str>)]) -> String {
        for (name, text) in files {
            match text {
                Some(text) => self.repository.write(&format!("zones/{name}"), text),
                None => self.repository.remove(&format!("zones/{name}")),
            }
        }
        self.repository.push(message)
    }

    /// A pull request: a branch with these files, as [`commit`](Self::commit) takes them.
    pub(crate) fn propose(&self, branch: &str, files: &[(&str, Option<String>)]) {
        self.repository.git(&["switch", "--quiet", "--create", branch]);
        for (name, text) in files {
            match text {
                Some(text) => self.repository.write(&format!("zones/{name}"), text),
                None => self.repository.remove(&format!("zones/{name}")),
            }
        }
        self.repository.git(&["add", "--all"]);
        self.repository.git(&["commit", "--quiet", "--message", "Propose"]);
        self.repository.git(&["push", "--quiet", "origin", branch]);
        self.repository.git(&["switch", "--quiet", BRANCH]);
    }

    /// Merges it, and gives the merge's id.
    pub(crate) fn merge(&self, branch: &str) -> String {
        self.repository.git(&["merge", "--quiet", "--no-ff", "--no-edit", branch]);
        self.repository.push("Merged")
    }

    /// Puts another commit in the last one's place, and gives its id.
    pub(crate) fn rewrite(&self) -> String {
        self.repository.git(&[
            "commit",
            "--quiet",
            "--amend",
            "--allow-empty",
            "--message",
            "Another history",
        ]);
        self.repository.push("On top of it")
    }

    /// The repository that is watched.
    pub(crate) fn source(&self) -> PathBuf {
        self.repository.url()
    }

    /// The id of the last commit.
    pub(crate) fn head(&self) -> String {
        self.repository.git(&["rev-parse", "HEAD"])
    }

    /// `reconciler` with these arguments, on this product's configuration and admin key.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_reconciler"))
            .arg("--config")
            .arg(self.config())
            .args(arguments)
            .env("RECONCILER_API_KEY", self.admin_key())
            .output()
            .unwrap()
    }

    /// A zone as `get zone NAME -o json` shows it; `None` if there is no such zone.
    pub(crate) fn zone(&self, name: &str) -> Option<serde_json::Value> {
        let output = self.cli(&["get", "zone", name, "-o", "json"]);
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// Waits until `wanted` of the zone holds, and returns it.
    ///
    /// # Panics
    /// With the zone and the server's log, when it does not come to that.
    pub(crate) fn wait_for_zone(
        &self,
        name: &str,
        wanted: impl Fn(Option<&serde_json::Value>) -> bool,
    ) -> Option<serde_json::Value> {
        let started = Instant::now();
        loop {
            let zone = self.zone(name);
            if wanted(zone.as_ref()) {
                return zone;
            }
            assert!(started.elapsed() < SETTLE, "zone {name} is {zone:#?}\n{}", self.transcript());
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until the zone has this status.
    pub(crate) fn wait_for_status(&self, name: &str, status: &str) -> serde_json::Value {
        self.wait_for_zone(name, |zone| zone.is_some_and(|zone| zone["status"]["phase"] == status)).unwrap()
    }

    /// Issues a credential for a zone.
    pub(crate) fn partner(&self, zone: &str) -> Partner {
        let output = self.cli(&["credentials", "issue", zone, "-o", "json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let issued: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(issued["served"], true, "{:#}\n{}", issued["distribution"], self.transcript());
        let text = |field: &str| issued[field].as_str().unwrap().to_owned();
        Partner { bootstrap: text("bootstrapServers"), username: text("username"), secret: text("secret") }
    }

    /// What `get zone NAME -o FORM` prints for the partner's client.
    pub(crate) fn client_file(&self, zone: &str, form: &str) -> String {
        let output = self.cli(&["get", "zone", zone, "-o", form]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Where the admin API answers.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running().expect("the product runs")
    }

    /// Its process, while there is one.
    pub(crate) fn running(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("reconciler.yaml")
    }

    pub(crate) fn admin_key(&self) -> String {
        fs::read_to_string(self.key_file()).unwrap_or_default().trim().to_owned()
    }

    /// A new key that may read.
    pub(crate) fn viewer_key(&self) -> String {
        let output = self.cli(&["api-key", "create", "--role", "viewer"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().find(|word| word.starts_with("pzk_")).unwrap().to_owned()
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("api-key")
    }
}

/// What the configuration says of `gateway`, `clusters` and `store`.
pub(crate) fn sections(cluster: &Cluster, setup: Setup, port: u16, folder: &Path) -> String {
    let (bootstrap, properties) = if setup.upstream_sasl {
        let login = format!(
            "{{security.protocol: SASL_PLAINTEXT, sasl.mechanism: SCRAM-SHA-512, sasl.username: {}, \
             sasl.password: \"file:{}\"}}",
            ADMIN.user,
            folder.join("upstream-password").display()
        );
        fs::write(folder.join("upstream-password"), ADMIN.password).unwrap();
        (cluster.sasl_bootstrap(), login)
    } else {
        (cluster.bootstrap(), "{}".to_owned())
    };
    format!(
        "gateway:\n  listen: 127.0.0.1\n  advertisedHost: 127.0.0.1\n  bootstrapPort: {port}\n  \
         brokerPortBase: {port}\n\
         clusters:\n  default:\n    bootstrapServers: \"{bootstrap}\"\n    properties: {properties}\n    \
         isolation: shared\nstore: {store}\n",
        store = setup.store,
    )
}

impl Partner {
    /// As the tests' clients want it.
    pub(crate) fn connection(&self) -> Connection {
        Connection::sasl(&self.bootstrap, "PLAIN", &self.username, &self.secret)
    }
}

/// A zone file in the manifest's words: (alias, backing topic, permission) for each topic.
pub(crate) fn manifest(zone: &str, topics: &[(&str, &str, &str)]) -> String {
    let mut text = format!(
        "apiVersion: v2\nkind: PartnerZone\nmetadata:\n  name: {zone}\nspec:\n  cluster: gateway\n  \
         displayName: {zone}\n  authenticationMode:\n    type: PLAIN\n    serviceAccount: {zone}-account\n  \
         topics:\n"
    );
    for (alias, backing, permission) in topics {
        let _ = write!(
            text,
            "    - name: {alias}\n      backingTopic: {backing}\n      permission: {permission}\n"
        );
    }
    text
}

/// The first of `count` free ports in a row, below the range that the kernel hands to clients. Tests run side by side:
/// each caller starts to look where the last one stopped.
pub(crate) fn free_ports(count: u16) -> u16 {
    const FIRST: u16 = 20_000;
    const LAST: u16 = 28_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Another test process may be at it as well.
    let offset = u16::try_from(std::process::id() % 4_000).unwrap_or_default();
    for _ in 0..1_000 {
        let first = FIRST + (offset + NEXT.fetch_add(count, Ordering::Relaxed)) % (LAST - FIRST - count);
        if (first..first + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return first;
        }
    }
    panic!("no {count} free ports in a row between {FIRST} and {LAST}")
}
