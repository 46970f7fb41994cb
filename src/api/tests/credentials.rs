//! Credentials: issued, shown once, ended.

use super::super::credentials::rfc3339;
use super::*;
use crate::zone::KeyId;

#[tokio::test]
async fn a_credential_is_shown_once_and_kept_as_verifiers() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    heartbeat(&*store, EVERYTHING).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let body = json!({"expiresAt": "2999-01-01T00:00:00Z"});
    let answer = node.request(Method::POST, ISSUE, &admin).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let issued: Value = answer.json().await.unwrap();
    let keys: Vec<_> = issued.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "bootstrapServers",
            "distribution",
            "expiresAt",
            "keyId",
            "mechanisms",
            "secret",
            "securityProtocol",
            "served",
            "username"
        ]
    );
    let mechanisms = json!(["PLAIN", "SCRAM-SHA-512", "SCRAM-SHA-256"]);
    assert_eq!((&issued["username"], &issued["mechanisms"]), (&issued["keyId"], &mechanisms));
    let secret = issued["secret"].as_str().unwrap();
    let state = store.state().borrow().clone().unwrap();
    let kept = state.credentials.values().next().unwrap();
    assert!(kept.plain.accepts(secret.as_bytes()));
    assert_eq!((kept.scram.len(), kept.expires_at.map(OffsetDateTime::year)), (2, Some(2999)));
    assert!(!format!("{state:?}").contains(secret));
    for path in [ISSUE, "/api/v1/credentials"] {
        let (_, listed) = node.get(path, &admin).await;
        assert_eq!(listed["items"][0]["keyId"], issued["keyId"]);
        assert_eq!(listed["items"][0]["mechanisms"], mechanisms);
        assert!(!listed.to_string().contains(secret), "a secret is never shown again");
    }
    let events = store.audit_events();
    assert_eq!((events.len(), &events[0]["type"]), (1, &json!("partner-zones.credential.issued")));
    assert!(!events[0].to_string().contains(secret));
    assert_eq!(issued["served"], true, "{issued}");
    let path = format!("/api/v1/credentials/{}", issued["keyId"].as_str().unwrap());
    let (status, revoked) = node.send(Method::DELETE, &path, &admin, None).await;
    let told = json!({
        "keyId": issued["keyId"],
        "served": true,
        "distribution": {"reason": "Served", "message": "every live node serves it", "behind": []},
    });
    assert_eq!((status, revoked), (StatusCode::OK, told));
    assert_eq!(node.send(Method::DELETE, &path, &admin, None).await.0, StatusCode::NOT_FOUND);
}

/// What is taken back while no gateway runs is answered at once, and nobody is told that it is served.
#[tokio::test]
async fn without_a_gateway_a_revocation_is_not_said_to_be_served() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    heartbeat(&*store, EVERYTHING).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let (_, issued) = node.send(Method::POST, ISSUE, &admin, None).await;
    store.leave("g1".to_owned()).await.unwrap();
    let path = format!("/api/v1/credentials/{}", issued["keyId"].as_str().unwrap());
    let (status, revoked) = node.send(Method::DELETE, &path, &admin, None).await;
    assert_eq!((status, &revoked["served"]), (StatusCode::OK, &json!(false)));
    assert_eq!(revoked["distribution"]["reason"], "NoNode");
}

#[tokio::test]
async fn a_zone_for_scram_gets_credentials_for_scram() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "SCRAM").await;
    heartbeat(&*store, EVERYTHING).await;
    let node = Node::start("n1", store).await;
    let (status, issued) = node.send(Method::POST, ISSUE, &admin, None).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(issued["mechanisms"], json!(["SCRAM-SHA-512", "SCRAM-SHA-256"]));
    let (_, listed) = node.get(ISSUE, &admin).await;
    assert_eq!(listed["items"][0]["mechanisms"], issued["mechanisms"]);
}

#[tokio::test]
async fn a_credential_is_refused_where_it_would_be_of_no_use() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    put_zone(&*store, "later", "MTLS").await;
    put_zone(&*store, "tokens", "OAUTHBEARER").await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let (status, problem) = node.send(Method::POST, ISSUE, &admin, None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(problem["detail"].as_str().unwrap().contains("no gateway node is running"));
    heartbeat(&*store, EVERYTHING).await;
    put_zone(&*store, "misplaced", "PLAIN").await;
    let past = json!({"expiresAt": "2001-01-01T00:00:00Z"});
    for (path, body, wanted) in [
        ("/api/v1/zones/none/credentials", None, StatusCode::NOT_FOUND),
        ("/api/v1/zones/later/credentials", None, StatusCode::CONFLICT),
        ("/api/v1/zones/tokens/credentials", None, StatusCode::CONFLICT),
        ("/api/v1/zones/misplaced/credentials", None, StatusCode::CONFLICT),
        (ISSUE, Some(past), StatusCode::BAD_REQUEST),
        (ISSUE, Some(json!({"expires": "1d"})), StatusCode::BAD_REQUEST),
        (ISSUE, Some(json!([])), StatusCode::BAD_REQUEST),
        ("/api/v1/api-keys", Some(json!({"role": "root"})), StatusCode::BAD_REQUEST),
        ("/api/v1/api-keys", None, StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(node.send(Method::POST, path, &admin, body.clone()).await.0, wanted, "{path} {body:?}");
    }
    let (_, problem) = node.send(Method::POST, "/api/v1/zones/tokens/credentials", &admin, None).await;
    assert!(problem["detail"].as_str().unwrap().contains("tokens with the subject `tokens"), "{problem}");
    assert!(store.state().borrow().as_ref().unwrap().credentials.is_empty());
}

#[tokio::test]
async fn the_end_of_a_credential_is_checked_and_written_in_utc() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    heartbeat(&*store, EVERYTHING).await;
    let node = Node::start("n1", store as Arc<dyn Store>).await;
    let issue =
        async |end: &str| node.send(Method::POST, ISSUE, &admin, Some(json!({ "expiresAt": end }))).await;
    let (status, issued) = issue("2999-01-01T01:00:00+01:00").await;
    assert_eq!((status, &issued["expiresAt"]), (StatusCode::CREATED, &json!("2999-01-01T00:00:00Z")));
    for bad in ["", "soon", "2020-01-01T00:00:00Z", "2999-01-01", "9999-12-31T23:59:59-23:59"] {
        let (status, problem) = issue(bad).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(problem["detail"].as_str().unwrap().contains("`expiresAt`"), "{bad}: {problem}");
    }
}

#[tokio::test]
async fn a_credential_that_takes_anothers_place_lets_it_go_on_for_a_while() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    heartbeat(&*store, EVERYTHING).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let (_, first) = node.send(Method::POST, ISSUE, &admin, None).await;
    let rotate = |id: &Value| format!("/api/v1/credentials/{}/rotate", id.as_str().unwrap());
    let ends = |id: &Value| {
        let state = store.state().borrow().clone().unwrap();
        let id = KeyId::try_from(id.as_str().unwrap()).unwrap();
        state.credentials.get(&id).map(|credential| credential.expires_at)
    };
    let left = |id: &Value| (ends(id).unwrap().unwrap() - OffsetDateTime::now_utc()).whole_minutes();

    let (status, second) =
        node.send(Method::POST, &rotate(&first["keyId"]), &admin, Some(json!({"overlap": "2h"}))).await;
    assert_eq!(status, StatusCode::CREATED, "{second}");
    assert_eq!((&second["replaces"]["keyId"], &second["expiresAt"]), (&first["keyId"], &Value::Null));
    assert_eq!((left(&first["keyId"]), ends(&second["keyId"])), (119, Some(None)));
    assert_ne!(first["secret"], second["secret"]);
    // A secret that got lost on its way is no reason to shorten the next one's life: only what is in use is rotated.
    let (status, problem) = node.send(Method::POST, &rotate(&first["keyId"]), &admin, None).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains(second["keyId"].as_str().unwrap()), "{problem}");
    let (_, listed) = node.get(ISSUE, &admin).await;
    let shown = |id: &Value| {
        let items = listed["items"].as_array().unwrap();
        items.iter().find(|item| item["keyId"] == *id).map(|item| item["state"].clone())
    };
    assert_eq!(
        (shown(&first["keyId"]), shown(&second["keyId"])),
        (Some("ROTATED".into()), Some("ACTIVE".into()))
    );
    // None at all: it is gone at once.
    let body = json!({"overlap": "0s", "expiresAt": "2999-01-01T00:00:00Z"});
    let (_, fourth) = node.send(Method::POST, &rotate(&second["keyId"]), &admin, Some(body)).await;
    assert_eq!((ends(&second["keyId"]), fourth["expiresAt"].as_str()), (None, Some("2999-01-01T00:00:00Z")));
    // What was issued for a time is replaced for as long a time.
    let soon = rfc3339(OffsetDateTime::now_utc() + time::Duration::hours(2));
    let (_, short) = node.send(Method::POST, ISSUE, &admin, Some(json!({"expiresAt": soon}))).await;
    let (_, next) = node.send(Method::POST, &rotate(&short["keyId"]), &admin, None).await;
    assert_eq!(ends(&short["keyId"]).unwrap().map(rfc3339), Some(soon), "an overlap gives it no more time");
    assert!([118, 119].contains(&left(&next["keyId"])), "{next}");
    let told: Vec<_> = store.audit_events().iter().map(|event| event["type"].clone()).collect();
    assert_eq!(
        told[1..],
        ["rotated", "rotated", "issued", "rotated"].map(|what| format!("partner-zones.credential.{what}"))
    );
    for body in [json!({"overlap": "soon"}), json!({"overlap": "-1h"}), json!({"until": "1h"})] {
        let (status, _) =
            node.send(Method::POST, &rotate(&fourth["keyId"]), &admin, Some(body.clone())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    }
    let (status, _) = node.send(Method::POST, &rotate(&second["keyId"]), &admin, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_backup_is_for_admins_alone_holds_no_secret_and_stands_in_the_audit_log() {
    let store = memory_store();
    let [admin, viewer] =
        [key_of(&*store, ApiKeyRole::Admin).await, key_of(&*store, ApiKeyRole::Viewer).await];
    let node = Node::start("n1", Arc::clone(&store) as _).await;
    assert_eq!(node.get("/api/v1/state/backup", &viewer).await.0, StatusCode::FORBIDDEN);
    let (status, backup) = node.get("/api/v1/state/backup", &admin).await;
    assert_eq!((status, backup["formatVersion"].as_str()), (StatusCode::OK, Some("1.0")));
    assert_eq!(backup["records"].as_object().unwrap().len(), 2);
    for key in [admin, viewer] {
        let secret = key.splitn(3, '_').last().unwrap();
        assert!(!backup.to_string().contains(secret));
    }
    let told = store.audit_events();
    assert_eq!(told.last().unwrap()["type"], "partner-zones.state.exported");
}

#[tokio::test]
async fn a_request_that_is_sent_again_makes_no_second_credential() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    put_zone(&*store, "globex", "PLAIN").await;
    heartbeat(&*store, EVERYTHING).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let ask = async |zone: &str, key: &str| {
        let path = format!("/api/v1/zones/{zone}/credentials");
        let request =
            node.request(Method::POST, &path, &admin).header("idempotency-key", key).json(&json!({}));
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    // At one moment, and later.
    let (one, other) = tokio::join!(ask("acme", "r-1"), ask("acme", "r-1"));
    let (made, refused) = if one.0 == StatusCode::CREATED { (one, other) } else { (other, one) };
    assert_eq!((made.0, refused.0), (StatusCode::CREATED, StatusCode::CONFLICT), "{refused:?}");
    assert_eq!(refused.1["keyId"], made.1["keyId"], "it says what was made");
    assert_eq!(ask("acme", "r-1").await.1["keyId"], made.1["keyId"]);
    assert_eq!(store.state().borrow().clone().unwrap().credentials.len(), 1);
    // Another request, and the same words about another zone or by another caller, are others.
    assert_eq!(ask("acme", "r-2").await.0, StatusCode::CREATED);
    assert_eq!(ask("globex", "r-1").await.0, StatusCode::CREATED);
    for wrong in ["", " ", &"x".repeat(256)] {
        assert_eq!(ask("acme", wrong).await.0, StatusCode::BAD_REQUEST, "{wrong:?}");
    }
}

/// A gateway that hangs holds up the answer to whoever has a credential by now, and nobody else's request.
#[tokio::test]
async fn a_request_that_waits_for_gateways_lets_the_others_go_ahead() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    heartbeat(&*store, 1).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let request = node.request(Method::POST, ISSUE, &admin).header("idempotency-key", "r-1").json(&json!({}));
    let waiting = tokio::spawn(request.send());
    let mut state = store.state();
    let issued = state.wait_for(|state| state.as_ref().is_some_and(|state| !state.credentials.is_empty()));
    issued.await.unwrap();
    let turn = tokio::time::timeout(Duration::from_secs(2), node.api.issuing.lock()).await;
    assert!(turn.is_ok() && !waiting.is_finished());
    waiting.abort();
}
