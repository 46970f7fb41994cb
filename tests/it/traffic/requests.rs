//! Requests beyond `maxRequestRate`: late, and that is all.

use std::time::Duration;

use partner_zones::zone::TrafficControl;

use super::commits::reads_and_commits;
use super::{RECORD, assert_near, limited, no_limit, rate, settle};
use crate::support::client::{Client, Connection};
use crate::support::gateway::InProcess;
use crate::support::kafka::{Cluster, unique};

#[test]
fn requests_beyond_the_limit_are_late_and_none_is_refused_or_lost() {
    // Far below what a busy machine still does.
    const LIMIT: u32 = 10;
    const COUNT: usize = 300;
    let cluster = Cluster::shared();
    let gateway = InProcess::start(cluster);
    let zones = Client::ALL.map(|client| (client, unique("limited")));
    let serve = |limits| {
        let all = zones.iter().map(|(client, backing)| limited(client.name(), backing, limits));
        gateway.serve(all.collect::<Vec<_>>());
    };
    for (_, backing) in &zones {
        cluster.create_topic(backing, 1);
    }
    serve(TrafficControl { max_request_rate: Some(LIMIT.into()), ..no_limit() });
    let direct = Connection::plaintext(cluster.bootstrap());
    let count = COUNT.to_string();
    let mut producers = zones.each_ref().map(|(client, _)| {
        // Idempotent, several requests under way, a record in each: two small ones fit into Java's smallest batch.
        let alone = if *client == Client::Java { "batch.size=0" } else { "batch.num.messages=1" };
        let produce = ["produce", "--topic", "orders", "--partition", "0", "--key", "{i}", "--count", &count];
        let more = ["--size", "200", "--timeout", "100000", "-X", alone];
        client.start(&gateway.connection(client.name()), &[&produce[..], &more].concat())
    });
    for producer in &mut producers {
        settle(producer, "acked");
    }
    std::thread::scope(|scope| {
        let measured = producers.each_ref().map(|producer| {
            scope.spawn(move || rate(producer, "acked", Duration::from_secs(8)) / RECORD as f64)
        });
        for ((client, _), measured) in zones.iter().zip(measured) {
            assert_near(&format!("{client:?}, requests"), measured.join().unwrap(), LIMIT.into(), 0.7..1.25);
        }
    });
    assert!(producers.iter().all(|producer| producer.count("acked") < COUNT), "there was too little to do");
    serve(no_limit());
    for ((client, backing), producer) in zones.iter().zip(producers) {
        let events = producer.finish();
        assert_eq!(events.errors(), [], "{client:?}");
        assert_eq!(events.acked().len(), COUNT, "{client:?}");
        let read = ["assign", "--topic", backing, "--partition", "0", "--max", &count];
        let keys: Vec<_> =
            client.run(&direct, &read).records().iter().map(|record| record.key.clone()).collect();
        let sent: Vec<_> = (0..COUNT).map(|i| Some(i.to_string().into_bytes())).collect();
        assert_eq!(keys, sent, "{client:?}: in order, each once");
    }
    assert!(gateway.counter("gateway_throttled_total{limit=\"requests\"}") > 0);
    assert_eq!(gateway.counter("gateway_closed_total{reason=\"refused\"}"), 0);
}

#[test]
fn a_group_that_wants_more_requests_than_it_may_keeps_its_members_and_reads_all() {
    for client in Client::ALL {
        for protocol in ["eager", "consumer"] {
            let limits = TrafficControl { max_request_rate: Some(4), ..no_limit() };
            let (commits, took, gateway) = reads_and_commits(client, protocol, limits);
            let held = gateway.counter("gateway_throttled_total{limit=\"requests\"}");
            eprintln!("{client:?} {protocol}: {commits} commits in {took:?}, held back {held} times");
            assert!(held > 0, "{client:?} {protocol}: never held back");
            // What is not counted here are its fetches and heartbeats.
            assert!((commits as f64) <= took.as_secs_f64() * 4.0 + 8.0, "{commits} commits in {took:?}");
        }
    }
}
