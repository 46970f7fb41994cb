//! A meter's rate, what nodes' shares come to, and both together as a run of some nodes over simulated time.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures of tests are small"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::share::{self, Demands};
use super::{Meter, pace};
use crate::zone::{Demand, Limit};

const NAMES: [&str; 5] = ["n1", "n2", "n3", "n4", "n5"];

fn demand() -> impl Strategy<Value = Demand> {
    (0_u64..2_000, any::<bool>()).prop_map(|(used, held)| Demand { used, held })
}

fn demands(all: &[Demand]) -> Demands<'static> {
    NAMES.into_iter().zip(all.iter().copied()).collect()
}

proptest! {
    #[test]
    fn shares_of_a_rate_are_the_limit_together_and_nobody_starves(
        limit in 1_u64..1_000,
        all in prop::collection::vec(demand(), 1..5),
    ) {
        let demands = demands(&all);
        let shares: Vec<f64> = demands.keys().filter_map(|name| share::of_rate(limit, name, &demands)).collect();
        let (whole, nodes) = (limit as f64, all.len() as f64);
        prop_assert_eq!(shares.len(), all.len());
        prop_assert!((shares.iter().sum::<f64>() - whole).abs() < 1e-6 * whole, "{:?}", shares);
        for (share, demand) in shares.iter().zip(demands.values()) {
            prop_assert!(*share >= whole * share::RESERVE / nodes - 1e-9, "{} starves", share);
            // Who is held back has no less than anybody else.
            if demand.held {
                prop_assert!(shares.iter().all(|other| other <= &(share + 1e-9)), "{:?}", shares);
            }
        }
    }

    #[test]
    fn shares_of_connections_are_the_limit_together_but_for_one_that_every_node_has(
        limit in 1_u64..1_000,
        all in prop::collection::vec(demand(), 1..5),
    ) {
        let demands = demands(&all);
        let shares: Vec<u64> =
            demands.keys().filter_map(|name| share::of_connections(limit, name, &demands)).collect();
        let ones = u64::try_from(all.len()).unwrap() - 1;
        prop_assert!(shares.iter().sum::<u64>() <= limit.max(1) + ones, "{:?}", shares);
        prop_assert!(shares.iter().all(|share| *share >= 1));
        let open: u64 = all.iter().map(|demand| demand.used).sum();
        if open <= limit {
            // What is open stays, and all that is free can be taken.
            prop_assert!(shares.iter().sum::<u64>() >= limit);
            prop_assert!(shares.iter().zip(demands.values()).all(|(share, demand)| *share >= demand.used));
        }
    }
}

#[test]
fn a_node_that_is_alone_has_all_and_one_that_is_not_heard_nothing_of_it() {
    let alone = demands(&[Demand::default()]);
    assert_eq!(share::of_rate(100, "n1", &alone), Some(100.0));
    assert_eq!(share::of_connections(7, "n1", &alone), Some(7));
    assert_eq!((share::of_rate(100, "n9", &alone), share::of_connections(7, "n9", &alone)), (None, None));
    assert!((share::equal_part(90, 3) - 30.0).abs() < 1e-9);
    assert_eq!((share::equal_connections(7, 3), share::equal_connections(2, 3)), (2, 1));
}

#[test]
fn connections_that_are_free_go_where_somebody_was_turned_away() {
    let of = |used, held| Demand { used, held };
    let all = demands(&[of(8, false), of(0, true), of(0, false)]);
    let shares = ["n1", "n2", "n3"].map(|name| share::of_connections(10, name, &all).unwrap());
    assert_eq!(shares, [8, 2, 1]);
    // The limit was lowered: who has most gets none back.
    let shares = ["n1", "n2", "n3"].map(|name| share::of_connections(4, name, &all).unwrap());
    assert_eq!(shares, [4, 1, 1]);
}

/// One that sends a frame, waits until it is paid for, and sends the next, for so long; answers units per second.
fn run_alone(limit: Limit, rate: u64, frame: f64, seconds: u64) -> f64 {
    let start = Instant::now();
    let mut meter = Meter::new(pace(limit, rate as f64, rate).unwrap(), start);
    let (mut now, mut sent, end) = (start, 0.0, start + Duration::from_secs(seconds));
    while now < end {
        let ticket = meter.charge(frame, now);
        sent += frame;
        // Even a loop that sends without end takes time.
        now += meter.left(ticket, now) + Duration::from_micros(50);
    }
    sent / seconds as f64
}

#[test]
fn a_meter_keeps_its_rate_whatever_the_size_of_frames() {
    for (frame, rate) in [(1_000.0, 1_000_000), (16_384.0, 1_000_000), (1_000_000.0, 500_000)] {
        let kept = run_alone(Limit::Produce, rate, frame, 60) / rate as f64;
        // A burst of a second in a minute, and the last frame.
        assert!((1.0..1.05).contains(&kept), "{frame} at {rate}: {kept}");
    }
    let commits = run_alone(Limit::Commits, 120, 1.0, 600) * 60.0 / 120.0;
    assert!((1.0..1.02).contains(&commits), "{commits}");
}

#[test]
fn a_pause_saves_one_burst_and_a_lower_pace_takes_it_away() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut meter = Meter::new(pace(Limit::Produce, 100.0, 100).unwrap(), start);
    let ticket = meter.charge(300.0, at(100));
    assert_eq!(meter.left(ticket, at(100)), Duration::from_secs(2));
    // Twice as fast: what is left takes half of the time.
    meter.set(pace(Limit::Produce, 200.0, 200).unwrap(), at(101));
    assert_eq!(meter.left(ticket, at(101)), Duration::from_millis(500));
    meter.set(pace(Limit::Produce, 10.0, 10).unwrap(), at(500));
    assert_eq!(meter.would_wait(30.0, at(500)), Duration::from_secs(2));
}

#[test]
fn each_waits_for_what_came_before_it_and_not_for_those_behind() {
    let start = Instant::now();
    let mut meter = Meter::new(pace(Limit::Produce, 100.0, 100).unwrap(), start);
    let first = meter.charge(200.0, start);
    let second = meter.charge(100.0, start);
    assert_eq!(meter.left(first, start), Duration::from_secs(1));
    assert_eq!(meter.left(second, start), Duration::from_secs(2));
    meter.take_back(100.0, start);
    assert_eq!(meter.would_wait(0.0, start), Duration::from_secs(1));
    // However much comes, what is owed has an end.
    let last = meter.charge(1e12, start);
    assert_eq!(meter.left(last, start), super::MOST_OWED);
}

#[test]
fn who_is_held_back_says_so_and_who_uses_less_than_it_has_does_not() {
    let start = Instant::now();
    for (offered, held) in [(90, false), (200, true)] {
        let mut meter = Meter::new(pace(Limit::Requests, 100.0, 100).unwrap(), start);
        let mut now = start;
        let mut next = start;
        while now < start + Duration::from_secs(20) {
            let ticket = meter.charge(1.0, now);
            next += Duration::from_secs(1) / offered;
            now = next.max(now + meter.left(ticket, now));
        }
        let (used, was_held) = meter.demand(now);
        assert_eq!(was_held, held, "{offered}");
        assert!((used - f64::from(offered.min(100))).abs() < 5.0, "{used} of {offered}");
    }
}

/// One node of a run: its meter, its clients, and what it has sent.
struct Node {
    meter: Meter,
    /// When each connection may send its next frame.
    free_at: Vec<Instant>,
    /// What its clients want to send and have not.
    backlog: f64,
    sent: f64,
}

const FRAME: f64 = 20_000.0;
const CONNECTIONS: usize = 4;
const RATE: u64 = 1_000_000;
const TICK: Duration = Duration::from_millis(5);
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Runs nodes under a limit of [`RATE`], and answers for each second what the nodes sent in it, as parts of the limit. `offered` is what
/// the clients of a node want per second at that second; `hears` whether a node hears the others.
fn run(
    nodes: usize,
    seconds: u32,
    offered: impl Fn(usize, u32) -> f64,
    hears: impl Fn(usize, u32) -> bool,
) -> Vec<Vec<f64>> {
    let start = Instant::now();
    let fresh = |_| Node {
        meter: Meter::new(pace(Limit::Produce, share::equal_part(RATE, nodes), RATE).unwrap(), start),
        free_at: vec![start; CONNECTIONS],
        backlog: 0.0,
        sent: 0.0,
    };
    let mut all: Vec<Node> = (0..nodes).map(fresh).collect();
    let mut reports: BTreeMap<&str, Demand> = BTreeMap::new();
    let mut history = Vec::new();
    for second in 0..seconds {
        for tick in 0..200_u32 {
            let now = start + Duration::from_secs(1) * second + TICK * tick;
            for (index, node) in all.iter_mut().enumerate() {
                node.backlog = (node.backlog + offered(index, second) / 200.0).min(FRAME * 20.0);
                for free_at in node.free_at.iter_mut().filter(|free_at| **free_at <= now) {
                    if node.backlog >= FRAME {
                        node.backlog -= FRAME;
                        node.sent += FRAME;
                        let ticket = node.meter.charge(FRAME, now);
                        *free_at = now + node.meter.left(ticket, now).min(Duration::from_secs(1));
                    }
                }
                // Each has a moment of its own for its heartbeat.
                let moment = HEARTBEAT * u32::try_from(index).unwrap() / u32::try_from(nodes).unwrap();
                let since = now.duration_since(start).checked_sub(moment);
                let due =
                    since.is_some_and(|since| since.as_millis() % HEARTBEAT.as_millis() < TICK.as_millis());
                if due && hears(index, second) {
                    let (used, held) = node.meter.demand(now);
                    reports.insert(NAMES[index], Demand { used: used.ceil() as u64, held });
                } else if !hears(index, second) {
                    reports.remove(NAMES[index]);
                }
            }
            for (index, node) in all.iter_mut().enumerate() {
                let heard = hears(index, second).then(|| share::of_rate(RATE, NAMES[index], &reports));
                let share = heard.flatten().unwrap_or_else(|| share::equal_part(RATE, nodes));
                node.meter.set(pace(Limit::Produce, share, RATE).unwrap(), now);
            }
        }
        let sent = |node: &mut Node| std::mem::take(&mut node.sent) / RATE as f64;
        history.push(all.iter_mut().map(sent).collect());
    }
    history
}

/// What all nodes sent from one second to another, as a part of the limit.
fn mean(history: &[Vec<f64>], seconds: std::ops::Range<usize>) -> f64 {
    let length = seconds.len() as f64;
    history[seconds].iter().flatten().sum::<f64>() / length
}

#[test]
fn nodes_under_load_keep_the_limit_together() {
    for (name, nodes, load) in [
        ("one node", 1, [3.0, 0.0, 0.0]),
        ("three, equal", 3, [1.0, 1.0, 1.0]),
        ("three, uneven", 3, [3.0, 0.6, 0.2]),
        ("three, one busy", 3, [3.0, 0.0, 0.0]),
        ("three, just above", 3, [0.5, 0.4, 0.3]),
    ] {
        let history = run(nodes, 60, |node, _| load[node] * RATE as f64, |_, _| true);
        let kept = mean(&history, 10..60);
        println!("{name}: {kept:.3} of the limit");
        assert!((0.88..1.03).contains(&kept), "{name}: {kept}");
    }
}

#[test]
fn shares_follow_a_demand_that_changes_within_seconds() {
    // All of the demand goes from the first node to the last, and comes back.
    let busy = |second: u32| if second % 40 < 20 { 0 } else { 2 };
    let offered = |node, second| if node == busy(second) { 2.0 * RATE as f64 } else { 0.0 };
    let history = run(3, 80, offered, |_, _| true);
    for from in [0, 20, 40, 60] {
        let (moved, settled) = (mean(&history, from..from + 5), mean(&history, from + 5..from + 20));
        println!("from second {from}: {moved:.3} in five seconds, then {settled:.3}");
        assert!(moved > 0.4 && moved < 1.25, "{moved}");
        assert!((0.88..1.03).contains(&settled), "{settled}");
    }
}

#[test]
fn demand_below_the_limit_is_not_slowed() {
    let load = [0.4, 0.2, 0.1];
    let history = run(3, 60, |node, _| load[node] * RATE as f64, |_, _| true);
    let sent = mean(&history, 20..60);
    assert!((0.69..0.71).contains(&sent), "{sent}");
}

#[test]
fn a_node_that_is_cut_off_has_its_equal_part_and_the_others_the_limit() {
    let cut_off = |node: usize, second: u32| !(node == 0 && second >= 20);
    let history = run(3, 60, |_, _| 3.0 * RATE as f64, cut_off);
    let alone: f64 = history[30..].iter().map(|second| second[0]).sum::<f64>() / 30.0;
    let all = mean(&history, 30..60);
    println!("cut off: {alone:.3}, all together {all:.3}");
    assert!((0.31..0.36).contains(&alone), "{alone}");
    assert!((1.25..1.37).contains(&all), "{all}");
}
