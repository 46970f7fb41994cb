//! Against a stand-in of both APIs: what it takes is what their documentation describes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, patch, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::*;
use crate::zone::CommitState;

const MARKER: &str = "<!-- partner-zones -->";

/// The account of the token.
const OWN_ACCOUNT: u64 = 7;

/// What a forge holds.
#[derive(Default)]
struct Held {
    statuses: Vec<(String, Value)>,
    comments: Vec<(u64, String)>,
    /// Comments of somebody else.
    foreign: Vec<u64>,
    /// The token is one of a job, which may not ask whose it is.
    is_job: bool,
    requests: usize,
}

type Shared = Arc<Mutex<Held>>;

#[derive(Deserialize)]
struct Page {
    per_page: usize,
    page: usize,
}

fn admitted(held: &Shared, headers: &HeaderMap) -> Result<(), StatusCode> {
    held.lock().unwrap().requests += 1;
    let is_known = headers.get("authorization").is_some_and(|token| token == "Bearer t0ken");
    if is_known { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
}

async fn set_status(
    State(held): State<Shared>,
    Path(path): Path<Vec<(String, String)>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    admitted(&held, &headers)?;
    held.lock().unwrap().statuses.push((path.last().unwrap().1.clone(), body));
    Ok((StatusCode::CREATED, Json(json!({}))))
}

async fn comments(
    State(held): State<Shared>,
    Query(page): Query<Page>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    admitted(&held, &headers)?;
    let held = held.lock().unwrap();
    let of_page = held.comments.iter().skip((page.page - 1) * page.per_page).take(page.per_page);
    let written = |(id, body): &(u64, String)| {
        let who = match (held.foreign.contains(id), held.is_job) {
            (true, _) => json!({ "id": 13, "type": "User" }),
            (false, true) => json!({ "id": 41, "type": "Bot" }),
            (false, false) => json!({ "id": OWN_ACCOUNT, "type": "User" }),
        };
        json!({ "id": id, "body": body, "user": who, "author": who })
    };
    Ok(Json(of_page.map(written).collect()))
}

async fn account(State(held): State<Shared>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    admitted(&held, &headers)?;
    if held.lock().unwrap().is_job {
        return Err(StatusCode::FORBIDDEN);
    }
    Ok(Json(json!({ "id": OWN_ACCOUNT })))
}

async fn comment(
    State(held): State<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    admitted(&held, &headers)?;
    let mut held = held.lock().unwrap();
    let id = held.comments.len() as u64 + 1;
    held.comments.push((id, body["body"].as_str().unwrap().to_owned()));
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))))
}

async fn edit(
    State(held): State<Shared>,
    Path(path): Path<Vec<(String, String)>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    admitted(&held, &headers)?;
    let mut held = held.lock().unwrap();
    let id: u64 = path.last().unwrap().1.parse().unwrap();
    if held.foreign.contains(&id) {
        return Err(StatusCode::FORBIDDEN);
    }
    let found = held.comments.iter_mut().find(|comment| comment.0 == id).ok_or(StatusCode::NOT_FOUND)?;
    body["body"].as_str().unwrap().clone_into(&mut found.1);
    Ok(Json(json!({ "id": id })))
}

/// Both forges on one port, under the paths of each.
async fn stand_in() -> (SocketAddr, Shared) {
    let held = Shared::default();
    let github = Router::new()
        .route("/user", get(account))
        .route("/repos/{owner}/{name}/statuses/{sha}", post(set_status))
        .route("/repos/{owner}/{name}/issues/{number}/comments", get(comments).post(comment))
        .route("/repos/{owner}/{name}/issues/comments/{id}", patch(edit));
    let gitlab = Router::new()
        .route("/api/v4/user", get(account))
        .route("/api/v4/projects/{id}/statuses/{sha}", post(set_status))
        .route("/api/v4/projects/{id}/merge_requests/{number}/notes", get(comments).post(comment))
        .route("/api/v4/projects/{id}/merge_requests/{number}/notes/{note}", put(edit));
    let router = github.merge(gitlab).with_state(Arc::clone(&held));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, held)
}

fn forge(kind: ForgeKind, address: SocketAddr, token: &NamedTempFile) -> Forge {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (url, repository) = match kind {
        ForgeKind::GitHub => (format!("http://{address}"), "streams/zones"),
        ForgeKind::GitLab => (format!("http://{address}/api/v4/"), "company/streams/zones"),
    };
    let token_file = token.path().to_owned();
    Forge::new(ForgeConfig { kind, url, repository: repository.to_owned(), token_file }).unwrap()
}

fn token(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn status(state: CommitState, description: &str) -> CommitStatus {
    CommitStatus { commit: "c0ffee".to_owned(), state, description: description.to_owned() }
}

#[tokio::test]
async fn a_status_is_put_on_a_commit_in_the_words_of_each_forge() {
    let token = token("t0ken\n");
    for (kind, name, failure) in
        [(ForgeKind::GitHub, "context", "failure"), (ForgeKind::GitLab, "name", "failed")]
    {
        let (address, held) = stand_in().await;
        let forge = forge(kind, address, &token);
        forge.set_status(&status(CommitState::Success, "applied")).await.unwrap();
        forge.set_status(&status(CommitState::Failure, &"ä".repeat(200))).await.unwrap();
        let held = held.lock().unwrap();
        let (commit, first) = &held.statuses[0];
        assert_eq!((commit.as_str(), first[name].as_str()), ("c0ffee", Some("partner-zones")));
        assert_eq!(
            (first["state"].as_str(), first["description"].as_str()),
            (Some("success"), Some("applied"))
        );
        let second = &held.statuses[1].1;
        assert_eq!(second["state"].as_str(), Some(failure));
        assert_eq!(second["description"].as_str().unwrap().chars().count(), 140);
    }
}

#[tokio::test]
async fn there_is_one_comment_however_often_it_is_put_and_however_many_others_there_are() {
    let token = token("t0ken");
    for kind in [ForgeKind::GitHub, ForgeKind::GitLab] {
        let (address, held) = stand_in().await;
        for number in 1..=250_u64 {
            held.lock()
                .unwrap()
                .comments
                .push((number, format!("quoting {MARKER} is not beginning with it")));
        }
        let forge = forge(kind, address, &token);
        for text in ["first", "second", "third"] {
            forge.put_comment(7, MARKER, &format!("{MARKER}\n{text}")).await.unwrap();
        }
        let held = held.lock().unwrap();
        let sticky: Vec<_> = held.comments.iter().filter(|comment| comment.1.starts_with(MARKER)).collect();
        assert_eq!(sticky, [&(251, format!("{MARKER}\nthird"))]);
    }
}

#[tokio::test]
async fn a_comment_of_somebody_else_with_our_marker_is_never_taken_for_ours() {
    let token = token("t0ken");
    for (kind, is_job) in [(ForgeKind::GitHub, false), (ForgeKind::GitHub, true), (ForgeKind::GitLab, false)]
    {
        let (address, held) = stand_in().await;
        {
            let mut held = held.lock().unwrap();
            held.comments.push((1, format!("{MARKER} forged")));
            held.foreign.push(1);
            held.is_job = is_job;
        }
        let forge = forge(kind, address, &token);
        for text in ["plan", "another plan"] {
            forge.put_comment(7, MARKER, &format!("{MARKER}\n{text}")).await.unwrap();
        }
        let held = held.lock().unwrap();
        let texts: Vec<&str> = held.comments.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, [&format!("{MARKER} forged"), &format!("{MARKER}\nanother plan")]);
    }
}

#[tokio::test]
async fn a_token_is_read_anew_and_shows_nowhere() {
    let token = token("wr0ng");
    let (address, held) = stand_in().await;
    let forge = forge(ForgeKind::GitHub, address, &token);
    let refused = forge.set_status(&status(CommitState::Success, "")).await.unwrap_err();
    assert!(matches!(&refused, ForgeError::Refused { status: StatusCode::UNAUTHORIZED, .. }), "{refused}");
    assert!(!refused.is_transient());
    std::fs::write(token.path(), "t0ken").unwrap();
    forge.set_status(&status(CommitState::Success, "")).await.unwrap();
    for content in ["", "two lines\nof it", "t0ken\u{1b}[31m"] {
        std::fs::write(token.path(), content).unwrap();
        let error = forge.set_status(&status(CommitState::Success, "")).await.unwrap_err();
        assert_eq!(error.reason(), "Token");
        assert!(!error.to_string().contains("lines") && !format!("{forge:?}{error:?}").contains("t0ken"));
    }
    assert_eq!(held.lock().unwrap().requests, 2, "nothing is sent without a token");
}

#[tokio::test]
async fn a_forge_that_is_not_there_may_come_back() {
    let token = token("t0ken");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let forge = forge(ForgeKind::GitHub, address, &token);
    let error = forge.put_comment(7, MARKER, MARKER).await.unwrap_err();
    assert!(error.is_transient() && error.reason() == "Unreachable", "{error}");
}

#[test]
fn a_token_goes_nowhere_without_protection_and_to_no_other_repository() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let with = |url: &str, repository: &str| {
        Forge::new(ForgeConfig {
            kind: ForgeKind::GitHub,
            url: url.to_owned(),
            repository: repository.to_owned(),
            token_file: PathBuf::from("token"),
        })
        .map(drop)
        .map_err(|error| error.reason())
    };
    assert_eq!(with("https://api.github.com", "streams/zones"), Ok(()));
    for url in
        ["http://api.github.com", "https://user:secret@api.github.com", "ftp://x", "api.github.com", ""]
    {
        assert_eq!(with(url, "streams/zones"), Err("Configuration"), "{url}");
    }
    for repository in ["zones", "", "/", "streams/", "streams/../other", "./zones"] {
        assert_eq!(with("https://api.github.com", repository), Err("Configuration"), "{repository}");
    }
}
