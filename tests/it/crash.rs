//! Controllers that are killed, paused and started again at any moment, on real Kafka: the state topic holds one revision after the
//! other, each whole, by one writer at a time; and in the end what was asked for is there.
//!
//! `CRASH_ROUNDS` is how often somebody is killed (12 by default, which is for CI), `CRASH_SEED` repeats a run. Half of the processes run
//! under `strace`, where it is installed, which kills them at a system call that the seed chose; the others are killed at a moment.

mod topic;

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{DescribeGroupsRequest, GroupId, LeaveGroupRequest};
use kafka_protocol::protocol::StrBytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

use self::topic::StateTopic;
use crate::support::git::Repository;
use crate::support::kafka::Cluster;
use crate::support::process::Process;
use crate::support::product::{free_ports, manifest};
use crate::support::reconciler::{await_ok, get};
use crate::support::wire::Wire;

/// A take-over after a session of 10 s, and a start on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);
const LEADER_GROUP: &str = "_partner-zones.leader";
/// Zones that every generation changes, so that one in part would show.
const ZONES: usize = 5;

/// System calls at which strace kills: what goes out, what comes in, what waits, what touches files.
const CALLS: [&str; 4] = [
    "write,writev,sendto,sendmsg",
    "read,readv,recvfrom,recvmsg",
    "epoll_wait,poll,futex",
    "openat,rename,unlink,fsync,mkdir",
];

/// An installation of two controllers.
struct Site {
    kafka: Cluster,
    repository: Repository,
    slots: [Slot; 2],
    /// Commits by what they are: generation n is at n.
    generations: Vec<String>,
}

/// Where a controller runs, again and again.
struct Slot {
    folder: TempDir,
    http: u16,
    process: Option<Process>,
}

impl Site {
    fn new() -> Self {
        let kafka = Cluster::private_with(1, &["group.initial.rebalance.delay.ms=0"]);
        let repository = Repository::new();
        let slots = [1, 2].map(|number| Slot::new(number, &kafka, &repository.url()));
        let mut site = Self { kafka, repository, slots, generations: Vec::new() };
        site.push();
        site
    }

    /// The next generation: every zone changes, one comes, one goes.
    fn push(&mut self) {
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
    fn checked(&self) -> topic::Seen {
        StateTopic::read(self.kafka.bootstrap()).check(&self.generations)
    }

    /// Waits until the last generation is in force.
    fn settle(&mut self) -> topic::Seen {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.checked();
            if seen.generation == Some(self.generations.len() - 1) {
                return seen;
            }
            let transcripts = || self.slots.each_ref().map(Slot::transcript).join("\n---\n");
            assert!(Instant::now() < deadline, "{seen:?} of {}\n{}", self.generations.len(), transcripts());
            for slot in &mut self.slots {
                if slot.has_ended() {
                    slot.start(None);
                }
            }
            sleep(Duration::from_millis(300));
        }
    }

    /// Takes all members out of the leader group, as its broker does after a session: nobody has to wait for that, and who lives
    /// comes back.
    fn evict(&self) {
        let port = self.kafka.bootstrap().rsplit_once(':').unwrap().1.parse().unwrap();
        let mut wire = Wire::connect(port);
        let group = GroupId(StrBytes::from_static_str(LEADER_GROUP));
        let described = wire.call(&DescribeGroupsRequest::default().with_groups(vec![group.clone()]), 5);
        let members: Vec<_> = described.groups[0]
            .members
            .iter()
            .map(|member| MemberIdentity::default().with_member_id(member.member_id.clone()))
            .collect();
        if !members.is_empty() {
            wire.call(&LeaveGroupRequest::default().with_group_id(group).with_members(members), 3);
        }
    }

    fn slot_of(&mut self, node: &str) -> &mut Slot {
        &mut self.slots[usize::from(node != "controller-1")]
    }
}

impl Slot {
    fn new(number: usize, kafka: &Cluster, source: &Path) -> Self {
        let (folder, http) = (tempfile::tempdir().unwrap(), free_ports(1));
        let configuration = format!(
            "source: {{url: {source}, path: zones, pollInterval: 1s}}\n\
             clusters: {{default: {{bootstrapServers: '{kafka}', isolation: shared}}}}\n\
             http: {{admin: '127.0.0.1:{http}'}}\n\
             node: {{id: controller-{number}}}\n\
             dataDir: {data}\n\
             store: kafka\n",
            source = source.display(),
            kafka = kafka.bootstrap(),
            data = folder.path().display(),
        );
        fs::write(folder.path().join("reconciler.yaml"), configuration).unwrap();
        Self { folder, http, process: None }
    }

    /// Starts the binary; with an injection under strace, which kills it there.
    fn start(&mut self, injection: Option<&str>) {
        let binary = env!("CARGO_BIN_EXE_reconciler");
        let mut command = match injection {
            None => Command::new(binary),
            Some(injection) => {
                let mut command = Command::new("strace");
                let calls = injection.split(':').next().unwrap();
                command.args(["-f", "-qq", "-o", "/dev/null"]);
                command.args(["-e", &format!("trace={calls}"), "-e", &format!("inject={injection}")]);
                // When strace goes, it goes too.
                command.args(["setpriv", "--pdeathsig", "KILL", binary]);
                command
            }
        };
        command.args(["run", "--role", "controller"]).current_dir(self.folder.path());
        self.process = Some(Process::start("a controller", &mut command));
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
        // Whom strace watched ends a moment after it.
        let deadline = Instant::now() + PATIENCE;
        while TcpListener::bind(("127.0.0.1", self.http)).is_err() {
            assert!(Instant::now() < deadline, "port {} is not free", self.http);
            sleep(Duration::from_millis(20));
        }
    }

    /// Whether it was killed; none ends by itself, whatever was done to the other one or to what it shares with it.
    fn has_ended(&mut self) -> bool {
        let Some(process) = &mut self.process else { return true };
        if process.ended() {
            let status = process.wait(PATIENCE);
            assert_eq!(status.signal(), Some(9), "{status}: {}", process.transcript());
            return true;
        }
        false
    }

    fn await_health(&mut self) {
        let address = format!("127.0.0.1:{}", self.http);
        await_ok(self.process.as_mut().unwrap(), &address, "/healthz", PATIENCE);
    }

    fn transcript(&self) -> String {
        self.process.as_ref().map(Process::transcript).unwrap_or_default()
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.as_ref().unwrap().pid().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// Where strace is to kill, if it is there: at the n-th call of one kind.
fn injection(random: &mut StdRng) -> Option<String> {
    static STRACE: std::sync::OnceLock<Option<PathBuf>> = std::sync::OnceLock::new();
    let strace = STRACE.get_or_init(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join("strace")).find(|file| file.exists())
    });
    strace.as_ref()?;
    if random.random_bool(0.5) {
        return None;
    }
    let calls = CALLS[random.random_range(0..CALLS.len())];
    // Each magnitude is as likely as another: at the start, while it takes over, while it applies.
    let magnitude = random.random_range(0..13);
    let number = random.random_range(1..=1_u32 << magnitude);
    Some(format!("{calls}:signal=KILL:when={number}"))
}

#[test]
fn controllers_killed_at_any_moment_leave_whole_revisions_by_one_writer() {
    let rounds = setting("CRASH_ROUNDS").unwrap_or(12);
    let seed = setting("CRASH_SEED").unwrap_or_else(|| rand::rng().random());
    eprintln!("CRASH_SEED={seed} CRASH_ROUNDS={rounds}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut site = Site::new();
    for slot in &mut site.slots {
        slot.start(None);
    }
    site.settle();
    let (mut by_strace, mut under_strace) = (0, 0);
    for round in 1..=rounds {
        site.push();
        // The source is noticed after 0.2 s; what follows takes some tens of milliseconds, a start about a second.
        sleep(Duration::from_millis(random.random_range(0..1_500)));
        for number in [0, 1] {
            let ended = site.slots[number].has_ended();
            by_strace += u32::from(ended);
            if ended || random.random_bool(0.6) {
                site.slots[number].kill();
                let injection = injection(&mut random);
                under_strace += u32::from(injection.is_some());
                site.slots[number].start(injection.as_deref());
            }
        }
        site.evict();
        if round % 20 == 0 {
            let seen = site.settle();
            eprintln!("round {round}: {seen:?}, {by_strace} killed at a system call");
        }
    }
    for slot in &mut site.slots {
        slot.kill();
        slot.start(None);
    }
    site.evict();
    let seen = site.settle();
    eprintln!(
        "{rounds} rounds: {seen:?}, {by_strace} killed at a system call, of {under_strace} under strace"
    );
    assert!(seen.applied > 1, "{seen:?}");
    // Some of a few may not get as far as their call.
    assert!(under_strace < 30 || by_strace > 0, "strace kills nobody");
}

#[test]
fn a_leader_that_was_paused_past_its_session_writes_nothing_when_it_wakes() {
    let mut site = Site::new();
    for slot in &mut site.slots {
        slot.start(None);
        slot.await_health();
    }
    let leader = site.settle().leader;
    site.push();
    // Somewhere between the notice and the commit.
    sleep(Duration::from_millis(rand::rng().random_range(150..400)));
    site.slot_of(&leader).signal("-STOP");
    let seen = site.settle();
    assert!(seen.leader == leader || seen.applied >= 2, "{seen:?}");
    // Its session ends after 10 s: the other one takes over, and goes on.
    site.push();
    let other = site.settle().leader;
    assert_ne!(other, leader);
    let before = site.checked();
    site.slot_of(&leader).signal("-CONT");
    sleep(Duration::from_secs(5));
    site.push();
    let after = site.settle();
    assert_eq!((after.leader.as_str(), after.sequence), (other.as_str(), before.sequence + 1));
    let woken = site.slot_of(&leader);
    assert!(!woken.has_ended(), "{}", woken.transcript());
    assert_eq!(get(&format!("127.0.0.1:{}", woken.http), "/healthz").map(|answer| answer.0), Some(200));
}
