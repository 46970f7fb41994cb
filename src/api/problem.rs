//! What a caller is told when something cannot be done: `application/problem+json` (RFC 9457).

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::store::StoreError;

/// Seconds after which a caller may try again when the leader changes or the store is away.
const RETRY_SECONDS: u64 = 2;

/// An answer that is no success. `detail` is for the caller: nothing that an inner error said goes into it.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    retry_after_seconds: Option<u64>,
    /// Members beside those of the RFC.
    more: Map<String, Value>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry_after_seconds: None, more: Map::new() }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// The cause has been logged; the caller cannot do anything about it.
    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why")
    }

    /// 503: it may work in a moment.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_SECONDS)
    }

    /// With a member of its own (RFC 9457, section 3.2).
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotLeader | StoreError::Fenced => {
                Self::unavailable("another node has taken over as leader; the change was not made")
            }
            StoreError::Conflict(what) => Self::conflict(what),
            StoreError::Unreachable(_) | StoreError::Unfit(_) | StoreError::NotSetUp(_) => {
                tracing::error!(%error, "a request failed in the store");
                Self::unavailable(
                    "the store cannot be used now; look whether the change was made before trying again",
                )
            }
        }
    }
}

/// What a problem says, beside the response that says it: for those who say it in another form.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) title: &'static str,
    pub(super) detail: String,
    /// Its member `text`: what is to be committed.
    pub(super) text: Option<String>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let text = self.more.get("text").and_then(Value::as_str).map(str::to_owned);
        let told = Told { title, detail: self.detail.clone(), text };
        let mut body = json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Value::Object(body) = &mut body {
            body.extend(self.more);
        }
        let mut response = (self.status, body.to_string()).into_response();
        response.extensions_mut().insert(told);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // Not Basic: a browser that remembers a password would send it along with other sites' forms.
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
