//! What an issuer of tokens publishes: its discovery document (OpenID Connect Discovery 1.0) and its keys.
//!
//! Each answer has its deadline and its bound, and none leads elsewhere.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use thiserror::Error;

use crate::http;
use crate::kafka::tls::{TlsError, UpstreamTlsFiles, client_config};
use crate::policy::token::{KeySet, NotAKeySet};

/// For one answer, to its end.
const WITHIN: Duration = Duration::from_secs(5);

/// Bytes of an answer: real ones have some kilobytes.
pub const MAX_ANSWER: usize = 256 << 10;

/// Why an issuer's answer is none, for the operator.
#[derive(Debug, Error)]
pub enum IssuerError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("no HTTP client can be made: {0}")]
    Client(String),
    #[error("{at} cannot be reached: {cause}")]
    Unreachable { at: String, cause: String },
    #[error("{at} answers with {status}")]
    Refused { at: String, status: StatusCode },
    #[error("{at} answers with more than {MAX_ANSWER} bytes")]
    TooLarge { at: String },
    #[error("{at} is no discovery document with `issuer` and `jwks_uri`")]
    NoDiscovery { at: String },
    #[error("{at} is the discovery document of another issuer, {other:?}")]
    OtherIssuer { at: String, other: String },
    #[error("the discovery document of {issuer} has no `{what}`")]
    Lacks { issuer: String, what: &'static str },
    #[error("the discovery document of {issuer} names a `{what}` at an address that is not https: {named:?}")]
    Unprotected { issuer: String, what: &'static str, named: String },
    #[error("{at}: {cause}")]
    Keys { at: String, cause: NotAKeySet },
}

/// What is of interest of a discovery document. Where something is, is believed when it is asked for.
#[derive(Debug, Clone, Deserialize)]
pub struct Discovery {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// Whether what is read from there comes from whoever the address names: over https, or from this machine.
pub fn is_protected(url: &Url) -> bool {
    let is_local = url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|ip| ip.is_loopback())
    });
    url.scheme() == "https" || (url.scheme() == "http" && is_local)
}

/// A client for an issuer's addresses, which trusts the authorities of the file, or the system's. Made anew for every errand, so that the
/// file may be replaced.
pub fn client(ca_file: Option<&Path>) -> Result<Client, IssuerError> {
    let files = UpstreamTlsFiles { ca: ca_file.map(Path::to_owned), identity: None, verifies_host: true };
    http::client(WITHIN)
        .tls_backend_preconfigured(client_config(&files)?)
        .build()
        .map_err(|error| IssuerError::Client(http::innermost(error)))
}

impl Discovery {
    /// The document of this issuer, which has to say that it is.
    pub async fn of(client: &Client, issuer: &str) -> Result<Self, IssuerError> {
        let at = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let url = Url::parse(&at).map_err(|_| IssuerError::NoDiscovery { at: at.clone() })?;
        let body = get(&url, client.get(url.clone())).await?;
        let at = shown(&url);
        let Ok(document) = serde_json::from_slice::<Self>(&body) else {
            return Err(IssuerError::NoDiscovery { at });
        };
        if document.issuer == issuer {
            Ok(document)
        } else {
            Err(IssuerError::OtherIssuer { at, other: document.issuer })
        }
    }

    /// Where its keys are.
    pub fn jwks(&self) -> Result<Url, IssuerError> {
        self.place("jwks_uri", &self.jwks_uri)
    }

    /// Where people are sent to sign in.
    pub fn authorization(&self) -> Result<Url, IssuerError> {
        self.needed("authorization_endpoint", self.authorization_endpoint.as_deref())
    }

    /// Where a code is exchanged for tokens.
    pub fn token(&self) -> Result<Url, IssuerError> {
        self.needed("token_endpoint", self.token_endpoint.as_deref())
    }

    /// Where it says more of a person, if it does.
    pub fn userinfo(&self) -> Result<Option<Url>, IssuerError> {
        self.userinfo_endpoint.as_deref().map(|named| self.place("userinfo_endpoint", named)).transpose()
    }

    /// Whether a client's secret goes into the body of a request, since the issuer takes no Basic.
    pub fn takes_secrets_in_bodies_alone(&self) -> bool {
        let takes = |name: &str| {
            // Basic is what is taken where nothing is said.
            let said = self.token_endpoint_auth_methods_supported.as_ref();
            said.map_or(name == "client_secret_basic", |all| all.iter().any(|method| method == name))
        };
        takes("client_secret_post") && !takes("client_secret_basic")
    }

    fn needed(&self, what: &'static str, named: Option<&str>) -> Result<Url, IssuerError> {
        let lacks = || IssuerError::Lacks { issuer: self.issuer.clone(), what };
        self.place(what, named.ok_or_else(lacks)?)
    }

    fn place(&self, what: &'static str, named: &str) -> Result<Url, IssuerError> {
        match Url::parse(named) {
            Ok(url) if is_protected(&url) => Ok(url),
            _ => Err(IssuerError::Unprotected { issuer: self.issuer.clone(), what, named: named.to_owned() }),
        }
    }
}

/// The keys that are published there now.
pub async fn keys(client: &Client, url: &Url) -> Result<KeySet, IssuerError> {
    let body = get(url, client.get(url.clone())).await?;
    KeySet::parse(&body).map_err(|cause| IssuerError::Keys { at: shown(url), cause })
}

/// The body of a good answer to a request of this address.
pub async fn get(url: &Url, request: RequestBuilder) -> Result<Vec<u8>, IssuerError> {
    let unreachable =
        |error: reqwest::Error| IssuerError::Unreachable { at: shown(url), cause: http::innermost(error) };
    let answer = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    if !status.is_success() {
        return Err(IssuerError::Refused { at: shown(url), status });
    }
    let body = http::body(answer, MAX_ANSWER).await.map_err(unreachable)?;
    body.ok_or_else(|| IssuerError::TooLarge { at: shown(url) })
}

/// The address without what may be secret in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_not_under_tls_comes_from_this_machine_alone() {
        for (url, protected) in [
            ("https://login.example.com/realm", true),
            ("http://localhost:8080", true),
            ("http://127.8.0.1", true),
            ("http://[::1]:80/", true),
            ("http://login.example.com", false),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
            ("file:///etc/keys", false),
            ("data:application/json,{}", false),
            ("javascript:alert(1)", false),
        ] {
            assert_eq!(is_protected(&Url::parse(url).unwrap()), protected, "{url}");
        }
    }

    fn document(changes: &Value) -> Discovery {
        let mut document =
            json!({ "issuer": "https://a.example.com", "jwks_uri": "https://a.example.com/jwks" });
        document.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn places_are_protected_and_said_which_is_not() {
        let bare = document(&json!({}));
        assert!(bare.jwks().is_ok() && bare.userinfo().unwrap().is_none());
        assert!(bare.token().unwrap_err().to_string().contains("has no `token_endpoint`"));
        let bad = document(&json!({
            "authorization_endpoint": "javascript:alert(1)", "token_endpoint": "http://a.example.com/token",
            "userinfo_endpoint": "userinfo",
        }));
        for (place, what) in [
            (bad.authorization().map(Some), "authorization_endpoint"),
            (bad.token().map(Some), "token_endpoint"),
            (bad.userinfo(), "userinfo_endpoint"),
        ] {
            let told = place.unwrap_err().to_string();
            assert!(told.contains(&format!("names a `{what}` at an address that is not https")), "{told}");
        }
    }

    #[test]
    fn a_secret_goes_into_the_body_only_where_basic_is_not_taken() {
        for (methods, in_body) in [
            (json!(null), false),
            (json!([]), false),
            (json!(["client_secret_basic", "client_secret_post"]), false),
            (json!(["client_secret_post", "private_key_jwt"]), true),
        ] {
            let document = document(&json!({ "token_endpoint_auth_methods_supported": methods }));
            assert_eq!(document.takes_secrets_in_bodies_alone(), in_body, "{methods}");
        }
    }
}
