//! What the issuer has published, asked for when it is needed and kept for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Client, Url};
use tokio::sync::Mutex;

use super::OpenIdConfig;
use crate::issuer::{self, Discovery, IssuerError};
use crate::policy::token::KeySet;

/// How often the issuer is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// How long an answer counts: a key that is gone there goes on for as long here.
    pub answer: Duration,
    /// Between two questions because a token names a key that is not known: whoever brings tokens at random is no burden to the issuer.
    pub unknown_key: Duration,
    /// After a question that was not answered, everybody is told so without another one.
    pub pause: Duration,
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            answer: Duration::from_mins(10),
            unknown_key: Duration::from_secs(30),
            pause: Duration::from_secs(5),
        }
    }
}

/// One answer, whole.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) userinfo: Option<Url>,
    pub(super) secret_in_body: bool,
    pub(super) keys: KeySet,
    at: Instant,
}

/// The last one. Who asks holds the lock, so that the others wait for the same answer.
#[derive(Debug, Default)]
pub(super) struct Publisher(Mutex<Last>);

#[derive(Debug, Default)]
struct Last {
    published: Option<Arc<Published>>,
    failed: Option<Instant>,
}

/// The issuer does not answer; the log has said why.
#[derive(Debug)]
pub(super) struct Away;

impl Publisher {
    /// What is published now, or was a while ago.
    pub(super) async fn published(&self, config: &OpenIdConfig) -> Result<Arc<Published>, Away> {
        let mut last = self.0.lock().await;
        match &last.published {
            Some(published) if published.at.elapsed() < config.freshness.answer => Ok(Arc::clone(published)),
            _ => last.ask(config).await,
        }
    }

    /// What is published beyond `seen`, which lacks a key. The same again if it was asked for a moment ago, or is not to be had.
    pub(super) async fn beyond(&self, config: &OpenIdConfig, seen: Arc<Published>) -> Arc<Published> {
        let mut last = self.0.lock().await;
        match &last.published {
            Some(published) if !Arc::ptr_eq(published, &seen) => Arc::clone(published),
            _ if seen.at.elapsed() < config.freshness.unknown_key => seen,
            _ => last.ask(config).await.unwrap_or(seen),
        }
    }
}

impl Last {
    async fn ask(&mut self, config: &OpenIdConfig) -> Result<Arc<Published>, Away> {
        if self.failed.is_some_and(|failed| failed.elapsed() < config.freshness.pause) {
            return Err(Away);
        }
        match fetch(config).await {
            Ok(published) => {
                let published = Arc::new(published);
                *self = Self { published: Some(Arc::clone(&published)), failed: None };
                Ok(published)
            }
            Err(error) => {
                tracing::warn!(issuer = config.issuer, %error, "nobody can sign in by the issuer: it cannot be asked");
                self.failed = Some(Instant::now());
                Err(Away)
            }
        }
    }
}

async fn fetch(config: &OpenIdConfig) -> Result<Published, IssuerError> {
    let client: Client = issuer::client(config.ca_file.as_deref())?;
    let discovery = Discovery::of(&client, &config.issuer).await?;
    Ok(Published {
        authorization: discovery.authorization()?,
        token: discovery.token()?,
        userinfo: discovery.userinfo()?,
        secret_in_body: discovery.takes_secrets_in_bodies_alone(),
        keys: issuer::keys(&client, &discovery.jwks()?).await?,
        at: Instant::now(),
    })
}
