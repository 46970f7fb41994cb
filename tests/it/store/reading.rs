//! What a reader sees, and what it keeps when the store is lost or damaged.

use std::time::Duration;

use partner_zones::store::kafka::Role;
use partner_zones::store::{Change, Health, Store};
use partner_zones::zone::Sequence;
use rdkafka::producer::Producer;

use super::{Installation, PATIENCE, credential, open, put_zone, send, until, zone_name, zone_names};
use crate::support::kafka::Cluster;
use crate::support::log;

/// Long enough for a reader to have seen what it must not see.
const A_WHILE: Duration = Duration::from_secs(2);

fn is_stale(health: &Health) -> bool {
    matches!(health, Health::Stale { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_reads_the_same_state() {
    let installation = Installation::new();
    let leader = installation.leader("controller-1").await;
    leader.store.commit(vec![put_zone("acme"), put_zone("globex")]).await.unwrap();
    leader.store.commit(vec![Change::PutCredential(credential("acme", 1))]).await.unwrap();
    leader.store.commit(vec![Change::DeleteZone(zone_name("globex"))]).await.unwrap();
    let before = leader.store.state().borrow().clone().unwrap();
    let cluster_id = leader.store.cluster_id().to_owned();
    leader.stop().await;

    let gateway = installation.gateway("gateway-1").await;
    let after = gateway.await_sequence(Sequence(3)).await;
    assert_eq!((&after.zones, &after.credentials), (&before.zones, &before.credentials));
    assert_eq!(zone_names(&after), ["acme"]);
    assert_eq!(gateway.store.cluster_id(), cluster_id);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_open_or_aborted_is_seen_by_nobody() {
    let installation = Installation::new();
    let leader = installation.leader("controller-1").await;
    leader.store.commit(vec![put_zone("acme")]).await.unwrap();
    leader.stop().await;
    let gateway = installation.gateway("gateway-1").await;
    gateway.await_sequence(Sequence(1)).await;

    let producer = installation.transactional_producer();
    producer.begin_transaction().unwrap();
    let state = installation.topic("state");
    send(&producer, &state, "zone/acme", None);
    send(&producer, &state, "revision", Some(r#"{"schemaVersion":1,"sequence":2}"#));
    let late = installation.gateway("gateway-2").await;
    tokio::time::sleep(A_WHILE).await;
    for node in [&gateway, &late] {
        assert_eq!(zone_names(&*node.await_sequence(Sequence(1)).await), ["acme"], "while it is open");
    }
    producer.abort_transaction(PATIENCE).unwrap();
    tokio::time::sleep(A_WHILE).await;
    for node in [&gateway, &late] {
        let seen = node.store.state().borrow().clone().unwrap();
        assert_eq!((zone_names(&seen), seen.sequence), (vec!["acme"], Sequence(1)), "when it is aborted");
    }
    gateway.stop().await;
    late.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_show_at_the_revision_that_ends_their_commit_and_not_before() {
    let installation = Installation::new();
    let leader = installation.leader("controller-1").await;
    leader.store.commit(vec![put_zone("acme")]).await.unwrap();
    leader.stop().await;
    let gateway = installation.gateway("gateway-1").await;
    gateway.await_sequence(Sequence(1)).await;
    installation.write("zone/acme", None);
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(zone_names(&*gateway.await_sequence(Sequence(1)).await), ["acme"]);
    installation.write("revision", Some(r#"{"schemaVersion":1,"sequence":2}"#));
    assert!(gateway.await_sequence(Sequence(2)).await.zones.is_empty());
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_never_looks_like_an_absent_one() {
    let installation = Installation::new();
    let leader = installation.leader("controller-1").await;
    leader.store.commit(vec![put_zone("acme"), put_zone("globex")]).await.unwrap();
    leader.stop().await;
    let gateway = installation.gateway("gateway-1").await;
    gateway.await_sequence(Sequence(1)).await;

    installation.write("zone/acme", Some(r#"{"schemaVersion":9}"#));
    installation.write("revision", Some(r#"{"schemaVersion":1,"sequence":2}"#));
    let health = until(&mut gateway.store.health(), "the damage", is_stale).await;
    let Health::Stale { reason, .. } = health else { unreachable!() };
    assert!(reason.contains("`zone/acme`") && reason.contains("schema version 9"), "{reason}");
    let kept = gateway.store.state().borrow().clone().unwrap();
    assert_eq!((zone_names(&kept), kept.sequence), (vec!["acme", "globex"], Sequence(1)));

    let late = installation.gateway("gateway-2").await;
    until(&mut late.store.health(), "the damage", is_stale).await;
    assert!(late.store.state().borrow().is_none(), "a node without a snapshot serves nobody");
    let controller = installation.controller("controller-2").await;
    until(&mut controller.store.health(), "the damage", is_stale).await;
    tokio::time::sleep(A_WHILE).await;
    let refused = controller.store.commit(vec![put_zone("initech")]).await;
    assert!(refused.is_err(), "nobody leads over a state that cannot be read");
    controller.stop().await;

    installation.write("zone/acme", None);
    installation.write("revision", Some(r#"{"schemaVersion":1,"sequence":3}"#));
    for node in [gateway, late] {
        assert_eq!(zone_names(&*node.await_sequence(Sequence(3)).await), ["globex"]);
        until(&mut node.store.health(), "health", |h| *h == Health::Current).await;
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_topic_made_anew_empties_no_running_node() {
    let installation = Installation::new();
    let leader = installation.leader("controller-1").await;
    for name in ["acme", "globex", "initech"] {
        leader.store.commit(vec![put_zone(name)]).await.unwrap();
    }
    leader.stop().await;
    let gateway = installation.gateway("gateway-1").await;
    gateway.await_sequence(Sequence(3)).await;
    let cluster = Cluster::shared();
    cluster.delete_topic(&installation.topic("state"));
    until(&mut gateway.store.health(), "the loss", is_stale).await;
    cluster.create_topic_with(&installation.topic("state"), 1, &[("cleanup.policy", "compact")]);
    until(&mut gateway.store.health(), "the cause", |health| {
        matches!(health, Health::Stale { reason, .. } if reason.contains("has already read commit 3"))
    })
    .await;
    let kept = gateway.store.state().borrow().clone().unwrap();
    assert_eq!(zone_names(&kept), ["acme", "globex", "initech"]);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_loses_the_store_keeps_its_snapshot_says_so_and_recovers() {
    let cluster = tokio::task::spawn_blocking(|| Cluster::private(1)).await.unwrap();
    let installation = Installation::on(&cluster);
    let leader = installation.leader("controller-1").await;
    leader.store.commit(vec![put_zone("acme")]).await.unwrap();
    tokio::task::block_in_place(|| cluster.broker(1).kill());
    until(&mut leader.store.health(), "the loss", is_stale).await;
    assert_eq!(zone_names(&leader.store.state().borrow().clone().unwrap()), ["acme"]);
    tokio::task::block_in_place(|| cluster.broker(1).start());
    until(&mut leader.store.health(), "recovery", |h| *h == Health::Current).await;
    let committed = loop {
        leader.await_leadership().await;
        // Leadership may end once more while the broker's coordinators load.
        if let Ok(sequence) = leader.store.commit(vec![put_zone("globex")]).await {
            break sequence;
        }
    };
    assert_eq!(zone_names(&*leader.await_sequence(committed).await), ["acme", "globex"]);
    leader.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_says_that_it_goes_is_gone_at_once() {
    let installation = Installation::new();
    let mut options = installation.options(Role::Controller, "controller-1");
    options.timing.node_lifetime = Duration::from_mins(10);
    let node = open(options).await.unwrap();
    let mut nodes = node.store.nodes();
    while !nodes.borrow().contains_key("gateway-1") {
        node.store.heartbeat(super::loss::heartbeat(1)).await.unwrap();
        let heard = nodes.wait_for(|nodes| nodes.contains_key("gateway-1"));
        drop(tokio::time::timeout(Duration::from_millis(500), heard).await);
    }
    node.store.leave("gateway-1".to_owned()).await.unwrap();
    until(&mut nodes, "its end", |nodes| nodes.is_empty()).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_event_is_in_the_audit_topic_as_it_was_given() {
    let installation = Installation::new();
    let node = installation.controller("controller-1").await;
    let event = serde_json::json!({"specversion": "1.0", "type": "zone.created", "subject": "zone/acme"});
    node.store.audit(event.clone()).await.unwrap();
    let written = log::records(&installation.bootstrap, &installation.topic("audit"), 0, PATIENCE).unwrap();
    let message = written.into_iter().next().expect("a message");
    assert_eq!(message.key.as_deref(), Some(b"zone/acme".as_slice()));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&message.value.unwrap()).unwrap(), event);
    node.stop().await;
}
