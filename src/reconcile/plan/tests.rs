use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::manifest::document::from_document;
use crate::manifest::{
    Code, Known, Loaded, LoadedZone, Location, Severity, SourceFile, Unreadable, load, to_yaml,
};
use crate::reconcile::guard::{Allowance, Allowed, AllowedBy, Deed, Limits};
use crate::zone::{ClusterName, PartnerZone, TopicName};

mod canonical;
mod refusals;
mod terms;
mod written;

/// A zone with these topics (alias, backing topic, permission).
fn zone(name: &str, topics: &[(&str, &str, &str)]) -> PartnerZone {
    let topics: Vec<Value> = topics
        .iter()
        .map(|(alias, backing, permission)| json!({"name": alias, "backingTopic": backing, "permission": permission}))
        .collect();
    from_document(&json!({
        "apiVersion": "v2", "kind": "PartnerZone",
        "metadata": {"name": name, "labels": {"b": "2", "a": "1"}},
        "spec": {
            "cluster": "gateway", "displayName": name,
            "authenticationMode": {"type": "PLAIN", "serviceAccount": name},
            "topics": topics,
        },
    }))
    .unwrap()
}

const ORDERS: (&str, &str, &str) = ("orders", "orders-v1", "READ");
const BILLS: (&str, &str, &str) = ("bills", "bills-v1", "WRITE");

fn desired(revision: &str, zones: &[PartnerZone]) -> Desired {
    let mut loaded = Loaded::default();
    for zone in zones {
        let file: Arc<str> = format!("zones/{}.yaml", zone.name).into();
        let at = |line| Location { file: Arc::clone(&file), line, column: 5, span: 0..0 };
        let topics = zone.topics.iter().zip(10..).map(|(topic, line)| (topic.alias.clone(), at(line)));
        let zone = LoadedZone { zone: Arc::new(zone.clone()), source: at(3), topics: topics.collect() };
        loaded.zones.insert(zone.zone.name.clone(), zone);
    }
    let revision = Revision::recorded(revision.to_owned());
    Desired { tree: format!("tree of {revision}"), revision, commit: None, loaded: Arc::new(loaded) }
}

fn observed(revision: &str, zones: &[PartnerZone]) -> Observed {
    let zones = zones.iter().map(|zone| (zone.name.clone(), Arc::new(zone.clone()))).collect();
    Observed { revision: Some(Revision::recorded(revision.to_owned())), zones, ..Observed::default() }
}

fn planned(before: &[PartnerZone], after: &[PartnerZone]) -> Plan {
    plan(&desired("two", after), &observed("one", before), &Terms::default())
}

/// `action address` of every change.
fn lines(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(|change| format!("{} {}", change.action.as_str(), change.address)).collect()
}

#[test]
fn a_new_zone_with_three_topics_adds_four() {
    let plan = planned(&[], &[zone("acme", &[ORDERS, BILLS, ("a", "a-v1", "READ")])]);
    assert_eq!(
        lines(&plan),
        [
            "create zone/acme",
            "create zone/acme/topic/a",
            "create zone/acme/topic/bills",
            "create zone/acme/topic/orders"
        ]
    );
    assert_eq!(plan.summary(), Summary { add: 4, ..Summary::default() });
    let own = plan.changes[0].after.as_ref().unwrap().value();
    assert_eq!((own["metadata"]["name"].as_str(), own["spec"].get("topics")), (Some("acme"), None));
    let orders = &plan.changes[3];
    assert_eq!(
        orders.after,
        Some(json!({"name": "orders", "backingTopic": "orders-v1", "permission": "READ"}).into())
    );
    assert_eq!(orders.source.as_ref().map(|at| (&*at.file, at.line)), Some(("zones/acme.yaml", 10)));
}

#[test]
fn an_alias_that_is_renamed_is_one_move() {
    let plan = planned(
        &[zone("acme", &[ORDERS, BILLS])],
        &[zone("acme", &[("purchases", "orders-v1", "READ"), BILLS])],
    );
    assert_eq!(lines(&plan), ["move zone/acme/topic/purchases"]);
    assert_eq!(plan.changes[0].before.as_ref().unwrap().value()["name"], "orders");
    assert_eq!(plan.summary(), Summary { change: 1, ..Summary::default() });
}

#[test]
fn a_rename_that_also_changes_the_permission_is_shown_as_what_it_is() {
    let plan = planned(&[zone("acme", &[ORDERS])], &[zone("acme", &[("purchases", "orders-v1", "WRITE")])]);
    assert_eq!(lines(&plan), ["delete zone/acme/topic/orders", "create zone/acme/topic/purchases"]);
}

#[test]
fn swapped_aliases_are_two_updates() {
    let plan = planned(
        &[zone("acme", &[("a", "x", "READ"), ("b", "y", "READ")])],
        &[zone("acme", &[("a", "y", "READ"), ("b", "x", "READ")])],
    );
    assert_eq!(lines(&plan), ["update zone/acme/topic/a", "update zone/acme/topic/b"]);
}

#[test]
fn the_order_of_topics_shows_only_where_it_changes_which_alias_stands_first() {
    let (read, write) = (("in", "t", "READ"), ("out", "t", "PRODUCE"));
    assert!(planned(&[zone("acme", &[ORDERS, BILLS])], &[zone("acme", &[BILLS, ORDERS])]).changes.is_empty());
    let plan = planned(&[zone("acme", &[read, write])], &[zone("acme", &[write, read])]);
    assert_eq!(lines(&plan), ["update zone/acme"]);
    assert_eq!(
        plan.changes[0].before.as_ref().unwrap().value()["spec"]["topics"],
        json!([{"name": "in"}, {"name": "out"}])
    );
    assert_eq!(
        plan.changes[0].after.as_ref().unwrap().value()["spec"]["topics"],
        json!([{"name": "out"}, {"name": "in"}])
    );
}

#[test]
fn the_same_revision_again_is_drift() {
    let desired = desired("one", &[zone("acme", &[ORDERS])]);
    let plan = plan(&desired, &observed("one", &[zone("acme", &[])]), &Terms::default());
    assert_eq!(plan.changes[0].origin, Origin::Drift);
    assert_eq!(plan.summary(), Summary { add: 1, drift: 1, ..Summary::default() });
}

#[test]
fn a_zone_whose_file_is_unreadable_keeps_its_form_and_does_not_appear() {
    let mut desired = desired("two", &[zone("new", &[ORDERS])]);
    Arc::make_mut(&mut desired.loaded)
        .unreadable
        .zones
        .insert(ZoneName::try_from("acme").unwrap(), Location::start_of("zones/acme.yaml".into()));
    let plan = plan(&desired, &observed("one", &[zone("acme", &[ORDERS])]), &Terms::default());
    assert_eq!(lines(&plan), ["create zone/new", "create zone/new/topic/orders"]);
    assert!(!plan.guard.is_refusing());
}

#[test]
fn a_file_of_an_unknown_zone_holds_every_deletion_back() {
    let before = [zone("acme", &[ORDERS]), zone("beta", &[ORDERS])];
    let mut desired = desired("two", &[zone("beta", &[BILLS])]);
    let nameless_files = std::iter::once("zones/acme.yaml".into()).collect();
    Arc::make_mut(&mut desired.loaded).unreadable = Unreadable { nameless_files, ..Unreadable::default() };
    let plan = plan(&desired, &observed("one", &before), &Terms::default());
    let applicable: Vec<_> = plan.applicable().map(|(name, fate)| (name.as_str(), fate)).collect();
    assert_eq!(applicable, [("beta", Fate::Update)]);
    assert!(plan.guard.is_refusing() && !plan.is_complete());
    assert!(
        plan.changes.iter().any(|change| change.address.to_string() == "zone/acme" && plan.is_held(change))
    );
}

#[test]
fn a_backing_topic_that_does_not_exist_is_a_warning_where_the_cluster_could_be_asked() {
    let elsewhere =
        PartnerZone { underlying_cluster: Some("other".try_into().unwrap()), ..zone("beta", &[BILLS]) };
    let desired = desired("two", &[zone("acme", &[ORDERS, BILLS]), elsewhere]);
    let home = ClusterName::try_from("default").unwrap();
    let absent = std::iter::once(TopicName::try_from("bills-v1").unwrap()).collect();
    let live =
        MissingTopics { by_cluster: [(home.clone(), absent)].into(), home, not_asked: BTreeMap::new() };
    let plan = plan(&desired, &Observed::default(), &Terms { topics: Some(&live), ..Terms::default() });
    let found: Vec<_> =
        plan.findings.iter().map(|it| (it.code, it.severity(), it.source.as_ref().unwrap().line)).collect();
    assert_eq!(found, [(Code::BackingTopicMissing, Severity::Warning, 11)]);
    assert!(plan.is_complete(), "a warning holds nothing back");
}

#[test]
fn a_comment_silences_what_only_live_state_can_tell() {
    let text = to_yaml(&zone("acme", &[BILLS])).unwrap();
    let text =
        text.replace("- name: bills", "- name: bills # reconciler-ignore: PZ0400 comes with their release");
    let file = SourceFile { path: "zones/acme.yaml".into(), content: Ok(text.into_bytes().into()) };
    let loaded = Arc::new(load([file], &Known::default()));
    let desired = Desired { loaded, ..desired("two", &[]) };
    let home = ClusterName::try_from("default").unwrap();
    let absent: BTreeSet<_> = std::iter::once(TopicName::try_from("bills-v1").unwrap()).collect();
    let live = |absent| MissingTopics {
        by_cluster: [(home.clone(), absent)].into(),
        home: home.clone(),
        not_asked: BTreeMap::new(),
    };
    let codes = |topics: Option<&MissingTopics>| {
        let plan = plan(&desired, &Observed::default(), &Terms { topics, ..Terms::default() });
        let silent: Vec<_> = plan.suppressed.iter().map(|it| it.finding.code).collect();
        (plan.findings.iter().map(|it| it.code).collect::<Vec<_>>(), silent)
    };
    assert_eq!(codes(Some(&live(absent))), (vec![], vec![Code::BackingTopicMissing]));
    assert_eq!(codes(Some(&live(BTreeSet::new()))), (vec![Code::UnusedSuppression], vec![]));
    assert_eq!(codes(None), (vec![], vec![]), "where nobody asked, nobody knows that it is needless");
    let silent =
        MissingTopics { not_asked: [(home.clone(), "no answer".into())].into(), ..live(BTreeSet::new()) };
    assert_eq!(codes(Some(&silent)), (vec![Code::ClusterNotAsked], vec![]));
}

#[test]
fn a_renamed_zone_is_said_to_be_a_new_one() {
    let renamed = PartnerZone { name: "acme2".try_into().unwrap(), ..zone("acme", &[ORDERS]) };
    let plan = planned(&[zone("acme", &[ORDERS]), zone("beta", &[])], &[renamed, zone("beta", &[])]);
    assert_eq!(plan.findings.len(), 1);
    assert!(plan.findings[0].message.contains("`acme` becomes `acme2`"), "{:?}", plan.findings);
}

#[test]
fn the_digest_is_of_files_state_and_changes_and_not_of_the_revision() {
    let (before, after) = ([zone("acme", &[ORDERS])], [zone("acme", &[ORDERS, BILLS])]);
    let base = planned(&before, &after);
    let head = Desired { revision: Revision::recorded("merge".to_owned()), ..desired("two", &after) };
    assert_eq!(base.digest, plan(&head, &observed("one", &before), &Terms::default()).digest);
    let other_tree = Desired { tree: "other".to_owned(), ..desired("two", &after) };
    assert_ne!(base.digest, plan(&other_tree, &observed("one", &before), &Terms::default()).digest);
    assert_ne!(base.digest, planned(&[], &after).digest);
    assert_ne!(base.digest, planned(&before, &before).digest);
}

#[test]
fn the_json_form_is_what_the_committed_schema_describes() {
    let schema: Value = serde_json::from_str(include_str!("../../../schema/plan.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let many: Vec<_> = (0..12).map(|n| zone(&format!("z{n}"), &[ORDERS])).collect();
    let renamed = PartnerZone { name: "acme".try_into().unwrap(), ..zone("z0", &[ORDERS]) };
    for (before, after) in [
        (vec![], vec![]),
        (vec![], vec![zone("acme", &[ORDERS])]),
        (vec![zone("acme", &[ORDERS])], vec![zone("acme", &[("o", "orders-v1", "READ"), BILLS])]),
        (many.clone(), vec![renamed]),
    ] {
        let plan = planned(&before, &after).to_json();
        let errors: Vec<_> = validator.iter_errors(&plan).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{plan:#}");
    }
    let mut odd = planned(&[], &many).to_json();
    odd["changes"][0]["actions"] = json!(["replace"]);
    assert!(!validator.is_valid(&odd));
}

#[test]
fn of_a_plan_that_is_kept_the_first_changes_are_there_and_all_are_counted() {
    let few = planned(&[], &[zone("acme", &[ORDERS, BILLS])]);
    assert_eq!(few.to_bounded_json(), (few.to_json(), true));
    let zones: Vec<_> = (0..300).map(|n| zone(&format!("zone-{n:03}"), &[ORDERS])).collect();
    let many = planned(&[], &zones);
    let (bounded, is_whole) = many.to_bounded_json();
    let (kept, all) = (bounded["changes"].as_array().unwrap(), many.to_json());
    assert_eq!((kept.len(), is_whole, &bounded["summary"]["add"]), (500, false, &json!(600)));
    assert_eq!((kept.first(), &bounded["digest"]), (all["changes"].get(0), &all["digest"]));
    // Forms can be long.
    let wordy = |n| PartnerZone {
        description: Some("x".repeat(20_000)),
        ..zone(&format!("wordy-{n:02}"), &[ORDERS])
    };
    let (bounded, is_whole) = planned(&[], &(0..50).map(wordy).collect::<Vec<_>>()).to_bounded_json();
    let (kept, bytes) = (bounded["changes"].as_array().unwrap().len(), bounded.to_string().len());
    assert!(!is_whole && (30..40).contains(&kept) && bytes < 450_000, "{kept} changes in {bytes} bytes");
}

fn applied(plan: &Plan, desired: &Desired, observed: &Observed) -> Observed {
    let mut zones = observed.zones.clone();
    for (name, fate) in plan.applicable() {
        match fate {
            Fate::Create | Fate::Update => {
                zones.insert(name.clone(), Arc::clone(&desired.loaded.zones[name].zone))
            }
            Fate::Delete => zones.remove(name),
        };
    }
    Observed { revision: Some(desired.revision.clone()), zones, ..Observed::default() }
}

fn any_zones() -> impl Strategy<Value = Vec<PartnerZone>> {
    let topic = (0..5_u8, 0..3_u8, prop::sample::select(vec!["READ", "WRITE"]));
    let topics = prop::collection::vec(topic, 0..5);
    prop::collection::btree_map(0..16_u8, topics, 0..16).prop_map(|zones| {
        zones
            .into_iter()
            .map(|(name, topics)| {
                let mut zone = zone(&format!("z{name}"), &[]);
                for (alias, backing, permission) in topics {
                    let like =
                        self::zone("like", &[(&format!("a{alias}"), &format!("b{backing}"), permission)]);
                    zone.topics.extend(like.topics);
                }
                let mut seen = BTreeSet::new();
                zone.topics.retain(|topic| seen.insert(topic.alias.clone()));
                zone
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_applied_plans_to_nothing(before in any_zones(), after in any_zones()) {
        let (desired, observed) = (desired("two", &after), observed("one", &before));
        let everything = [Allowed::Deletes, Allowed::Updates].map(|what| Allowance {
            what,
            count: usize::MAX,
            reason: "a test".to_owned(),
            by: AllowedBy::Trailer { commit: "8c1f".to_owned(), author: "Ann".to_owned() },
        });
        let terms = Terms { allowances: &everything, ..Terms::default() };
        let first = plan(&desired, &observed, &terms);
        let now = applied(&first, &desired, &observed);
        prop_assert_eq!(now.zones.keys().collect::<Vec<_>>(), desired.loaded.zones.keys().collect::<Vec<_>>());
        let second = plan(&desired, &now, &terms);
        prop_assert!(second.changes.is_empty(), "{:?}", lines(&second));
    }

    #[test]
    fn what_is_held_back_is_asked_for_again_and_the_rest_is_done(before in any_zones(), after in any_zones()) {
        let (desired, observed) = (desired("two", &after), observed("one", &before));
        let first = plan(&desired, &observed, &Terms::default());
        let held: Vec<_> = first.changes.iter().filter(|it| first.is_held(it)).map(|it| it.address.clone()).collect();
        let second = plan(&desired, &applied(&first, &desired, &observed), &Terms::default());
        let left: Vec<_> = second.changes.iter().map(|it| it.address.clone()).collect();
        prop_assert_eq!(held, left);
    }

    #[test]
    fn the_order_of_zones_and_topics_changes_neither_plan_nor_digest(before in any_zones(), after in any_zones()) {
        let straight = planned(&before, &after);
        let mut turned = after.clone();
        turned.reverse();
        for zone in &mut turned {
            // Aliases of one backing topic keep their order among themselves.
            zone.topics.sort_by(|a, b| b.backing.cmp(&a.backing));
        }
        let turned = planned(&before, &turned);
        prop_assert_eq!(lines(&straight), lines(&turned));
        prop_assert_eq!(straight.digest, turned.digest);
    }
}

#[test]
fn a_zone_of_a_cluster_that_is_not_configured_is_made_once_and_never_changes_one_in_force() {
    let mut wanted = desired("two", &[zone("acme", &[ORDERS])]);
    let loaded = Arc::get_mut(&mut wanted.loaded).unwrap();
    loaded.misplaced = std::mem::take(&mut loaded.zones);
    let unreadable = loaded.misplaced.iter().map(|(name, zone)| (name.clone(), zone.source.clone()));
    loaded.unreadable.zones = unreadable.collect();
    let new = plan(&wanted, &observed("one", &[]), &Terms::default());
    assert_eq!(lines(&new), ["create zone/acme", "create zone/acme/topic/orders"]);
    let in_force = observed("one", &[zone("acme", &[BILLS])]);
    assert!(plan(&wanted, &in_force, &Terms::default()).changes.is_empty());
}

/// A zone that logs in as `account`.
fn zone_of(name: &str, account: &str) -> PartnerZone {
    let mut zone = zone(name, &[ORDERS]);
    zone.authentication.service_account = account.try_into().unwrap();
    zone
}

fn applicable(plan: &Plan) -> Vec<String> {
    plan.applicable().map(|(name, fate)| format!("{fate:?} {name}")).collect()
}

#[test]
fn no_zone_gets_the_service_account_of_one_that_stays_as_it_was() {
    let mut wanted = desired("two", &[zone_of("b", "y"), zone_of("new", "x"), zone_of("other", "z")]);
    let at = Location { file: "a.yaml".into(), line: 1, column: 1, span: 0..0 };
    let broken: ZoneName = "a".try_into().unwrap();
    Arc::get_mut(&mut wanted.loaded).unwrap().unreadable.zones.insert(broken, at);
    let in_force = observed("one", &[zone_of("a", "x"), zone_of("b", "b")]);
    let plan = plan(&wanted, &in_force, &Terms::default());
    assert_eq!(applicable(&plan), ["Update b", "Create other"]);
    let found: Vec<_> = plan.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(found, [Code::StillClaimed]);
    assert!(!plan.is_complete());
    assert_eq!(plan.changes.iter().filter(|change| plan.is_held(change)).count(), 2, "zone and topic");
}

#[test]
fn accounts_may_be_swapped_and_a_zone_that_waits_makes_the_next_one_wait() {
    let swapped = planned(&[zone_of("a", "x"), zone_of("b", "y")], &[zone_of("a", "y"), zone_of("b", "x")]);
    assert_eq!(applicable(&swapped), ["Update a", "Update b"]);
    assert!(swapped.findings.is_empty());
    // Nothing is deleted beside a file with an error, so `b` cannot have its account, so `c` cannot have that of `b`.
    let before = [zone_of("a", "x"), zone_of("b", "y")];
    let mut wanted = desired("two", &[zone_of("b", "x"), zone_of("c", "y")]);
    Arc::get_mut(&mut wanted.loaded).unwrap().findings.push(Finding::new(Code::EmptyFile, "no"));
    let plan = plan(&wanted, &observed("one", &before), &Terms::default());
    assert!(!plan.guard.allows(Deed::Delete));
    assert_eq!(applicable(&plan), Vec::<String>::new());
}
