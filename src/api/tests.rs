//! Over real sockets, with the store in memory.

mod conduktor;
mod controls;
mod credentials;
mod following;
mod hints;
mod keys;
mod leaks;
mod lists;
mod live;
mod log;
mod people;
mod roles;
mod sessions;
mod shared;
mod usage;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::following::Follower;
use super::*;
use crate::manifest::document;
use crate::store::memory::MemoryStore;
use crate::store::{
    Change, Health, Heartbeat, Leadership, Lease, Nodes, State, StoreError, StoreFuture, ZoneRecord,
};
use crate::zone::{ApiKeyRole, Revision, ScramHash, Sequence, ZoneId};

/// A node's API on a port of its own. Dropping it ends its tasks.
struct Node {
    address: SocketAddr,
    serves: watch::Sender<bool>,
    leaving: watch::Sender<bool>,
    /// What was asked of the controller.
    asked: mpsc::Receiver<ApplyRequest>,
    writing: mpsc::Receiver<Ask>,
    http: Client,
    api: Arc<Api>,
    cancel: CancellationToken,
}

/// What a node is made of, beside its store.
#[derive(Default)]
struct Setup {
    controller: ControllerStatus,
    hints: Option<Hints>,
    sign_in: Option<OpenIdConfig>,
    /// Nodes with the same one take each other's sessions.
    session_key: u8,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Node {
    async fn start(name: &str, store: Arc<dyn Store>) -> Self {
        Self::with(name, store, Setup::default()).await
    }

    /// A node that takes hints.
    async fn hinted(name: &str, store: Arc<dyn Store>, hints: Hints) -> Self {
        Self::with(name, store, Setup { hints: Some(hints), ..Setup::default() }).await
    }

    /// A node whose controller says this.
    async fn reporting(name: &str, store: Arc<dyn Store>, controller: ControllerStatus) -> Self {
        Self::with(name, store, Setup { controller, ..Setup::default() }).await
    }

    async fn with(name: &str, store: Arc<dyn Store>, setup: Setup) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut registry = Registry::default();
        let metrics = ApiMetrics::register(&mut registry);
        let (serves, serving) = watch::channel(false);
        let (leaving, is_leaving) = watch::channel(false);
        let (apply, asked) = mpsc::channel(1);
        let (writes, writing) = mpsc::channel(1);
        let config = ApiConfig {
            store,
            node: name.to_owned(),
            default_cluster: ClusterName::try_from("default").unwrap(),
            principals: BTreeSet::new(),
            login_files: BTreeSet::new(),
            issuers: vec![issuer()],
            planning: planning(),
            controller: watch::channel(Arc::new(setup.controller)).1,
            apply,
            writes,
            serves: serving,
            leaving: is_leaving,
            topics: Some(Arc::new(shared::Clusters)),
            hints: setup.hints,
            session_key: SessionKey::new([setup.session_key; 32]),
            sign_in: setup.sign_in,
        };
        let router = router(config, metrics, Arc::new(registry)).unwrap();
        let api = Arc::clone(&router.api);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cancel = CancellationToken::new();
        tokio::spawn(serve(listener, router, cancel.clone()));
        Self { address, serves, leaving, asked, writing, http: Client::new(), api, cancel }
    }

    fn request(&self, method: Method, path: &str, key: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("http://{}{path}", self.address));
        if key.is_empty() { request } else { request.bearer_auth(key) }
    }

    async fn send(&self, method: Method, path: &str, key: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request = self.request(method.clone(), path, key);
        let answer = body
            .map_or_else(|| request.try_clone().unwrap(), |body| request.try_clone().unwrap().json(&body));
        let answer = answer.send().await.unwrap();
        let status = answer.status();
        let media_type = answer.headers().get("content-type").map_or("", |value| value.to_str().unwrap());
        let media_type = media_type.to_owned();
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        openapi::tests::hold(method.as_str(), path, status.as_u16(), &media_type, &body);
        (status, body)
    }

    async fn get(&self, path: &str, key: &str) -> (StatusCode, Value) {
        self.send(Method::GET, path, key, None).await
    }
}

fn issuer() -> (IssuerName, token::Rules) {
    let rules = token::Rules {
        issuer: "https://login.example.com".to_owned(),
        audiences: vec!["kafka".to_owned()],
        algorithms: token::Algorithm::ALL.to_vec(),
        clock_skew: Duration::ZERO,
        subject_claim: "sub".to_owned(),
        scopes: vec!["orders".to_owned()],
    };
    (IssuerName::try_from("login").unwrap(), rules)
}

fn planning() -> state::Planning {
    state::Planning {
        home_cluster_id: "home".to_owned(),
        guards: state::Guards { max_delete_percent: 10, max_update_percent: 20, floor: 5 },
        self_heal: "report".to_owned(),
        principals: BTreeSet::from(["default".to_owned()]),
    }
}

fn memory_store() -> Arc<MemoryStore> {
    MemoryStore::start(&TaskTracker::new(), CancellationToken::new())
}

/// A key of the role, stored.
async fn key_of(store: &dyn Store, role: ApiKeyRole) -> String {
    let (kept, shown) = key::new_api_key(role, OffsetDateTime::now_utc());
    store.commit(vec![Change::PutApiKey(kept)]).await.unwrap();
    shown.expose().clone()
}

async fn put_zone(store: &dyn Store, name: &str, mode: &str) {
    let document = json!({
        "apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": name},
        "spec": {
            "cluster": "gateway", "displayName": "Acme Inc.",
            "underlyingCluster": if name == "misplaced" { "west" } else { "default" },
            "authenticationMode": {"type": mode, "serviceAccount": format!("{name}-sa")},
            "topics": [{"name": "orders", "backingTopic": "eu.orders", "permission": "READ"}],
        },
    });
    let zone = document::from_document(&document).unwrap();
    let record = ZoneRecord {
        id: ZoneId::derive("cluster", &zone.name),
        zone: zone.into(),
        changed: Sequence(0),
        revision: Revision::commit("refs/heads/main", "0123"),
        updated_at: OffsetDateTime::now_utc(),
    };
    store.commit(vec![Change::PutZone(Box::new(record))]).await.unwrap();
}

/// A commit behind all that a test makes: what it changes is served at once.
const EVERYTHING: u64 = 1_000;

async fn heartbeat(store: &dyn Store, serving: u64) {
    let heartbeat = Heartbeat {
        node: "g1".to_owned(),
        serving,
        bootstrap: BTreeMap::from([("default".to_owned(), "kafka.example.com:19092".to_owned())]),
        tls: false,
        zone_domain: None,
        problems: BTreeMap::new(),
        connections: 0,
        master_keys: BTreeSet::new(),
        usage: BTreeMap::new(),
        credentials: BTreeMap::new(),
        failed_logins: Vec::new(),
        traffic: BTreeMap::new(),
        usage_is_partial: false,
        at: OffsetDateTime::now_utc(),
    };
    store.heartbeat(heartbeat).await.unwrap();
}

const ISSUE: &str = "/api/v1/zones/acme/credentials";

#[tokio::test]
async fn health_needs_no_key_and_ready_means_serving_or_leading() {
    let leader = Node::start("n1", memory_store()).await;
    assert_eq!(leader.get("/healthz", "").await, (StatusCode::OK, json!("ok\n")));
    assert_eq!(leader.get("/readyz", "").await.0, StatusCode::OK);
    let follower = Node::start("n2", Follower::of(memory_store(), None)).await;
    assert_eq!(follower.get("/healthz", "").await.0, StatusCode::OK);
    assert_eq!(follower.get("/readyz", "").await.0, StatusCode::SERVICE_UNAVAILABLE);
    follower.serves.send_replace(true);
    assert_eq!(follower.get("/readyz", "").await.0, StatusCode::OK);
    for node in [&leader, &follower] {
        node.leaving.send_replace(true);
        assert_eq!(
            node.get("/readyz", "").await.0,
            StatusCode::SERVICE_UNAVAILABLE,
            "balancers go elsewhere"
        );
    }
    let (status, metrics) = follower.get("/metrics", "").await;
    assert_eq!(status, StatusCode::OK);
    let counted = "partner_zones_http_requests_total{route=\"/readyz\",method=\"GET\",status=\"503\"} 2";
    assert!(metrics.as_str().unwrap().contains(counted), "{metrics}");
}

#[tokio::test]
async fn without_a_good_key_nothing_is_said_not_even_what_exists() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let node = Node::start("n1", store).await;
    let forged = format!("{}x", admin.trim_end_matches(char::is_alphanumeric));
    let (status, problem) = node.get("/api/v1/zones/%ff", &admin).await;
    assert_eq!(
        (status, problem["status"].as_u64()),
        (StatusCode::NOT_FOUND, Some(404)),
        "no UTF-8: {problem}"
    );
    for key in ["", "nonsense", "pzk_aaaaaaaaaaaa_secret", &forged] {
        for path in ["/api/v1/zones", "/api/v1/zones/none", "/api/v1/nothing"] {
            let (status, problem) = node.get(path, key).await;
            assert_eq!(
                (status, problem["status"].as_u64()),
                (StatusCode::UNAUTHORIZED, Some(401)),
                "{path} {key}"
            );
        }
    }
    let answer = node.request(Method::GET, "/api/v1/zones", "").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn basic_works_like_bearer_and_repeated_wrong_keys_are_slowed_down() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let node = Node::start("n1", store).await;
    let (id, secret) = admin.trim_start_matches("pzk_").split_once('_').unwrap();
    let basic = node.request(Method::GET, "/api/v1/zones", "").basic_auth(id, Some(secret));
    assert_eq!(basic.send().await.unwrap().status(), StatusCode::OK);
    for _ in 0..10 {
        assert_eq!(node.get("/api/v1/zones", "pzk_x_y").await.0, StatusCode::UNAUTHORIZED);
    }
    let answer = node.request(Method::GET, "/api/v1/zones", "pzk_x_y").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(
        node.get("/api/v1/zones", &admin).await.0,
        StatusCode::OK,
        "a good key from there still passes"
    );
}

#[tokio::test]
async fn a_viewer_reads_everything_and_changes_nothing() {
    let store = memory_store();
    let viewer = key_of(&*store, ApiKeyRole::Viewer).await;
    put_zone(&*store, "acme", "PLAIN").await;
    heartbeat(&*store, 1).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    for path in ["/api/v1/zones/acme", ISSUE, "/api/v1/nodes", "/api/v1/api-keys", "/api/v1/state"] {
        assert_eq!(node.get(path, &viewer).await.0, StatusCode::OK, "{path}");
    }
    let role = Some(json!({"role": "admin"}));
    for (method, path, body) in [
        (Method::POST, ISSUE, None),
        (Method::POST, "/api/v1/api-keys", role),
        (Method::DELETE, "/api/v1/credentials/pz0123456789abcdef", None),
    ] {
        assert_eq!(node.send(method, path, &viewer, body).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    assert!(store.state().borrow().as_ref().unwrap().credentials.is_empty());
}

#[tokio::test]
async fn a_zone_shows_its_written_form_and_becomes_ready_when_a_node_serves_its_last_change() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let (_, before) = node.get("/api/v1/zones/acme", &admin).await;
    assert_eq!(before["status"]["phase"], "PENDING");
    assert_eq!(before["status"]["bootstrapServers"], Value::Null);
    heartbeat(&*store, 2).await;
    let (_, zones) = node.get("/api/v1/zones", &admin).await;
    let zone = &zones["items"][0];
    assert_eq!(zone["metadata"]["name"], "acme");
    assert_eq!(zone["spec"]["displayName"], "Acme Inc.");
    assert_eq!(zone["status"]["phase"], "READY");
    assert_eq!(zone["status"]["revision"], "main@sha1:0123");
    assert_eq!(zone["status"]["bootstrapServers"], "kafka.example.com:19092");
    assert_eq!(zone["status"]["tokens"], Value::Null);
    put_zone(&*store, "tokens", "OAUTHBEARER").await;
    let (_, zone) = node.get("/api/v1/zones/tokens", &admin).await;
    let tokens = json!({
        "issuer": "https://login.example.com",
        "audiences": ["kafka"],
        "subjectClaim": "sub",
        "scopes": ["orders"],
    });
    assert_eq!(zone["status"]["tokens"], tokens);
    assert_eq!(node.get("/api/v1/zones/none", &admin).await.0, StatusCode::NOT_FOUND);
    assert_eq!(node.get("/api/v1/zones/..%2Fx", &admin).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn under_sni_a_zone_has_an_address_of_its_own_and_credentials_say_tls() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    let heartbeat = |node: &str, tls| Heartbeat {
        node: node.to_owned(),
        serving: EVERYTHING,
        bootstrap: BTreeMap::from([("default".to_owned(), "kafka.example.com:19092".to_owned())]),
        tls,
        zone_domain: tls.then(|| "partners.example.com:19092".to_owned()),
        problems: BTreeMap::new(),
        connections: 0,
        master_keys: BTreeSet::new(),
        usage: BTreeMap::new(),
        credentials: BTreeMap::new(),
        failed_logins: Vec::new(),
        traffic: BTreeMap::new(),
        usage_is_partial: false,
        at: OffsetDateTime::now_utc(),
    };
    // One node has not been restarted with the new configuration yet.
    for (node, tls) in [("g1", true), ("g2", false)] {
        store.heartbeat(heartbeat(node, tls)).await.unwrap();
    }
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let (_, zone) = node.get("/api/v1/zones/acme", &admin).await;
    assert_eq!(zone["status"]["bootstrapServers"], "acme.partners.example.com:19092");
    assert_eq!(zone["status"]["securityProtocol"], "SASL_SSL");
    let answer = node.request(Method::POST, ISSUE, &admin).json(&json!({})).send().await.unwrap();
    let issued: Value = answer.json().await.unwrap();
    assert_eq!(issued["bootstrapServers"], "acme.partners.example.com:19092");
    assert_eq!(issued["securityProtocol"], "SASL_SSL");
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_json() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    let node = Node::start("n1", store).await;
    let post = |body: Vec<u8>, kind: &str| {
        node.request(Method::POST, ISSUE, &admin).header("content-type", kind).body(body).send()
    };
    let json = "application/json; charset=utf-8";
    assert_eq!(post(b"{".to_vec(), json).await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(post(vec![b'['; 60_000], json).await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(post(vec![b' '; 70_000], json).await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    let form = "application/x-www-form-urlencoded";
    assert_eq!(post(b"a=b".to_vec(), form).await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let wrong = node.send(Method::PUT, ISSUE, &admin, None).await.0;
    assert_eq!(wrong, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_new_api_key_works_and_the_last_admin_key_stays() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let (status, created) =
        node.send(Method::POST, "/api/v1/api-keys", &admin, Some(json!({"role": "viewer"}))).await;
    assert_eq!((status, &created["role"]), (StatusCode::CREATED, &json!("viewer")));
    let viewer = created["key"].as_str().unwrap();
    let (status, listed) = node.get("/api/v1/api-keys", viewer).await;
    assert_eq!((status, listed["items"].as_array().map(Vec::len)), (StatusCode::OK, Some(2)));
    assert!(!listed.to_string().contains(viewer.splitn(3, '_').last().unwrap()));
    let id = |key: &str| key.split('_').nth(1).unwrap().to_owned();
    let delete = |key: &str| format!("/api/v1/api-keys/{}", id(key));
    assert_eq!(node.send(Method::DELETE, &delete(&admin), &admin, None).await.0, StatusCode::CONFLICT);
    assert_eq!(node.send(Method::DELETE, &delete(viewer), &admin, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(node.get("/api/v1/zones", viewer).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_plan_reads_over_http_is_the_state() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    let at = OffsetDateTime::UNIX_EPOCH;
    let asked = crate::zone::Asked { by: "k1".to_owned(), at, reason: "an incident".to_owned() };
    let commit = "8c1f00000000000000000000000000000000000f".to_owned();
    let rollback = crate::zone::Rollback { commit: commit.clone(), until: at, asked: asked.clone() };
    let ours = Change::PutPrincipal {
        cluster: ClusterName::try_from("default").unwrap(),
        zone: "acme".try_into().unwrap(),
        principal: crate::zone::Principal {
            cluster_id: "c1".to_owned(),
            slots: Some(crate::zone::Slots::both(&crate::zone::KeyName::of(&[7; 8]), ScramHash::Sha512)),
        },
    };
    let accepted = Change::Accept(crate::zone::Acceptance { commit, asked: asked.clone() });
    let spent = crate::zone::Spent { deletions: 2, updates: 0 };
    let spent = Change::Spend("8c1f".to_owned(), spent);
    let suspended = Change::Suspend(crate::zone::Scope::All, asked);
    store.commit(vec![suspended, Change::Rollback(rollback), accepted, ours, spent]).await.unwrap();
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let (_, answer) = node.get("/api/v1/state", &admin).await;
    let observed: state::ObservedState = serde_json::from_value(answer).unwrap();
    let here = store.state().borrow().clone().unwrap();
    let planned_by = observed.planning.clone();
    let there = observed.into_state().unwrap();
    assert_eq!((there.sequence, there.zones), (here.sequence, here.zones.clone()));
    assert_eq!((there.controls, there.principals), (here.controls.clone(), here.principals.clone()));
    assert_eq!((there.spent.len(), there.spent), (1, here.spent.clone()));
    assert_eq!(planned_by, Some(planning()));
}

#[tokio::test]
async fn the_first_key_is_written_once_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("api-key");
    let store = memory_store();
    create_first_key(&*store, &file).await.unwrap();
    let key = std::fs::read_to_string(&file).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    assert_eq!(node.get("/api/v1/zones", key.trim()).await.0, StatusCode::OK);
    create_first_key(&*store, &file).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), key, "a second start changes nothing");
}

/// A kill between the file and the commit, or a commit whose answer was lost, needs nobody to repair it.
#[tokio::test]
async fn a_first_key_that_was_left_behind_is_taken_and_nothing_else_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("api-key");
    create_first_key(&*memory_store(), &file).await.unwrap();
    let key = std::fs::read_to_string(&file).unwrap();
    let store = memory_store();
    create_first_key(&*store, &file).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), key);
    let node = Node::start("n1", store as Arc<dyn Store>).await;
    assert_eq!(node.get("/api/v1/zones", key.trim()).await.0, StatusCode::OK);

    let refused = async |mode: u32, content: &str| {
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = create_first_key(&*memory_store(), &file).await;
        assert!(matches!(refused, Err(bootstrap::BootstrapError::NotOurs { .. })), "{mode:o} {content}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
    };
    refused(0o644, &key).await;
    for content in ["", "hunter2", "pzk_abcdefghijkl_short", key.trim_end().get(1..).unwrap()] {
        refused(0o600, content).await;
    }
}
