//! Ways that one might try to get past a guard.

use super::*;
use crate::zone::Spent;

#[test]
fn guards_are_not_passed_by_taking_topics_instead_of_zones() {
    let full: Vec<_> =
        (0..4).map(|n| zone(&format!("z{n}"), &[ORDERS, BILLS, ("a", "a-v1", "READ")])).collect();
    let emptied: Vec<_> = (0..4).map(|n| zone(&format!("z{n}"), &[])).collect();
    assert_eq!(applicable(&planned(&full, &emptied)), [""; 0]);
    // Below the floor too, since nothing would be left.
    assert_eq!(applicable(&planned(&full[..3], &emptied[..3])), [""; 0]);
    // Three of twelve are 25 %.
    let mut some = full.clone();
    some[0] = emptied[0].clone();
    assert_eq!(applicable(&planned(&full, &some)), ["Update z0"]);
    // Every alias of every zone made to point elsewhere.
    let elsewhere: Vec<_> = (0..4)
        .map(|n| {
            zone(&format!("z{n}"), &[("orders", "x", "READ"), ("bills", "y", "READ"), ("a", "z", "READ")])
        })
        .collect();
    assert_eq!(applicable(&planned(&full, &elsewhere)), [""; 0]);
    // Every alias renamed: partners lose all the names they use.
    let renamed: Vec<_> = (0..4)
        .map(|n| {
            zone(
                &format!("z{n}"),
                &[("o", "orders-v1", "READ"), ("b", "bills-v1", "WRITE"), ("c", "a-v1", "READ")],
            )
        })
        .collect();
    let moves = planned(&full, &renamed);
    assert!(moves.changes.iter().all(|change| change.action == Action::Move));
    assert_eq!(applicable(&moves), [""; 0]);
}

#[test]
fn ten_zones_count_in_percent_and_nine_do_not() {
    let zones: Vec<_> = (0..10).map(|n| zone(&format!("z{n}"), &[])).collect();
    let labelled = |zone: &PartnerZone| PartnerZone { display_name: Some("New".to_owned()), ..zone.clone() };
    let all: Vec<_> = zones.iter().map(labelled).collect();
    assert_eq!(
        applicable(&planned(&zones, &all)),
        [""; 0],
        "a label on everything is an update of everything"
    );
    assert_eq!(applicable(&planned(&zones[..9], &all[..9])).len(), 9);
    assert_eq!(applicable(&planned(&zones, &zones[3..])).len(), 3);
    assert_eq!(applicable(&planned(&zones, &zones[4..])), [""; 0]);
    // Under other names, in another folder: the same zones go.
    let renamed: Vec<_> = zones.iter().map(|it| zone(&format!("new-{}", it.name), &[])).collect();
    assert!(applicable(&planned(&zones[..9], &renamed[..9])).iter().all(|it| it.starts_with("Create ")));
}

#[test]
fn another_file_or_folder_for_the_same_zones_is_no_change() {
    let zones = [zone("acme", &[ORDERS]), zone("beta", &[BILLS])];
    let mut moved = desired("two", &zones);
    for zone in Arc::make_mut(&mut moved.loaded).zones.values_mut() {
        zone.source.file = "elsewhere/all.yaml".into();
    }
    let plan = plan(&moved, &observed("one", &zones), &Terms::default());
    assert!(plan.changes.is_empty() && !plan.guard.is_refusing());
}

#[test]
fn with_a_cluster_that_is_another_one_nothing_is_done_at_all() {
    let ids = |id: &str| [("default".try_into().unwrap(), id.to_owned())].into();
    let mut in_force = observed("one", &[zone("acme", &[ORDERS]), zone("old", &[])]);
    in_force.clusters = ids("before");
    let wanted = desired("two", &[zone("acme", &[BILLS]), zone("new", &[ORDERS])]);
    let now = ids("after");
    let strange = plan(&wanted, &in_force, &Terms { clusters: Some(&now), ..Terms::default() });
    assert_eq!(applicable(&strange), [""; 0]);
    assert!(!strange.is_complete() && strange.changes.iter().all(|change| strange.is_held(change)));
    assert!(strange.guard.reasons().next().unwrap().contains("its id is `after`, and it was `before`"));
    assert_eq!(strange.guard.ways_out().count(), 0);
    let same = ids("before");
    let usual = plan(&wanted, &in_force, &Terms { clusters: Some(&same), ..Terms::default() });
    assert_eq!(applicable(&usual), ["Update acme", "Create new", "Delete old"]);
}

#[test]
fn what_a_trailer_let_pass_in_a_run_that_was_cut_short_counts_against_it_in_the_next() {
    let zones: Vec<_> = (0..10).map(|n| zone(&format!("z{n}"), &[ORDERS])).collect();
    let trailer = Allowance {
        what: Allowed::Deletes,
        count: 5,
        reason: "they left".to_owned(),
        by: AllowedBy::Trailer { commit: "8c1f".to_owned(), author: "Ann".to_owned() },
    };
    let terms = Terms { allowances: &[trailer], ..Terms::default() };
    let at = desired("two", &zones[5..]);
    let waiting = Holding {
        failed: [("z0".try_into().unwrap(), "its cluster is away".to_owned())].into(),
        ..Holding::default()
    };
    let first = plan(&at, &observed("one", &zones), &Terms { holding: Some(&waiting), ..terms });
    assert_eq!(applicable(&first).len(), 4);
    let used = spent(&first, &BTreeMap::new());
    assert_eq!(used["8c1f"], Spent { deletions: 4, updates: 0 });
    // One of five is left, for the zone that had to wait. It does not let two more go along with it.
    let now = |zones: &[PartnerZone]| Observed { spent: used.clone(), ..observed("one", zones) };
    let more: Vec<_> = (10..20).map(|n| zone(&format!("z{n}"), &[ORDERS])).collect();
    let all = [&zones[..1], &more[..]].concat();
    assert_eq!(applicable(&plan(&desired("three", &more[4..]), &now(&all), &terms)), [""; 0]);
    let none_spent = plan(&desired("three", &more[4..]), &observed("one", &all), &terms);
    assert_eq!(applicable(&none_spent).len(), 5);
    assert_eq!(applicable(&plan(&at, &now(&[&zones[..1], &zones[5..]].concat()), &terms)), ["Delete z0"]);
}
