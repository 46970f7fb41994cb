//! People who sign in where they have an account: with whom it works, and what is refused.

mod issuer;

use self::issuer::{Issuer, Token};
use super::*;
use crate::api::auth::Caller;
use crate::api::openid::attempt::{ATTEMPT, Attempt};
use crate::policy::token::fixture::Signer;
use crate::zone::{Asker, Committed, Effect, Person};

const CALLBACK: &str = "/api/v1/sign-in/oidc/callback";

impl Node {
    /// One where people sign in.
    async fn for_people(name: &str, store: Arc<dyn Store>, sign_in: OpenIdConfig) -> Self {
        Self::with(name, store, Setup { sign_in: Some(sign_in), ..Setup::default() }).await
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.send(Method::POST, path, "", Some(body)).await
    }

    /// Begins a sign-in, and has somebody sign in there: what they come back with.
    async fn answer(&self, issuer: &Issuer) -> Value {
        let (status, begun) = self.post("/api/v1/sign-in/oidc", json!({})).await;
        assert_eq!(status, StatusCode::CREATED, "{begun}");
        let url = begun["authorizationUrl"].as_str().unwrap();
        json!({ "code": issuer.code(url), "state": parameter(url, "state"), "attempt": begun["attempt"] })
    }

    async fn sign_in(&self, issuer: &Issuer) -> (StatusCode, Value) {
        let answer = self.answer(issuer).await;
        self.post(CALLBACK, answer).await
    }
}

fn parameter(url: &str, name: &str) -> String {
    let url = reqwest::Url::parse(url).unwrap();
    let found: Vec<_> =
        url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect();
    assert_eq!(found.len(), 1, "{name} in {url}");
    found.into_iter().next().unwrap()
}

#[tokio::test]
async fn whom_the_issuer_vouches_for_has_a_session_with_the_role_of_their_claims() {
    let (issuer, store) = (Issuer::start().await, memory_store());
    let node = Node::for_people("n1", store.clone(), issuer.config()).await;
    assert_eq!(
        node.get("/api/v1/sign-in", "").await,
        (StatusCode::OK, json!({ "oidc": { "name": "Example login" } }))
    );
    let (_, begun) = node.post("/api/v1/sign-in/oidc", json!({})).await;
    let url = begun["authorizationUrl"].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/auth?", issuer.url)), "{url}");
    for (name, value) in [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", "zones"),
        ("scope", "openid profile"),
        ("code_challenge_method", "S256"),
        ("redirect_uri", "https://zones.example.com/ui/sign-in/callback"),
    ] {
        assert_eq!(parameter(url, name), value);
    }
    let secrets = ["state", "nonce", "code_challenge"].map(|name| parameter(url, name));
    assert!(
        secrets.iter().all(|text| text.len() == 43) && !begun["attempt"].to_string().contains(&secrets[0])
    );

    let (status, session) = node.sign_in(&issuer).await;
    assert_eq!(status, StatusCode::CREATED, "{session}");
    let token = session["token"].as_str().unwrap();
    assert!(token.starts_with("pzs_") && !token.contains("Ada"));
    let (status, shown) = node.get("/api/v1/session", token).await;
    assert_eq!(
        (status, &shown["id"], &shown["kind"], &shown["name"], &shown["role"]),
        (StatusCode::OK, &json!("person:248289"), &json!("person"), &json!("Ada Lovelace"), &json!("viewer"))
    );
    let event = store.audit_events().pop().unwrap();
    assert_eq!(event["type"], "partner-zones.session.begun", "{event}");
    assert_eq!(event["data"]["person"]["subject"], "248289", "{event}");
    assert_eq!(node.get("/api/v1/zones", token).await.0, StatusCode::OK);
    let asked = Some(json!({ "role": "viewer" }));
    assert_eq!(
        node.send(Method::POST, "/api/v1/api-keys", token, asked.clone()).await.0,
        StatusCode::FORBIDDEN
    );

    issuer.set(|answers| answers.claims = json!({ "groups": "platform" }));
    let (_, session) = node.sign_in(&issuer).await;
    let token = session["token"].as_str().unwrap();
    assert_eq!(node.send(Method::POST, "/api/v1/api-keys", token, asked).await.0, StatusCode::CREATED);
    assert_eq!(issuer.asked("discovery"), 1, "it is asked once, and not for every sign-in");
}

#[tokio::test]
async fn an_answer_that_is_not_to_a_sign_in_of_this_browser_is_refused() {
    let issuer = Issuer::start().await;
    let node = Node::for_people("n1", memory_store(), issuer.config()).await;
    let setup = Setup { sign_in: Some(issuer.config()), session_key: 1, ..Setup::default() };
    let elsewhere = Node::with("n2", memory_store(), setup).await;
    let refused = async |answer: Value, told: &str| {
        let (status, problem) = node.post(CALLBACK, answer).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with(told), "{problem}");
    };
    let (theirs, ours) = (node.answer(&issuer).await, node.answer(&issuer).await);
    let with = |name: &str, value: &Value| {
        let mut answer = ours.clone();
        answer[name] = value.clone();
        answer
    };
    let begins_elsewhere = "this is no answer to a sign-in that began here";
    refused(with("state", &theirs["state"]), begins_elsewhere).await;
    refused(with("state", &json!("")), begins_elsewhere).await;
    refused(with("attempt", &theirs["attempt"]), begins_elsewhere).await;
    refused(with("attempt", &json!("")), begins_elsewhere).await;
    refused(elsewhere.answer(&issuer).await, begins_elsewhere).await;
    let late = Attempt::begin(OffsetDateTime::now_utc() - time::Duration::minutes(11));
    let sealed = SessionKey::new([0; 32]).seal(&ATTEMPT, &late).unwrap();
    refused(json!({ "code": "c", "state": late.state, "attempt": sealed.expose() }), begins_elsewhere).await;
    assert_eq!(issuer.asked("token"), 0, "the issuer is not asked about any of it");

    // A code that is another sign-in's was bound to the other one's verifier.
    refused(with("code", &theirs["code"]), "the sign-in does not count").await;
    let (status, session) = node.post(CALLBACK, ours.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{session}");
    refused(ours.clone(), "the sign-in does not count").await;
    let session = session["token"].as_str().unwrap();
    refused(with("attempt", &json!(session)), begins_elsewhere).await;
    let attempt = theirs["attempt"].as_str().unwrap();
    for text in [attempt.to_owned(), attempt.replace("pza_", "pzs_")] {
        assert_eq!(node.get("/api/v1/session", &text).await.0, StatusCode::UNAUTHORIZED, "{text}");
    }
}

#[tokio::test]
async fn an_id_token_that_is_not_good_signs_nobody_in_and_those_who_go_on_are_told_to_wait() {
    let (issuer, store) = (Issuer::start().await, memory_store());
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let node = Node::for_people("n1", store, issuer.config()).await;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    for claims in [
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "aud": "other" }),
        json!({ "aud": ["zones", "other"] }),
        json!({ "azp": "other" }),
        json!({ "iss": "https://other.example.com" }),
        json!({ "exp": now - 60 }),
        json!({ "iat": now + 3_600 }),
        json!({ "sub": "a\nb" }),
    ] {
        issuer.set(|answers| answers.claims = claims.clone());
        let (status, problem) = node.sign_in(&issuer).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{claims}: {problem}");
        assert_eq!(problem["detail"], "the sign-in does not count; begin again");
    }
    issuer.set(|answers| {
        answers.claims = json!({});
        (answers.signer, answers.published) = (Signer::new("other"), Some(Signer::new("k")));
    });
    assert_eq!(node.sign_in(&issuer).await.0, StatusCode::UNAUTHORIZED, "nobody publishes its key");
    let (status, problem) = node.sign_in(&issuer).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{problem}");
    let (_, metrics) = node.get("/metrics", "").await;
    assert!(metrics.as_str().unwrap().contains("partner_zones_http_refused_sign_ins_total 11"), "{metrics}");
    assert_eq!(node.get("/api/v1/zones", &admin).await.0, StatusCode::OK, "keys go on");
    issuer.set(|answers| answers.signer = Signer::new("k"));
    assert_eq!(node.sign_in(&issuer).await.0, StatusCode::CREATED, "and so do people who are good");
}

#[tokio::test]
async fn a_person_without_a_role_is_told_so_and_has_no_session() {
    let issuer = Issuer::start().await;
    let node = Node::for_people("n1", memory_store(), issuer.config()).await;
    for groups in
        [json!(null), json!([]), json!("staff"), json!(["Audit", "/audit", "audit "]), json!({ "audit": 1 })]
    {
        issuer.set(|answers| {
            answers.claims = json!({ "groups": groups, "name": "Ada\n<b>" });
            answers.userinfo = json!({ "sub": "248289" });
        });
        let (status, problem) = node.sign_in(&issuer).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{groups}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains("knows you as Ada <b> (248289), and gives you nothing that is a role here"),
            "{detail}"
        );
        assert!(problem.get("token").is_none());
    }
}

#[tokio::test]
async fn what_an_id_token_does_not_say_is_asked_and_is_about_the_same_person() {
    let issuer = Issuer::start().await;
    let node = Node::for_people("n1", memory_store(), issuer.config()).await;
    let signed_in = async |claims: Value, userinfo: Value| {
        issuer.set(|answers| (answers.claims, answers.userinfo) = (claims, userinfo));
        let (status, session) = node.sign_in(&issuer).await;
        let token = session["token"].as_str().unwrap_or_default();
        (status, node.get("/api/v1/session", token).await.1)
    };
    let (status, shown) = signed_in(json!({}), json!({ "sub": "248289", "groups": "platform" })).await;
    assert_eq!((status, &shown["role"]), (StatusCode::CREATED, &json!("viewer")));
    assert_eq!(issuer.asked("userinfo"), 0, "the token says all of it");
    let thin = json!({ "groups": null, "name": null });
    let more =
        json!({ "sub": "248289", "groups": ["platform"], "name": "Countess", "email": "eve@example.com" });
    let (status, shown) = signed_in(thin.clone(), more).await;
    assert_eq!(
        (status, &shown["role"], &shown["name"]),
        (StatusCode::CREATED, &json!("admin"), &json!("Countess"))
    );
    let (status, shown) =
        signed_in(json!({ "name": null }), json!({ "sub": "248289", "groups": "platform" })).await;
    assert_eq!(
        (status, &shown["role"]),
        (StatusCode::CREATED, &json!("viewer")),
        "the token's own word comes first"
    );
    for other in [json!({ "sub": "other", "groups": "platform" }), json!({ "groups": "platform" })] {
        assert_eq!(signed_in(thin.clone(), other).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(signed_in(thin, json!(["no object"])).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn new_keys_are_asked_for_and_not_with_every_token() {
    let issuer = Issuer::start().await;
    let rarely = Freshness { unknown_key: Duration::from_mins(5), ..issuer.config().freshness };
    let patient =
        Node::for_people("n1", memory_store(), OpenIdConfig { freshness: rarely, ..issuer.config() }).await;
    let eager = Node::for_people("n2", memory_store(), issuer.config()).await;
    for node in [&patient, &eager] {
        assert_eq!(node.sign_in(&issuer).await.0, StatusCode::CREATED);
    }
    issuer.set(|answers| answers.signer = Signer::new("next"));
    assert_eq!(eager.sign_in(&issuer).await.0, StatusCode::CREATED);
    assert_eq!(issuer.asked("jwks"), 3);
    for _ in 0..3 {
        assert_eq!(patient.sign_in(&issuer).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(issuer.asked("jwks"), 3, "it was asked a moment ago");
}

#[tokio::test]
async fn without_the_issuer_nobody_signs_in_there_and_keys_go_on() {
    let (issuer, store) = (Issuer::start().await, memory_store());
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let config = issuer.config();
    let pause = Freshness { pause: Duration::from_mins(5), ..config.freshness };
    let node = Node::for_people("n1", store.clone(), config.clone()).await;
    let away = Node::for_people("n2", store.clone(), OpenIdConfig { freshness: pause, ..config }).await;
    let answer = node.answer(&issuer).await;
    issuer.set(|answers| answers.is_away = true);
    let told = |(status, problem): (StatusCode, Value)| {
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("nobody can sign in by Example login now") && !detail.contains("127.0.0.1"),
            "{detail}"
        );
    };
    told(node.post(CALLBACK, answer).await);
    for _ in 0..3 {
        told(away.post("/api/v1/sign-in/oidc", json!({})).await);
    }
    assert_eq!(issuer.asked("discovery"), 2, "it is left alone for a while");
    assert_eq!(away.get("/api/v1/zones", &admin).await.0, StatusCode::OK);
    issuer.set(|answers| answers.is_away = false);
    for token in [Token::Error("invalid_client"), Token::Error("x"), Token::Redirect, Token::Endless] {
        issuer.set(|answers| answers.token = token);
        told(node.sign_in(&issuer).await);
    }
    assert_eq!(issuer.asked("jwks"), 1, "nobody followed the redirect");
    issuer.set(|answers| answers.token = Token::AsItShould);
    assert_eq!(node.sign_in(&issuer).await.0, StatusCode::CREATED);
    let without = Node::start("n3", store).await;
    assert_eq!(without.get("/api/v1/sign-in", "").await.1, json!({ "oidc": null }));
    for path in ["/api/v1/sign-in/oidc", CALLBACK] {
        let answer = json!({ "code": "c", "state": "s", "attempt": "a" });
        assert_eq!(without.post(path, answer).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_client_proves_itself_as_the_issuer_takes_it() {
    let issuer = Issuer::start().await;
    let public = OpenIdConfig { client_secret: None, ..issuer.config() };
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "zones:hunter2");
    for (config, methods, login, secret) in [
        (issuer.config(), Value::Null, Some(format!("Basic {basic}")), None),
        (issuer.config(), json!(["client_secret_post"]), None, Some("hunter2")),
        (public, Value::Null, None, None),
    ] {
        issuer.set(|answers| answers.methods = methods.clone());
        let node = Node::for_people("n1", memory_store(), config).await;
        assert_eq!(node.sign_in(&issuer).await.0, StatusCode::CREATED);
        let (sent, form) = issuer.answers.lock().unwrap().exchanged.clone().unwrap();
        assert_eq!(
            (sent.as_ref(), form.get("client_secret").map(String::as_str)),
            (login.as_ref(), secret),
            "{methods}"
        );
        assert_eq!(form["redirect_uri"], "https://zones.example.com/ui/sign-in/callback");
        assert!(login.is_some() || form["client_id"] == "zones");
    }
}

#[tokio::test]
async fn a_session_counts_where_its_issuer_does_and_its_value_still_is_a_role() {
    let (issuer, store) = (Issuer::start().await, memory_store());
    let node = Node::for_people("n1", store.clone(), issuer.config()).await;
    let (_, session) = node.sign_in(&issuer).await;
    let token = session["token"].as_str().unwrap();
    let mut without_audit = issuer.config();
    without_audit.roles.rules.retain(|rule| rule.value != "audit");
    let mut owners = issuer.config();
    owners.roles.rules[1].role = roles::owner(&["sales.*"]);
    let another = OpenIdConfig { issuer: "https://login.example.com".to_owned(), ..issuer.config() };
    for (sign_in, role) in [
        (Some(issuer.config()), Some("viewer")),
        (Some(owners), Some("owner")),
        (Some(without_audit), None),
        (Some(another), None),
        (None, None),
    ] {
        let other = Node::with("n2", store.clone(), Setup { sign_in, ..Setup::default() }).await;
        let (status, shown) = other.get("/api/v1/session", token).await;
        assert_eq!(shown["role"].as_str(), role, "{shown}");
        assert_eq!(status, if role.is_some() { StatusCode::OK } else { StatusCode::UNAUTHORIZED });
    }
}

#[tokio::test]
async fn a_person_writes_and_speaks_to_the_controller_in_their_own_name() {
    let (issuer, store) = (Issuer::start().await, memory_store());
    issuer.set(|answers| answers.claims = json!({ "groups": ["platform"] }));
    put_zone(&*store, "acme", "PLAIN").await;
    let mut leader = Node::for_people("n1", store.clone(), issuer.config()).await;
    let follower_store = Follower::of(store.clone(), Some(("n1", leader.address)));
    let follower = Node::for_people("n2", follower_store, issuer.config()).await;
    let (_, session) = follower.sign_in(&issuer).await;
    let token = session["token"].as_str().unwrap();
    let request = follower.request(Method::DELETE, "/api/v1/zones/acme", token);
    let controller = async {
        let (asked, answer) = leader.writing.recv().await.unwrap();
        let revision = Revision::commit("refs/heads/main", "0123");
        let commit = Committed { revision, reference: "refs/heads/main".to_owned(), is_proposal: false };
        let text = String::new;
        let written = Written {
            effect: Effect::Deleted,
            file: text(),
            diff: text(),
            excerpt: None,
            plan: "{}".to_owned(),
            version: None,
            commit: Some(commit),
        };
        answer.send(Ok(written)).unwrap();
        (asked.author, asked.by)
    };
    let ((author, by), answer) = tokio::join!(controller, request.send());
    assert_eq!(answer.unwrap().status(), StatusCode::OK);
    assert_eq!((author.name.as_str(), author.email.as_str()), ("Ada Lovelace", "ada@example.com"));
    assert!(matches!(by, Asker::Person(person) if person.subject == "248289"));
    let suspend = Some(json!({ "scope": "all", "reason": "an incident" }));
    let (_, shown) = follower.send(Method::POST, "/api/v1/controller/suspend", token, suspend).await;
    assert_eq!(shown["by"], "Ada Lovelace (248289)", "{shown}");
    let ada = json!({ "subject": "248289", "name": "Ada Lovelace", "email": "ada@example.com" });
    let events = store.audit_events();
    assert_eq!(events.len(), 2);
    assert!(
        events.iter().all(|event| event["data"]["person"] == ada && event["data"].get("apiKey").is_none())
    );
}

#[tokio::test]
async fn a_leader_that_does_not_know_the_session_is_told_of_in_words_that_help() {
    let (issuer, store) = (Issuer::start().await, memory_store());
    issuer.set(|answers| answers.claims = json!({ "groups": ["platform"] }));
    put_zone(&*store, "acme", "PLAIN").await;
    let leader = Node::for_people("n1", store.clone(), issuer.config()).await;
    let setup = Setup { sign_in: Some(issuer.config()), session_key: 1, ..Setup::default() };
    let follower = Node::with("n2", Follower::of(store.clone(), Some(("n1", leader.address))), setup).await;
    let (_, session) = follower.sign_in(&issuer).await;
    let token = session["token"].as_str().unwrap();
    assert_eq!(follower.get("/api/v1/zones", token).await.0, StatusCode::OK, "this node knows it");
    let (status, problem) = follower.send(Method::POST, ISSUE, token, Some(json!({}))).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("`masterKeyFile`"), "{problem}");
    assert!(store.state().borrow().as_ref().unwrap().credentials.is_empty());
    assert_eq!(follower.get("/api/v1/plan", token).await.0, StatusCode::OK, "it answers as well as it can");
}

#[tokio::test]
async fn a_stream_ends_with_the_session_that_it_is_heard_by() {
    let node = Node::start("n1", memory_store()).await;
    let api = Arc::clone(&node.api);
    let person = Person { subject: "248289".to_owned(), name: "Ada".to_owned(), email: None };
    let ends = OffsetDateTime::now_utc() + time::Duration::seconds(1);
    let caller = Caller::of_person(person, ApiKeyRole::Viewer).in_session("s".to_owned(), ends);
    let stream = events::stream(axum::extract::State(api), axum::extract::Extension(caller)).await.unwrap();
    let begun = tokio::time::Instant::now();
    let heard = axum::body::to_bytes(stream.into_response().into_body(), 4_096);
    let heard = tokio::time::timeout(Duration::from_secs(20), heard).await.expect("it ends").unwrap();
    assert!(heard.starts_with(b"event: zones") && begun.elapsed() >= Duration::from_millis(900));
}
