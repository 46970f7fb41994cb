use serde_json::json;

use super::*;

/// A valid document with some values replaced.
fn with(changes: &[(&str, Value)]) -> Vec<(Code, String)> {
    let mut document = json!({
        "apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": "acme"},
        "spec": {
            "cluster": "gateway", "serviceAccount": "acme",
            "topics": [
                {"name": "a", "backingTopic": "x", "permission": "READ"},
                {"name": "b", "backingTopic": "y", "permission": "WRITE"},
            ],
        },
    });
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Array(items) => items.push(value.clone()),
            object => object[key] = value.clone(),
        }
    }
    let reading = read(&document);
    let errors = reading.faults.iter().filter(|fault| fault.finding.is_error()).count();
    assert_eq!(reading.zone.is_some(), errors == 0, "{:?}", reading.faults);
    let mut faults: Vec<_> =
        reading.faults.into_iter().map(|fault| (fault.finding.code, fault.pointer)).collect();
    faults.sort();
    faults
}

/// One change, one fault.
fn one(pointer: &str, value: Value) -> (Code, String) {
    let faults = with(&[(pointer, value)]);
    assert_eq!(faults.len(), 1, "{pointer}: {faults:?}");
    faults[0].clone()
}

#[test]
fn a_valid_document_has_no_faults() {
    assert_eq!(with(&[]), []);
}

fn add(headers: &[(&str, &str)]) -> Value {
    let header = |(key, value): &(&str, &str)| json!({"key": key, "value": value, "overrideIfExists": true});
    json!({"addOnProduce": headers.iter().map(header).collect::<Vec<_>>()})
}

#[test]
fn a_text_with_a_control_character_is_a_fault_whatever_its_field() {
    for (pointer, value) in [
        ("/metadata/labels", json!({"a": "x\u{0}"})),
        ("/metadata/labels", json!({"a\u{7}": "x"})),
        ("/spec/displayName", json!("\u{1b}[31mred")),
        ("/spec/description", json!("\u{9b}31mred")),
    ] {
        let (found, at) = one(pointer, value);
        assert_eq!(found, Code::ControlCharacter, "{pointer}");
        assert!(at.starts_with(pointer), "{pointer} is reported at {at}");
    }
}

#[test]
fn each_mistake_in_a_field_is_one_fault_at_that_field() {
    for (pointer, value, code) in [
        ("/apiVersion", json!("v1"), Code::UnknownValue),
        ("/metadata/name", json!("Acme"), Code::InvalidName),
        ("/metadata/name", json!(""), Code::InvalidName),
        ("/metadata/name", json!(".."), Code::InvalidName),
        ("/metadata/labels", json!({"a": 1}), Code::QuoteNeeded),
        ("/metadata/labels", json!({"<<": "a"}), Code::InvalidValue),
        ("/spec/cluster", json!(""), Code::InvalidValue),
        ("/spec/cluster", json!(null), Code::WrongType),
        ("/spec/underlyingCluster", json!("a b"), Code::InvalidName),
        ("/spec/url", json!("javascript:alert(1)"), Code::InvalidValue),
        ("/spec/serviceAccount", json!("pz0123456789abcdef"), Code::InvalidName),
        ("/spec/topics", json!("a"), Code::WrongType),
        ("/spec/serviceAccount", json!("mu\u{308}ller"), Code::NotComposed),
        ("/spec/consumerGroups", json!([{"name": "a", "backingGroup": "cafe\u{301}"}]), Code::NotComposed),
        ("/spec/topics/0/permission", json!("write"), Code::UnknownValue),
        ("/spec/topics/0/permission", json!(1), Code::QuoteNeeded),
        ("/spec/topics/0/name", json!(123), Code::QuoteNeeded),
        ("/spec/topics/0/name", json!("a b"), Code::InvalidName),
        ("/spec/topics/0/name", json!("a".repeat(250)), Code::InvalidName),
        ("/spec/topics/0/backingTopic", json!("__consumer_offsets"), Code::InternalTopic),
        ("/spec/topics/0/backingTopic", json!("_partner-zones.state"), Code::InternalTopic),
        ("/spec/topics/0/replay", json!({"maxAge": "1 week"}), Code::InvalidValue),
        ("/spec/topics/0/replay", json!({}), Code::InvalidValue),
        ("/spec/topics/0/replay", json!({"maxAge": "7d", "from": "latest"}), Code::InvalidValue),
        ("/spec/topics/0/replay", json!({"maxage": "7d"}), Code::UnknownField),
        ("/spec/topics/0/deprecated", json!({"until": "tomorrow"}), Code::InvalidValue),
        (
            "/spec/topics/0/deprecated",
            json!({"until": "2027-01-01T00:00:00Z", "replacedBy": "a"}),
            Code::UnknownReplacement,
        ),
        ("/spec/access", json!({"allowedCidrs": ["10.0.0.1/8"]}), Code::InvalidValue),
        (
            "/spec/access",
            json!({"validFrom": "2027-01-01T00:00:00Z", "validUntil": "2027-01-01T00:00:00Z"}),
            Code::EmptyValidity,
        ),
        ("/spec/trafficControlPolicies", json!({"maxProduceRate": 0}), Code::InvalidValue),
        ("/spec/trafficControlPolicies", json!({"maxProduceRate": "1MB"}), Code::WrongType),
        ("/spec/trafficControlPolicies", json!({"maxProduceRate": 1.5}), Code::WrongType),
        // Whole numbers to JSON Schema: without a fault of their own the limits would be lost without a word.
        ("/spec/trafficControlPolicies", json!({"maxProduceRate": 1e3}), Code::WrongType),
        ("/spec/trafficControlPolicies", json!({"maxProduceRate": 1e30}), Code::WrongType),
        ("/spec/headers", json!({"removeOnConsume": [{"keyRegex": "(a"}]}), Code::UnusablePattern),
        ("/spec/headers", json!({"removeOnConsume": [{"keyRegex": "a(?=b)"}]}), Code::UnusablePattern),
        ("/spec/headers", json!({"removeOnConsume": [{"keyRegex": ""}]}), Code::InvalidValue),
        ("/spec/headers", add(&[("a", "{{uuid}}")]), Code::UnknownTemplate),
        ("/spec/headers", add(&[("a", "1"), ("b", "2"), ("a", "3")]), Code::DuplicateHeader),
        ("/spec/headers", add(&[("a\u{7}", "")]), Code::InvalidName),
        ("/spec/headers", add(&[("", "")]), Code::InvalidValue),
        ("/spec/headers", json!({"addOnProduce": [{"key": "a", "value": "b"}]}), Code::MissingField),
        (
            "/spec/consumerGroups",
            json!([{"name": "a", "backingGroup": "x"}, {"name": "b", "backingGroup": "x"}]),
            Code::DuplicateGroup,
        ),
        ("/spec/consumerGroups", json!([{"name": "a", "backingGroup": "other:a"}]), Code::ReservedGroup),
        (
            "/spec/consumerGroups",
            json!([{"name": "a", "backingGroup": "_partner-zones.leader"}]),
            Code::ReservedGroup,
        ),
        ("/spec/partner", json!({"role": "analyst"}), Code::MissingField),
    ] {
        let shown = value.to_string();
        let (found, at) = one(pointer, value);
        assert_eq!(found, code, "{pointer}: {shown}");
        assert!(at.starts_with(pointer), "{pointer}: {shown} is reported at {at}");
    }
}

#[test]
fn a_composed_name_of_any_script_is_fine() {
    assert_eq!(with(&[("/spec/serviceAccount", json!("m\u{fc}ller"))]), []);
}

#[test]
fn several_faults_in_several_parts_are_reported_together() {
    let faults = with(&[
        ("/metadata/name", json!("A")),
        ("/spec/topics/0/permission", json!("read")),
        ("/spec/topics/-", json!({"name": "b", "backingTopic": "z", "permission": "READ"})),
        ("/spec/bogus", json!(1)),
    ]);
    let codes: Vec<_> = faults.into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [Code::UnknownField, Code::UnknownValue, Code::InvalidName, Code::DuplicateAlias]);
}

#[test]
fn a_misspelt_field_is_not_also_missing() {
    let topic = json!({"name": "c", "backingTopic": "z", "permision": "READ"});
    assert_eq!(with(&[("/spec/topics/-", topic)]), [(Code::UnknownField, "/spec/topics/2/permision".into())]);
}

#[test]
fn a_second_writable_alias_is_refused_and_a_second_readable_one_noted() {
    let topic = |permission: &str| json!({"name": "c", "backingTopic": "y", "permission": permission});
    assert_eq!(
        one("/spec/topics/-", topic("PRODUCE")),
        (Code::TwoWritableAliases, "/spec/topics/2/permission".into())
    );
    assert_eq!(
        one("/spec/topics/-", topic("READ")),
        (Code::TwoAliases, "/spec/topics/2/backingTopic".into())
    );
}

#[test]
fn metadata_that_a_server_filled_in_is_noted_and_ignored() {
    let faults = with(&[
        ("/metadata/id", json!("332b30cd-7bda-4659-b1c1-39986986f0bd")),
        ("/metadata/status", json!("READY")),
        ("/metadata/updatedAt", json!("2025-01-27T12:55:05Z")),
        ("/metadata/failedReason", json!(null)),
    ]);
    assert_eq!(faults.iter().filter(|(code, _)| *code == Code::ReadOnlyField).count(), 4);
}

#[test]
fn a_zone_without_topics_is_a_warning() {
    assert_eq!(one("/spec/topics", json!([])), (Code::NothingShared, "/spec/topics".into()));
}

#[test]
fn authentication_is_required_in_one_of_its_spellings() {
    let document = json!({
        "apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": "acme"},
        "spec": {"cluster": "gateway", "topics": [{"name": "a", "backingTopic": "x", "permission": "READ"}]},
    });
    let faults = read(&document).faults;
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].finding.code, faults[0].pointer.as_str()), (Code::MissingField, "/spec"));
    let other = json!({"type": "PLAIN", "serviceAccount": "other"});
    assert_eq!(
        one("/spec/authenticationMode", other),
        (Code::TwoServiceAccounts, "/spec/serviceAccount".into())
    );
}
