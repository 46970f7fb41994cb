//! What Conduktor's command line and Terraform provider are answered, beside what `/api/v1` answers.

use super::roles::{owner, put};
use super::writes::{body, exchange, written};
use super::*;
use crate::zone::Effect;

const ZONES: &str = "/public/console/v2/partner-zone";

/// Sends a zone as their command line does.
fn upsert(node: &Node, key: &str, query: &str, body: String) -> RequestBuilder {
    let request = node.request(Method::PUT, &format!("{ZONES}{query}"), key);
    request.header("content-type", "text/plain; charset=utf-8").body(body)
}

#[tokio::test]
async fn a_zone_that_is_there_keeps_its_id_whether_its_new_form_is_in_force_or_not() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    let mut node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let (_, there) = node.get(&format!("{ZONES}/acme"), &admin).await;
    assert_eq!(there["metadata"]["id"].as_str().unwrap().len(), 36, "{there}");
    let dry_run = Written { commit: None, ..written(false) };
    for (query, outcome) in [("?dryMode=true", dry_run), ("", written(true))] {
        let proposal = outcome.commit.as_ref().map(|commit| json!(commit.reference));
        let request = upsert(&node, &admin, query, body("another form"));
        let (_, answer) = exchange(&mut node.writing, request, Ok(outcome)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let answer: Value = answer.json().await.unwrap();
        let metadata = &answer["resource"]["metadata"];
        assert_eq!(
            (&metadata["id"], &metadata["updatedAt"]),
            (&there["metadata"]["id"], &there["metadata"]["updatedAt"]),
            "{answer}"
        );
        assert_eq!(answer["resource"]["spec"]["description"], "another form");
        assert_eq!((&answer["upsertResult"], answer.get("proposal")), (&json!("UPDATED"), proposal.as_ref()));
    }
}

#[tokio::test]
async fn a_deletion_that_is_proposed_is_not_said_to_be_done() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    let mut node = Node::start("n1", store).await;
    for (is_proposal, status) in [(true, StatusCode::ACCEPTED), (false, StatusCode::NO_CONTENT)] {
        let request = node.request(Method::DELETE, &format!("{ZONES}/acme"), &admin);
        let outcome = Written { effect: Effect::Deleted, version: None, ..written(is_proposal) };
        let (_, answer) = exchange(&mut node.writing, request, Ok(outcome)).await;
        assert_eq!(answer.status(), status);
        let text = answer.text().await.unwrap();
        if is_proposal {
            let told: Value = serde_json::from_str(&text).unwrap();
            assert!(told["msg"].as_str().unwrap().contains("refs/heads/partner-zones/acme-1"), "{told}");
            assert!(told["title"].is_string() && told["cause"].is_string(), "{told}");
        }
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_in_their_form() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let node = Node::start("n1", store).await;
    let answer = upsert(&node, &admin, "", "x".repeat((1 << 20) + 1)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(answer.headers()["content-type"], "application/json");
    let told: Value = answer.json().await.unwrap();
    assert!(told["msg"].as_str().unwrap().contains("1 MiB") && told["cause"].is_string(), "{told}");
}

#[tokio::test]
async fn a_secret_is_given_where_it_is_enough_and_stays_in_no_memory() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    put_zone(&*store, "scram", "SCRAM").await;
    heartbeat(&*store, EVERYTHING).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let generate = |zone: &str| {
        let path = format!("/public/partner-zone/v2/{zone}/generate-credentials");
        let request = node.request(Method::POST, &path, &admin).header("content-type", "application/json");
        request.body("null").send()
    };
    let answer = generate("acme").await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert!(answer.json::<Value>().await.unwrap().is_string());
    let refused = generate("scram").await.unwrap();
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    let told: Value = refused.json().await.unwrap();
    let hint = "reconciler credentials issue scram";
    assert!(told["msg"].as_str().unwrap().contains(hint), "{told}");
    let state = store.state().borrow().clone().unwrap();
    assert!(state.credentials.values().all(|it| it.zone.as_str() == "acme") && state.credentials.len() == 1);
}

#[tokio::test]
async fn an_owner_of_a_part_is_told_why_there_is_no_client_file_for_them() {
    let store = memory_store();
    let shared = |backing: &str| json!({"name": backing, "backingTopic": backing, "permission": "READ"});
    put(&*store, "whole", json!({"topics": [shared("sales.orders")]})).await;
    put(&*store, "part", json!({"topics": [shared("sales.orders"), shared("finance.ledger")]})).await;
    heartbeat(&*store, EVERYTHING).await;
    let key = key_of(&*store, owner(&["sales.*"])).await;
    let node = Node::start("n1", store).await;
    for (zone, status) in
        [("whole", StatusCode::OK), ("part", StatusCode::FORBIDDEN), ("none", StatusCode::NOT_FOUND)]
    {
        let (answered, told) = node.get(&format!("{ZONES}/{zone}/kafka-configuration"), &key).await;
        assert_eq!(answered, status, "{zone}: {told}");
    }
}
