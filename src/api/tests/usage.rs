//! What partners used, as every node tells it.

use super::*;
use crate::store::Place;
use crate::zone::usage::{ClientUsage, TopicUsage, Usage, Volume};
use crate::zone::{GroupLag, Month, ZoneLag, ZoneName};

async fn used(store: &dyn Store, zone: &str, month: Month, source: &str, bytes: u64) {
    let produced = Volume { bytes, records: 1 };
    let last_seen = Some(OffsetDateTime::UNIX_EPOCH);
    let topic = TopicUsage { produced, last_seen, ..TopicUsage::default() };
    let client = ClientUsage { produced, requests: 1, last_seen, ..ClientUsage::default() };
    let usage = Usage {
        topics: [("orders".to_owned(), topic)].into(),
        credentials: [("pz1".to_owned(), client)].into(),
    };
    let place = Place { zone: ZoneName::try_from(zone).unwrap(), month, source: source.to_owned() };
    store.record_usage(place, Arc::new(usage)).await.unwrap();
}

#[tokio::test]
async fn a_month_is_told_in_total_and_apart_by_the_leader_and_by_others_alike() {
    let store = memory_store();
    let viewer = key_of(&*store, ApiKeyRole::Viewer).await;
    put_zone(&*store, "acme", "PLAIN").await;
    let now = super::super::usage::this_month();
    let october: Month = "2025-10".parse().unwrap();
    used(&*store, "acme", now, "g1/a", 10).await;
    used(&*store, "acme", now, "g2/b", 5).await;
    used(&*store, "acme", october, "g1/a", 100).await;
    used(&*store, "gone", october, "g1/a", 1_000).await;
    let leader = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let follower = Node::start("n2", Follower::of(store.clone(), Some(("n1", leader.address)))).await;
    for node in [&leader, &follower] {
        let (status, shown) = node.get("/api/v1/zones/acme/usage", &viewer).await;
        assert_eq!(status, StatusCode::OK);
        let client = json!({
            "produced": {"bytes": 15, "records": 2}, "consumed": {"bytes": 0, "records": 0}, "requests": 2,
            "commits": 0, "connections": 0, "throttledMs": 0, "lastSeen": "1970-01-01T00:00:00Z",
        });
        assert_eq!(shown["total"], client);
        assert_eq!((&shown["zone"], &shown["month"]), (&json!("acme"), &json!(now.to_string())));
        assert_eq!(shown["months"], json!(["2025-10", now.to_string()]));
        assert_eq!(shown["topics"][0]["name"], "orders");
        assert_eq!(shown["topics"][0]["produced"]["bytes"], 15);
        assert_eq!(shown["credentials"][0]["name"], "pz1");

        let (_, shown) = node.get("/api/v1/zones/gone/usage?month=2025-10", &viewer).await;
        assert_eq!(shown["total"]["produced"]["bytes"], 1_000, "a zone that is gone is still to be billed");
        let (_, all) = node.get("/api/v1/usage?month=2025-10", &viewer).await;
        let zones: Vec<_> =
            all["items"].as_array().unwrap().iter().map(|item| item["zone"].clone()).collect();
        assert_eq!(zones, ["acme", "gone"]);
        let (_, csv) = node.get("/api/v1/usage?month=2025-10&format=csv", &viewer).await;
        assert!(csv.as_str().unwrap().contains("\r\n2025-10,gone,total,,1000,1,0,0,1,0,0,0.000,"), "{csv}");
        let asked =
            node.request(Method::GET, "/api/v1/zones/acme/usage", &viewer).header("accept", "text/csv");
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8; header=present");
        assert!(answer.text().await.unwrap().contains(",acme,credential,pz1,15,2,"));
    }
}

#[tokio::test]
async fn what_is_no_month_no_form_or_no_zone_is_refused() {
    let store = memory_store();
    let viewer = key_of(&*store, ApiKeyRole::Viewer).await;
    put_zone(&*store, "acme", "PLAIN").await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    for (path, wanted) in [
        ("zones/acme/usage?month=2026-13", StatusCode::BAD_REQUEST),
        ("zones/acme/usage?months=2026-11", StatusCode::BAD_REQUEST),
        ("usage?month=2026-11&format=xml", StatusCode::BAD_REQUEST),
        ("zones/none/usage", StatusCode::NOT_FOUND),
        ("zones?include=secrets", StatusCode::BAD_REQUEST),
        ("zones/acme/usage?month=2026-11", StatusCode::OK),
    ] {
        let (status, problem) = node.get(&format!("/api/v1/{path}"), &viewer).await;
        assert_eq!(status, wanted, "{path}");
        assert!(wanted == StatusCode::OK || problem["detail"].is_string(), "{path}: {problem}");
    }
    assert_eq!(node.get("/api/v1/usage", "").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_zones_status_has_the_months_usage_and_a_list_only_if_asked() {
    let store = memory_store();
    let viewer = key_of(&*store, ApiKeyRole::Viewer).await;
    put_zone(&*store, "acme", "PLAIN").await;
    put_zone(&*store, "idle", "PLAIN").await;
    let now = super::super::usage::this_month();
    used(&*store, "acme", now, "g1/a", 10).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let (_, zone) = node.get("/api/v1/zones/acme", &viewer).await;
    let usage = &zone["status"]["usage"];
    assert_eq!((&usage["produced"]["bytes"], &usage["month"]), (&json!(10), &json!(now.to_string())));
    assert_eq!(usage["lag"], Value::Null, "nobody has looked");
    let group = GroupLag { group: "g".to_owned(), topic: "orders".to_owned(), lag: 7, partitions: 2 };
    let lag = Some(Arc::new(ZoneLag::new(vec![group], false)));
    store.record_lag(ZoneName::try_from("acme").unwrap(), lag).await.unwrap();
    let (_, shown) = node.get("/api/v1/zones/acme/usage", &viewer).await;
    assert_eq!((&shown["lag"], &shown["groups"][0]["group"]), (&json!(7), &json!("g")));
    let (_, zones) = node.get("/api/v1/zones", &viewer).await;
    assert_eq!(zones["items"][0]["status"]["usage"], Value::Null);
    let (_, zones) = node.get("/api/v1/zones?include=usage", &viewer).await;
    let bytes: Vec<_> = zones["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|zone| zone["status"]["usage"]["produced"]["bytes"].clone())
        .collect();
    assert_eq!(bytes, [10, 0]);
    assert_eq!(zones["items"][0]["status"]["usage"]["lag"], 7);
}
