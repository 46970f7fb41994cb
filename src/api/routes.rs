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
use super::openapi::{self, Operation};
use super::zone_body::MAX_ZONE_BYTES;
use super::{
    Api, api_keys, audit_log, backup, controller, controls, credentials, events, forward, hint, nodes,
    openid, plan, session, state, topics, traffic, usage, writes, zones,
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

/// A route, and what is said of it outside.
pub(super) struct Described {
    pub(super) route: Route,
    pub(super) operation: fn() -> Operation,
}

/// A method of a path that needs no key.
pub(super) struct Open {
    pub(super) method: Method,
    pub(super) path: &'static str,
    handler: MethodRouter<Arc<Api>>,
    pub(super) operation: fn() -> Operation,
}

/// The table.
pub(super) fn all() -> Vec<Described> {
    vec![
        get("/session", Sight, session::show).told(openapi::keys::session),
        delete("/session", Sight, session::end).told(openapi::keys::end_session),
        get("/zones", Sight, zones::list).told(openapi::zones::list),
        get("/zones/{name}", Sight, zones::one).told(openapi::zones::one),
        post("/zones", Share, writes::create).takes_a_file().told(openapi::zones::create),
        put("/zones/{name}", Share, writes::replace).takes_a_file().told(openapi::zones::replace),
        delete("/zones/{name}", Share, writes::delete).told(openapi::zones::delete),
        get("/zones/{name}/usage", Sight, usage::of_zone).told(openapi::usage::of_zone),
        get("/zones/{name}/traffic", Sight, traffic::of_zone).told(openapi::usage::traffic),
        get("/usage", Sight, usage::all).told(openapi::usage::all),
        get("/zones/{name}/credentials", Sight, credentials::of_zone).told(openapi::credentials::of_zone),
        post("/zones/{name}/credentials", Share, credentials::issue).told(openapi::credentials::issue),
        get("/credentials", Sight, credentials::all).told(openapi::credentials::all),
        delete("/credentials/{key_id}", Renewal, credentials::revoke).told(openapi::credentials::revoke),
        post("/credentials/{key_id}/rotate", Renewal, credentials::rotate).told(openapi::credentials::rotate),
        get("/topics", Backing, topics::list).asked_of_the_leader().told(openapi::service::topics),
        get("/audit", Service, audit_log::list).told(openapi::service::audit),
        get("/plan", Service, plan::show).asked_of_the_leader().told(openapi::controller::plan),
        get("/events", Service, events::stream).told(openapi::service::events),
        get("/nodes", Service, nodes::list).told(openapi::service::nodes),
        get("/state", Service, state::show).told(openapi::service::state),
        get("/state/backup", Admin, backup::export).told(openapi::service::backup),
        get("/controller", Service, controller::show).asked_of_the_leader().told(openapi::controller::show),
        post("/controller/suspend", Admin, controls::suspend).told(openapi::controller::suspend),
        post("/controller/resume", Admin, controls::resume).told(openapi::controller::resume),
        post("/controller/rollback", Admin, controls::roll_back).told(openapi::controller::roll_back),
        delete("/controller/rollback", Admin, controls::end_rollback).told(openapi::controller::end_rollback),
        post("/controller/accept", Admin, controls::accept).told(openapi::controller::accept),
        post("/controller/apply", Admin, controller::apply).told(openapi::controller::apply),
        get("/api-keys", Service, api_keys::list).told(openapi::keys::list),
        post("/api-keys", Admin, api_keys::create).told(openapi::keys::create),
        delete("/api-keys/{id}", Admin, api_keys::delete).told(openapi::keys::delete),
    ]
}

/// What needs no key: each asks in a way of its own who is there, or holds what anybody may know.
pub(super) fn open() -> Vec<Open> {
    vec![
        Open {
            method: Method::POST,
            path: "/source/hint",
            handler: routing::post(hint::take),
            operation: openapi::service::hint,
        },
        Open {
            method: Method::POST,
            path: "/sign-in",
            handler: routing::post(session::begin),
            operation: openapi::keys::sign_in,
        },
        Open {
            method: Method::GET,
            path: "/sign-in",
            handler: routing::get(openid::ways),
            operation: openapi::keys::ways,
        },
        Open {
            method: Method::POST,
            path: "/sign-in/oidc",
            handler: routing::post(openid::begin),
            operation: openapi::keys::begin_openid,
        },
        Open {
            method: Method::POST,
            path: "/sign-in/oidc/callback",
            handler: routing::post(openid::complete),
            operation: openapi::keys::complete_openid,
        },
        Open {
            method: Method::GET,
            path: "/openapi.json",
            handler: routing::get(openapi::show),
            operation: openapi::service::openapi,
        },
    ]
}

/// Routes as a router: first the role, then for a write on a node that does not lead, the leader.
pub(super) fn router(api: &Arc<Api>, routes: Vec<Route>) -> Router<Arc<Api>> {
    routes.into_iter().fold(Router::new(), |router, route| {
        let path = route.path;
        router.route(path, route.guarded(api))
    })
}

/// Puts beside a router what needs no key.
pub(super) fn with_open(router: Router<Arc<Api>>) -> Router<Arc<Api>> {
    open().into_iter().fold(router, |router, open| router.route(open.path, open.handler))
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

    fn told(self, operation: fn() -> Operation) -> Described {
        Described { route: self, operation }
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
