//! Partners' credentials: issued here, shown once, kept as verifiers.

mod rotation;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State as Shared};
use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use rand::RngExt as _;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

pub(super) use self::rotation::{Rotate, rotate};
use super::auth::Caller;
use super::body::{Body, Name};
use super::distribution::{PATIENCE, distributed, told, told_without_nodes};
use super::openapi::words;
use super::problem::Problem;
use super::{Api, audit, idempotency, key, zones};
use crate::policy::verifier::{SCRAM_ITERATIONS, Salts, verifiers};
use crate::sasl::Mechanism;
use crate::secret::Secret;
use crate::store::{Change, Nodes, State, ZoneRecord};
use crate::zone::{AuthenticationMode, Credential, KeyId, LastUse, PartnerZone, Sequence, ZoneName};

/// Credentials of one zone; what is not used any more should be revoked.
const MAX_PER_ZONE: usize = 100;

/// A secret must not stay in a proxy's or browser's memory.
pub(super) const NO_STORE: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

pub(super) type Shown = (StatusCode, [(HeaderName, &'static str); 1], Json<Value>);

/// A new thing whose secret is in the answer, this once.
pub(super) fn shown_once(value: Value) -> Shown {
    (StatusCode::CREATED, NO_STORE, Json(value))
}

/// What is wanted of a new credential.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CredentialWanted")]
pub(super) struct Issue {
    /// When it is to end, if ever.
    #[schemars(with = "Option<words::Time>")]
    expires_at: Option<String>,
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

pub(super) async fn all(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    let state = api.state()?;
    let seen = state.credentials.values().filter(|credential| caller.sees(&state, &credential.zone));
    Ok(Json(api.items(&state, seen)))
}

pub(super) async fn of_zone(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
) -> Result<Json<Value>, Problem> {
    let state = api.state()?;
    let zone = &caller.find(&state, &name)?.0.zone.name;
    Ok(Json(api.items(&state, state.credentials.values().filter(|credential| credential.zone == *zone))))
}

pub(super) async fn issue(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
    headers: HeaderMap,
    Body(wanted): Body<Issue>,
) -> Result<Shown, Problem> {
    let request = idempotency::of(&headers)?;
    let key_id = request.map(|request| idempotency::key_id(caller.id(), &name, request));
    Ok(shown_once(api.issue(&caller, &name, wanted.expires_at.as_deref(), key_id).await?))
}

/// A credential that this key may replace and take back, and its zone.
fn find<'a>(
    caller: &Caller,
    state: &'a State,
    key_id: &str,
) -> Result<(&'a Arc<Credential>, &'a Arc<ZoneRecord>), Problem> {
    let credential = KeyId::try_from(key_id).ok().and_then(|id| state.credentials.get(&id));
    let seen = credential.filter(|credential| caller.sees(state, &credential.zone));
    let credential = seen.ok_or_else(|| Problem::not_found("there is no credential of this key id"))?;
    let record = zones::find(state, credential.zone.as_str())?;
    caller.to_renew(&record.zone)?;
    Ok((credential, record))
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
    /// A new credential of a zone, with its secret. One with this `key_id`, if there is none yet.
    pub(super) async fn issue(
        &self,
        caller: &Caller,
        zone: &str,
        expires_at: Option<&str>,
        key_id: Option<KeyId>,
    ) -> Result<Value, Problem> {
        // The same request twice at one moment is one request as well.
        let one_at_a_time = if key_id.is_some() { Some(self.issuing.lock().await) } else { None };
        let state = self.state()?;
        let (record, _) = caller.find(&state, zone)?;
        caller.to_write(&record.zone)?;
        let now = OffsetDateTime::now_utc();
        if let Some(issued) = key_id.as_ref().filter(|id| state.credentials.contains_key(id)) {
            return Err(idempotency::issued(issued));
        }
        let mut new = self.new_credential(&state, record, (now, end(expires_at, now)?), None).await?;
        if let Some(key_id) = key_id {
            new.credential.key_id = key_id;
        }
        let data = new.told(None);
        let event =
            audit::change(self, caller, "credential.issued", &format!("zone/{}", record.zone.name), data);
        let commit =
            self.config.store.commit(vec![Change::PutCredential(new.credential.clone()), event]).await?;
        // The others' turn does not wait for the gateways.
        drop(one_at_a_time);
        Ok(self.served(caller, new.shown(None), commit).await)
    }

    /// What was done by this commit, once every live gateway serves it: a partner who is handed a credential uses it at once, and one
    /// that is taken back has to be good for nothing.
    async fn served(&self, caller: &Caller, done: Value, commit: Sequence) -> Value {
        let distribution = distributed(self.config.store.nodes(), commit, PATIENCE).await;
        let told = if caller.sees_all() { told } else { told_without_nodes };
        told(done, &distribution)
    }

    /// A credential of a zone from now to its end, which is not in force yet. One that goes as it comes leaves it its room.
    async fn new_credential(
        &self,
        state: &State,
        record: &ZoneRecord,
        (now, end): (OffsetDateTime, Option<OffsetDateTime>),
        gone: Option<&KeyId>,
    ) -> Result<New, Problem> {
        let mode = record.zone.authentication.mode;
        if let Some(detail) = useless(&record.zone) {
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
) -> Result<Json<Value>, Problem> {
    let state = api.state()?;
    let (credential, _) = find(&caller, &state, &key_id)?;
    let data = json!({ "keyId": credential.key_id.as_str() });
    let event = audit::change(
        &api,
        &caller,
        "credential.revoked",
        &format!("zone/{}", credential.zone),
        data.clone(),
    );
    let commit =
        api.config.store.commit(vec![Change::DeleteCredential(credential.key_id.clone()), event]).await?;
    Ok(Json(api.served(&caller, data, commit).await))
}

/// Why a credential would open nothing, and what does.
fn useless(zone: &PartnerZone) -> Option<String> {
    let account = &zone.authentication.service_account;
    let (takes, has) = match zone.authentication.mode {
        AuthenticationMode::Plain | AuthenticationMode::Scram => return None,
        AuthenticationMode::OauthBearer => (
            "tokens (OAUTHBEARER)",
            format!("have its issuer give the partner's client tokens with the subject `{account}`"),
        ),
        AuthenticationMode::Mtls => (
            "certificates (MTLS)",
            format!(
                "have the authority in spec.authenticationMode.ca, or else in gateway.tls.clientCaFile, give the partner's client one \
                 whose subject maps to `{account}`"
            ),
        ),
    };
    Some(format!(
        "the zone takes {takes} and no secrets: {has}, and print the client's file with `reconciler get zone {} -o properties` (or \
         kcat, python, spring); or write `type: SCRAM` in the zone's file",
        zone.name
    ))
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
