//! What a zone's written form is told by: whoever changes one says which form they have seen (`If-Match`).

use serde_json::Value;

use crate::manifest::document;
use crate::zone::PartnerZone;

/// The strong tag of a zone's written form, with its quotes, as it stands in `ETag`. Status and usage are no part of it: a form that
/// nobody has changed keeps its tag, whatever the nodes do.
///
/// So `If-None-Match` is not for reading zones: 304 would say that the answer is as it was, and the status in it may not be.
pub(super) fn etag(zone: &PartnerZone) -> String {
    quoted(&document::version(zone))
}

/// Of a zone's document that is there already.
pub(super) fn of_document(document: &Value) -> String {
    quoted(&document::version_of(document))
}

pub(super) fn quoted(version: &str) -> String {
    format!("\"{version}\"")
}
