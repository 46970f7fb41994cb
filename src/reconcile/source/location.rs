//! Which repositories may be read at all, and how their addresses are shown.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// As forges have it.
const DEFAULT_USER: &str = "git";

/// Where a repository is: an address, or a path on this machine.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// May name a user, never a password.
    Https(String),
    Ssh(SshAddress),
    Local(PathBuf),
}

/// `ssh://user@host:port/path`, or `user@host:path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAddress {
    pub user: String,
    pub host: String,
    pub port: u16,
    /// Without a leading slash it is one from the user's home folder.
    pub path: String,
}

/// Why an address, ref or path of the configuration cannot be used. A usage error: no retry helps.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LocationError {
    #[error("source.url is empty: give an https address or the path of a repository")]
    Empty,
    #[error("source.url starts with `-`, which no address does")]
    Option,
    #[error("source.url `{0}` is no ssh address: wanted is ssh://git@host/path or git@host:path")]
    Ssh(String),
    #[error("source.url `{0}` is not protected on its way: use https or ssh")]
    Unprotected(String),
    #[error("source.url `{0}` names a transport that is never used: use https, ssh or a plain path")]
    Transport(String),
    #[error(
        "source.url for `{0}` holds a password: put it into a file, and name that in source.auth.tokenFile; \
         whoever has seen this address has the password"
    )]
    Password(String),
    #[error("source.url uses ssh, which needs source.auth.{0}")]
    SshNeeds(&'static str),
    #[error("source.auth.{key} has no effect: source.url does not use {transport}")]
    NoEffect { key: &'static str, transport: &'static str },
    #[error("source.ref `{0}` is not a full ref name: write refs/heads/{0}")]
    ShortRef(String),
    #[error("source.ref {0:?} is not a legal ref name")]
    Ref(String),
    #[error("source.path {0:?} must be a folder or a glob inside the repository, without `..`")]
    Path(String),
    #[error("source.path {0:?} would take in everything: name folders, or spell the whole repository `.`")]
    Everything(String),
    #[error("source.path {0:?} is a glob, and those name files: end it with `.yaml`")]
    GlobOfFiles(String),
    #[error("source.exclude {0:?} would leave nothing")]
    ExcludesAll(String),
    #[error("source.path or source.exclude: {0}")]
    Glob(String),
}

impl Location {
    pub fn parse(url: &str) -> Result<Self, LocationError> {
        if url.is_empty() {
            return Err(LocationError::Empty);
        }
        if url.starts_with('-') {
            return Err(LocationError::Option);
        }
        // `ext::sh -c …` and its like run programs.
        if url.split_once("::").is_some_and(|(helper, _)| !helper.contains('/')) {
            return Err(LocationError::Transport(redact(url)));
        }
        match url.split_once("://") {
            Some(("https", rest)) if has_password(rest) => Err(LocationError::Password(redact(url))),
            Some(("https", _)) => Ok(Self::Https(url.to_owned())),
            Some(("ssh" | "git+ssh" | "ssh+git", rest)) if has_password(rest) => {
                Err(LocationError::Password(redact(url)))
            }
            Some(("ssh" | "git+ssh" | "ssh+git", rest)) => {
                ssh_url(rest).map(Self::Ssh).ok_or_else(|| LocationError::Ssh(redact(url)))
            }
            Some(("http" | "git", _)) => Err(LocationError::Unprotected(redact(url))),
            Some(_) => Err(LocationError::Transport(redact(url))),
            None if is_scp_like(url) => {
                scp_like(url).map(Self::Ssh).ok_or_else(|| LocationError::Ssh(redact(url)))
            }
            None => Ok(Self::Local(PathBuf::from(url))),
        }
    }

    pub fn local(&self) -> Option<&Path> {
        match self {
            Self::Https(_) | Self::Ssh(_) => None,
            Self::Local(path) => Some(path),
        }
    }
}

/// What is behind `ssh://`.
fn ssh_url(rest: &str) -> Option<SshAddress> {
    let (authority, path) = rest.split_at(rest.find('/')?);
    let (user, server) = authority.rsplit_once('@').unwrap_or((DEFAULT_USER, authority));
    let (host, port) = match server.rsplit_once(':') {
        // An IPv6 address without a port ends with its bracket.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|port| *port > 0)?),
        _ => (server, 22),
    };
    address(user, host.trim_start_matches('[').trim_end_matches(']'), port, path)
}

fn scp_like(url: &str) -> Option<SshAddress> {
    let (server, path) = url.split_once(':')?;
    let (user, host) = server.rsplit_once('@').unwrap_or((DEFAULT_USER, server));
    address(user, host, 22, path)
}

/// Nothing in it reads as an option or ends a word on the way to the other side.
fn address(user: &str, host: &str, port: u16, path: &str) -> Option<SshAddress> {
    let is_plain = |text: &str, more: &[char]| {
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c) || more.contains(&c);
        !text.is_empty() && !text.starts_with('-') && text.chars().all(legal)
    };
    let is_path =
        path.len() > 1 && !path.starts_with('-') && path.chars().all(|c| !c.is_control() && c != '\'');
    (is_plain(user, &[]) && is_plain(host, &[':']) && is_path).then(|| SshAddress {
        user: user.to_owned(),
        host: host.to_owned(),
        port,
        path: path.to_owned(),
    })
}

/// Whether the user information, in front of the last `@` of the authority, has a second part.
fn has_password(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains([':', '@']))
}

/// `host:path` or `user@host:path`, as git reads it: a colon before the first slash.
fn is_scp_like(url: &str) -> bool {
    url.split('/').next().is_some_and(|first| first.contains(':'))
}

/// Without what could be a credential: user information and query.
pub(super) fn redact(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{host}{path}")
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Https(url) => f.write_str(&redact(url)),
            Self::Ssh(SshAddress { host, port: 22, path, .. }) => write!(f, "{host}:{path}"),
            Self::Ssh(SshAddress { host, port, path, .. }) => write!(f, "[{host}]:{port}:{path}"),
            Self::Local(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

/// A fully qualified ref: a branch and a tag of the same name are never confused, and the server need not be searched.
pub(super) fn check_ref(reference: &str) -> Result<(), LocationError> {
    if reference.starts_with("refs/") && git2::Reference::is_valid_name(reference) {
        Ok(())
    } else if git2::Reference::is_valid_name(&format!("refs/heads/{reference}"))
        && !reference.starts_with(['-', '+'])
    {
        Err(LocationError::ShortRef(reference.to_owned()))
    } else {
        Err(LocationError::Ref(reference.to_owned()))
    }
}

/// A path or glob inside the repository, without a leading `./` or trailing `/`; empty is the root.
pub(super) fn inner_path(path: &str) -> Result<String, LocationError> {
    let refused = || LocationError::Path(path.to_owned());
    if path.is_empty() || path.starts_with('/') || path.contains(['\\', '\0']) {
        return Err(refused());
    }
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") { Err(refused()) } else { Ok(parts.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_and_plain_paths_are_taken() {
        assert!(matches!(Location::parse("https://git.example.com/zones.git"), Ok(Location::Https(_))));
        for path in ["/srv/git/zones.git", "./zones.git", "zones.git", "../zones", "/srv/a:b"] {
            assert!(matches!(Location::parse(path), Ok(Location::Local(_))), "{path}");
        }
    }

    #[test]
    fn transports_that_run_programs_or_leave_the_rules_are_refused() {
        for url in ["ext::sh -c touch% /tmp/x", "file:///etc", "ftp://h/x", "fd::17", "x::https://h/y"] {
            assert!(matches!(Location::parse(url), Err(LocationError::Transport(_))), "{url}");
        }
        for url in [
            "ssh://h",
            "ssh://-oProxyCommand=x/y",
            "ssh://-u@h/x",
            "git@-h:x",
            "git@h:-x",
            "ssh://git@h:0/x",
            "h:",
            "a b@h:x",
            "ssh://h/it's",
        ] {
            assert!(matches!(Location::parse(url), Err(LocationError::Ssh(_))), "{url}");
        }
        assert!(matches!(Location::parse("http://h/x"), Err(LocationError::Unprotected(_))));
        assert_eq!(Location::parse("--upload-pack=touch"), Err(LocationError::Option));
        assert_eq!(Location::parse(""), Err(LocationError::Empty));
    }

    #[test]
    fn no_message_shows_a_credential() {
        for url in ["https://bot:hunter2@git.example.com/z.git?token=hunter2", "https://bot:hunt@hunter2@h/z"]
        {
            let refused = Location::parse(url).unwrap_err();
            assert!(
                matches!(refused, LocationError::Password(_)) && !refused.to_string().contains("hunt"),
                "{refused}"
            );
        }
        let location = Location::parse("https://bot@git.example.com/z.git?token=hunter2").unwrap();
        assert_eq!(location.to_string(), "https://git.example.com/z.git");
        assert!(!format!("{location:?}").contains("hunter2"));
        let refused = Location::parse("ssh://bot:hunter2@h/z").unwrap_err().to_string();
        assert!(!refused.contains("hunter2"), "{refused}");
    }

    #[test]
    fn both_forms_of_ssh_addresses_are_taken() {
        let ssh = |url: &str| match Location::parse(url) {
            Ok(Location::Ssh(SshAddress { user, host, port, path })) => (user, host, port, path),
            other => panic!("{url}: {other:?}"),
        };
        let wanted = |user: &str, host: &str, port: u16, path: &str| {
            (user.to_owned(), host.to_owned(), port, path.to_owned())
        };
        assert_eq!(ssh("git@h.example:a/b.git"), wanted("git", "h.example", 22, "a/b.git"));
        assert_eq!(ssh("h:/srv/b.git"), wanted("git", "h", 22, "/srv/b.git"));
        assert_eq!(ssh("ssh://bot@h:2222/a/b.git"), wanted("bot", "h", 2222, "/a/b.git"));
        assert_eq!(ssh("ssh://[::1]/b"), wanted("git", "::1", 22, "/b"));
        assert_eq!(ssh("ssh://[::1]:2222/b"), wanted("git", "::1", 2222, "/b"));
        assert_eq!(Location::parse("ssh://git@h:2222/b").unwrap().to_string(), "[h]:2222:/b");
    }

    #[test]
    fn a_ref_is_fully_qualified() {
        assert_eq!(check_ref("refs/heads/main"), Ok(()));
        assert_eq!(check_ref("main"), Err(LocationError::ShortRef("main".to_owned())));
        for bad in ["", "-x", "refs/heads/a b", "refs/heads/..", "refs/heads/x:y", "+refs/heads/x"] {
            assert!(check_ref(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_stays_inside_the_repository() {
        assert_eq!(inner_path(".").unwrap(), "");
        assert_eq!(inner_path("./a//b/").unwrap(), "a/b");
        for bad in ["", "/etc", "..", "a/../../b", "a\\b"] {
            assert!(inner_path(bad).is_err(), "{bad}");
        }
    }
}
