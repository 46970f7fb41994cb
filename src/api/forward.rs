//! Writes go through the leader: a node that does not lead passes them on, with the caller's own key. So does it with
//! questions that only the leader can answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, RETRY_AFTER,
};
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::idempotency::IDEMPOTENCY_KEY;
use super::problem::Problem;
use super::session;
use super::zone_body::MAX_ZONE_BYTES;
use crate::http;
use crate::store::Leadership;

/// Marks a request that was passed on once already: it never travels in circles.
pub(super) const FORWARDED_BY: HeaderName = HeaderName::from_static("x-partner-zones-forwarded-by");

/// Shorter than the caller's own time limit, so that the caller hears of it.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Largest answer of the leader.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Forwarder {
    node: String,
    http: reqwest::Client,
}

impl Forwarder {
    pub(super) fn new(node: String) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIME_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { node, http })
    }

    /// A request of this node's own to another one.
    pub(super) fn post(&self, url: &str) -> reqwest::RequestBuilder {
        self.http.post(url).header(FORWARDED_BY, &self.node)
    }
}

pub(super) async fn writes_to_the_leader(
    State(api): State<Arc<Api>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads || *api.config.store.leadership().borrow() == Leadership::Leading {
        return Ok(next.run(request).await);
    }
    if request.headers().contains_key(FORWARDED_BY) {
        return Err(Problem::unavailable("the leader is changing; try again in a moment"));
    }
    let leader = api.config.store.state().borrow().as_ref().and_then(|state| state.leader.clone());
    let leader = leader.ok_or_else(|| Problem::unavailable("no node leads yet; try again in a moment"))?;
    if leader.node == api.config.node {
        return Err(Problem::unavailable("this node is about to lead; try again in a moment"));
    }
    let (parts, body) = request.into_parts();
    let too_large = |_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB");
    let body = to_bytes(body, MAX_ZONE_BYTES).await.map_err(too_large)?;
    pass_on(&api, &leader.url, parts, body).await
}

/// Lets another node answer a question that the leader knows better; this one does if the leader cannot be asked.
pub(super) async fn questions_to_the_leader(
    State(api): State<Arc<Api>>,
    request: Request,
    next: Next,
) -> Response {
    let leader = api.config.store.state().borrow().as_ref().and_then(|state| state.leader.clone());
    let is_leading = *api.config.store.leadership().borrow() == Leadership::Leading;
    let is_passed_on = request.headers().contains_key(FORWARDED_BY);
    let elsewhere = leader.filter(|leader| !is_leading && !is_passed_on && leader.node != api.config.node);
    let Some(leader) = elsewhere.filter(|_| *request.method() == Method::GET) else {
        return next.run(request).await;
    };
    let (parts, _) = request.into_parts();
    match pass_on(&api, &leader.url, parts.clone(), Bytes::new()).await {
        Ok(answer) => answer,
        Err(_) => next.run(Request::from_parts(parts, Body::empty())).await,
    }
}

async fn pass_on(api: &Api, leader: &str, parts: Parts, body: Bytes) -> Result<Response, Problem> {
    // Nested routers see a shortened path: the original one is kept beside it.
    let path =
        parts.extensions.get::<axum::extract::OriginalUri>().map_or(&parts.uri, |original| &original.0);
    let path = path.path_and_query().map_or("/", |path| path.as_str());
    let mut outgoing = api
        .forwarder
        .http
        .request(parts.method, format!("{leader}{path}"))
        .header(FORWARDED_BY, &api.forwarder.node)
        .body(body);
    for name in [AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH, IDEMPOTENCY_KEY] {
        if let Some(value) = parts.headers.get(&name) {
            outgoing = outgoing.header(name, value);
        }
    }
    let gone = |error: reqwest::Error| {
        tracing::warn!(%error, "the leader cannot be reached");
        Problem::unavailable(
            "the leader cannot be reached; look whether the change was made before trying again",
        )
    };
    let answer = outgoing.send().await.map_err(gone)?;
    if answer.status() == StatusCode::UNAUTHORIZED && session::of(&parts.headers).is_some() {
        return Err(Problem::unavailable(
            "the leader does not know sessions that begin on this node: all controllers need the same `masterKeyFile` and `http.signIn`; \
             until then, use the pages of the leader, or an API key without them",
        ));
    }
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = http::body(answer, MAX_ANSWER_BYTES).await.map_err(gone)?;
    let body = body.ok_or_else(|| Problem::unavailable("the leader's answer was too long"))?;
    let mut response = (status, Body::from(body)).into_response();
    for name in [CONTENT_TYPE, CACHE_CONTROL, RETRY_AFTER, ETAG, LOCATION] {
        match headers.get(&name) {
            Some(value) => response.headers_mut().insert(name, value.clone()),
            None => response.headers_mut().remove(name),
        };
    }
    Ok(response)
}
