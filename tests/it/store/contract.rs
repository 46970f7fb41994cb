//! What every store promises, for both of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use partner_zones::store::memory::MemoryStore;
use partner_zones::store::{AuditStretch, Change, Health, Heartbeat, Leadership, Store, StoreError};
use partner_zones::zone::{Revision, Sequence};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Installation, PATIENCE, credential, put_zone, until, zone, zone_name, zone_names};

async fn starts_empty_current_and_leading(store: &dyn Store) {
    let state = until(&mut store.state(), "a state", Option::is_some).await.unwrap();
    assert!(state.zones.is_empty() && state.credentials.is_empty() && state.api_keys.is_empty());
    assert_eq!((state.sequence, &state.revision), (Sequence(0), &None));
    assert_eq!(*store.health().borrow(), Health::Current);
    assert_eq!(*store.leadership().borrow(), Leadership::Leading);
    store.confirm_leadership().await.unwrap();
}

async fn a_commit_is_in_the_state_when_its_number_is_known(store: &dyn Store) {
    let revision = Revision::commit("refs/heads/main", "8c1f");
    let changes = vec![
        put_zone("acme"),
        put_zone("globex"),
        Change::PutCredential(credential("acme", 1)),
        Change::Applied(revision.clone()),
    ];
    assert_eq!(store.commit(changes).await.unwrap(), Sequence(1));
    let state = store.state().borrow().clone().unwrap();
    assert_eq!(state.sequence, Sequence(1));
    assert_eq!(state.revision, Some(revision.clone()));
    assert_eq!(zone_names(&state), ["acme", "globex"]);
    let acme = &state.zones[&zone_name("acme")];
    assert_eq!(acme.zone, zone("acme").zone);
    assert_eq!(
        (acme.id, acme.changed, acme.updated_at),
        (zone("acme").id, Sequence(1), zone("acme").updated_at)
    );
    assert_eq!(*state.credentials[&credential("acme", 1).key_id], credential("acme", 1));

    assert_eq!(store.commit(vec![put_zone("acme")]).await.unwrap(), Sequence(2));
    let state = store.state().borrow().clone().unwrap();
    let changed: Vec<_> = state.zones.values().map(|z| z.changed).collect();
    assert_eq!(changed, [Sequence(2), Sequence(1)]);
    assert_eq!(state.revision, Some(revision), "it stays until another one is applied");
}

async fn a_deleted_zone_takes_its_credentials_with_it(store: &dyn Store) {
    let changes = vec![
        put_zone("acme"),
        put_zone("globex"),
        Change::PutCredential(credential("acme", 1)),
        Change::PutCredential(credential("globex", 2)),
    ];
    store.commit(changes).await.unwrap();
    store.commit(vec![Change::DeleteZone(zone_name("acme"))]).await.unwrap();
    store.commit(vec![put_zone("acme")]).await.unwrap();
    let state = store.state().borrow().clone().unwrap();
    assert_eq!(zone_names(&state), ["acme", "globex"]);
    assert_eq!(state.credentials.values().map(|c| c.zone.as_str()).collect::<Vec<_>>(), ["globex"]);
}

async fn a_refused_commit_changes_nothing(store: &dyn Store) {
    store.commit(vec![put_zone("acme")]).await.unwrap();
    let changes = vec![put_zone("globex"), Change::PutCredential(credential("nobody", 1))];
    let refused = store.commit(changes).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let state = store.state().borrow().clone().unwrap();
    assert_eq!((zone_names(&state), state.sequence), (vec!["acme"], Sequence(1)));
    assert_eq!(*store.leadership().borrow(), Leadership::Leading);
}

async fn a_heartbeat_makes_a_node_live_and_silence_makes_it_gone(store: &dyn Store) {
    let beat = |node: &str, serving| Heartbeat {
        node: node.to_owned(),
        serving,
        bootstrap: BTreeMap::from([("default".to_owned(), "kafka.example.com:19092".to_owned())]),
        tls: false,
        zone_domain: None,
        problems: BTreeMap::from([("acme".to_owned(), "backing topic missing".to_owned())]),
        connections: 3,
        master_keys: BTreeSet::new(),
        usage: BTreeMap::new(),
        credentials: BTreeMap::new(),
        failed_logins: Vec::new(),
        traffic: BTreeMap::new(),
        usage_is_partial: false,
        // A clock that is far off makes no node disappear.
        at: OffsetDateTime::UNIX_EPOCH,
    };
    let mut nodes = store.nodes();
    let mut number = 0;
    let live = loop {
        number += 1;
        store.heartbeat(beat("n1", number)).await.unwrap();
        store.heartbeat(beat("n2", 7)).await.unwrap();
        let wait = tokio::time::timeout(Duration::from_millis(500), nodes.wait_for(|nodes| nodes.len() == 2));
        if let Ok(live) = wait.await {
            break live.unwrap().clone();
        }
        assert!(number < 60, "heartbeats do not arrive");
    };
    assert_eq!(live["n2"], beat("n2", 7));
    until(&mut nodes, "the end of silent nodes", |nodes| nodes.is_empty()).await;
}

async fn audit_events_are_accepted(store: &dyn Store) {
    let event = serde_json::json!({"specversion": "1.0", "type": "zone.created", "subject": "zone/acme"});
    store.audit(event).await.unwrap();
}

async fn audit_events_are_read_back_the_newest_first(store: &dyn Store) {
    let event = |number: u64| serde_json::json!({"type": "test.numbered", "subject": format!("zone/z{}", number % 2), "data": {"number": number}});
    for number in 0..3 {
        store.audit(event(number)).await.unwrap();
    }
    store.commit(vec![put_zone("acme"), Change::Audit(event(3))]).await.unwrap();
    let numbers = |stretch: &AuditStretch| -> Vec<u64> {
        let ours = stretch.events.iter().filter(|(_, event)| event["type"] == "test.numbered");
        ours.map(|(_, event)| event["data"]["number"].as_u64().unwrap()).collect()
    };
    // A commit is known a moment before each of its topics shows it.
    let begun = Instant::now();
    let all = loop {
        let all = store.read_audit(None).await.unwrap();
        if numbers(&all).len() == 4 {
            break all;
        }
        assert!(begun.elapsed() < PATIENCE, "{all:?}");
    };
    assert_eq!((numbers(&all), all.older), (vec![3, 2, 1, 0], None));
    assert_eq!(all.events[0].1["data"]["sequence"], 1, "as part of its commit");
    let places: Vec<_> = all.events.iter().map(|(place, _)| *place).collect();
    assert!(places.is_sorted_by(|newer, older| newer > older), "{places:?}");
    let older = store.read_audit(Some(places[1])).await.unwrap();
    assert_eq!(numbers(&older), [1, 0]);
    assert_eq!(store.read_audit(Some(0)).await.unwrap(), AuditStretch::default());
}

/// Each promise is one test per store.
macro_rules! for_both_stores {
    ($($promise:ident),* $(,)?) => {
        mod in_memory {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $promise() {
                    let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
                    let lifetime = Duration::from_secs(1);
                    let store = MemoryStore::with_node_lifetime(lifetime, &tracker, cancel.clone());
                    super::$promise(&*store).await;
                    cancel.cancel();
                    tracker.close();
                    tracker.wait().await;
                }
            )*
        }

        mod in_kafka {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $promise() {
                    let node = Installation::new().leader("controller-1").await;
                    super::$promise(&*node.store).await;
                    node.stop().await;
                }
            )*
        }
    };
}

for_both_stores!(
    starts_empty_current_and_leading,
    a_commit_is_in_the_state_when_its_number_is_known,
    a_deleted_zone_takes_its_credentials_with_it,
    a_refused_commit_changes_nothing,
    a_heartbeat_makes_a_node_live_and_silence_makes_it_gone,
    audit_events_are_accepted,
    audit_events_are_read_back_the_newest_first,
);
