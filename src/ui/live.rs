//! Word of changes for pages that are open: the API's events, for a browser that is signed in.

use axum::extract::Extension;
use axum::http::Method;
use axum::response::Response;

use super::failure::Failure;
use super::rest::Call;
use super::visitor::Visitor;

/// Where a page listens.
pub(super) const PATH: &str = "/ui/events";

pub(super) async fn events(Extension(visitor): Extension<Visitor>) -> Result<Response, Failure> {
    visitor.response(Call::new(Method::GET, "/events")).await
}
