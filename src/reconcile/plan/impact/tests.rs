use serde_json::json;

use super::*;
use crate::store::{Heartbeat, ZoneUsage};

fn node(name: &str, clients: u64, topics: &[(&str, u64)]) -> Heartbeat {
    let topics = topics.iter().map(|(alias, number)| ((*alias).to_owned(), *number)).collect();
    Heartbeat {
        node: name.to_owned(),
        usage: [("acme".to_owned(), ZoneUsage { clients, topics })].into(),
        ..crate::store::samples::heartbeat(name, 1)
    }
}

fn connected() -> Connected {
    let nodes = [node("one", 2, &[("orders", 2)]), node("two", 3, &[("orders", 1), ("bills", 1)])];
    Connected::of(&nodes.map(|node| (node.node.clone(), node)).into())
}

fn topic(name: &str, permission: &str, backing: &str) -> Value {
    json!({"name": name, "permission": permission, "backingTopic": backing})
}

fn zone(spec: &Value) -> Value {
    json!({"metadata": {"name": "acme"}, "spec": spec})
}

/// What is said of one change; nothing if nobody notices.
fn said(
    alias: Option<&str>,
    action: Action,
    before: impl Into<Option<Value>>,
    after: impl Into<Option<Value>>,
) -> String {
    let zone: ZoneName = "acme".try_into().unwrap();
    let address = match alias {
        Some(alias) => Address::Topic { zone, alias: alias.try_into().unwrap() },
        None => Address::Zone(zone),
    };
    let change = Change {
        address,
        action,
        before: before.into().map(Form::from),
        after: after.into().map(Form::from),
        source: None,
        origin: super::super::Origin::Change,
    };
    of(&[change], &connected()).into_values().next().map(|impact| impact.message).unwrap_or_default()
}

#[test]
fn clients_of_all_nodes_that_lose_something_are_counted() {
    let orders = || topic("orders", "WRITE", "orders-v1");
    let bills = || topic("bills", "WRITE", "bills-v1");
    for (said, wanted) in [
        (said(Some("orders"), Action::Delete, orders(), None), "3 connected clients lose `orders`"),
        (said(Some("bills"), Action::Delete, bills(), None), "1 connected client loses `bills`"),
        (
            said(Some("purchases"), Action::Move, orders(), topic("purchases", "WRITE", "orders-v1")),
            "3 connected clients lose `orders`, which is called `purchases` from then on",
        ),
        (
            said(Some("orders"), Action::Update, orders(), topic("orders", "READ", "orders-v1")),
            "3 connected clients may no longer write to `orders`",
        ),
        (
            said(Some("orders"), Action::Update, orders(), topic("orders", "PRODUCE", "orders-v1")),
            "3 connected clients may no longer read `orders`",
        ),
        (
            said(Some("orders"), Action::Update, orders(), topic("orders", "WRITE", "orders-v2")),
            "3 connected clients get another topic behind `orders`",
        ),
        (said(None, Action::Delete, zone(&json!({})), None), "5 connected clients are cut off"),
        (
            said(
                None,
                Action::Update,
                zone(&json!({})),
                zone(&json!({"access": {"allowedCidrs": ["10.0.0.0/8"]}})),
            ),
            "5 connected clients may be cut off: the zone's access changes",
        ),
    ] {
        assert_eq!(said, wanted);
    }
}

#[test]
fn what_nobody_notices_is_not_said() {
    let read = || topic("orders", "READ", "orders-v1");
    for said in [
        said(Some("orders"), Action::Create, None, read()),
        said(Some("orders"), Action::Update, read(), topic("orders", "WRITE", "orders-v1")),
        said(Some("unused"), Action::Delete, topic("unused", "READ", "x"), None),
        said(None, Action::Update, zone(&json!({"displayName": "a"})), zone(&json!({"displayName": "b"}))),
    ] {
        assert_eq!(said, "");
    }
}

#[test]
fn a_heartbeat_that_could_not_hold_it_all_makes_it_at_least() {
    let nodes = [Heartbeat { usage_is_partial: true, ..node("one", 2, &[]) }];
    let connected = Connected::of(&nodes.map(|node| (node.node.clone(), node)).into());
    let zone: ZoneName = "acme".try_into().unwrap();
    let change = Change {
        address: Address::Zone(zone),
        action: Action::Delete,
        before: Some(json!({}).into()),
        after: None,
        source: None,
        origin: super::super::Origin::Change,
    };
    let impact = of(&[change], &connected).into_values().next().unwrap();
    assert_eq!(impact.message, "at least 2 connected clients are cut off");
}
