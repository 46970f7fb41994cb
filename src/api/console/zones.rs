//! The handlers.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Extension, State as Shared};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::resource::{self, resource};
use crate::api::Api;
use crate::api::auth::{self, Caller};
use crate::api::body::{Body, Name, Parameters};
use crate::api::problem::Problem;
use crate::api::writes::{self, Terms};
use crate::api::zone_body::from_json;
use crate::zone::{Effect, Extent, Precondition};

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
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let zone = from_json(&body)?;
    let extent = if wanted.dry_mode { Extent::DryRun } else { Extent::Commit };
    let written = api.put(&caller, &zone, whatever_is_there(extent)).await?;
    let written = written.map_err(|refusal| writes::problem(&caller, refusal))?;
    let result = match written.effect {
        Effect::Created => "CREATED",
        Effect::Updated | Effect::Deleted => "UPDATED",
        Effect::Unchanged => "NOT_CHANGED",
    };
    Ok(Json(resource::upserted(api.as_written(&caller, &zone, &written).await, result)))
}

pub(super) async fn delete(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
) -> Result<StatusCode, Problem> {
    api.delete(&caller, &name, whatever_is_there(Extent::Commit)).await?;
    Ok(StatusCode::NO_CONTENT)
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
    let text = resource::kafka_configuration(&api.shown(&caller, &name)?);
    text.map(Json)
        .ok_or_else(|| Problem::unavailable("no gateway node is running, so there is no address yet"))
}

/// The body, `null`, says nothing.
pub(super) async fn generate_credentials(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
) -> Result<Json<String>, Problem> {
    let issued = api.issue(&caller, &name, None, None).await?;
    let secret = issued.get("secret").and_then(Value::as_str).ok_or_else(Problem::internal)?;
    Ok(Json(secret.to_owned()))
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
) -> Result<Json<Value>, Problem> {
    let token = auth::log_in(&api, peer.ip(), wanted.username, wanted.password)?;
    Ok(Json(json!({ "access_token": token.expose() })))
}
