//! `POST /api/v1/source/hint`: a forge says that something was pushed, and the source is looked at sooner.
//!
//! A hint and nothing more: what is in it is not used, only whether it is from somebody who knows the secret. The source is
//! polled with or without it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;
use tokio::sync::Notify;

use super::Api;
use super::problem::Problem;
use crate::secret::Secret;
use crate::store::Leadership;

/// Forges describe every commit of a push in it.
const MAX_HINT_BYTES: usize = 1 << 20;
/// Hints that come at once are as good as one; beyond these they have to wait.
const BURST: u32 = 10;
const REFILL: Duration = Duration::from_secs(1);
/// HMAC-SHA256 over the body in hex, with or without `sha256=`: GitHub, Bitbucket, Gitea, Forgejo.
const SIGNATURES: [&str; 4] =
    ["x-hub-signature-256", "x-hub-signature", "x-gitea-signature", "x-forgejo-signature"];
/// The secret itself: GitLab.
const TOKEN: &str = "x-gitlab-token";

/// Where hints are taken, and whom they wake.
#[derive(Debug)]
pub struct Hints {
    /// Read anew for each hint: it may have been rotated.
    secret_file: PathBuf,
    changed: Arc<Notify>,
    bucket: Mutex<Bucket>,
}

impl Hints {
    pub fn new(secret_file: PathBuf, changed: Arc<Notify>) -> Self {
        Self { secret_file, changed, bucket: Mutex::new(Bucket { left: BURST, since: Instant::now() }) }
    }

    fn secret(&self) -> Result<Secret<String>, Problem> {
        let read = std::fs::read_to_string(&self.secret_file).map(Secret::new);
        match read {
            Ok(text) if !text.expose().trim().is_empty() => Ok(Secret::new(text.expose().trim().to_owned())),
            read => {
                let cause = read.map_or_else(|error| error.to_string(), |_| "it is empty".to_owned());
                tracing::error!(file = %self.secret_file.display(), cause, "source.webhook.secretFile cannot be used");
                Err(Problem::unavailable("this node cannot read the secret that hints are signed with"))
            }
        }
    }
}

/// Tokens that come back with time.
#[derive(Debug)]
struct Bucket {
    left: u32,
    since: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since).as_secs() / REFILL.as_secs();
        if passed > 0 {
            let earned = u32::try_from(passed).unwrap_or(BURST);
            self.left = self.left.saturating_add(earned).min(BURST);
            self.since = now;
        }
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }
}

/// Wakes the controller of this node, and of the leader.
pub(super) async fn take(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let Some(hints) = &api.config.hints else {
        return Err(Problem::not_found("this node takes no hints: source.webhook is not configured"));
    };
    let (headers, body) = read(&api, peer, request).await?;
    let secret = hints.secret()?;
    if !is_from_the_forge(&headers, &body, &secret) {
        api.throttle.failed(peer.ip(), OffsetDateTime::now_utc());
        tracing::warn!(%peer, "a hint with a wrong signature was refused");
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "the signature does not fit the body and the secret",
        ));
    }
    let has_token = hints.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
    if !has_token {
        let detail = "there were many hints; the last of them is being followed";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(REFILL.as_secs()));
    }
    hints.changed.notify_one();
    if *api.config.store.leadership().borrow() != Leadership::Leading
        && !headers.contains_key(super::forward::FORWARDED_BY)
    {
        tell_the_leader(&api, &secret).await;
    }
    Ok(StatusCode::ACCEPTED)
}

/// Whoever signed wrongly too often is not read any more for a while.
async fn read(api: &Api, peer: SocketAddr, request: Request) -> Result<(HeaderMap, Bytes), Problem> {
    if let Some(wait) = api.throttle.blocked(peer.ip(), OffsetDateTime::now_utc()) {
        let detail = "this address has sent too many hints with a wrong signature";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait.as_secs().max(1)));
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_HINT_BYTES)
        .await
        .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB"))?;
    Ok((parts.headers, body))
}

/// Every comparison takes the same time whatever is equal.
fn is_from_the_forge(headers: &HeaderMap, body: &[u8], secret: &Secret<String>) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_signature = |signature: &str| {
        let bytes = unhex(signature.strip_prefix("sha256=").unwrap_or(signature));
        bytes.is_some_and(|bytes| hmac(secret, body).verify_slice(&bytes).is_ok())
    };
    let is_secret = |token: &str| {
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        bool::from(digest(token).as_slice().ct_eq(digest(secret.expose()).as_slice()))
    };
    SIGNATURES.into_iter().filter_map(text).any(is_signature) || text(TOKEN).is_some_and(is_secret)
}

#[allow(clippy::expect_used)] // reason: HMAC takes a key of any length
fn hmac(secret: &Secret<String>, body: &[u8]) -> Hmac<Sha256> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("a key of any length");
    hmac.update(body);
    hmac
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    (text.len() == 64).then_some(())?;
    text.as_bytes()
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Only the leader applies. The hint that it gets is this node's own, since nothing of the forge's is needed. A leader that
/// does not hear of it polls all the same.
async fn tell_the_leader(api: &Api, secret: &Secret<String>) {
    let leader = api.config.store.state().borrow().as_ref().and_then(|state| state.leader.clone());
    let Some(leader) = leader.filter(|leader| leader.node != api.config.node) else { return };
    let signature = hex(&hmac(secret, b"").finalize().into_bytes());
    let told = api
        .forwarder
        .post(&format!("{}/api/v1/source/hint", leader.url))
        .header("x-hub-signature-256", format!("sha256={signature}"))
        .send()
        .await;
    if let Err(error) = told {
        tracing::info!(error = %error.without_url(), "the leader was not told of a hint; it looks at its next poll");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(header: &'static str, value: &str) -> bool {
        let headers = HeaderMap::from_iter([(
            axum::http::HeaderName::from_static(header),
            axum::http::HeaderValue::from_str(value).unwrap(),
        )]);
        is_from_the_forge(&headers, b"{\"ref\":\"x\"}", &Secret::new("hunter2".to_owned()))
    }

    #[test]
    fn forges_prove_themselves_each_in_its_own_way() {
        let good = hex(&hmac(&Secret::new("hunter2".to_owned()), b"{\"ref\":\"x\"}").finalize().into_bytes());
        assert!(accepts("x-hub-signature-256", &format!("sha256={good}")));
        assert!(accepts("x-hub-signature", &format!("sha256={good}")));
        assert!(accepts("x-gitea-signature", &good));
        assert!(accepts("x-gitlab-token", "hunter2"));
        let other = hex(&hmac(&Secret::new("hunter2".to_owned()), b"other").finalize().into_bytes());
        for wrong in [&other, "", "sha256=", &good[2..], "zz", "hunter2"] {
            assert!(!accepts("x-hub-signature-256", wrong), "{wrong}");
        }
        assert!(!accepts("x-gitlab-token", "hunter") && !accepts("x-gitlab-token", ""));
        assert!(!accepts("x-other", &good));
    }

    #[test]
    fn many_hints_at_once_have_to_wait() {
        let start = Instant::now();
        let mut bucket = Bucket { left: BURST, since: start };
        let taken = |bucket: &mut Bucket, at: Instant| (0..100).filter(|_| bucket.take(at)).count();
        assert_eq!(taken(&mut bucket, start), 10);
        assert_eq!(taken(&mut bucket, start + REFILL), 1);
        assert_eq!(taken(&mut bucket, start + REFILL * 3600), 10);
    }
}
