//! Members that go from one gateway to another while both are alive, as behind a load balancer.

use std::time::{Duration, Instant};

use super::{by_expression, member, topics};
use crate::support::balancer::Balancer;
use crate::support::client::{Client, Connection, Running};
use crate::support::events::{Events, Group};
use crate::support::gateway::{InProcess, zone};
use crate::support::kafka::{Cluster, unique};

const PATIENCE: Duration = Duration::from_mins(1);

/// The group as the broker has it, once every member has what it is to have.
fn settled(direct: &Connection, group: &str) -> Group {
    let begun = Instant::now();
    loop {
        let described = Client::Java.run(direct, &["describe-group", "--group", group]);
        let mut groups = described.described_groups();
        let done = groups.first().is_some_and(|group| {
            let has_its_part = |member: &crate::support::events::Member| {
                member.epoch == group.epoch && member.target.as_ref() == Some(&member.partitions)
            };
            group.state.as_deref() == Some("STABLE") && group.members.iter().all(has_its_part)
        });
        if done {
            let mut group = groups.remove(0);
            group.members.sort_by(|one, other| one.id.cmp(&other.id));
            return group;
        }
        assert!(begun.elapsed() < PATIENCE, "{group} does not settle: {described:?}");
    }
}

fn heartbeats(gateway: &InProcess) -> u64 {
    gateway.counter("gateway_requests_total{api=\"ConsumerGroupHeartbeat\"}")
}

fn one_partition(member: &mut Running) -> i32 {
    member.wait_for("one partition", |events| {
        let held = events.assignment().unwrap_or_default();
        (held.len() == 1).then(|| held[0].partition)
    })
}

fn await_value(member: &mut Running, value: &str) {
    let has = |events: &Events| events.records().iter().any(|record| record.text() == value).then_some(());
    member.wait_for(value, has);
}

#[test]
fn members_move_between_gateways_that_are_alive_and_the_broker_sees_no_rebalance() {
    let cluster = Cluster::shared();
    let [backing] = topics([2]);
    let gateways = InProcess::pair(cluster);
    for gateway in &gateways {
        gateway.serve([zone("acme", &[("orders", &backing, "WRITE")])]);
    }
    let addresses = gateways.each_ref().map(|gateway| gateway.listens_on().0);
    let balancer = Balancer::start(gateways[0].listens_on().1, addresses);
    balancer.move_to(0);
    let (connection, direct) = (gateways[0].connection("acme"), Connection::plaintext(cluster.bootstrap()));
    let group = unique("readers");
    let mut members = Client::ALL.map(|client| {
        let expression = by_expression(client, "ord.*");
        member(client, &connection, &group, &expression.each_ref().map(String::as_str))
    });
    let held = members.each_mut().map(one_partition);
    let inside = format!("acme:{group}");
    let before = settled(&direct, &inside);
    assert_eq!(before.members.len(), 2);
    let revoked = members.each_ref().map(|member| member.events().revocations());

    for (from, to) in [(0, 1), (1, 0)] {
        let before_it_moved = heartbeats(&gateways[to]);
        balancer.move_to(to);
        let begun = Instant::now();
        // Each member is asked for everything, says it, and goes on.
        while heartbeats(&gateways[to]) < before_it_moved + 6 {
            assert!(begun.elapsed() < PATIENCE, "no heartbeats at gateway {to}");
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(gateways[from].open_connections(), 0);
        for (member, partition) in members.iter_mut().zip(&held) {
            let (partition, value) = (partition.to_string(), format!("{partition} at gateway {to}"));
            let arguments = ["produce", "--topic", &backing, "--partition", &partition, "--value", &value];
            assert_eq!(Client::Librdkafka.run(&direct, &arguments).errors(), []);
            await_value(member, &value);
        }
        // Members' ids, the epochs of all and what each has.
        assert_eq!(settled(&direct, &inside), before);
    }
    for (member, revoked) in members.into_iter().zip(revoked) {
        let events = member.stop();
        assert_eq!((events.losses(), events.records().len()), (0, 2));
        assert_eq!(events.revocations(), revoked + 1, "only when it left");
    }
}
