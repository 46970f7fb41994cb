//! Where zones come from: a Git repository or a folder, read by the same rules.
//!
//! A [`Snapshot`] is everything at one revision or it is an error; there is no half-read snapshot, and none that is empty
//! because something failed. Regular files only: what is a symbolic link or a submodule is reported, never followed.
//! Names that start with a dot are not looked at.

mod access;
mod commit;
mod directory;
mod error;
mod git;
mod history;
mod libgit2;
mod location;
mod metrics;
mod mirror;
mod network;
mod selection;
mod tree;
mod verify;
mod watch;
mod work_tree;

use std::path::Path;
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::metrics::Failures;
use crate::manifest::SourceFile;
use crate::zone::Revision;

pub use access::Access;
pub use commit::Commit;
pub use directory::{Directory, read_file};
pub use error::SourceError;
pub use git::{GitConfig, GitSource, OnHistoryRewrite};
pub use history::History;
pub use location::{Location, LocationError};
pub use verify::{Flaw, Signer, Verify};
pub use watch::Watch;
pub(super) use watch::jittered;
pub use work_tree::{Base, BaseError};

/// All files of one revision.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub revision: Revision,
    /// Identifies the files alone: the id of the folder's Git tree, or a hash over paths and bytes. A pull request's head
    /// and its merge have different revisions but the same tree.
    pub tree: String,
    /// Sorted by path.
    pub files: Vec<SourceFile>,
    /// The commit, where there is one.
    pub commit: Option<Commit>,
}

/// How much is read at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub files: usize,
    /// Bytes of one file; a larger one is a finding.
    pub file_bytes: u64,
    /// Bytes of all files together.
    pub total_bytes: u64,
    /// Entries of all folders, manifest or not.
    pub entries: usize,
    pub depth: usize,
    /// Bytes that a server may send for one fetch.
    pub fetch_bytes: u64,
    /// Time for one fetch, from the first connection to the last byte.
    pub fetch_time: Duration,
    /// How long a server may be silent within it.
    pub stall_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            files: crate::manifest::load::MAX_FILES,
            file_bytes: 1 << 20,
            total_bytes: 128 << 20,
            entries: 500_000,
            depth: 32,
            fetch_bytes: 1 << 30,
            fetch_time: Duration::from_mins(5),
            stall_time: Duration::from_secs(30),
        }
    }
}

/// A source that can be read again and again.
#[derive(Debug, Clone)]
pub struct Source {
    kind: Arc<Kind>,
    changed: Arc<Notify>,
    failures: Failures,
}

#[derive(Debug)]
enum Kind {
    Git { git: Box<Mutex<GitSource>>, location: Location, fetch_time: Duration },
    Directory(Directory),
}

impl Source {
    pub fn git(config: GitConfig) -> Result<Self, LocationError> {
        let fetch_time = config.limits.fetch_time;
        let git = GitSource::new(config)?;
        let location = git.location().clone();
        Ok(Self::of(Kind::Git { git: Box::new(Mutex::new(git)), location, fetch_time }))
    }

    pub fn directory(folder: &Path) -> Self {
        Self::of(Kind::Directory(Directory::new(folder)))
    }

    fn of(kind: Kind) -> Self {
        Self { kind: Arc::new(kind), changed: Arc::default(), failures: Failures::default() }
    }

    /// Counts failures in `registry` from now on, in every clone of this source.
    pub fn register(&self, registry: &mut Registry) {
        self.failures.register(registry);
    }

    /// Notified when somebody says, or sees, that the source has changed: it is then read sooner.
    pub fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// Reads the source as it is now, on a thread that may block. With [`OnHistoryRewrite::Refuse`], a branch that does not
    /// descend from the revision in force is refused. A folder has no history.
    pub async fn read(&self, history: History) -> Result<Snapshot, SourceError> {
        let source = Arc::clone(&self.kind);
        // Whoever stops waiting ends the fetch as well.
        let cancel = CancellationToken::new();
        let _ended = cancel.clone().drop_guard();
        let reading = tokio::task::spawn_blocking(move || match &*source {
            Kind::Directory(directory) => directory.read(&Limits::default()),
            Kind::Git { git, .. } => match git.try_lock() {
                Ok(mut git) => git.read(&history, &cancel),
                // A panic in a fetch leaves the mirror as a kill would: it is checked when it is opened.
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().read(&history, &cancel),
                Err(TryLockError::WouldBlock) => Err(SourceError::Busy),
            },
        });
        // The fetch keeps its own deadlines; this one is for a thread that the system holds.
        let patience = self.fetch_time().saturating_mul(2);
        let read = match tokio::time::timeout(patience, reading).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(SourceError::Busy),
        };
        read.inspect_err(|error| self.failures.count(error))
    }

    fn fetch_time(&self) -> Duration {
        match &*self.kind {
            Kind::Git { fetch_time, .. } => *fetch_time,
            Kind::Directory(_) => Limits::default().fetch_time,
        }
    }

    /// The path on this machine to watch, if there is one.
    pub(super) fn watched(&self) -> Option<&Path> {
        match &*self.kind {
            Kind::Git { location, .. } => location.local(),
            Kind::Directory(directory) => Some(directory.folder()),
        }
    }
}

/// Whether an entry of this name is looked at.
fn is_visible(name: &str) -> bool {
    !name.starts_with('.')
}

#[cfg(test)]
mod tests;
