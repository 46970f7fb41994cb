//! Zones: the list, one zone, and what is done with it.

mod credentials;
mod delete;
mod detail;
mod form;
mod lately;
mod list;
mod outcome;
mod part;
mod theirs;
mod traffic;
mod written;
mod zone;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

pub(super) use self::zone::{member, path};
use super::Ui;

/// The first page.
pub(super) const LIST: &str = "/ui/zones";

/// Where one is made. A zone of this name is reached by its other pages, and over REST.
const NEW: &str = "/ui/zones/new";

pub(super) fn routes() -> Router<Arc<Ui>> {
    Router::new()
        .route("/zones", get(list::show))
        .route("/zones/new", get(form::begin).post(form::go_on))
        .route("/zones/{name}", get(detail::show))
        .route("/zones/{name}/edit", get(form::edit).post(form::go_on_editing))
        .route("/zones/{name}/written", get(written::show))
        .route("/zones/{name}/delete", get(delete::ask).post(delete::delete))
        .route("/zones/{name}/credentials", get(credentials::all).post(credentials::issue))
        .route("/zones/{name}/credentials/{key_id}/rotate", get(credentials::one).post(credentials::rotate))
        .route("/zones/{name}/credentials/{key_id}/revoke", get(credentials::ask).post(credentials::revoke))
}
