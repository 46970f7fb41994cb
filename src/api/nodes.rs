//! The gateway nodes that live, and who leads.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::Api;
use super::problem::Problem;
use crate::store::{Heartbeat, State};
use crate::zone::Revision;

/// What a node says of itself, and what that comes to.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Node<'a> {
    #[serde(flatten)]
    heartbeat: &'a Heartbeat,
    /// It serves the last commit.
    is_current: bool,
    /// The source revision that it serves; null where it is behind: which one it is then is not known.
    revision: Option<&'a str>,
    load: Load,
}

/// Sums over all zones.
#[derive(Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Load {
    connections: u64,
    /// Clients that are connected, by network and client id.
    clients: u64,
    /// Zones that have clients.
    zones: usize,
    /// Zones that are held back by one of their limits.
    held_zones: usize,
    /// Zones that it cannot serve as wanted.
    problems: usize,
}

impl Load {
    fn of(heartbeat: &Heartbeat) -> Self {
        let held = heartbeat.traffic.values().filter(|limits| limits.values().any(|demand| demand.held));
        Self {
            connections: heartbeat.connections,
            clients: heartbeat.usage.values().map(|usage| usage.clients).sum(),
            zones: heartbeat.usage.len(),
            held_zones: held.count(),
            problems: heartbeat.problems.len(),
        }
    }
}

pub(super) async fn list(Shared(api): Shared<Arc<Api>>) -> Result<Json<Value>, Problem> {
    let state = api.state()?;
    let nodes = api.config.store.nodes().borrow().clone();
    let items: Vec<_> = nodes.values().map(|heartbeat| node(heartbeat, &state)).collect();
    Ok(Json(json!({ "items": items, "leader": state.leader, "sequence": state.sequence.0 })))
}

fn node<'a>(heartbeat: &'a Heartbeat, state: &'a State) -> Node<'a> {
    let is_current = heartbeat.serving >= state.sequence.0;
    let revision = state.revision.as_ref().filter(|_| is_current).map(Revision::as_str);
    Node { heartbeat, is_current, revision, load: Load::of(heartbeat) }
}
