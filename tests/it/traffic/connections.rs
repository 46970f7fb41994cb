//! New connections beyond `maxConnectionRate`: they wait, and beyond that are closed, so that clients come again.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use kafka_protocol::messages::MetadataRequest;
use partner_zones::zone::TrafficControl;

use super::{assert_near, limited, no_limit};
use crate::support::client::Client;
use crate::support::gateway::{InProcess, SECRET};
use crate::support::kafka::{Cluster, unique};
use crate::support::wire::{Wire, typed};

fn gateway_with(rate: u64) -> InProcess {
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let backing = unique("limited");
    cluster.create_topic(&backing, 1);
    let limits = TrafficControl { max_connection_rate: Some(rate), ..no_limit() };
    gateway.serve([limited("acme", &backing, limits)]);
    gateway
}

/// One connection that logs in, asks one thing and goes. False: it was not answered.
fn comes_and_goes(gateway: &InProcess) -> bool {
    let mut wire = Wire::logged_in(gateway.broker_port(1), "acme", SECRET);
    wire.ask(&typed(&MetadataRequest::default().with_topics(Some(Vec::new())), 4)).is_some()
}

/// By hand, since a client library opens as many connections as it likes.
#[test]
fn connections_come_as_fast_as_the_limit_says_and_while_few_wait_none_is_closed() {
    const LIMIT: u32 = 4;
    const WAITING: usize = 8;
    let gateway = gateway_with(LIMIT.into());
    let (came, failed, stop) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..WAITING {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let count = if comes_and_goes(&gateway) { &came } else { &failed };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Until what may come at once has come.
        sleep(Duration::from_secs(4));
        let (before, begun) = (came.load(Ordering::Relaxed), Instant::now());
        sleep(Duration::from_secs(12));
        let measured = (came.load(Ordering::Relaxed) - before) as f64 / begun.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        assert_near("new connections", measured, LIMIT.into(), 0.7..1.25);
    });
    assert_eq!(failed.into_inner(), 0);
    assert!(gateway.counter("gateway_throttled_total{limit=\"connection_rate\"}") > 0);
    assert_eq!(gateway.counter("gateway_closed_total{reason=\"connection_rate\"}"), 0);
}

/// More than can wait: each client needs several connections.
#[test]
fn clients_whose_connections_are_closed_for_their_rate_come_again_and_tell_nobody() {
    const EACH: usize = 4;
    let gateway = gateway_with(1);
    let connection = gateway.connection("acme");
    let produce = ["produce", "--topic", "orders", "--value", "v", "--timeout", "100000"];
    let begun = Instant::now();
    let clients: Vec<_> = Client::ALL
        .into_iter()
        .flat_map(|client| [client; EACH])
        .map(|client| (client, client.start(&connection, &produce)))
        .collect();
    for (client, running) in clients {
        let events = running.finish();
        assert_eq!(events.acked().len(), 1, "{client:?}");
        let said: Vec<_> = events.errors().into_iter().map(|error| error.error).collect();
        eprintln!("{client:?}: done after {:?}, said {said:?}", begun.elapsed());
        // librdkafka tells that all its connections are down at the moment, and goes on; Java says nothing.
        let may_say = |error: &String| client == Client::Librdkafka && error == "NETWORK_EXCEPTION";
        assert!(said.iter().all(may_say), "{client:?}: {said:?}");
    }
    let closed = gateway.counter("gateway_closed_total{reason=\"connection_rate\"}");
    eprintln!("{closed} connections were closed");
    assert!(closed > 0);
}
