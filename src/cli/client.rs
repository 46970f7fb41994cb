//! A client of a running server's admin API.

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{ETAG, HeaderMap, IF_MATCH};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Context, ExitCode, Failure};
use crate::app::config::{Http, Profile};
use crate::http::innermost;
use crate::kafka::tls;
use crate::manifest::from_document;
use crate::secret::Secret;
use crate::zone::PartnerZone;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a key's file; more is no key.
const LARGEST_KEY: u64 = 4096;

/// Which server to talk to, and who is talking.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Server {
    /// Server to talk to [env: RECONCILER_URL] [default: that of the profile, or http:// and `http.admin` of the configuration]
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,

    /// API key [env: RECONCILER_API_KEY] [default: that of the profile, or `http.bootstrapKeyFile` beside the server]
    #[arg(long, global = true, value_name = "KEY", value_parser = secret)]
    pub api_key: Option<Secret<String>>,

    /// A server of ~/.config/partner-zones/profiles.yaml [env: RECONCILER_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
}

impl Server {
    /// The profile that is asked for.
    fn profile_name<'n>(&'n self, context: &'n Context) -> Option<&'n str> {
        self.profile.as_deref().or_else(|| context.environment().get("RECONCILER_PROFILE"))
    }

    /// What it says; nothing without one.
    fn profile(&self, context: &Context) -> Result<Profile, Failure> {
        match self.profile_name(context) {
            None => Ok(Profile::default()),
            Some(name) => Profile::load(name, context.environment()).map_err(Failure::usage),
        }
    }

    /// Where it is, if anything but the configuration says so: the flag, the environment or the profile.
    pub fn named(&self, context: &Context) -> Result<Option<String>, Failure> {
        let named = self.url.as_deref().or_else(|| context.environment().get("RECONCILER_URL"));
        match named {
            Some(url) => Ok(Some(url.to_owned())),
            None => Ok(self.profile(context)?.url),
        }
    }

    /// Where it is and what opens it.
    fn access(&self, context: &Context) -> Result<Access, Failure> {
        let profile = self.profile(context)?;
        let variable = context.environment().get("RECONCILER_API_KEY");
        let given = self.api_key.clone().or_else(|| variable.map(|key| Secret::new(key.to_owned())));
        let given = match (given, &profile.api_key_file) {
            (None, Some(file)) => Some(KeyFile::OfProfile.read(file)?),
            (given, _) => given,
        };
        let (base, key) = if let Some(url) = self.named(context)? {
            (url.trim_end_matches('/').to_owned(), given)
        } else {
            let http = context.config()?.http;
            let key = match given {
                None if self.profile_name(context).is_none() => first_key(&http)?,
                given => given,
            };
            (format!("http://{}", http.admin), key)
        };
        let key = key.ok_or_else(|| Failure::usage("no API key was given").next(KEYS))?;
        Ok(Access { base, key, ca_file: profile.ca_file })
    }
}

const KEYS: &str = "pass --api-key, set RECONCILER_API_KEY, or name a file in a profile; the first admin key is in the file that \
                    `http.bootstrapKeyFile` names, on the node that led first";

/// What it takes to talk to a server.
#[derive(Debug)]
struct Access {
    base: String,
    key: Secret<String>,
    /// Authorities of its certificate beside the system's.
    ca_file: Option<PathBuf>,
}

/// Keeps the key out of clap's own debug output.
#[expect(clippy::unnecessary_wraps, reason = "clap's value parsers return a Result")]
fn secret(text: &str) -> Result<Secret<String>, Infallible> {
    Ok(Secret::new(text.to_owned()))
}

/// A zone that is to be written.
#[derive(Debug)]
pub struct Write<'a> {
    pub method: Method,
    pub path: &'a [&'a str],
    pub query: &'a [(&'a str, &'a str)],
    /// The entity tag of what the caller has seen.
    pub seen: Option<&'a str>,
    pub body: Option<&'a Value>,
}

#[derive(Debug)]
pub struct Client {
    base: String,
    key: Secret<String>,
    http: reqwest::Client,
    profile: Option<String>,
}

impl Client {
    pub fn new(server: &Server, context: &Context) -> Result<Self, Failure> {
        let Access { base, key, ca_file } = server.access(context)?;
        if !(base.starts_with("http://") || base.starts_with("https://")) {
            return Err(wrong_url(&base));
        }
        let mut http =
            reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        if let Some(file) = &ca_file {
            http = http.tls_certs_merge(authorities(file)?);
        }
        let http = http
            .build()
            .map_err(|error| Failure::internal(format!("cannot make an HTTP client: {error}")))?;
        Ok(Self { base, key, http, profile: server.profile.clone() })
    }

    /// The same server and key, for another command.
    pub fn server(&self) -> Server {
        Server {
            url: Some(self.base.clone()),
            api_key: Some(self.key.clone()),
            profile: self.profile.clone(),
        }
    }

    pub async fn get(&self, path: &[&str]) -> Result<Value, Failure> {
        self.call(Method::GET, path, None).await
    }

    /// With what stands behind the `?`.
    pub async fn get_with(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Failure> {
        let (status, text) = self.send(Method::GET, path, query, None).await?;
        self.understood(status, &text)
    }

    /// What is not JSON.
    pub async fn text(&self, path: &[&str], query: &[(&str, &str)]) -> Result<String, Failure> {
        let (status, text) = self.send(Method::GET, path, query, None).await?;
        if status.is_success() { Ok(text) } else { self.understood(status, &text).map(|_| text) }
    }

    pub async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn delete(&self, path: &[&str]) -> Result<Value, Failure> {
        self.call(Method::DELETE, path, None).await
    }

    pub async fn delete_with(&self, path: &[&str], body: &Value) -> Result<(), Failure> {
        self.call(Method::DELETE, path, Some(body)).await.map(drop)
    }

    pub async fn write(&self, write: Write<'_>) -> Result<Value, Failure> {
        let mut request = self.request(write.method, write.path, write.query, write.body)?;
        if let Some(seen) = write.seen {
            request = request.header(IF_MATCH, seen);
        }
        let (status, _, text) = self.exchange(request).await?;
        self.understood(status, &text)
    }

    /// With its entity tag.
    pub async fn get_tagged(&self, path: &[&str]) -> Result<(Value, Option<String>), Failure> {
        let (status, headers, text) = self.exchange(self.request(Method::GET, path, &[], None)?).await?;
        let tag = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        Ok((self.understood(status, &text)?, tag))
    }

    async fn call(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Value, Failure> {
        let (status, text) = self.send(method, path, &[], body).await?;
        self.understood(status, &text)
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<(StatusCode, String), Failure> {
        let (status, _, text) = self.exchange(self.request(method, path, query, body)?).await?;
        Ok((status, text))
    }

    /// `path` is what follows `/api/v1`, by segment: each is escaped.
    fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<RequestBuilder, Failure> {
        let mut url = reqwest::Url::parse(&self.base).map_err(|_| wrong_url(&self.base))?;
        url.path_segments_mut()
            .map_err(|()| wrong_url(&self.base))?
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url).bearer_auth(self.key.expose());
        Ok(match body {
            Some(body) => request.json(body),
            None => request,
        })
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<(StatusCode, HeaderMap, String), Failure> {
        let answer = request.send().await.map_err(|error| self.unreachable(error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.map_err(|error| self.unreachable(error))?;
        Ok((status, headers, text))
    }

    fn understood(&self, status: StatusCode, text: &str) -> Result<Value, Failure> {
        let value: Option<Value> =
            if text.is_empty() { Some(Value::Null) } else { serde_json::from_str(text).ok() };
        match value {
            Some(value) if status.is_success() => Ok(value),
            value => Err(self.refused(status, value.as_ref())),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let cause = innermost(error);
        let next = if cause.contains("certificate") {
            "if the certificate is right, name its authority as `caFile` in a profile"
        } else {
            "check that the server runs there (`http.admin`) and name another one with --url"
        };
        Failure::unreachable(format!("cannot reach {}: {cause}", self.base)).next(next)
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
        let has = |key: &str| problem.is_some_and(|problem| problem.get(key).is_some());
        let code = match status {
            _ if status.is_server_error() => ExitCode::Unreachable,
            _ if has("findings") => ExitCode::Findings,
            _ if has("reasons") => ExitCode::RefusedByGuard,
            _ => ExitCode::Usage,
        };
        let cause =
            [said.to_owned()].into_iter().chain(details(problem)).collect::<Vec<_>>().join("\n       ");
        let mut failure = Failure::new(code, cause);
        failure.holds_for_all |= status == StatusCode::UNAUTHORIZED;
        match status {
            _ if text("text").is_some() => {
                let (file, text) = (text("file").unwrap_or_default(), text("text").unwrap_or_default());
                failure.next(format!("commit this as {file}:\n{text}"))
            }
            // Of a file that holds more than this key may see.
            _ if text("document").is_some() => {
                failure.next(format!("have this put there:\n{}", text("document").unwrap_or_default()))
            }
            StatusCode::UNAUTHORIZED => failure.next(
                "check --api-key, RECONCILER_API_KEY, the profile's `apiKeyFile`, or the file of `http.bootstrapKeyFile`: where none of \
                 the others is given, its key is used",
            ),
            StatusCode::FORBIDDEN => failure.next("use a key of the role `admin`"),
            _ => failure,
        }
    }
}

/// What a problem says beyond its sentence: findings, and reasons of a guard with the ways out.
fn details(problem: Option<&Value>) -> Vec<String> {
    let list = |key: &str| problem.and_then(|problem| problem.get(key)).and_then(Value::as_array);
    let findings = list("findings").into_iter().flatten().map(|finding| {
        let text = |key: &str| finding.get(key).and_then(Value::as_str).unwrap_or_default();
        format!("{} {}: {}", text("place"), text("code"), text("message")).trim_start().to_owned()
    });
    let lines = ["reasons", "waysOut"].into_iter().filter_map(list).flatten().filter_map(Value::as_str);
    findings.chain(lines.map(str::to_owned)).collect()
}

/// The key that the server of the configuration here made for itself, if it lies here. It goes to this machine alone: a configuration
/// that somebody else wrote could name any address, and any file.
fn first_key(http: &Http) -> Result<Option<Secret<String>>, Failure> {
    let (address, file) = (http.admin.ip(), &http.bootstrap_key_file);
    if (address.is_loopback() || address.is_unspecified()) && file.exists() {
        return KeyFile::First.read(file).map(Some);
    }
    Ok(None)
}

/// A file that holds an API key, which only some may read.
#[derive(Debug, Clone, Copy)]
enum KeyFile {
    OfProfile,
    /// The server's own, which it gave to its owner alone.
    First,
}

impl KeyFile {
    fn read(self, path: &Path) -> Result<Secret<String>, Failure> {
        let (others, readers, next) = match self {
            Self::OfProfile => (0o007, "owner and group", "correct `apiKeyFile` of the profile"),
            Self::First => {
                (0o077, "owner", "correct the file of `http.bootstrapKeyFile`, or give a key by --api-key")
            }
        };
        let failed = |cause: &dyn fmt::Display| {
            Failure::usage(format!("the API key in {} {cause}", path.display())).next(next)
        };
        let unreadable = |error: io::Error| failed(&format!("cannot be read: {error}"));
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
        if mode & others != 0 {
            return Err(failed(&format!(
                "may be read or written by others than its {readers} (mode {mode:o}): chmod 600"
            )));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(LARGEST_KEY).read_to_string(&mut text).map_err(unreadable)?;
        match text.trim() {
            "" => Err(failed(&"is empty")),
            key => Ok(Secret::new(key.to_owned())),
        }
    }
}

/// The authorities of a profile's file.
fn authorities(path: &Path) -> Result<Vec<reqwest::Certificate>, Failure> {
    let failed = |cause: &dyn fmt::Display| {
        Failure::usage(cause).next("correct `caFile` of the profile: certificates in PEM form")
    };
    let certificates = tls::certificates(path).map_err(|error| failed(&error))?;
    let read = certificates.iter().map(|certificate| reqwest::Certificate::from_der(certificate));
    read.collect::<Result<_, _>>().map_err(|error| failed(&error))
}

/// The zone in what the API shows of it, which is its written form and how it stands.
pub(super) fn written_form(mut shown: Value) -> Result<PartnerZone, Failure> {
    if let Some(members) = shown.as_object_mut() {
        members.remove("status");
    }
    from_document(&shown).map_err(Failure::internal)
}

fn wrong_url(base: &str) -> Failure {
    Failure::usage(format!("`{base}` is no address of a server")).next("write it as http://host:port")
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::app::config::Environment;

    /// A folder as a server leaves it that listens at `admin`.
    fn beside_a_server(admin: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let (config, key) = (folder.path().join("reconciler.yaml"), folder.path().join("api-key"));
        let http = format!("http: {{admin: '{admin}', bootstrapKeyFile: '{}'}}\n", key.display());
        fs::write(config, http).unwrap();
        fs::write(&key, "pzk_a_first\n").unwrap();
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        folder
    }

    /// The address and the key by which a command there asks.
    fn asked<const N: usize>(
        folder: &Path,
        server: &Server,
        variables: [(&str, &str); N],
    ) -> Result<(String, String), Failure> {
        let config_file = Some(folder.join("reconciler.yaml"));
        let context = Context { config_file, environment: Environment::from(variables) };
        server.access(&context).map(|access| (access.base, access.key.expose().clone()))
    }

    #[test]
    fn beside_a_server_its_first_key_opens_it_and_none_other() {
        let folder = beside_a_server("127.0.0.1:8081");
        let here = |key: &str| ("http://127.0.0.1:8081".to_owned(), key.to_owned());
        assert_eq!(asked(folder.path(), &Server::default(), []).unwrap(), here("pzk_a_first"));
        let variable = [("RECONCILER_API_KEY", "pzk_a_variable")];
        assert_eq!(asked(folder.path(), &Server::default(), variable).unwrap(), here("pzk_a_variable"));
        let flag = Server { api_key: Some(Secret::new("pzk_a_flag".to_owned())), ..Server::default() };
        assert_eq!(asked(folder.path(), &flag, variable).unwrap(), here("pzk_a_flag"));

        // Who names a server or a profile has its key, too.
        let profiles = folder.path().join("partner-zones");
        fs::create_dir(&profiles).unwrap();
        fs::write(profiles.join("profiles.yaml"), "here: {caFile: ca.pem}\n").unwrap();
        let home = ("XDG_CONFIG_HOME", folder.path().to_str().unwrap());
        let url = Server { url: Some("http://127.0.0.1:8081".to_owned()), ..Server::default() };
        let profile = Server { profile: Some("here".to_owned()), ..Server::default() };
        for refused in [
            asked(folder.path(), &url, []),
            asked(folder.path(), &Server::default(), [("RECONCILER_URL", "http://127.0.0.1:8081")]),
            asked(folder.path(), &profile, [home]),
            asked(folder.path(), &Server::default(), [home, ("RECONCILER_PROFILE", "here")]),
            asked(beside_a_server("192.0.2.1:8081").path(), &Server::default(), []),
        ] {
            assert_eq!(refused.unwrap_err().cause, "no API key was given");
        }
    }

    #[test]
    fn the_first_key_is_taken_only_from_a_file_of_its_owner_alone() {
        let folder = beside_a_server("0.0.0.0:8081");
        let key = folder.path().join("api-key");
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
            let refused = asked(folder.path(), &Server::default(), []).unwrap_err().to_string();
            assert!(refused.contains("chmod 600") && !refused.contains("pzk_"), "{refused}");
        }
        // The group may read a profile's.
        fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(KeyFile::OfProfile.read(&key).unwrap().expose(), "pzk_a_first");
        fs::remove_file(&key).unwrap();
        let missing = asked(folder.path(), &Server::default(), []).unwrap_err();
        assert_eq!(missing.cause, "no API key was given");
    }
}
