//! How the controller stands: the one of this process. A node that does not lead passes the question on to the leader.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::problem::Problem;
use super::{Api, controls, zones};
use crate::store::Leadership;
use crate::zone::Revision;

pub(super) async fn show(Shared(api): Shared<Arc<Api>>) -> Result<Json<Value>, Problem> {
    let state = api.state()?;
    let is_leading = *api.config.store.leadership().borrow() == Leadership::Leading;
    Ok(Json(json!({
        "node": api.config.node,
        "leading": is_leading,
        "revision": state.revision.as_ref().map(Revision::as_str),
        "controls": controls::shown(&state.controls, OffsetDateTime::now_utc()),
        "source": zones::source(&api.config.controller.borrow()),
    })))
}
