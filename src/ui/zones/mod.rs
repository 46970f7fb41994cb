//! Zones: the list, one zone, and what is done with it.

mod credentials;
mod detail;
mod list;
mod traffic;
mod zone;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub(super) use self::zone::{member, path};
use super::Ui;

/// The first page.
pub(super) const LIST: &str = "/ui/zones";

pub(super) fn routes() -> Router<Arc<Ui>> {
    Router::new()
        .route("/zones", get(list::show))
        .route("/zones/{name}", get(detail::show))
        .route("/zones/{name}/credentials", post(credentials::issue))
        .route("/zones/{name}/credentials/{key_id}/rotate", post(credentials::rotate))
        .route("/zones/{name}/credentials/{key_id}/revoke", get(credentials::ask).post(credentials::revoke))
}
