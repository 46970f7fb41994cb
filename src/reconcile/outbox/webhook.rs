//! Notices to an address of the operator's choice, signed.

use std::path::PathBuf;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{StatusCode, Url};
use serde_json::json;
use sha2::Sha256;
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::reconcile::digest::hex;
use crate::reconcile::outward;
use crate::zone::{Notice, Revision, ZoneName};

const TIME_LIMIT: Duration = Duration::from_secs(10);
/// A shorter secret can be guessed.
const MIN_SECRET_BYTES: usize = 16;

/// `notify.webhook` of the configuration.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    pub url: String,
    /// The key of the signature. Read anew for every post, so that it can be replaced.
    pub secret_file: PathBuf,
}

/// Why a notice was not taken. Closed set: each is one label of a metric.
#[derive(Debug, Error)]
pub enum WebhookError {
    #[error("`notify.webhook.url` cannot be used: write an https address without a login in it")]
    Url,
    #[error("the secret in {file} cannot be used: {cause}")]
    Secret { file: String, cause: String },
    #[error("the webhook's host {host} cannot be reached")]
    Unreachable { host: String },
    #[error("the webhook's host {host} answers with {status}")]
    Refused { host: String, status: StatusCode },
}

impl WebhookError {
    /// One word for metrics and logs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Url => "Configuration",
            Self::Secret { .. } => "Secret",
            Self::Unreachable { .. } => "Unreachable",
            Self::Refused { .. } => "Refused",
        }
    }
}

/// Posts notices. The address may hold a token in its path, so it is shown nowhere; only its host is.
pub struct Webhook {
    url: Url,
    host: String,
    secret_file: PathBuf,
    http: reqwest::Client,
}

impl Webhook {
    pub fn new(config: WebhookConfig) -> Result<Self, WebhookError> {
        let (url, host) = outward::address(&config.url).ok_or(WebhookError::Url)?;
        let http = outward::client(TIME_LIMIT).map_err(|_| WebhookError::Url)?;
        Ok(Self { url, host, secret_file: config.secret_file, http })
    }

    /// Posts a notice under its letter's id, which tells the receiver two deliveries of one notice from two notices. The header
    /// `X-Signature` is `sha256=` and the hex HMAC-SHA256 of the body.
    pub(super) async fn post(
        &self,
        id: &str,
        notice: &Notice,
        at: OffsetDateTime,
    ) -> Result<(), WebhookError> {
        let body = body(id, notice, at);
        let signature = self.signature(body.as_bytes())?;
        let request = self
            .http
            .post(self.url.clone())
            .header("Content-Type", "application/json")
            .header("X-Signature", format!("sha256={signature}"))
            .body(body);
        let answer =
            request.send().await.map_err(|_| WebhookError::Unreachable { host: self.host.clone() })?;
        let status = answer.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(WebhookError::Refused { host: self.host.clone(), status })
        }
    }

    fn signature(&self, body: &[u8]) -> Result<String, WebhookError> {
        let file = || self.secret_file.display().to_string();
        let unusable = |cause: String| WebhookError::Secret { file: file(), cause };
        let content = outward::secret(&self.secret_file).map_err(unusable)?;
        let secret = content.trim_ascii();
        if secret.len() < MIN_SECRET_BYTES {
            return Err(unusable(format!("it is shorter than {MIN_SECRET_BYTES} bytes")));
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(secret)
            .map_err(|_| unusable("it is no key for HMAC".to_owned()))?;
        mac.update(body);
        Ok(hex(&mac.finalize().into_bytes()))
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("host", &self.host).finish_non_exhaustive()
    }
}

fn body(id: &str, notice: &Notice, at: OffsetDateTime) -> String {
    json!({
        "id": id,
        "zone": notice.zone.as_ref().map(ZoneName::as_str),
        "reason": notice.reason,
        "revision": notice.revision.as_ref().map(Revision::as_str),
        "urgency": notice.urgency.as_str(),
        "message": notice.message,
        "at": at.format(&Rfc3339).ok(),
    })
    .to_string()
}
