use super::super::Seen;
use super::super::samples::{home, setup};
use super::*;
use crate::store::samples;
use crate::zone::ScramHash;

fn name(text: &str) -> ZoneName {
    ZoneName::try_from(text).unwrap()
}

/// One that nobody reaches.
fn clusters() -> Clusters {
    let target = Target { bootstrap: "127.0.0.1:1".to_owned(), security: UpstreamSecurity::default() };
    Clusters { setup: setup(), targets: BTreeMap::from([(home(), target)]) }
}

fn state(zones: &[&str]) -> State {
    let slots = Slots::both(clusters().setup.keys[&home()].current(), ScramHash::Sha512);
    let mut state = State::default();
    for zone in zones {
        state.zones.insert(name(zone), Arc::new(samples::zone(zone)));
        let principal = Principal { cluster_id: "c".to_owned(), slots: Some(slots.clone()) };
        state.principals.insert((home(), name(zone)), principal);
    }
    state
}

fn more(whose: Whose) -> Beyond {
    Beyond { whose, topic: "secrets-v1".to_owned(), operations: vec![Operation::Read, Operation::Write] }
}

#[test]
fn who_has_never_asked_comes_first_then_who_has_waited_longest_and_nobody_too_soon() {
    let (clusters, reach) = (clusters(), Reach::default());
    let mut state = state(&["begun", "good", "mended", "moved", "new", "old", "wide"]);
    state.principals.get_mut(&(home(), name("begun"))).unwrap().slots = None;
    let mut elsewhere = samples::zone("moved");
    Arc::make_mut(&mut elsewhere.zone).underlying_cluster = Some("other".try_into().unwrap());
    state.zones.insert(name("moved"), Arc::new(elsewhere));
    let all = in_force(&clusters.setup, &state);
    let known: Vec<&str> = all.keys().map(|zone| zone.as_str()).collect();
    assert_eq!(known, ["good", "mended", "new", "old", "wide"]);
    let told = |zone: &str, ago: Duration, outcome: Outcome| {
        let (zone, it) = all.get_key_value(&name(zone)).unwrap();
        let asker = reach.asker(zone, *it, &clusters.setup).unwrap();
        assert_eq!((asker.login.username.as_str(), asker.topics.len()), (&*principal::user(zone), 1));
        reach.remember(&home(), vec![asker], BTreeMap::from([((*zone).clone(), outcome)]));
        reach.answers().get_mut(*zone).unwrap().at -= ago;
    };
    let due = |is_out: bool| {
        let due = reach.due(&all, |_| is_out);
        due.into_iter().map(|(zone, _)| zone.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(due(false).len(), 5);
    told("good", Duration::from_mins(5), Ok(None));
    told("old", Duration::from_mins(11), Ok(None));
    told("wide", Duration::from_secs(20), Ok(Some(more(Whose::Others))));
    told("mended", Duration::from_secs(40), Err("refused".to_owned()));
    assert_eq!(due(false), ["new", "old", "wide"]);
    assert_eq!(due(true), Vec::<String>::new(), "its cluster cannot be judged");
    told("mended", Duration::from_secs(70), Err("refused".to_owned()));
    assert_eq!(due(false), ["new", "old", "mended", "wide"]);
}

#[test]
fn each_outcome_has_its_lock_and_none_of_them_stops_a_zone() {
    let shown = |outcome: Outcome| {
        let LoginLock { condition, is_let_in } = lock(&name("acme"), &outcome);
        assert!(is_let_in && condition.kind == ConditionKind::SecondLock);
        assert!(condition.message.contains("`partner-zones.acme`"), "{}", condition.message);
        (condition.status, condition.reason, condition.message)
    };
    let (status, reason, _) = shown(Ok(None));
    assert_eq!((status, reason), (ConditionStatus::True, "OwnPrincipal"));
    let (status, reason, message) = shown(Ok(Some(more(Whose::State))));
    assert_eq!((status, reason), (ConditionStatus::False, "ReachesState"));
    assert!(message.contains("may READ, WRITE secrets-v1"), "{message}");
    let (status, reason, message) = shown(Ok(Some(more(Whose::Others))));
    assert_eq!((status, reason), (ConditionStatus::False, "ReachesOthers"));
    assert!(message.contains("allow.everyone.if.no.acl.found"), "{message}");
    let (status, reason, message) = shown(Err("broker b1: refused".to_owned()));
    assert_eq!((status, reason), (ConditionStatus::Unknown, "NotAsked"));
    assert!(message.contains("broker b1: refused"), "{message}");
}

#[test]
fn to_know_of_a_topic_is_no_harm_and_the_state_is_the_gravest_to_reach() {
    let may = |operations: &[Operation]| excess(&Rights::May(operations.iter().copied().collect()));
    assert_eq!(may(&[Operation::Describe, Operation::DescribeConfigs]), vec![]);
    assert_eq!(may(&[Operation::Describe, Operation::Write, Operation::Alter]).len(), 2);
    assert_eq!(excess(&Rights::NoSuchTopic), vec![]);
    assert!(more(Whose::State) < more(Whose::Others));
}

#[test]
fn each_asks_about_other_zones_topics_and_those_of_the_brokers() {
    let mut state = state(&["acme", "beta"]);
    let mut beta = samples::zone("beta");
    Arc::make_mut(&mut beta.zone).topics[0].backing = "bills-v1".try_into().unwrap();
    state.zones.insert(name("beta"), Arc::new(beta));
    let all = in_force(&clusters().setup, &state);
    let about: Vec<&str> = others(&home(), &all).into_iter().collect();
    assert_eq!(about, ["__consumer_offsets", "__transaction_state", "bills-v1", "orders-v1"]);
    assert_eq!(others(&"other".try_into().unwrap(), &all).len(), 2);
}

#[tokio::test]
async fn a_cluster_that_cannot_be_asked_leaves_it_unknown_and_is_not_asked_each_time() {
    let (clusters, reach, state) = (clusters(), Reach::default(), state(&["acme", "beta"]));
    let seen = |seen: Result<Seen, String>| View { clusters: BTreeMap::from([(home(), seen)]) };
    let good = seen(Ok(Seen::new("c", BTreeMap::new(), BTreeSet::new())));
    let first = reach.look(&clusters, &good, &state).await;
    assert_eq!(first.len(), 2);
    assert!(first.values().all(|lock| lock.condition.reason == "NotAsked"), "{first:?}");
    let asked = || reach.answers().values().map(|answer| answer.at).collect::<Vec<_>>();
    let before = asked();
    assert_eq!(reach.look(&clusters, &good, &state).await, first);
    assert_eq!(asked(), before);
    // What was good once says nothing of a cluster that is another one by now, or does not answer.
    reach.answers().values_mut().for_each(|answer| answer.outcome = Ok(None));
    let reasons = async |view: View| {
        let locks = reach.look(&clusters, &view, &state).await;
        locks.into_values().map(|lock| lock.condition.reason).collect::<Vec<_>>()
    };
    assert_eq!(reasons(good.clone()).await, ["OwnPrincipal"; 2]);
    assert_eq!(reasons(seen(Err("refused".to_owned()))).await, ["NotAsked"; 2]);
    let another = Seen::new("another", BTreeMap::new(), BTreeSet::new());
    assert_eq!(reasons(seen(Ok(another))).await, ["NotAsked"; 2]);
    assert_eq!(reach.look(&clusters, &good, &State::default()).await.len(), 0);
    assert_eq!(asked().len(), 0, "who is gone is forgotten");
}
