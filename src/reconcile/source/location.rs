//! Which repositories may be read at all, and how their addresses are shown.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Where a repository is: an https address, or a path on this machine.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    Https(String),
    Local(PathBuf),
}

/// Why an address, ref or path of the configuration cannot be used. A usage error: no retry helps.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LocationError {
    #[error("source.url is empty: give an https address or the path of a repository")]
    Empty,
    #[error("source.url starts with `-`, which no address does")]
    Option,
    #[error("source.url `{0}` uses ssh, which needs a later version: use https or a local path")]
    Ssh(String),
    #[error("source.url `{0}` is not protected on its way: use https")]
    Unprotected(String),
    #[error("source.url `{0}` names a transport that is never used: use https or a plain path")]
    Transport(String),
    #[error("source.ref `{0}` is not a full ref name: write refs/heads/{0}")]
    ShortRef(String),
    #[error("source.ref {0:?} is not a legal ref name")]
    Ref(String),
    #[error("source.path {0:?} must be a folder inside the repository, without `..`")]
    Path(String),
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
            Some(("https", _)) => Ok(Self::Https(url.to_owned())),
            Some(("ssh" | "git+ssh", _)) => Err(LocationError::Ssh(redact(url))),
            Some(("http" | "git", _)) => Err(LocationError::Unprotected(redact(url))),
            Some(_) => Err(LocationError::Transport(redact(url))),
            None if is_scp_like(url) => Err(LocationError::Ssh(redact(url))),
            None => Ok(Self::Local(PathBuf::from(url))),
        }
    }

    /// The address as libgit2 takes it. May hold credentials: never for a message.
    pub(super) fn raw(&self) -> Option<&str> {
        match self {
            Self::Https(url) => Some(url),
            Self::Local(path) => path.to_str(),
        }
    }

    pub fn local(&self) -> Option<&Path> {
        match self {
            Self::Https(_) => None,
            Self::Local(path) => Some(path),
        }
    }
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

/// The folder's path inside the repository, without a leading `./` or trailing `/`; empty is the root.
pub(super) fn inner_path(path: &str) -> Result<String, LocationError> {
    let refused = || LocationError::Path(path.to_owned());
    if path.is_empty() || path.starts_with('/') || path.contains(['\\', '\0', '*', '?', '[']) {
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
        for url in ["ssh://git@h/x", "git@h:x.git", "h:x"] {
            assert!(matches!(Location::parse(url), Err(LocationError::Ssh(_))), "{url}");
        }
        assert!(matches!(Location::parse("http://h/x"), Err(LocationError::Unprotected(_))));
        assert_eq!(Location::parse("--upload-pack=touch"), Err(LocationError::Option));
        assert_eq!(Location::parse(""), Err(LocationError::Empty));
    }

    #[test]
    fn no_message_shows_a_credential() {
        let location = Location::parse("https://bot:hunter2@git.example.com/z.git?token=hunter2").unwrap();
        assert_eq!(location.to_string(), "https://git.example.com/z.git");
        assert!(!format!("{location:?}").contains("hunter2"));
        let refused = Location::parse("ssh://bot:hunter2@h/z").unwrap_err().to_string();
        assert!(!refused.contains("hunter2"), "{refused}");
        let at_in_password = Location::parse("https://bot:hunt@er2@h/z").unwrap();
        assert_eq!(at_in_password.to_string(), "https://h/z");
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
        for bad in ["", "/etc", "..", "a/../../b", "a\\b", "zones/*.yaml"] {
            assert!(inner_path(bad).is_err(), "{bad}");
        }
    }
}
