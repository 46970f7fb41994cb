//! Partners' credentials: issued here, shown once, kept as verifiers.

use std::sync::Arc;

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
use crate::store::{Change, State};
use crate::zone::{AuthenticationMode, Credential, KeyId, ZoneName};

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

impl Issue {
    /// When the credential is to end, in UTC: one instant has one written form.
    fn end(&self, now: OffsetDateTime) -> Result<Option<OffsetDateTime>, Problem> {
        let Some(text) = &self.expires_at else { return Ok(None) };
        let at =
            OffsetDateTime::parse(text, &Rfc3339).ok().and_then(|at| at.checked_to_offset(UtcOffset::UTC));
        match at.filter(|at| at.year() <= 9999) {
            None => Err(Problem::bad_request(
                "`expiresAt` is not a time; write RFC 3339, such as 2027-01-31T00:00:00Z",
            )),
            Some(at) if at <= now => Err(Problem::bad_request("`expiresAt` is not in the future")),
            at => Ok(at),
        }
    }
}

pub(super) async fn all(Shared(api): Shared<Arc<Api>>) -> Result<Json<Value>, Problem> {
    let state = api.state()?;
    Ok(Json(items(&state, state.credentials.values())))
}

pub(super) async fn of_zone(Shared(api): Shared<Arc<Api>>, Name(name): Name) -> Result<Json<Value>, Problem> {
    let state = api.state()?;
    let zone = &zones::find(&state, &name)?.zone.name;
    Ok(Json(items(&state, state.credentials.values().filter(|credential| credential.zone == *zone))))
}

pub(super) async fn issue(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
    Body(wanted): Body<Issue>,
) -> Result<Shown, Problem> {
    let state = api.state()?;
    let record = zones::find(&state, &name)?;
    let mode = record.zone.authentication.mode;
    if mode.mechanisms().is_empty() {
        let detail = "credentials are for zones that use PLAIN or SCRAM; others need a later version";
        return Err(Problem::conflict(detail));
    }
    let now = OffsetDateTime::now_utc();
    let end = wanted.end(now)?;
    let zone = record.zone.name.clone();
    if state.credentials.values().filter(|credential| credential.zone == zone).count() >= MAX_PER_ZONE {
        let detail =
            format!("the zone has {MAX_PER_ZONE} credentials already; revoke those that are not used");
        return Err(Problem::conflict(detail));
    }
    let nodes = api.config.store.nodes().borrow().clone();
    if nodes.is_empty() {
        let detail = "no gateway node is running, so there is no address to give to a partner; start one";
        return Err(Problem::unavailable(detail));
    }
    let bootstrap_servers = api.bootstrap_servers(record, &nodes).ok_or_else(|| {
        Problem::conflict("no gateway node serves the cluster of this zone; the zone's status says why")
    })?;
    let (credential, secret) = new_credential(zone.clone(), now, end).await?;
    let key_id = credential.key_id.clone();
    let mechanisms = mechanisms(&credential, mode);
    let expires_at = end.map(rfc3339);
    let data = json!({ "keyId": key_id.as_str(), "expiresAt": expires_at });
    let event = audit::change(&api, &caller, "credential.issued", &format!("zone/{zone}"), data);
    api.config.store.commit(vec![Change::PutCredential(credential), event]).await?;
    Ok(shown_once(json!({
        "keyId": key_id.as_str(),
        "secret": secret.expose(),
        "username": key_id.as_str(),
        "mechanisms": mechanisms,
        "bootstrapServers": bootstrap_servers,
        "securityProtocol": zones::security_protocol(&nodes),
        "expiresAt": expires_at,
    })))
}

pub(super) async fn revoke(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(key_id): Name,
) -> Result<StatusCode, Problem> {
    let state = api.state()?;
    let credential = KeyId::try_from(key_id.as_str()).ok().and_then(|id| state.credentials.get(&id));
    let credential = credential.ok_or_else(|| Problem::not_found("there is no credential of this key id"))?;
    let data = json!({ "keyId": credential.key_id.as_str() });
    let event =
        audit::change(&api, &caller, "credential.revoked", &format!("zone/{}", credential.zone), data);
    api.config.store.commit(vec![Change::DeleteCredential(credential.key_id.clone()), event]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deriving the SCRAM verifiers takes milliseconds of processor time: not on a thread that serves others.
async fn new_credential(
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
        (Credential { key_id, zone, created_at: now, expires_at, plain, scram }, secret)
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

fn items<'a>(state: &State, credentials: impl Iterator<Item = &'a Arc<Credential>>) -> Value {
    let now = OffsetDateTime::now_utc();
    let accepted = |credential: &Credential| {
        let zone = state.zones.get(&credential.zone);
        zone.map_or_else(Vec::new, |record| mechanisms(credential, record.zone.authentication.mode))
    };
    let items: Vec<Value> = credentials
        .map(|credential| {
            json!({
                "keyId": credential.key_id.as_str(),
                "zone": credential.zone.as_str(),
                "state": if credential.is_expired(now) { "EXPIRED" } else { "ACTIVE" },
                "mechanisms": accepted(credential),
                "createdAt": rfc3339(credential.created_at),
                "expiresAt": credential.expires_at.map(rfc3339),
            })
        })
        .collect();
    json!({ "items": items })
}

/// A time that was read from this form or from the clock can always be written in it.
pub(super) fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
