//! Asks an issuer for its keys.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use thiserror::Error;

use super::IssuerConfig;
use crate::http;
use crate::kafka::tls::{TlsError, UpstreamTlsFiles, client_config};
use crate::policy::token::{KeySet, NotAKeySet};

/// For one answer, to its end.
const WITHIN: Duration = Duration::from_secs(5);

/// Bytes of an answer: real ones have some kilobytes.
const MAX_BODY: usize = 256 << 10;

/// Why there are no keys, for the operator.
#[derive(Debug, Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("no HTTP client can be made: {0}")]
    Client(String),
    #[error("{at} cannot be reached: {cause}")]
    Unreachable { at: String, cause: String },
    #[error("{at} answers with {status}")]
    Refused { at: String, status: StatusCode },
    #[error("{at} answers with more than {MAX_BODY} bytes")]
    TooLarge { at: String },
    #[error("{at} is no discovery document with `issuer` and `jwks_uri`")]
    NoDiscovery { at: String },
    #[error("{at} is the discovery document of another issuer, {other:?}")]
    OtherIssuer { at: String, other: String },
    #[error("{at} names keys at an address that is not https: {named:?}")]
    Unprotected { at: String, named: String },
    #[error("{at}: {cause}")]
    Keys { at: String, cause: NotAKeySet },
}

/// What is of interest of OpenID Connect Discovery's document.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// Whether what is read from there comes from whoever the address names: over https, or from this machine.
pub fn is_protected(url: &Url) -> bool {
    let is_local = url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|ip| ip.is_loopback())
    });
    url.scheme() == "https" || (url.scheme() == "http" && is_local)
}

/// The keys as the issuer publishes them now. Each answer has its deadline and its bound, and none leads elsewhere.
pub(super) async fn fetch(config: &IssuerConfig) -> Result<KeySet, FetchError> {
    let client = client(config)?;
    let url = match &config.jwks_url {
        Some(url) => url.clone(),
        None => discovered(&client, &config.rules.issuer).await?,
    };
    let body = get(&client, &url).await?;
    KeySet::parse(&body).map_err(|cause| FetchError::Keys { at: shown(&url), cause })
}

/// Made for every fetch, so that the file of its authorities may be replaced.
fn client(config: &IssuerConfig) -> Result<Client, FetchError> {
    let files = UpstreamTlsFiles { ca: config.ca_file.clone(), identity: None, verifies_host: true };
    http::client(WITHIN)
        .tls_backend_preconfigured(client_config(&files)?)
        .build()
        .map_err(|error| FetchError::Client(http::innermost(error)))
}

async fn discovered(client: &Client, issuer: &str) -> Result<Url, FetchError> {
    let at = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let url = Url::parse(&at).map_err(|_| FetchError::NoDiscovery { at: at.clone() })?;
    let body = get(client, &url).await?;
    let at = shown(&url);
    let Ok(document) = serde_json::from_slice::<Discovery>(&body) else {
        return Err(FetchError::NoDiscovery { at });
    };
    if document.issuer != issuer {
        return Err(FetchError::OtherIssuer { at, other: document.issuer });
    }
    match Url::parse(&document.jwks_uri) {
        Ok(keys) if is_protected(&keys) => Ok(keys),
        _ => Err(FetchError::Unprotected { at, named: document.jwks_uri }),
    }
}

async fn get(client: &Client, url: &Url) -> Result<Vec<u8>, FetchError> {
    let unreachable =
        |error: reqwest::Error| FetchError::Unreachable { at: shown(url), cause: http::innermost(error) };
    let answer = client.get(url.clone()).send().await.map_err(unreachable)?;
    let status = answer.status();
    if !status.is_success() {
        return Err(FetchError::Refused { at: shown(url), status });
    }
    let body = http::body(answer, MAX_BODY).await.map_err(unreachable)?;
    body.ok_or_else(|| FetchError::TooLarge { at: shown(url) })
}

/// The address without what may be secret in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}
