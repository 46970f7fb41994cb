//! The PartnerZone endpoints of Conduktor Console, as its command line and its Terraform provider use them. The paths exist with and
//! without `/api` in front. Behind them is what `/api/v1` does; the words are Console's.
//!
//! | call | |
//! |---|---|
//! | `POST /login` | `{username, password}` (a key's id and secret) → `{access_token}` |
//! | `GET /public/console/v2/partner-zone[/{name}]` | an array, or one zone |
//! | `PUT /public/console/v2/partner-zone[?dryMode=true]` | JSON, whatever its content type says → `{resource, upsertResult}`, and `proposal`, the branch that has to be merged first |
//! | `DELETE /public/console/v2/partner-zone/{name}` | 204; 202 if it is a proposal |
//! | `GET /public/console/v2/partner-zone/{name}/kafka-configuration` | a client's properties, as a JSON string |
//! | `POST /public/partner-zone/v2/{name}/generate-credentials` | the secret, as a JSON string |
//!
//! There is no `/public/docs/docs.yaml`: its absence makes that command line use the catalogue that it brings along.

mod errors;
mod resource;
mod zones;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::post as on_post;

use super::Api;
use super::access::Needs::{Share, Sight};
use super::routes::{Route, delete, get, post, put};

/// What needs a key.
pub(super) fn routes() -> Vec<Route> {
    const ZONES: &str = "/public/console/v2/partner-zone";
    const ZONE: &str = "/public/console/v2/partner-zone/{name}";
    vec![
        get(ZONES, Sight, zones::list),
        put(ZONES, Share, zones::upsert).takes_a_file(),
        get(ZONE, Sight, zones::one),
        delete(ZONE, Share, zones::delete),
        get("/public/console/v2/partner-zone/{name}/kafka-configuration", Sight, zones::kafka_configuration),
        post("/public/partner-zone/v2/{name}/generate-credentials", Share, zones::generate_credentials),
    ]
}

/// The routes behind their layers, the log-in beside them, and all errors in Console's words.
pub(super) fn with_log_in(routes: Router<Arc<Api>>) -> Router<Arc<Api>> {
    routes.route("/login", on_post(zones::log_in)).layer(middleware::map_response(errors::in_their_words))
}
