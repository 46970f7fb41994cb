//! Where zones come from: a Git repository or a folder, read by the same rules.
//!
//! A [`Snapshot`] is everything at one revision or it is an error; there is no half-read snapshot, and none that is empty
//! because something failed. Regular files only: what is a symbolic link or a submodule is reported, never followed.
//! Names that start with a dot are not looked at.
//!
//! A Git repository can be written to as well ([`Source::commit`]): a commit is taken as a whole, or nothing is.

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
mod write;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::sync::{Mutex, Notify, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

use self::metrics::{Commits, Failures};
use self::selection::Selection;
use crate::manifest::SourceFile;
use crate::zone::{Revision, ZoneName};

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
pub use write::{Author, COMMITTER, CommitError, Onto, Proposal, Pushed};

/// How long a reading or a commit waits for the one before it.
const TURN: Duration = Duration::from_secs(5);

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
    commits: Commits,
}

#[derive(Debug)]
enum Kind {
    /// A task waits for its turn, and a thread that may block has it.
    Git {
        git: Arc<Mutex<GitSource>>,
        location: Location,
        selection: Selection,
        fetch_time: Duration,
    },
    Directory(Directory),
}

impl Source {
    pub fn git(config: GitConfig) -> Result<Self, LocationError> {
        let fetch_time = config.limits.fetch_time;
        let git = GitSource::new(config)?;
        let (location, selection) = (git.location().clone(), git.selection().clone());
        Ok(Self::of(Kind::Git { git: Arc::new(Mutex::new(git)), location, selection, fetch_time }))
    }

    pub fn directory(folder: &Path) -> Self {
        Self::of(Kind::Directory(Directory::new(folder)))
    }

    fn of(kind: Kind) -> Self {
        let (failures, commits) = (Failures::default(), Commits::default());
        Self { kind: Arc::new(kind), changed: Arc::default(), failures, commits }
    }

    /// Counts failures and commits in `registry` from now on, in every clone of this source.
    pub fn register(&self, registry: &mut Registry) {
        self.failures.register(registry);
        self.commits.register(registry);
    }

    /// Notified when somebody says, or sees, that the source has changed: it is then read sooner.
    pub fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// Reads the source as it is now, on a thread that may block. With [`OnHistoryRewrite::Refuse`], a branch that does not
    /// descend from the revision in force is refused. A folder has no history.
    pub async fn read(&self, history: History) -> Result<Snapshot, SourceError> {
        self.read_once(history).await.inspect_err(|error| self.failures.count(error))
    }

    async fn read_once(&self, history: History) -> Result<Snapshot, SourceError> {
        // Whoever stops waiting ends the fetch as well.
        let cancel = CancellationToken::new();
        let _ended = cancel.clone().drop_guard();
        let reading = match &*self.kind {
            Kind::Directory(directory) => {
                let directory = directory.clone();
                tokio::task::spawn_blocking(move || directory.read(&Limits::default()))
            }
            Kind::Git { git, .. } => {
                let mut git = turn(git).await.ok_or(SourceError::Busy)?;
                tokio::task::spawn_blocking(move || git.read(&history, &cancel))
            }
        };
        // The fetch keeps its own deadlines; this one is for a thread that the system holds.
        let patience = self.fetch_time().saturating_mul(2);
        match tokio::time::timeout(patience, reading).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(SourceError::Busy),
        }
    }

    /// Where a new zone's file is read, from the root of the repository; `None` if there is no such place.
    pub fn file_for(&self, zone: &ZoneName) -> Option<String> {
        let name = Some(format!("{zone}.yaml")).filter(|name| is_visible(name))?;
        match &*self.kind {
            Kind::Git { selection, .. } => selection.place(&name),
            Kind::Directory(_) => Some(name),
        }
    }

    /// Whether [`Source::commit`] can do anything.
    pub fn can_commit(&self) -> bool {
        matches!(*self.kind, Kind::Git { .. })
    }

    /// Commits to the repository, on a thread that may block, and returns once the repository has confirmed it. Whoever stops
    /// waiting ends it; what was sent by then may have been taken. A commit to the ref that is followed is read at once.
    pub async fn commit(&self, proposal: Proposal) -> Result<Pushed, CommitError> {
        let committed = self.commit_once(proposal).await;
        self.commits.count(&committed);
        committed
    }

    async fn commit_once(&self, proposal: Proposal) -> Result<Pushed, CommitError> {
        let Kind::Git { git, location, .. } = &*self.kind else { return Err(CommitError::NotARepository) };
        let mut git = turn(git).await.ok_or(CommitError::Busy)?;
        let cancel = CancellationToken::new();
        let _ended = cancel.clone().drop_guard();
        let changed = self.changed();
        let writing = tokio::task::spawn_blocking(move || {
            let pushed = git.commit(&proposal, &cancel)?;
            drop(git);
            if proposal.onto == Onto::Source {
                changed.notify_one();
            }
            Ok(pushed)
        });
        // A push, and a look at what became of it; each keeps its own deadline.
        let patience = self.fetch_time().saturating_mul(3);
        let unknown = |cause: &str| {
            let (url, cause) = (location.to_string(), cause.to_owned());
            Err(CommitError::Unknown(SourceError::Unreachable { url, cause }))
        };
        match tokio::time::timeout(patience, writing).await {
            Ok(Ok(written)) => written,
            Ok(Err(_)) => unknown("the push has failed"),
            Err(_) => unknown("the push has not ended"),
        }
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

/// The mirror has one user at a time. A panic leaves it as a kill would: it is checked when it is opened.
async fn turn(git: &Arc<Mutex<GitSource>>) -> Option<OwnedMutexGuard<GitSource>> {
    tokio::time::timeout(TURN, Arc::clone(git).lock_owned()).await.ok()
}

/// Whether an entry of this name is looked at.
fn is_visible(name: &str) -> bool {
    !name.starts_with('.')
}

#[cfg(test)]
mod tests;
