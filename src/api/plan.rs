//! The plan that the controller made last: what a run would do, or has done just now.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use serde_json::{Value, json};

use super::credentials::rfc3339;
use super::problem::Problem;
use super::{Api, controller};
use crate::store::Leadership;

/// With the run that was made by it, which says what came of it: what is `Applied` is done, and what is held, refused or failed is
/// what the next run would do.
pub(super) async fn show(Shared(api): Shared<Arc<Api>>) -> Result<Json<Value>, Problem> {
    let status = api.config.controller.borrow().clone();
    let is_leading = *api.config.store.leadership().borrow() == Leadership::Leading;
    let planned = status.planned.as_ref();
    let run = status.runs.iter().find(|run| run.plan.is_some() && run.plan == status.plan);
    let plan = planned.map(|planned| serde_json::from_str::<Value>(&planned.json)).transpose();
    Ok(Json(json!({
        "node": api.config.node,
        "leading": is_leading,
        "at": planned.map(|planned| rfc3339(planned.at)),
        "isWhole": planned.map(|planned| planned.is_whole),
        "run": run.map(controller::run),
        "plan": plan.map_err(|_| Problem::internal())?,
    })))
}
