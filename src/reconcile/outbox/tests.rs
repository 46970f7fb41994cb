//! Against a store in memory and a receiver that checks signatures.

use std::net::SocketAddr;
use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use tempfile::NamedTempFile;
use tokio_util::task::TaskTracker;

use super::*;
use crate::store::memory::MemoryStore;
use crate::zone::{Condition, ConditionKind, ConditionStatus, Problem, Revision, Seen, ZoneName};

const SECRET: &[u8] = b"sixteen bytes or more";

/// What arrived, and how often the receiver says that it is not there first.
#[derive(Default)]
struct Receiver {
    bodies: Vec<Value>,
    refusals: usize,
}

async fn receive(
    Extract(receiver): Extract<Arc<Mutex<Receiver>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut receiver = receiver.lock().unwrap();
    if receiver.refusals > 0 {
        receiver.refusals -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(&body);
    let expected = format!("sha256={}", crate::reconcile::digest::hex(&mac.finalize().into_bytes()));
    if headers.get("x-signature").is_none_or(|signature| *signature != *expected) {
        return StatusCode::UNAUTHORIZED;
    }
    receiver.bodies.push(serde_json::from_slice(&body).unwrap());
    StatusCode::NO_CONTENT
}

struct Office {
    store: Arc<dyn Store>,
    status: watch::Sender<Arc<ControllerStatus>>,
    receiver: Arc<Mutex<Receiver>>,
    address: SocketAddr,
    secret: NamedTempFile,
}

impl Office {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let receiver = Arc::new(Mutex::new(Receiver::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&receiver));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let secret = NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), SECRET).unwrap();
        let store = MemoryStore::start(&TaskTracker::new(), CancellationToken::new());
        Self { store, status: watch::Sender::new(Arc::default()), receiver, address, secret }
    }

    /// Starts one more postman; several processes have one each, and lead in turn.
    fn open(&self) -> CancellationToken {
        let url = format!("http://{}/hook", self.address);
        let webhook =
            Webhook::new(WebhookConfig { url, secret_file: self.secret.path().to_owned() }).unwrap();
        let postman = Postman::new(Some(webhook), None, OutboxMetrics::default());
        let cancel = CancellationToken::new();
        tokio::spawn(postman.run(Arc::clone(&self.store), self.status.subscribe(), cancel.clone()));
        cancel
    }

    fn say(&self, status: ControllerStatus) {
        self.status.send_replace(Arc::new(status));
    }

    /// Reasons and zones of what has arrived, once it is so many.
    async fn arrived(&self, number: usize) -> Vec<String> {
        for _ in 0..500 {
            if self.receiver.lock().unwrap().bodies.len() >= number {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let receiver = self.receiver.lock().unwrap();
        let word = |body: &Value, key: &str| body[key].as_str().unwrap_or("-").to_owned();
        receiver
            .bodies
            .iter()
            .map(|body| format!("{} {}", word(body, "reason"), word(body, "zone")))
            .collect()
    }
}

fn conditions(ready: ConditionStatus, stalled: ConditionStatus, reason: &'static str) -> Vec<Condition> {
    [(ConditionKind::Ready, ready), (ConditionKind::Stalled, stalled)]
        .map(|(kind, status)| Condition::new(kind, status, reason, format!("it is {reason}")))
        .into()
}

fn seen(revision: Revision) -> Seen {
    Seen { revision, at: OffsetDateTime::UNIX_EPOCH }
}

fn applied(revision: &str) -> ControllerStatus {
    let revision = Some(seen(Revision::commit("refs/heads/main", revision)));
    ControllerStatus {
        conditions: conditions(ConditionStatus::True, ConditionStatus::False, "Applied"),
        last_attempted: revision.clone(),
        last_applied: revision,
        is_by_leader: true,
        ..ControllerStatus::default()
    }
}

fn invalid(revision: &str, zones: &[&str]) -> ControllerStatus {
    let problem = |zone: &&str| Problem {
        zone: Some(ZoneName::try_from(*zone).unwrap()),
        code: "PZ0012".to_owned(),
        place: format!("zones/{zone}.yaml:1:1"),
        message: "it is there twice".to_owned(),
    };
    ControllerStatus {
        conditions: conditions(ConditionStatus::False, ConditionStatus::True, "InvalidFiles"),
        last_attempted: Some(seen(Revision::commit("refs/heads/main", revision))),
        problems: zones.iter().map(problem).collect(),
        is_by_leader: true,
        ..ControllerStatus::default()
    }
}

#[tokio::test]
async fn each_thing_is_told_once_whoever_leads_and_however_often_it_is_seen() {
    let office = Office::new().await;
    let first = office.open();
    office.say(applied("c1"));
    assert_eq!(office.arrived(1).await, ["Applied -"]);
    office.say(invalid("c2", &["acme", "globex"]));
    let expected = ["Applied -", "InvalidFiles -", "PZ0012 acme", "PZ0012 globex"];
    let mut told = office.arrived(4).await;
    told.sort();
    assert_eq!(told, expected);
    // Another process takes over; its messages differ by a number, which changes nothing.
    first.cancel();
    let _second = office.open();
    let mut again = invalid("c2", &["acme", "globex"]);
    again.problems[0].message = "it is there 3 times".to_owned();
    office.say(again);
    office.say(applied("c3"));
    assert_eq!(office.arrived(5).await.last().unwrap(), "Recovered -");
    office.say(applied("c4"));
    assert_eq!(office.arrived(6).await.last().unwrap(), "Applied -");
    let receiver = office.receiver.lock().unwrap();
    let last = receiver.bodies.last().unwrap();
    assert_eq!((&last["revision"], &last["urgency"]), (&"main@sha1:c4".into(), &"info".into()));
    assert_eq!(receiver.bodies.len(), 6);
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again() {
    let office = Office::new().await;
    office.receiver.lock().unwrap().refusals = 2;
    let _postman = office.open();
    office.say(applied("c1"));
    assert_eq!(office.arrived(1).await, ["Applied -"]);
}

#[tokio::test]
async fn a_fault_of_many_zones_is_told_as_one() {
    let office = Office::new().await;
    let _postman = office.open();
    let names: Vec<String> = (0..50).map(|number| format!("zone-{number}")).collect();
    office.say(invalid("c1", &names.iter().map(String::as_str).collect::<Vec<_>>()));
    let mut told = office.arrived(2).await;
    told.sort();
    assert_eq!(told, ["InvalidFiles -", "ManyZones -"]);
}

#[test]
fn a_fault_that_may_pass_is_not_told_at_once() {
    let mut composer = Composer::new(Channels { notices: true, statuses: true });
    let mut status = invalid("c1", &[]);
    status.conditions = conditions(ConditionStatus::False, ConditionStatus::False, "FetchFailed");
    status.conditions.push(Condition::new(
        ConditionKind::Reconciling,
        ConditionStatus::True,
        "FetchFailed",
        "",
    ));
    status.last_applied.clone_from(&status.last_attempted);
    assert_eq!(composer.letters(&status, &State::default(), OffsetDateTime::UNIX_EPOCH), []);
    assert!(composer.next_look().is_some());
}

/// A node that comes to lead still has the status of the run before, in other words than the leader's.
#[test]
fn what_a_node_saw_while_another_one_led_is_not_told() {
    let mut composer = Composer::new(Channels { notices: true, statuses: true });
    for (ready, reason) in [
        (ConditionStatus::True, "Following"),
        (ConditionStatus::Unknown, "Following"),
        (ConditionStatus::False, "LostLead"),
        // What the leader says too, in its words.
        (ConditionStatus::False, "RefusedByGuard"),
        (ConditionStatus::False, "InvalidFiles"),
        (ConditionStatus::False, "Suspended"),
        (ConditionStatus::True, "Held"),
        (ConditionStatus::False, "FetchFailed"),
    ] {
        let mut status = applied("c1");
        status.conditions = conditions(ready, ConditionStatus::False, reason);
        status.is_by_leader = false;
        assert_eq!(composer.letters(&status, &State::default(), OffsetDateTime::UNIX_EPOCH), [], "{reason}");
    }
}

#[test]
fn an_address_is_protected_and_shown_nowhere() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let with = |url: &str| Webhook::new(WebhookConfig { url: url.to_owned(), secret_file: "secret".into() });
    let webhook = with("https://hooks.example.com/services/t0ken").unwrap();
    assert!(!format!("{webhook:?}").contains("t0ken"));
    for url in ["http://hooks.example.com/x", "https://user:pass@hooks.example.com", "hooks.example.com", ""]
    {
        assert_eq!(with(url).unwrap_err().reason(), "Configuration", "{url}");
    }
}

#[tokio::test]
async fn a_commit_shows_how_it_fares_and_not_what_happens_later() {
    let mut composer = Composer::new(Channels { notices: false, statuses: true });
    let mut told = |status: &ControllerStatus| {
        let letters = composer.letters(status, &State::default(), OffsetDateTime::UNIX_EPOCH);
        letters.into_iter().next().map(|letter| match letter.content {
            Content::Status(status) => (status.commit, status.state.as_str()),
            Content::Notice(notice) => panic!("{notice:?}"),
        })
    };
    assert_eq!(told(&applied("c1")), Some(("c1".to_owned(), "success")));
    assert_eq!(told(&invalid("c2", &[])), Some(("c2".to_owned(), "failure")));
    let mut later = applied("c1");
    later.conditions = conditions(ConditionStatus::False, ConditionStatus::False, "FetchFailed");
    assert_eq!(told(&later), None);
    later.last_applied = None;
    assert_eq!(told(&later), Some(("c1".to_owned(), "pending")));
    later.last_attempted = Some(seen(Revision::folder("00")));
    assert_eq!(told(&later), None, "a folder has no commit");
}
