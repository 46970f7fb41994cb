use proptest::prelude::*;

use super::*;

fn zones(existing: usize, creations: usize, updates: usize, deletions: usize) -> Tally {
    Tally { zones: Count { existing, creations, updates, deletions }, ..Tally::default() }
}

fn judge(tally: &Tally) -> Guard {
    Guard::judge(tally, Limits::default(), &[], "sha256:1")
}

fn reasons(guard: &Guard) -> Vec<&str> {
    guard.reasons().collect()
}

fn trailer(what: Allowed, count: usize) -> Allowance {
    let by = AllowedBy::Trailer { commit: "8c1f".to_owned(), author: "Ann <ann@example.com>".to_owned() };
    Allowance { what, count, reason: "partner left".to_owned(), by }
}

#[test]
fn thirty_percent_pass_and_one_more_does_not() {
    assert!(judge(&zones(10, 0, 0, 3)).allows(Deed::Delete));
    let refused = judge(&zones(10, 0, 0, 4));
    assert!(!refused.allows(Deed::Delete));
    assert_eq!(
        reasons(&refused),
        ["4 of 10 zones would be deleted (40 %), over the limit of 30 % (guards.maxDeletePercent)"]
    );
    // 30.01 % is over, although it is shown as 30.
    assert!(!judge(&zones(9_997, 0, 0, 3_000)).allows(Deed::Delete));
    assert!(!judge(&zones(100, 0, 31, 0)).allows(Deed::Update));
    assert!(judge(&zones(100, 0, 30, 0)).allows(Deed::Update));
    // Of eleven, three are 27 % and four 36 %.
    assert!(judge(&zones(11, 0, 3, 3)).allows(Deed::Delete));
    assert!(!judge(&zones(11, 0, 4, 0)).allows(Deed::Update));
}

#[test]
fn below_the_floor_percentages_do_not_count_but_not_everything_goes() {
    assert!(judge(&zones(9, 0, 9, 8)).allows(Deed::Delete));
    assert!(judge(&zones(9, 0, 9, 8)).allows(Deed::Update));
    assert!(!judge(&zones(9, 0, 0, 9)).allows(Deed::Delete));
    assert!(!judge(&zones(1, 0, 0, 1)).allows(Deed::Delete));
}

#[test]
fn renaming_everything_gets_past_no_guard_and_a_single_zone_may_be_renamed() {
    for existing in [2, 9, 10, 11] {
        let guard = judge(&zones(existing, existing, 0, existing));
        assert!(!guard.allows(Deed::Delete) && guard.allows(Deed::Create), "{existing}");
    }
    assert!(judge(&zones(1, 1, 0, 1)).allows(Deed::Delete));
}

#[test]
fn taking_every_topic_away_is_no_way_around_the_deletion_of_zones() {
    let topics = |existing, deletions| Tally {
        topics: Count { existing, deletions, ..Count::default() },
        ..zones(3, 0, 3, 0)
    };
    let emptied = judge(&topics(6, 6));
    assert!(!emptied.allows(Deed::Narrow) && emptied.allows(Deed::Update) && emptied.allows(Deed::Delete));
    assert_eq!(reasons(&emptied), ["every topic (6) would be taken out of the zones that stay"]);
    assert!(judge(&topics(9, 8)).allows(Deed::Narrow), "below the floor");
    assert!(!judge(&topics(10, 4)).allows(Deed::Narrow));
    assert!(judge(&topics(10, 3)).allows(Deed::Narrow));
}

#[test]
fn a_few_zones_do_not_hide_that_all_their_topics_change() {
    let repointed =
        Tally { topics: Count { existing: 20, updates: 20, ..Count::default() }, ..zones(2, 0, 2, 0) };
    assert!(!judge(&repointed).allows(Deed::Update));
    assert!(judge(&repointed).ways_out().next().unwrap().contains("`Reconciler-Allow-Updates: 20 REASON`"));
}

#[test]
fn deletions_and_updates_are_refused_apart() {
    let guard = judge(&zones(10, 1, 4, 1));
    assert!(guard.allows(Deed::Delete) && !guard.allows(Deed::Update) && !guard.allows(Deed::Narrow));
    let guard = judge(&zones(10, 1, 1, 4));
    assert!(!guard.allows(Deed::Delete) && guard.allows(Deed::Update) && guard.allows(Deed::Narrow));
}

#[test]
fn an_error_in_any_file_refuses_deletions_only() {
    let tally = Tally { errors: 1, ..zones(5, 1, 1, 1) };
    let guard = judge(&tally);
    assert!(!guard.allows(Deed::Delete) && guard.allows(Deed::Update) && guard.allows(Deed::Create));
    assert!(!judge(&Tally { errors: 1, ..zones(5, 1, 1, 0) }).is_refusing());
}

#[test]
fn a_cluster_that_is_another_one_refuses_everything() {
    let tally = Tally { strange_clusters: vec!["another".to_owned()], ..zones(5, 1, 0, 0) };
    let guard = judge(&tally);
    for deed in [Deed::Create, Deed::Update, Deed::Narrow, Deed::Delete] {
        assert!(!guard.allows(deed), "{deed:?}");
    }
}

#[test]
fn an_allowance_lifts_what_it_is_for_and_not_for_one_more() {
    let with = |tally: &Tally, allowance| Guard::judge(tally, Limits::default(), &[allowance], "sha256:1");
    let tally = zones(10, 0, 4, 4);
    let guard = with(&tally, trailer(Allowed::Deletes, 4));
    assert!(guard.allows(Deed::Delete) && !guard.allows(Deed::Update));
    assert_eq!(guard.lifted().len(), 1);
    assert_eq!(guard.lifted()[0].refusals.len(), 1);
    assert!(!with(&tally, trailer(Allowed::Deletes, 3)).allows(Deed::Delete));
    assert!(
        !with(&tally, Allowance { reason: " ".to_owned(), ..trailer(Allowed::Deletes, 4) })
            .allows(Deed::Delete)
    );
    assert!(with(&tally, trailer(Allowed::Updates, 4)).allows(Deed::Update));
    assert!(
        with(&zones(3, 0, 0, 3), trailer(Allowed::Deletes, 3)).allows(Deed::Delete),
        "everything, if it is meant"
    );
    // Zones and topics together are the number.
    let both = Tally { topics: Count { existing: 10, deletions: 4, ..Count::default() }, ..tally };
    assert!(!with(&both, trailer(Allowed::Deletes, 4)).allows(Deed::Delete));
    let guard = with(&both, trailer(Allowed::Deletes, 8));
    assert!(guard.allows(Deed::Delete));
    assert_eq!(guard.lifted()[0].refusals.len(), 2, "{:?}", guard.lifted());
}

#[test]
fn a_flag_is_for_one_plan() {
    let flag = |plan: &str| Allowance {
        by: AllowedBy::Flag { plan: plan.to_owned() },
        ..trailer(Allowed::Deletes, 4)
    };
    let allows = |allowance| {
        Guard::judge(&zones(10, 0, 0, 4), Limits::default(), &[allowance], "sha256:1").allows(Deed::Delete)
    };
    assert!(allows(flag("sha256:1")) && !allows(flag("sha256:2")) && !allows(flag("")));
}

#[test]
fn no_allowance_lifts_what_comes_from_not_knowing() {
    let all = [trailer(Allowed::Deletes, usize::MAX), trailer(Allowed::Updates, usize::MAX)];
    let unreadable = Tally { errors: 1, ..zones(5, 0, 0, 1) };
    let elsewhere = Tally { strange_clusters: vec!["another".to_owned()], ..zones(5, 0, 0, 1) };
    for tally in [unreadable, elsewhere] {
        let guard = Guard::judge(&tally, Limits::default(), &all, "sha256:1");
        assert!(!guard.allows(Deed::Delete) && guard.lifted().is_empty());
        assert_eq!(guard.ways_out().count(), 0, "nothing to type is offered");
    }
}

#[test]
fn the_way_out_is_what_has_to_be_typed() {
    assert_eq!(
        judge(&zones(10, 0, 0, 4)).ways_out().collect::<Vec<_>>(),
        [
            "if that is meant: put the trailer `Reconciler-Allow-Deletes: 4 REASON` into the commit message, or run \
          `reconciler apply --expect-plan sha256:1 --allow-deletes 4 --reason REASON`"
        ]
    );
}

proptest! {
    #[test]
    fn a_run_never_leaves_nothing_and_never_deletes_too_much(
        existing in 0..400_usize, creations in 0..50_usize, updates in 0..400_usize, deletions in 0..400_usize,
        errors in 0..3_usize, percent in 0..=100_u8, floor in 0..20_usize,
    ) {
        let deletions = deletions.min(existing);
        let limits = Limits { max_delete_percent: percent, max_update_percent: percent, floor };
        let tally = Tally { errors, ..zones(existing, creations, updates, deletions) };
        let guard = Guard::judge(&tally, limits, &[], "");
        if guard.allows(Deed::Delete) && deletions > 0 {
            prop_assert!(existing - deletions > 0 || (existing == 1 && creations > 0));
            prop_assert_eq!(errors, 0);
            prop_assert!(existing < floor || deletions * 100 <= existing * usize::from(percent));
        }
        prop_assert_eq!(guard.is_refusing(), !(guard.allows(Deed::Delete) && guard.allows(Deed::Update)));
        // A word for less than the run does changes nothing.
        let too_little = [trailer(Allowed::Deletes, deletions.saturating_sub(1))];
        let again = Guard::judge(&tally, limits, &too_little, "");
        prop_assert_eq!(again.allows(Deed::Delete), guard.allows(Deed::Delete));
    }
}
