//! Whose a zone is to change, as far as that can be seen beforehand. The API decides in the end.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::zone::Zone;
use crate::ui::failure::Failure;
use crate::ui::page::{self, Place, Title};
use crate::ui::visitor::Visitor;

/// What is in the way of changing it.
pub(super) fn why_not(visitor: &Visitor, zone: &Zone) -> Option<&'static str> {
    if !visitor.shares() {
        Some("This key may look at the zone, and not change it.")
    } else if zone.number("/status/otherTopics").is_some_and(|others| others > 0) {
        Some("This zone shares topics that are not yours as well, so only an administrator changes it.")
    } else {
        None
    }
}

pub(super) fn refusal(visitor: &Visitor, why: &str) -> Response {
    let failure = Failure::new(StatusCode::FORBIDDEN, why);
    let title = Title::new("Not yours to change").at(Place::Zones);
    (failure.status, page::whole(visitor, &title, &failure.notice())).into_response()
}
