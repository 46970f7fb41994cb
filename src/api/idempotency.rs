//! Requests that may be sent twice, since their answer may be lost (`Idempotency-Key`).
//!
//! A zone needs none: to create it again just as it is changes nothing. A credential's secret is shown once and kept nowhere, so the
//! second answer cannot be the first; it says what the first has made. The request's key decides the credential's id, so nobody has
//! to remember requests, and a new leader knows them as well.

use axum::http::{HeaderMap, HeaderName};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::problem::Problem;
use crate::zone::KeyId;

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

const MAX_LETTERS: usize = 255;

/// The key of a request, if it has one.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = key.to_str().ok().map(str::trim).filter(|key| (1..=MAX_LETTERS).contains(&key.len()));
    let wrong =
        || Problem::bad_request(format!("`Idempotency-Key` is plain text of 1 to {MAX_LETTERS} letters"));
    key.map(Some).ok_or_else(wrong)
}

/// The id of the credential that this caller's request makes.
pub(super) fn key_id(caller: &str, zone: &str, request: &str) -> KeyId {
    // No id of a key and no name of a zone has a line break.
    let digest = Sha256::digest(format!("{caller}\n{zone}\n{request}"));
    let mut bytes = digest.iter().copied().map(usize::from);
    KeyId::from_random(|limit| bytes.next().unwrap_or_default() % limit)
}

pub(super) fn issued(key_id: &KeyId) -> Problem {
    let detail = format!(
        "this request has issued credential {key_id} already, and its secret was shown then; if it got lost, revoke that one and \
         issue another with another `Idempotency-Key`"
    );
    Problem::conflict(detail).with("keyId", json!(key_id.as_str()))
}
