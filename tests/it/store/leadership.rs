//! One writer: whoever leads, nothing acknowledged is lost, and nobody else writes.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use partner_zones::store::kafka::Role;
use partner_zones::store::{Change, Leadership, Store, StoreError};
use partner_zones::zone::Sequence;
use rdkafka::producer::Producer;

use super::{Installation, PATIENCE, credential, open, put_zone, send, until, zone_name, zone_names};
use crate::support::process::{Process, Stream};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_controllers_started_together_exactly_one_leads_and_writes() {
    let installation = Installation::new();
    let (one, two) = tokio::join!(installation.controller("c1"), installation.controller("c2"));
    tokio::select! {
        () = one.await_leadership() => {}
        () = two.await_leadership() => {}
    }
    // Whoever joins second moves nothing.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let leads = |node: &super::Node| *node.store.leadership().borrow() == Leadership::Leading;
    assert!(leads(&one) != leads(&two), "one leads: {} {}", leads(&one), leads(&two));
    let (leader, follower, name) = if leads(&one) { (one, two, "c1") } else { (two, one, "c2") };

    let sequence = leader.store.commit(vec![put_zone("acme")]).await.unwrap();
    let refused = follower.store.commit(vec![put_zone("globex")]).await;
    assert!(matches!(refused, Err(StoreError::NotLeader)), "{refused:?}");
    let refused = follower.store.confirm_leadership().await;
    assert!(matches!(refused, Err(StoreError::NotLeader)), "{refused:?}");
    let state = follower.await_sequence(sequence).await;
    assert_eq!(zone_names(&state), ["acme"]);
    let lease = state.leader.clone().expect("a lease");
    assert_eq!((lease.node.as_str(), lease.url), (name, format!("http://{name}:8080")));

    leader.stop().await;
    follower.await_leadership().await;
    let sequence = follower.store.commit(vec![put_zone("globex")]).await.unwrap();
    assert_eq!(sequence, Sequence(2));
    assert_eq!(zone_names(&*follower.await_sequence(sequence).await), ["acme", "globex"]);
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_leader_hears_of_it_steps_down_and_its_change_is_not_made() {
    let installation = Installation::new();
    let leader = installation.leader("c1").await;
    leader.store.commit(vec![put_zone("acme")]).await.unwrap();
    let usurper = installation.transactional_producer();
    let refused = leader.store.commit(vec![put_zone("globex")]).await;
    // A lease may have been due in between, and have heard of it first.
    assert!(matches!(refused, Err(StoreError::Fenced | StoreError::NotLeader)), "{refused:?}");
    assert_eq!(*leader.store.leadership().borrow(), Leadership::Following);

    usurper.begin_transaction().unwrap();
    let state = installation.topic("state");
    send(&usurper, &state, "revision", Some(r#"{"schemaVersion":1,"sequence":2}"#));
    let usurped = usurper.commit_transaction(PATIENCE);
    // It is still the group's choice, so it takes over again, from what was written meanwhile.
    leader.await_leadership().await;
    let sequence = leader.store.commit(vec![put_zone("initech")]).await.unwrap();
    assert_eq!(sequence, if usurped.is_ok() { Sequence(3) } else { Sequence(2) });
    assert_eq!(zone_names(&*leader.await_sequence(sequence).await), ["acme", "initech"]);
    leader.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn confirming_leadership_asks_the_broker_and_not_a_variable() {
    let installation = Installation::new();
    let mut options = installation.options(Role::Controller, "c1");
    options.timing.lease_renewal = Duration::from_mins(10);
    let leader = open(options).await.unwrap();
    leader.await_leadership().await;
    leader.store.confirm_leadership().await.unwrap();
    let _usurper = installation.transactional_producer();
    assert_eq!(*leader.store.leadership().borrow(), Leadership::Leading, "an idle leader is told nothing");
    let refused = leader.store.confirm_leadership().await;
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
    leader.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_leader_aborts_what_a_dead_one_left_open_before_it_reads() {
    let installation = Installation::new();
    let first = installation.leader("c1").await;
    first.store.commit(vec![put_zone("acme"), Change::PutCredential(credential("acme", 1))]).await.unwrap();
    first.stop().await;
    let dead = installation.transactional_producer();
    dead.begin_transaction().unwrap();
    let state = installation.topic("state");
    send(&dead, &state, "zone/acme", None);
    send(&dead, &state, "revision", Some(r#"{"schemaVersion":1,"sequence":2}"#));

    let second = installation.leader("c2").await;
    let found = second.store.state().borrow().clone().unwrap();
    assert_eq!((zone_names(&found), found.sequence), (vec!["acme"], Sequence(1)));
    assert!(dead.commit_transaction(PATIENCE).is_err(), "it was aborted");
    assert_eq!(second.store.commit(vec![put_zone("globex")]).await.unwrap(), Sequence(2));
    let state = second.await_sequence(Sequence(2)).await;
    assert_eq!((zone_names(&state), state.credentials.len()), (vec!["acme", "globex"], 1));
    second.stop().await;
}

const BOOTSTRAP: &str = "STORE_TEST_BOOTSTRAP";
const PREFIX: &str = "STORE_TEST_PREFIX";

/// Commits a zone with its credential after the other, and says so, until it is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the child process of the test below"]
async fn child_that_leads_and_commits() {
    let installation =
        Installation { bootstrap: std::env::var(BOOTSTRAP).unwrap(), prefix: std::env::var(PREFIX).unwrap() };
    let leader = installation.leader("child").await;
    for number in 1.. {
        let name = format!("z{number}");
        let changes = vec![put_zone(&name), Change::PutCredential(credential(&name, number))];
        leader.store.commit(changes).await.unwrap();
        // Not `println!`: the test harness would keep it.
        writeln!(std::io::stdout(), "committed {number}").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_killed_at_any_moment_loses_no_commit_and_leaves_no_half_of_one() {
    let installation = Installation::new();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["store::leadership::child_that_leads_and_commits", "--exact", "--ignored", "--nocapture"])
        .env(BOOTSTRAP, &installation.bootstrap)
        .env(PREFIX, &installation.prefix);
    let mut child = Process::start("the leading child", &mut command);
    child.wait_for_line("committed 2", PATIENCE);
    let standby = installation.controller("standby").await;
    child.wait_for_line("committed 8", PATIENCE);
    assert_eq!(*standby.store.leadership().borrow(), Leadership::Following);
    child.kill();

    let acknowledged = child.lines().into_iter().filter(|line| line.stream == Stream::Stdout);
    let acknowledged =
        acknowledged.filter_map(|l| l.text.split("committed ").nth(1)?.trim().parse().ok()).max();
    let acknowledged: usize = acknowledged.unwrap();
    standby.await_leadership().await;
    let state = standby.store.state().borrow().clone().unwrap();
    for number in 1..=acknowledged {
        assert!(state.zones.contains_key(&zone_name(&format!("z{number}"))), "z{number} of {acknowledged}");
    }
    let owners: std::collections::BTreeSet<_> = state.credentials.values().map(|c| c.zone.clone()).collect();
    assert_eq!(owners, state.zones.keys().cloned().collect(), "a zone and its credential, or neither");
    assert_eq!(state.sequence.0, u64::try_from(state.zones.len()).unwrap());
    let next = standby.store.commit(vec![put_zone("after")]).await.unwrap();
    assert_eq!(next, state.sequence.next());
    until(&mut standby.store.state(), "the lease", |s| {
        s.as_ref().and_then(|s| s.leader.as_ref()).is_some_and(|lease| lease.node == "standby")
    })
    .await;
    standby.stop().await;
}
