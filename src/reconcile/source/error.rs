//! Why there is no snapshot.

use thiserror::Error;

use super::LocationError;
use super::verify::Flaw;

/// Why there is no snapshot. Whoever sees one of these keeps what it had.
#[derive(Debug, Error)]
pub enum SourceError {
    #[error(transparent)]
    Location(#[from] LocationError),
    #[error(
        "{url} has no ref {reference}: it was deleted or renamed, or source.ref is wrong; the last applied state is kept"
    )]
    RefNotFound { url: String, reference: String },
    #[error(
        "nothing is at source.path {path:?}: correct it, restore what it names, or take it off the list; the last applied \
         state is kept"
    )]
    PathNotFound { path: String },
    #[error(
        "the history of {reference} was rewritten: {to} does not follow {from}; the last applied state is kept; \
         restore the branch, or accept this commit: reconciler source accept {to}"
    )]
    HistoryRewritten { reference: String, from: String, to: String },
    #[error(
        "commit {commit}, to which the zones are pinned, is not part of {reference}; the last applied state is kept; \
         pin a commit of the branch by its full id, or resume without a pin"
    )]
    PinNotFound { reference: String, commit: String },
    #[error("{url} refuses access: {cause}")]
    AccessDenied { url: String, cause: String },
    #[error(
        "there is no repository {url}, or these credentials may not see it (HTTP 404): check source.url and what the token \
         may read"
    )]
    RepositoryNotFound { url: String },
    #[error("{url} is not trusted: {cause}")]
    HostKey { url: String, cause: String },
    #[error("commit {commit} by {author} {flaw}; the last applied state is kept")]
    Unverified { commit: String, author: String, flaw: Flaw },
    #[error("source.verify.keys cannot be used: {cause}; the last applied state is kept")]
    VerifyKeys { cause: String },
    #[error("{url} cannot be fetched: {cause}")]
    Unreachable { url: String, cause: String },
    #[error("{what} is over the limit of {limit}")]
    TooLarge { what: &'static str, limit: u64 },
    #[error("the Git mirror in {folder} cannot be used: {cause}")]
    Mirror { folder: String, cause: String },
    #[error("folder {folder} cannot be read: {cause}")]
    Folder { folder: String, cause: String },
    #[error("the previous fetch has not ended yet")]
    Busy,
}

impl SourceError {
    /// One word for conditions.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Location(_) => "InvalidSource",
            Self::RefNotFound { .. } => "RefNotFound",
            Self::PathNotFound { .. } => "PathNotFound",
            Self::HistoryRewritten { .. } => "SourceRewritten",
            Self::PinNotFound { .. } => "PinNotFound",
            Self::AccessDenied { .. } => "AccessDenied",
            Self::RepositoryNotFound { .. } => "RepositoryNotFound",
            Self::HostKey { .. } => "HostKeyRefused",
            Self::Unverified { flaw, .. } => match flaw {
                Flaw::Unsigned => "Unsigned",
                Flaw::UnknownKey(_) => "UnknownSigner",
                Flaw::Bad => "BadSignature",
                Flaw::OtherKind(_) => "UnsupportedSignature",
            },
            Self::VerifyKeys { .. } => "VerifyKeysUnusable",
            Self::Unreachable { .. } | Self::Busy => "FetchFailed",
            Self::TooLarge { .. } => "SourceTooLarge",
            Self::Mirror { .. } => "MirrorBroken",
            Self::Folder { .. } => "FolderUnreadable",
        }
    }

    /// The same, where it was a push that failed.
    pub(super) fn about_a_push(&self) -> String {
        match self {
            Self::Unreachable { url, cause } => format!("{url} cannot be reached: {cause}"),
            other => other.to_string(),
        }
    }

    /// Whether trying again soon can help; otherwise a person must act first, and the next poll is early enough.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy | Self::Mirror { .. } | Self::Folder { .. })
    }
}
