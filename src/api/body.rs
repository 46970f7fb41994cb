//! What comes with a request: a body of a known form, within limits, and the name in its path.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// A JSON body. An empty one counts as `{}`.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
        // Also keeps forms of other sites out: a browser sends JSON across sites only after asking.
        let is_json = media_type.trim().eq_ignore_ascii_case("application/json");
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 64 KiB")
                }
                _ => Problem::bad_request("the body could not be read to its end"),
            }
        })?;
        if !bytes.is_empty() && !is_json {
            let detail = "the body must be sent as Content-Type: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        // serde would take an array for an object's fields in their order.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(Problem::bad_request("the body must be a JSON object"));
        }
        serde_json::from_slice(text)
            .map(Self)
            .map_err(|error| Problem::bad_request(format!("the body is not what is wanted here: {error}")))
    }
}

/// What stands behind the `?`.
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let parameters = Query::<T>::try_from_uri(&parts.uri);
        parameters.map(|Query(parameters)| Self(parameters)).map_err(|error| {
            Problem::bad_request(format!("the parameters are not what is wanted here: {}", error.body_text()))
        })
    }
}

/// The one parameter of a path.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        name.map(|Path(name)| Self(name)).map_err(|_| Problem::not_found("there is nothing of this name"))
    }
}
