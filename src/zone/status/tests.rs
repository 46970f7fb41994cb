use std::collections::BTreeMap;

use time::macros::datetime;

use super::*;
use crate::zone::{Asked, BY_CONTROLLER, Controls, Held, Revision, Scope, ZoneName, sample};

fn zone() -> PartnerZone {
    sample::zone("acme", Vec::new())
}

fn node(node: &str, serving: u64) -> NodeView<'_> {
    NodeView { node, serving: Sequence(serving), problem: None }
}

const CHANGED: Sequence = Sequence(7);
const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

#[test]
fn a_zone_that_is_not_open_is_served_and_says_to_whom() {
    let at = |from: Option<OffsetDateTime>, until: Option<OffsetDateTime>| {
        let mut zone = zone();
        zone.access = Access { valid_from: from, valid_until: until, ..Access::default() };
        let status = zone_status(&zone, CHANGED, [node("a", 7)], &ZoneReport::default(), NOW);
        assert_eq!(status.phase, Phase::Ready);
        (status.conditions[0].reason, status.conditions[0].message.clone())
    };
    let (yesterday, tomorrow) = (NOW - time::Duration::DAY, NOW + time::Duration::DAY);
    assert_eq!(at(Some(NOW), Some(tomorrow)).0, "Served");
    let (reason, message) = at(Some(tomorrow), None);
    assert_eq!(reason, "NotOpenYet");
    assert!(message.contains("before 2026-11-23T10:00:00Z"), "{message}");
    assert_eq!(at(Some(yesterday), Some(NOW)).0, "Ended");
}

#[test]
fn a_zone_is_ready_only_when_every_live_node_serves_its_last_change() {
    let status = |nodes: Vec<NodeView<'static>>| {
        zone_status(&zone(), CHANGED, nodes, &ZoneReport::default(), NOW).phase
    };
    assert_eq!(status(vec![node("a", 7), node("b", 9)]), Phase::Ready);
    assert_eq!(status(vec![node("a", 7), node("b", 6)]), Phase::Pending);
    assert_eq!(status(vec![]), Phase::Pending);
}

#[test]
fn a_problem_of_a_node_fails_the_zone_unless_it_speaks_of_an_older_form() {
    let problem =
        Some("backing topic orders does not exist on cluster default; create it or remove the alias");
    let current = zone_status(
        &zone(),
        CHANGED,
        [node("a", 7), NodeView { problem, ..node("b", 7) }],
        &ZoneReport::default(),
        NOW,
    );
    assert_eq!(current.phase, Phase::Failed);
    let reason = current.failed_reason.unwrap();
    assert!(reason.contains("orders") && reason.contains("node b"), "{reason}");
    let behind = zone_status(
        &zone(),
        CHANGED,
        [node("a", 7), NodeView { problem, ..node("b", 6) }],
        &ZoneReport::default(),
        NOW,
    );
    assert_eq!((behind.phase, behind.failed_reason), (Phase::Pending, None));
}

#[test]
fn a_broken_file_fails_the_zone_and_says_that_its_last_form_stays_in_force() {
    let bad = Problem {
        zone: None,
        code: "PZ0001".to_owned(),
        place: "zones/acme.yaml:3:1".to_owned(),
        message: "bad".to_owned(),
    };
    let status = zone_status(
        &zone(),
        CHANGED,
        [node("a", 7)],
        &ZoneReport { file_problem: Some(&bad), ..Default::default() },
        NOW,
    );
    assert_eq!(status.phase, Phase::Failed);
    for (kind, wanted) in
        [(ConditionKind::Valid, ConditionStatus::False), (ConditionKind::Stalled, ConditionStatus::True)]
    {
        assert_eq!(of(&status, kind).status, wanted, "{kind:?}");
    }
    let reason = status.failed_reason.unwrap();
    assert!(reason.starts_with("zones/acme.yaml:3:1") && reason.contains("last applied form"), "{reason}");
}

#[test]
fn whether_the_cluster_keeps_a_zone_apart_is_always_declared() {
    let condition = Condition::new(ConditionKind::SecondLock, ConditionStatus::True, "OwnPrincipal", "asked");
    let asked = LoginLock { condition, is_let_in: true };
    for (lock, wanted) in [
        (SecondLock::Shared, (ConditionStatus::False, "SharedIsolation")),
        (SecondLock::Pending, (ConditionStatus::False, "NoPrincipal")),
        (SecondLock::Own(None), (ConditionStatus::Unknown, "NotLooked")),
        (SecondLock::Own(Some(&asked)), (ConditionStatus::True, "OwnPrincipal")),
    ] {
        let report = ZoneReport { lock, ..ZoneReport::default() };
        let status = zone_status(&zone(), CHANGED, [node("a", 7)], &report, NOW);
        let lock = status.conditions.iter().find(|c| c.kind == ConditionKind::SecondLock).unwrap();
        assert_eq!((lock.status, lock.reason), wanted);
    }
    assert_eq!(ZoneReport::default().lock, SecondLock::Shared);
}

#[test]
fn a_zone_whose_login_is_in_a_file_fails_with_it_and_says_what_the_leader_found() {
    let told = |status, is_let_in| LoginLock {
        condition: Condition::new(ConditionKind::SecondLock, status, "FromTheLeader", "what it found"),
        is_let_in,
    };
    let (good, wide) = (told(ConditionStatus::True, true), told(ConditionStatus::False, true));
    let missing = told(ConditionStatus::False, false);
    for (lock, phase, status) in [
        (Some(&good), Phase::Ready, ConditionStatus::True),
        // It may too much: that is said, and nobody is cut off.
        (Some(&wide), Phase::Ready, ConditionStatus::False),
        (Some(&missing), Phase::Failed, ConditionStatus::False),
        (None, Phase::Ready, ConditionStatus::Unknown),
    ] {
        let report = ZoneReport { lock: SecondLock::FromFile(lock), ..ZoneReport::default() };
        let found = zone_status(&zone(), CHANGED, [node("a", 7)], &report, NOW);
        assert_eq!((found.phase, of(&found, ConditionKind::SecondLock).status), (phase, status), "{lock:?}");
    }
}

#[test]
fn a_file_problem_is_found_by_its_zone() {
    let problem = |zone: Option<&str>| Problem {
        zone: zone.map(|name| ZoneName::try_from(name).unwrap()),
        code: "PZ0012".to_owned(),
        place: "zones/acme.yaml:14:19".to_owned(),
        message: "unknown field".to_owned(),
    };
    let status =
        ControllerStatus { problems: vec![problem(None), problem(Some("acme"))], ..Default::default() };
    let acme = ZoneName::try_from("acme").unwrap();
    assert_eq!(
        status.file_problem(&acme).unwrap().to_string(),
        "zones/acme.yaml:14:19: PZ0012 unknown field"
    );
    assert_eq!(status.file_problem(&ZoneName::try_from("other").unwrap()), None);
}

fn of(status: &ZoneStatus, kind: ConditionKind) -> &Condition {
    status.conditions.iter().find(|condition| condition.kind == kind).unwrap()
}

#[test]
fn what_keeps_a_zone_from_its_file_shows_in_the_condition_it_belongs_to() {
    use ConditionKind::{Drifted, GuardBlocked, Ready, Reconciling, Stalled, Suspended, Valid};
    use ConditionStatus::{False, True};
    let acme = zone().name;
    let at = datetime!(2026-11-22 10:00 UTC);
    let held = || Pending::Held(Held { reason: "Suspended", message: "why".to_owned() });
    let asked = |by: &str| Asked { by: by.to_owned(), at, reason: "an incident".to_owned() };
    let seen = Seen { revision: Revision::commit("main", "8c1f"), at };
    for (pending, is_drifted, suspended_by, wanted) in [
        (None, false, None, vec![(Reconciling, True), (Stalled, False), (Drifted, False)]),
        (
            Some(Pending::Refused("4 of 10".to_owned())),
            false,
            None,
            vec![(GuardBlocked, True), (Stalled, True)],
        ),
        (
            Some(Pending::Failed("denied".to_owned())),
            false,
            None,
            vec![(Reconciling, True), (Stalled, False)],
        ),
        (Some(held()), true, Some("k1"), vec![(Drifted, True), (Suspended, True), (Stalled, False)]),
        (Some(held()), true, Some(BY_CONTROLLER), vec![(Drifted, True), (Suspended, True), (Stalled, True)]),
    ] {
        let controller = ControllerStatus {
            last_attempted: Some(seen.clone()),
            zones: BTreeMap::from([(acme.clone(), Progress { pending: pending.clone(), is_drifted })]),
            ..ControllerStatus::default()
        };
        let mut controls = Controls::default();
        controls.suspended.extend(suspended_by.map(|by| (Scope::Zone(acme.clone()), asked(by))));
        let report = controller.report_of(&acme, &controls);
        let status = zone_status(&zone(), CHANGED, [node("a", 7)], &report, NOW);
        for (kind, wanted) in wanted.into_iter().chain([(Ready, True), (Valid, True)]) {
            assert_eq!(of(&status, kind).status, wanted, "{kind:?} of {pending:?}");
        }
        let other = ZoneName::try_from("other").unwrap();
        let report = controller.report_of(&other, &controls);
        let status = zone_status(&zone(), CHANGED, [node("a", 7)], &report, NOW);
        for kind in [Reconciling, Stalled, Drifted, GuardBlocked, Suspended] {
            assert_eq!(of(&status, kind).status, False, "{kind:?} of another zone");
        }
    }
}

#[test]
fn a_condition_keeps_its_time_until_its_status_changes() {
    let ready = |status| Condition::new(ConditionKind::Ready, status, "Reason", "");
    let (first, second) = (datetime!(2026-11-22 10:00 UTC), datetime!(2026-11-22 11:00 UTC));
    let last = [ready(ConditionStatus::True).since_last(&[], first)];
    assert_eq!(ready(ConditionStatus::True).since_last(&last, second).since, Some(first));
    assert_eq!(ready(ConditionStatus::False).since_last(&last, second).since, Some(second));
}
