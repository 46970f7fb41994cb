//! A client of a running server's admin API.

use std::convert::Infallible;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{Context, ExitCode, Failure};
use crate::http::innermost;
use crate::secret::Secret;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Which server to talk to, and who is talking.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Server {
    /// Server to talk to [env: RECONCILER_URL] [default: http:// and `http.admin` of the configuration]
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,

    /// API key [env: RECONCILER_API_KEY]
    #[arg(long, global = true, value_name = "KEY", value_parser = secret)]
    pub api_key: Option<Secret<String>>,
}

/// Keeps the key out of clap's own debug output.
#[expect(clippy::unnecessary_wraps, reason = "clap's value parsers return a Result")]
fn secret(text: &str) -> Result<Secret<String>, Infallible> {
    Ok(Secret::new(text.to_owned()))
}

#[derive(Debug)]
pub struct Client {
    base: String,
    key: Secret<String>,
    http: reqwest::Client,
}

impl Client {
    pub fn new(server: &Server, context: &Context) -> Result<Self, Failure> {
        let variable = |name: &str| context.environment.get(name).map(str::to_owned);
        let base = match server.url.clone().or_else(|| variable("RECONCILER_URL")) {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", context.config()?.http.admin),
        };
        let given = server.api_key.clone();
        let key = given.or_else(|| variable("RECONCILER_API_KEY").map(Secret::new)).ok_or_else(|| {
            Failure::usage("no API key was given").next(
                "pass --api-key or set RECONCILER_API_KEY; the first admin key is in the file that \
                 `http.bootstrapKeyFile` names, on the node that led first",
            )
        })?;
        if !(base.starts_with("http://") || base.starts_with("https://")) {
            return Err(wrong_url(&base));
        }
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Failure::internal(format!("cannot make an HTTP client: {error}")))?;
        Ok(Self { base, key, http })
    }

    /// The same server and key, for another command.
    pub fn server(&self) -> Server {
        Server { url: Some(self.base.clone()), api_key: Some(self.key.clone()) }
    }

    pub async fn get(&self, path: &[&str]) -> Result<Value, Failure> {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn delete(&self, path: &[&str]) -> Result<(), Failure> {
        self.call(Method::DELETE, path, None).await.map(drop)
    }

    pub async fn delete_with(&self, path: &[&str], body: &Value) -> Result<(), Failure> {
        self.call(Method::DELETE, path, Some(body)).await.map(drop)
    }

    /// `path` is what follows `/api/v1`, by segment: each is escaped.
    async fn call(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Value, Failure> {
        let mut url = reqwest::Url::parse(&self.base).map_err(|_| wrong_url(&self.base))?;
        url.path_segments_mut()
            .map_err(|()| wrong_url(&self.base))?
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(path);
        let mut request = self.http.request(method, url).bearer_auth(self.key.expose());
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| self.unreachable(error))?;
        let value: Option<Value> =
            if text.is_empty() { Some(Value::Null) } else { serde_json::from_str(&text).ok() };
        match value {
            Some(value) if status.is_success() => Ok(value),
            value => Err(self.refused(status, value.as_ref())),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let cause = innermost(error);
        Failure::unreachable(format!("cannot reach {}: {cause}", self.base))
            .next("check that the server runs there (`http.admin`) and name another one with --url")
    }

    fn refused(&self, status: StatusCode, problem: Option<&Value>) -> Failure {
        let text = |key: &str| problem.and_then(|p| p.get(key)).and_then(Value::as_str);
        let Some(said) = text("detail").or_else(|| text("title")) else {
            return Failure::unreachable(format!(
                "{} answered {status}, which is not this program's API",
                self.base
            ))
            .next("check --url: it names the admin address, without a path");
        };
        let code = if status.is_server_error() { ExitCode::Unreachable } else { ExitCode::Usage };
        let failure = Failure::new(code, said);
        match status {
            StatusCode::UNAUTHORIZED => failure.next("check --api-key or RECONCILER_API_KEY"),
            StatusCode::FORBIDDEN => failure.next("use a key of the role `admin`"),
            _ => failure,
        }
    }
}

fn wrong_url(base: &str) -> Failure {
    Failure::usage(format!("`{base}` is no address of a server")).next("write it as http://host:port")
}
