//! Writes, with a controller that answers as the test wants.

use tokio::sync::oneshot;

use super::*;
use crate::zone::{Asker, Committed, Effect, Extent, Precondition, TopicPattern, WriteFinding};

const ACME: &str = "/api/v1/zones/acme";

pub(super) fn body(description: &str) -> String {
    json!({
        "apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": "acme"},
        "spec": {
            "cluster": "gateway", "displayName": "Acme Inc.", "description": description,
            "authenticationMode": {"type": "PLAIN", "serviceAccount": "acme-sa"},
            "topics": [{"name": "orders", "backingTopic": "eu.orders", "permission": "READ"}],
        },
    })
    .to_string()
}

pub(super) fn written(is_proposal: bool) -> Written {
    let reference = if is_proposal { "refs/heads/partner-zones/acme-1" } else { "refs/heads/main" };
    let commit = Committed {
        revision: Revision::commit(reference, "0123"),
        reference: reference.to_owned(),
        is_proposal,
    };
    Written {
        effect: Effect::Updated,
        file: "zones/acme.yaml".to_owned(),
        diff: String::new(),
        excerpt: None,
        plan: "{}".to_owned(),
        version: Some("v2".to_owned()),
        commit: Some(commit),
    }
}

/// Sends it, and has it answered so; gives what the controller was asked, and what came back.
pub(super) async fn exchange(
    leader: &mut mpsc::Receiver<Ask>,
    request: RequestBuilder,
    outcome: Result<Written, WriteRefusal>,
) -> (WriteRequest, reqwest::Response) {
    let controller = async {
        let (asked, answer): (WriteRequest, oneshot::Sender<_>) = leader.recv().await.unwrap();
        answer.send(outcome).unwrap();
        asked
    };
    let (asked, answer) = tokio::join!(controller, request.send());
    (asked, answer.unwrap())
}

#[tokio::test]
async fn a_write_takes_its_terms_along_to_the_leader_and_tells_who_asked() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    let mut leader = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let follower = Node::start("n2", Follower::of(store.clone(), Some(("n1", leader.address)))).await;
    let request = follower
        .request(Method::PUT, &format!("{ACME}?reason=because"), &admin)
        .header("content-type", "application/json; charset=utf-8")
        .header("if-match", "\"v1\"")
        .body(body("as it is to be"));
    let (asked, answer) = exchange(&mut leader.writing, request, Ok(written(true))).await;
    let id = admin.split('_').nth(1).unwrap();
    assert_eq!((asked.on, asked.extent), (Precondition::Version("v1".to_owned()), Extent::Commit));
    assert_eq!((asked.reason.as_deref(), asked.author.name), (Some("because"), format!("API key {id}")));
    assert_eq!((asked.by, asked.node.as_str()), (Asker::ApiKey(id.to_owned()), "n1"), "for the audit log");
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(answer.headers()["etag"], "\"v2\"");

    let request =
        follower.request(Method::DELETE, &format!("{ACME}?dryRun=true"), &admin).header("if-none-match", "*");
    let dry = Written { commit: None, effect: Effect::Deleted, version: None, ..written(false) };
    let (asked, answer) = exchange(&mut leader.writing, request, Ok(dry)).await;
    assert_eq!((asked.on, asked.extent), (Precondition::Absent, Extent::DryRun));
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(store.audit_events().is_empty(), "whoever commits tells of it");
}

#[tokio::test]
async fn each_refusal_has_a_status_that_says_what_to_do() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    put_zone(&*store, "acme", "PLAIN").await;
    let mut node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let text = || "why".to_owned();
    let place = "zones/acme.yaml:1:1".to_owned();
    let finding =
        WriteFinding { code: "PZ0201", place, message: text(), help: Some("the way out".to_owned()) };
    let off = WriteRefusal::Off { file: text(), text: Some(text()), diff: text(), excerpt: None };
    let guarded = WriteRefusal::Guarded { reasons: vec![text()], ways_out: vec![text()] };
    for (refusal, status, console, member) in [
        (off, 409, 409, Some("text")),
        (WriteRefusal::NotARepository, 409, 409, None),
        (WriteRefusal::NotFound, 404, 404, None),
        (WriteRefusal::Exists, 409, 409, None),
        (WriteRefusal::Changed, 412, 409, None),
        (WriteRefusal::Invalid(vec![finding]), 422, 400, Some("findings")),
        (WriteRefusal::File(text()), 409, 409, None),
        (guarded, 409, 409, Some("waysOut")),
        (WriteRefusal::Held(text()), 409, 409, None),
        (WriteRefusal::Raced, 409, 409, None),
        (WriteRefusal::Refused(text()), 409, 409, None),
        (WriteRefusal::Unreachable(text()), 503, 503, None),
        (WriteRefusal::Unknown(text()), 503, 503, None),
        (WriteRefusal::NotLeading, 503, 503, None),
    ] {
        let mut writing = std::mem::replace(&mut node.writing, mpsc::channel(1).1);
        let json = ("content-type", "application/json");
        let ours = node.request(Method::PUT, ACME, &admin).header(json.0, json.1).body(body("new"));
        let (_, answer) = exchange(&mut writing, ours, Err(refusal.clone())).await;
        assert_eq!(answer.status(), status, "{refusal:?}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let problem: Value = answer.json().await.unwrap();
        assert!(member.is_none_or(|member| problem.get(member).is_some()), "{refusal:?}: {problem}");
        let path = "/public/console/v2/partner-zone";
        let theirs =
            node.request(Method::PUT, path, &admin).header("content-type", "text/plain").body(body("new"));
        let (_, answer) = exchange(&mut writing, theirs, Err(refusal.clone())).await;
        assert_eq!(answer.status(), console, "{refusal:?}");
        let told: Value = answer.json().await.unwrap();
        assert!(told["title"].is_string() && told["msg"] == problem["detail"], "{refusal:?}: {told}");
        node.writing = writing;
    }
    assert!(store.audit_events().is_empty(), "nothing was written, and nothing is told");
}

#[tokio::test]
async fn a_node_without_a_controller_says_so_at_once() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let mut node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    node.writing.close();
    let (status, problem) = node.send(Method::DELETE, ACME, &admin, None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
}

#[tokio::test]
async fn an_owner_writes_over_what_is_theirs_and_was_seen_and_nothing_else() {
    let store = memory_store();
    let owner = async |pattern: &str| {
        let topics = vec![TopicPattern::try_from(pattern).unwrap()];
        key_of(&*store, ApiKeyRole::Owner { topics }).await
    };
    let (eu, us) = (owner("eu.*").await, owner("us.*").await);
    put_zone(&*store, "acme", "PLAIN").await;
    let in_force = {
        let state = store.state().borrow().clone().unwrap();
        let record = state.zones.values().next().unwrap();
        document::version(&record.zone)
    };
    let mut node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let mut writing = std::mem::replace(&mut node.writing, mpsc::channel(1).1);
    let put = |key: &str, body: String| {
        node.request(Method::PUT, ACME, key).header("content-type", "application/json").body(body)
    };
    // Whatever the source has by now: the form that was seen is the one that is replaced.
    let place = "zones/globex.yaml:1:1".to_owned();
    let finding = WriteFinding { code: "PZ0301", place, message: "why".to_owned(), help: None };
    let refusal = Err(WriteRefusal::Invalid(vec![finding]));
    let (asked, answer) = exchange(&mut writing, put(&eu, body("new")), refusal).await;
    assert_eq!(asked.on, Precondition::Version(in_force));
    assert!(!answer.text().await.unwrap().contains("globex"), "a place in another zone's file");
    // None of these reaches the controller.
    let theirs = body("new").replace("eu.orders", "us.orders");
    let with_a_group = body("new").replace(
        "\"topics\"",
        "\"consumerGroups\":[{\"name\":\"g\",\"backingGroup\":\"finance\"}],\"topics\"",
    );
    for (request, status) in [
        (put(&eu, theirs.clone()), StatusCode::FORBIDDEN),
        (put(&eu, with_a_group), StatusCode::FORBIDDEN),
        (put(&eu, body("new")).header("if-match", "\"older\""), StatusCode::PRECONDITION_FAILED),
        (put(&eu, body("new")).header("if-none-match", "*"), StatusCode::CONFLICT),
        (put(&us, body("new")), StatusCode::FORBIDDEN),
        (put(&us, theirs), StatusCode::CONFLICT),
        (node.request(Method::DELETE, ACME, &us), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    assert!(writing.try_recv().is_err());
}
