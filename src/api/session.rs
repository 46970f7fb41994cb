//! Sessions of people who look with a browser: a sealed text that stands for the key they signed in with, for a short while.
//!
//! Nothing is kept of a session. The text says whose it is and until when, and only whoever has [`SessionKey`] can read or make one. It
//! holds no API key: a key that is deleted takes its sessions with it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, Extension, State as Shared};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::Api;
use super::auth::{self, Caller};
use super::body::Body;
use super::credentials::{NO_STORE, Shown, rfc3339, shown_once};
use super::key::random_bytes;
use super::problem::Problem;
use crate::secret::Secret;
use crate::zone::ApiKeyRole;

const PREFIX: &str = "pzs_";

/// Longer than any session that was made here.
const MAX_LETTERS: usize = 2_048;

/// How long a session lasts that is not used. One that is used is renewed when half of it is over.
const IDLE: Duration = Duration::hours(1);

/// How long after the sign-in it is renewed no more.
const LONGEST: Duration = Duration::hours(12);

/// What nothing else that is sealed begins with.
const PURPOSE: &[u8] = b"partner-zones session 1";

/// What sessions are sealed with: the same on all nodes where there is a master key, else of this process alone.
#[derive(Debug)]
pub struct SessionKey(Secret<[u8; 32]>);

impl SessionKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// One that no other process has.
    pub fn random() -> Self {
        Self::new(random_bytes())
    }

    /// `None` never: the key has the length that the cipher wants.
    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.0.expose()).ok().map(LessSafeKey::new)
    }

    fn seal(&self, session: &Session) -> Option<Secret<String>> {
        let mut sealed = serde_json::to_vec(session).ok()?;
        let nonce: [u8; NONCE_LEN] = random_bytes();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.cipher()?.seal_in_place_append_tag(unique, Aad::from(PURPOSE), &mut sealed).ok()?;
        let whole = [&nonce[..], &sealed].concat();
        Some(Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(whole))))
    }

    /// The session that a text stands for, if it was sealed with this key and is not over.
    fn open(&self, text: &str, now: OffsetDateTime) -> Option<Session> {
        let letters = text.strip_prefix(PREFIX).filter(|rest| rest.len() <= MAX_LETTERS)?;
        let mut whole = URL_SAFE_NO_PAD.decode(letters).ok()?;
        let (nonce, sealed) = whole.split_first_chunk_mut::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.cipher()?.open_in_place(nonce, Aad::from(PURPOSE), sealed).ok()?;
        let session: Session = serde_json::from_slice(opened).ok()?;
        (now < session.until).then_some(session)
    }
}

/// What a sealed text says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    /// The id of the API key that was signed in with.
    pub(super) key: String,
    #[serde(with = "time::serde::timestamp")]
    since: OffsetDateTime,
    #[serde(with = "time::serde::timestamp")]
    until: OffsetDateTime,
}

impl Session {
    /// In whole seconds, as it is sealed.
    fn begin(key: String, now: OffsetDateTime) -> Self {
        let now = now.replace_nanosecond(0).unwrap_or(now);
        Self { key, since: now, until: now + IDLE }
    }

    /// The same session for longer, if half of it is over and it may still last.
    fn renewed(&self, now: OffsetDateTime) -> Option<Self> {
        let until = (now + IDLE).min(self.since + LONGEST);
        (self.until - now < IDLE / 2 && until > self.until).then(|| Self { until, ..self.clone() })
    }
}

/// Whether a text is meant as a session, good or not.
pub(super) fn is_meant(presented: &str) -> bool {
    presented.starts_with(PREFIX)
}

impl Api {
    /// The session behind `Authorization: Bearer …`, if it is one, is good and is not over.
    pub(super) fn session(&self, presented: &str) -> Option<Session> {
        self.config.session_key.open(presented, OffsetDateTime::now_utc())
    }

    fn sealed(&self, session: &Session) -> Result<Value, Problem> {
        let token = self.config.session_key.seal(session).ok_or_else(Problem::internal)?;
        Ok(json!({ "token": token.expose(), "expiresAt": rfc3339(session.until) }))
    }
}

/// What a session is begun with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    /// A whole API key, `pzk_…`.
    key: String,
}

/// Begins a session with a whole API key.
pub(super) async fn begin(
    Shared(api): Shared<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>,
    Body(SignIn { key }): Body<SignIn>,
) -> Result<Shown, Problem> {
    let key = auth::of_key(&api, peer.ip(), &Secret::new(key))?;
    let session = Session::begin(key.id.clone(), OffsetDateTime::now_utc());
    tracing::info!(api_key = key.id, role = key.role.name(), %peer, "somebody has signed in");
    Ok(shown_once(api.sealed(&session)?))
}

/// Who is asking, and for a session that should be renewed, what to go on with.
pub(super) async fn show(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<([(HeaderName, &'static str); 1], Json<Value>), Problem> {
    let presented = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let session = presented.and_then(auth::bearer).and_then(|text| api.session(text));
    let renewed = session.as_ref().and_then(|session| session.renewed(OffsetDateTime::now_utc()));
    let (topics, zone) = match &caller.0.role {
        ApiKeyRole::Owner { topics } => (topics.iter().map(ToString::to_string).collect(), None),
        ApiKeyRole::Partner { zone } => (Vec::new(), Some(zone.as_str())),
        ApiKeyRole::Admin | ApiKeyRole::Viewer => (Vec::new(), None),
    };
    let shown = json!({
        "id": caller.0.id,
        "role": caller.0.role.name(),
        "topics": topics,
        "zone": zone,
        "expiresAt": session.map(|session| rfc3339(session.until)),
        "renewed": renewed.map(|renewed| api.sealed(&renewed)).transpose()?,
    });
    Ok((NO_STORE, Json(shown)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn a_session_is_read_with_its_own_key_until_it_is_over_and_shows_nothing() {
        let key = SessionKey::random();
        let session = Session::begin("abcdefghijkl".to_owned(), NOW);
        let sealed = key.seal(&session).unwrap();
        assert!(is_meant(sealed.expose()) && !sealed.expose().contains("abcdefghijkl"));
        assert_eq!(key.open(sealed.expose(), NOW), Some(session.clone()));
        assert_eq!(key.open(sealed.expose(), NOW + IDLE), None);
        assert_eq!(SessionKey::random().open(sealed.expose(), NOW), None);
        assert_ne!(key.seal(&session).unwrap().expose(), sealed.expose());
    }

    #[test]
    fn a_session_that_was_touched_is_none() {
        let key = SessionKey::random();
        let sealed = key.seal(&Session::begin("abcdefghijkl".to_owned(), NOW)).unwrap();
        let text = sealed.expose();
        for at in PREFIX.len()..text.len() {
            let mut touched = text.clone().into_bytes();
            touched[at] = if touched[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(key.open(&String::from_utf8(touched).unwrap(), NOW), None, "letter {at}");
        }
        let long = format!("{PREFIX}{}", "A".repeat(MAX_LETTERS + 1));
        for bad in ["", PREFIX, "pzs_A", "pzk_abcdefghijkl_x", &text[..text.len() - 1], &long] {
            assert_eq!(key.open(bad, NOW), None, "{bad}");
        }
    }

    #[test]
    fn a_session_that_is_used_goes_on_until_the_day_is_over() {
        let mut session = Session::begin("k".to_owned(), NOW);
        assert_eq!(session.renewed(NOW + IDLE / 3), None, "it is young");
        let (mut now, mut times) = (NOW + IDLE / 4 * 3, 0);
        while let Some(renewed) = session.renewed(now) {
            (session, times) = (renewed, times + 1);
            now = session.until - IDLE / 4;
        }
        assert_eq!(session.until, NOW + LONGEST);
        assert!(times > 10, "{times}");
    }
}
