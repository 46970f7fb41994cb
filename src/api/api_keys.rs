//! Keys of this API.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State as Shared};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::auth::Caller;
use super::body::{Body, Name};
use super::credentials::{Shown, rfc3339, shown_once};
use super::openapi::words;
use super::problem::Problem;
use super::{Api, audit, key};
use crate::store::{Change, State};
use crate::zone::{ApiKey, ApiKeyRole, TopicPattern, ZoneName};

/// Keys at a time; each is looked at by a person when something leaked.
const MAX_KEYS: usize = 1_000;

/// Patterns of one owner.
const MAX_PATTERNS: usize = 100;

/// What a key is to be for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ApiKeyWanted", extend("oneOf" = [
    {"properties": {"role": {"enum": ["admin", "viewer"]}, "topics": {"type": "null"}, "zone": {"type": "null"}}},
    {"properties": {"role": {"const": "owner"}, "topics": {"type": "array"}, "zone": {"type": "null"}}, "required": ["topics"]},
    {"properties": {"role": {"const": "partner"}, "topics": {"type": "null"}, "zone": {"type": "string"}}, "required": ["zone"]},
]))]
pub(super) struct Create {
    role: Role,
    /// Of an owner: the backing topics that are theirs, each a topic's name, or the beginning of names and `*`.
    #[schemars(with = "Option<Vec<words::TopicPattern>>", length(min = 1, max = 100))]
    topics: Option<Vec<String>>,
    /// Of a partner: the zone, which has to be there.
    #[schemars(with = "Option<words::ZoneName>")]
    zone: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Role {
    Admin,
    Viewer,
    Owner,
    Partner,
}

impl Create {
    fn role(&self, state: &State) -> Result<ApiKeyRole, Problem> {
        match (self.role, &self.topics, &self.zone) {
            (Role::Admin, None, None) => Ok(ApiKeyRole::Admin),
            (Role::Viewer, None, None) => Ok(ApiKeyRole::Viewer),
            (Role::Owner, Some(topics), None) => Ok(ApiKeyRole::Owner { topics: patterns(topics)? }),
            (Role::Partner, None, Some(zone)) => Ok(ApiKeyRole::Partner { zone: known(state, zone)? }),
            (Role::Owner, None, _) => Err(Problem::bad_request(
                "an owner's key needs `topics`: the backing topics that are theirs, such as [\"orders\", \"sales.*\"]",
            )),
            (Role::Partner, _, None) => {
                Err(Problem::bad_request("a partner's key needs `zone`: the one zone that it is for"))
            }
            _ => Err(Problem::bad_request(
                "`topics` is for the role `owner` and `zone` for the role `partner`; no other role has either",
            )),
        }
    }
}

fn patterns(texts: &[String]) -> Result<Vec<TopicPattern>, Problem> {
    if texts.is_empty() || texts.len() > MAX_PATTERNS {
        return Err(Problem::bad_request(format!("`topics` has 1 to {MAX_PATTERNS} patterns")));
    }
    let pattern = |text: &String| {
        TopicPattern::try_from(text.as_str()).map_err(|wrong| {
            Problem::bad_request(format!(
                "the pattern `{text}` of `topics` {wrong}; write a topic's name, the beginning of names and `*`, or `*` for all"
            ))
        })
    };
    texts.iter().map(pattern).collect()
}

/// A zone that is there: a key made in advance would open whatever gets the name.
fn known(state: &State, name: &str) -> Result<ZoneName, Problem> {
    let record = ZoneName::try_from(name).ok().and_then(|name| state.zones.get(&name));
    let none = || {
        Problem::bad_request(format!("there is no zone `{name}`; make it first, and then its partner's key"))
    };
    record.map(|record| record.zone.name.clone()).ok_or_else(none)
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
    let state = api.state()?;
    if state.api_keys.len() >= MAX_KEYS {
        return Err(Problem::conflict(format!(
            "there are {MAX_KEYS} keys already; delete those that are not used"
        )));
    }
    let (kept, shown) = key::new_api_key(wanted.role(&state)?, OffsetDateTime::now_utc());
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
    let _one_at_a_time = api.deleting_keys.lock().await;
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
    let mut facts = json!({ "id": key.id, "role": key.role.name(), "createdAt": rfc3339(key.created_at) });
    let scope = match &key.role {
        ApiKeyRole::Admin | ApiKeyRole::Viewer => None,
        ApiKeyRole::Owner { topics } => {
            Some(("topics", topics.iter().map(ToString::to_string).collect::<Vec<_>>().into()))
        }
        ApiKeyRole::Partner { zone } => Some(("zone", Value::from(zone.as_str()))),
    };
    if let (Value::Object(members), Some((name, scope))) = (&mut facts, scope) {
        members.insert(name.to_owned(), scope);
    }
    facts
}
