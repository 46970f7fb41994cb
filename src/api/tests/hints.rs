use std::fs;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Response;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::sync::Notify;

use super::*;

const SECRET: &str = "hunter2";
const PATH: &str = "/api/v1/source/hint";

/// Where the secret is, who is woken, and the node that takes hints.
struct Hinted {
    folder: TempDir,
    changed: Arc<Notify>,
    node: Node,
}

impl Hinted {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, format!("{SECRET}\n")).unwrap();
        let changed = Arc::new(Notify::new());
        let node = Node::hinted("node", memory_store(), Hints::new(file, Arc::clone(&changed))).await;
        Self { folder, changed, node }
    }

    async fn send(&self, body: Vec<u8>, secret: &str) -> Response {
        let signature = sign(&body, secret);
        let request = self.node.request(Method::POST, PATH, "").header("x-hub-signature-256", signature);
        request.body(body).send().await.unwrap()
    }

    async fn is_woken(&self) -> bool {
        tokio::time::timeout(Duration::from_millis(200), self.changed.notified()).await.is_ok()
    }
}

fn sign(body: &[u8], secret: &str) -> String {
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    hmac.update(body);
    let hex: Vec<String> = hmac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={}", hex.concat())
}

#[tokio::test]
async fn a_signed_hint_wakes_the_controller_and_many_are_one() {
    let hinted = Hinted::start().await;
    // What is in it does not matter, not even whether it is JSON.
    for body in [&b"{\"ref\": \"refs/heads/x\"}"[..], b"", b"\xff\x00"] {
        assert_eq!(hinted.send(body.to_vec(), SECRET).await.status(), StatusCode::ACCEPTED);
    }
    assert!(hinted.is_woken().await);
    assert!(!hinted.is_woken().await, "they were one");
    let gitlab = hinted.node.request(Method::POST, PATH, "").header("x-gitlab-token", SECRET);
    assert_eq!(gitlab.send().await.unwrap().status(), StatusCode::ACCEPTED);
    assert!(hinted.is_woken().await);
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(hinted.send(Vec::new(), SECRET).await.status());
    }
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");
}

#[tokio::test]
async fn a_hint_without_the_secret_is_refused_and_wakes_nobody() {
    let hinted = Hinted::start().await;
    let unsigned = hinted.node.request(Method::POST, PATH, "").body("{}").send().await.unwrap();
    assert_eq!(unsigned.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(hinted.send(b"{}".to_vec(), "other").await.status(), StatusCode::UNAUTHORIZED);
    let large = hinted.send(vec![b' '; (1 << 20) + 1], SECRET).await;
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(hinted.send(vec![b' '; 1 << 20], SECRET).await.status(), StatusCode::ACCEPTED);
    assert!(hinted.is_woken().await);
    fs::write(hinted.folder.path().join("secret"), "rotated").unwrap();
    assert_eq!(hinted.send(b"{}".to_vec(), SECRET).await.status(), StatusCode::UNAUTHORIZED);
    for _ in 0..20 {
        hinted.send(b"{}".to_vec(), SECRET).await;
    }
    let blocked = hinted.send(b"{}".to_vec(), "rotated").await;
    assert_eq!(blocked.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(!hinted.is_woken().await);
    let without = Node::start("without", memory_store()).await;
    assert_eq!(without.send(Method::POST, PATH, "", None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_node_that_does_not_lead_tells_the_one_that_does() {
    let leader = Hinted::start().await;
    let follower_store = Follower::of(memory_store(), Some(("leader", leader.node.address)));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, SECRET).unwrap();
    let hints = Hints::new(file, Arc::default());
    let follower = Node::hinted("follower", follower_store, hints).await;
    let request = follower.request(Method::POST, PATH, "").header("x-hub-signature-256", sign(b"{}", SECRET));
    assert_eq!(request.body("{}").send().await.unwrap().status(), StatusCode::ACCEPTED);
    assert!(leader.is_woken().await);
}
