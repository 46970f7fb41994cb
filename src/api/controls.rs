//! What operators ask of the controller: suspend, resume, roll back, accept a rewritten history. Each is a record of the state
//! and an event of the audit log, with who asked and why; the controller follows the state.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State as Shared};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::auth::Caller;
use super::body::Body;
use super::credentials::rfc3339;
use super::openapi::words;
use super::problem::Problem;
use super::{Api, audit};
use crate::store::Change;
use crate::zone::{Acceptance, Asked, Controls, Rollback, Scope, is_commit_id};

/// Characters of a reason at most.
const MAX_REASON: usize = 500;

/// Suspensions at a time. Whoever wants more wants `all`.
const MAX_SUSPENSIONS: usize = 1_000;

/// A rollback is for an incident; what is to stay belongs into the repository (`git revert`).
const LONGEST_ROLLBACK: Duration = Duration::days(30);

/// What is to be left as it is, or goes on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SuspensionWanted")]
pub(super) struct Suspend {
    /// `all`, `source` or `zone/` and a zone's name.
    #[schemars(with = "words::ScopeName")]
    scope: String,
    #[schemars(with = "words::Reason")]
    reason: String,
}

/// To which commit the zones go back, for a while.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "RollbackWanted")]
pub(super) struct RollBack {
    #[schemars(with = "words::CommitId")]
    commit: String,
    /// Within 30 days.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "words::Time")]
    until: OffsetDateTime,
    #[schemars(with = "words::Reason")]
    reason: String,
}

/// Why a rollback ends.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RollbackEnd")]
pub(super) struct End {
    #[schemars(with = "words::Reason")]
    reason: String,
}

/// Up to which commit a rewritten history is taken.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AcceptanceWanted")]
pub(super) struct Accept {
    #[schemars(with = "words::CommitId")]
    commit: String,
    #[schemars(with = "words::Reason")]
    reason: String,
}

pub(super) async fn suspend(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Body(wanted): Body<Suspend>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let asked = asked(&caller, &wanted.reason)?;
    let scope = scope(&wanted.scope)?;
    let state = api.state()?;
    if let Scope::Zone(zone) = &scope
        && !state.zones.contains_key(zone)
    {
        return Err(Problem::not_found("there is no zone of this name"));
    }
    if state.controls.suspended.len() >= MAX_SUSPENSIONS {
        return Err(Problem::conflict(format!("there are {MAX_SUSPENSIONS} suspensions already")));
    }
    let shown = suspension(&scope, &asked);
    done(&api, &caller, "suspended", &scope.key(), shown.clone(), Change::Suspend(scope, asked)).await?;
    Ok((StatusCode::CREATED, Json(shown)))
}

pub(super) async fn resume(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Body(wanted): Body<Suspend>,
) -> Result<StatusCode, Problem> {
    let asked = asked(&caller, &wanted.reason)?;
    let scope = scope(&wanted.scope)?;
    if !api.state()?.controls.suspended.contains_key(&scope) {
        return Err(Problem::conflict(format!("{scope} is not suspended")));
    }
    let shown = suspension(&scope, &asked);
    done(&api, &caller, "resumed", &scope.key(), shown, Change::Resume(scope)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn roll_back(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Body(wanted): Body<RollBack>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let asked = asked(&caller, &wanted.reason)?;
    let commit = commit(wanted.commit)?;
    if wanted.until <= asked.at || wanted.until > asked.at + LONGEST_ROLLBACK {
        return Err(Problem::bad_request("a rollback ends in the future, and within 30 days"));
    }
    let rollback = Rollback { commit, until: wanted.until, asked };
    let shown = shown_rollback(&rollback);
    done(&api, &caller, "rolled-back", "source", shown.clone(), Change::Rollback(rollback)).await?;
    Ok((StatusCode::CREATED, Json(shown)))
}

pub(super) async fn end_rollback(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Body(wanted): Body<End>,
) -> Result<StatusCode, Problem> {
    let asked = asked(&caller, &wanted.reason)?;
    if api.state()?.controls.rollback.is_none() {
        return Err(Problem::conflict("nothing is rolled back"));
    }
    let shown = json!({ "reason": asked.reason });
    done(&api, &caller, "rollback-ended", "source", shown, Change::EndRollback).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn accept(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Body(wanted): Body<Accept>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let acceptance = Acceptance { asked: asked(&caller, &wanted.reason)?, commit: commit(wanted.commit)? };
    let shown = shown_acceptance(&acceptance);
    done(&api, &caller, "history-accepted", "source", shown.clone(), Change::Accept(acceptance)).await?;
    Ok((StatusCode::CREATED, Json(shown)))
}

async fn done(
    api: &Api,
    caller: &Caller,
    kind: &str,
    subject: &str,
    data: Value,
    change: Change,
) -> Result<(), Problem> {
    let kind = format!("controller.{kind}");
    let event = audit::change(api, caller, &kind, &format!("controller/{subject}"), data);
    api.config.store.commit(vec![change, event]).await?;
    tracing::warn!(kind, subject, by = %caller.asker(), "an operator has spoken to the controller");
    Ok(())
}

pub(super) fn asked(caller: &Caller, reason: &str) -> Result<Asked, Problem> {
    let reason = reason.trim();
    let is_readable = !reason.is_empty() && !reason.chars().any(char::is_control);
    if !is_readable || reason.chars().count() > MAX_REASON {
        let wanted =
            format!("`reason` must be one line of 1 to {MAX_REASON} characters: others will ask why");
        return Err(Problem::bad_request(wanted));
    }
    Ok(Asked { by: caller.asker().to_string(), at: OffsetDateTime::now_utc(), reason: reason.to_owned() })
}

fn scope(text: &str) -> Result<Scope, Problem> {
    Scope::parse(text)
        .ok_or_else(|| Problem::bad_request("`scope` must be `all`, `source` or `zone/` and a zone's name"))
}

fn commit(text: String) -> Result<String, Problem> {
    if is_commit_id(&text) {
        Ok(text)
    } else {
        Err(Problem::bad_request("`commit` must be a commit's full id, 40 hex digits in small letters"))
    }
}

/// All that was asked for and still holds.
pub(super) fn shown(controls: &Controls, now: OffsetDateTime) -> Value {
    json!({
        "suspended": controls.suspended.iter().map(|(scope, asked)| suspension(scope, asked)).collect::<Vec<_>>(),
        "rollback": controls.rollback_at(now).map(shown_rollback),
        "accepted": controls.accepted.as_ref().map(shown_acceptance),
    })
}

fn suspension(scope: &Scope, asked: &Asked) -> Value {
    json!({ "scope": scope.key(), "by": asked.by, "at": rfc3339(asked.at), "reason": asked.reason })
}

fn shown_rollback(rollback: &Rollback) -> Value {
    let Rollback { commit, until, asked } = rollback;
    json!({
        "commit": commit, "until": rfc3339(*until), "by": asked.by, "at": rfc3339(asked.at), "reason": asked.reason,
    })
}

fn shown_acceptance(acceptance: &Acceptance) -> Value {
    let Acceptance { commit, asked } = acceptance;
    json!({ "commit": commit, "by": asked.by, "at": rfc3339(asked.at), "reason": asked.reason })
}
