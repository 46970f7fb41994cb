//! What was used: written by whoever counts, added up by the leader, and the same for every reader at every moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partner_zones::store::kafka::Role;
use partner_zones::store::{Change, Foldable, Place, Store, StoreError};
use partner_zones::zone::{ClientUsage, Month, Usage};

use super::topics::{all_topics, await_absence, settings};
use super::{Installation, Node, PATIENCE, zone_name};
use crate::support::kafka::Cluster;

fn month() -> Month {
    "2026-11".parse().unwrap()
}

fn usage(requests: u64) -> Arc<Usage> {
    let of = ClientUsage { requests, ..ClientUsage::default() };
    Arc::new(Usage { topics: BTreeMap::new(), credentials: [("k1".to_owned(), of)].into() })
}

fn source(node: &str) -> Place {
    Place::of_new_source(zone_name("acme"), month(), node)
}

fn total(node: &Node) -> Option<u64> {
    Some(node.store.ledger().usage(&zone_name("acme"), month())?.total().requests)
}

/// Asks again and again, so what is between is seen as well.
async fn await_total(node: &Node, wanted: u64) {
    let deadline = Instant::now() + PATIENCE;
    while total(node) != Some(wanted) {
        assert!(Instant::now() < deadline, "it is {:?}, not {wanted}", total(node));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn fold(leader: &Node) -> Result<usize, StoreError> {
    let rules = Foldable { silent: Duration::ZERO, today: month(), most: 100 };
    let folds = leader.store.ledger().folds(rules);
    let records = folds.iter().map(partner_zones::store::Fold::records).sum();
    let before = leader.store.state().borrow().as_ref().map(|state| state.sequence);
    if !folds.is_empty() {
        let sequence = leader.store.commit(folds.into_iter().map(Change::FoldUsage).collect()).await?;
        assert_eq!(Some(sequence), before, "no zone has changed: nobody has anything new to serve");
    }
    Ok(records)
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_add_up_outlive_their_nodes_and_are_folded_under_the_eyes_of_every_reader() {
    let installation = Installation::new();
    let first = installation.leader("c1").await;
    let gateway = installation.gateway("g1").await;
    await_total(&gateway, 0).await;
    let (one, two) = (source("g1"), source("g2"));
    gateway.store.record_usage(one.clone(), usage(1)).await.unwrap();
    gateway.store.record_usage(two, usage(10)).await.unwrap();
    gateway.store.record_usage(one, usage(5)).await.unwrap();
    for node in [&first, &gateway] {
        await_total(node, 15).await;
    }
    // A reader looks all the time: no moment is half of a fold.
    let reader = installation.gateway("g2").await;
    await_total(&reader, 15).await;
    let folded = async {
        assert_eq!(fold(&first).await.unwrap(), 3, "two sources and the base");
        // What it wrote itself is read before anything more is folded.
        gateway.store.record_usage(source("g1"), usage(100)).await.unwrap();
        await_total(&first, 115).await;
        assert_eq!(fold(&first).await.unwrap(), 3, "the base, what is added to it, and the new base");
    };
    let watched = async {
        let mut seen = 15;
        loop {
            let now = total(&reader).unwrap();
            assert!(now == seen || (seen, now) == (15, 115), "{now} after {seen}");
            seen = now;
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    };
    tokio::select! {
        () = folded => {}
        () = watched => {}
    }
    first.stop().await;
    gateway.stop().await;

    let second = installation.leader("c2").await;
    await_total(&second, 115).await;
    assert_eq!(fold(&second).await.unwrap(), 0, "a base alone");
    reader.store.record_usage(source("g2"), usage(1_000)).await.unwrap();
    await_total(&second, 1_115).await;
    fold(&second).await.unwrap();
    await_total(&reader, 1_115).await;
    let newcomer = installation.gateway("g3").await;
    await_total(&newcomer, 1_115).await;
    for node in [second, reader, newcomer] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_folded_or_written_meanwhile_is_not_folded_again() {
    let installation = Installation::new();
    let leader = installation.leader("c1").await;
    let place = source("g1");
    await_total(&leader, 0).await;
    leader.store.record_usage(place.clone(), usage(1)).await.unwrap();
    await_total(&leader, 1).await;
    let rules = Foldable { silent: Duration::ZERO, today: month(), most: 100 };
    let old: Vec<Change> = leader.store.ledger().folds(rules).into_iter().map(Change::FoldUsage).collect();
    leader.store.record_usage(place, usage(2)).await.unwrap();
    let refused = leader.store.commit(old.clone()).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    fold(&leader).await.unwrap();
    let refused = leader.store.commit(old).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    await_total(&leader, 2).await;
    let stranger = installation.gateway("g1").await;
    await_total(&stranger, 2).await;
    let refused = fold(&stranger).await;
    assert!(matches!(refused, Ok(0) | Err(StoreError::NotLeader)), "{refused:?}");
    leader.stop().await;
    stranger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_starts_without_the_topic_and_writes_once_a_controller_has_made_it() {
    let installation = Installation::new();
    installation.leader("c1").await.stop().await;
    let topic = installation.topic("usage");
    Cluster::shared().delete_topic(&topic);
    await_absence(&installation, &topic);

    let gateway = installation.gateway("g1").await;
    let place = source("g1");
    let refused = gateway.store.record_usage(place.clone(), usage(7)).await;
    assert!(matches!(refused, Err(StoreError::NotSetUp(_))), "{refused:?}");
    assert_eq!(total(&gateway), None, "not 0: nobody knows");
    assert!(all_topics(&installation).iter().all(|(name, _)| *name != topic), "it makes none");

    let controller = installation.controller("c2").await;
    let deadline = Instant::now() + PATIENCE;
    while gateway.store.record_usage(place.clone(), usage(7)).await.is_err() {
        assert!(Instant::now() < deadline, "the topic is not found");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    await_total(&gateway, 7).await;
    await_total(&controller, 7).await;

    // It is lost: what running processes have counted is written again, by them.
    Cluster::shared().delete_topic(&topic);
    await_absence(&installation, &topic);
    let deadline = Instant::now() + PATIENCE;
    while !all_topics(&installation).iter().any(|(name, _)| *name == topic) {
        assert!(Instant::now() < deadline, "nobody has made it again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(settings(&installation, "usage").await["cleanup.policy"], "compact");
    await_total(&controller, 0).await;
    await_total(&gateway, 0).await;
    gateway.store.record_usage(place, usage(8)).await.unwrap();
    await_total(&controller, 8).await;
    controller.stop().await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usage_topic_that_would_evaporate_is_refused_by_controllers_and_stops_no_gateway() {
    let installation = Installation::new();
    installation.controller("c1").await.stop().await;
    let topic = installation.topic("usage");
    Cluster::shared().delete_topic(&topic);
    await_absence(&installation, &topic);
    Cluster::shared().create_topic_with(&topic, 1, &[("cleanup.policy", "delete")]);
    let refused = installation.try_open(Role::Controller, "c2").await.err().expect("the topic is wrong");
    assert!(refused.to_string().contains("cleanup.policy"), "{refused}");
    installation.gateway("g1").await.stop().await;
}
