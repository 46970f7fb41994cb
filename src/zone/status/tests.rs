use super::*;
use crate::zone::sample;

fn zone() -> PartnerZone {
    sample::zone("acme", Vec::new())
}

fn node(node: &str, serving: u64) -> NodeView<'_> {
    NodeView { node, serving: Sequence(serving), problem: None }
}

const CHANGED: Sequence = Sequence(7);

#[test]
fn a_zone_is_ready_only_when_every_live_node_serves_its_last_change() {
    let status = |nodes: Vec<NodeView<'static>>| zone_status(&zone(), CHANGED, nodes, None).phase;
    assert_eq!(status(vec![node("a", 7), node("b", 9)]), Phase::Ready);
    assert_eq!(status(vec![node("a", 7), node("b", 6)]), Phase::Pending);
    assert_eq!(status(vec![]), Phase::Pending);
}

#[test]
fn a_problem_of_a_node_fails_the_zone_unless_it_speaks_of_an_older_form() {
    let problem =
        Some("backing topic orders does not exist on cluster default; create it or remove the alias");
    let current = zone_status(&zone(), CHANGED, [node("a", 7), NodeView { problem, ..node("b", 7) }], None);
    assert_eq!(current.phase, Phase::Failed);
    let reason = current.failed_reason.unwrap();
    assert!(reason.contains("orders") && reason.contains("node b"), "{reason}");
    let behind = zone_status(&zone(), CHANGED, [node("a", 7), NodeView { problem, ..node("b", 6) }], None);
    assert_eq!((behind.phase, behind.failed_reason), (Phase::Pending, None));
}

#[test]
fn a_protection_that_is_not_built_fails_the_zone_even_without_a_node() {
    let mut zone = zone();
    zone.access.allowed_cidrs = vec!["10.0.0.0/8".to_owned()];
    let status = zone_status(&zone, CHANGED, [], None);
    assert_eq!(status.phase, Phase::Failed);
    assert!(status.failed_reason.unwrap().contains("needs a later version: spec.access"));
}

#[test]
fn a_broken_file_fails_the_zone_and_says_that_its_last_form_stays_in_force() {
    let status = zone_status(&zone(), CHANGED, [node("a", 7)], Some("zones/acme.yaml:3:1: PZ0001 bad"));
    assert_eq!(status.phase, Phase::Failed);
    let reason = status.failed_reason.unwrap();
    assert!(reason.starts_with("zones/acme.yaml:3:1") && reason.contains("last applied form"), "{reason}");
}

#[test]
fn shared_isolation_is_always_declared() {
    let status = zone_status(&zone(), CHANGED, [node("a", 7)], None);
    let lock = status.conditions.iter().find(|c| c.kind == ConditionKind::SecondLock).unwrap();
    assert_eq!(lock.status, ConditionStatus::False);
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
    assert_eq!(status.file_problem(&acme).unwrap(), "zones/acme.yaml:14:19: PZ0012 unknown field");
    assert_eq!(status.file_problem(&ZoneName::try_from("other").unwrap()), None);
}
