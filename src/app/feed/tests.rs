use serde_json::json;
use time::ext::NumericalDuration as _;

use super::*;
use crate::manifest::document;
use crate::zone::{Deprecated, KeyId, PlainVerifier, Revision, Sequence, ZoneId};

fn record(name: &str, cluster: Option<&str>) -> Arc<ZoneRecord> {
    let document = json!({
        "apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": name},
        "spec": {
            "cluster": "gateway", "underlyingCluster": cluster,
            "authenticationMode": {"type": "PLAIN", "serviceAccount": format!("{name}-sa")},
            "topics": [{"name": "orders", "backingTopic": "eu.orders", "permission": "READ"}],
        },
    });
    let mut document = document;
    if cluster.is_none() {
        document["spec"].as_object_mut().unwrap().remove("underlyingCluster");
    }
    let zone = document::from_document(&document).unwrap();
    Arc::new(ZoneRecord {
        id: ZoneId::derive("c", &zone.name),
        zone: zone.into(),
        changed: Sequence(1),
        revision: Revision::folder("0"),
        updated_at: OffsetDateTime::UNIX_EPOCH,
    })
}

fn credential(zone: &str, number: usize, expires_at: Option<OffsetDateTime>) -> Arc<Credential> {
    Arc::new(Credential {
        key_id: KeyId::from_random(|limit| number % limit),
        zone: ZoneName::try_from(zone).unwrap(),
        created_at: OffsetDateTime::UNIX_EPOCH,
        expires_at,
        replaced_by: None,
        plain: PlainVerifier::new("s", b"salt"),
        scram: Vec::new(),
    })
}

fn state(zones: &[Arc<ZoneRecord>], credentials: &[Arc<Credential>]) -> State {
    State {
        sequence: Sequence(7),
        zones: zones.iter().map(|record| (record.zone.name.clone(), Arc::clone(record))).collect(),
        credentials: credentials.iter().map(|c| (c.key_id.clone(), Arc::clone(c))).collect(),
        ..State::default()
    }
}

fn feed() -> Feed {
    Feed { default_cluster: ClusterName::try_from("home").unwrap(), last: BTreeMap::new() }
}

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

#[test]
fn a_zone_gets_its_cluster_and_its_own_credentials() {
    let zones = [record("acme", None), record("globex", Some("other"))];
    let credentials = [credential("acme", 1, None), credential("globex", 2, None)];
    let served = feed().next(&state(&zones, &credentials), NOW);
    assert_eq!(served.sequence, Sequence(7));
    let facts: Vec<_> = served
        .zones
        .iter()
        .map(|z| (z.zone.name.as_str(), z.cluster.as_str(), z.credentials.clone()))
        .collect();
    let [acme, globex] = credentials;
    assert_eq!(facts, [("acme", "home", vec![acme]), ("globex", "other", vec![globex])]);
}

#[test]
fn an_expired_credential_is_not_served_and_the_next_expiry_is_known() {
    let zones = [record("acme", None)];
    let credentials = [credential("acme", 1, Some(NOW + 10.seconds())), credential("acme", 2, None)];
    let state = state(&zones, &credentials);
    let mut feed = feed();
    assert_eq!(feed.next(&state, NOW).zones[0].credentials.len(), 2);
    assert_eq!(until_next_change(&state, NOW), Some(Duration::from_secs(10)));
    let later = NOW + 10.seconds();
    assert_eq!(feed.next(&state, later).zones[0].credentials.len(), 1);
    assert_eq!(until_next_change(&state, later), None);
}

#[test]
fn partners_are_let_in_while_their_zone_is_open_and_an_alias_is_there_until_its_date() {
    let mut zone = record("acme", None);
    {
        let zone = Arc::make_mut(&mut Arc::make_mut(&mut zone).zone);
        zone.access.valid_from = Some(NOW + 10.seconds());
        zone.access.valid_until = Some(NOW + 30.seconds());
        let until = NOW + 20.seconds();
        let mut old = zone.topics[0].clone();
        old.alias = "old-orders".try_into().unwrap();
        old.deprecated = Some(Deprecated { until, replaced_by: None });
        zone.topics.push(old);
    }
    let state = state(&[zone], &[credential("acme", 1, None)]);
    let mut feed = feed();
    let mut last: Option<Arc<ServedZone>> = None;
    for (second, open, topics, next, is_new) in [
        (0, false, 2, Some(10), true),
        (10, true, 2, Some(10), true),
        (11, true, 2, Some(9), false),
        (20, true, 1, Some(10), true),
        (29, true, 1, Some(1), false),
        (30, false, 0, None, true),
    ] {
        let now = NOW + second.seconds();
        let served = Arc::clone(&feed.next(&state, now).zones[0]);
        assert_eq!((served.open, served.zone.topics.len()), (open, topics), "{second}");
        assert_eq!(until_next_change(&state, now), next.map(Duration::from_secs), "{second}");
        assert_eq!(last.is_none_or(|last| !Arc::ptr_eq(&last, &served)), is_new, "{second}");
        last = Some(served);
    }
}

#[test]
fn what_did_not_change_stays_the_same_value_and_what_is_gone_is_forgotten() {
    let zones = [record("acme", None), record("globex", None)];
    let mut feed = feed();
    let first = feed.next(&state(&zones, &[]), NOW);
    let second = feed.next(&state(&zones, &[credential("globex", 1, None)]), NOW);
    assert!(Arc::ptr_eq(&first.zones[0], &second.zones[0]));
    assert!(!Arc::ptr_eq(&first.zones[1], &second.zones[1]));
    let third = feed.next(&state(&zones[1..], &[]), NOW);
    assert_eq!(third.zones.len(), 1);
    assert_eq!(feed.last.len(), 1);
}

#[tokio::test]
async fn nothing_is_served_before_the_first_state() {
    let (states, seen) = watch::channel(None);
    let (sender, mut served) = watch::channel(None);
    let task = tokio::spawn(run(seen, ClusterName::try_from("home").unwrap(), sender));
    sleep(Duration::from_millis(50)).await;
    assert!(served.borrow_and_update().is_none());
    states.send_replace(Some(Arc::new(state(&[record("acme", None)], &[]))));
    served.changed().await.unwrap();
    assert_eq!(served.borrow().as_ref().map(|served| served.zones.len()), Some(1));
    drop(states);
    task.await.unwrap();
}
