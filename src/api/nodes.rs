//! The gateway nodes that live, and who leads.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Api;

pub(super) async fn list(State(api): State<Arc<Api>>) -> Json<Value> {
    let nodes = api.config.store.nodes().borrow().clone();
    let leader = api.config.store.state().borrow().as_ref().and_then(|state| state.leader.clone());
    let items: Vec<_> = nodes.values().collect();
    Json(json!({ "items": items, "leader": leader }))
}
