//! Links that are really cut, for longer than any timeout. See [`network`](super::network).

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::flow::Flow;
use super::means::Means;
use super::named::STALE;
use super::network::{Link, Network, Remote};
use super::node::Place;
use super::relay::Relay;
use super::stage::{BESIDE, Ground, NOTHING_COMPACTED, Stage, backing, port_of};
use crate::support::kafka::{ADMIN, Cluster};
use crate::support::wire::{Wire, request};

/// A leader's session is 10 s: after this it has another one.
const PAST_A_SESSION: Duration = Duration::from_secs(13);
/// What is sent and not acknowledged is given up after two minutes, a connection that nothing is sent on after as long.
const TIMEOUT: Duration = Duration::from_mins(2);
/// As long again: where the process lets go first, as librdkafka does of a request without an answer, the kernel still tries for minutes to
/// tell the other side.
const GONE: Duration = Duration::from_mins(4);
/// `TCP_ESTABLISHED`, `TCP_TIME_WAIT` and `TCP_LISTEN`: what does not wait for a peer.
const SETTLED: [u8; 3] = [1, 6, 10];

#[test]
#[ignore = "takes minutes: make faults"]
fn a_cut_link_is_noticed_in_time_and_mended_without_loss() {
    if !Means::Networks.are_used() {
        return;
    }
    let network = Network::start();
    // One more cluster, which the gateway reaches by its other link.
    let beside = Cluster::private_on(network.beside_routers(), 1, &[]);
    beside.create_topic(&backing(BESIDE), 3);
    let mut stage = Stage::on(ground(&network, &beside));
    let [gateway, controller] = &network.remotes;
    a_controller_that_is_cut_off_is_followed_and_writes_nothing_more(&mut stage, controller);
    a_gateway_that_is_cut_off_serves_what_it_knows_and_lets_go(&mut stage, gateway, &beside);
    stage.settle();
}

/// The first gateway and the second controller are behind routers.
fn ground(network: &Network, beside: &Cluster) -> Ground {
    let [gateway, controller] = network.remotes.each_ref().map(Place::in_network_of);
    let beside = format!(
        "bootstrapServers: '{}', properties: {{security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN, \
         sasl.username: {}, sasl.password: {}}}",
        beside.sasl_bootstrap(),
        ADMIN.user,
        ADMIN.password
    );
    Ground {
        kafka: Cluster::private_on(network.behind_routers(), 3, &NOTHING_COMPACTED),
        relay: Arc::new(Relay::default()),
        beside,
        controllers: [Place::here(1), controller],
        gateways: [gateway, Place::here(3)],
    }
}

fn a_controller_that_is_cut_off_is_followed_and_writes_nothing_more(stage: &mut Stage, remote: &Remote) {
    if stage.await_leader_but(None) == 0 {
        stage.controllers[0].kill();
        stage.await_leader_but(Some(0));
        stage.controllers[0].run();
    }
    let begun = Instant::now();
    let cut = remote.cut();
    // Something that it could be about to write.
    stage.push();
    std::thread::sleep(PAST_A_SESSION);
    assert_eq!(stage.await_leader_but(Some(1)), 0);
    eprintln!("the other controller leads {:.1} s after the cut", begun.elapsed().as_secs_f64());
    stage.serve_a_commit();
    drop(cut);
    // What its kernel has kept arrives now.
    stage.serve_a_commit();
    stage.wait("one leader", || (stage.leader() == Some(0)).then_some(()).ok_or("another one leads"));
    stage.await_flows();
    stage.check();
}

fn a_gateway_that_is_cut_off_serves_what_it_knows_and_lets_go(
    stage: &mut Stage,
    remote: &Remote,
    beside: &Cluster,
) {
    // All partners are this gateway's: nobody gets around it.
    stage.balancer.move_to(0);
    let other = Flow::start(stage.account(BESIDE));
    stage.flows.iter().chain([&other]).for_each(|flow| stage.await_flow(flow));
    let account = stage.flows[0].account.clone();
    let broker = port_of(&account.bootstrap) + 1;
    let log_in = || Wire::logged_in_soon((remote.address.octets(), broker), &account.user, &account.password);
    let mut idle = log_in();
    let brokers = stage.kafka.sasl_bootstrap().to_owned();
    let is_upstream = |link: &Link| brokers.split(',').any(|broker| broker == link.remote.to_string());
    let links = || remote.links().into_iter().filter(is_upstream).collect::<BTreeSet<_>>();

    let before: BTreeSet<_> = links().into_iter().map(|link| (link.local, link.remote)).collect();
    assert!(before.len() > 3, "{before:?}");
    let begun = Instant::now();
    let cut = remote.cut();
    stage.push();
    let gateway = &stage.gateways[0];
    stage.wait("it says that its state is stale", || {
        gateway.page("/metrics").contains(STALE).then_some(()).ok_or("it is not")
    });
    let stale = begun.elapsed();
    // Its last snapshot: who may log in, and everything of a cluster that it reaches.
    drop(log_in());
    stage.await_flow(&other);
    let gone = stage.wait_for(GONE, "connections from before the cut are gone", || {
        let left: Vec<_> =
            links().into_iter().filter(|link| before.contains(&(link.local, link.remote))).collect();
        if left.is_empty() { Ok(begun.elapsed()) } else { Err(format!("{left:?}")) }
    });
    // The partner who did nothing was told.
    idle.socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    assert_eq!(idle.socket.read(&mut [0; 1]).unwrap(), 0, "left open without a broker");
    std::thread::sleep((TIMEOUT + PAST_A_SESSION).saturating_sub(begun.elapsed()));
    stage.await_flow(&other);
    assert!(gateway.page("/metrics").contains(STALE));

    let cut_for = begun.elapsed();
    drop(cut);
    let mended = Instant::now();
    let metadata_of_nothing = request(3, 1, &0_i32.to_be_bytes());
    stage.wait("a new connection works", || log_in().ask(&metadata_of_nothing).ok_or("it is closed"));
    let usable = mended.elapsed();
    stage.await_flows();
    let recovery = mended.elapsed();
    stage.await_applied();
    assert!(!stage.gateways[0].page("/metrics").contains(STALE));
    stage.wait("no connection waits for a peer", || {
        let left: Vec<_> = remote.links().into_iter().filter(|link| !SETTLED.contains(&link.state)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
    eprintln!(
        "cut for {:.0} s: stale after {:.1} s, {} connections gone after {:.1} s; mended: a connection after {:.1} s, all \
         clients after {:.1} s",
        cut_for.as_secs_f64(),
        stale.as_secs_f64(),
        before.len(),
        gone.as_secs_f64(),
        usable.as_secs_f64(),
        recovery.as_secs_f64()
    );
    stage.balancer.take_turns();
    stage.serve_a_commit();
    stage.check();
    let (counted, wrong) = other.settle(beside, &backing(BESIDE));
    assert_eq!((wrong, counted.duplicated), (vec![], 0), "{counted:?}");
}
