use super::*;
use crate::store::record::{Line, usage_key, usage_value};
use crate::store::samples::usage;

fn zone(name: &str) -> ZoneName {
    ZoneName::try_from(name).unwrap()
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn place(name: &str, in_month: &str, source: &str) -> Place {
    Place { zone: zone(name), month: month(in_month), source: source.to_owned() }
}

fn put(ledger: &Ledger, place: &Place, requests: u64) {
    ledger.take(usage_key(place).as_bytes(), Some(&usage_value(&usage(requests), &[]).unwrap()));
}

/// A ledger that has read these records: (zone, month, source, requests).
fn ledger(records: &[(&str, &str, &str, u64)]) -> Ledger {
    let ledger = Ledger::new();
    ledger.publish(Records::default());
    for (name, in_month, source, requests) in records {
        put(&ledger, &place(name, in_month, source), *requests);
    }
    ledger
}

fn requests(ledger: &Ledger, name: &str, in_month: &str) -> u64 {
    ledger.usage(&zone(name), month(in_month)).unwrap().total().requests
}

fn rules(silent: Duration) -> Foldable {
    Foldable { silent, today: month("2026-11"), most: 100 }
}

fn only(mut folds: Vec<Fold>) -> Fold {
    let fold = folds.pop().expect("one");
    assert!(folds.is_empty(), "{folds:?}");
    fold
}

fn is_conflict(ledger: &Ledger, fold: &Fold) -> bool {
    matches!(ledger.folds_among(&[Change::FoldUsage(fold.clone())]), Err(StoreError::Conflict(_)))
}

#[test]
fn the_sources_of_a_zone_and_month_add_up_and_those_of_others_do_not() {
    let ledger = ledger(&[
        ("acme", "2026-11", "g1/a", 1),
        ("acme", "2026-11", "g2/b", 10),
        ("acme", "2026-10", "g1/c", 100),
        ("acme-2", "2026-11", "g1/a", 1_000),
    ]);
    assert_eq!(requests(&ledger, "acme", "2026-11"), 11);
    assert_eq!(requests(&ledger, "acme", "2026-12"), 0);
    put(&ledger, &place("acme", "2026-11", "g1/a"), 5);
    assert_eq!(requests(&ledger, "acme", "2026-11"), 15, "a source's last word counts, and alone");
    let months: Vec<_> = ledger.months(&zone("acme")).into_iter().map(|month| month.to_string()).collect();
    assert_eq!(months, ["2026-10", "2026-11"]);
    assert!(ledger.months(&zone("acm")).is_empty());
    let all = ledger.zones(month("2026-11")).unwrap();
    let all: Vec<_> = all.iter().map(|(name, usage)| (name.as_str(), usage.total().requests)).collect();
    assert_eq!(all, [("acme", 15), ("acme-2", 1_000)]);
}

#[test]
fn nothing_is_told_before_everything_was_read_and_what_cannot_be_read_counts_for_nothing() {
    let unread = Ledger::new();
    put(&unread, &place("acme", "2026-11", "g1/a"), 1);
    assert!(unread.usage(&zone("acme"), month("2026-11")).is_none() && unread.zones(Month::FIRST).is_none());
    assert!(unread.folds(rules(Duration::ZERO)).is_empty());

    let ledger = ledger(&[("acme", "2026-11", "g1/a", 1)]);
    let value = usage_value(&usage(7), &[]).unwrap();
    for key in [
        "acme/2026-11",
        "acme/2026-11/",
        "acme/2026-13/g1",
        "ac me/2026-11/g1",
        "",
        "acme/lag/x",
        "later/thing",
    ] {
        ledger.take(key.as_bytes(), Some(&value));
    }
    ledger.take(&[0xff], Some(&value));
    let newer = String::from_utf8(value).unwrap().replace("\"schemaVersion\":1", "\"schemaVersion\":2");
    for (source, value) in [("g1/b", newer.as_bytes()), ("g1/c", b"{}"), ("g1/d", &vec![b' '; LARGEST + 1])] {
        ledger.take(usage_key(&place("acme", "2026-11", source)).as_bytes(), Some(value));
    }
    assert_eq!(requests(&ledger, "acme", "2026-11"), 1);
    assert_eq!(ledger.books().records.figures.len(), 3, "what a later version wrote stays");
    let fold = only(ledger.folds(rules(Duration::ZERO)));
    assert_eq!(fold.from.keys().collect::<Vec<_>>(), ["g1/a"], "and is added to nothing");
}

#[test]
fn silent_sources_become_one_and_at_no_moment_does_anything_count_twice_or_not_at_all() {
    let ledger = ledger(&[
        ("acme", "2026-11", BASE, 1_000),
        ("acme", "2026-11", "g1/a", 1),
        ("acme", "2026-11", "g2/b", 10),
        ("globex", "2026-11", BASE, 3),
    ]);
    assert!(ledger.folds(rules(Duration::from_mins(1))).is_empty(), "nobody is silent yet");
    let fold = only(ledger.folds(rules(Duration::ZERO)));
    assert_eq!(fold.into.as_ref().unwrap().total().requests, 1_011);
    let lines = Line::fold(&fold).unwrap();
    let keys: Vec<_> = lines.iter().map(|line| (line.key.as_str(), line.value.is_some())).collect();
    assert_eq!(keys, [("acme/2026-11/-", true), ("acme/2026-11/g1/a", false), ("acme/2026-11/g2/b", false)]);
    for line in lines {
        ledger.take(line.key.as_bytes(), line.value.as_deref());
        assert_eq!(requests(&ledger, "acme", "2026-11"), 1_011, "{}", line.key);
    }
    assert_eq!(ledger.books().records.figures.len(), 2);
    assert!(ledger.folds(rules(Duration::ZERO)).is_empty(), "a base alone is nothing to fold");
}

#[test]
fn a_source_that_was_written_meanwhile_or_another_base_is_a_conflict() {
    let records = [("acme", "2026-11", "g1/a", 1), ("acme", "2026-11", "g2/b", 10)];
    let first = ledger(&records);
    let fold = only(first.folds(rules(Duration::ZERO)));
    assert!(!is_conflict(&first, &fold));
    put(&first, &place("acme", "2026-11", "g3/c"), 5);
    assert!(!is_conflict(&first, &fold), "of no interest to it");
    put(&first, &place("acme", "2026-11", "g1/a"), 2);
    assert!(is_conflict(&first, &fold));

    let second = ledger(&records);
    put(&second, &place("acme", "2026-11", BASE), 7);
    assert!(is_conflict(&second, &fold), "what another leader has folded would be lost");
}

#[test]
fn a_month_that_is_over_goes_as_a_whole_and_not_by_a_wrong_clock() {
    let records = [
        ("acme", "2025-09", BASE, 1),
        ("acme", "2025-09", "g1/a", 1),
        ("acme", "2025-10", BASE, 1),
        ("acme", "2026-11", BASE, 1),
    ];
    let kept = ledger(&records);
    let fold = only(kept.folds(rules(Duration::from_mins(1))));
    assert_eq!((fold.month, fold.into.is_none(), fold.from.len()), (month("2025-09"), true, 2));
    for line in Line::fold(&fold).unwrap() {
        assert_eq!(line.value, None);
        kept.take(line.key.as_bytes(), None);
    }
    assert_eq!(kept.months(&zone("acme")).len(), 2);
    let from_the_future = Foldable { today: month("2040-01"), ..rules(Duration::from_mins(1)) };
    assert!(kept.folds(from_the_future).is_empty(), "nobody has counted then");
}

#[test]
fn no_more_is_folded_at_once_than_a_commit_should_hold() {
    let sources: Vec<String> = (0..10).map(|n| format!("g/{n}")).collect();
    let mut records = vec![("acme", "2026-11", BASE, 100)];
    records.extend(sources.iter().map(|source| ("acme", "2026-11", source.as_str(), 1)));
    let ledger = ledger(&records);
    let few = Foldable { most: 4, ..rules(Duration::ZERO) };
    let mut rounds = 0;
    while let Some(fold) = ledger.folds(few).pop() {
        assert!(fold.from.len() <= 4);
        for line in Line::fold(&fold).unwrap() {
            ledger.take(line.key.as_bytes(), line.value.as_deref());
        }
        rounds += 1;
        assert_eq!(requests(&ledger, "acme", "2026-11"), 110);
    }
    assert_eq!(rounds, 4);
}
