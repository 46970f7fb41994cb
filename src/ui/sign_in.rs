//! Signing in with an API key, and out again.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, RawQuery, State as Shared};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::json;

use super::failure::Failure;
use super::form::{Form, Sent};
use super::rest::Call;
use super::visitor::{Sealed, forgotten, is_secure};
use super::{Ui, page, zones};

pub(super) const PATH: &str = "/ui/sign-in";

pub(super) async fn show(RawQuery(query): RawQuery) -> Result<Markup, Failure> {
    let form = Form::parse(query.unwrap_or_default().as_bytes())?;
    Ok(sign_in(back(&form), None))
}

pub(super) async fn begin(
    Shared(ui): Shared<Arc<Ui>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let form = Form::parse(&body)?;
    let call = Call::new(Method::POST, "/sign-in").with(json!({ "key": form.text("key") }));
    match ui.rest.send::<Sealed>(("", peer), call).await {
        Ok(session) => {
            let mut response = Redirect::to(back(&form)).into_response();
            response.headers_mut().extend(session.cookie(is_secure(&headers)));
            Ok(response)
        }
        Err(failure) if failure.status == StatusCode::SERVICE_UNAVAILABLE => Err(failure),
        Err(failure) => {
            let status = if failure.status == StatusCode::UNAUTHORIZED {
                StatusCode::FORBIDDEN
            } else {
                failure.status
            };
            Ok((status, sign_in(back(&form), Some(&failure))).into_response())
        }
    }
}

pub(super) async fn end(headers: HeaderMap, Sent(_): Sent) -> Response {
    let mut response = Redirect::to(PATH).into_response();
    response.headers_mut().extend(forgotten(is_secure(&headers)));
    response
}

/// Where somebody wanted to go before they were asked who they are: a page of ours and nowhere else.
fn back(form: &Form) -> &str {
    let next = form.text("next");
    let is_ours =
        next.starts_with("/ui/") && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours { next } else { zones::LIST }
}

fn sign_in(next: &str, failure: Option<&Failure>) -> Markup {
    let content = html! {
        div.sign-in {
            h1 { "Sign in" }
            @if let Some(failure) = failure { (failure.notice()) }
            form.card.stack method="post" action=(PATH) {
                input type="hidden" name="next" value=(next);
                div.field {
                    label for="key" { "API key" }
                    input #key name="key" type="password" autocomplete="current-password" required autofocus
                        spellcheck="false" aria-describedby="key-help";
                    p #key-help .help {
                        "It begins with " code { "pzk_" } ". The first one is in the file that the server names when it starts; an administrator makes "
                        "more with " code { "reconciler api-key create" } "."
                    }
                }
                button.primary type="submit" { "Sign in" }
            }
        }
    };
    page::bare("Sign in", &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        let back_of = |next: &str| {
            let form =
                Form::parse(super::super::rest::query(&[("next", next)]).trim_start_matches('?').as_bytes());
            back(&form.unwrap()).to_owned()
        };
        assert_eq!(back_of("/ui/zones/acme?x=1"), "/ui/zones/acme?x=1");
        for bad in [
            "",
            "//evil",
            "https://evil",
            "/ui",
            "/\\evil",
            "/ui/\\evil",
            "/ui/\nx",
            "/api/v1/zones",
            "javascript:x",
        ] {
            assert_eq!(back_of(bad), zones::LIST, "{bad:?}");
        }
    }
}
