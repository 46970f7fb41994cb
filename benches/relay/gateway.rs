//! The gateway under measure: the `reconciler` binary in a process of its own, with zones from a Git repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use super::support::certificates::Authority;
use super::support::git::Repository;
use super::support::process::Process;
use super::support::product::{free_ports, manifest};
use super::support::reconciler::{await_ok, get, reconciler};
use super::topics::Pair;
use super::wire::Address;

const ZONE: &str = "bench";
const START: Duration = Duration::from_mins(1);

pub(crate) struct Gateway {
    process: Process,
    port: u16,
    http: u16,
    /// By zone: user name and secret.
    logins: BTreeMap<String, (String, String)>,
    _folder: tempfile::TempDir,
    _repository: Repository,
}

impl Gateway {
    /// In front of a cluster whose only broker has id 1. With an authority its partners are under TLS, and it shows the
    /// certificate called `peer`.
    pub(crate) fn start(bootstrap: &str, topics: &[Pair], authority: Option<&Authority>) -> Self {
        Self::serving(bootstrap, &[(ZONE, sharing(ZONE, topics))], authority)
    }

    /// As [`start`](Self::start), with these zones: names and files.
    pub(crate) fn serving(bootstrap: &str, zones: &[(&str, String)], authority: Option<&Authority>) -> Self {
        let repository = Repository::new();
        for (zone, text) in zones {
            repository.write(&format!("zones/{zone}.yaml"), text);
        }
        repository.push("Share the topics of the benchmark");
        let folder = tempfile::tempdir().unwrap();
        let (port, http) = (free_ports(2), free_ports(1));
        let tls = authority.map(|authority| {
            let [certificate, key] = ["peer.crt", "peer.key"].map(|file| authority.file(file));
            format!("  tls: {{certificateFile: {}, keyFile: {}}}\n", certificate.display(), key.display())
        });
        let text = format!(
            "source: {{url: {source}, path: zones, pollInterval: 60s}}\n\
             gateway:\n  listen: 127.0.0.1\n  advertisedHost: 127.0.0.1\n  bootstrapPort: {port}\n  \
             brokerPortBase: {port}\n{tls}\
             clusters:\n  default:\n    bootstrapServers: \"{bootstrap}\"\n    isolation: shared\n\
             http: {{admin: \"127.0.0.1:{http}\", bootstrapKeyFile: {key}}}\n\
             dataDir: {data}\nstore: memory\n",
            tls = tls.unwrap_or_default(),
            source = repository.url().display(),
            key = folder.path().join("api-key").display(),
            data = folder.path().join("data").display(),
        );
        fs::write(folder.path().join("reconciler.yaml"), text).unwrap();
        let mut process = reconciler(folder.path(), &["run"]);
        await_ok(&mut process, &format!("127.0.0.1:{http}"), "/readyz", START);
        let logins = zones
            .iter()
            .map(|(zone, _)| ((*zone).to_owned(), log_in(zone, folder.path(), &mut process)))
            .collect();
        Self { process, port, http, logins, _folder: folder, _repository: repository }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Broker 1 as partners see it.
    pub(crate) fn address(&self) -> Address {
        self.address_in(ZONE)
    }

    /// The same, as the partner of this zone.
    pub(crate) fn address_in(&self, zone: &str) -> Address {
        let open = Address::open(&format!("127.0.0.1:{}", self.port + 1));
        Address { login: Some(self.logins[zone].clone()), ..open }
    }

    /// Does this work, and tells the most [`buffered`](Self::buffered) meanwhile. Asking takes CPU time of the gateway.
    pub(crate) fn most_buffered<T: Send>(&self, work: impl FnOnce() -> T + Send) -> (f64, T) {
        thread::scope(|scope| {
            let working = scope.spawn(work);
            let mut most = 0.0_f64;
            while !working.is_finished() {
                most = most.max(self.buffered());
                thread::sleep(Duration::from_millis(5));
            }
            (most, working.join().unwrap())
        })
    }

    /// Bytes of large frames that it holds now, as it tells.
    pub(crate) fn buffered(&self) -> f64 {
        let (_, text) = get(&format!("127.0.0.1:{}", self.http), "/metrics").unwrap();
        let line = text.lines().find(|line| line.starts_with("gateway_buffered_bytes ")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// The file of a zone that shares these topics.
pub(crate) fn sharing(zone: &str, topics: &[Pair]) -> String {
    let topics: Vec<_> =
        topics.iter().map(|(alias, backing)| (alias.as_str(), backing.as_str(), "WRITE")).collect();
    manifest(zone, &topics)
}

/// Waits until the zone is served, and gets a credential for it.
fn log_in(zone: &str, folder: &Path, process: &mut Process) -> (String, String) {
    let cli = |arguments: &[&str]| -> Output {
        let key = fs::read_to_string(folder.join("api-key")).unwrap_or_default();
        Command::new(env!("CARGO_BIN_EXE_reconciler"))
            .args(["--config", "reconciler.yaml"])
            .args(arguments)
            .current_dir(folder)
            .env("RECONCILER_API_KEY", key.trim())
            .output()
            .unwrap()
    };
    let json = |output: Output| -> serde_json::Value {
        serde_json::from_slice(&output.stdout).unwrap_or(serde_json::Value::Null)
    };
    let deadline = Instant::now() + START;
    while json(cli(&["get", "zone", zone, "-o", "json"]))["status"]["phase"] != "READY" {
        assert!(!process.ended() && Instant::now() < deadline, "{}", process.transcript());
        thread::sleep(Duration::from_millis(100));
    }
    let issued = json(cli(&["credentials", "issue", zone, "-o", "json"]));
    let text = |field: &str| issued[field].as_str().unwrap().to_owned();
    (text("username"), text("secret"))
}
