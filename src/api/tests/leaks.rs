//! What owners and partners are told, to the letter: every answer that they can get is looked through for names that are not theirs.

use super::super::routes;
use super::roles::{credential, owner, partner, put};
use super::writes::exchange;
use super::*;
use crate::store::{Place, samples};
use crate::zone::status::{Pending, Problem as FileProblem, Progress, Seen};
use crate::zone::usage::{ClientUsage, TopicUsage, Usage, Volume};
use crate::zone::{
    Asked, Condition, ConditionKind, ConditionStatus, Effect, Excerpt, GroupLag, Rollback, Scope,
    WriteFinding, ZoneLag, ZoneName,
};

/// Names that nothing else has. `acme` shares a topic of `sales.*` and one of finance, `sold` topics of `sales.*` alone, `rival`
/// one of finance alone; `departed` is gone.
mod name {
    /// Of operators and the service: for neither.
    pub(super) const SERVICE: [&str; 11] = [
        "node-of-ours",
        "node-that-hangs",
        "key-of-an-operator",
        "reason-of-an-operator",
        "words-of-a-gateway",
        "words-of-the-controller",
        "words-of-a-finding",
        "words-of-a-guard",
        "zones/place-of-a-file",
        "digest-of-a-plan",
        "c0331700000000000000000000000000000c0ffe",
    ];
    /// Of other zones and their topics: for neither.
    pub(super) const OTHERS: [&str; 7] = [
        "rival",
        "departed",
        "west-cluster",
        "alias-of-the-rival",
        "finance.of-the-rival",
        "group-of-the-rival",
        "token:client-of-the-rival",
    ];
    /// Of `acme`, what an owner of `sales.*` does not see.
    pub(super) const NOT_THE_OWNERS: [&str; 9] = [
        "alias-of-ledger",
        "finance.ledger",
        "text-of-ledger",
        "words-about-acme",
        "label-of-acme",
        "header-of-acme",
        "group-of-acme",
        "backing-group",
        "token:client-of-acme",
    ];
    /// Of `acme`, what its partner does not see.
    pub(super) const NOT_THE_PARTNERS: [&str; 14] = [
        "sales.orders",
        "sales.orders-value",
        "finance.ledger",
        "east-cluster",
        "gateway-hall",
        "words-about-acme",
        "label-of-acme",
        "header-of-acme",
        "backing-group",
        "main@",
        "sold",
        "sales.invoices",
        "alias-of-invoices",
        "alias-of-returns",
    ];
}

async fn zones(store: &dyn Store) {
    let acme = json!({
        "cluster": "gateway-hall", "underlyingCluster": "east-cluster", "labels": {"team": "label-of-acme"},
        "description": "words-about-acme",
        "partner": {"name": "Ada", "email": "ada@example.com"},
        "headers": {"removeOnConsume": [{"keyRegex": "header-of-acme"}]},
        "consumerGroups": [{"name": "readers", "backingGroup": "backing-group"}],
        "topics": [
            {"name": "orders", "backingTopic": "sales.orders", "permission": "READ", "schemas": ["sales.orders-value"],
             "description": "What was ordered", "tags": ["daily"],
             "deprecated": {"until": "2999-01-01T00:00:00Z", "replacedBy": "alias-of-ledger"}},
            {"name": "alias-of-ledger", "backingTopic": "finance.ledger", "permission": "WRITE",
             "description": "text-of-ledger"},
        ],
    });
    let sold = json!({
        "underlyingCluster": "east-cluster",
        "topics": [
            {"name": "alias-of-invoices", "backingTopic": "sales.invoices", "permission": "READ"},
            {"name": "alias-of-returns", "backingTopic": "sales.returns", "permission": "WRITE"},
        ],
    });
    let rival = json!({
        "underlyingCluster": "west-cluster",
        "topics": [{"name": "alias-of-the-rival", "backingTopic": "finance.of-the-rival", "permission": "READ"}],
    });
    for (zone, spec) in [("acme", acme), ("sold", sold), ("rival", rival)] {
        put(store, zone, spec).await;
    }
}

/// What was used, and how far consumers are behind.
async fn used(store: &dyn Store) {
    let volume = |bytes| Volume { bytes, records: 1 };
    let of = |zone: &str, topics: &[(&str, u64)], client: &str| {
        let topic = |bytes| TopicUsage { consumed: volume(bytes), ..TopicUsage::default() };
        let consumed = volume(topics.iter().map(|(_, bytes)| bytes).sum());
        let usage = Usage {
            topics: topics.iter().map(|(alias, bytes)| ((*alias).to_owned(), topic(*bytes))).collect(),
            credentials: [(
                client.to_owned(),
                ClientUsage { consumed, requests: 7, ..ClientUsage::default() },
            )]
            .into(),
        };
        let month = super::super::usage::this_month();
        (Place { zone: ZoneName::try_from(zone).unwrap(), month, source: "g1/a".to_owned() }, Arc::new(usage))
    };
    for (place, usage) in [
        of("acme", &[("orders", 10), ("alias-of-ledger", 1_000)], "token:client-of-acme"),
        of("sold", &[("alias-of-invoices", 5)], "token:client-of-sold"),
        of("rival", &[("alias-of-the-rival", 1)], "token:client-of-the-rival"),
        of("departed", &[("orders", 1)], "pz1"),
    ] {
        store.record_usage(place, usage).await.unwrap();
    }
    let group = |group: &str, topic: &str, lag| GroupLag {
        group: group.to_owned(),
        topic: topic.to_owned(),
        lag,
        partitions: 1,
    };
    for (zone, groups) in [
        ("acme", vec![group("readers", "orders", 3), group("group-of-acme", "alias-of-ledger", 400)]),
        ("rival", vec![group("group-of-the-rival", "alias-of-the-rival", 1)]),
    ] {
        let lag = Some(Arc::new(ZoneLag::new(groups, false)));
        store.record_lag(ZoneName::try_from(zone).unwrap(), lag).await.unwrap();
    }
}

fn controller() -> ControllerStatus {
    let acme = || ZoneName::try_from("acme").unwrap();
    let now = OffsetDateTime::now_utc();
    let ready =
        |message: &str| Condition::new(ConditionKind::Ready, ConditionStatus::False, "Refused", message);
    let seen = || Some(Seen { revision: Revision::commit("refs/heads/main", "4567"), at: now });
    ControllerStatus {
        conditions: vec![ready("words-of-the-controller")],
        last_observed: seen(),
        last_attempted: seen(),
        plan: Some("digest-of-a-plan".to_owned()),
        problems: vec![FileProblem {
            zone: Some(acme()),
            code: "PZ0104".to_owned(),
            place: "zones/place-of-a-file".to_owned(),
            message: "words-of-a-finding: rival has it".to_owned(),
        }],
        refused: vec!["words-of-a-guard".to_owned()],
        zones: [(
            acme(),
            Progress {
                pending: Some(Pending::Failed("words-of-the-controller".to_owned())),
                is_drifted: true,
            },
        )]
        .into(),
        ..ControllerStatus::default()
    }
}

async fn controls(store: &dyn Store) {
    let asked = || Asked {
        by: "key-of-an-operator".to_owned(),
        at: OffsetDateTime::now_utc(),
        reason: "reason-of-an-operator".to_owned(),
    };
    let until = OffsetDateTime::now_utc() + time::Duration::hours(1);
    let rollback =
        Rollback { commit: "c0331700000000000000000000000000000c0ffe".to_owned(), until, asked: asked() };
    let zone = Scope::Zone(ZoneName::try_from("acme").unwrap());
    store.commit(vec![Change::Suspend(zone, asked()), Change::Rollback(rollback)]).await.unwrap();
}

/// Two gateways, one of which hangs. The other one has trouble with `acme`, if that is wanted.
async fn gateways(store: &dyn Store, trouble: bool) {
    let served = |node: &str, serving| Heartbeat {
        bootstrap: ["east-cluster", "west-cluster"]
            .map(|cluster| (cluster.to_owned(), "kafka.example.com:19092".to_owned()))
            .into(),
        at: OffsetDateTime::now_utc(),
        ..samples::heartbeat(node, serving)
    };
    let problem =
        "words-of-a-gateway: backing topic finance.ledger does not exist on east-cluster".to_owned();
    let problems = if trouble { BTreeMap::from([("acme".to_owned(), problem)]) } else { BTreeMap::new() };
    store.heartbeat(Heartbeat { problems, ..served("node-of-ours", EVERYTHING) }).await.unwrap();
    store.heartbeat(served("node-that-hangs", 1)).await.unwrap();
}

/// Everything that can be read with a key, what is refused included.
async fn all_answers(node: &Node, key: &str) -> String {
    let mut all = String::new();
    // Events have no end, and are for operators.
    let is_read = |route: &&routes::Route| route.method == Method::GET && route.path != "/events";
    let ours = routes::all().into_iter().map(|it| ("/api/v1", it.route));
    let console = console::routes().into_iter().map(|route| ("", route));
    for (prefix, route) in ours.chain(console).filter(|(_, route)| is_read(&route)) {
        for zone in ["acme", "sold", "rival", "departed", "nowhere"] {
            for parameters in ["", "?include=usage", "?format=csv", "?format=json"] {
                let path = route.path.replace("{name}", zone);
                let (_, answer) = node.get(&format!("{prefix}{path}{parameters}"), key).await;
                // A refused name may be said again.
                all.push_str(&answer.to_string());
                all.push('\n');
            }
            if !route.path.contains('{') {
                break;
            }
        }
    }
    all
}

struct World {
    store: Arc<MemoryStore>,
    node: Node,
    admin: String,
}

impl World {
    async fn start(trouble: bool) -> Self {
        let store = memory_store();
        let admin = key_of(&*store, ApiKeyRole::Admin).await;
        zones(&*store).await;
        used(&*store).await;
        controls(&*store).await;
        gateways(&*store, trouble).await;
        let node = Node::reporting("node-of-ours", Arc::clone(&store) as _, controller()).await;
        Self { store, node, admin }
    }

    async fn key(&self, role: ApiKeyRole) -> String {
        key_of(&*self.store, role).await
    }

    async fn get(&self, path: &str, key: &str) -> Value {
        let (status, answer) = self.node.get(&format!("/api/v1{path}"), key).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }
}

fn assert_without<'n>(answers: &str, names: impl IntoIterator<Item = &'n str>, who: &str) {
    for name in names {
        let at = answers.find(name);
        let around = at.map(|at| &answers[at.saturating_sub(200)..(at + 100).min(answers.len())]);
        assert_eq!(around, None, "{who} is told of {name}");
    }
}

#[tokio::test]
async fn no_answer_to_an_owner_or_a_partner_has_a_name_that_is_not_theirs() {
    for trouble in [true, false] {
        let world = World::start(trouble).await;
        let ids = [("acme", 1), ("sold", 2), ("rival", 3)];
        let mut credentials = BTreeMap::new();
        for (zone, number) in ids {
            credentials.insert(zone, credential(&*world.store, zone, number, None).await);
        }
        let of_admin = all_answers(&world.node, &world.admin).await;
        let mut names: Vec<&str> =
            [&name::SERVICE[..], &name::OTHERS, &name::NOT_THE_OWNERS, &name::NOT_THE_PARTNERS].concat();
        names.extend(credentials.values().map(String::as_str));
        for name in names.into_iter().filter(|name| trouble || *name != "words-of-a-gateway") {
            assert!(
                of_admin.contains(name),
                "not even an admin is told of {name}: the test looks for nothing"
            );
        }
        let neither = || name::SERVICE.into_iter().chain(name::OTHERS).chain([credentials["rival"].as_str()]);

        let owner = world.key(owner(&["sales.*"])).await;
        let answers = all_answers(&world.node, &owner).await;
        assert!(
            ["sales.orders", "alias-of-invoices", "Ada", "acme"].iter().all(|name| answers.contains(name))
        );
        assert_without(&answers, neither().chain(name::NOT_THE_OWNERS), "an owner");

        let partner = world.key(partner("acme")).await;
        let answers = all_answers(&world.node, &partner).await;
        assert!(
            ["alias-of-ledger", "text-of-ledger", "kafka.example.com"]
                .iter()
                .all(|name| answers.contains(name))
        );
        let others = name::NOT_THE_PARTNERS.into_iter().chain([credentials["sold"].as_str()]);
        assert_without(&answers, neither().chain(others), "a partner");
    }
}

/// One that hangs is named to operators.
#[tokio::test]
async fn what_a_key_gets_for_its_own_change_names_no_node() {
    let world = World::start(false).await;
    let [old, older] =
        [credential(&*world.store, "acme", 1, None).await, credential(&*world.store, "sold", 2, None).await];
    let (owner, partner) = (world.key(owner(&["sales.*"])).await, world.key(partner("acme")).await);
    let post = async |path: &str, key: &str| {
        let (status, answer) = world.node.send(Method::POST, &format!("/api/v1{path}"), key, None).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        assert_eq!(answer["served"], false);
        answer.to_string()
    };
    let (rotate, issue, rotate_too) = (
        format!("/credentials/{old}/rotate"),
        "/zones/sold/credentials",
        format!("/credentials/{older}/rotate"),
    );
    let (of_partner, of_owner, of_admin) =
        tokio::join!(post(&rotate, &partner), post(issue, &owner), post(&rotate_too, &world.admin));
    assert!(of_admin.contains("node-that-hangs"), "{of_admin}");
    assert_without(&of_owner, name::SERVICE.into_iter().chain(name::OTHERS), "an owner");
    let nobodys = name::SERVICE.into_iter().chain(name::OTHERS).chain(name::NOT_THE_PARTNERS);
    assert_without(&of_partner, nobodys, "a partner");
}

/// What may come of a write, each with a name in it that is none of an owner's.
fn outcomes() -> Vec<Result<Written, WriteRefusal>> {
    let document = || Some("alias-of-invoices".to_owned());
    let (file, whole) =
        (|| "zones/sales.yaml".to_owned(), || "alias-of-invoices, alias-of-the-rival".to_owned());
    let excerpt = |document| Some(Excerpt { document, diff: "+alias-of-invoices".to_owned() });
    let text = || "words-of-the-controller: rival".to_owned();
    let finding = WriteFinding {
        code: "PZ0303",
        place: "zones/place-of-a-file:1:1".to_owned(),
        message: "the cluster `mars` is not configured".to_owned(),
        help: Some("the configured clusters are east-cluster, west-cluster".to_owned()),
    };
    let written = Written {
        effect: Effect::Updated,
        file: file(),
        diff: whole(),
        excerpt: excerpt(document()),
        plan: json!({"changes": [], "findings": ["words-of-a-finding"]}).to_string(),
        version: None,
        commit: None,
    };
    let off =
        |text, document| WriteRefusal::Off { file: file(), text, diff: whole(), excerpt: excerpt(document) };
    let refusals = [
        off(Some(whole()), document()),
        off(Some(whole()), None),
        WriteRefusal::Invalid(vec![finding]),
        WriteRefusal::File("zones/place-of-a-file has it".to_owned()),
        WriteRefusal::Guarded { reasons: vec!["words-of-a-guard".to_owned()], ways_out: vec![text()] },
        WriteRefusal::Held("rolled back to c0331700000000000000000000000000000c0ffe".to_owned()),
        WriteRefusal::Refused(text()),
        WriteRefusal::Unreachable(text()),
        WriteRefusal::Unknown(text()),
    ];
    [Ok(written)].into_iter().chain(refusals.map(Err)).collect()
}

/// A file can hold zones of others, and what is in the way of a write is told in words for operators.
#[tokio::test]
async fn what_comes_of_an_owners_write_is_told_without_a_name_that_is_not_theirs() {
    let mut world = World::start(false).await;
    let owner = world.key(owner(&["sales.*"])).await;
    let mut zone = world.get("/zones/sold", &owner).await;
    zone.as_object_mut().unwrap().remove("status");
    let mut writing = std::mem::replace(&mut world.node.writing, mpsc::channel(1).1);
    for outcome in outcomes() {
        for path in ["/api/v1/zones/sold", "/public/console/v2/partner-zone"] {
            let request = |key: &str| {
                let request = world.node.request(Method::PUT, path, key).body(zone.to_string());
                request.header("content-type", "application/json")
            };
            let (_, in_full) = exchange(&mut writing, request(&world.admin), outcome.clone()).await;
            let (_, in_part) = exchange(&mut writing, request(&owner), outcome.clone()).await;
            assert_eq!(in_full.status(), in_part.status(), "{outcome:?}");
            let names = || name::SERVICE.into_iter().chain(name::OTHERS);
            assert_without(&in_part.text().await.unwrap(), names(), "an owner");
            let in_full = in_full.text().await.unwrap();
            let is_ours = path.starts_with("/api/v1");
            assert!(!is_ours || names().any(|name| in_full.contains(name)), "not even an admin: {in_full}");
        }
    }
}

/// Whoever takes it for the whole file would delete the other zones in it.
#[tokio::test]
async fn a_document_that_is_to_be_committed_by_hand_is_not_called_the_files_text() {
    let mut world = World::start(false).await;
    let owner = world.key(owner(&["sales.*"])).await;
    let mut writing = std::mem::replace(&mut world.node.writing, mpsc::channel(1).1);
    let off = |document: Option<&str>| {
        let (file, text) = ("zones/sales.yaml".to_owned(), Some("the whole file".to_owned()));
        let excerpt = Excerpt { document: document.map(str::to_owned), diff: "of the zone".to_owned() };
        Err(WriteRefusal::Off { file, text, diff: "of the file".to_owned(), excerpt: Some(excerpt) })
    };
    let request = |key: &str| world.node.request(Method::DELETE, "/api/v1/zones/sold", key);
    let (_, whole) = exchange(&mut writing, request(&world.admin), off(Some("the document"))).await;
    let whole: Value = whole.json().await.unwrap();
    assert_eq!((&whole["text"], &whole["diff"]), (&json!("the whole file"), &json!("of the file")));
    assert_eq!(whole.get("document"), None);
    for (document, said) in [(Some("the document"), "in the place of the zone's"), (None, "take the zone's")]
    {
        let (_, part) = exchange(&mut writing, request(&owner), off(document)).await;
        let part: Value = part.json().await.unwrap();
        assert_eq!((&part["document"], &part["diff"]), (&json!(document), &json!("of the zone")));
        assert_eq!((part.get("text"), &part["file"]), (None, &json!("zones/sales.yaml")));
        assert!(part["detail"].as_str().unwrap().contains(said), "{part}");
    }
}

#[tokio::test]
async fn an_owner_sees_who_has_its_topics_and_how_much_they_use_of_them() {
    let world = World::start(false).await;
    let key = world.key(owner(&["sales.*"])).await;
    let listed = world.get("/zones?include=usage", &key).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!((listed.get("source"), listed.get("controls")), (None, None));
    let acme = world.get("/zones/acme", &key).await;
    assert_eq!(acme, listed["items"][0]);
    assert_eq!(acme["spec"]["topics"].as_array().unwrap().len(), 1);
    let topic = &acme["spec"]["topics"][0];
    assert_eq!((&topic["name"], &topic["backingTopic"]), (&json!("orders"), &json!("sales.orders")));
    assert_eq!(topic["deprecated"], json!({"until": "2999-01-01T00:00:00Z"}));
    assert_eq!(
        (&acme["status"]["otherTopics"], &acme["spec"]["partner"]["name"]),
        (&json!(1), &json!("Ada"))
    );
    let usage = &acme["status"]["usage"];
    assert_eq!(
        (&usage["consumed"]["bytes"], &usage["lag"], usage.get("requests")),
        (&json!(10), &json!(3), None)
    );
    let usage = world.get("/zones/acme/usage", &key).await;
    assert_eq!(usage["total"]["consumed"]["bytes"], 10);
    assert_eq!((usage["topics"].as_array().unwrap().len(), &usage["credentials"]), (1, &json!([])));
    assert_eq!((&usage["lag"], usage["groups"].as_array().unwrap().len()), (&json!(3), 1));
    let csv = world.get("/zones/acme/usage?format=csv", &key).await;
    let kinds: Vec<_> =
        csv.as_str().unwrap().lines().skip(1).map(|line| line.split(',').nth(2).unwrap()).collect();
    assert_eq!(kinds, ["topic"], "a total would tell of the other topics");
    let totals = world.get("/usage", &key).await;
    let totals: Vec<_> = totals["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["total"]["consumed"]["bytes"].clone())
        .collect();
    assert_eq!(totals, [10, 5]);

    let sold = world.get("/zones/sold", &key).await;
    let in_full = world.get("/zones/sold", &world.admin).await;
    assert_eq!(
        (&sold["spec"], &sold["metadata"]),
        (&in_full["spec"], &in_full["metadata"]),
        "what it may write it sees"
    );
    assert_eq!(sold["status"]["usage"], in_full["status"]["usage"]);
    let of_all = world.key(owner(&["*"])).await;
    assert_eq!(world.get("/zones", &of_all).await["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_partner_sees_its_zone_by_aliases_and_what_it_needs_to_connect() {
    let world = World::start(false).await;
    let key = world.key(partner("acme")).await;
    let zone = world.get("/zones/acme", &key).await;
    let topics = json!([
        {"name": "orders", "permission": "READ", "description": "What was ordered", "tags": ["daily"],
         "deprecated": {"until": "2999-01-01T00:00:00Z", "replacedBy": "alias-of-ledger"}},
        {"name": "alias-of-ledger", "permission": "WRITE", "description": "text-of-ledger"},
    ]);
    assert_eq!(zone["spec"]["topics"], topics);
    assert_eq!(zone["spec"]["consumerGroups"], json!([{"name": "readers"}]));
    assert_eq!(zone["spec"]["authenticationMode"], json!({"type": "PLAIN", "serviceAccount": "acme-sa"}));
    assert_eq!(zone["status"]["bootstrapServers"], "kafka.example.com:19092");
    assert_eq!(zone["status"]["usage"]["consumed"]["bytes"], 1_010);
    let conditions = zone["status"]["conditions"].as_array().unwrap();
    assert_eq!((conditions.len(), &conditions[0]["type"]), (1, &json!("Ready")));
    assert_eq!(world.get("/zones", &key).await["items"].as_array().unwrap().len(), 1);
    let usage = world.get("/zones/acme/usage", &key).await;
    assert_eq!((usage["topics"].as_array().unwrap().len(), &usage["lag"]), (2, &json!(403)));
    let totals = world.get("/usage", &key).await;
    assert_eq!(totals["items"].as_array().unwrap().len(), 1);
    assert_eq!(totals["items"][0]["total"]["consumed"]["bytes"], 1_010);
}

/// A filter tells what it looks into by what it lets through.
#[tokio::test]
async fn what_is_not_seen_is_not_found_by_a_filter_either() {
    let world = World::start(false).await;
    let (owner, partner) = (world.key(owner(&["sales.*"])).await, world.key(partner("acme")).await);
    let found = async |filter: &str, key: &str| {
        let list = world.get(&format!("/zones?{filter}"), key).await;
        let names: Vec<_> =
            list["items"].as_array().unwrap().iter().map(|zone| zone["metadata"]["name"].clone()).collect();
        assert_eq!(list["total"], names.len());
        names.contains(&json!("acme"))
    };
    for (filter, by_owner, by_partner) in [
        ("topic=sales.orders", true, false),
        ("topic=finance.ledger", false, false),
        ("cluster=east-cluster", true, false),
        ("label=team", false, false),
        ("label=team%3Dlabel-of-acme", false, false),
        ("search=sales.orders", true, false),
        ("search=finance.led", false, false),
        ("search=alias-of-ledger", false, true),
        ("search=words-about", false, false),
        ("search=ada", true, true),
        ("search=acme", true, true),
        ("status=FAILED", true, true),
        ("sort=-updatedAt&limit=5", true, true),
    ] {
        let by =
            [found(filter, &world.admin).await, found(filter, &owner).await, found(filter, &partner).await];
        assert_eq!(by, [true, by_owner, by_partner], "{filter}");
    }
}

/// It is a digest of the whole form: whoever knows most of it could try what the rest is.
#[tokio::test]
async fn a_form_has_a_tag_for_those_alone_who_see_all_of_it() {
    let world = World::start(false).await;
    for (role, zone, wanted) in [
        (ApiKeyRole::Viewer, "acme", true),
        (owner(&["sales.*"]), "sold", true),
        (owner(&["sales.*"]), "acme", false),
        (partner("acme"), "acme", false),
    ] {
        let key = world.key(role).await;
        let request = world.node.request(Method::GET, &format!("/api/v1/zones/{zone}"), &key);
        let answer = request.send().await.unwrap();
        let in_header = answer.headers().contains_key("etag");
        let shown: Value = answer.json().await.unwrap();
        assert_eq!((in_header, shown["status"].get("etag").is_some()), (wanted, wanted), "{zone}");
    }
}

#[tokio::test]
async fn of_a_clusters_topics_an_owner_sees_its_own() {
    let store = memory_store();
    put_zone(&*store, "acme", "PLAIN").await;
    let (some, none) = (key_of(&*store, owner(&["eu.*"])).await, key_of(&*store, owner(&["asia.*"])).await);
    let node = Node::start("n1", store as Arc<dyn Store>).await;
    let (_, list) = node.get("/api/v1/topics", &some).await;
    let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|topic| topic["name"].clone()).collect();
    assert_eq!((names, &list["total"]), (vec![json!("eu.orders"), json!("eu.returns")], &json!(2)));
    assert_eq!(list["items"][0]["sharedWith"][0]["zone"], "acme");
    let (_, list) = node.get("/api/v1/topics?search=orders", &none).await;
    assert_eq!((&list["items"], &list["total"]), (&json!([]), &json!(0)));
    let (status, problem) = node.get("/api/v1/topics?cluster=north", &some).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(!problem.to_string().contains("west"), "{problem}");
}

/// While all is well the message of Ready is the same for all; else it is none of an operator's.
#[tokio::test]
async fn a_zone_that_is_not_ready_says_so_to_everybody_and_why_to_operators() {
    let world = World::start(true).await;
    for role in [owner(&["sales.*"]), partner("acme")] {
        let key = world.key(role).await;
        let status = world.get("/zones/acme", &key).await["status"].clone();
        let ready = &status["conditions"][0];
        assert_eq!((&status["phase"], &ready["reason"]), (&json!("FAILED"), &json!("NotServed")));
        assert_eq!(ready["message"], status["failedReason"]);
        assert!(ready["lastTransitionTime"].is_string());
    }
}
