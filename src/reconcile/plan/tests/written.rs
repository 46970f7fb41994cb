//! The plan as programs read it and as its digest sees it, to the byte: people keep both, in pipelines and in files.

use super::*;

/// Every kind of change, and text that needs escaping.
fn of_everything() -> Plan {
    let described = |name: &str, display: &str| PartnerZone {
        display_name: Some(display.to_owned()),
        description: Some("a \"quoted\" line,\nthen another: \u{e4}\u{1f511}\u{1}".to_owned()),
        ..zone(name, &[ORDERS, BILLS])
    };
    let (read, write) = (("in", "t", "READ"), ("out", "t", "PRODUCE"));
    let before =
        [described("acme", "Acme"), zone("beta", &[read, write]), zone("gone", &[ORDERS]), zone("same", &[])];
    let moved = [("purchases", "orders-v1", "READ"), ("bills", "bills-v1", "READ")];
    let mut acme = described("acme", "Acme Corp");
    acme.topics = zone("acme", &moved).topics;
    let after = [acme, zone("beta", &[write, read]), zone("new", &[ORDERS]), zone("same", &[])];
    let user = |value: &str| json!({"user": "partner-zones.acme", "credentials": {"SCRAM-SHA-512": value}});
    let rights = json!({"resourceType": "topic", "name": "bills-v1", "operations": ["READ", "DESCRIBE"]});
    let acme = || ZoneName::try_from("acme").unwrap();
    let line = |address, action, before: Option<Value>, after: Option<Value>| Change {
        address,
        action,
        before: before.map(Into::into),
        after: after.map(Into::into),
        source: None,
        origin: Origin::Drift,
    };
    let acl =
        Address::Acl { zone: acme(), cluster: "home".try_into().unwrap(), name: "topic/bills-v1".into() };
    let backing = [
        line(Address::Principal(acme()), Action::Update, Some(user("other")), Some(user("ours"))),
        line(acl, Action::Create, None, Some(rights)),
    ];
    let (wanted, in_force) = (desired("two", &after), observed("one", &before));
    plan(&wanted, &in_force, &Terms { backing: &backing, ..Terms::default() })
}

#[test]
fn the_form_for_programs_does_not_change_by_a_byte() {
    let json = of_everything().to_json();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("plan", serde_json::to_string_pretty(&json).unwrap());
    });
}

#[test]
fn the_digest_does_not_change_by_a_byte() {
    let plan = of_everything();
    assert_eq!(plan.digest, "sha256:26f905827d930644dfd133b09c8491a7d8dad1d5dbd82dd90225c45d2bd0f010");
    let offline = digest::offline("tree", &plan.changes);
    assert_eq!(offline, "sha256:b1bfdd840d3e9335b5d441fb21855effa53804447d421f9a80d1b8874c33eb8e");
}
