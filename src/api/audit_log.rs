//! What is written in the audit log, the newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Api;
use super::problem::Problem;
use super::query::{Query, page_token};
use crate::zone::ZoneName;

/// Events of a part, where nobody says how many.
const DEFAULT_LIMIT: usize = 100;

/// What all our types begin with.
const OURS: &str = "partner-zones.";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    before: u64,
}

/// One request reads one stretch of the log. If nothing in it fits the list is empty, and its token goes on before it.
pub(super) async fn list(Shared(api): Shared<Arc<Api>>, mut query: Query) -> Result<Json<Value>, Problem> {
    let zone = query.one("zone")?.map(|name| ZoneName::try_from(name.as_str())).transpose();
    let zone = zone.map_err(|wrong| Problem::bad_request(format!("`zone` {wrong}")))?;
    let kind = query.one("type")?;
    let (limit, after) = (query.limit()?.unwrap_or(DEFAULT_LIMIT), query.page_token::<Place>()?);
    query.end()?;
    let stretch = api.config.store.read_audit(after.map(|place| place.before)).await?;
    let fits = |event: &Value| {
        zone.as_ref().is_none_or(|zone| is_about(event, zone))
            && kind.as_ref().is_none_or(|kind| is_of(event, kind))
    };
    let mut fitting = stretch.events.into_iter().filter(|(_, event)| fits(event));
    let (mut items, mut last) = (Vec::new(), None);
    for (place, event) in fitting.by_ref().take(limit) {
        items.push(event);
        last = Some(place);
    }
    let more = last.filter(|_| fitting.next().is_some());
    let next = more.or(stretch.older).map(|before| page_token(&Place { before }));
    Ok(Json(json!({ "items": items, "nextPageToken": next })))
}

/// By its subject, or by what it says beside it: logins that failed are about an address, and name the zone.
fn is_about(event: &Value, zone: &ZoneName) -> bool {
    let named = event.pointer("/data/zone").and_then(Value::as_str);
    named == Some(zone.as_str()) || has_subject(event, zone)
}

fn has_subject(event: &Value, zone: &ZoneName) -> bool {
    let subject = event.get("subject").and_then(Value::as_str).unwrap_or_default();
    let subject = subject.strip_prefix("controller/").unwrap_or(subject);
    let rest = subject.strip_prefix("zone/").and_then(|rest| rest.strip_prefix(zone.as_str()));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `zone` is all of `zone.created`, `zone.updated` and so on.
fn is_of(event: &Value, kind: &str) -> bool {
    let is = event.get("type").and_then(Value::as_str).unwrap_or_default();
    let (is, kind) = (is.strip_prefix(OURS).unwrap_or(is), kind.strip_prefix(OURS).unwrap_or(kind));
    is.strip_prefix(kind).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
