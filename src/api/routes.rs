//! Every path under `/api/v1`, with what it needs of whoever calls it: there is no other way to add one, so none is without.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{self, MethodRouter};

use super::access::Needs::{Admin, Backing, Renewal, Service, Share, Sight};
use super::access::{self, Needs};
use super::zone_body::MAX_ZONE_BYTES;
use super::{
    Api, api_keys, audit_log, backup, controller, controls, credentials, events, forward, nodes, plan,
    session, state, topics, traffic, usage, writes, zones,
};

/// A method of a path.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) needs: Needs,
    handler: MethodRouter<Arc<Api>>,
    /// Which only the leader can answer well, though it reads.
    asks_the_leader: bool,
}

/// The table.
pub(super) fn all() -> Vec<Route> {
    vec![
        get("/session", Sight, session::show),
        get("/zones", Sight, zones::list),
        get("/zones/{name}", Sight, zones::one),
        post("/zones", Share, writes::create).takes_a_file(),
        put("/zones/{name}", Share, writes::replace).takes_a_file(),
        delete("/zones/{name}", Share, writes::delete),
        get("/zones/{name}/usage", Sight, usage::of_zone),
        get("/zones/{name}/traffic", Sight, traffic::of_zone),
        get("/usage", Sight, usage::all),
        get("/zones/{name}/credentials", Sight, credentials::of_zone),
        post("/zones/{name}/credentials", Share, credentials::issue),
        get("/credentials", Sight, credentials::all),
        delete("/credentials/{key_id}", Renewal, credentials::revoke),
        post("/credentials/{key_id}/rotate", Renewal, credentials::rotate),
        get("/topics", Backing, topics::list).asked_of_the_leader(),
        get("/audit", Service, audit_log::list),
        get("/plan", Service, plan::show).asked_of_the_leader(),
        get("/events", Service, events::stream),
        get("/nodes", Service, nodes::list),
        get("/state", Service, state::show),
        get("/state/backup", Admin, backup::export),
        get("/controller", Service, controller::show).asked_of_the_leader(),
        post("/controller/suspend", Admin, controls::suspend),
        post("/controller/resume", Admin, controls::resume),
        post("/controller/rollback", Admin, controls::roll_back),
        delete("/controller/rollback", Admin, controls::end_rollback),
        post("/controller/accept", Admin, controls::accept),
        post("/controller/apply", Admin, controller::apply),
        get("/api-keys", Service, api_keys::list),
        post("/api-keys", Admin, api_keys::create),
        delete("/api-keys/{id}", Admin, api_keys::delete),
    ]
}

/// Routes as a router: first the role, then for a write on a node that does not lead, the leader.
pub(super) fn router(api: &Arc<Api>, routes: Vec<Route>) -> Router<Arc<Api>> {
    routes.into_iter().fold(Router::new(), |router, route| {
        let path = route.path;
        router.route(path, route.guarded(api))
    })
}

pub(super) fn get<H: Handler<T, Arc<Api>>, T: 'static>(
    path: &'static str,
    needs: Needs,
    handler: H,
) -> Route {
    Route::new(Method::GET, path, needs, routing::get(handler))
}

pub(super) fn post<H: Handler<T, Arc<Api>>, T: 'static>(
    path: &'static str,
    needs: Needs,
    handler: H,
) -> Route {
    Route::new(Method::POST, path, needs, routing::post(handler))
}

pub(super) fn put<H: Handler<T, Arc<Api>>, T: 'static>(
    path: &'static str,
    needs: Needs,
    handler: H,
) -> Route {
    Route::new(Method::PUT, path, needs, routing::put(handler))
}

pub(super) fn delete<H: Handler<T, Arc<Api>>, T: 'static>(
    path: &'static str,
    needs: Needs,
    handler: H,
) -> Route {
    Route::new(Method::DELETE, path, needs, routing::delete(handler))
}

impl Route {
    fn new(method: Method, path: &'static str, needs: Needs, handler: MethodRouter<Arc<Api>>) -> Self {
        Self { method, path, needs, handler, asks_the_leader: false }
    }

    fn asked_of_the_leader(self) -> Self {
        Self { asks_the_leader: true, ..self }
    }

    /// Its body is a zone, which may be as large as its file.
    pub(super) fn takes_a_file(self) -> Self {
        let handler = self.handler.layer(DefaultBodyLimit::max(MAX_ZONE_BYTES));
        Self { handler, ..self }
    }

    fn guarded(self, api: &Arc<Api>) -> MethodRouter<Arc<Api>> {
        let api = Arc::clone(api);
        let handler: MethodRouter<Arc<Api>, Infallible> = match (self.method, self.asks_the_leader) {
            (Method::GET, false) => self.handler,
            (Method::GET, true) => {
                self.handler.layer(from_fn_with_state(api, forward::questions_to_the_leader))
            }
            _ => self.handler.layer(from_fn_with_state(api, forward::writes_to_the_leader)),
        };
        handler.layer(from_fn_with_state(self.needs, access::check))
    }
}
