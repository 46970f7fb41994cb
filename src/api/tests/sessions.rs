//! Sessions over the wire: what they open, and when they end.

use super::*;

async fn begin(node: &Node, key: &str) -> (StatusCode, Value) {
    node.send(Method::POST, "/api/v1/sign-in", "", Some(json!({ "key": key }))).await
}

#[tokio::test]
async fn a_session_opens_what_its_key_opens_and_ends_with_it() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let viewer = key_of(&*store, ApiKeyRole::Viewer).await;
    let node = Node::start("one", store.clone()).await;
    let (status, begun) = begin(&node, &viewer).await;
    assert_eq!(status, StatusCode::CREATED, "{begun}");
    let token = begun["token"].as_str().unwrap();
    assert!(token.starts_with("pzs_"));

    let (status, session) = node.get("/api/v1/session", token).await;
    assert_eq!(
        (status, &session["role"], &session["renewed"]),
        (StatusCode::OK, &json!("viewer"), &Value::Null)
    );
    assert_eq!(session["expiresAt"], begun["expiresAt"]);
    let answer = node.request(Method::GET, "/api/v1/session", token).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store", "a session may be in it");
    assert_eq!(node.get("/api/v1/zones", token).await.0, StatusCode::OK);
    let asked = json!({ "role": "viewer" });
    let (status, _) = node.send(Method::POST, "/api/v1/api-keys", token, Some(asked)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);

    let events = store.audit_events();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    let told = json!({ "role": "viewer", "address": "127.0.0.1", "apiKey": session["id"] });
    assert_eq!((&event["type"], &event["data"]), (&json!("partner-zones.session.begun"), &told));

    let elsewhere = Node::start("two", store.clone()).await;
    assert_eq!(
        elsewhere.get("/api/v1/zones", token).await.0,
        StatusCode::OK,
        "nodes have one key for sessions"
    );

    let id = session["id"].as_str().unwrap();
    let (status, _) = node.send(Method::DELETE, &format!("/api/v1/api-keys/{id}"), &admin, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, problem) = node.get("/api/v1/session", token).await;
    assert_eq!(
        (status, &problem["detail"]),
        (StatusCode::UNAUTHORIZED, &json!("the session is over; sign in again"))
    );
}

#[tokio::test]
async fn a_session_that_is_ended_counts_nowhere_and_others_of_the_key_go_on() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let nodes = [Node::start("one", store.clone()).await, Node::start("two", store.clone()).await];
    let [one, two] = &nodes;
    let tokens = [begin(one, &admin).await.1, begin(one, &admin).await.1];
    let [ended, other] = tokens.each_ref().map(|begun| begun["token"].as_str().unwrap());
    let ids = [one.get("/api/v1/session", ended).await.1, one.get("/api/v1/session", other).await.1];
    assert!(ids[0]["session"].is_string() && ids[0]["session"] != ids[1]["session"], "{ids:?}");

    let (status, problem) = one.send(Method::DELETE, "/api/v1/session", &admin, None).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert_eq!(one.send(Method::DELETE, "/api/v1/session", ended, None).await.0, StatusCode::NO_CONTENT);
    for node in &nodes {
        assert_eq!(node.get("/api/v1/zones", ended).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(node.get("/api/v1/zones", other).await.0, StatusCode::OK);
    }
    let event = store.audit_events().pop().unwrap();
    assert_eq!(event["type"], "partner-zones.session.ended", "{event}");

    // What would be over anyway is forgotten with the next one.
    let old = Change::EndSession("old".to_owned(), OffsetDateTime::UNIX_EPOCH);
    store.commit(vec![old]).await.unwrap();
    assert_eq!(two.send(Method::DELETE, "/api/v1/session", other, None).await.0, StatusCode::NO_CONTENT);
    let state = store.state().borrow().clone().unwrap();
    assert_eq!(state.ended_sessions.len(), 2);
    assert!(!state.ended_sessions.contains_key("old"));
}

#[tokio::test]
async fn nobody_signs_in_without_a_good_key_and_those_who_guess_are_slowed_down() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let node = Node::start("one", store.clone()).await;
    let mut last = StatusCode::OK;
    for guess in 0..200 {
        let (status, problem) = begin(&node, &format!("pzk_aaaaaaaaaaaa_{guess}")).await;
        assert!(!problem.to_string().contains("pzk_"), "{problem}");
        last = status;
        if status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let (_, begun) = begin(&node, &format!(" {admin}\n")).await;
    assert!(
        begun["token"].is_string(),
        "a good key is never slowed down, and may be pasted with its line's end: {begun}"
    );
    for no_session in ["pzs_", "pzs_AAAA", "pzs_ümlaut"] {
        let (status, _) = node.get("/api/v1/session", no_session).await;
        assert!(matches!(status, StatusCode::UNAUTHORIZED), "{no_session}");
    }
}
