//! Signing in where somebody has an account. A link leads there, not a form: no form of ours leads to another site.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, RawQuery, State as Shared};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;

use super::{back, refused};
use crate::ui::Ui;
use crate::ui::cookie::Cookie;
use crate::ui::failure::Failure;
use crate::ui::form::Form;
use crate::ui::rest::{Call, Rest};
use crate::ui::visitor::Sealed;

/// Below `/ui`: where the issuer sends people back to.
pub(in crate::ui) const CALLBACK: &str = "/sign-in/callback";

/// What was begun, and where somebody wanted to go. Kept for as long as they may take.
const BEGUN: Cookie = Cookie { name: "partner-zones-sign-in", path: "/ui/sign-in", seconds: Some(600) };

/// Where to, as the API says it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begun {
    authorization_url: String,
    attempt: String,
}

/// The name of the place to sign in at, if there is one.
pub(super) async fn name(rest: &Rest, peer: SocketAddr) -> Option<String> {
    #[derive(Deserialize)]
    struct Ways {
        oidc: Option<Way>,
    }
    #[derive(Deserialize)]
    struct Way {
        name: String,
    }
    let ways: Ways = rest.send(("", peer), Call::new(Method::GET, "/sign-in")).await.ok()?;
    ways.oidc.map(|way| way.name)
}

pub(in crate::ui) async fn begin(
    Shared(ui): Shared<Arc<Ui>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let form = Form::parse(query.unwrap_or_default().as_bytes())?;
    let call = Call::new(Method::POST, "/sign-in/oidc");
    let begun: Begun = match ui.rest.send(("", peer), call).await {
        Ok(begun) => begun,
        Err(failure) => return Ok(refused(&ui, peer, back(&form), &failure).await),
    };
    let mut response = Redirect::to(&begun.authorization_url).into_response();
    let kept = format!("{}.{}", begun.attempt, URL_SAFE_NO_PAD.encode(back(&form)));
    response.headers_mut().extend(BEGUN.set(&kept, ui.is_secure(&headers)));
    Ok(response)
}

pub(in crate::ui) async fn complete(
    Shared(ui): Shared<Arc<Ui>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let answer = Form::parse(query.unwrap_or_default().as_bytes())?;
    let kept = BEGUN.of(&headers);
    let (attempt, next) = kept.as_ref().and_then(|kept| kept.expose().split_once('.')).unwrap_or_default();
    // A cookie is no more ours than an address is.
    let next = URL_SAFE_NO_PAD.decode(next).ok().and_then(|next| String::from_utf8(next).ok());
    let next = Form::of("next", next.unwrap_or_default());
    let is_secure = ui.is_secure(&headers);
    let outcome = if let Some(failure) = error(&answer) {
        Err(failure)
    } else {
        let body = json!({ "code": answer.text("code"), "state": answer.text("state"), "attempt": attempt });
        let call = Call::new(Method::POST, "/sign-in/oidc/callback").with(body);
        ui.rest.send::<Sealed>(("", peer), call).await
    };
    let mut response = match outcome {
        Ok(session) => {
            let mut response = Redirect::to(back(&next)).into_response();
            response.headers_mut().extend(session.cookie(is_secure));
            response
        }
        Err(failure) => refused(&ui, peer, back(&next), &failure).await,
    };
    response.headers_mut().extend(BEGUN.take(is_secure));
    Ok(response)
}

/// What the issuer says instead of a code. Its own words are not shown: whoever makes a link could put theirs there.
fn error(answer: &Form) -> Option<Failure> {
    let code = answer.text("error");
    if code.is_empty() {
        return None;
    }
    let is_code = code.len() <= 60 && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let detail = match code {
        "access_denied" => "The sign-in was refused there, by you or by whoever runs it.".to_owned(),
        code if is_code => format!("The sign-in was refused there: {code}."),
        _ => "The sign-in was refused there.".to_owned(),
    };
    Some(Failure::new(StatusCode::FORBIDDEN, &detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(query: &str) -> Option<String> {
        error(&Form::parse(query.as_bytes()).unwrap()).map(|failure| failure.notice().into_string())
    }

    #[test]
    fn an_issuers_no_is_said_by_its_code_and_in_our_words() {
        assert!(told("code=1&state=2").is_none());
        assert!(told("error=access_denied&error_description=Pay+here").unwrap().contains("by you or by"));
        assert!(told("error=login_required").unwrap().contains("refused there: login_required."));
        let long = format!("error={}", "x".repeat(61));
        for hostile in ["error=<script>", "error=call%200900", "error=CALL", &long] {
            let told = told(hostile).unwrap();
            assert!(told.contains("refused there.</p>") && !told.contains("CALL"), "{told}");
        }
    }
}
