//! Zones that are created, changed and deleted here: each is a commit to the source, made by the leading controller.

mod refusal;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, State as Shared};
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

pub(super) use self::refusal::problem;
use super::auth::Caller;
use super::body::{Name, Parameters};
use super::problem::Problem;
use super::zone_body::ZoneBody;
use super::zones::not_there;
use super::{Api, etag};
use crate::manifest::{document, to_document};
use crate::zone::{
    ApiKeyRole, Effect, Extent, PartnerZone, Phase, Precondition, WriteRefusal, WriteRequest, Written,
    ZoneName, ZoneWrite,
};

/// How long an answer waits for the state to have what was written, so that whoever looks next finds it.
const READ_YOUR_WRITES: Duration = Duration::from_secs(5);

/// Letters of a reason.
const MAX_REASON: usize = 500;

/// What may stand behind the `?`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    dry_run: bool,
    reason: Option<String>,
}

impl Wanted {
    fn terms(self, on: Precondition) -> Result<Terms, Problem> {
        let extent = if self.dry_run { Extent::DryRun } else { Extent::Commit };
        Ok(Terms { on, extent, reason: self.reason()? })
    }

    fn reason(self) -> Result<Option<String>, Problem> {
        let Some(reason) = self.reason else { return Ok(None) };
        if reason.chars().count() > MAX_REASON || reason.chars().any(char::is_control) {
            let detail = format!("`reason` is one line of at most {MAX_REASON} letters");
            return Err(Problem::bad_request(detail));
        }
        Ok(Some(reason).filter(|reason| !reason.trim().is_empty()))
    }
}

/// How somebody wants a zone written.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) on: Precondition,
    pub(super) extent: Extent,
    pub(super) reason: Option<String>,
}

pub(super) async fn create(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Parameters(wanted): Parameters<Wanted>,
    ZoneBody(zone): ZoneBody,
) -> Result<Response, Problem> {
    let terms = wanted.terms(Precondition::Absent)?;
    // Whoever did not hear the answer may ask again: what is there already, just so, was created.
    let written = match api.put(&caller, &zone, terms.clone()).await? {
        Err(WriteRefusal::Exists) => {
            let again = Terms { on: Precondition::Version(document::version(&zone)), ..terms };
            api.put(&caller, &zone, again).await?.map_err(|_| WriteRefusal::Exists)
        }
        outcome => outcome,
    };
    let written = written.map_err(|refusal| problem(&caller, refusal))?;
    let mut response = api.written(&caller, &zone, written).await;
    let location = HeaderValue::from_str(&format!("/api/v1/zones/{}", zone.name));
    if let Some(location) = location.ok().filter(|_| response.status() == StatusCode::CREATED) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn replace(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
    Parameters(wanted): Parameters<Wanted>,
    headers: HeaderMap,
    ZoneBody(zone): ZoneBody,
) -> Result<Response, Problem> {
    if zone.name.as_str() != name {
        let detail = "`metadata.name` is not the name in the path; a renamed zone is a new zone";
        return Err(Problem::bad_request(detail));
    }
    let written = api.put(&caller, &zone, wanted.terms(precondition(&headers)?)?).await?;
    let written = written.map_err(|refusal| problem(&caller, refusal))?;
    Ok(api.written(&caller, &zone, written).await)
}

pub(super) async fn delete(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
    Parameters(wanted): Parameters<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let written = api.delete(&caller, &name, wanted.terms(precondition(&headers)?)?).await?;
    Ok((status(&written), Json(shown(&caller, &written))).into_response())
}

/// `If-Match` and `If-None-Match: *` (RFC 9110, section 13.1).
fn precondition(headers: &HeaderMap) -> Result<Precondition, Problem> {
    let header = |name: &HeaderName| -> Result<Option<&str>, Problem> {
        let bad = |_| Problem::bad_request(format!("the header `{name}` is not text"));
        headers.get(name).map(|value| value.to_str().map_err(bad)).transpose()
    };
    let tag = |text: &str| {
        let inner = text.strip_prefix('"')?.strip_suffix('"')?;
        (!inner.contains('"')).then(|| inner.to_owned())
    };
    match (header(&IF_MATCH)?.map(str::trim), header(&IF_NONE_MATCH)?.map(str::trim)) {
        (None, None) => Ok(Precondition::Any),
        (None, Some("*")) => Ok(Precondition::Absent),
        (Some("*"), None) => {
            Err(Problem::bad_request("`If-Match: *` is not taken; send the `ETag` that you have seen"))
        }
        (Some(seen), None) => {
            let seen = tag(seen);
            seen.map(Precondition::Version).ok_or_else(|| {
                Problem::bad_request("`If-Match` is one strong entity tag in quotes, as `ETag` has it")
            })
        }
        (_, Some(_)) => {
            Err(Problem::bad_request("wanted is `If-Match` with one entity tag, or `If-None-Match: *`"))
        }
    }
}

impl Api {
    /// Puts a zone. A problem: this caller may not.
    pub(super) async fn put(
        &self,
        caller: &Caller,
        zone: &PartnerZone,
        terms: Terms,
    ) -> Result<Result<Written, WriteRefusal>, Problem> {
        let on = self.may_put(caller, zone, terms.on.clone())?;
        let write = ZoneWrite::Put(Box::new(zone.clone()));
        Ok(self.write(caller, zone.name.clone(), write, Terms { on, ..terms }).await)
    }

    /// Deletes the zone of this name, if this caller may.
    pub(super) async fn delete(&self, caller: &Caller, name: &str, terms: Terms) -> Result<Written, Problem> {
        let zone = ZoneName::try_from(name).map_err(|_| not_there())?;
        let on = self.may_delete(caller, &zone, terms.on.clone())?;
        let written = self.write(caller, zone, ZoneWrite::Delete, Terms { on, ..terms }).await;
        written.map_err(|refusal| problem(caller, refusal))
    }

    /// The terms on which this caller may put a zone: both forms, the one there is and the one to be, have to be theirs.
    fn may_put(
        &self,
        caller: &Caller,
        zone: &PartnerZone,
        on: Precondition,
    ) -> Result<Precondition, Problem> {
        caller.to_write(zone)?;
        self.keeps_groups(caller, zone)?;
        self.on_what_was_seen(caller, &zone.name, on).map_err(|refused| {
            // Their own name for a zone tells them no more than that it is taken.
            refused.unwrap_or_else(|| problem(caller, WriteRefusal::Exists))
        })
    }

    /// A backing group has offsets of whatever topics, and no owner: only an admin gives one to a zone.
    fn keeps_groups(&self, caller: &Caller, zone: &PartnerZone) -> Result<(), Problem> {
        let state = self.state()?;
        let given = state.zones.get(&zone.name).map_or(&[][..], |record| &record.zone.consumer_groups);
        if *caller.role() == ApiKeyRole::Admin || zone.consumer_groups == given {
            return Ok(());
        }
        let detail = "only an administrator may change `spec.consumerGroups`";
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    }

    /// The terms on which this caller may delete a zone.
    fn may_delete(
        &self,
        caller: &Caller,
        zone: &ZoneName,
        on: Precondition,
    ) -> Result<Precondition, Problem> {
        self.on_what_was_seen(caller, zone, on).map_err(|refused| refused.unwrap_or_else(not_there))
    }

    /// Whoever may not write every zone writes over what is in force and they may write, and nothing else: what is in the source may be
    /// another form by now. An error without a problem: for them there is no such zone, and there is one.
    fn on_what_was_seen(
        &self,
        caller: &Caller,
        zone: &ZoneName,
        on: Precondition,
    ) -> Result<Precondition, Option<Problem>> {
        if *caller.role() == ApiKeyRole::Admin {
            return Ok(on);
        }
        let state = self.state().map_err(Some)?;
        let Some(record) = state.zones.get(zone) else {
            return Ok(if on == Precondition::Any { Precondition::Absent } else { on });
        };
        caller.sight(&record.zone).ok_or(None)?;
        caller.to_write(&record.zone).map_err(Some)?;
        let in_force = document::version(&record.zone);
        match on {
            Precondition::Version(seen) if seen != in_force => {
                Err(Some(problem(caller, WriteRefusal::Changed)))
            }
            Precondition::Absent => Err(Some(problem(caller, WriteRefusal::Exists))),
            Precondition::Any | Precondition::Version(_) => Ok(Precondition::Version(in_force)),
        }
    }

    /// Has the controller of this process write it, which tells the audit log: it goes on even if nobody waits here any more.
    async fn write(
        &self,
        caller: &Caller,
        zone: ZoneName,
        write: ZoneWrite,
        terms: Terms,
    ) -> Result<Written, WriteRefusal> {
        let (answer, outcome) = oneshot::channel();
        let Terms { on, extent, reason } = terms;
        let (author, by, node) = (caller.author(), caller.asker(), self.config.node.clone());
        let request = WriteRequest { zone, write, on, author, by, node, reason, extent };
        self.config.writes.try_send((request, answer)).map_err(|error| match error {
            TrySendError::Full(_) => {
                WriteRefusal::Unreachable("nothing was written: too many writes are waiting".to_owned())
            }
            TrySendError::Closed(_) => WriteRefusal::NotLeading,
        })?;
        outcome.await.unwrap_or(Err(WriteRefusal::NotLeading))
    }

    /// The answer to a write, once the state has it, or without: then it is PENDING.
    async fn written(&self, caller: &Caller, zone: &PartnerZone, written: Written) -> Response {
        let mut answer = shown(caller, &written);
        if let Value::Object(answer) = &mut answer {
            answer.insert("zone".to_owned(), self.as_written(caller, zone, &written).await);
        }
        let mut response = (status(&written), Json(answer)).into_response();
        let tag = written.version.map(|version| HeaderValue::from_str(&etag::quoted(&version)));
        if let Some(Ok(tag)) = tag {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }

    /// A zone with its status after a write.
    pub(super) async fn as_written(&self, caller: &Caller, zone: &PartnerZone, written: &Written) -> Value {
        if written.commit.as_ref().is_some_and(|commit| !commit.is_proposal) {
            let mut state = self.config.store.state();
            let is_there = state.wait_for(|state| {
                let record = state.as_ref().and_then(|state| state.zones.get(&zone.name));
                record.is_some_and(|record| *record.zone == *zone)
            });
            // What takes longer is PENDING, which says so.
            let _ = tokio::time::timeout(READ_YOUR_WRITES, is_there).await.map(|known| known.is_ok());
        }
        let state = self.config.store.state().borrow().clone();
        let seen = state.as_ref().and_then(|state| caller.find(state, zone.name.as_str()).ok());
        match (state.as_ref(), seen.filter(|(record, _)| *record.zone == *zone)) {
            (Some(state), Some(seen)) => {
                let controller = self.config.controller.borrow().clone();
                self.zone(&seen, state, &controller, None)
            }
            _ => pending(zone, written),
        }
    }
}

/// A zone that no node knows yet.
fn pending(zone: &PartnerZone, written: &Written) -> Value {
    let mut document = to_document(zone);
    if let (Value::Object(object), Some(commit)) = (&mut document, &written.commit) {
        let status = json!({ "phase": Phase::Pending.as_str(), "wanted": commit.revision.as_str() });
        object.insert("status".to_owned(), status);
    }
    document
}

fn status(written: &Written) -> StatusCode {
    match (&written.commit, written.effect) {
        (Some(commit), _) if commit.is_proposal => StatusCode::ACCEPTED,
        (Some(_), Effect::Created) => StatusCode::CREATED,
        _ => StatusCode::OK,
    }
}

fn shown(caller: &Caller, written: &Written) -> Value {
    // Other zones' lines may stand around what changes.
    let excerpt = written.excerpt.as_ref().filter(|_| !caller.sees_all());
    let commit = written.commit.as_ref().map(|commit| {
        json!({
            "revision": commit.revision.as_str(), "reference": commit.reference, "isProposal": commit.is_proposal,
        })
    });
    json!({
        "result": effect(written.effect),
        "file": written.file,
        "diff": excerpt.map_or(&written.diff, |excerpt| &excerpt.diff),
        "plan": plan(caller, &written.plan),
        "commit": commit,
    })
}

/// Findings are of all files, and so are the guards' words: they are for those who see all zones.
fn plan(caller: &Caller, plan: &str) -> Value {
    // It was a value when it was made.
    let plan: Value = serde_json::from_str(plan).unwrap_or_default();
    if caller.sees_all() { plan } else { json!({ "changes": plan.get("changes") }) }
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Created => "created",
        Effect::Updated => "updated",
        Effect::Unchanged => "unchanged",
        Effect::Deleted => "deleted",
    }
}
