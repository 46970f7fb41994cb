use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::kafka::client::UpstreamSecurity;
use crate::manifest::{Known, Location, SourceFile, load};
use crate::policy::principal::{self, MasterKey, MasterKeys};
use crate::reconcile::plan::Origin;
use crate::reconcile::principals::samples::{home, setup};
use crate::reconcile::principals::{Seen, Target};
use crate::sasl::ScramHash;
use crate::secret::Secret;
use crate::store::memory::MemoryStore;
use crate::zone::{Access, Deprecated, Permission, Revision, Sequence, sample};

fn name(text: &str) -> ZoneName {
    ZoneName::try_from(text).unwrap()
}

fn clusters() -> Clusters {
    Clusters { setup: setup(), targets: BTreeMap::new() }
}

/// One that somebody has logged in as.
fn proved_principal() -> Principal {
    let slots = Slots::both(clusters().setup.keys[&home()].current(), ScramHash::Sha512);
    Principal { cluster_id: "c".to_owned(), slots: Some(slots) }
}

/// `acme` and `beta` share a topic, are in force, and have principals that the state knows.
fn in_force_twice(until: Option<OffsetDateTime>) -> (State, Zones) {
    let mut state = State { revision: Some(Revision::folder("8c1f")), ..State::default() };
    for zone in ["acme", "beta"] {
        let mut form = sample::zone(zone, vec![sample::topic("orders", "orders-v1", Permission::Read)]);
        form.access.valid_until = until;
        let record = store::ZoneRecord {
            id: ZoneId::derive("home", &name(zone)),
            zone: Arc::new(form),
            changed: Sequence(1),
            revision: Revision::folder("8c1f"),
            updated_at: OffsetDateTime::UNIX_EPOCH,
        };
        state.zones.insert(name(zone), Arc::new(record));
        state.principals.insert((home(), name(zone)), proved_principal());
    }
    let zones = in_force(&state);
    (state, zones)
}

/// A cluster that has nothing, or what `steps` gave.
fn view(steps: &[ZoneSteps]) -> View {
    let acls = steps.iter().flat_map(|step| step.create.iter().cloned()).collect();
    let rounds = |step: &ZoneSteps| {
        step.put.iter().map(|(hash, it)| (*hash, i32::try_from(it.rounds).unwrap())).collect()
    };
    let users = steps.iter().map(|step| (principal::user(&step.zone), rounds(step))).collect();
    View { clusters: BTreeMap::from([(home(), Ok(Seen::new("c", users, acls)))]) }
}

fn own() -> OwnPrincipals {
    let store = MemoryStore::start(&TaskTracker::new(), CancellationToken::new());
    OwnPrincipals::new(clusters(), None, store, "home".to_owned())
}

fn touching(zones: &Zones, touched: &[&str]) -> Step {
    let touched = touched.iter().map(|zone| name(zone)).collect();
    Step { before: zones.clone(), after: zones.clone(), touched }
}

fn named(steps: &[ZoneSteps]) -> Vec<&str> {
    steps.iter().map(|step| step.zone.as_str()).collect()
}

#[tokio::test]
async fn a_zone_that_drifted_and_is_not_in_the_plan_gets_no_steps() {
    let (own, (mut state, zones)) = (own(), in_force_twice(None));
    let nothing = view(&[]);
    assert_eq!(named(&own.steps(&nothing, &state, &touching(&zones, &["acme"]))), ["acme"]);
    let both = own.steps(&nothing, &state, &touching(&zones, &["acme", "beta"]));
    assert_eq!(named(&both), ["acme", "beta"]);
    // A share that ends after the look is for the next plan.
    let made = view(&both);
    let (_, ended) = in_force_twice(Some(OffsetDateTime::now_utc() - time::Duration::DAY));
    assert_eq!(named(&own.steps(&made, &state, &touching(&ended, &["beta"]))), ["beta"]);
    // Of a principal that is gone already there is no line in a plan: only the state forgets it.
    state.principals.insert((home(), name("gone")), proved_principal());
    assert_eq!(named(&own.steps(&made, &state, &touching(&zones, &[]))), ["gone"]);
}

#[tokio::test]
async fn what_was_not_read_back_everywhere_is_written_again_in_full_until_it_is() {
    let (own, (state, zones)) = (own(), in_force_twice(None));
    let step = touching(&zones, &["acme", "beta"]);
    let first = own.widening(&view(&[]), &state, &step);
    let made = view(&first);
    assert_eq!(own.widening(&made, &state, &step), vec![], "one broker has it all");
    own.unread().insert(name("acme"));
    let again = own.widening(&made, &state, &step);
    assert_eq!(named(&again), ["acme"]);
    assert_eq!(again[0], first[0]);
    assert_eq!(own.steps(&made, &state, &step), vec![], "and nothing is taken away for that");
}

#[tokio::test]
async fn what_was_begun_and_never_proved_is_written_again_in_full() {
    let (own, (mut state, zones)) = (own(), in_force_twice(None));
    let step = touching(&zones, &["acme", "beta"]);
    let made = view(&own.widening(&view(&[]), &state, &step));
    assert_eq!(own.widening(&made, &state, &step), vec![]);
    // Whoever wrote it was killed before it had logged in.
    state.principals.get_mut(&(home(), name("beta"))).unwrap().slots = None;
    let again = own.widening(&made, &state, &step);
    assert_eq!(named(&again), ["beta"]);
    assert!(again[0].put.len() == 2 && !again[0].create.is_empty() && again[0].proves().is_some());
    let lines = planned(&own.clusters, &made, &state, &zones, "home");
    assert!(matches!(&lines[..], [only] if only.origin == Origin::Change), "{lines:?}");
}

#[tokio::test]
async fn no_password_changes_that_a_gateway_could_not_follow() {
    let (mut own, (state, zones)) = (own(), in_force_twice(None));
    let step = touching(&zones, &["acme"]);
    let made = view(&own.widening(&view(&[]), &state, &touching(&zones, &["acme", "beta"])));
    let old = own.clusters.setup.keys[&home()].all().next().unwrap().1.clone();
    let new = MasterKey::new(&Secret::new("n".repeat(32))).unwrap();
    own.clusters.setup.keys.insert(home(), MasterKeys::new(new.clone(), Some(old.clone())));
    let mut heartbeat = store::samples::heartbeat("gateway", 1);
    heartbeat.master_keys = [old.name().to_string()].into();
    own.store.heartbeat(heartbeat.clone()).await.unwrap();
    assert_eq!(own.widening(&made, &state, &step), vec![]);
    own.since -= LISTENING;
    assert_eq!(own.widening(&made, &state, &step), vec![]);
    heartbeat.master_keys.insert(new.name().to_string());
    own.store.heartbeat(heartbeat).await.unwrap();
    assert_eq!(named(&own.widening(&made, &state, &step)), ["acme"]);
    // Who has only just begun to listen does not know of it.
    own.since = Instant::now();
    assert_eq!(own.widening(&made, &state, &step), vec![]);
}

#[tokio::test]
async fn a_zone_is_remembered_until_its_cluster_was_read_back() {
    let (mut own, (state, zones)) = (own(), in_force_twice(None));
    own.clusters.targets.insert(
        home(),
        Target { bootstrap: "127.0.0.1:1".to_owned(), security: UpstreamSecurity::default() },
    );
    let put = state.zones.keys().map(|zone| store::Change::PutPrincipal {
        cluster: home(),
        zone: zone.clone(),
        principal: proved_principal(),
    });
    own.store.commit(put.collect()).await.unwrap();
    *own.seen.lock().unwrap() = Some((Instant::now(), Arc::new(view(&[]))));
    let failures = own.widen_now(&touching(&zones, &["acme"])).await.unwrap();
    assert!(failures.contains_key(&name("acme")), "nobody answers there");
    assert_eq!(*own.unread(), BTreeSet::from([name("acme")]));
    // Now there is no cluster that fails.
    own.clusters.targets.clear();
    *own.seen.lock().unwrap() = Some((Instant::now(), Arc::new(view(&[]))));
    assert_eq!(own.widen_now(&touching(&zones, &["acme"])).await.unwrap(), Failures::new());
    assert!(own.unread().is_empty());
}

#[test]
fn what_a_share_that_ended_may_no_longer_use_is_a_change_and_no_drift() {
    let (state, zones) = in_force_twice(None);
    let nothing = planned(&clusters(), &view(&[]), &state, &zones, "home");
    assert!(nothing.iter().all(|change| change.origin == Origin::Drift), "somebody took it away");
    let steps = all_steps(&clusters(), &view(&[]), &state, &super::zones(&zones, &zones), "home");
    let (state, zones) = in_force_twice(Some(OffsetDateTime::now_utc() - time::Duration::DAY));
    let ended = planned(&clusters(), &view(&steps), &state, &zones, "home");
    let topics: Vec<&Change> =
        ended.iter().filter(|it| it.address.to_string().contains("/topic/literal/")).collect();
    assert_eq!(topics.len(), 2, "{ended:?}");
    assert!(topics.iter().all(|change| change.origin == Origin::Change), "{topics:?}");
}

#[test]
fn a_right_ends_with_its_share_and_is_there_before_it_begins() {
    let now = OffsetDateTime::now_utc();
    let (yesterday, tomorrow) = (now - time::Duration::DAY, now + time::Duration::DAY);
    let topics = |access: Access, deprecated: Option<OffsetDateTime>| {
        let mut zone = sample::zone(
            "acme",
            vec![
                sample::topic("orders", "orders-v1", Permission::Read),
                sample::topic("old", "old-v1", Permission::Read),
            ],
        );
        zone.access = access;
        zone.topics[1].deprecated = deprecated.map(|until| Deprecated { until, replaced_by: None });
        let zones = [(name("acme"), (ZoneId::derive("home", &name("acme")), Arc::new(zone)))].into();
        still_shared(&zones, now)[&name("acme")].1.topics.len()
    };
    let access = |from, until| Access { valid_from: from, valid_until: until, ..Access::default() };
    assert_eq!(topics(access(Some(tomorrow), None), Some(tomorrow)), 2);
    assert_eq!(topics(access(None, Some(tomorrow)), Some(yesterday)), 1);
    assert_eq!(topics(access(None, Some(yesterday)), None), 0);
}

#[test]
fn a_zone_without_a_file_is_not_wanted_and_one_whose_file_cannot_be_used_is_as_it_was() {
    let text = "apiVersion: v2\nkind: PartnerZone\nmetadata: {name: new}\nspec:\n  cluster: gateway\n  displayName: N\n  \
                authenticationMode: {type: PLAIN, serviceAccount: new}\n  topics: []\n";
    let file = SourceFile { path: "new.yaml".to_owned(), content: Ok(text.as_bytes().into()) };
    let mut loaded = load([file], &Known::default());
    loaded.unreadable.zones.insert(name("broken"), Location::start_of("broken.yaml".into()));
    let record = |zone: &str| store::ZoneRecord {
        id: ZoneId::derive("made elsewhere", &name(zone)),
        zone: Arc::new(sample::zone(zone, Vec::new())),
        changed: Sequence(1),
        revision: Revision::folder("8c1f"),
        updated_at: OffsetDateTime::UNIX_EPOCH,
    };
    let zones = ["broken", "gone"].map(|zone| (name(zone), Arc::new(record(zone))));
    let state = State { zones: zones.into(), ..State::default() };
    let wanted = wanted(&loaded, &state, "home");
    let ids: Vec<(&str, ZoneId)> = wanted.iter().map(|(name, (id, _))| (name.as_str(), *id)).collect();
    let kept = ("broken", ZoneId::derive("made elsewhere", &name("broken")));
    assert_eq!(ids, [kept, ("new", ZoneId::derive("home", &name("new")))]);
}
