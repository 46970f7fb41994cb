//! GitHub and GitLab, as far as a reconciler speaks to them: a status on a commit, and one comment on a pull request, which is edited
//! in place.
//!
//! Posts are repeatable: the same status again changes nothing, and the comment is found by its author, which is us, and by the marker
//! that its text begins with.
//! Nothing that a forge answers is shown to anybody but its number and the status of HTTP.

mod call;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{StatusCode, Url};
use serde_json::Value;
use thiserror::Error;

use self::call::Call;
use super::outward;
use crate::http;
use crate::zone::CommitStatus;

/// For one request.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// Largest answer: a hundred comments of the largest size.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Comments that are looked through, a hundred a page. The sticky one is among the first: it is made by the first run.
const MAX_PAGES: u32 = 20;

/// Whose API it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgeKind {
    /// github.com, or GitHub Enterprise Server.
    GitHub,
    /// gitlab.com, or one of one's own.
    GitLab,
}

impl ForgeKind {
    /// Where its API is if nothing else is said.
    pub fn default_url(self) -> &'static str {
        match self {
            Self::GitHub => "https://api.github.com",
            Self::GitLab => "https://gitlab.com/api/v4",
        }
    }
}

/// `forge` of the configuration.
#[derive(Debug, Clone)]
pub struct ForgeConfig {
    pub kind: ForgeKind,
    /// Of the API.
    pub url: String,
    /// `owner/name`; on GitLab with all groups in front.
    pub repository: String,
    /// Read anew for every request, so that a token can be replaced.
    pub token_file: PathBuf,
}

/// Why a post was not made. Closed set: each is one label of a metric.
#[derive(Debug, Error)]
pub enum ForgeError {
    #[error("`forge.url` {0:?} cannot be used: write an https address")]
    Url(String),
    #[error("`forge.repository` {0:?} is no `owner/name`")]
    Repository(String),
    #[error("the token in {file} cannot be used: {cause}")]
    Token { file: String, cause: String },
    #[error("{host} cannot be reached: {cause}")]
    Unreachable { host: String, cause: String },
    #[error("{host} refuses with {status}{}", hint(*status))]
    Refused { host: String, status: StatusCode },
    #[error("{host} answered with something that its API does not describe")]
    Answer { host: String },
}

impl ForgeError {
    /// One word for metrics and logs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Url(_) | Self::Repository(_) => "Configuration",
            Self::Token { .. } => "Token",
            Self::Unreachable { .. } => "Unreachable",
            Self::Refused { .. } => "Refused",
            Self::Answer { .. } => "Answer",
        }
    }

    /// Whether trying again can help without anybody doing something.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Answer { .. } => true,
            Self::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Url(_) | Self::Repository(_) | Self::Token { .. } => false,
        }
    }
}

fn hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => ": the token is wrong or has expired",
        StatusCode::FORBIDDEN => {
            ": the token may not do this; it needs to write commit statuses and comments"
        }
        StatusCode::NOT_FOUND => {
            ": the repository, commit or pull request is not there, or the token may not see it"
        }
        _ => "",
    }
}

/// Whose comments are ours. Anybody can write one that begins with our marker, and what its author may change nobody should read.
#[derive(Debug, Clone, Copy)]
enum Author {
    /// The token's own account.
    Account(u64),
    /// The token of an app or of a job on GitHub, which may not ask whose it is: it writes as a bot.
    Bot,
}

impl Author {
    fn wrote(self, kind: ForgeKind, comment: &Value) -> bool {
        let writer = comment.get(match kind {
            ForgeKind::GitHub => "user",
            ForgeKind::GitLab => "author",
        });
        let Some(writer) = writer else { return false };
        match self {
            Self::Account(id) => writer["id"].as_u64() == Some(id),
            Self::Bot => writer["type"].as_str() == Some("Bot"),
        }
    }
}

/// A client of one repository's forge.
#[derive(Debug)]
pub struct Forge {
    config: ForgeConfig,
    base: Url,
    host: String,
    http: reqwest::Client,
}

impl Forge {
    pub fn new(config: ForgeConfig) -> Result<Self, ForgeError> {
        let wrong = || ForgeError::Url(config.url.clone());
        let (base, host) = outward::address(&config.url).ok_or_else(wrong)?;
        let parts = config.repository.split('/').collect::<Vec<_>>();
        let is_plain = |part: &&str| !part.is_empty() && !matches!(*part, "." | "..");
        if parts.len() < 2 || !parts.iter().all(is_plain) {
            return Err(ForgeError::Repository(config.repository));
        }
        let http = outward::client(TIME_LIMIT)
            .map_err(|error| ForgeError::Unreachable { host: host.clone(), cause: http::innermost(error) })?;
        Ok(Self { config, base, host, http })
    }

    /// Puts a status on a commit. It takes the place of the one put there before.
    pub async fn set_status(&self, status: &CommitStatus) -> Result<(), ForgeError> {
        self.send(&call::status(self.config.kind, &self.config.repository, status)).await.map(drop)
    }

    /// Makes the comment of a pull request that begins with `marker` say `text`, which begins with it too.
    pub async fn put_comment(&self, pull: u64, marker: &str, text: &str) -> Result<(), ForgeError> {
        let (kind, repository) = (self.config.kind, &self.config.repository);
        if let Some(comment) = self.comment(pull, marker).await? {
            let edited = self.send(&call::edit(kind, repository, pull, comment, text)).await;
            // Gone meanwhile, or another bot's that began with our marker: a new one it is.
            let Err(ForgeError::Refused { status: StatusCode::NOT_FOUND | StatusCode::FORBIDDEN, .. }) =
                edited
            else {
                return edited.map(drop);
            };
        }
        self.send(&call::comment(kind, repository, pull, text)).await.map(drop)
    }

    /// The number of our first comment that begins with `marker`.
    async fn comment(&self, pull: u64, marker: &str) -> Result<Option<u64>, ForgeError> {
        let author = self.author().await?;
        for page in 1..=MAX_PAGES {
            let listed =
                self.send(&call::comments(self.config.kind, &self.config.repository, pull, page)).await?;
            let listed = listed.as_array().ok_or_else(|| self.strange())?;
            let begins =
                |comment: &Value| comment["body"].as_str().is_some_and(|body| body.starts_with(marker));
            let sticky = |comment: &&Value| author.wrote(self.config.kind, comment) && begins(comment);
            if let Some(found) = listed.iter().find(sticky) {
                return found["id"].as_u64().map(Some).ok_or_else(|| self.strange());
            }
            if listed.len() < call::PAGE {
                break;
            }
        }
        Ok(None)
    }

    async fn author(&self) -> Result<Author, ForgeError> {
        match self.send(&call::account()).await {
            Ok(account) => {
                account.get("id").and_then(Value::as_u64).map(Author::Account).ok_or_else(|| self.strange())
            }
            Err(ForgeError::Refused { status: StatusCode::FORBIDDEN, .. })
                if self.config.kind == ForgeKind::GitHub =>
            {
                Ok(Author::Bot)
            }
            Err(error) => Err(error),
        }
    }

    async fn send(&self, call: &Call) -> Result<Value, ForgeError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| ForgeError::Url(self.config.url.clone()))?
            .pop_if_empty()
            .extend(&call.path);
        url.query_pairs_mut().extend_pairs(&call.query);
        if call.query.is_empty() {
            url.set_query(None);
        }
        let mut request = self.http.request(call.method.clone(), url).bearer_auth(self.token()?);
        if self.config.kind == ForgeKind::GitHub {
            request = request
                .header("Accept", "application/vnd.github+json")
                .header("X-GitHub-Api-Version", "2022-11-28");
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(ForgeError::Refused { host: self.host.clone(), status });
        }
        let body = http::body(answer, MAX_ANSWER_BYTES).await.map_err(|error| self.unreachable(error))?;
        serde_json::from_slice(&body.ok_or_else(|| self.strange())?).map_err(|_| self.strange())
    }

    fn token(&self) -> Result<String, ForgeError> {
        let unusable =
            |cause: String| ForgeError::Token { file: self.config.token_file.display().to_string(), cause };
        let content = outward::secret(&self.config.token_file).map_err(unusable)?;
        let token = String::from_utf8(content).unwrap_or_default().trim().to_owned();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unusable("it is to hold one line of printable ASCII".to_owned()));
        }
        Ok(token)
    }

    fn unreachable(&self, error: reqwest::Error) -> ForgeError {
        ForgeError::Unreachable { host: self.host.clone(), cause: http::innermost(error) }
    }

    fn strange(&self) -> ForgeError {
        ForgeError::Answer { host: self.host.clone() }
    }
}
