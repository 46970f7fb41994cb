//! Who is calling, and whether their role allows it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use time::OffsetDateTime;

use super::Api;
use super::key::Presented;
use super::problem::Problem;
use crate::zone::{ApiKey, ApiKeyRole, PlainVerifier};

/// The key that a request was made with; handlers take it as an extension.
#[derive(Debug, Clone)]
pub(super) struct Caller(pub(super) Arc<ApiKey>);

/// Lets a request through that carries a good key whose role allows its method: reading for viewers, all for admins.
pub(super) async fn admit(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = authenticate(&api, peer.ip(), request.headers())?;
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match &key.role {
        ApiKeyRole::Admin => {}
        ApiKeyRole::Viewer if reads => {}
        ApiKeyRole::Viewer => return Err(forbidden("this key may only read")),
        ApiKeyRole::Owner { .. } | ApiKeyRole::Partner { .. } => {
            return Err(forbidden("keys of this role need a later version of this node"));
        }
    }
    request.extensions_mut().insert(Caller(key));
    Ok(next.run(request).await)
}

fn forbidden(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, detail)
}

/// Every reason for refusing looks the same, and takes the same work, so that ids cannot be found out. A good key is never
/// slowed down: behind a proxy or a NAT, whoever guesses would lock out everybody else.
fn authenticate(api: &Api, peer: IpAddr, headers: &HeaderMap) -> Result<Arc<ApiKey>, Problem> {
    let state = api.config.store.state().borrow().clone();
    let Some(state) = state else {
        return Err(Problem::unavailable("this node has not read its state yet"));
    };
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "an API key is needed"));
    };
    let presented = header.to_str().ok().and_then(Presented::from_header);
    let known = presented.as_ref().and_then(|presented| state.api_keys.get(&presented.id));
    let secret = presented.as_ref().map_or(&b""[..], |presented| presented.secret.expose().as_bytes());
    let accepted = known.map_or_else(|| PlainVerifier::reject(secret), |key| key.verifier.accepts(secret));
    if let Some(key) = known.filter(|_| accepted) {
        api.throttle.succeeded(peer);
        return Ok(Arc::clone(key));
    }
    api.metrics.refused_keys.inc();
    let now = OffsetDateTime::now_utc();
    if let Some(wait) = api.throttle.blocked(peer, now) {
        let detail = "the API key is not valid, and this address has tried too many";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait.as_secs().max(1)));
    }
    api.throttle.failed(peer, now);
    tracing::warn!(%peer, "an API key was refused");
    Err(Problem::new(StatusCode::UNAUTHORIZED, "the API key is not valid"))
}
