//! What keys of each role may do: the whole matrix of roles and paths, and what owners and partners may change.

use super::super::routes;
use super::*;
use crate::store::samples;
use crate::zone::{Credential, KeyId, TopicPattern, ZoneName};

pub(super) fn owner(patterns: &[&str]) -> ApiKeyRole {
    ApiKeyRole::Owner { topics: patterns.iter().map(|text| TopicPattern::try_from(*text).unwrap()).collect() }
}

pub(super) fn partner(zone: &str) -> ApiKeyRole {
    ApiKeyRole::Partner { zone: ZoneName::try_from(zone).unwrap() }
}

/// A zone that shares these topics, each under its own name.
async fn share(store: &dyn Store, zone: &str, topics: &[&str]) {
    let topics: Vec<_> = topics
        .iter()
        .map(|topic| json!({"name": format!("{zone}-{topic}"), "backingTopic": topic, "permission": "READ"}))
        .collect();
    put(store, zone, json!({"topics": topics})).await;
}

/// A zone of this specification, for PLAIN.
pub(super) async fn put(store: &dyn Store, zone: &str, spec: Value) {
    let mut document = json!({
        "apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": zone},
        "spec": {
            "cluster": "gateway", "displayName": zone,
            "authenticationMode": {"type": "PLAIN", "serviceAccount": format!("{zone}-sa")},
        },
    });
    for (name, value) in spec.as_object().unwrap() {
        match name.as_str() {
            "labels" => document["metadata"]["labels"] = value.clone(),
            name => document["spec"][name] = value.clone(),
        }
    }
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

/// A credential of the zone, stored.
pub(super) async fn credential(
    store: &dyn Store,
    zone: &str,
    number: usize,
    end: Option<OffsetDateTime>,
) -> String {
    let now = OffsetDateTime::now_utc();
    let credential = Credential {
        created_at: now - time::Duration::hours(1),
        expires_at: end,
        ..samples::credential(zone, number)
    };
    let id = credential.key_id.to_string();
    store.commit(vec![Change::PutCredential(credential)]).await.unwrap();
    id
}

/// Three zones that the owner of `sales.*` sees as a whole, in part and not at all, a gateway, and a key of each role.
struct World {
    store: Arc<MemoryStore>,
    node: Node,
    keys: BTreeMap<&'static str, String>,
}

impl World {
    async fn start() -> Self {
        let store = memory_store();
        share(&*store, "whole", &["sales.orders", "sales.returns"]).await;
        share(&*store, "part", &["sales.orders", "finance.ledger"]).await;
        share(&*store, "other", &["finance.ledger"]).await;
        heartbeat(&*store, EVERYTHING).await;
        let mut keys = BTreeMap::new();
        for role in [ApiKeyRole::Admin, ApiKeyRole::Viewer, owner(&["sales.*"]), partner("whole")] {
            keys.insert(role.name(), key_of(&*store, role).await);
        }
        let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
        Self { store, node, keys }
    }

    async fn send(&self, role: &str, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        self.node.send(method, &format!("/api/v1{path}"), &self.keys[role], Some(body)).await
    }

    async fn get(&self, role: &str, path: &str) -> (StatusCode, Value) {
        self.node.get(&format!("/api/v1{path}"), &self.keys[role]).await
    }
}

/// Who may call what: an admin, a viewer, an owner, a partner.
const MATRIX: [(&str, &str, &str); 32] = [
    ("GET", "/session", "avop"),
    ("DELETE", "/session", "avop"),
    ("GET", "/zones", "avop"),
    ("GET", "/zones/{name}", "avop"),
    ("POST", "/zones", "ao"),
    ("PUT", "/zones/{name}", "ao"),
    ("DELETE", "/zones/{name}", "ao"),
    ("GET", "/zones/{name}/usage", "avop"),
    ("GET", "/zones/{name}/traffic", "avop"),
    ("GET", "/usage", "avop"),
    ("GET", "/zones/{name}/credentials", "avop"),
    ("POST", "/zones/{name}/credentials", "ao"),
    ("GET", "/credentials", "avop"),
    ("DELETE", "/credentials/{key_id}", "aop"),
    ("POST", "/credentials/{key_id}/rotate", "aop"),
    ("GET", "/topics", "avo"),
    ("GET", "/audit", "av"),
    ("GET", "/plan", "av"),
    ("GET", "/events", "av"),
    ("GET", "/nodes", "av"),
    ("GET", "/state", "av"),
    ("GET", "/state/backup", "a"),
    ("GET", "/controller", "av"),
    ("POST", "/controller/suspend", "a"),
    ("POST", "/controller/resume", "a"),
    ("POST", "/controller/rollback", "a"),
    ("DELETE", "/controller/rollback", "a"),
    ("POST", "/controller/accept", "a"),
    ("POST", "/controller/apply", "a"),
    ("GET", "/api-keys", "av"),
    ("POST", "/api-keys", "a"),
    ("DELETE", "/api-keys/{id}", "a"),
];

#[tokio::test]
async fn every_path_says_who_may_call_it_and_nobody_else_can() {
    let told: BTreeSet<_> = MATRIX.iter().map(|(method, path, _)| ((*method).to_owned(), *path)).collect();
    let routes: BTreeSet<_> =
        routes::all().iter().map(|it| (it.route.method.to_string(), it.route.path)).collect();
    assert_eq!(routes, told, "a path that is here and not there, or the other way round");
    let mut world = World::start().await;
    world.node.writing.close();
    let id = credential(&*world.store, "whole", 1, None).await;
    for (method, path, allowed) in MATRIX {
        // A body that nobody takes, and an id that nobody has: what may be done does no harm.
        let asked =
            path.replace("{name}", "whole").replace("{key_id}", "pz0000000000000000").replace("{id}", "none");
        for role in ["admin", "viewer", "owner", "partner"] {
            let is_allowed = allowed.contains(role.chars().next().unwrap());
            let (status, answer) = if is_allowed && path == "/events" {
                // It has no end.
                let request = world.node.request(Method::GET, "/api/v1/events", &world.keys[role]);
                (request.send().await.unwrap().status(), Value::Null)
            } else {
                world.send(role, method.parse().unwrap(), &asked, json!({"nonsense": true})).await
            };
            if is_allowed {
                let refused =
                    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::METHOD_NOT_ALLOWED];
                assert!(!refused.contains(&status), "{role} {method} {path}: {answer}");
                assert!(method != "GET" || status == StatusCode::OK, "{role} {path}: {answer}");
            } else {
                assert_eq!(status, StatusCode::FORBIDDEN, "{role} {method} {path}: {answer}");
            }
        }
    }
    let left = world.store.state().borrow().clone().unwrap();
    assert_eq!((left.zones.len(), left.api_keys.len()), (3, 4));
    assert!(left.credentials.contains_key(&KeyId::try_from(id.as_str()).unwrap()));
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        for role in ["admin", "partner"] {
            let (status, _) = world.send(role, method.clone(), "/zones", json!({})).await;
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        }
    }
}

#[tokio::test]
async fn consoles_paths_are_for_those_who_may_do_the_same_under_our_own() {
    let mut world = World::start().await;
    world.node.writing.close();
    for route in console::routes() {
        let allowed = if route.method == Method::GET { "avop" } else { "ao" };
        let path = route.path.replace("{name}", "whole");
        for role in ["admin", "viewer", "owner", "partner"] {
            let key = &world.keys[role];
            let (status, answer) = world.node.send(route.method.clone(), &path, key, Some(json!({}))).await;
            let is_allowed = allowed.contains(role.chars().next().unwrap());
            assert_eq!(
                status != StatusCode::FORBIDDEN,
                is_allowed,
                "{role} {} {path}: {answer}",
                route.method
            );
        }
    }
    for role in ["owner", "partner"] {
        let of = async |zone: &str| {
            world.node.get(&format!("/public/console/v2/partner-zone/{zone}"), &world.keys[role]).await
        };
        assert_eq!(of("other").await, of("nowhere").await, "{role}");
    }
}

#[tokio::test]
async fn a_zone_that_a_key_does_not_see_is_answered_as_one_that_is_not_there() {
    let world = World::start().await;
    let theirs = credential(&*world.store, "other", 1, None).await;
    for role in ["owner", "partner"] {
        for path in ["/zones/{}", "/zones/{}/usage", "/zones/{}/usage?format=csv", "/zones/{}/credentials"] {
            let of = |zone: &str| path.replace("{}", zone);
            let (there, not_there) =
                (world.get(role, &of("other")).await, world.get(role, &of("nowhere")).await);
            assert_eq!(there.0, StatusCode::NOT_FOUND, "{role} {path}");
            assert_eq!(there, not_there, "{role} {path}");
        }
        for (method, path) in [(Method::DELETE, ""), (Method::POST, "/rotate")] {
            let of = async |id: &str| {
                world.send(role, method.clone(), &format!("/credentials/{id}{path}"), json!({})).await
            };
            let (there, not_there) = (of(&theirs).await, of("pz0000000000000000").await);
            assert_eq!(there.0, StatusCode::NOT_FOUND, "{role} {path}");
            assert_eq!(there, not_there, "{role} {path}");
        }
        let issued = async |zone: &str| {
            world.send(role, Method::POST, &format!("/zones/{zone}/credentials"), json!({})).await
        };
        assert_eq!(issued("other").await, issued("nowhere").await, "{role}");
        let (_, listed) = world.get(role, "/credentials").await;
        assert!(!listed.to_string().contains(&theirs), "{listed}");
    }
    assert_eq!(world.store.state().borrow().as_ref().unwrap().credentials.len(), 1);
}

#[tokio::test]
async fn an_owner_gives_and_takes_only_where_all_that_is_shared_is_theirs() {
    let world = World::start().await;
    let issue = "/zones/whole/credentials";
    let (status, issued) = world.send("owner", Method::POST, issue, json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "{issued}");
    let rotate = |id: &str| format!("/credentials/{id}/rotate");
    let id = issued["keyId"].as_str().unwrap();
    let (status, rotated) = world.send("owner", Method::POST, &rotate(id), json!({"overlap": "0s"})).await;
    assert_eq!(status, StatusCode::CREATED, "{rotated}");
    let id = format!("/credentials/{}", rotated["keyId"].as_str().unwrap());
    assert_eq!(world.send("owner", Method::DELETE, &id, json!({})).await.0, StatusCode::OK);

    let of_part = credential(&*world.store, "part", 1, None).await;
    for (method, path) in [
        (Method::POST, "/zones/part/credentials".to_owned()),
        (Method::POST, rotate(&of_part)),
        (Method::DELETE, format!("/credentials/{of_part}")),
    ] {
        let (status, problem) = world.send("owner", method, &path, json!({})).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        assert!(problem["detail"].as_str().unwrap().contains("are all theirs"), "{problem}");
    }
    assert_eq!(world.store.state().borrow().as_ref().unwrap().credentials.len(), 1);
    let by: Vec<_> = world.store.audit_events().iter().map(|event| event["data"]["apiKey"].clone()).collect();
    let owner = world.keys["owner"].split('_').nth(1).unwrap();
    assert_eq!(by, [owner; 3], "the audit log says whose key it was");
}

#[tokio::test]
async fn a_partner_renews_and_gives_back_what_it_has_and_gets_no_more() {
    let world = World::start().await;
    let in_an_hour = OffsetDateTime::now_utc() + time::Duration::hours(1);
    let ends = credential(&*world.store, "whole", 1, Some(in_an_hour)).await;
    let ended = credential(&*world.store, "whole", 2, Some(OffsetDateTime::now_utc())).await;
    let (_, listed) = world.get("partner", "/credentials").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!(listed, world.get("partner", "/zones/whole/credentials").await.1);

    let rotate = async |id: &str, body: Value| {
        world.send("partner", Method::POST, &format!("/credentials/{id}/rotate"), body).await
    };
    let (status, problem) = rotate(&ended, json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "what has ended stays ended: {problem}");
    let (status, problem) = rotate(&ends, json!({"expiresAt": "2999-01-01T00:00:00Z"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
    let (status, rotated) = rotate(&ends, json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "{rotated}");
    let end = OffsetDateTime::parse(
        rotated["expiresAt"].as_str().unwrap(),
        &time::format_description::well_known::Rfc3339,
    );
    let lasts = end.unwrap() - OffsetDateTime::now_utc();
    assert!(
        lasts.whole_minutes() >= 118 && lasts.whole_minutes() <= 120,
        "two hours, as the old one: {lasts}"
    );
    let id = format!("/credentials/{}", rotated["keyId"].as_str().unwrap());
    assert_eq!(world.send("partner", Method::DELETE, &id, json!({})).await.0, StatusCode::OK);
    // What the provider takes back stays taken back: none is issued by a partner.
    let issue = world.send("partner", Method::POST, "/zones/whole/credentials", json!({})).await;
    assert_eq!(issue.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_node_that_does_not_lead_judges_the_role_itself_and_passes_on_what_is_allowed() {
    let world = World::start().await;
    let store = || Arc::clone(&world.store);
    let follower = Node::start("n2", Follower::of(store(), Some(("n1", world.node.address)))).await;
    let issue = "/api/v1/zones/whole/credentials";
    let (status, issued) = follower.send(Method::POST, issue, &world.keys["owner"], Some(json!({}))).await;
    assert_eq!(status, StatusCode::CREATED, "{issued}");
    let rotate = format!("/api/v1/credentials/{}/rotate", issued["keyId"].as_str().unwrap());
    let (status, rotated) = follower.send(Method::POST, &rotate, &world.keys["partner"], None).await;
    assert_eq!(status, StatusCode::CREATED, "{rotated}");
    let other = "/api/v1/zones/part/credentials";
    assert_eq!(follower.send(Method::POST, other, &world.keys["owner"], None).await.0, StatusCode::FORBIDDEN);
    let leaderless = Node::start("n3", Follower::of(store(), None)).await;
    for role in ["viewer", "partner"] {
        let (status, _) = leaderless.send(Method::POST, issue, &world.keys[role], None).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{role}");
    }
    assert_eq!(
        leaderless.send(Method::POST, issue, &world.keys["owner"], None).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn a_key_is_made_with_what_its_role_needs_and_shows_what_it_is_for() {
    let world = World::start().await;
    let create = async |body: Value| world.send("admin", Method::POST, "/api-keys", body).await;
    for (body, said) in [
        (json!({"role": "owner"}), "needs `topics`"),
        (json!({"role": "owner", "zone": "whole"}), "needs `topics`"),
        (json!({"role": "owner", "topics": []}), "1 to 100"),
        (json!({"role": "owner", "topics": vec!["a"; 101]}), "1 to 100"),
        (json!({"role": "owner", "topics": ["sales.*", "a|b"]}), "the pattern `a|b`"),
        (json!({"role": "owner", "topics": [".*"]}), "the pattern `.*`"),
        (json!({"role": "owner", "topics": ["sales.*"], "zone": "whole"}), "for the role `owner`"),
        (json!({"role": "partner"}), "needs `zone`"),
        (json!({"role": "partner", "topics": ["sales.*"]}), "needs `zone`"),
        (json!({"role": "partner", "zone": "nowhere"}), "there is no zone `nowhere`"),
        (json!({"role": "partner", "zone": "Not A Name"}), "there is no zone"),
        (json!({"role": "admin", "topics": ["sales.*"]}), "no other role"),
        (json!({"role": "viewer", "zone": "whole"}), "no other role"),
        (json!({"role": "root"}), "unknown variant"),
    ] {
        let (status, problem) = create(body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{body}: {problem}");
    }
    let (status, owner) = create(json!({"role": "owner", "topics": ["orders", "sales.*"]})).await;
    assert_eq!((status, &owner["topics"]), (StatusCode::CREATED, &json!(["orders", "sales.*"])));
    let (status, partner) = create(json!({"role": "partner", "zone": "part"})).await;
    assert_eq!((status, &partner["zone"]), (StatusCode::CREATED, &json!("part")));
    let (_, listed) = world.get("viewer", "/api-keys").await;
    for mut made in [owner, partner] {
        let key = made.as_object_mut().unwrap().remove("key").unwrap();
        let items = listed["items"].as_array().unwrap();
        assert!(items.contains(&made), "{made} is not in {listed}");
        let (status, zones) = world.node.get("/api/v1/zones", key.as_str().unwrap()).await;
        assert_eq!(
            (status, zones["items"].as_array().unwrap().len()),
            (StatusCode::OK, if made["role"] == "owner" { 2 } else { 1 })
        );
    }
}

#[tokio::test]
async fn a_whole_key_as_password_is_as_good_as_bearer() {
    let world = World::start().await;
    for (user, password, wanted) in [
        ("somebody", world.keys["partner"].clone(), StatusCode::OK),
        ("", world.keys["viewer"].clone(), StatusCode::OK),
        ("somebody", format!("{}x", world.keys["partner"]), StatusCode::UNAUTHORIZED),
        ("somebody", "hunter2".to_owned(), StatusCode::UNAUTHORIZED),
    ] {
        let request = world.node.request(Method::GET, "/api/v1/zones", "").basic_auth(user, Some(password));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), wanted);
        let asks = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(asks.as_deref(), (wanted == StatusCode::UNAUTHORIZED).then_some("Bearer"));
    }
}

#[tokio::test]
async fn a_key_that_sends_too_many_requests_waits_and_no_other_one_does() {
    let world = World::start().await;
    let mut answered = 0;
    let refused = loop {
        let request = world.node.request(Method::GET, "/api/v1/nothing", &world.keys["partner"]);
        let answer = request.send().await.unwrap();
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            break answer;
        }
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        answered += 1;
        assert!(answered < 100_000, "there is no limit");
    };
    assert!(answered >= 200, "only {answered} were answered");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(world.get("admin", "/zones").await.0, StatusCode::OK);
    let (_, metrics) = world.node.get("/metrics", "").await;
    assert!(metrics.as_str().unwrap().contains("partner_zones_http_limited_requests_total 1\n"), "{metrics}");
}
