//! Sessions of people who look with a browser: a sealed text that stands for who has signed in, for a short while.
//!
//! Nothing is kept of a session, but that it was ended before its time. The text says whose it is and until when, and only whoever has the [`super::SessionKey`] can read or make
//! one. It holds no API key: a key that is deleted takes its sessions with it. And it holds no role: of a person it says which value of
//! their claims has given them one, and what that is here is asked each time.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, Extension, State as Shared};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::auth::{self, Caller};
use super::body::Body;
use super::credentials::{NO_STORE, Shown, rfc3339, shown_once};
use super::openid::Recognized;
use super::problem::Problem;
use super::sealed::Purpose;
use super::{Api, audit};
use crate::secret::Secret;
use crate::store::{Change, State};
use crate::zone::{ApiKeyRole, Person};

/// A browser's cookie holds 4096 letters. The longest subject, name, address, value and issuer that there can be fit.
const SESSION: Purpose = Purpose { prefix: "pzs_", bound_to: b"partner-zones session 3", max_letters: 3_500 };

/// How long a session lasts that is not used. One that is used is renewed when half of it is over.
const IDLE: Duration = Duration::hours(1);

/// How long somebody who signs in waits for the audit log: while the store is away, they come to see what is wrong.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Ended sessions that are remembered: far more than there are people. Beyond that those go first that would be over first.
const MOST_ENDED: usize = 10_000;

/// What a sealed text says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    /// Nobody can guess it; it stays when the session is renewed.
    id: String,
    of: Of,
    #[serde(with = "time::serde::timestamp")]
    since: OffsetDateTime,
    #[serde(with = "time::serde::timestamp")]
    until: OffsetDateTime,
}

/// Whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Of {
    /// The id of the API key that was signed in with.
    Key(String),
    Person(Claims),
}

/// What an issuer has said of a person when they signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    issuer: String,
    subject: String,
    name: String,
    email: Option<String>,
    /// What gave them a role.
    value: String,
}

impl Of {
    /// How long after the sign-in a session is renewed no more. A key that is taken back ends it at once; what somebody's claims have
    /// become is known at the next sign-in.
    fn longest(&self) -> Duration {
        match self {
            Self::Key(_) => Duration::hours(12),
            Self::Person(_) => Duration::hours(8),
        }
    }
}

impl Session {
    /// In whole seconds, as it is sealed.
    fn begin(of: Of, now: OffsetDateTime) -> Self {
        let now = now.truncate_to_second();
        let id = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        Self { id, of, since: now, until: now + IDLE }
    }

    /// When it is over however it is used.
    fn last_end(&self) -> OffsetDateTime {
        self.since + self.of.longest()
    }

    /// The same session for longer, if half of it is over and it may still last.
    fn renewed(&self, now: OffsetDateTime) -> Option<Self> {
        let until = (now + IDLE).min(self.last_end());
        (self.until - now < IDLE / 2 && until > self.until).then(|| Self { until, ..self.clone() })
    }

    /// Who is in it, if nobody has ended it and they still have a key or a role here.
    pub(super) fn caller(self, api: &Api, state: &State) -> Option<Caller> {
        let caller = match self.of {
            Of::Key(id) => Caller::of_key(Arc::clone(state.api_keys.get(&id)?)),
            Of::Person(Claims { issuer, subject, name, email, value }) => {
                let role = api.openid.as_ref()?.role(&issuer, &value)?;
                Caller::of_person(Person { subject, name, email }, role.clone())
            }
        };
        let caller = caller.in_session(self.id, self.until);
        caller.is_let_in(state).then_some(caller)
    }
}

/// Whether a text is meant as a session, good or not.
pub(super) fn is_meant(presented: &str) -> bool {
    presented.starts_with(SESSION.prefix)
}

/// The session that a request brings, if it means to.
pub(super) fn of(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    header.and_then(auth::bearer).filter(|text| is_meant(text))
}

impl Api {
    /// The session behind `Authorization: Bearer …`, if it is one, is good and is not over.
    pub(super) fn session(&self, presented: &str) -> Option<Session> {
        let session = self.config.session_key.open::<Session>(&SESSION, presented);
        session.filter(|session| OffsetDateTime::now_utc() < session.until)
    }

    fn sealed(&self, session: &Session) -> Result<Value, Problem> {
        let token = self.config.session_key.seal(&SESSION, session).ok_or_else(Problem::internal)?;
        Ok(json!({ "token": token.expose(), "expiresAt": rfc3339(session.until) }))
    }

    /// Begins a session of a person.
    pub(super) async fn begin_session_of(
        &self,
        recognized: Recognized,
        peer: SocketAddr,
    ) -> Result<Shown, Problem> {
        let Recognized { issuer, person, value } = recognized;
        let Person { subject, name, email } = person;
        self.begin_session(Of::Person(Claims { issuer, subject, name, email, value }), peer).await
    }

    /// Of somebody who has proved who they are; it counts as a request of theirs.
    async fn begin_session(&self, of: Of, peer: SocketAddr) -> Result<Shown, Problem> {
        let session = Session::begin(of, OffsetDateTime::now_utc());
        let state = self.state()?;
        let caller = session.clone().caller(self, &state).ok_or_else(Problem::internal)?;
        auth::count(self, &caller)?;
        let sealed = self.sealed(&session)?;
        let (id, role) = (caller.id(), caller.role().name());
        tracing::info!(id, role, %peer, "somebody has signed in");
        let data = json!({ "role": role, "address": peer.ip() });
        let subject = format!("session/{id}");
        let told = audit::write(self, &caller, "session.begun", &subject, data);
        if tokio::time::timeout(PATIENCE, told).await.is_err() {
            tracing::error!(id, role, %peer, "that somebody has signed in is perhaps not in the audit log: the store does not answer");
        }
        Ok(shown_once(sealed))
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
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Body(SignIn { key }): Body<SignIn>,
) -> Result<Shown, Problem> {
    let key = auth::of_key(&api, peer.ip(), &Secret::new(key))?;
    api.begin_session(Of::Key(key.id.clone()), peer).await
}

/// Who is asking, and for a session that should be renewed, what to go on with.
pub(super) async fn show(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<([(HeaderName, &'static str); 1], Json<Value>), Problem> {
    let session = of(&headers).and_then(|text| api.session(text));
    let renewed = session.as_ref().and_then(|session| session.renewed(OffsetDateTime::now_utc()));
    let (topics, zone) = match caller.role() {
        ApiKeyRole::Owner { topics } => (topics.iter().map(ToString::to_string).collect(), None),
        ApiKeyRole::Partner { zone } => (Vec::new(), Some(zone.as_str())),
        ApiKeyRole::Admin | ApiKeyRole::Viewer => (Vec::new(), None),
    };
    let person = caller.person();
    let shown = json!({
        "id": caller.id(),
        "kind": if person.is_some() { "person" } else { "apiKey" },
        "name": person.map(|person| &person.name),
        "role": caller.role().name(),
        "topics": topics,
        "zone": zone,
        "expiresAt": session.as_ref().map(|session| rfc3339(session.until)),
        "session": session.map(|session| session.id),
        "renewed": renewed.map(|renewed| api.sealed(&renewed)).transpose()?,
    });
    Ok((NO_STORE, Json(shown)))
}

/// Ends the session that a request is made in, on every node and with all that it was renewed to.
pub(super) async fn end(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let session = of(&headers).and_then(|text| api.session(text));
    let none = || Problem::conflict("an API key is no session: only `Bearer pzs_…` can be ended");
    let session = session.ok_or_else(none)?;
    let (state, now) = (api.state()?, OffsetDateTime::now_utc());
    let is_full = state.ended_sessions.len() >= MOST_ENDED;
    let soonest = state.ended_sessions.iter().min_by_key(|(_, until)| **until).filter(|_| is_full);
    let over = state.ended_sessions.iter().filter(|(_, until)| **until < now).chain(soonest);
    let mut changes: Vec<_> = over.map(|(id, _)| Change::ForgetSession(id.clone())).collect();
    let subject = format!("session/{}", caller.id());
    changes.push(audit::change(&api, &caller, "session.ended", &subject, json!({})));
    changes.push(Change::EndSession(session.id.clone(), session.last_end()));
    api.config.store.commit(changes).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::super::SessionKey;
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn key() -> Of {
        Of::Key("abcdefghijkl".to_owned())
    }

    fn person(letters: usize, letter: char) -> Of {
        let text = |letters: usize| letter.to_string().repeat(letters);
        Of::Person(Claims {
            issuer: "i".repeat(255),
            subject: "\"".repeat(255),
            name: text(letters),
            email: Some("e".repeat(254)),
            value: text(200 / letter.len_utf8()),
        })
    }

    #[test]
    fn a_session_says_what_it_was_made_of_and_the_longest_one_fits_into_a_cookie() {
        let sealer = SessionKey::random();
        for of in [key(), person(100, '"'), person(100, '\u{10348}')] {
            let session = Session::begin(of, NOW);
            let sealed = sealer.seal(&SESSION, &session).unwrap();
            assert!(is_meant(sealed.expose()) && sealed.expose().len() < 3_600, "{}", sealed.expose().len());
            assert_eq!(sealer.open(&SESSION, sealed.expose()), Some(session));
        }
    }

    #[test]
    fn a_session_that_is_used_goes_on_until_the_day_is_over() {
        for (of, longest, least) in
            [(key(), Duration::hours(12), 10), (person(3, 'x'), Duration::hours(8), 7)]
        {
            let mut session = Session::begin(of, NOW);
            assert_eq!(session.renewed(NOW + IDLE / 3), None, "it is young");
            let (mut now, mut times) = (NOW + IDLE * 3 / 4, 0);
            while let Some(renewed) = session.renewed(now) {
                (session, times) = (renewed, times + 1);
                now = session.until - IDLE / 4;
            }
            assert_eq!(session.until, NOW + longest);
            assert!(times > least, "{times}");
        }
    }
}
