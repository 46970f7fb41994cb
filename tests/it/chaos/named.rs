//! The faults of which more can be said than that everything comes back.

use super::endure;
use super::fault::{Fault, Kind};
use super::flow::Flow;
use super::relay::{Party, Trouble};
use super::stage::Stage;
use super::table::Table;

/// On the metrics page of a node that has lost the store.
pub(super) const STALE: &str = "partner_zones_state_stale 1";

#[test]
#[ignore = "takes minutes: make faults"]
fn controllers_fail_in_every_way_and_the_other_one_goes_on() {
    let mut stage = Stage::start();
    a_dead_leader_is_followed_by_the_other_one(&mut stage);
    a_leader_that_comes_back_late_does_no_harm(&mut stage, Kind::LeaderPaused);
    a_leader_that_comes_back_late_does_no_harm(&mut stage, Kind::LeaderSilent);
    a_full_disk_keeps_what_is_in_force(&mut stage);
    a_clock_that_jumps_takes_nothing_away(&mut stage);
    without_the_store_gateways_serve_what_they_know(&mut stage);
    stage.settle();
}

#[test]
#[ignore = "takes minutes: make faults"]
fn gateways_and_brokers_fail_and_nothing_is_lost() {
    let (mut stage, mut table) = (Stage::start(), Table::default());
    for kind in [Kind::GatewayKilled, Kind::GatewayCut, Kind::BrokerKilled, Kind::BrokersKilled] {
        endure(&mut stage, Fault::lasting(kind, std::time::Duration::from_secs(2)), &mut table);
    }
    eprintln!("{table}");
    stage.settle();
}

/// Each step back hits one of librdkafka's threads with some probability: with so many the leader group is mostly stuck, if clients of
/// before are kept.
#[test]
#[ignore = "takes minutes: make faults"]
fn a_clock_that_is_set_back_again_and_again_wedges_no_client() {
    if !Kind::ClockAhead.is_possible() {
        return;
    }
    let mut stage = Stage::start();
    for step in 0..50 {
        let offset = if step % 2 == 0 { "+3600" } else { "+0" };
        stage.controllers.iter().for_each(|node| node.set_clock(offset));
        // The clock is read anew every second.
        std::thread::sleep(std::time::Duration::from_millis(1_100));
    }
    stage.serve_a_commit();
    let killed = Fault::past_a_session(Kind::LeaderKilled).inject(&mut stage);
    stage.await_leader_but(Some(killed.leader));
    stage.serve_a_commit();
    killed.heal(&mut stage);
    let killed = Fault::past_a_session(Kind::BrokersKilled).inject(&mut stage);
    killed.heal(&mut stage);
    stage.serve_a_commit();
    stage.settle();
}

fn a_dead_leader_is_followed_by_the_other_one(stage: &mut Stage) {
    let killed = Fault::past_a_session(Kind::LeaderKilled).inject(stage);
    let next = stage.await_leader_but(Some(killed.leader));
    assert_ne!(next, killed.leader);
    stage.serve_a_commit();
    killed.heal(stage);
    // Whoever comes back does not take over.
    stage.serve_a_commit();
    assert_eq!(stage.leader(), Some(next));
    stage.check();
}

fn a_leader_that_comes_back_late_does_no_harm(stage: &mut Stage, kind: Kind) {
    let fenced = Fault::past_a_session(kind).inject(stage);
    // Something that it could be about to write.
    stage.push();
    fenced.last(stage);
    let next = stage.await_leader_but(Some(fenced.leader));
    stage.serve_a_commit();
    fenced.heal(stage);
    stage.serve_a_commit();
    stage.wait("one leader", || (stage.leader() == Some(next)).then_some(()).ok_or("another one leads"));
    stage.await_flows();
    stage.check();
}

fn a_full_disk_keeps_what_is_in_force(stage: &mut Stage) {
    if !Kind::DiskFull.is_possible() {
        return;
    }
    let full = Fault::past_a_session(Kind::DiskFull).inject(stage);
    let before = stage.in_force();
    stage.push();
    stage.wait("the leader says that it cannot read", || {
        let last = stage.last_run(full.leader);
        let says = last["message"].as_str().is_some_and(|text| text.contains("No space left on device"));
        (says && last["outcome"] == "Failed").then_some(()).ok_or_else(|| last.to_string())
    });
    assert_eq!(stage.in_force(), before);
    stage.await_flows();
    full.heal(stage);
    stage.await_applied();
    stage.serve_a_commit();
    stage.check();
}

/// It may cost the leadership: time that is up is up.
fn a_clock_that_jumps_takes_nothing_away(stage: &mut Stage) {
    for kind in [Kind::ClockAhead, Kind::ClockBehind].into_iter().filter(|kind| kind.is_possible()) {
        let jumped = Fault::lasting(kind, std::time::Duration::from_secs(2)).inject(stage);
        jumped.last(stage);
        stage.serve_a_commit();
        stage.await_flows();
        jumped.heal(stage);
        stage.serve_a_commit();
        stage.check();
    }
}

/// The state is on a cluster that no gateway reaches any more. A zone on another one is served as before.
fn without_the_store_gateways_serve_what_they_know(stage: &mut Stage) {
    let beside = Flow::start(stage.account("initech"));
    stage.await_flow(&beside);
    for gateway in [1, 2] {
        for broker in [1, 2, 3] {
            stage.relay.spoil(Party::Gateway(gateway), broker, Trouble::Cut);
        }
    }
    for gateway in &stage.gateways {
        stage.wait("it says that its state is stale", || {
            let page = gateway.page("/metrics");
            page.contains(STALE).then_some(()).ok_or("it is not")
        });
    }
    stage.await_flow(&beside);
    // One that never had a state serves nobody, and says so.
    stage.gateways[0].kill();
    stage.gateways[0].run();
    stage.await_flow(&beside);
    stage.wait("it is not ready", || {
        let page = stage.gateways[0].page("/readyz");
        (!page.contains("ready\n")).then_some(()).ok_or(page)
    });
    stage.relay.heal();
    stage.serve_a_commit();
    for gateway in &mut stage.gateways {
        gateway.await_ready();
        assert!(!gateway.page("/metrics").contains(STALE));
    }
    stage.await_flows();
    stage.flows.push(beside);
    stage.check();
}
