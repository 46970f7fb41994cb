//! One process of the product, started again and again in its place.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::means::{LIBFAKETIME, Means};
use super::network::Remote;
use super::relay::{Party, Relay};
use crate::support::process::Process;
use crate::support::product::free_ports;
use crate::support::reconciler::{await_ok, get, get_as};

/// A start on a busy machine, and a read of the whole state.
const START: Duration = Duration::from_mins(1);
/// The disk that a controller has its mirror on.
const DISK: &str = "4m";

/// What is mounted in a name space of its own is gone with the process, in whatever way that ends: libfaketime leaves two files in
/// `/dev/shm` for each process that is killed.
const MOUNT: &str =
    r#"mount -t tmpfs none /dev/shm && mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec "$@""#;

/// Where a node runs.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Where it listens, whatever for.
    pub(super) address: Ipv4Addr,
    /// What a command that is to run there begins with.
    enter: Vec<String>,
}

impl Place {
    /// Beside the test, at an address of loopback.
    pub(super) fn here(last: u8) -> Self {
        Self { address: Ipv4Addr::new(127, 0, 0, last), enter: Vec::new() }
    }

    pub(super) fn in_network_of(remote: &Remote) -> Self {
        Self { address: remote.address, enter: remote.enter().into() }
    }
}

/// A controller or a gateway.
#[derive(Debug)]
pub(super) struct Node {
    party: Party,
    place: Place,
    relay: Arc<Relay>,
    folder: TempDir,
    pub(super) http: u16,
    /// None only while it is dead.
    process: Option<Process>,
}

impl Node {
    /// Starts it on what all nodes share, with an id, a folder and an admin port of its own.
    pub(super) fn start(
        party: Party,
        place: Place,
        relay: &Arc<Relay>,
        shared: &str,
        key_file: &Path,
    ) -> Self {
        let (folder, http) = (tempfile::tempdir().unwrap(), free_ports(1));
        let (relay, process) = (Arc::clone(relay), None);
        let mut node = Self { party, place, relay, folder, http, process };
        let own = format!(
            "http: {{admin: '{}', bootstrapKeyFile: {}}}\nnode: {{id: {}}}\ndataDir: {}\n",
            node.address(),
            key_file.display(),
            node.name(),
            node.data().display()
        );
        fs::create_dir(node.data()).unwrap();
        fs::write(node.config(), own + shared).unwrap();
        node.set_clock("+0");
        node.run();
        node
    }

    /// Starts the process, and does not wait for it.
    pub(super) fn run(&mut self) {
        let mut command = self.command();
        command.current_dir(self.folder.path()).env("HOME", self.folder.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RECONCILER_") {
                command.env_remove(name);
            }
        }
        let process = Process::start(&self.name(), &mut command);
        self.relay.know(self.party, process.pid());
        self.process = Some(process);
    }

    /// A controller has a small disk of its own, and a clock that can be set. Each step takes the place of the one before, so that the
    /// process is the one that was started.
    fn command(&self) -> Command {
        let binary = env!("CARGO_BIN_EXE_reconciler");
        let mut command = Command::new("env");
        command.args(&self.place.enter);
        if let Party::Gateway(_) = self.party {
            command.args([binary, "run", "--role", "gateway"]);
            return command;
        }
        if Means::Disks.are_used() {
            command.args(["unshare", "--map-root-user", "--mount", "sh", "-c", MOUNT, "sh", DISK]);
            command.arg(self.data()).arg("env");
        }
        if Means::Clocks.are_used() {
            command.arg(format!("LD_PRELOAD={LIBFAKETIME}"));
            command.arg(format!("FAKETIME_TIMESTAMP_FILE={}", self.clock().display()));
            // Only the time of day jumps. The file is read again every second.
            command.args(["FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"]);
            command.arg("FAKETIME_CACHE_DURATION=1");
        }
        command.args([binary, "run", "--role", "controller"]);
        command
    }

    pub(super) fn name(&self) -> String {
        match self.party {
            Party::Controller(number) => format!("controller-{number}"),
            Party::Gateway(number) => format!("gateway-{number}"),
            Party::Direct => unreachable!("no node of the product"),
        }
    }

    pub(super) fn config(&self) -> PathBuf {
        self.folder.path().join("reconciler.yaml")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn clock(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    /// What its time of day is ahead of the machine's, in seconds with a sign.
    pub(super) fn set_clock(&self, offset: &str) {
        fs::write(self.clock(), offset).unwrap();
    }

    /// The data folder as the process sees it, on its own disk.
    fn filler(&self) -> PathBuf {
        let pid = self.process.as_ref().unwrap().pid();
        PathBuf::from(format!("/proc/{pid}/root{}", self.data().join("filler").display()))
    }

    /// Leaves no byte free on its disk.
    pub(super) fn fill_disk(&self) {
        let mut file = File::create(self.filler()).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
    }

    /// A process that has ended took its disk with it.
    pub(super) fn empty_disk(&self) {
        fs::remove_file(self.filler()).ok();
    }

    pub(super) fn await_ready(&mut self) {
        let address = self.address();
        await_ok(self.process.as_mut().unwrap(), &address, "/readyz", START);
    }

    /// Whether it has ended by itself, which nothing here gives a reason for.
    pub(super) fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::ended)
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.process.is_none()
    }

    pub(super) fn signal(&self, signal: &str) {
        let pid = self.process.as_ref().unwrap().pid().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// An answer of its API, if it gives one.
    pub(super) fn ask(&self, key: &str, path: &str) -> Option<Value> {
        match get_as(key, &self.address(), path) {
            Some((200, body)) => serde_json::from_str(&body).ok(),
            _ => None,
        }
    }

    /// What it says to those who watch it.
    pub(super) fn page(&self, path: &str) -> String {
        get(&self.address(), path).map(|answer| answer.1).unwrap_or_default()
    }

    fn address(&self) -> String {
        format!("{}:{}", self.place.address, self.http)
    }

    /// The end of what it wrote.
    pub(super) fn transcript(&self) -> String {
        let text = self.process.as_ref().map(Process::transcript).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        format!("--- {}\n{}", self.name(), lines[lines.len().saturating_sub(60)..].join("\n"))
    }
}
