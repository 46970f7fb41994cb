//! The authorization code flow (RFC 6749, RFC 7636): where somebody is sent, and what the code that they come back with is good for.

use std::pin::Pin;

use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
    BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, RedirectUrl, RequestTokenError, Scope,
    StandardRevocableToken, StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use reqwest::{Client, Request, Url};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::OpenIdConfig;
use super::attempt::Attempt;
use super::publisher::Published;
use crate::http;
use crate::issuer::MAX_ANSWER;
use crate::secret::Secret;

/// What a code was exchanged for.
pub(super) struct Tokens {
    pub(super) id: Secret<String>,
    pub(super) access: Secret<String>,
}

/// Why there are none.
#[derive(Debug, Error)]
pub(super) enum NoTokens {
    /// It is not the issuer's, was used, is too old, or is for somebody else.
    #[error("the issuer does not take the code")]
    Code,
    /// Nothing that somebody could do who signs in.
    #[error("{0}")]
    Issuer(String),
}

/// What OpenID Connect adds to the answer.
#[derive(Serialize, Deserialize)]
struct IdToken {
    id_token: String,
}

impl std::fmt::Debug for IdToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl ExtraTokenFields for IdToken {}

type Flow = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

fn flow(config: &OpenIdConfig, published: &Published) -> Flow {
    let auth_type = if published.secret_in_body { AuthType::RequestBody } else { AuthType::BasicAuth };
    let flow = oauth2::Client::new(ClientId::new(config.client_id.clone()))
        .set_auth_uri(AuthUrl::from_url(published.authorization.clone()))
        .set_token_uri(TokenUrl::from_url(published.token.clone()))
        .set_redirect_uri(RedirectUrl::from_url(config.redirect.clone()))
        .set_auth_type(auth_type);
    match &config.client_secret {
        Some(secret) => flow.set_client_secret(ClientSecret::new(secret.expose().clone())),
        None => flow,
    }
}

/// Where a browser goes to sign in.
pub(super) fn authorization(config: &OpenIdConfig, published: &Published, attempt: &Attempt) -> Url {
    let flow = flow(config, published);
    let request = flow
        .authorize_url(|| CsrfToken::new(attempt.state.clone()))
        .add_scopes(config.scopes.iter().cloned().map(Scope::new))
        .set_pkce_challenge(attempt.challenge())
        .add_extra_param("nonce", attempt.nonce.clone());
    request.url().0
}

pub(super) async fn exchange(
    (config, published): (&OpenIdConfig, &Published),
    client: Client,
    attempt: &Attempt,
    code: String,
) -> Result<Tokens, NoTokens> {
    let flow = flow(config, published);
    let request = flow.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(attempt.verifier());
    let granted = request.request_async(&Asking(client)).await.map_err(|error| match error {
        RequestTokenError::ServerResponse(told) => match told.error() {
            BasicErrorResponseType::InvalidGrant => NoTokens::Code,
            other => NoTokens::Issuer(format!("the token endpoint says {:.60}", other.to_string())),
        },
        RequestTokenError::Request(Unanswered(cause)) => NoTokens::Issuer(cause),
        // Neither what it holds nor where the reading ended is shown: there are tokens in it.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            NoTokens::Issuer("the token endpoint's answer is none with an `id_token`".to_owned())
        }
    })?;
    Ok(Tokens {
        id: Secret::new(granted.extra_fields().id_token.clone()),
        access: Secret::new(granted.access_token().secret().clone()),
    })
}

/// Why there is no answer.
#[derive(Debug, Error)]
#[error("{0}")]
struct Unanswered(String);

/// Asks with our own client.
struct Asking(Client);

impl<'c> AsyncHttpClient<'c> for Asking {
    type Error = Unanswered;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Unanswered>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(ask(&self.0, request))
    }
}

/// With its deadline, its authorities and no other way; the answer is bounded.
async fn ask(client: &Client, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
    let unanswered = |error: reqwest::Error| {
        Unanswered(format!("the token endpoint cannot be reached: {}", http::innermost(error)))
    };
    let request = Request::try_from(request).map_err(unanswered)?;
    let answer = client.execute(request).await.map_err(unanswered)?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = http::body(answer, MAX_ANSWER).await.map_err(unanswered)?;
    let body = body.ok_or_else(|| Unanswered("the token endpoint's answer is too long".to_owned()))?;
    let mut response = HttpResponse::new(body);
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    Ok(response)
}
