//! The whole state, for whoever keeps a copy of it. A node that has lost the store tells what it read last.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State as Shared};
use axum::http::HeaderName;
use axum::http::header::CACHE_CONTROL;
use serde_json::json;
use time::OffsetDateTime;

use super::auth::Caller;
use super::problem::Problem;
use super::{Api, audit};
use crate::store::backup::Backup;

type Kept = ([(HeaderName, &'static str); 1], Json<Backup>);

pub(super) async fn export(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Kept, Problem> {
    let state = api.state()?;
    let data = json!({ "sequence": state.sequence.0 });
    audit::write(&api, &caller, "state.exported", "state", data).await;
    let home = api.config.planning.home_cluster_id.clone();
    let writing = tokio::task::spawn_blocking(move || Backup::of(&state, &home, OffsetDateTime::now_utc()));
    let backup = writing.await.map_err(|_| Problem::internal())?.map_err(|error| {
        tracing::error!(%error, "the state cannot be written as a backup");
        Problem::internal()
    })?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(backup)))
}
