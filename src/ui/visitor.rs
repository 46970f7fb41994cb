//! Who looks: the session behind a browser's cookie.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, OriginalUri, Request, State as Shared};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Ui;
use super::cookie::Cookie;
use super::failure::Failure;
use super::rest::{Call, Rest, query};
use super::sign_in;
use crate::secret::Secret;

const SESSION: Cookie = Cookie { name: "partner-zones-session", path: "/ui", seconds: None };

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Somebody who is signed in; handlers take it as an extension.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    rest: Rest,
    token: Secret<String>,
    peer: SocketAddr,
    session: Arc<Session>,
}

/// What the API says of a session.
#[derive(Debug, Deserialize)]
struct Session {
    id: String,
    /// Of a person; a key has none.
    name: Option<String>,
    role: String,
    renewed: Option<Sealed>,
}

/// A session's token, as the API gives it.
#[derive(Deserialize)]
pub(super) struct Sealed {
    token: String,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Visitor {
    /// The API key that was signed in with; `None` of a person.
    pub(super) fn key(&self) -> Option<&str> {
        self.session.name.is_none().then_some(&self.session.id)
    }

    /// What they are called on a page.
    pub(super) fn name(&self) -> &str {
        self.session.name.as_ref().unwrap_or(&self.session.id)
    }

    pub(super) fn role(&self) -> &str {
        &self.session.role
    }

    /// Whether the service as a whole is theirs to look at: what others ask for is refused by the API anyway.
    pub(super) fn sees_service(&self) -> bool {
        matches!(self.role(), "admin" | "viewer")
    }

    /// Whether zones are theirs to make and to change, some of them at least.
    pub(super) fn shares(&self) -> bool {
        matches!(self.role(), "admin" | "owner")
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(Call::new(Method::GET, path)).await
    }

    pub(super) async fn send<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, Failure> {
        self.rest.send((self.token.expose(), self.peer), call).await
    }

    /// The answer as it comes.
    pub(super) async fn response(&self, call: Call<'_>) -> Result<Response, Failure> {
        self.rest.response((self.token.expose(), self.peer), call).await
    }

    /// What each form has to bring back: another site can make a browser send a form, but cannot read this from a page.
    pub(super) fn csrf(&self) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.csrf_key(), b"form"))
    }

    pub(super) fn is_csrf(&self, presented: &str) -> bool {
        let tag = URL_SAFE_NO_PAD.decode(presented);
        tag.is_ok_and(|tag| hmac::verify(&self.csrf_key(), b"form", &tag).is_ok())
    }

    fn csrf_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.token.expose().as_bytes())
    }
}

/// Lets through who is signed in, and sends the others to do so.
pub(super) async fn identify(
    Shared(ui): Shared<Arc<Ui>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    OriginalUri(uri): OriginalUri,
    mut request: Request,
    next: Next,
) -> Response {
    let back = uri.path_and_query().filter(|_| *request.method() == Method::GET);
    let back = query(&[("next", back.map_or("", |path| path.as_str()))]);
    let sign_in = || Redirect::to(&format!("{}{back}", sign_in::PATH)).into_response();
    let Some(token) = SESSION.of(request.headers()) else { return sign_in() };
    let asked = ui.rest.send((token.expose(), peer), Call::new(Method::GET, "/session")).await;
    let session: Session = match asked {
        Ok(session) => session,
        Err(failure) if failure.status == StatusCode::UNAUTHORIZED => return sign_in(),
        Err(failure) => return failure.into_response(),
    };
    let is_secure = ui.is_secure(request.headers());
    let session = Arc::new(session);
    let visitor = Visitor { rest: ui.rest.clone(), token, peer, session: Arc::clone(&session) };
    request.extensions_mut().insert(visitor.clone());
    let mut response = next.run(request).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response = failure.page(&visitor);
    }
    if let Some(renewed) = &session.renewed
        && !response.headers().contains_key(SET_COOKIE)
    {
        response.headers_mut().extend(renewed.cookie(is_secure));
    }
    response
}

impl Sealed {
    /// It ends with the browser, and at the latest with the session.
    pub(super) fn cookie(&self, is_secure: bool) -> Option<(HeaderName, HeaderValue)> {
        SESSION.set(&self.token, is_secure)
    }
}

/// Takes the session from the browser.
pub(super) fn forgotten(is_secure: bool) -> Option<(HeaderName, HeaderValue)> {
    SESSION.take(is_secure)
}

impl Ui {
    /// Whether the browser speaks https, to whatever stands in front of us.
    pub(super) fn is_secure(&self, headers: &HeaderMap) -> bool {
        self.is_https || headers.get(X_FORWARDED_PROTO).is_some_and(|protocol| protocol == "https")
    }
}
