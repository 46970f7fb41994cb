//! The pages: what a data owner and a platform engineer see in a browser.
//!
//! They are written on the server and need no script; a small one makes them live. A page is a client of the REST API like any other: it
//! asks in this process ([`rest`]), in the name of whoever is signed in, and shows what the answers say. So there is one place
//! that decides who may do and see what, and it is not here.
//!
//! | path | |
//! |---|---|
//! | `/ui/sign-in`, `/ui/sign-in/oidc`, `/ui/sign-in/callback`, `/ui/sign-out` | [`sign_in`] |
//! | `/ui/zones`, `/ui/zones/{name}` | [`zones`] |
//! | `/ui/topics`, `/ui/activity`, `/ui/nodes` | [`topics`], [`activity`], [`nodes`] |

mod activity;
mod assets;
mod conditions;
mod cookie;
mod failure;
#[cfg(test)]
mod fake;
mod form;
mod headers;
mod live;
mod moment;
mod nodes;
mod page;
mod parts;
mod rest;
mod sign_in;
mod topics;
mod visitor;
mod zones;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::get;

use self::rest::Rest;

/// Of a form. A zone with 1 000 topics is one of 300 KiB.
const MAX_FORM_BYTES: usize = 1024 * 1024;

/// What all pages have in common.
#[derive(Debug)]
struct Ui {
    rest: Rest,
    /// Whether people come by https: what browsers are given then is for https alone.
    is_https: bool,
}

/// The pages, over the API that they ask; `public_url` is where people find them.
pub fn pages(api: Router, public_url: &str) -> Router {
    let ui = Arc::new(Ui { rest: Rest::new(api), is_https: public_url.starts_with("https://") });
    let signed_in = Router::new()
        .merge(zones::routes())
        .route("/topics", get(topics::show))
        .route("/activity", get(activity::show))
        .route("/nodes", get(nodes::show))
        .route("/events", get(live::events))
        .route("/sign-out", get(async || Redirect::to(zones::LIST)).post(sign_in::end))
        .method_not_allowed_fallback(failure::no_such_order)
        .fallback(failure::no_such_page)
        .layer(from_fn_with_state(Arc::clone(&ui), visitor::identify));
    let open = Router::new()
        .route("/sign-in", get(sign_in::show).post(sign_in::begin))
        .route("/sign-in/oidc", get(sign_in::elsewhere::begin))
        .route(sign_in::elsewhere::CALLBACK, get(sign_in::elsewhere::complete))
        .route("/assets/{name}", get(assets::serve))
        .method_not_allowed_fallback(failure::no_such_order);
    Router::new()
        .nest("/ui", open.merge(signed_in))
        .route("/", get(async || Redirect::to(zones::LIST)))
        .route("/ui", get(async || Redirect::to(zones::LIST)))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(from_fn(headers::protect))
        .with_state(ui)
}
