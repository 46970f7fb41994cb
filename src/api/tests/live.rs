//! What those see who look on: events, the last plan, the nodes.

use reqwest::Response;
use tokio::time::{Instant, timeout};

use super::*;
use crate::store::ZoneUsage;
use crate::zone::{Planned, Run};

/// What any single event may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The data of the next event; `None` at the end.
async fn heard(stream: &mut Response, text: &mut String) -> Option<Value> {
    loop {
        if let Some((event, rest)) = text.split_once("\n\n") {
            let (event, rest) = (event.to_owned(), rest.to_owned());
            *text = rest;
            let Some(data) = event.strip_prefix("event: zones\ndata: ") else { continue };
            return Some(serde_json::from_str(data).unwrap());
        }
        let chunk = timeout(PATIENCE, stream.chunk()).await.expect("nothing is heard").ok()??;
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

async fn listen(node: &Node, key: &str) -> Response {
    let answer = node.request(Method::GET, "/api/v1/events", key).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer
}

#[tokio::test]
async fn whoever_listens_hears_that_something_changed_and_many_changes_are_few_events() {
    let store = memory_store();
    let viewer = key_of(&*store, ApiKeyRole::Viewer).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let (mut stream, mut text) = (listen(&node, &viewer).await, String::new());
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(heard(&mut stream, &mut text).await, Some(json!({"sequence": 1, "revision": null})));
    // Zones change, then a node's heartbeat says what it serves; the same heartbeat once more is no news.
    let begun = Instant::now();
    for n in 0..40 {
        put_zone(&*store, &format!("zone-{n}"), "PLAIN").await;
    }
    let mut events = 0;
    while heard(&mut stream, &mut text).await.unwrap()["sequence"] != json!(41) {
        events += 1;
    }
    let at_most = begun.elapsed().as_millis() / 500 + 1;
    assert!(events <= at_most, "{events} events in {:?}", begun.elapsed());
    heartbeat(&*store, 40).await;
    assert_eq!(heard(&mut stream, &mut text).await.unwrap()["sequence"], json!(41));
    for _ in 0..3 {
        heartbeat(&*store, 40).await;
    }
    assert!(timeout(Duration::from_millis(1_200), heard(&mut stream, &mut text)).await.is_err(), "no news");
    heartbeat(&*store, 41).await;
    assert_eq!(heard(&mut stream, &mut text).await.unwrap()["sequence"], json!(41));
}

#[tokio::test]
async fn a_stream_ends_with_its_key_and_with_the_node() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let viewer = key_of(&*store, ApiKeyRole::Viewer).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let (mut of_viewer, mut of_admin) = (listen(&node, &viewer).await, listen(&node, &admin).await);
    let (mut first, mut second) = (String::new(), String::new());
    assert!(heard(&mut of_viewer, &mut first).await.is_some());
    assert!(heard(&mut of_admin, &mut second).await.is_some());
    let id = viewer.split('_').nth(1).unwrap();
    node.send(Method::DELETE, &format!("/api/v1/api-keys/{id}"), &admin, None).await;
    assert_eq!(heard(&mut of_viewer, &mut first).await, None, "its key is gone");
    assert!(heard(&mut of_admin, &mut second).await.is_some());
    node.leaving.send_replace(true);
    assert_eq!(heard(&mut of_admin, &mut second).await, None, "the node is about to stop");
    let (status, _) = node.get("/api/v1/events", &admin).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn no_more_listen_than_a_node_has_connections_for_and_who_goes_makes_room() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let mut streams = Vec::new();
    for _ in 0..events::MAX_STREAMS {
        streams.push(listen(&node, &admin).await);
    }
    assert_eq!(node.get("/api/v1/events", &admin).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(node.get("/api/v1/zones", &admin).await.0, StatusCode::OK, "others are served");
    drop(streams.pop());
    let begun = Instant::now();
    loop {
        let answer = node.request(Method::GET, "/api/v1/events", &admin).send().await.unwrap();
        if answer.status() == StatusCode::OK {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "there is no room");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn run(plan: &str) -> Run {
    let at = OffsetDateTime::UNIX_EPOCH;
    Run {
        request: None,
        outcome: crate::zone::Outcome::Held,
        message: "it waits".to_owned(),
        revision: None,
        plan: Some(plan.to_owned()),
        sequence: None,
        applied: [0; 3],
        refused: Vec::new(),
        problems: Vec::new(),
        noticed: Vec::new(),
        held: BTreeMap::new(),
        failed: BTreeMap::new(),
        first_at: at,
        last_at: at,
        took: Duration::from_millis(5),
        count: 1,
    }
}

#[tokio::test]
async fn the_last_plan_is_the_leaders_with_what_came_of_it() {
    let store = memory_store();
    let viewer = key_of(&*store, ApiKeyRole::Viewer).await;
    let plan = json!({
        "formatVersion": "1.2", "mode": "live", "revision": "main@sha1:0123",
        "digest": format!("sha256:{}", "a".repeat(64)), "changes": [], "findings": [],
        "summary": {"add": 0, "change": 0, "delete": 0, "drift": 0, "findings": 0},
        "guard": {"refused": false, "reasons": []},
    });
    let planned = Planned { at: OffsetDateTime::UNIX_EPOCH, json: plan.to_string().into(), is_whole: true };
    let mut status =
        ControllerStatus { plan: Some("sha256:a".to_owned()), planned: Some(planned), ..Default::default() };
    status.runs.record(run("sha256:a"));
    status.runs.record(run("sha256:of-one-zone"));
    let leader = Node::reporting("n1", Arc::clone(&store) as Arc<dyn Store>, status).await;
    let follower = Node::start("n2", Follower::of(store.clone(), Some(("n1", leader.address)))).await;
    for node in [&leader, &follower] {
        let (status, answer) = node.get("/api/v1/plan", &viewer).await;
        assert_eq!((status, &answer["node"]), (StatusCode::OK, &json!("n1")));
        assert_eq!(answer["plan"], plan);
        assert_eq!((&answer["run"]["plan"], &answer["run"]["outcome"]), (&json!("sha256:a"), &json!("Held")));
        assert_eq!((&answer["isWhole"], &answer["at"]), (&json!(true), &json!("1970-01-01T00:00:00Z")));
    }
    let lonely = Node::start("n3", Follower::of(store, None)).await;
    let (_, answer) = lonely.get("/api/v1/plan", &viewer).await;
    assert_eq!(
        (&answer["plan"], &answer["leading"]),
        (&Value::Null, &json!(false)),
        "it has not planned yet"
    );
}

#[tokio::test]
async fn a_node_shows_what_it_serves_and_how_much_it_has_to_do() {
    let store = memory_store();
    let viewer = key_of(&*store, ApiKeyRole::Viewer).await;
    let revision = Revision::commit("refs/heads/main", "0123");
    store.commit(vec![Change::Applied(revision)]).await.unwrap();
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let mut busy = crate::store::samples::heartbeat("busy", 2);
    busy.connections = 7;
    let clients = |clients| ZoneUsage { clients, topics: BTreeMap::new() };
    busy.usage = BTreeMap::from([("acme".to_owned(), clients(2)), ("beta".to_owned(), clients(3))]);
    store.heartbeat(busy).await.unwrap();
    store.heartbeat(crate::store::samples::heartbeat("late", 1)).await.unwrap();
    let (_, list) = node.get("/api/v1/nodes", &viewer).await;
    let (busy, late) = (&list["items"][0], &list["items"][1]);
    assert_eq!((&busy["node"], &busy["serving"], &list["sequence"]), (&json!("busy"), &json!(2), &json!(2)));
    assert_eq!((&busy["isCurrent"], &busy["revision"]), (&json!(true), &json!("main@sha1:0123")));
    let load = json!({"connections": 7, "clients": 5, "zones": 2, "heldZones": 0, "problems": 0});
    assert_eq!(busy["load"], load);
    assert_eq!((&late["isCurrent"], &late["revision"]), (&json!(false), &Value::Null));
}
