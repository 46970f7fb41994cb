//! People sign in where they have an account (OpenID Connect, authorization code flow), beside API keys.
//!
//! | | |
//! |---|---|
//! | [`attempt`] | what has to come back, sealed, for the browser to keep |
//! | [`publisher`] | what the issuer publishes: where it is asked, and its keys |
//! | [`exchange`] | the flow itself (`oauth2`) |
//!
//! Nothing is kept of a sign-in here: the attempt is with the browser, and what comes of it is a session. What the issuer says is checked
//! as any token of an issuer is ([`crate::policy::token`]), and who has no role by it gets no session.

pub(super) mod attempt;
mod exchange;
mod publisher;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, State as Shared};
use axum::http::StatusCode;
use reqwest::{Client, Url};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use self::attempt::{ATTEMPT, Attempt};
use self::exchange::{NoTokens, Tokens};
pub use self::publisher::Freshness;
use self::publisher::{Away, Published, Publisher};
use super::Api;
use super::auth;
use super::body::Body;
use super::credentials::{Shown, shown_once};
use super::problem::Problem;
use crate::issuer;
use crate::policy::person::{Roles, person};
use crate::policy::token::{Algorithm, IdTokenRefusal, Refusal, Rules, Unverified};
use crate::secret::Secret;
use crate::zone::{ApiKeyRole, Person};

/// Codes that are exchanged at a time. Whoever sends wrong ones keeps no more than these busy.
const EXCHANGES: usize = 16;

/// How long somebody waits for their turn.
const TURN: Duration = Duration::from_secs(5);

/// Letters of a code. The longest that is known has some 2 000.
const MAX_CODE: usize = 8_192;

/// How far the issuer's clock may be from ours.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// `http.signIn` of the configuration.
#[derive(Debug, Clone)]
pub struct OpenIdConfig {
    pub issuer: String,
    /// What people call it.
    pub name: String,
    pub client_id: String,
    /// `None`: a public client, which proves with the code's verifier alone who it is.
    pub client_secret: Option<Secret<String>>,
    pub scopes: Vec<String>,
    /// Authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Where the issuer sends people back to.
    pub redirect: Url,
    pub roles: Roles,
    pub freshness: Freshness,
}

/// The one issuer by which people sign in.
#[derive(Debug)]
pub(super) struct OpenId {
    config: OpenIdConfig,
    rules: Rules,
    publisher: Publisher,
    exchanges: Semaphore,
}

/// Somebody whom the issuer vouches for, and what gives them a role here.
#[derive(Debug)]
pub(super) struct Recognized {
    pub(super) issuer: String,
    pub(super) person: Person,
    pub(super) value: String,
}

/// Why somebody is not let in.
#[derive(Debug)]
enum Stranger {
    /// They prove nothing: why, for the log.
    Refused(String),
    /// The issuer knows them, and nothing that it says is a role here.
    NoRole(Person),
    /// The issuer, or our way to it; the log has said why.
    Away,
}

impl From<Away> for Stranger {
    fn from(_: Away) -> Self {
        Self::Away
    }
}

impl OpenId {
    pub(super) fn new(config: OpenIdConfig) -> Self {
        let rules = Rules {
            issuer: config.issuer.clone(),
            audiences: vec![config.client_id.clone()],
            algorithms: Algorithm::ALL.to_vec(),
            clock_skew: CLOCK_SKEW,
            subject_claim: "sub".to_owned(),
            scopes: Vec::new(),
        };
        Self { config, rules, publisher: Publisher::default(), exchanges: Semaphore::new(EXCHANGES) }
    }

    /// What a value of this issuer's claim stands for.
    pub(super) fn role(&self, issuer: &str, value: &str) -> Option<&ApiKeyRole> {
        self.config.roles.named(value).filter(|_| issuer == self.config.issuer)
    }

    /// Who comes back with a code for this attempt.
    async fn recognize(
        &self,
        attempt: &Attempt,
        code: String,
        now: OffsetDateTime,
    ) -> Result<Recognized, Stranger> {
        let turn = tokio::time::timeout(TURN, self.exchanges.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(self.away("too many sign in at the same time")) };
        let published = self.publisher.published(&self.config).await?;
        let client =
            issuer::client(self.config.ca_file.as_deref()).map_err(|error| self.away(&error.to_string()))?;
        let tokens = exchange::exchange((&self.config, &published), client.clone(), attempt, code).await;
        let tokens = tokens.map_err(|error| match error {
            NoTokens::Code => Stranger::Refused(error.to_string()),
            NoTokens::Issuer(why) => self.away(&why),
        })?;
        let mut claims = self.checked(&published, &tokens, &attempt.nonce, now).await?;
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(url) = published.userinfo.as_ref().filter(|_| self.wants_more(&claims)) {
            self.add(&mut claims, more(&client, url, &tokens).await, &subject)?;
        }
        let person = person(&subject, &claims);
        match self.config.roles.of(&claims) {
            Some(rule) => {
                Ok(Recognized { issuer: self.config.issuer.clone(), person, value: rule.value.clone() })
            }
            None => Err(Stranger::NoRole(person)),
        }
    }

    /// The claims of an ID token, if it is good. One by a key that is not known may be by a new one.
    async fn checked(
        &self,
        published: &Arc<Published>,
        tokens: &Tokens,
        nonce: &str,
        now: OffsetDateTime,
    ) -> Result<Map<String, Value>, Stranger> {
        let refused = |why: IdTokenRefusal| Stranger::Refused(format!("the ID token does not count: {why}"));
        let token = Unverified::parse(tokens.id.expose()).map_err(|why| refused(why.into()))?;
        let rules = (&self.rules, nonce);
        let claims = match token.check_id_token(&published.keys, rules, now) {
            Err(IdTokenRefusal::Token(Refusal::UnknownKey)) => {
                let newer = self.publisher.beyond(&self.config, Arc::clone(published)).await;
                token.check_id_token(&newer.keys, rules, now).cloned()
            }
            checked => checked.cloned(),
        };
        claims.map_err(refused)
    }

    /// Whether there is something to ask of the issuer that the ID token does not say: many say little in it.
    fn wants_more(&self, claims: &Map<String, Value>) -> bool {
        [&self.config.roles.claim, "name", "email"].into_iter().any(|name| !claims.contains_key(name))
    }

    /// Adds what the issuer says beside the ID token, which comes first. It has to be about the same person.
    fn add(
        &self,
        claims: &mut Map<String, Value>,
        more: Result<Map<String, Value>, String>,
        subject: &str,
    ) -> Result<(), Stranger> {
        let more = more.map_err(|why| self.away(&why))?;
        if more.get("sub").and_then(Value::as_str) != Some(subject) {
            return Err(Stranger::Refused("the issuer's userinfo is about somebody else".to_owned()));
        }
        for (name, value) in more {
            // An address and whether it is verified are of one source.
            if name != "email_verified" || !claims.contains_key("email") {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(())
    }

    fn away(&self, why: &str) -> Stranger {
        tracing::warn!(issuer = self.config.issuer, why, "somebody could not sign in by the issuer");
        Stranger::Away
    }

    fn unavailable(&self) -> Problem {
        let detail = format!(
            "nobody can sign in by {} now: it cannot be asked, and this server's log says why; an API key still opens the door",
            self.config.name
        );
        Problem::unavailable(detail)
    }
}

/// What the issuer's userinfo endpoint says.
async fn more(client: &Client, url: &Url, tokens: &Tokens) -> Result<Map<String, Value>, String> {
    let request = client.get(url.clone()).bearer_auth(tokens.access.expose());
    let body = issuer::get(url, request).await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&body).map_err(|_| "the issuer's userinfo is no JSON object".to_owned())
}

/// The ways to sign in that there are, beside API keys.
pub(super) async fn ways(Shared(api): Shared<Arc<Api>>) -> Json<Value> {
    let oidc = api.openid.as_ref().map(|openid| json!({ "name": openid.config.name }));
    Json(json!({ "oidc": oidc }))
}

fn configured(api: &Api) -> Result<&OpenId, Problem> {
    let none = || Problem::not_found("nobody signs in this way here: `http.signIn` is not configured");
    api.openid.as_ref().ok_or_else(none)
}

/// Begins a sign-in: where to go, and what to bring back with the answer.
pub(super) async fn begin(Shared(api): Shared<Arc<Api>>) -> Result<Shown, Problem> {
    let openid = configured(&api)?;
    let published = openid.publisher.published(&openid.config).await;
    let published = published.map_err(|Away| openid.unavailable())?;
    let attempt = Attempt::begin(OffsetDateTime::now_utc());
    let url = exchange::authorization(&openid.config, &published, &attempt);
    let sealed = api.config.session_key.seal(&ATTEMPT, &attempt).ok_or_else(Problem::internal)?;
    Ok(shown_once(json!({ "authorizationUrl": url.as_str(), "attempt": sealed.expose() })))
}

/// What somebody comes back with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    /// As the issuer gave it.
    code: String,
    /// As the issuer gave it back.
    state: String,
    /// As it was given when the sign-in began.
    attempt: String,
}

/// Ends a sign-in: the code for a session.
pub(super) async fn complete(
    Shared(api): Shared<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>,
    Body(Answer { code, state, attempt }): Body<Answer>,
) -> Result<Shown, Problem> {
    let (openid, now) = (configured(&api)?, OffsetDateTime::now_utc());
    let attempt: Option<Attempt> = api.config.session_key.open(&ATTEMPT, &attempt);
    let attempt = attempt.filter(|attempt| attempt.is_answered_by(&state, now) && code.len() <= MAX_CODE);
    let Some(attempt) = attempt else {
        api.metrics.refused_sign_ins.inc();
        let detail =
            "this is no answer to a sign-in that began here within the last ten minutes; begin again";
        return Err(auth::refused(&api, peer.ip(), detail, "it began elsewhere, or too long ago"));
    };
    match openid.recognize(&attempt, code, now).await {
        Ok(recognized) => {
            api.throttle.succeeded(peer.ip());
            api.begin_session_of(recognized, peer).await
        }
        Err(Stranger::Refused(why)) => {
            api.metrics.refused_sign_ins.inc();
            Err(auth::refused(&api, peer.ip(), "the sign-in does not count; begin again", &why))
        }
        Err(Stranger::NoRole(person)) => {
            tracing::warn!(subject = person.subject, name = person.name, %peer, "a person without a role was refused");
            let detail = format!(
                "{} knows you as {} ({}), and gives you nothing that is a role here: ask whoever runs this service",
                openid.config.name, person.name, person.subject
            );
            Err(Problem::new(StatusCode::FORBIDDEN, detail))
        }
        Err(Stranger::Away) => Err(openid.unavailable()),
    }
}
