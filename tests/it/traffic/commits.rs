//! Commits of offsets beyond `limitCommitOffset`: late, or refused so that clients try again.

use std::time::{Duration, Instant};

use partner_zones::zone::TrafficControl;

use super::{limited, no_limit};
use crate::support::client::{Client, Connection};
use crate::support::gateway::InProcess;
use crate::support::kafka::{Cluster, unique};

const RECORDS: usize = 40;

fn commits(per_minute: u64) -> TrafficControl {
    TrafficControl { limit_commit_offset: Some(per_minute), ..no_limit() }
}

/// Reads all records and commits after each batch, while they come one by one. Answers how many commits there were, and how long
/// it took.
pub(super) fn reads_and_commits(
    client: Client,
    protocol: &str,
    limits: TrafficControl,
) -> (usize, Duration, InProcess) {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let (backing, group) = (unique("limited"), unique("readers"));
    cluster.create_topic(&backing, 1);
    gateway.serve([limited("acme", &backing, limits)]);
    let (connection, direct) = (gateway.connection("acme"), Connection::plaintext(cluster.bootstrap()));
    let count = RECORDS.to_string();
    let consume = ["consume", "--topic", "orders", "--group", &group, "--protocol", protocol, "--commit"];
    let mut reader =
        client.start(&connection, &[&consume[..], &["--max", &count, "--timeout", "90000"]].concat());
    reader.wait_for("its partitions", |events| events.assignment().filter(|held| !held.is_empty()));
    let begun = Instant::now();
    // Of the two the one whose driver keeps to the interval.
    let produce = ["produce", "--topic", &backing, "--value", "v", "--count", &count, "--interval", "100"];
    assert_eq!(Client::Java.run(&direct, &produce).errors(), []);
    let reader = reader.finish();
    assert_eq!(reader.errors(), [], "{client:?} {protocol}");
    let offsets: Vec<_> = reader.records().iter().map(|record| record.offset).collect();
    assert_eq!(offsets, (0..40).collect::<Vec<_>>(), "{client:?} {protocol}: no record twice");
    assert_eq!(reader.losses(), 0, "{client:?} {protocol}: thrown out of its group");
    let committed = client.run(&direct, &["committed", "--group", &format!("acme:{group}")]).offsets();
    assert_eq!(committed.last().map(|at| at.offset), Some(40), "{client:?} {protocol}");
    (reader.committed().len(), begun.elapsed(), gateway)
}

#[test]
fn commits_beyond_the_limit_are_late_and_succeed() {
    for client in Client::ALL {
        for protocol in ["eager", "consumer"] {
            // One per second; five at once.
            let (count, took, gateway) = reads_and_commits(client, protocol, commits(60));
            eprintln!("{client:?} {protocol}: {count} commits in {took:?}");
            let held = gateway.counter("gateway_throttled_total{limit=\"commits\"}");
            assert!(held > 0, "{client:?} {protocol}: never held back");
            let most = took.as_secs_f64() + 6.0;
            assert!((count as f64) <= most, "{count} commits in {took:?}");
            assert_eq!(gateway.counter("gateway_refused_commits_total"), 0);
        }
    }
}

#[test]
fn commits_far_beyond_a_low_limit_are_tried_again_until_they_pass() {
    for client in Client::ALL {
        for protocol in ["eager", "consumer"] {
            // One in seven and a half seconds.
            let (count, took, gateway) = reads_and_commits(client, protocol, commits(8));
            eprintln!("{client:?} {protocol}: {count} commits in {took:?}");
            assert!(gateway.counter("gateway_refused_commits_total") > 0, "{client:?} {protocol}");
            assert!((count as f64) <= took.as_secs_f64() / 7.5 + 2.0, "{count} commits in {took:?}");
        }
    }
}
