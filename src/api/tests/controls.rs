//! What operators ask of the controller.

use super::*;
use crate::zone::{Scope, ZoneName};

const COMMIT: &str = "8c1f00000000000000000000000000000000000f";

fn in_an_hour() -> String {
    crate::api::credentials::rfc3339(OffsetDateTime::now_utc() + time::Duration::hours(1))
}

#[tokio::test]
async fn what_is_asked_is_kept_with_who_and_why_shown_to_all_and_taken_back() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let viewer = key_of(&*store, ApiKeyRole::Viewer).await;
    put_zone(&*store, "acme", "PLAIN").await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let post = async |path: &str, body: Value| {
        node.send(Method::POST, &format!("/api/v1/controller/{path}"), &admin, Some(body)).await
    };
    for scope in ["all", "source", "zone/acme"] {
        let (status, shown) = post("suspend", json!({"scope": scope, "reason": "an incident"})).await;
        assert_eq!((status, &shown["scope"]), (StatusCode::CREATED, &json!(scope)), "{shown}");
    }
    let rollback = json!({"commit": COMMIT, "until": in_an_hour(), "reason": "bad release"});
    assert_eq!(post("rollback", rollback).await.0, StatusCode::CREATED);
    assert_eq!(post("accept", json!({"commit": COMMIT, "reason": "moved"})).await.0, StatusCode::CREATED);
    let (_, shown) = node.get("/api/v1/controller", &viewer).await;
    assert_eq!(shown["controls"]["suspended"][0]["reason"], "an incident", "{shown}");
    assert_eq!(shown["controls"]["suspended"].as_array().map(Vec::len), Some(3));
    let id = admin.split('_').nth(1).unwrap();
    assert_eq!((&shown["controls"]["rollback"]["by"], &shown["leading"]), (&json!(id), &json!(true)));
    assert_eq!(shown["controls"]["accepted"]["commit"], COMMIT);

    for scope in ["all", "source", "zone/acme"] {
        let body = json!({"scope": scope, "reason": "over"});
        assert_eq!(post("resume", body.clone()).await.0, StatusCode::NO_CONTENT);
        assert_eq!(post("resume", body).await.0, StatusCode::CONFLICT, "it is resumed already");
    }
    let path = "/api/v1/controller/rollback";
    let ended = node.send(Method::DELETE, path, &admin, Some(json!({"reason": "over"}))).await.0;
    assert_eq!(ended, StatusCode::NO_CONTENT);
    let controls = store.state().borrow().as_ref().unwrap().controls.clone();
    assert!(controls.suspended.is_empty() && controls.rollback.is_none());
    let events = store.audit_events();
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let wanted = ["suspended", "rolled-back", "history-accepted", "resumed", "rollback-ended"];
    assert!(
        wanted.iter().all(|it| kinds.contains(&format!("partner-zones.controller.{it}").as_str())),
        "{kinds:?}"
    );
    assert!(events.iter().all(|event| event["data"]["apiKey"] == *id && event["data"]["reason"].is_string()));
}

#[tokio::test]
async fn what_is_not_well_said_is_refused_and_changes_nothing() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let viewer = key_of(&*store, ApiKeyRole::Viewer).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let far = crate::api::credentials::rfc3339(OffsetDateTime::now_utc() + time::Duration::days(31));
    for (path, body, wanted) in [
        ("suspend", json!({"scope": "all", "reason": " "}), StatusCode::BAD_REQUEST),
        ("suspend", json!({"scope": "all", "reason": "a\u{1b}[2J"}), StatusCode::BAD_REQUEST),
        ("suspend", json!({"scope": "all", "reason": "x".repeat(501)}), StatusCode::BAD_REQUEST),
        ("suspend", json!({"scope": "all"}), StatusCode::BAD_REQUEST),
        ("suspend", json!({"scope": "acme", "reason": "r"}), StatusCode::BAD_REQUEST),
        ("suspend", json!({"scope": "zone/none", "reason": "r"}), StatusCode::NOT_FOUND),
        (
            "rollback",
            json!({"commit": "main", "until": in_an_hour(), "reason": "r"}),
            StatusCode::BAD_REQUEST,
        ),
        ("rollback", json!({"commit": COMMIT, "until": far, "reason": "r"}), StatusCode::BAD_REQUEST),
        (
            "rollback",
            json!({"commit": COMMIT, "until": "2020-01-01T00:00:00Z", "reason": "r"}),
            StatusCode::BAD_REQUEST,
        ),
        ("accept", json!({"commit": "8c1f", "reason": "r"}), StatusCode::BAD_REQUEST),
    ] {
        let path = format!("/api/v1/controller/{path}");
        let answer = node.send(Method::POST, &path, &admin, Some(body.clone())).await;
        assert_eq!(answer.0, wanted, "{body}: {}", answer.1);
        assert_eq!(node.send(Method::POST, &path, &viewer, Some(body)).await.0, StatusCode::FORBIDDEN);
    }
    assert_eq!(store.state().borrow().as_ref().unwrap().controls, crate::zone::Controls::default());
}

#[tokio::test]
async fn a_node_that_does_not_lead_lets_the_leader_say_how_it_stands() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let leader = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let follower = Node::start("n2", Follower::of(store.clone(), Some(("n1", leader.address)))).await;
    let asked = json!({"scope": "all", "reason": "an incident"});
    let answer = follower.send(Method::POST, "/api/v1/controller/suspend", &admin, Some(asked)).await;
    assert_eq!(answer.0, StatusCode::CREATED);
    assert!(store.state().borrow().as_ref().unwrap().controls.suspended.contains_key(&Scope::All));
    let (_, shown) = follower.get("/api/v1/controller", &admin).await;
    assert_eq!((&shown["node"], &shown["leading"]), (&json!("n1"), &json!(true)));
    // A leader that cannot be asked leaves it to the node itself.
    let unreachable = SocketAddr::from(([127, 0, 0, 1], 1));
    let lonely = Node::start("n3", Follower::of(store, Some(("gone", unreachable)))).await;
    let (_, shown) = lonely.get("/api/v1/controller", &admin).await;
    assert_eq!((&shown["node"], &shown["leading"]), (&json!("n3"), &json!(false)));
}

#[tokio::test]
async fn a_run_is_queued_for_the_controller_with_who_asked_and_what_lifts_guards_names_its_plan() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let mut node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let path = "/api/v1/controller/apply";
    for wrong in [
        json!({"allowDeletes": 3}),
        json!({"allowDeletes": 3, "expectPlan": "sha256:00"}),
        json!({"allowUpdates": 3, "reason": "why"}),
        json!({"only": ".."}),
        json!({"force": true}),
    ] {
        let answer = node.send(Method::POST, path, &admin, Some(wrong.clone())).await;
        assert_eq!(answer.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let wanted =
        json!({"expectPlan": "sha256:00", "allowDeletes": 3, "reason": "west closes", "only": "acme"});
    let (status, answer) = node.send(Method::POST, path, &admin, Some(wanted)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    let asked = node.asked.recv().await.unwrap();
    assert_eq!(
        (answer["request"].as_str(), asked.by.to_string()),
        (Some(asked.id.as_str()), admin.split('_').nth(1).unwrap().to_owned())
    );
    assert_eq!(
        (asked.allow_deletes, asked.only.as_ref().map(ZoneName::as_str), asked.reason.as_str()),
        (Some(3), Some("acme"), "west closes")
    );
    assert!(store.audit_events().iter().any(|event| event["type"] == "partner-zones.controller.apply-asked"));
    // The queue of this test holds one.
    assert_eq!(node.send(Method::POST, path, &admin, None).await.0, StatusCode::ACCEPTED);
    assert_eq!(node.send(Method::POST, path, &admin, None).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn what_holds_the_source_up_shows_with_the_zones() {
    use crate::zone::{Condition, ConditionKind, ConditionStatus};
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    assert_eq!(node.get("/api/v1/zones", &admin).await.1["source"], Value::Null, "it has not looked yet");
    let refused = "every zone (3) would be deleted";
    let ready = Condition::new(ConditionKind::Ready, ConditionStatus::False, "RefusedByGuard", refused);
    let status = ControllerStatus {
        conditions: vec![ready],
        refused: vec![refused.to_owned()],
        ..ControllerStatus::default()
    };
    let node = Node::reporting("n2", store as Arc<dyn Store>, status).await;
    let source = node.get("/api/v1/zones", &admin).await.1["source"].clone();
    assert_eq!(source["conditions"][0]["reason"], "RefusedByGuard");
    assert_eq!(source["refused"], json!([refused]));
}
