//! Problems in Console's form: `{"title", "msg", "cause"}`, of which its command line shows the last that is there.

use axum::Json;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::api::problem::Told;

/// An answer that is a problem, said in their words; any other as it is.
pub(super) async fn in_their_words(mut response: Response) -> Response {
    let Some(Told { title, detail, text }) = response.extensions_mut().remove::<Told>() else {
        return response;
    };
    let cause = text.map_or_else(|| detail.clone(), |text| format!("{detail}\n\n{text}"));
    let body = Json(said(title, &detail, &cause)).into_response();
    let (mut parts, _) = response.into_parts();
    parts.status = published(parts.status);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, body.into_body())
}

/// What they show something by that is not plain success.
pub(super) fn said(title: &str, msg: &str, cause: &str) -> Value {
    json!({ "title": title, "msg": msg, "cause": cause })
}

/// 400 is their word for a body that is not right, and 409 for whatever rules are against.
fn published(status: StatusCode) -> StatusCode {
    match status {
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::PAYLOAD_TOO_LARGE => StatusCode::BAD_REQUEST,
        StatusCode::PRECONDITION_FAILED => StatusCode::CONFLICT,
        other => other,
    }
}
