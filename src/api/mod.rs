//! The admin API: health, metrics, zones with their status, credentials, nodes and API keys.
//!
//! | path | role | |
//! |---|---|---|
//! | `GET /healthz`, `/readyz`, `/metrics` | none | for the machines that watch this one |
//! | `GET /api/v1/zones[/{name}]` | viewer | a zone in its written form, with its status |
//! | `GET /api/v1/credentials`, `GET /api/v1/zones/{name}/credentials` | viewer | |
//! | `POST /api/v1/zones/{name}/credentials`, `DELETE /api/v1/credentials/{keyId}` | admin | |
//! | `POST /api/v1/credentials/{keyId}/rotate` | admin | `{"overlap": "24h"}` |
//! | `GET /api/v1/nodes`, `/api/v1/state` | viewer | the live gateways; all that `plan` compares with |
//! | `GET /api/v1/state/backup` | admin | everything that the state holds, as this node has read it |
//! | `GET /api/v1/controller` | viewer | how the leading controller stands, and what was asked of it |
//! | `POST /api/v1/controller/suspend`, `/resume`, `/accept`, `/apply`, `POST`, `DELETE /api/v1/controller/rollback` | admin | |
//! | `GET /api/v1/api-keys` | viewer | |
//! | `POST /api/v1/source/hint` | none | signed by a forge: the source has changed |
//! | `POST /api/v1/api-keys`, `DELETE /api/v1/api-keys/{id}` | admin | |
//!
//! Every request passes the same layers: time limit, count, authentication, role, and for a write on a node that does not
//! lead, the leader. Errors are `application/problem+json` (RFC 9457) and never hold what an inner error said.

mod api_keys;
mod audit;
mod auth;
mod backup;
mod body;
mod bootstrap;
mod controller;
mod controls;
mod credentials;
mod forward;
mod health;
mod hint;
mod key;
mod listener;
mod metrics;
mod nodes;
mod problem;
pub mod state;
mod throttle;
mod transitions;
mod zones;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, watch};

pub use bootstrap::create_first_key;
pub use hint::Hints;
pub use listener::serve;

use self::forward::Forwarder;
use self::metrics::Metrics;
use self::problem::Problem;
use self::throttle::Throttle;
use self::transitions::Transitions;
use crate::store::Store;
use crate::zone::status::ControllerStatus;
use crate::zone::{ApplyRequest, ClusterName};

/// Largest body of a request.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// How long a request may take, the way to the leader included.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What the API speaks for.
#[derive(Debug)]
pub struct ApiConfig {
    pub store: Arc<dyn Store>,
    /// This node's id.
    pub node: String,
    /// The cluster of a zone that names none.
    pub default_cluster: ClusterName,
    /// The clusters on which zones have principals of their own.
    pub principals: BTreeSet<ClusterName>,
    /// What a plan that is made elsewhere has to know of this installation.
    pub planning: state::Planning,
    /// What the controller of this process says; a value that never changes where there is none.
    pub controller: watch::Receiver<Arc<ControllerStatus>>,
    /// Asks the controller of this process for a run; closed where there is none.
    pub apply: mpsc::Sender<ApplyRequest>,
    /// Whether the gateway of this process serves partners; false for ever where there is none.
    pub serves: watch::Receiver<bool>,
    /// Whether this process is about to end.
    pub leaving: watch::Receiver<bool>,
    /// Where a forge may say that the source changed; `None` where it may not.
    pub hints: Option<Hints>,
}

/// Shared by all requests.
#[derive(Debug)]
struct Api {
    config: ApiConfig,
    throttle: Throttle,
    transitions: Transitions,
    forwarder: Forwarder,
    metrics: Metrics,
    registry: Arc<Registry>,
}

/// The parts of the API that are built before the registry is complete.
#[derive(Debug)]
pub struct ApiMetrics(Metrics);

impl ApiMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        Self(Metrics::register(registry))
    }
}

/// The API, for [`serve`].
#[derive(Debug)]
pub struct Admin {
    router: Router,
    api: Arc<Api>,
}

/// All routes. `registry` is what `/metrics` shows.
pub fn router(config: ApiConfig, metrics: ApiMetrics, registry: Arc<Registry>) -> reqwest::Result<Admin> {
    let forwarder = Forwarder::new(config.node.clone())?;
    let api = Arc::new(Api {
        config,
        throttle: Throttle::default(),
        transitions: Transitions::default(),
        forwarder,
        metrics: metrics.0,
        registry,
    });
    let to_leader = middleware::from_fn_with_state(Arc::clone(&api), forward::questions_to_the_leader);
    let protected = Router::new()
        .route("/zones", get(zones::list))
        .route("/zones/{name}", get(zones::one))
        .route("/zones/{name}/credentials", get(credentials::of_zone).post(credentials::issue))
        .route("/credentials", get(credentials::all))
        .route("/credentials/{key_id}", delete(credentials::revoke))
        .route("/credentials/{key_id}/rotate", post(credentials::rotate))
        .route("/nodes", get(nodes::list))
        .route("/state", get(state::show))
        .route("/state/backup", get(backup::export))
        .route("/controller", get(controller::show).layer(to_leader))
        .route("/controller/suspend", post(controls::suspend))
        .route("/controller/resume", post(controls::resume))
        .route("/controller/rollback", post(controls::roll_back).delete(controls::end_rollback))
        .route("/controller/accept", post(controls::accept))
        .route("/controller/apply", post(controller::apply))
        .route("/api-keys", get(api_keys::list).post(api_keys::create))
        .route("/api-keys/{id}", delete(api_keys::delete))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&api), forward::writes_to_the_leader))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), auth::admit));
    let router = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/api/v1/source/hint", post(hint::take))
        .nest("/api/v1", protected)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), metrics::count))
        .layer(middleware::from_fn(limit_time))
        .with_state(Arc::clone(&api));
    Ok(Admin { router, api })
}

async fn no_such_path() -> Problem {
    Problem::not_found("there is nothing at this path")
}

async fn no_such_method() -> Problem {
    Problem::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, "this path does not take that method")
}

async fn limit_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::unavailable("the request took too long; look whether it was done before trying again")
                .into_response()
        }
    }
}

#[cfg(test)]
mod tests;
