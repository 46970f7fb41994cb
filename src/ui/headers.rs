//! What a browser is told of every page: to load nothing from elsewhere, and to let nobody else into it.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::failure::Failure;

/// No script and no style but our files, no frames, no forms to elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Refuses what another site makes a browser send (beside the token of each form), and puts the headers on every answer.
pub(super) async fn protect(request: Request, next: Next) -> Response {
    let mut response = if changes(&request) && is_from_elsewhere(&request) {
        let detail = "This form was sent from another site, and nothing was done.";
        Failure::new(StatusCode::FORBIDDEN, detail).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn changes(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD)
}

/// As browsers say since 2023; what says nothing is no browser, or an old one, and has the form's token to show.
fn is_from_elsewhere(request: &Request) -> bool {
    let site = request.headers().get(SEC_FETCH_SITE);
    site.is_some_and(|site| site != "same-origin" && site != "none")
}
