//! State that was lost never looks like state that was emptied; and what a later version wrote is not lost at an earlier one.

use std::sync::Arc;
use std::time::Duration;

use partner_zones::store::kafka::{KafkaStore, Role};
use partner_zones::store::{Change, Health, Heartbeat, LEADER_VERSION, Leadership, Store, StoreError};
use partner_zones::zone::{Credential, Sequence};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::Value;
use time::OffsetDateTime;

use super::{Installation, PATIENCE, credential, open, put_zone, until, zone_name, zone_names};
use crate::support::kafka::Cluster;
use crate::support::log;

/// Long enough for a node to have done what it must not do.
const A_WHILE: Duration = Duration::from_secs(4);

async fn await_reason(store: &KafkaStore, part: &str) {
    until(
        &mut store.health(),
        part,
        |health| matches!(health, Health::Stale { reason, .. } if reason.contains(part)),
    )
    .await;
}

/// What node `gateway-1` says while it serves this commit.
pub(super) fn heartbeat(sequence: u64) -> Heartbeat {
    Heartbeat {
        node: "gateway-1".to_owned(),
        serving: sequence,
        bootstrap: [].into(),
        tls: false,
        zone_domain: None,
        problems: [].into(),
        connections: 0,
        master_keys: std::collections::BTreeSet::new(),
        usage: [].into(),
        credentials: [].into(),
        failed_logins: Vec::new(),
        traffic: [].into(),
        usage_is_partial: false,
        at: OffsetDateTime::UNIX_EPOCH,
    }
}

/// Says it every now and then, for as long as the store is in use.
fn serve(store: &Arc<KafkaStore>, sequence: u64) {
    let store = Arc::clone(store);
    tokio::spawn(async move {
        while Arc::strong_count(&store) > 1 {
            let _ = store.heartbeat(heartbeat(sequence)).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
}

/// The last value of this record, as it stands in the topic.
fn record(installation: &Installation, key: &str) -> Value {
    let records = log::records(&installation.bootstrap, &installation.topic("state"), 0, PATIENCE);
    let of_key = records.unwrap().into_iter().rfind(|record| record.key.as_deref() == Some(key.as_bytes()));
    let last = of_key.and_then(|record| record.value);
    serde_json::from_slice(&last.unwrap_or_else(|| panic!("there is no record {key}"))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_made_anew_takes_nothing_from_a_running_node_however_far_it_comes() {
    let installation = Installation::new();
    let leader = installation.leader("c1").await;
    leader.store.commit(vec![put_zone("acme")]).await.unwrap();
    leader.stop().await;
    let gateway = installation.gateway("gateway-1").await;
    gateway.await_sequence(Sequence(1)).await;
    Cluster::shared().delete_topic(&installation.topic("state"));
    await_reason(&gateway.store, "the state topic is gone").await;

    let another = installation.leader("c2").await;
    for name in ["globex", "initech", "umbrella"] {
        another.store.commit(vec![put_zone(name)]).await.unwrap();
    }
    await_reason(&gateway.store, "made anew").await;
    let kept = gateway.store.state().borrow().clone().unwrap();
    assert_eq!((zone_names(&kept), kept.sequence), (vec!["acme"], Sequence(1)));
    another.stop().await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_state_that_a_node_serves_from_is_led_by_nobody_until_it_is_restored() {
    let installation = Installation::new();
    let leader = installation.leader("c1").await;
    leader.store.commit(vec![put_zone("acme")]).await.unwrap();
    leader.stop().await;
    let gateway = installation.gateway("gateway-1").await;
    let known = gateway.await_sequence(Sequence(1)).await;
    serve(&gateway.store, 1);
    Cluster::shared().delete_topic(&installation.topic("state"));
    await_reason(&gateway.store, "the state topic is gone").await;

    let mut options = installation.options(Role::Controller, "c2");
    options.timing.all_heard = Duration::from_secs(2);
    let controller = open(options).await.unwrap();
    tokio::time::sleep(A_WHILE).await;
    let refused = controller.store.commit(vec![put_zone("globex")]).await;
    assert!(matches!(refused, Err(StoreError::NotLeader)), "{refused:?}");

    let restorer = installation.try_open(Role::Restorer, "by-hand").await.unwrap();
    restorer.await_leadership().await;
    let goes_on = Change::GoesOn { from: known.sequence, lineage: known.lineage.clone() };
    let sequence = restorer.store.commit(vec![goes_on, put_zone("acme"), put_zone("globex")]).await.unwrap();
    assert_eq!(sequence, Sequence(2));
    restorer.stop().await;
    let restored = gateway.await_sequence(sequence).await;
    assert_eq!(zone_names(&restored), ["acme", "globex"], "a node that was never restarted follows");
    controller.await_leadership().await;
    assert_eq!(controller.store.commit(vec![put_zone("initech")]).await.unwrap(), Sequence(3));
    controller.stop().await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_topic_that_has_lost_records_is_served_by_nobody_and_led_by_nobody() {
    let installation = Installation::new();
    let leader = installation.leader("c1").await;
    leader.store.commit(vec![put_zone("acme"), put_zone("globex")]).await.unwrap();
    leader.stop().await;
    // As time retention, or an unclean election, would leave it.
    installation.write("zone/acme", None);
    let gateway = installation.gateway("gateway-1").await;
    await_reason(&gateway.store, "there were 2 zones and 0 credentials, and it holds 1 and 0").await;
    assert!(gateway.store.state().borrow().is_none());
    let controller = installation.controller("c2").await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(*controller.store.leadership().borrow(), Leadership::Following);
    controller.stop().await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_older_than_the_state_leaves_the_lead_to_a_newer_one() {
    let installation = Installation::new();
    let newer = installation.leader("c1").await;
    newer.store.commit(vec![put_zone("acme")]).await.unwrap();
    newer.stop().await;
    let mut end = record(&installation, "revision");
    end["leaderVersion"] = (LEADER_VERSION + 1).into();
    installation.write("revision", Some(&end.to_string()));

    let older = installation.controller("c2").await;
    older.await_sequence(Sequence(1)).await;
    tokio::time::sleep(A_WHILE).await;
    let refused = older.store.commit(vec![put_zone("globex")]).await;
    assert!(matches!(refused, Err(StoreError::NotLeader)), "{refused:?}");
    assert_eq!(record(&installation, "revision"), end, "nothing was written over it");

    // A member of the group as a newer node is one.
    let member: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &installation.bootstrap)
        .set("group.id", installation.topic("leader"))
        .set("partition.assignment.strategy", "cooperative-sticky")
        .create()
        .unwrap();
    member.subscribe(&[&installation.topic("state")]).unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while member.assignment().unwrap().count() == 0 {
        assert!(tokio::time::Instant::now() < deadline, "the older one keeps the lead to itself");
        tokio::task::block_in_place(|| drop(member.poll(Duration::from_millis(100))));
    }
    older.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_version_adds_to_a_record_outlives_a_rewrite_by_this_one() {
    let installation = Installation::new();
    let leader = installation.leader("c1").await;
    let secret = credential("acme", 1);
    leader.store.commit(vec![put_zone("acme"), Change::PutCredential(secret.clone())]).await.unwrap();
    leader.stop().await;
    let key = format!("credential/{}", secret.key_id);
    let mut newer = record(&installation, &key);
    newer["onlyFrom"] = "2027-01-01".into();
    installation.write(&key, Some(&newer.to_string()));
    installation.write("share/s1", Some(r#"{"schemaVersion":3,"of":"acme"}"#));

    let leader = installation.leader("c2").await;
    let ends = OffsetDateTime::UNIX_EPOCH;
    let shortened = Credential { expires_at: Some(ends), ..secret };
    leader.store.commit(vec![Change::PutCredential(shortened)]).await.unwrap();
    let written = record(&installation, &key);
    assert_eq!(written["onlyFrom"], "2027-01-01", "{written:#}");
    assert_eq!(written["expiresAt"], "1970-01-01T00:00:00Z", "{written:#}");
    assert_eq!(record(&installation, "share/s1")["of"], "acme");

    // With the credential goes what was said of it.
    leader.store.commit(vec![Change::DeleteZone(zone_name("acme"))]).await.unwrap();
    let again = vec![put_zone("acme"), Change::PutCredential(credential("acme", 1))];
    leader.store.commit(again).await.unwrap();
    assert_eq!(record(&installation, &key)["onlyFrom"], Value::Null);
    leader.stop().await;
}
