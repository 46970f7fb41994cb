//! How the controller stands: the one of this process. A node that does not lead passes the question on to the leader.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State as Shared};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::mpsc::error::TrySendError;

use super::auth::Caller;
use super::body::Body;
use super::credentials::rfc3339;
use super::openapi::words;
use super::problem::Problem;
use super::{Api, audit, controls, zones};
use crate::store::Leadership;
use crate::zone::{ApplyRequest, Held, Revision, Run, ZoneName};

pub(super) async fn show(Shared(api): Shared<Arc<Api>>) -> Result<Json<Value>, Problem> {
    let state = api.state()?;
    let status = api.config.controller.borrow().clone();
    let is_leading = *api.config.store.leadership().borrow() == Leadership::Leading;
    Ok(Json(json!({
        "node": api.config.node,
        "leading": is_leading,
        "revision": state.revision.as_ref().map(Revision::as_str),
        "controls": controls::shown(&state.controls, OffsetDateTime::now_utc()),
        "source": zones::source(&status),
        "runs": status.runs.iter().map(run).collect::<Vec<_>>(),
    })))
}

pub(super) fn run(run: &Run) -> Value {
    let [created, updated, deleted] = run.applied;
    let why = |zones: &BTreeMap<ZoneName, String>| -> Value {
        zones.iter().map(|(zone, why)| json!({ "zone": zone.as_str(), "message": why })).collect()
    };
    json!({
        "request": run.request,
        "outcome": run.outcome.as_str(),
        "message": run.message,
        "revision": run.revision.as_ref().map(Revision::as_str),
        "plan": run.plan,
        "sequence": run.sequence.map(|sequence| sequence.0),
        "applied": { "created": created, "updated": updated, "deleted": deleted },
        "refused": run.refused,
        "problems": run.problems,
        "noticed": run.noticed,
        "held": run.held.iter().map(held).collect::<Vec<_>>(),
        "failed": why(&run.failed),
        "firstAt": rfc3339(run.first_at),
        "lastAt": rfc3339(run.last_at),
        "tookMs": u64::try_from(run.took.as_millis()).unwrap_or(u64::MAX),
        "count": run.count,
    })
}

fn held((zone, held): (&ZoneName, &Held)) -> Value {
    json!({ "zone": zone.as_str(), "reason": held.reason, "message": held.message })
}

/// What is asked of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "RunWanted", extend("dependentRequired" = {
    "allowDeletes": ["expectPlan", "reason"],
    "allowUpdates": ["expectPlan", "reason"],
}))]
pub(super) struct Apply {
    /// Apply nothing but the plan with this digest.
    expect_plan: Option<String>,
    /// Let that plan delete this many zones although a guard would refuse it.
    allow_deletes: Option<usize>,
    /// Let that plan update this many zones although a guard would refuse it.
    allow_updates: Option<usize>,
    #[schemars(with = "Option<words::Reason>")]
    reason: Option<String>,
    /// The one zone that is brought to what it should be.
    #[schemars(with = "Option<words::ZoneName>")]
    only: Option<String>,
}

/// Queues a run. Its entry among the runs carries the id that is answered here.
pub(super) async fn apply(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Body(wanted): Body<Apply>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let lifts = wanted.allow_deletes.is_some() || wanted.allow_updates.is_some();
    if lifts && (wanted.expect_plan.is_none() || wanted.reason.is_none()) {
        let detail = "what lifts a guard names the plan it is for (`expectPlan`) and a `reason`";
        return Err(Problem::bad_request(detail));
    }
    let reason = wanted.reason.as_deref().map(|reason| controls::asked(&caller, reason)).transpose()?;
    let only = wanted.only.as_deref().map(ZoneName::try_from).transpose();
    let request = ApplyRequest {
        id: uuid::Uuid::new_v4().to_string(),
        by: caller.asker(),
        expect_plan: wanted.expect_plan,
        allow_deletes: wanted.allow_deletes,
        allow_updates: wanted.allow_updates,
        reason: reason.map(|asked| asked.reason).unwrap_or_default(),
        only: only.map_err(|_| Problem::bad_request("`only` is no zone name"))?,
    };
    let answer = json!({ "node": api.config.node, "request": request.id });
    let asked = json!({
        "request": request.id, "expectPlan": request.expect_plan, "allowDeletes": request.allow_deletes,
        "allowUpdates": request.allow_updates, "reason": request.reason, "only": wanted.only,
    });
    api.config.apply.try_send(request).map_err(|error| match error {
        TrySendError::Full(_) => Problem::unavailable("too many runs are waiting; try again in a moment"),
        TrySendError::Closed(_) => Problem::unavailable("this node has no controller"),
    })?;
    audit::write(&api, &caller, "controller.apply-asked", "controller/source", asked).await;
    Ok((StatusCode::ACCEPTED, Json(answer)))
}
