//! The handlers.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, Extension, State as Shared};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors;
use super::resource::{self, resource};
use crate::api::Api;
use crate::api::access::Sight;
use crate::api::auth::{self, Caller};
use crate::api::body::{Body, Name, Parameters};
use crate::api::credentials::{NO_STORE, rfc3339};
use crate::api::problem::Problem;
use crate::api::writes::{self, Terms};
use crate::api::zone_body::from_json;
use crate::zone::{AuthenticationMode, Effect, Extent, PartnerZone, Precondition, Written};

/// An answer with a secret in it, which no proxy or browser keeps.
type Unstored<T> = ([(HeaderName, &'static str); 1], Json<T>);

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    #[serde(default)]
    dry_mode: bool,
}

pub(super) async fn list(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    let state = api.state()?;
    let controller = api.config.controller.borrow().clone();
    let zones = caller.zones(&state).map(|seen| resource(api.zone(&seen, &state, &controller, None)));
    Ok(Json(zones.collect()))
}

pub(super) async fn one(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
) -> Result<Json<Value>, Problem> {
    Ok(Json(resource(api.shown(&caller, &name)?)))
}

/// The content type is not looked at: what Console's command line sends as `text/plain` is JSON.
pub(super) async fn upsert(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Parameters(wanted): Parameters<Wanted>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let body = body.map_err(|_| {
        let detail = "the body is larger than 1 MiB, or did not arrive whole";
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    })?;
    let zone = from_json(&body)?;
    let extent = if wanted.dry_mode { Extent::DryRun } else { Extent::Commit };
    let written = api.put(&caller, &zone, whatever_is_there(extent)).await?;
    let written = written.map_err(|refusal| writes::problem(&caller, refusal))?;
    let result = match written.effect {
        Effect::Created => "CREATED",
        Effect::Updated | Effect::Deleted => "UPDATED",
        Effect::Unchanged => "NOT_CHANGED",
    };
    let shown = as_written(&api, &caller, &zone, &written).await;
    Ok(Json(resource::upserted(shown, result, proposal(&written))))
}

/// A zone after a write. One that is there has its id, although what was written is not in force, or is not going to be.
async fn as_written(api: &Api, caller: &Caller, zone: &PartnerZone, written: &Written) -> Value {
    let shown = api.as_written(caller, zone, written).await;
    let Ok(state) = api.state() else { return shown };
    match caller.find(&state, zone.name.as_str()) {
        Ok((record, _)) => resource::known(shown, &record.id.to_string(), &rfc3339(record.updated_at)),
        Err(_) => shown,
    }
}

/// The branch that has to be merged before anything happens.
fn proposal(written: &Written) -> Option<&str> {
    written.commit.as_ref().filter(|commit| commit.is_proposal).map(|commit| commit.reference.as_str())
}

pub(super) async fn delete(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
) -> Result<Response, Problem> {
    let written = api.delete(&caller, &name, whatever_is_there(Extent::Commit)).await?;
    let Some(branch) = proposal(&written) else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    let said = format!("this is a proposal: the zone is there until {branch} is merged");
    Ok((StatusCode::ACCEPTED, Json(errors::said("Accepted", &said, &said))).into_response())
}

/// Their requests say nothing of what was seen, and not why.
fn whatever_is_there(extent: Extent) -> Terms {
    Terms { on: Precondition::Any, extent, reason: None }
}

pub(super) async fn kafka_configuration(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
) -> Result<Json<String>, Problem> {
    let state = api.state()?;
    if let (_, Sight::Part(_)) = caller.find(&state, &name)? {
        let detail = "how to connect is shown to an owner only of zones whose backing topics are all theirs";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let text = resource::kafka_configuration(&api.shown(&caller, &name)?);
    text.map(Json)
        .ok_or_else(|| Problem::unavailable("no gateway node is running, so there is no address yet"))
}

/// The body, `null`, says nothing.
pub(super) async fn generate_credentials(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
) -> Result<Unstored<String>, Problem> {
    is_enough(&api, &caller, &name)?;
    let issued = api.issue(&caller, &name, None, None).await?;
    let secret = issued.get("secret").and_then(Value::as_str).ok_or_else(Problem::internal)?;
    Ok((NO_STORE, Json(secret.to_owned())))
}

/// A secret alone is enough for a client of PLAIN, which logs in under the service account's name. One of SCRAM needs the id too, which
/// has no place in their answer.
fn is_enough(api: &Api, caller: &Caller, name: &str) -> Result<(), Problem> {
    let state = api.state()?;
    let (record, _) = caller.find(&state, name)?;
    caller.to_write(&record.zone)?;
    if record.zone.authentication.mode != AuthenticationMode::Scram {
        return Ok(());
    }
    Err(Problem::conflict(format!(
        "a client of SCRAM logs in with the id of a credential, which cannot be told here: issue one with `reconciler credentials issue \
         {name}`, or by `POST /api/v1/zones/{name}/credentials`"
    )))
}

#[derive(Deserialize)]
pub(super) struct LogIn {
    username: String,
    password: String,
}

/// A key's id and secret become the key, which is what Bearer takes: there is no other session.
pub(super) async fn log_in(
    Shared(api): Shared<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>,
    Body(wanted): Body<LogIn>,
) -> Result<Unstored<Value>, Problem> {
    let token = auth::log_in(&api, peer.ip(), wanted.username, wanted.password)?;
    Ok((NO_STORE, Json(json!({ "access_token": token.expose() }))))
}
