//! Two controllers of one installation, with their cluster and their repository.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::topic::{self, StateTopic};
use super::{PATIENCE, ZONES, principals};
use crate::support::git::Repository;
use crate::support::kafka::{ADMIN, Cluster};
use crate::support::process::Process;
use crate::support::product::{free_ports, manifest};
use crate::support::reconciler::await_ok;

const LEADER_GROUP: &str = "_partner-zones.leader";

/// What the zones are on the cluster.
#[derive(Debug, Clone, Copy)]
pub(super) enum Isolation {
    /// Nothing.
    Shared,
    /// Each has a principal of its own, with ACLs.
    Principal,
}

/// An installation of two controllers.
pub(super) struct Site {
    kafka: Cluster,
    repository: Repository,
    isolation: Isolation,
    pub(super) slots: [Slot; 2],
    /// Commits by what they are: generation n is at n.
    generations: Vec<String>,
}

/// Where a controller runs, again and again.
pub(super) struct Slot {
    folder: TempDir,
    pub(super) http: u16,
    process: Option<Process>,
}

impl Site {
    pub(super) fn new(isolation: Isolation) -> Self {
        // Nothing is compacted away, so that every commit stays to be read.
        let settings = ["group.initial.rebalance.delay.ms=0", "log.cleaner.backoff.ms=604800000"];
        let kafka = Cluster::private_with(1, &settings);
        let repository = Repository::new();
        let slots = [1, 2].map(|number| Slot::new(number, &kafka, isolation, &repository.url()));
        let mut site = Self { kafka, repository, isolation, slots, generations: Vec::new() };
        site.push();
        site
    }

    /// The next generation: every zone changes, one comes, one goes.
    pub(super) fn push(&mut self) {
        let number = self.generations.len();
        for zone in 0..ZONES {
            let name = format!("zone-{zone}");
            let topics = [("orders", topic::backing(number), "READ")];
            let topics = topics.each_ref().map(|(alias, backing, may)| (*alias, backing.as_str(), *may));
            self.repository.write(&format!("zones/{name}.yaml"), manifest(&name, &topics));
        }
        if number > 0 {
            self.repository.remove(&format!("zones/{}.yaml", topic::only(number - 1)));
        }
        let (name, backing) = (topic::only(number), topic::backing(number));
        let text = manifest(&name, &[("orders", &backing, "READ")]);
        self.repository.write(&format!("zones/{name}.yaml"), text);
        self.generations.push(self.repository.push(&format!("Generation {number}")));
    }

    /// What the topic holds, checked from its first record to its last.
    pub(super) fn checked(&self) -> topic::Seen {
        StateTopic::read(self.kafka.bootstrap()).check(&self.generations)
    }

    /// Waits until the last generation is in force, on the cluster too.
    pub(super) fn settle(&mut self) -> topic::Seen {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.checked();
            let last = self.generations.len() - 1;
            let wrong = if seen.generation == Some(last) { self.wrong_on_the_cluster(last) } else { None };
            if seen.generation == Some(last) && wrong.is_none() {
                return seen;
            }
            let transcripts = || self.slots.each_ref().map(Slot::transcript).join("\n---\n");
            assert!(Instant::now() < deadline, "{seen:?} of {last}, {wrong:?}\n{}", transcripts());
            for slot in &mut self.slots {
                if slot.has_ended() {
                    slot.kill();
                    slot.start(None);
                }
            }
            sleep(Duration::from_millis(300));
        }
    }

    /// How the cluster's ACLs and SCRAM users differ from what this generation wants, if they do.
    fn wrong_on_the_cluster(&self, generation: usize) -> Option<String> {
        let bootstrap = self.kafka.bootstrap();
        let found = principals::Found::read(bootstrap);
        let wanted = match self.isolation {
            Isolation::Shared => principals::Found::default(),
            Isolation::Principal => principals::wanted(generation),
        };
        found.difference(&wanted)
    }

    /// Nobody has to wait for a session to end, and who lives comes back.
    pub(super) fn evict(&self) {
        self.kafka.evict(LEADER_GROUP);
    }

    pub(super) fn slot_of(&mut self, node: &str) -> &mut Slot {
        &mut self.slots[usize::from(node != "controller-1")]
    }
}

impl Slot {
    fn new(number: usize, kafka: &Cluster, isolation: Isolation, source: &Path) -> Self {
        let (folder, http) = (tempfile::tempdir().unwrap(), free_ports(1));
        let cluster = match isolation {
            Isolation::Shared => format!("bootstrapServers: '{}', isolation: shared}}}}", kafka.bootstrap()),
            Isolation::Principal => format!(
                "bootstrapServers: '{}', isolation: principal, properties: {{security.protocol: SASL_PLAINTEXT, sasl.mechanism: \
                 SCRAM-SHA-512, sasl.username: {}, sasl.password: {}}}}}}}\nmasterKey: {}",
                kafka.sasl_bootstrap(),
                ADMIN.user,
                ADMIN.password,
                principals::MASTER_KEY,
            ),
        };
        let configuration = format!(
            "source: {{url: {source}, path: zones, pollInterval: 1s}}\n\
             clusters: {{default: {{{cluster}\n\
             http: {{admin: '127.0.0.1:{http}'}}\n\
             node: {{id: controller-{number}}}\n\
             dataDir: {data}\n\
             store: kafka\n",
            source = source.display(),
            data = folder.path().display(),
        );
        fs::write(folder.path().join("reconciler.yaml"), configuration).unwrap();
        Self { folder, http, process: None }
    }

    /// Starts the binary; with an injection under strace, which kills it there.
    pub(super) fn start(&mut self, injection: Option<&str>) {
        let binary = env!("CARGO_BIN_EXE_reconciler");
        let mut command = match injection {
            None => Command::new(binary),
            Some(injection) => {
                let mut command = Command::new("strace");
                let calls = injection.split(':').next().unwrap();
                command.args(["-f", "-qq", "-o", "/dev/null"]);
                command.args(["-e", &format!("trace={calls}"), "-e", &format!("inject={injection}")]);
                // When strace goes, it goes too: should these tests end before they can end both.
                command.args(["setpriv", "--pdeathsig", "KILL", binary]);
                command
            }
        };
        command.args(["run", "--role", "controller"]).current_dir(self.folder.path()).process_group(0);
        self.process = Some(Process::start("a controller", &mut command));
    }

    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            kill_with_tracee(&process);
            process.kill();
        }
        // A tracee may end a moment after its tracer.
        let deadline = Instant::now() + PATIENCE;
        while TcpListener::bind(("127.0.0.1", self.http)).is_err() {
            assert!(Instant::now() < deadline, "port {} is not free", self.http);
            sleep(Duration::from_millis(20));
        }
    }

    /// Whether it was killed; none ends by itself, whatever was done to the other one or to what it shares with it.
    pub(super) fn has_ended(&mut self) -> bool {
        let Some(process) = &mut self.process else { return true };
        if process.ended() {
            let status = process.wait(PATIENCE);
            assert_eq!(status.signal(), Some(9), "{status}: {}", process.transcript());
            return true;
        }
        false
    }

    pub(super) fn await_health(&mut self) {
        let address = format!("127.0.0.1:{}", self.http);
        await_ok(self.process.as_mut().unwrap(), &address, "/healthz", PATIENCE);
    }

    pub(super) fn transcript(&self) -> String {
        self.process.as_ref().map(Process::transcript).unwrap_or_default()
    }

    pub(super) fn signal(&self, signal: &str) {
        let pid = self.process.as_ref().unwrap().pid().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.process.as_ref().map(kill_with_tracee);
    }
}

/// Kills the whole group. A tracee would outlive a strace that is killed before its child has asked to be killed with it; it would
/// go on as a third controller, on the port and the folder of the next one.
fn kill_with_tracee(process: &Process) {
    // What has ended already has no group any more.
    drop(Command::new("kill").args(["-KILL", "--", &format!("-{}", process.pid())]).output());
}
