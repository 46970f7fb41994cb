//! What is asked of which forge. Pure.

use reqwest::Method;
use serde_json::{Value, json};

use super::ForgeKind;
use crate::zone::{CommitState, CommitStatus};

/// Comments of one page, the most that both give.
pub(super) const PAGE: usize = 100;

/// The name of our status among those of others.
const CONTEXT: &str = "partner-zones";

/// What both show of a description without cutting it (GitHub refuses more).
const MAX_DESCRIPTION: usize = 140;

/// One request. Segments of the path are escaped when it is sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
}

impl Call {
    fn new(method: Method, path: Vec<String>, body: Option<Value>) -> Self {
        Self { method, path, query: Vec::new(), body }
    }
}

/// GitHub: `POST /repos/{o}/{r}/statuses/{sha}`; GitLab: `POST /projects/{id}/statuses/{sha}`.
pub(super) fn status(kind: ForgeKind, repository: &str, status: &CommitStatus) -> Call {
    let description = cut(&status.description);
    let body = match kind {
        ForgeKind::GitHub => {
            json!({ "state": status.state.as_str(), "context": CONTEXT, "description": description })
        }
        ForgeKind::GitLab => {
            let state = match status.state {
                CommitState::Failure => "failed",
                state => state.as_str(),
            };
            json!({ "state": state, "name": CONTEXT, "description": description })
        }
    };
    Call::new(Method::POST, of(kind, repository, &["statuses", &status.commit]), Some(body))
}

/// Whose token it is. Both forges have it at the same place.
pub(super) fn account() -> Call {
    Call::new(Method::GET, vec!["user".to_owned()], None)
}

/// One page of a pull request's comments, the oldest first.
pub(super) fn comments(kind: ForgeKind, repository: &str, pull: u64, page: u32) -> Call {
    let mut call = Call::new(Method::GET, of_pull(kind, repository, pull), None);
    call.query = vec![("per_page", PAGE.to_string()), ("page", page.to_string())];
    if kind == ForgeKind::GitLab {
        call.query.extend([("order_by", "created_at".to_owned()), ("sort", "asc".to_owned())]);
    }
    call
}

pub(super) fn comment(kind: ForgeKind, repository: &str, pull: u64, text: &str) -> Call {
    Call::new(Method::POST, of_pull(kind, repository, pull), Some(json!({ "body": text })))
}

pub(super) fn edit(kind: ForgeKind, repository: &str, pull: u64, comment: u64, text: &str) -> Call {
    let comment = comment.to_string();
    let body = Some(json!({ "body": text }));
    match kind {
        ForgeKind::GitHub => {
            Call::new(Method::PATCH, of(kind, repository, &["issues", "comments", &comment]), body)
        }
        ForgeKind::GitLab => {
            let mut path = of_pull(kind, repository, pull);
            path.push(comment);
            Call::new(Method::PUT, path, body)
        }
    }
}

/// On GitHub a pull request's comments are those of the issue of its number.
fn of_pull(kind: ForgeKind, repository: &str, pull: u64) -> Vec<String> {
    let pull = pull.to_string();
    match kind {
        ForgeKind::GitHub => of(kind, repository, &["issues", &pull, "comments"]),
        ForgeKind::GitLab => of(kind, repository, &["merge_requests", &pull, "notes"]),
    }
}

/// GitLab takes a repository's full name as one segment.
fn of(kind: ForgeKind, repository: &str, rest: &[&str]) -> Vec<String> {
    let head: Vec<&str> = match kind {
        ForgeKind::GitHub => std::iter::once("repos").chain(repository.split('/')).collect(),
        ForgeKind::GitLab => vec!["projects", repository],
    };
    head.iter().chain(rest).map(|segment| (*segment).to_owned()).collect()
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_DESCRIPTION {
        return text.to_owned();
    }
    text.chars().take(MAX_DESCRIPTION - 1).chain(std::iter::once('…')).collect()
}
