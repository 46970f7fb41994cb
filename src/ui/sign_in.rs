//! Signing in, with an API key or where somebody has an account, and out again.

pub(super) mod elsewhere;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Extension, RawQuery, State as Shared};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::failure::Failure;
use super::form::{Form, Sent};
use super::rest::{Call, query};
use super::visitor::{Sealed, Visitor, forgotten};
use super::{Ui, page, zones};

pub(super) const PATH: &str = "/ui/sign-in";

/// Longer than any address of ours that somebody would want to go back to: it is kept in a cookie.
const MAX_NEXT: usize = 1_000;

pub(super) async fn show(
    Shared(ui): Shared<Arc<Ui>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    RawQuery(query): RawQuery,
) -> Result<Markup, Failure> {
    let form = Form::parse(query.unwrap_or_default().as_bytes())?;
    let elsewhere = elsewhere::name(&ui.rest, peer).await;
    Ok(sign_in(back(&form), elsewhere.as_deref(), None))
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
            response.headers_mut().extend(session.cookie(ui.is_secure(&headers)));
            Ok(response)
        }
        Err(failure) if failure.status == StatusCode::SERVICE_UNAVAILABLE => Err(failure),
        Err(failure) => Ok(refused(&ui, peer, back(&form), &failure).await),
    }
}

/// The page again, with what was wrong.
async fn refused(ui: &Ui, peer: SocketAddr, next: &str, failure: &Failure) -> Response {
    let is_unknown = failure.status == StatusCode::UNAUTHORIZED;
    let status = if is_unknown { StatusCode::FORBIDDEN } else { failure.status };
    let elsewhere = elsewhere::name(&ui.rest, peer).await;
    (status, sign_in(next, elsewhere.as_deref(), Some(failure))).into_response()
}

/// Ends the session. Whatever comes of that, this browser has it no more.
pub(super) async fn end(
    Shared(ui): Shared<Arc<Ui>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Sent(_): Sent,
) -> Response {
    let mut response = match visitor.send::<Value>(Call::new(Method::DELETE, "/session")).await {
        Ok(_) => Redirect::to(PATH).into_response(),
        Err(failure) => (failure.status, signed_out_here(&visitor, &failure)).into_response(),
    };
    response.headers_mut().extend(forgotten(ui.is_secure(&headers)));
    response
}

fn signed_out_here(visitor: &Visitor, failure: &Failure) -> Markup {
    let content = html! {
        h1 { "Signed out in this browser" }
        (failure.notice())
        p {
            "Whoever has a copy of your session can go on in it until it is over, within the hour if it is not used."
            @if visitor.key().is_some() { " If that may be, have an administrator delete the API key." }
        }
        p { a href=(PATH) { "Sign in again" } }
    };
    page::bare("Signed out in this browser", &content)
}

/// Where somebody wanted to go before they were asked who they are: a page of ours and nowhere else.
fn back(form: &Form) -> &str {
    let next = form.text("next");
    let is_ours = next.starts_with("/ui/")
        && next.len() <= MAX_NEXT
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours { next } else { zones::LIST }
}

fn sign_in(next: &str, elsewhere: Option<&str>, failure: Option<&Failure>) -> Markup {
    let content = html! {
        div.sign-in {
            h1 { "Sign in" }
            @if let Some(failure) = failure { (failure.notice()) }
            @if let Some(name) = elsewhere {
                p.elsewhere { a.button.primary href=(format!("{PATH}/oidc{}", query(&[("next", next)]))) { "Sign in with " (name) } }
                p.or { "or" }
            }
            form.card.stack method="post" action=(PATH) {
                input type="hidden" name="next" value=(next);
                div.field {
                    label for="key" { "API key" }
                    input #key name="key" type="password" autocomplete="current-password" required autofocus[elsewhere.is_none()]
                        spellcheck="false" aria-describedby="key-help";
                    p #key-help .help {
                        "It begins with " code { "pzk_" } ". The first one is in the file that the server names when it starts; an administrator makes "
                        "more with " code { "reconciler api-key create" } "."
                    }
                }
                button.primary[elsewhere.is_none()] type="submit" { "Sign in" }
            }
        }
    };
    page::bare("Sign in", &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fake::{Api, Browser, problem};

    #[tokio::test]
    async fn who_signs_out_ends_the_session_and_hears_if_that_could_not_be() {
        let api = Api::new();
        let mut browser = Browser::open(&api, "/ui/zones/new").await;
        browser.sign_out().await;
        assert_eq!(
            (browser.status, browser.path(), browser.cookie.as_str()),
            (StatusCode::SEE_OTHER, PATH, "")
        );
        let asked = api.last();
        assert_eq!((asked.method, asked.path.as_str()), (Method::DELETE, "/session"));
        api.says(|says| says.write = problem(StatusCode::SERVICE_UNAVAILABLE, "nobody leads"));
        let mut browser = Browser::open(&api, "/ui/zones/new").await;
        browser.sign_out().await;
        assert_eq!((browser.status, browser.cookie.as_str()), (StatusCode::SERVICE_UNAVAILABLE, ""));
        for shown in ["Signed out in this browser", "Nobody leads", "delete the API key"] {
            assert!(browser.shows(shown), "{shown}: {}", browser.page);
        }
    }

    #[test]
    fn nobody_is_sent_to_another_site() {
        let back_of = |next: &str| {
            let form = Form::parse(query(&[("next", next)]).trim_start_matches('?').as_bytes());
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
            &format!("/ui/{}", "x".repeat(MAX_NEXT)),
            "/api/v1/zones",
            "javascript:x",
        ] {
            assert_eq!(back_of(bad), zones::LIST, "{bad:?}");
        }
    }
}
