//! The way to a repository, for one conversation.

use std::borrow::Cow;
use std::sync::Arc;

use git2::RemoteCallbacks;

use super::Call;
use super::https::Server;
use super::ssh::Ssh;
use crate::reconcile::source::access::Access;
use crate::reconcile::source::{Location, SourceError};

/// What libgit2 is told to connect to, and what has to stand behind it meanwhile.
pub(in crate::reconcile::source) enum Line<'a> {
    Local(&'a str),
    Https { url: &'a str, server: Arc<Server> },
    Ssh(Ssh<'a>),
}

impl<'a> Line<'a> {
    /// Reads the credentials; nothing is said yet.
    pub(in crate::reconcile::source) fn open(
        to: &'a Location,
        access: &Access,
        call: &'a Arc<Call>,
    ) -> Result<Self, SourceError> {
        match to {
            Location::Local(path) => {
                path.to_str().map(Self::Local).ok_or_else(|| call.explain(&"its path is not UTF-8"))
            }
            Location::Https(url) => {
                let server = Server::new(call, url, access).map_err(|error| call.explain(&error))?;
                Ok(Self::Https { url, server })
            }
            Location::Ssh(address) => {
                Ssh::new(call, address, access).map(Self::Ssh).map_err(|error| call.explain(&error))
            }
        }
    }

    pub(in crate::reconcile::source) fn url(&self) -> Cow<'a, str> {
        match self {
            Self::Local(url) | Self::Https { url, .. } => Cow::Borrowed(url),
            Self::Ssh(ssh) => Cow::Owned(ssh.url()),
        }
    }

    pub(in crate::reconcile::source) fn authenticate<'b>(&'b self, callbacks: &mut RemoteCallbacks<'b>) {
        if let Self::Ssh(ssh) = self {
            ssh.callbacks(callbacks);
        }
    }

    /// Runs libgit2 over this line.
    pub(in crate::reconcile::source) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        match self {
            Self::Https { server, .. } => server.within(work),
            Self::Local(_) | Self::Ssh(_) => work(),
        }
    }
}
