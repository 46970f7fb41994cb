//! The REST API, asked in this process in the name of whoever is signed in.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt as _;

use super::failure::Failure;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Longer than any answer that a page is made of.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

#[derive(Debug, Clone)]
pub(super) struct Rest {
    api: Router,
}

/// A question or an order.
#[derive(Debug)]
pub(super) struct Call<'c> {
    method: Method,
    path: &'c str,
    header: Option<(HeaderName, String)>,
    body: Option<Value>,
}

impl<'c> Call<'c> {
    pub(super) fn new(method: Method, path: &'c str) -> Self {
        Self { method, path, header: None, body: None }
    }

    pub(super) fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Only if the zone is still in the form that was seen.
    pub(super) fn if_match(self, tag: &str) -> Self {
        Self { header: Some((IF_MATCH, tag.to_owned())), ..self }
    }

    /// Sent twice under this name, it is done once.
    pub(super) fn once(self, request: &str) -> Self {
        Self { header: Some((IDEMPOTENCY_KEY, request.to_owned())), ..self }
    }
}

/// What the API says when it says no (RFC 9457).
#[derive(Debug, Default, Deserialize)]
pub(super) struct Problem {
    #[serde(default)]
    pub(super) detail: String,
    #[serde(flatten)]
    pub(super) more: serde_json::Map<String, Value>,
}

impl Rest {
    pub(super) fn new(api: Router) -> Self {
        Self { api }
    }

    /// Asks as `token`, which is a session's or empty; `peer` is where the browser is.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        (token, peer): (&str, SocketAddr),
        call: Call<'_>,
    ) -> Result<T, Failure> {
        let response = self.response((token, peer), call).await?;
        let status = response.status();
        let read = to_bytes(response.into_body(), MAX_ANSWER_BYTES).await;
        let bytes = read.map_err(|_| Failure::internal("an answer of the API is too long for a page"))?;
        if status.is_success() {
            let answer = if bytes.is_empty() { b"null" } else { &bytes[..] };
            return serde_json::from_slice(answer).map_err(|error| {
                tracing::error!(%error, "a page does not understand the API");
                Failure::internal("a page does not understand an answer of the API")
            });
        }
        Err(Failure::of(status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// The answer as it comes.
    pub(super) async fn response(
        &self,
        (token, peer): (&str, SocketAddr),
        call: Call<'_>,
    ) -> Result<axum::response::Response, Failure> {
        let mut request = Request::builder().method(call.method).uri(format!("/api/v1{}", call.path));
        if !token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some((name, value)) = call.header {
            request = request.header(name, value);
        }
        let body = call.body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let wrong = |_| Failure::of(StatusCode::BAD_REQUEST, Problem::default());
        let mut request = request.body(body).map_err(wrong)?;
        request.extensions_mut().insert(ConnectInfo(peer));
        // A router is always ready and never fails.
        Ok(match self.api.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        })
    }
}

/// A name as a part of a path: what is in no name of ours is at no path of ours.
pub(super) fn segment(name: &str) -> Result<&str, Failure> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_plain) && !name.bytes().all(|byte| byte == b'.') {
        Ok(name)
    } else {
        Err(Failure::not_found("There is nothing of this name."))
    }
}

/// What stands behind the `?`: the parameters that have a value.
pub(super) fn query(parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_is_no_part_of_a_path() {
        assert!(segment("acme-1.eu_west").is_ok());
        for bad in ["", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "a b", "ä", "a\n"] {
            assert!(segment(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn parameters_without_a_value_are_left_out_and_others_are_written_safely() {
        assert_eq!(query(&[("search", ""), ("sort", "")]), "");
        assert_eq!(query(&[("search", "a&b=c ü"), ("sort", "name")]), "?search=a%26b%3Dc+%C3%BC&sort=name");
    }
}
