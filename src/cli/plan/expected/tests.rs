use super::super::tests::{manifest, planned, topic};
use super::*;

const FILE: &str = "zones/acme.yaml";

fn plan_with(topics: &str) -> Plan {
    let before = manifest("acme", "Acme", &topic("orders", "orders-v1", "READ"));
    planned(&[(FILE, before)], &[(FILE, manifest("acme", "Acme", topics))]).0
}

fn written(plan: &Plan) -> Expected {
    Expected::of_json(plan.to_json().to_string().as_bytes()).unwrap()
}

#[test]
fn the_same_plan_has_no_difference() {
    let plan = plan_with(&topic("orders", "orders-v1", "WRITE"));
    assert_eq!(written(&plan).difference(&plan), None);
    assert_eq!(Expected::parse(&plan.digest).unwrap().difference(&plan), None);
}

#[test]
fn what_differs_is_named_where_the_expected_plan_is_at_hand() {
    let expected = plan_with(&(topic("orders", "orders-v1", "WRITE") + &topic("old", "old-v1", "READ")));
    let now = plan_with(&(topic("orders", "orders-v2", "READ") + &topic("new", "new-v1", "READ")));
    let text = written(&expected).difference(&now).unwrap();
    for line in ["the changes are the same", "the files are others", "other zones are in force"] {
        assert!(!text.contains(line), "{line} in {text}");
    }
    for line in [
        "no longer: create zone/acme/topic/old",
        "not expected: create zone/acme/topic/new",
        "otherwise than expected: update zone/acme/topic/orders",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let bare = Expected::parse(&expected.digest).unwrap().difference(&now).unwrap();
    assert!(bare.contains(&expected.digest) && bare.contains(&now.digest) && bare.contains("--output json"));
}

#[test]
fn other_files_and_other_zones_in_force_are_told_apart_with_both_values() {
    let acme = |topics: &str| (FILE, manifest("acme", "Acme", topics));
    let orders = topic("orders", "orders-v1", "READ");
    let (mut looked_at, _) = planned(&[acme(&orders)], &[acme(&orders)]);
    let (now, _) = planned(&[], &[acme(&orders)]);
    let text = written(&looked_at).difference(&now).unwrap();
    assert!(
        text.contains("other zones are in force: 0 (sha256:") && text.contains("expected were 1 (sha256:"),
        "{text}"
    );
    assert!(!text.contains("the files are others"), "{text}");
    looked_at.tree = "sha256:0ld".to_owned();
    looked_at.digest = format!("sha256:{}", "0".repeat(64));
    let (same, _) = planned(&[acme(&orders)], &[acme(&orders)]);
    let text = written(&looked_at).difference(&same).unwrap();
    assert!(
        text.contains("the files are others: dir@sha256:8c1f (tree sha256:8c1f); expected was"),
        "{text}"
    );
    assert!(text.contains("(tree sha256:0ld)") && text.contains("the changes are the same"), "{text}");
    assert!(text.contains("next: "), "{text}");
}

#[test]
fn what_is_no_plan_is_wrong_usage() {
    for text in ["sha256:1", "sha256:", "no-such-file", "Cargo.toml"] {
        assert!(Expected::parse(text).is_err(), "{text}");
    }
    assert!(Expected::of_json(br#"{"digest": "sha256:1", "changes": []}"#).is_none());
}

#[test]
fn a_plan_that_an_earlier_version_wrote_is_expected_by_its_digest() {
    let plan = plan_with(&topic("orders", "orders-v1", "WRITE"));
    let mut json = plan.to_json();
    let fields = json.as_object_mut().unwrap();
    fields.insert("formatVersion".to_owned(), "1.1".into());
    assert!(fields.remove("tree").is_some() && fields.remove("inForce").is_some());
    let expected = Expected::of_json(json.to_string().as_bytes()).unwrap();
    assert_eq!(expected.difference(&plan), None);
    let text = expected.difference(&plan_with("")).unwrap();
    assert!(text.contains(&plan.digest) && text.contains("--output json"), "{text}");
}
