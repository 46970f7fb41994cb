//! The admin API: health, metrics, zones with their status, credentials, nodes and API keys.
//!
//! | path | |
//! |---|---|
//! | `GET /healthz`, `/readyz`, `/metrics` | for the machines that watch this one |
//! | `GET /api/v1/zones` | filtered (`?status=&label=&search=&cluster=&topic=`), in an order (`?sort=`), in parts (`?limit=&pageToken=`) |
//! | `GET /api/v1/zones/{name}` | a zone in its written form, with its status; its `ETag` is that of the form |
//! | `POST /api/v1/zones`, `PUT`, `DELETE /api/v1/zones/{name}` | a commit to the source; `?dryRun=true`, `?reason=`, `If-Match` |
//! | `GET /api/v1/zones/{name}/usage`, `GET /api/v1/usage` | what partners used in `?month=`; as CSV too |
//! | `GET /api/v1/zones/{name}/traffic` | bytes by quarters of an hour, of the last day |
//! | `GET /api/v1/credentials`, `GET /api/v1/zones/{name}/credentials` | |
//! | `POST /api/v1/zones/{name}/credentials`, `DELETE /api/v1/credentials/{keyId}` | |
//! | `POST /api/v1/credentials/{keyId}/rotate` | `{"overlap": "24h"}` |
//! | `GET /api/v1/topics` | of a backing cluster (`?cluster=&search=&limit=&pageToken=`), and with whom each is shared |
//! | `GET /api/v1/audit` | the audit log, the newest first (`?zone=&type=&limit=&pageToken=`) |
//! | `GET /api/v1/plan` | the plan that the leading controller made last |
//! | `GET /api/v1/events` | server-sent events: something has changed, ask again |
//! | `GET /api/v1/nodes`, `/api/v1/state` | the live gateways; all that `plan` compares with |
//! | `GET /api/v1/state/backup` | everything that the state holds, as this node has read it |
//! | `GET /api/v1/controller` | how the leading controller stands, and what was asked of it |
//! | `POST /api/v1/controller/suspend`, `/resume`, `/accept`, `/apply`, `POST`, `DELETE /api/v1/controller/rollback` | |
//! | `GET`, `POST /api/v1/api-keys`, `DELETE /api/v1/api-keys/{id}` | |
//! | `POST /api/v1/sign-in`, `GET /api/v1/session` | begins a session with an API key; says who asks |
//! | `GET /api/v1/sign-in`, `POST /api/v1/sign-in/oidc`, `/api/v1/sign-in/oidc/callback` | people sign in where they have an account: [`openid`] |
//! | `POST /api/v1/source/hint` | signed by a forge: the source has changed |
//! | `GET /api/v1/openapi.json` | all of this for programs ([`openapi`]); needs no key |
//! | `/public/…`, `/login` | as Conduktor Console has them: [`console`] |
//!
//! Each path under `/api/v1` is in [`routes`], where it says what it needs; [`access`] says which role has that.
//!
//! Every request passes the same layers: time limit, count, authentication, quota, role, and for a write on a node that does not
//! lead, the leader. Errors are `application/problem+json` (RFC 9457) and never hold what an inner error said.

mod access;
mod api_keys;
mod audit;
mod audit_log;
mod auth;
mod backup;
mod body;
mod bootstrap;
mod console;
mod controller;
mod controls;
mod credentials;
mod distribution;
mod etag;
mod events;
mod forward;
mod health;
mod hint;
mod idempotency;
mod key;
mod listener;
mod metrics;
mod nodes;
pub mod openapi;
mod openid;
mod plan;
mod problem;
mod query;
mod quota;
mod routes;
mod sealed;
mod session;
pub mod state;
mod throttle;
mod topics;
mod traffic;
mod transitions;
mod usage;
mod view;
mod writes;
mod zone_body;
mod zones;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

pub use bootstrap::create_first_key;
pub use hint::Hints;
pub use listener::serve;
pub use openid::{Freshness, OpenIdConfig};
pub use sealed::SessionKey;
pub use topics::{ClusterTopics, NoTopics, Topics, TopicsFuture};

use self::forward::Forwarder;
use self::metrics::Metrics;
use self::openid::OpenId;
use self::problem::Problem;
use self::quota::Quotas;
use self::throttle::Throttle;
use self::traffic::Traffic;
use self::transitions::Transitions;
use crate::policy::token;
use crate::store::Store;
use crate::zone::status::ControllerStatus;
use crate::zone::{ApplyRequest, ClusterName, IssuerName, WriteRefusal, WriteRequest, Written};

/// Largest body of a request.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// How long a request may take, the way to the leader included.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A write, and where its outcome goes.
pub type Ask = (WriteRequest, oneshot::Sender<Result<Written, WriteRefusal>>);

/// What the API speaks for.
#[derive(Debug)]
pub struct ApiConfig {
    pub store: Arc<dyn Store>,
    /// This node's id.
    pub node: String,
    /// The cluster of a zone that names none.
    pub default_cluster: ClusterName,
    /// The clusters on which zones have principals of their own that are made here.
    pub principals: BTreeSet<ClusterName>,
    /// Those on which their logins are from files.
    pub login_files: BTreeSet<ClusterName>,
    /// Whose tokens open zones, in the order of the configuration: the first is that of zones that name none.
    pub issuers: Vec<(IssuerName, token::Rules)>,
    /// What a plan that is made elsewhere has to know of this installation.
    pub planning: state::Planning,
    /// What the controller of this process says; a value that never changes where there is none.
    pub controller: watch::Receiver<Arc<ControllerStatus>>,
    /// Asks the controller of this process for a run; closed where there is none.
    pub apply: mpsc::Sender<ApplyRequest>,
    /// Asks it to write to the source; closed where there is none.
    pub writes: mpsc::Sender<Ask>,
    /// Whether the gateway of this process serves partners; false for ever where there is none.
    pub serves: watch::Receiver<bool>,
    /// Whether this process is about to end.
    pub leaving: watch::Receiver<bool>,
    /// Who asks the backing clusters for their topics; `None` where there is no controller.
    pub topics: Option<Arc<dyn Topics>>,
    /// Where a forge may say that the source changed; `None` where it may not.
    pub hints: Option<Hints>,
    /// What sessions of browsers are sealed with.
    pub session_key: SessionKey,
    /// Where people sign in, beside API keys; `None` where they cannot.
    pub sign_in: Option<OpenIdConfig>,
}

/// Shared by all requests.
#[derive(Debug)]
struct Api {
    config: ApiConfig,
    openid: Option<OpenId>,
    throttle: Throttle,
    quotas: Quotas,
    /// Held by requests for a credential that may be sent twice.
    issuing: tokio::sync::Mutex<()>,
    /// Held from the look at the keys until one of them is gone: two admins who delete each other's key at one moment would leave none.
    deleting_keys: tokio::sync::Mutex<()>,
    transitions: Transitions,
    traffic: Traffic,
    forwarder: Forwarder,
    /// One for each more caller that may listen to events.
    streams: Arc<Semaphore>,
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

impl Admin {
    /// With more that the same listener answers, made of a router that is asked as any caller would.
    #[must_use]
    pub fn with(self, pages: impl FnOnce(Router) -> Router) -> Self {
        let pages = pages(self.router.clone());
        Self { router: self.router.merge(pages), ..self }
    }
}

/// All routes. `registry` is what `/metrics` shows.
pub fn router(config: ApiConfig, metrics: ApiMetrics, registry: Arc<Registry>) -> reqwest::Result<Admin> {
    let forwarder = Forwarder::new(config.node.clone())?;
    let openid = config.sign_in.clone().map(OpenId::new);
    let api = Arc::new(Api {
        config,
        openid,
        throttle: Throttle::default(),
        quotas: Quotas::default(),
        issuing: tokio::sync::Mutex::default(),
        deleting_keys: tokio::sync::Mutex::default(),
        transitions: Transitions::default(),
        traffic: Traffic::default(),
        forwarder,
        streams: Arc::new(Semaphore::new(events::MAX_STREAMS)),
        metrics: metrics.0,
        registry,
    });
    let admit = || middleware::from_fn_with_state(Arc::clone(&api), auth::admit);
    let with_key = routes::all().into_iter().map(|described| described.route).collect();
    let ours = routes::router(&api, with_key)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(admit());
    let ours = routes::with_open(ours);
    let console = console::with_log_in(routes::router(&api, console::routes()).layer(admit()));
    let router = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .nest("/api/v1", ours)
        .nest("/api", console.clone())
        .merge(console)
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
