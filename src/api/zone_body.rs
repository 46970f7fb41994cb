//! A zone as a request's body: JSON or YAML, under the rules of a file.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::problem::Problem;
use crate::manifest::{Finding, Known, SourceFile, document, load};
use crate::zone::PartnerZone;

/// As for a file.
pub(super) const MAX_ZONE_BYTES: usize = 1 << 20;

pub(super) struct ZoneBody(pub(super) PartnerZone);

impl<S: Send + Sync> FromRequest<S> for ZoneBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        let read = match media_type.to_ascii_lowercase().as_str() {
            "application/json" => from_json,
            "application/yaml" | "application/x-yaml" => from_yaml,
            _ => {
                let detail = "a zone is sent as Content-Type: application/json or application/yaml";
                return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
            }
        };
        let bytes = Bytes::from_request(request, state).await.map_err(|_| {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is larger than 1 MiB, or did not arrive whole",
            )
        })?;
        read(&bytes).map(Self)
    }
}

pub(super) fn from_json(bytes: &[u8]) -> Result<PartnerZone, Problem> {
    let document: Value = serde_json::from_slice(bytes)
        .map_err(|error| Problem::bad_request(format!("the body is no JSON: {error}")))?;
    document::from_document(&document).map_err(|error| not_a_zone(&error.0))
}

fn from_yaml(bytes: &[u8]) -> Result<PartnerZone, Problem> {
    let file = SourceFile { path: "body".to_owned(), content: Ok(Arc::from(bytes)) };
    let loaded = load([file], &Known::default());
    let errors: Vec<_> = loaded.findings.into_iter().filter(Finding::is_error).collect();
    let mut zones = loaded.zones.into_values();
    match (zones.next(), zones.next()) {
        _ if !errors.is_empty() => Err(not_a_zone(&errors)),
        (Some(zone), None) => Ok((*zone.zone).clone()),
        _ => Err(Problem::bad_request("the body must hold one zone")),
    }
}

fn not_a_zone(findings: &[Finding]) -> Problem {
    let shown = |finding: &Finding| {
        let place = finding.source.as_ref().map(ToString::to_string);
        json!({
            "code": finding.code.as_str(), "place": place, "message": finding.message, "help": finding.help,
        })
    };
    let first = findings.first().map(|first| format!("{}: {}", first.code.as_str(), first.message));
    let detail = format!("this is not a right zone: {}", first.unwrap_or_default());
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
        .with("findings", findings.iter().map(shown).collect())
}
