//! Who is told outside, as a server on loopback that the binary talks to: the APIs of GitHub and GitLab, and a webhook's receiver.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, patch, post, put};
use axum::{Json, Router};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

pub(crate) const TOKEN: &str = "t0ken-of-a-test";
pub(crate) const SECRET: &str = "sixteen bytes or more";

/// What arrived so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// Commit and body of each status, in their order.
    pub(crate) statuses: Vec<(String, Value)>,
    /// The one pull request's comments by their number.
    pub(crate) comments: BTreeMap<u64, String>,
    /// Bodies that were signed rightly.
    pub(crate) notices: Vec<Value>,
    /// Requests without the token, or with a wrong signature.
    pub(crate) refused: usize,
}

type Shared = Arc<Mutex<Told>>;

/// The server; it ends with the process.
#[derive(Debug)]
pub(crate) struct Outside {
    address: SocketAddr,
    told: Shared,
}

impl Outside {
    pub(crate) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let told = Shared::default();
        let router = router(Arc::clone(&told));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                listener.set_nonblocking(true).unwrap();
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { address, told }
    }

    /// Where GitHub's API is; GitLab's is below it at `/api/v4`, the receiver at `/hook`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }

    /// Waits until what was told is as wanted.
    pub(crate) fn wait_for(&self, what: &str, patience: Duration, is_there: impl Fn(&Told) -> bool) -> Told {
        let deadline = Instant::now() + patience;
        loop {
            let told = self.told();
            if is_there(&told) {
                return told;
            }
            assert!(Instant::now() < deadline, "{what}: {told:#?}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Hex HMAC-SHA256, as forges and we sign.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn router(told: Shared) -> Router {
    Router::new()
        .route("/user", get(account))
        .route("/api/v4/user", get(account))
        .route("/repos/{owner}/{name}/statuses/{sha}", post(set_status))
        .route("/repos/{owner}/{name}/issues/{number}/comments", get(comments).post(comment))
        .route("/repos/{owner}/{name}/issues/comments/{id}", patch(edit))
        .route("/api/v4/projects/{id}/statuses/{sha}", post(set_status))
        .route("/api/v4/projects/{id}/merge_requests/{number}/notes", get(comments).post(comment))
        .route("/api/v4/projects/{id}/merge_requests/{number}/notes/{note}", put(edit))
        .route("/hook", post(receive))
        .with_state(told)
}

fn admitted(told: &Shared, headers: &HeaderMap) -> Result<(), StatusCode> {
    if headers.get("authorization").is_some_and(|token| *token == *format!("Bearer {TOKEN}")) {
        return Ok(());
    }
    told.lock().unwrap().refused += 1;
    Err(StatusCode::UNAUTHORIZED)
}

async fn set_status(
    State(told): State<Shared>,
    Path(path): Path<Vec<(String, String)>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    admitted(&told, &headers)?;
    told.lock().unwrap().statuses.push((path.last().unwrap().1.clone(), body));
    Ok((StatusCode::CREATED, Json(json!({}))))
}

async fn comments(
    State(told): State<Shared>,
    Query(page): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    admitted(&told, &headers)?;
    let number = |name: &str| page[name].parse::<usize>().unwrap();
    let (size, before) = (number("per_page"), number("page") - 1);
    let told = told.lock().unwrap();
    let of_page = told.comments.iter().skip(before * size).take(size);
    Ok(Json(of_page.map(|(id, body)| comment_of(*id, body)).collect()))
}

/// Everything here is written by the one account there is.
fn comment_of(id: u64, body: &str) -> Value {
    json!({ "id": id, "body": body, "user": { "id": 1 }, "author": { "id": 1 } })
}

async fn account(State(told): State<Shared>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    admitted(&told, &headers)?;
    Ok(Json(json!({ "id": 1 })))
}

async fn comment(
    State(told): State<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    admitted(&told, &headers)?;
    let mut told = told.lock().unwrap();
    let id = told.comments.len() as u64 + 1;
    told.comments.insert(id, body["body"].as_str().unwrap().to_owned());
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))))
}

async fn edit(
    State(told): State<Shared>,
    Path(path): Path<Vec<(String, String)>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    admitted(&told, &headers)?;
    let id: u64 = path.last().unwrap().1.parse().unwrap();
    let mut told = told.lock().unwrap();
    let found = told.comments.get_mut(&id).ok_or(StatusCode::NOT_FOUND)?;
    body["body"].as_str().unwrap().clone_into(found);
    Ok(Json(json!({ "id": id })))
}

async fn receive(State(told): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut told = told.lock().unwrap();
    let expected = format!("sha256={}", signature(SECRET, &body));
    if headers.get("x-signature").is_none_or(|signature| *signature != *expected) {
        told.refused += 1;
        return StatusCode::UNAUTHORIZED;
    }
    told.notices.push(serde_json::from_slice(&body).unwrap());
    StatusCode::NO_CONTENT
}
