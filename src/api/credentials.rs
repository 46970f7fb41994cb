//! Partners' credentials: issued here, shown once, kept as verifiers.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, State as Shared};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use rand::RngExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::auth::Caller;
use super::body::{Body, Name};
use super::problem::Problem;
use super::{Api, audit, key, zones};
use crate::policy::verifier::{SCRAM_ITERATIONS, Salts, verifiers};
use crate::sasl::Mechanism;
use crate::secret::Secret;
use crate::store::{Change, Nodes, State, ZoneRecord};
use crate::zone::{Authentication, AuthenticationMode, Credential, KeyId, LastUse, ZoneName, parse_duration};

/// Credentials of one zone; what is not used any more should be revoked.
const MAX_PER_ZONE: usize = 100;

/// A secret must not stay in a proxy's or browser's memory.
const NO_STORE: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

pub(super) type Shown = (StatusCode, [(HeaderName, &'static str); 1], Json<Value>);

/// A new thing whose secret is in the answer, this once.
pub(super) fn shown_once(value: Value) -> Shown {
    (StatusCode::CREATED, NO_STORE, Json(value))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Issue {
    #[serde(default)]
    expires_at: Option<String>,
}

/// What is wanted of a credential that takes another one's place.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rotate {
    /// How long the old one goes on: `24h`; `0s` ends it at once.
    #[serde(default)]
    overlap: Option<String>,
    /// When the new one is to end; if it is not said, it lasts as long as the old one was to last.
    #[serde(default)]
    expires_at: Option<String>,
}

/// Of a rotation that does not say.
const OVERLAP: Duration = Duration::from_hours(24);

impl Rotate {
    fn overlap(&self) -> Result<time::Duration, Problem> {
        let overlap = self.overlap.as_deref().map_or(Ok(OVERLAP), parse_duration);
        let overlap = overlap.ok().and_then(|overlap| time::Duration::try_from(overlap).ok());
        overlap.ok_or_else(|| Problem::bad_request("`overlap` is no duration; write for example `24h`"))
    }
}

/// When a credential is to end, in UTC: one instant has one written form.
fn end(expires_at: Option<&str>, now: OffsetDateTime) -> Result<Option<OffsetDateTime>, Problem> {
    let Some(text) = expires_at else { return Ok(None) };
    let at = OffsetDateTime::parse(text, &Rfc3339).ok().and_then(|at| at.checked_to_offset(UtcOffset::UTC));
    match at.filter(|at| at.year() <= 9999) {
        None => Err(Problem::bad_request(
            "`expiresAt` is not a time; write RFC 3339, such as 2027-01-31T00:00:00Z",
        )),
        Some(at) if at <= now => Err(Problem::bad_request("`expiresAt` is not in the future")),
        at => Ok(at),
    }
}

pub(super) async fn all(Shared(api): Shared<Arc<Api>>) -> Result<Json<Value>, Problem> {
    let state = api.state()?;
    Ok(Json(api.items(&state, state.credentials.values())))
}

pub(super) async fn of_zone(Shared(api): Shared<Arc<Api>>, Name(name): Name) -> Result<Json<Value>, Problem> {
    let state = api.state()?;
    let zone = &zones::find(&state, &name)?.zone.name;
    Ok(Json(api.items(&state, state.credentials.values().filter(|credential| credential.zone == *zone))))
}

pub(super) async fn issue(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
    Body(wanted): Body<Issue>,
) -> Result<Shown, Problem> {
    let state = api.state()?;
    let record = zones::find(&state, &name)?;
    let now = OffsetDateTime::now_utc();
    let new =
        api.new_credential(&state, record, (now, end(wanted.expires_at.as_deref(), now)?), None).await?;
    let data = new.told(None);
    let event =
        audit::change(&api, &caller, "credential.issued", &format!("zone/{}", record.zone.name), data);
    api.config.store.commit(vec![Change::PutCredential(new.credential.clone()), event]).await?;
    Ok(shown_once(new.shown(None)))
}

/// Makes a credential that takes another one's place, which goes on for a while so that nobody has to change both sides in one
/// moment.
pub(super) async fn rotate(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(key_id): Name,
    Body(wanted): Body<Rotate>,
) -> Result<Shown, Problem> {
    let state = api.state()?;
    let old = find(&state, &key_id)?;
    let record = zones::find(&state, old.zone.as_str())?;
    if let Some(successor) = &old.replaced_by {
        let detail = format!("it was replaced by {successor} already; rotate that one, or issue a new one");
        return Err(Problem::conflict(detail));
    }
    let now = OffsetDateTime::now_utc();
    let overlap = wanted.overlap()?;
    let as_long = |end: OffsetDateTime| now.checked_add(end - old.created_at).unwrap_or(end);
    let end = end(wanted.expires_at.as_deref(), now)?.or_else(|| old.expires_at.map(as_long));
    let gone = overlap.is_zero().then_some(&old.key_id);
    let new = api.new_credential(&state, record, (now, end), gone).await?;
    let old_end = now.checked_add(overlap).ok_or_else(too_long)?;
    let old_end = old.expires_at.map_or(old_end, |known| known.min(old_end));
    let of_old = if overlap.is_zero() {
        Change::DeleteCredential(old.key_id.clone())
    } else {
        Change::PutCredential(Credential {
            expires_at: Some(old_end),
            replaced_by: Some(new.credential.key_id.clone()),
            ..Credential::clone(old)
        })
    };
    let replaces = json!({ "keyId": old.key_id.as_str(), "expiresAt": rfc3339(old_end) });
    let data = new.told(Some(&replaces));
    let event = audit::change(&api, &caller, "credential.rotated", &format!("zone/{}", old.zone), data);
    // It may be revoked while the new one is made, and then it must not come back.
    let as_it_was = Change::Expect(Box::new(Credential::clone(old)));
    let changes = vec![as_it_was, Change::PutCredential(new.credential.clone()), of_old, event];
    api.config.store.commit(changes).await?;
    Ok(shown_once(new.shown(Some(&replaces))))
}

fn too_long() -> Problem {
    Problem::bad_request("`overlap` lies beyond all calendars")
}

fn find<'a>(state: &'a State, key_id: &str) -> Result<&'a Arc<Credential>, Problem> {
    let credential = KeyId::try_from(key_id).ok().and_then(|id| state.credentials.get(&id));
    credential.ok_or_else(|| Problem::not_found("there is no credential of this key id"))
}

/// A credential with its secret, for whoever asked for it.
struct New {
    credential: Credential,
    secret: Secret<String>,
    mechanisms: Vec<&'static str>,
    bootstrap_servers: String,
    security_protocol: Option<&'static str>,
}

impl New {
    /// For the audit log.
    fn told(&self, replaces: Option<&Value>) -> Value {
        let expires_at = self.credential.expires_at.map(rfc3339);
        with(json!({ "keyId": self.credential.key_id.as_str(), "expiresAt": expires_at }), replaces)
    }

    /// The one answer that shows the secret.
    fn shown(&self, replaces: Option<&Value>) -> Value {
        let shown = json!({
            "keyId": self.credential.key_id.as_str(),
            "secret": self.secret.expose(),
            "username": self.credential.key_id.as_str(),
            "mechanisms": self.mechanisms,
            "bootstrapServers": self.bootstrap_servers,
            "securityProtocol": self.security_protocol,
            "expiresAt": self.credential.expires_at.map(rfc3339),
        });
        with(shown, replaces)
    }
}

fn with(mut value: Value, replaces: Option<&Value>) -> Value {
    if let (Value::Object(object), Some(replaces)) = (&mut value, replaces) {
        object.insert("replaces".to_owned(), replaces.clone());
    }
    value
}

impl Api {
    /// A credential of a zone from now to its end, which is not in force yet. One that goes as it comes leaves it its room.
    async fn new_credential(
        &self,
        state: &State,
        record: &ZoneRecord,
        (now, end): (OffsetDateTime, Option<OffsetDateTime>),
        gone: Option<&KeyId>,
    ) -> Result<New, Problem> {
        let mode = record.zone.authentication.mode;
        if let Some(detail) = useless(&record.zone.authentication) {
            return Err(Problem::conflict(detail));
        }
        let zone = record.zone.name.clone();
        let stays = |it: &&Arc<Credential>| it.zone == zone && Some(&it.key_id) != gone;
        if state.credentials.values().filter(stays).count() >= MAX_PER_ZONE {
            let detail =
                format!("the zone has {MAX_PER_ZONE} credentials already; revoke those that are not used");
            return Err(Problem::conflict(detail));
        }
        let nodes = self.config.store.nodes().borrow().clone();
        if nodes.is_empty() {
            let detail = "no gateway node is running, so there is no address to give to a partner; start one";
            return Err(Problem::unavailable(detail));
        }
        let bootstrap_servers = self.bootstrap_servers(record, &nodes).ok_or_else(|| {
            Problem::conflict("no gateway node serves the cluster of this zone; the zone's status says why")
        })?;
        let (credential, secret) = derived(zone, now, end).await?;
        Ok(New {
            mechanisms: mechanisms(&credential, mode),
            credential,
            secret,
            bootstrap_servers,
            security_protocol: zones::security_protocol(mode, &nodes),
        })
    }
}

pub(super) async fn revoke(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(key_id): Name,
) -> Result<StatusCode, Problem> {
    let state = api.state()?;
    let credential = find(&state, &key_id)?;
    let data = json!({ "keyId": credential.key_id.as_str() });
    let event =
        audit::change(&api, &caller, "credential.revoked", &format!("zone/{}", credential.zone), data);
    api.config.store.commit(vec![Change::DeleteCredential(credential.key_id.clone()), event]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Why a credential would open nothing, and what does.
fn useless(authentication: &Authentication) -> Option<String> {
    let account = &authentication.service_account;
    match authentication.mode {
        AuthenticationMode::Plain | AuthenticationMode::Scram => None,
        AuthenticationMode::OauthBearer => Some(format!(
            "the zone takes tokens (OAUTHBEARER) and no secrets: have its issuer give the partner's client tokens with the subject \
             `{account}`, or write `type: SCRAM` in the zone's file"
        )),
        AuthenticationMode::Mtls => Some(format!(
            "the zone takes certificates (MTLS) and no secrets: have the authority in spec.authenticationMode.ca, or else in \
                 gateway.tls.clientCaFile, give the partner's client one whose subject maps to `{account}`, or write `type: SCRAM` in \
                 the zone's file"
        )),
    }
}

/// Deriving the SCRAM verifiers takes milliseconds of processor time: not on a thread that serves others.
async fn derived(
    zone: ZoneName,
    now: OffsetDateTime,
    expires_at: Option<OffsetDateTime>,
) -> Result<(Credential, Secret<String>), Problem> {
    let derive = move || {
        let secret = key::new_secret();
        let salts =
            Salts { plain: key::random_bytes(), sha256: key::random_bytes(), sha512: key::random_bytes() };
        let verifiers = verifiers(secret.expose(), &salts, SCRAM_ITERATIONS);
        let mut rng = rand::rng();
        let key_id = KeyId::from_random(|limit| rng.random_range(0..limit));
        let (plain, scram) = (verifiers.plain, verifiers.scram);
        (Credential { key_id, zone, created_at: now, expires_at, replaced_by: None, plain, scram }, secret)
    };
    tokio::task::spawn_blocking(derive).await.map_err(|error| {
        tracing::error!(%error, "deriving a credential failed");
        Problem::internal()
    })
}

/// What a partner may log in with, the best to recommend first.
fn mechanisms(credential: &Credential, mode: AuthenticationMode) -> Vec<&'static str> {
    credential.mechanisms(mode).map(Mechanism::name).collect()
}

fn standing(credential: &Credential, now: OffsetDateTime) -> &'static str {
    match (credential.is_expired(now), &credential.replaced_by) {
        (true, _) => "EXPIRED",
        (false, Some(_)) => "ROTATED",
        (false, None) => "ACTIVE",
    }
}

impl Api {
    fn items<'a>(&self, state: &State, credentials: impl Iterator<Item = &'a Arc<Credential>>) -> Value {
        let now = OffsetDateTime::now_utc();
        let nodes = self.config.store.nodes().borrow().clone();
        let accepted = |credential: &Credential| {
            let zone = state.zones.get(&credential.zone);
            zone.map_or_else(Vec::new, |record| mechanisms(credential, record.zone.authentication.mode))
        };
        let items: Vec<Value> = credentials
            .map(|credential| {
                let last = last_use(credential, state, &nodes, now);
                json!({
                    "keyId": credential.key_id.as_str(),
                    "zone": credential.zone.as_str(),
                    "state": standing(credential, now),
                    "replacedBy": credential.replaced_by.as_ref().map(KeyId::as_str),
                    "mechanisms": accepted(credential),
                    "createdAt": rfc3339(credential.created_at),
                    "expiresAt": credential.expires_at.map(rfc3339),
                    "lastUsedAt": last.map(|last| rfc3339(last.at)),
                    "lastUsedFrom": last.map(|last| last.address.to_string()),
                })
            })
            .collect();
        json!({ "items": items })
    }
}

/// As the state remembers it, or as a gateway says that is more recent.
fn last_use(credential: &Credential, state: &State, nodes: &Nodes, now: OffsetDateTime) -> Option<LastUse> {
    let of_nodes = nodes.values().filter_map(|node| node.credentials.get(credential.key_id.as_str()));
    let all = of_nodes.chain(state.last_uses.get(&credential.key_id)).copied();
    // A node's clock may be ahead of this one's.
    all.map(|last| LastUse { at: last.at.min(now), ..last }).max_by_key(|last| last.at)
}

/// A time that was read from this form or from the clock can always be written in it.
pub(super) fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
