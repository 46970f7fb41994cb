//! For the machines that watch this one.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;

use super::Api;
use super::problem::Problem;
use crate::store::{Health, Leadership};

/// The media type of what `prometheus_client` writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The process runs and answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// This node serves partners or leads, and goes on doing so. A controller that stands by is not ready: a load balancer sends its
/// callers to one that does something.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Result<&'static str, Problem> {
    let has_state = api.config.store.state().borrow().is_some();
    let serves = *api.config.serves.borrow();
    let leads = *api.config.store.leadership().borrow() == Leadership::Leading;
    if *api.config.leaving.borrow() {
        Err(Problem::unavailable("this node is about to stop"))
    } else if has_state && (serves || leads) {
        Ok("ready\n")
    } else if has_state {
        Err(Problem::unavailable("this node neither serves partners nor leads"))
    } else {
        Err(Problem::unavailable("this node has not read its state yet"))
    }
}

pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let is_stale = matches!(*api.config.store.health().borrow(), Health::Stale { .. });
    api.metrics.stale.set(is_stale.into());
    let mut text = String::new();
    encode(&mut text, &api.registry).map_err(|error| {
        tracing::error!(%error, "the metrics cannot be written");
        Problem::internal()
    })?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}
