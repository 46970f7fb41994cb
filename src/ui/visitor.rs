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
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::cookie::Cookie;
use super::failure::Failure;
use super::rest::{Call, Rest, query};
use super::{Ui, live, sign_in};
use crate::secret::Secret;

const SESSION: Cookie = Cookie { name: "partner-zones-session", path: "/ui", seconds: None };

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A page's script asks with it where nobody has asked for anything.
const REFRESH: HeaderName = HeaderName::from_static("x-partner-zones-refresh");

/// What is sealed in a form.
const FORM: (&str, &str) = ("form", "");

/// Somebody who is signed in; handlers take it as an extension.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    rest: Rest,
    token: Secret<String>,
    peer: SocketAddr,
    session: Arc<Session>,
    /// Of the session, not of its token: a page that renews it has forms that come back with the next token.
    sealer: hmac::Key,
}

/// What the API says of a session.
#[derive(Debug, Deserialize)]
struct Session {
    id: String,
    /// Of a person; a key has none.
    name: Option<String>,
    role: String,
    /// What nobody knows who is not in it, and what stays when it is renewed. A key that is brought as it is has none.
    #[serde(default, rename = "session", deserialize_with = "secret")]
    own: Option<Secret<String>>,
    renewed: Option<Sealed>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret<String>>, D::Error> {
    Ok(Option::deserialize(deserializer)?.map(Secret::new))
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
        self.seal(FORM)
    }

    pub(super) fn is_csrf(&self, presented: &str) -> bool {
        self.is_sealed(FORM, presented)
    }

    /// What shows that we have told this session so. Of a purpose and a text; no purpose has a line end.
    pub(super) fn seal(&self, (purpose, text): (&str, &str)) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.sealer, format!("{purpose}\n{text}").as_bytes()))
    }

    pub(super) fn is_sealed(&self, (purpose, text): (&str, &str), seal: &str) -> bool {
        let said = format!("{purpose}\n{text}");
        let seal = URL_SAFE_NO_PAD.decode(seal);
        seal.is_ok_and(|seal| hmac::verify(&self.sealer, said.as_bytes(), &seal).is_ok())
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
    let Some(own) = &session.own else { return sign_in() };
    let sealer = hmac::Key::new(hmac::HMAC_SHA256, own.expose().as_bytes());
    let is_secure = ui.is_secure(request.headers());
    // A page that is open and that nobody looks at asks as well, and a session that nobody uses is to end.
    let is_used = !request.headers().contains_key(REFRESH) && uri.path() != live::PATH;
    let session = Arc::new(session);
    let visitor = Visitor { rest: ui.rest.clone(), token, peer, session: Arc::clone(&session), sealer };
    request.extensions_mut().insert(visitor.clone());
    let mut response = next.run(request).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response = failure.page(&visitor);
    }
    if let Some(renewed) = session.renewed.as_ref().filter(|_| is_used)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fake::{Api, Browser};

    #[tokio::test]
    async fn a_form_of_the_page_that_renewed_a_session_is_good_with_its_new_token_and_in_no_other() {
        let api = Api::new();
        api.says(|says| says.renewed = Some("pzs_new"));
        let mut browser = Browser::open(&api, "/ui/zones/new").await;
        assert_eq!(browser.cookie, "pzs_new");
        browser.fill("spec.displayName", "Acme");
        browser.press("next").await;
        assert_eq!((browser.status, browser.step()), (StatusCode::OK, "topics"), "{}", browser.page);
        api.says(|says| says.session = "two");
        browser.press("next").await;
        assert_eq!(browser.status, StatusCode::BAD_REQUEST);
        assert!(browser.shows("not from a page of this session"), "{}", browser.page);
    }

    #[tokio::test]
    async fn what_a_page_asks_by_itself_does_not_renew_the_session() {
        let api = Api::new();
        let mut browser = Browser::open(&api, "/ui/zones").await;
        api.says(|says| says.renewed = Some("pzs_new"));
        browser.refresh().await;
        assert_eq!((browser.status, browser.cookie.as_str()), (StatusCode::OK, "pzs_x"));
        browser.go(live::PATH).await;
        assert_eq!((browser.status, browser.cookie.as_str()), (StatusCode::OK, "pzs_x"));
        browser.go("/ui/zones").await;
        assert_eq!(browser.cookie, "pzs_new", "that was somebody");
        assert!(include_str!("assets/script.js").contains(REFRESH.as_str()), "the script says so");
    }
}
