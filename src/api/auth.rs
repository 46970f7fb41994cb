//! Who is calling. What they may do is told by [`super::access`].

mod caller;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use time::OffsetDateTime;

pub(super) use self::caller::Caller;
use super::Api;
use super::key::Presented;
use super::problem::Problem;
use super::session;
use crate::secret::Secret;
use crate::zone::{ApiKey, PlainVerifier};

/// Lets a request through of a key or a person who does not send too many.
pub(super) async fn admit(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = authenticate(&api, peer.ip(), request.headers())?;
    count(&api, &caller)?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Counts a request of somebody who may not send any number of them.
pub(super) fn count(api: &Api, caller: &Caller) -> Result<(), Problem> {
    api.quotas.take(caller.id(), Instant::now()).map_err(|wait| {
        api.metrics.limited.inc();
        let detail = "these are too many requests; wait as long as Retry-After says";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait.as_secs().saturating_add(1))
    })
}

/// Every reason for refusing looks the same, and takes the same work, so that ids cannot be found out. A good key is never
/// slowed down: behind a proxy or a NAT, whoever guesses would lock out everybody else.
fn authenticate(api: &Api, peer: IpAddr, headers: &HeaderMap) -> Result<Caller, Problem> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "an API key is needed"));
    };
    let header = header.to_str().ok();
    if let Some(text) = header.and_then(bearer).filter(|text| session::is_meant(text)) {
        return of_session(api, text);
    }
    check(api, peer, header.and_then(Presented::from_header).as_ref()).map(Caller::of_key)
}

/// What stands behind `Bearer`.
pub(super) fn bearer(header: &str) -> Option<&str> {
    let (scheme, rest) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
}

/// Who has signed in. Guessing is no danger: what is not sealed by us is not read.
fn of_session(api: &Api, text: &str) -> Result<Caller, Problem> {
    let state = api.state()?;
    let caller = api.session(text).and_then(|session| session.caller(api, &state));
    caller.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "the session is over; sign in again"))
}

/// The key of somebody who gives it as a whole.
pub(super) fn of_key(api: &Api, peer: IpAddr, whole: &Secret<String>) -> Result<Arc<ApiKey>, Problem> {
    check(api, peer, Presented::from_key(whole.expose().trim()).as_ref())
}

/// The whole key of somebody who gives its id and its secret apart.
pub(super) fn log_in(api: &Api, peer: IpAddr, id: String, secret: String) -> Result<Secret<String>, Problem> {
    let presented = Presented { id, secret: Secret::new(secret) };
    let whole = presented.whole();
    check(api, peer, Some(&presented)).map(|_| whole)
}

fn check(api: &Api, peer: IpAddr, presented: Option<&Presented>) -> Result<Arc<ApiKey>, Problem> {
    let state = api.state()?;
    let known = presented.and_then(|presented| state.api_keys.get(&presented.id));
    let secret = presented.map_or(&b""[..], |presented| presented.secret.expose().as_bytes());
    let accepted = known.map_or_else(|| PlainVerifier::reject(secret), |key| key.verifier.accepts(secret));
    if let Some(key) = known.filter(|_| accepted) {
        api.throttle.succeeded(peer);
        return Ok(Arc::clone(key));
    }
    api.metrics.refused_keys.inc();
    Err(refused(api, peer, "the API key is not valid", "no key is like it"))
}

/// What somebody is told who has proved nothing. An address from where that has been tried too often is told to wait, and is not
/// written of again.
pub(super) fn refused(api: &Api, peer: IpAddr, detail: &'static str, why: &str) -> Problem {
    let now = OffsetDateTime::now_utc();
    if let Some(wait) = api.throttle.blocked(peer, now) {
        let detail = format!("{detail}, and this address has tried too many");
        return Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait.as_secs().max(1));
    }
    api.throttle.failed(peer, now);
    tracing::warn!(%peer, why, "somebody was refused: {detail}");
    Problem::new(StatusCode::UNAUTHORIZED, detail)
}
