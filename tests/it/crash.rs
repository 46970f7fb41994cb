//! Controllers that are killed, paused and started again at any moment, on real Kafka: the state topic holds one revision after the
//! other, each whole, by one writer at a time; and in the end what was asked for is there, on the cluster too.
//!
//! `CRASH_ROUNDS` is how often somebody is killed in each test (a few by default, which is for CI), `CRASH_SEED` repeats a run. Half of the processes run
//! under `strace`, where it is installed, which kills them at a system call that the seed chose; the others are killed at a moment.

mod principals;
mod site;
pub(crate) mod topic;

use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use self::site::{Isolation, Site};
use crate::support::reconciler::get;

/// A take-over after a session of 10 s, and a start on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);
/// Zones that every generation changes, so that one in part would show.
const ZONES: usize = 5;

/// System calls at which strace kills: what goes out, what comes in, what waits, what touches files.
const CALLS: [&str; 4] = [
    "write,writev,sendto,sendmsg",
    "read,readv,recvfrom,recvmsg",
    "epoll_wait,poll,futex",
    "openat,rename,unlink,fsync,mkdir",
];

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
    kill_at_any_moment(Isolation::Shared, 12);
}

#[test]
fn controllers_killed_at_any_moment_leave_each_zone_its_principal_and_no_other() {
    kill_at_any_moment(Isolation::Principal, 6);
}

fn kill_at_any_moment(isolation: Isolation, rounds: u64) {
    let rounds = setting("CRASH_ROUNDS").unwrap_or(rounds);
    let seed = setting("CRASH_SEED").unwrap_or_else(|| rand::rng().random());
    eprintln!("{isolation:?}: CRASH_SEED={seed} CRASH_ROUNDS={rounds}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut site = Site::new(isolation);
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
        "{isolation:?}, {rounds} rounds: {seen:?}, {by_strace} killed at a system call, of {under_strace} under strace"
    );
    assert!(seen.applied > 1, "{seen:?}");
    // Some of a few may not get as far as their call.
    assert!(under_strace < 30 || by_strace > 0, "strace kills nobody");
}

#[test]
fn a_leader_that_was_paused_past_its_session_writes_nothing_when_it_wakes() {
    let mut site = Site::new(Isolation::Shared);
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
