//! An issuer that does what a test wants: the real one never lies.

use std::sync::Mutex;

use axum::Json;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, LOCATION};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::super::*;
use crate::policy::person::{RoleRule, Roles};
use crate::policy::token::fixture::Signer;
use crate::secret::Secret;

/// What it answers with.
pub(super) struct Answers {
    pub(super) signer: Signer,
    /// Whose keys are published: the signer's, if none is said.
    pub(super) published: Option<Signer>,
    /// Over what an ID token says; `null` takes a claim away.
    pub(super) claims: Value,
    pub(super) userinfo: Value,
    pub(super) token: Token,
    pub(super) is_away: bool,
    /// How a client may prove itself; `null`: nothing is said.
    pub(super) methods: Value,
    /// Requests to each path.
    pub(super) asked: BTreeMap<&'static str, usize>,
    /// The last request for tokens: its `Authorization`, and its form.
    pub(super) exchanged: Option<(Option<String>, BTreeMap<String, String>)>,
    /// What is known of each code until it is used: nonce and challenge.
    codes: BTreeMap<String, (String, String)>,
}

/// How a code is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    AsItShould,
    Error(&'static str),
    Redirect,
    Endless,
}

pub(super) struct Issuer {
    pub(super) url: String,
    pub(super) answers: Arc<Mutex<Answers>>,
}

type Known = Shared<(String, Arc<Mutex<Answers>>)>;

impl Issuer {
    pub(super) async fn start() -> Self {
        let answers = Answers {
            signer: Signer::new("k"),
            published: None,
            claims: json!({}),
            userinfo: json!({}),
            token: Token::AsItShould,
            is_away: false,
            methods: Value::Null,
            asked: BTreeMap::new(),
            exchanged: None,
            codes: BTreeMap::new(),
        };
        let answers = Arc::new(Mutex::new(answers));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", axum::routing::post(token))
            .route("/userinfo", get(userinfo))
            .with_state((url.clone(), Arc::clone(&answers)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, answers }
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Answers)) {
        change(&mut self.answers.lock().unwrap());
    }

    pub(super) fn asked(&self, path: &str) -> usize {
        self.answers.lock().unwrap().asked.get(path).copied().unwrap_or_default()
    }

    /// What is configured of it: `platform` is admin, `audit` a viewer.
    pub(super) fn config(&self) -> OpenIdConfig {
        let rule = |value: &str, role| RoleRule { value: value.to_owned(), role };
        OpenIdConfig {
            issuer: self.url.clone(),
            name: "Example login".to_owned(),
            client_id: "zones".to_owned(),
            client_secret: Some(Secret::new("hunter2".to_owned())),
            scopes: vec!["openid".to_owned(), "profile".to_owned()],
            ca_file: None,
            redirect: "https://zones.example.com/ui/sign-in/callback".parse().unwrap(),
            roles: Roles {
                claim: "groups".to_owned(),
                rules: vec![rule("platform", ApiKeyRole::Admin), rule("audit", ApiKeyRole::Viewer)],
            },
            freshness: Freshness {
                unknown_key: Duration::ZERO,
                pause: Duration::ZERO,
                ..Freshness::default()
            },
        }
    }

    /// Somebody signs in there: the code that they are sent back with.
    pub(super) fn code(&self, authorization: &str) -> String {
        let url = reqwest::Url::parse(authorization).unwrap();
        let sent: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let mut answers = self.answers.lock().unwrap();
        let code = format!("code-{}", answers.codes.len() + answers.asked.values().sum::<usize>());
        answers.codes.insert(code.clone(), (sent["nonce"].clone(), sent["code_challenge"].clone()));
        code
    }
}

/// Counts a request, unless nobody is there.
fn count(answers: &Mutex<Answers>, path: &'static str) -> Result<(), StatusCode> {
    let mut answers = answers.lock().unwrap();
    *answers.asked.entry(path).or_default() += 1;
    if answers.is_away { Err(StatusCode::BAD_GATEWAY) } else { Ok(()) }
}

async fn discovery(Shared((url, answers)): Known) -> Result<Json<Value>, StatusCode> {
    count(&answers, "discovery")?;
    let methods = answers.lock().unwrap().methods.clone();
    Ok(Json(json!({
        "issuer": url, "jwks_uri": format!("{url}/jwks"), "authorization_endpoint": format!("{url}/auth?tenant=1"),
        "token_endpoint": format!("{url}/token"), "userinfo_endpoint": format!("{url}/userinfo"),
        "token_endpoint_auth_methods_supported": methods,
    })))
}

async fn jwks(Shared((_, answers)): Known) -> Result<Json<Value>, StatusCode> {
    count(&answers, "jwks")?;
    let answers = answers.lock().unwrap();
    Ok(Json(json!({ "keys": [answers.published.as_ref().unwrap_or(&answers.signer).jwk()] })))
}

async fn token(
    Shared((url, answers)): Known,
    headers: HeaderMap,
    body: String,
) -> Result<Response, StatusCode> {
    count(&answers, "token")?;
    let mut answers = answers.lock().unwrap();
    let form: BTreeMap<_, _> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let login = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    answers.exchanged = Some((login, form.clone()));
    let error = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    match answers.token {
        Token::AsItShould => {}
        Token::Error(code) => return Ok(error(code)),
        Token::Redirect => {
            return Ok((StatusCode::TEMPORARY_REDIRECT, [(LOCATION, format!("{url}/jwks"))]).into_response());
        }
        Token::Endless => return Ok(" ".repeat(300 << 10).into_response()),
    }
    let Some((nonce, challenge)) = answers.codes.remove(&form["code"]) else {
        return Ok(error("invalid_grant"));
    };
    if URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"])) != challenge {
        return Ok(error("invalid_grant"));
    }
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let mut claims = json!({
        "iss": url, "aud": "zones", "sub": "248289", "nonce": nonce, "iat": now, "exp": now + 60, "scope": null,
        "name": "Ada Lovelace", "email": "ada@example.com", "groups": ["staff", "audit"],
    });
    claims.as_object_mut().unwrap().extend(answers.claims.as_object().unwrap().clone());
    let id_token = answers.signer.token(&claims);
    let granted = json!({ "access_token": "access-1", "token_type": "bearer", "id_token": id_token });
    Ok(Json(granted).into_response())
}

async fn userinfo(Shared((_, answers)): Known, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    count(&answers, "userinfo")?;
    if headers.get(AUTHORIZATION).is_none_or(|value| value != "Bearer access-1") {
        return Err(StatusCode::UNAUTHORIZED);
    }
    Ok(Json(answers.lock().unwrap().userinfo.clone()))
}
