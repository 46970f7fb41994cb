use std::cell::RefCell;

use proptest::prelude::*;

use super::*;
use crate::kafka::admin::{Effect, Operation, Pattern, Resource, ResourceKind, ScramUser};
use crate::policy::principal::{MasterKey, MasterKeys};
use crate::reconcile::principals::samples::{home, setup};
use crate::secret::Secret;
use crate::zone::Permission;
use crate::zone::sample::{topic, zone};

fn id(zone: &ZoneName) -> ZoneId {
    ZoneId::derive("home-id", zone)
}

fn key() -> MasterKey {
    MasterKey::new(&Secret::new("k".repeat(32))).unwrap()
}

/// A cluster, as a look shows it, and what the state remembers of it.
#[derive(Debug, Clone, Default)]
struct World {
    users: BTreeMap<String, ScramUser>,
    acls: BTreeSet<Acl>,
    records: Records,
}

impl World {
    fn view(&self) -> View {
        let seen = Seen::new("cluster-1", self.users.clone(), self.acls.clone());
        View { clusters: BTreeMap::from([(home(), Ok(seen))]) }
    }

    fn steps(&self, zones: &[Zone<'_>], leftovers: Leftovers) -> Steps {
        steps(&setup(), &self.view(), &self.records, zones, leftovers, id)
    }

    fn obstacle(&self, zone: &PartnerZone) -> Option<Obstacle> {
        let wanted = [(id(&zone.name), zone)];
        obstacles(&setup(), &self.view(), &self.records, wanted).remove(&zone.name)
    }

    /// What the cluster and the state are once the steps are done.
    fn apply(&mut self, steps: &Steps) {
        for step in steps {
            let user = principal::user(&step.zone);
            let record = (step.cluster.clone(), step.zone.clone());
            if step.claim || step.proves().is_some() {
                let (cluster_id, slots) = (step.cluster_id.clone(), step.slots.clone());
                self.records.insert(record.clone(), Principal { cluster_id, slots });
            }
            let slots = self.users.entry(user.clone()).or_default();
            slots.extend(step.put.iter().map(|(hash, it)| (*hash, i32::try_from(it.rounds).unwrap())));
            self.acls.extend(step.create.iter().cloned());
            self.acls.retain(|acl| !step.delete.contains(acl));
            if step.release {
                self.users.remove(&user);
                self.records.remove(&record);
            }
        }
    }
}

fn after(zone: &PartnerZone) -> Zone<'_> {
    Zone { name: &zone.name, id: id(&zone.name), before: None, after: Some(zone) }
}

fn foreign(principal: &str, effect: Effect) -> Acl {
    Acl {
        principal: principal.into(),
        resource: Resource { kind: ResourceKind::Topic, pattern: Pattern::Literal, name: "theirs".into() },
        operation: Operation::Read,
        effect,
        host: "*".into(),
    }
}

fn acme() -> PartnerZone {
    zone("acme", vec![topic("orders", "orders-v1", Permission::Read)])
}

/// Everything of `acme` made, and remembered.
fn made() -> World {
    let (zone, mut world) = (acme(), World::default());
    let steps = world.steps(&[after(&zone)], Leftovers::Clear);
    world.apply(&steps);
    world
}

#[test]
fn a_new_zone_gets_a_user_with_both_credentials_and_its_acls_and_then_nothing_is_left_to_do() {
    let (zone, mut world) = (acme(), World::default());
    world.acls.insert(foreign("User:somebody", Effect::Allow));
    assert_eq!(world.obstacle(&zone), None);
    let steps = world.steps(&[after(&zone)], Leftovers::Clear);
    let [step] = &steps[..] else { panic!("{steps:?}") };
    assert!(step.claim && step.put.len() == 2 && step.delete.is_empty() && !step.release);
    assert_eq!(step.create, rules::acls(&zone));
    world.apply(&steps);
    assert_eq!(world.steps(&[after(&zone)], Leftovers::Clear), vec![]);
    assert!(world.acls.contains(&foreign("User:somebody", Effect::Allow)));
}

#[test]
fn what_somebody_took_away_or_added_is_put_right() {
    let (zone, mut world) = (acme(), made());
    let taken = world.acls.pop_first().unwrap();
    let added = foreign("User:partner-zones.acme", Effect::Allow);
    world.acls.insert(added.clone());
    // Kafka's own tool writes 4096 rounds.
    world.users.get_mut("partner-zones.acme").unwrap().insert(ScramHash::Sha256, 4096);
    let steps = world.steps(&[after(&zone)], Leftovers::Clear);
    let [step] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!((&step.create, &step.delete), (&BTreeSet::from([taken]), &BTreeSet::from([added])));
    assert_eq!(step.put.keys().collect::<Vec<_>>(), [&ScramHash::Sha256]);
    assert!(!step.claim && !step.release);

    let mut world = made();
    world.users.clear();
    assert_eq!(world.obstacle(&zone), None, "the state knows that it was ours");
    assert_eq!(world.steps(&[after(&zone)], Leftovers::Clear)[0].put.len(), 2);
    world.users = made().users;
    world.users.values_mut().for_each(|slots| slots.values_mut().for_each(|rounds| *rounds = 4096));
    assert_eq!(world.steps(&[after(&zone)], Leftovers::Clear)[0].put.len(), 2, "both passwords were changed");
}

#[test]
fn a_user_or_acls_that_were_not_made_here_are_a_conflict_and_never_touched() {
    let zone = acme();
    let with_user = |rounds: i32| World {
        users: BTreeMap::from([(
            "partner-zones.acme".to_owned(),
            BTreeMap::from([(ScramHash::Sha256, rounds)]),
        )]),
        ..World::default()
    };
    let acls = BTreeSet::from([foreign("User:partner-zones.acme", Effect::Allow)]);
    let with_acls = World { acls, ..World::default() };
    for world in [with_user(4096), with_user(8192), with_acls] {
        let obstacle = world.obstacle(&zone).unwrap();
        assert_eq!(obstacle.code, Code::PrincipalTaken);
        assert!(obstacle.help.contains("partner-zones.acme"), "{obstacle:?}");
        assert_eq!(world.steps(&[after(&zone)], Leftovers::Clear), vec![]);
        assert_eq!(world.steps(&[], Leftovers::Clear), vec![], "nor when no zone wants the name");
    }
}

#[test]
fn with_the_state_lost_our_own_mark_says_that_a_principal_is_ours() {
    let (zone, mut world) = (acme(), made());
    world.records.clear();
    // Somebody changed one of the two as well.
    world.users.get_mut("partner-zones.acme").unwrap().insert(ScramHash::Sha512, 4096);
    assert_eq!(world.obstacle(&zone), None);
    let steps = world.steps(&[after(&zone)], Leftovers::Keep);
    assert!(steps[0].claim && steps[0].create.is_empty() && steps[0].put.len() == 1, "{steps:?}");
    // Of another key, or of a zone with another id, it is not.
    let other = Setup {
        keys: BTreeMap::from([(home(), MasterKey::new(&Secret::new("l".repeat(32))).unwrap().into())]),
        ..setup()
    };
    assert_eq!(obstacles(&other, &world.view(), &world.records, [(id(&zone.name), &zone)]).len(), 1);
    let elsewhere = ZoneId::derive("other", &zone.name);
    assert_eq!(obstacles(&setup(), &world.view(), &world.records, [(elsewhere, &zone)]).len(), 1);
}

#[test]
fn another_master_key_comes_slot_by_slot_and_what_was_cut_short_is_only_proved() {
    let (zone, mut world) = (acme(), made());
    let setup_of = |keys: MasterKeys| Setup { keys: BTreeMap::from([(home(), keys)]), ..setup() };
    let new = MasterKey::new(&Secret::new("n".repeat(32))).unwrap();
    let both = setup_of(MasterKeys::new(new.clone(), Some(key())));
    let steps_of = |setup: &Setup, world: &World| {
        steps(setup, &world.view(), &world.records, &[after(&zone)], Leftovers::Clear, id)
    };
    let begun = steps_of(&both, &world);
    let [step] = &begun[..] else { panic!("{begun:?}") };
    assert_eq!(step.put.keys().collect::<Vec<_>>(), [&ScramHash::Sha256], "not the one in force");
    assert_eq!(step.proves().map(|slots| slots.in_force), Some(ScramHash::Sha256));
    // Written, and killed before the state knew.
    let records = world.records.clone();
    world.apply(&begun);
    world.records = records;
    let again = steps_of(&both, &world);
    assert!(again[0].put.is_empty() && again[0].proves().is_some() && again[0].is_widening(), "{again:?}");
    world.apply(&again);
    assert_eq!(steps_of(&both, &world), vec![], "the old one stays until it is configured no more");
    let alone = setup_of(new.into());
    let last = steps_of(&alone, &world);
    assert_eq!(last[0].put.keys().collect::<Vec<_>>(), [&ScramHash::Sha512]);
    world.apply(&last);
    assert_eq!(steps_of(&alone, &world), vec![]);
}

#[test]
fn a_zone_that_is_gone_loses_its_acls_and_its_user() {
    let (zone, world) = (acme(), made());
    let gone = Zone { after: None, before: Some(&zone), ..after(&zone) };
    for (zones, leftovers) in [(vec![gone], Leftovers::Clear), (vec![], Leftovers::Keep)] {
        let steps = world.steps(&zones, leftovers);
        let [step] = &steps[..] else { panic!("{steps:?}") };
        assert!(step.release && step.delete == rules::acls(&zone) && !step.is_widening());
        let mut world = world.clone();
        world.apply(&steps);
        assert!(world.users.is_empty() && world.acls.is_empty() && world.records.is_empty());
    }
}

#[test]
fn a_topic_that_two_zones_share_stays_with_the_one_that_is_left() {
    let (mut zones, mut world) = ([acme(), zone("globex", acme().topics)], World::default());
    zones[1].topics[0].permission = Permission::Write;
    let steps = world.steps(&[after(&zones[0]), after(&zones[1])], Leftovers::Clear);
    world.apply(&steps);
    let gone = Zone { after: None, before: Some(&zones[1]), ..after(&zones[1]) };
    let steps = world.steps(&[after(&zones[0]), gone], Leftovers::Clear);
    world.apply(&steps);
    assert_eq!(world.acls, rules::acls(&zones[0]));
    assert_eq!(world.users, made().users);
}

#[test]
fn what_a_run_left_behind_is_cleared_away_unless_its_zone_may_only_be_unknown() {
    let mut world = made();
    world.records.clear();
    assert_eq!(world.steps(&[], Leftovers::Keep), vec![]);
    let steps = world.steps(&[], Leftovers::Clear);
    assert!(steps[0].release && !steps[0].delete.is_empty(), "{steps:?}");
    // What is gone on the cluster leaves only its record to go.
    let world = World { records: made().records, ..World::default() };
    let steps = world.steps(&[], Leftovers::Clear);
    assert!(steps[0].release && steps[0].delete.is_empty() && steps[0].seen.is_empty(), "{steps:?}");
}

#[test]
fn a_zone_that_moves_to_a_cluster_without_principals_leaves_none_behind() {
    let (mut zone, world) = (acme(), made());
    zone.underlying_cluster = Some(ClusterName::try_from("other").unwrap());
    let steps = world.steps(&[after(&zone)], Leftovers::Clear);
    assert!(steps.len() == 1 && steps[0].release, "{steps:?}");
    assert_eq!(world.obstacle(&zone), None);
}

#[test]
fn on_a_cluster_that_cannot_be_judged_nothing_is_done_and_each_of_its_zones_says_why() {
    let (zone, world) = (acme(), made());
    let record = Principal { cluster_id: "cluster-0".to_owned(), slots: None };
    let another = Records::from([((home(), zone.name.clone()), record)]);
    let unreachable = View { clusters: BTreeMap::from([(home(), Err("refused".to_owned()))]) };
    for (view, records, cause) in [
        (
            world.view(),
            &another,
            "it is cluster cluster-1, and its principals were made on cluster cluster-0",
        ),
        (unreachable, &world.records, "refused"),
        (View::default(), &world.records, "it was not looked at"),
    ] {
        let zones = [after(&zone)];
        assert_eq!(steps(&setup(), &view, records, &zones, Leftovers::Clear, id), vec![]);
        let found = obstacles(&setup(), &view, records, [(id(&zone.name), &zone)]);
        let obstacle = &found[&zone.name];
        assert_eq!(obstacle.code, Code::ClusterNotAdministrable);
        assert!(obstacle.message.ends_with(cause), "{obstacle:?}");
    }
}

#[test]
fn somebody_elses_denial_is_left_where_it_is() {
    let (zone, mut world) = (acme(), made());
    world.acls.insert(foreign("User:partner-zones.acme", Effect::Deny));
    assert_eq!(world.steps(&[after(&zone)], Leftovers::Clear), vec![]);
    assert_eq!(world.steps(&[], Leftovers::Clear)[0].delete, rules::acls(&zone));
}

fn some_zone(index: usize) -> impl Strategy<Value = PartnerZone> {
    let permissions = [Permission::Read, Permission::Write, Permission::Produce];
    proptest::collection::vec((0..4_usize, 0..3_usize), 1..4).prop_map(move |topics| {
        let topics = topics.iter().enumerate().map(|(alias, (backing, permission))| {
            topic(&format!("a{alias}"), &format!("shared-{backing}"), permissions[*permission])
        });
        zone(&format!("zone-{index}"), topics.collect())
    })
}

proptest! {
    /// From any form to any other, whatever somebody changed in between and wherever a run was cut short, the end is what the
    /// files want and nothing else; nobody else's ACL is touched, and rights that two zones share are each zone's own.
    #[test]
    fn steps_lead_to_what_is_wanted_from_wherever_the_cluster_is(
        before in proptest::option::of(some_zone(0)), wanted in proptest::option::of(some_zone(0)),
        neighbour in some_zone(1), lost in proptest::collection::vec(any::<bool>(), 40), cut in 0..3_usize,
    ) {
        let world = RefCell::new(World::default());
        let others = [foreign("User:somebody", Effect::Allow), foreign("User:partner-zones.zone-0", Effect::Deny)];
        world.borrow_mut().acls.extend(others.clone());
        let run = |zone: Option<&PartnerZone>, cut: usize| {
            let zones: Vec<Zone<'_>> = zone.into_iter().chain([&neighbour]).map(after).collect();
            let mut steps = world.borrow().steps(&zones, Leftovers::Clear);
            // A process that dies has done a part: first what widens, one zone after the other.
            for (index, step) in steps.iter_mut().enumerate().filter(|_| cut > 0) {
                step.delete.clear();
                step.release = false;
                if index + 1 >= cut {
                    step.create.clear();
                }
            }
            world.borrow_mut().apply(&steps);
        };
        run(before.as_ref(), 0);
        let mut lost = lost.into_iter();
        world.borrow_mut().acls.retain(|acl| others.contains(acl) || !lost.next().unwrap_or_default());
        run(wanted.as_ref(), cut);
        run(wanted.as_ref(), 0);
        let zones: Vec<Zone<'_>> = wanted.iter().chain([&neighbour]).map(after).collect();
        prop_assert_eq!(world.borrow().steps(&zones, Leftovers::Clear), vec![]);
        let all: BTreeSet<Acl> = wanted.iter().chain([&neighbour]).flat_map(rules::acls).chain(others).collect();
        prop_assert_eq!(&world.borrow().acls, &all);
        prop_assert_eq!(world.borrow().users.len(), 1 + usize::from(wanted.is_some()));
    }
}
