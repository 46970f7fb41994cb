//! Keys of this API.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State as Shared};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::auth::Caller;
use super::body::{Body, Name};
use super::credentials::{Shown, rfc3339, shown_once};
use super::problem::Problem;
use super::{Api, audit, key};
use crate::store::Change;
use crate::zone::{ApiKey, ApiKeyRole};

/// Keys at a time; each is looked at by a person when something leaked.
const MAX_KEYS: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    role: Role,
}

/// Roles whose behaviour this version has.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Admin,
    Viewer,
}

pub(super) async fn list(Shared(api): Shared<Arc<Api>>) -> Result<Json<Value>, Problem> {
    let state = api.state()?;
    let items: Vec<Value> = state.api_keys.values().map(|key| facts(key)).collect();
    Ok(Json(json!({ "items": items })))
}

pub(super) async fn create(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Body(wanted): Body<Create>,
) -> Result<Shown, Problem> {
    if api.state()?.api_keys.len() >= MAX_KEYS {
        return Err(Problem::conflict(format!(
            "there are {MAX_KEYS} keys already; delete those that are not used"
        )));
    }
    let role = match wanted.role {
        Role::Admin => ApiKeyRole::Admin,
        Role::Viewer => ApiKeyRole::Viewer,
    };
    let (kept, shown) = key::new_api_key(role, OffsetDateTime::now_utc());
    let mut answer = facts(&kept);
    let subject = format!("api-key/{}", kept.id);
    let event = audit::change(&api, &caller, "api-key.created", &subject, answer.clone());
    api.config.store.commit(vec![Change::PutApiKey(kept), event]).await?;
    if let Value::Object(object) = &mut answer {
        object.insert("key".to_owned(), Value::String(shown.expose().clone()));
    }
    Ok(shown_once(answer))
}

pub(super) async fn delete(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(id): Name,
) -> Result<StatusCode, Problem> {
    let state = api.state()?;
    let key = state.api_keys.get(&id).ok_or_else(|| Problem::not_found("there is no API key of this id"))?;
    let admins = state.api_keys.values().filter(|key| key.role == ApiKeyRole::Admin).count();
    if key.role == ApiKeyRole::Admin && admins == 1 {
        return Err(Problem::conflict(
            "this is the last admin key; without it nobody could make another one",
        ));
    }
    let event = audit::change(&api, &caller, "api-key.deleted", &format!("api-key/{id}"), facts(key));
    api.config.store.commit(vec![Change::DeleteApiKey(id.clone()), event]).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn facts(key: &ApiKey) -> Value {
    let role = match key.role {
        ApiKeyRole::Admin => "admin",
        ApiKeyRole::Viewer => "viewer",
        ApiKeyRole::Owner { .. } => "owner",
        ApiKeyRole::Partner { .. } => "partner",
    };
    json!({ "id": key.id, "role": role, "createdAt": rfc3339(key.created_at) })
}
