//! The bare mirror of one repository: a cache in a folder of its own, thrown away and fetched again when it is broken.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use git2::{
    AutotagOption, Commit, Direction, ErrorCode, FetchOptions, Oid, RemoteCallbacks, RemoteRedirect,
    Repository, RepositoryInitOptions,
};

use super::access::Access;
use super::network::Call;
use super::network::line::Line;
use super::{Location, SourceError};

/// Where a fetch puts the ref, before it is accepted.
const INCOMING: &str = "refs/partner-zones/incoming";
/// The last commit that was accepted.
const ACCEPTED: &str = "refs/partner-zones/accepted";

/// A program that is just being started has the locks of whoever starts it, for a moment; one that is just ending has its own.
const OWNED: Duration = Duration::from_secs(1);

pub(super) struct Mirror {
    repository: Repository,
    /// Held as long as this process uses the folder: two processes would take each other's locks for stale ones.
    _owner: File,
}

impl Mirror {
    /// Opens the mirror in `folder`, makes a new one if there is none, and starts over if it is broken.
    pub(super) fn open(folder: &Path) -> Result<Self, SourceError> {
        let broken = |cause: &dyn std::fmt::Display| SourceError::Mirror {
            folder: folder.display().to_string(),
            cause: cause.to_string(),
        };
        super::libgit2::prepare().map_err(|error| broken(&error.message()))?;
        fs::create_dir_all(folder).map_err(|error| broken(&error))?;
        let owner = own(&folder.join("owner")).map_err(|error| broken(&error))?;
        let bare = folder.join("mirror.git");
        remove_stale_locks(&bare).map_err(|error| broken(&error))?;
        let repository = match Repository::open_bare(&bare).and_then(check) {
            Ok(repository) => repository,
            Err(error) => {
                if bare.exists() {
                    tracing::warn!(folder = %bare.display(), cause = error.message(), "the Git mirror is broken: fetching it again");
                    fs::remove_dir_all(&bare).map_err(|error| broken(&error))?;
                }
                init(&bare).map_err(|error| broken(&error.message()))?
            }
        };
        Ok(Self { repository, _owner: owner })
    }

    /// Throws the mirror in `folder` away; the next [`Mirror::open`] makes a new one.
    pub(super) fn discard(self, folder: &Path) -> io::Result<()> {
        drop(self.repository);
        fs::remove_dir_all(folder.join("mirror.git"))
    }

    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Asks for one ref, fetches it if it moved, and gives its commit. It is not accepted yet.
    pub(super) fn fetch(
        &self,
        from: &Location,
        access: &Access,
        call: &Arc<Call>,
        reference: &str,
    ) -> Result<Oid, SourceError> {
        let line = Line::open(from, access, call)?;
        line.within(|| self.fetch_over(&line, call, reference))
    }

    fn fetch_over(&self, line: &Line<'_>, call: &Call, reference: &str) -> Result<Oid, SourceError> {
        let explain = |error: git2::Error| call.explain(&error.message());
        let callbacks = || {
            let mut callbacks = RemoteCallbacks::new();
            callbacks.sideband_progress(|_| call.check().is_ok());
            callbacks.transfer_progress(|_| call.check().is_ok());
            line.authenticate(&mut callbacks);
            callbacks
        };
        let mut remote = self.repository.remote_anonymous(&line.url()).map_err(explain)?;
        let connection = remote.connect_auth(Direction::Fetch, Some(callbacks()), None).map_err(explain)?;
        let heads = connection.list().map_err(explain)?;
        let offered = heads.iter().find(|head| head.name() == reference).map(git2::RemoteHead::oid);
        drop(connection);
        let Some(offered) = offered else {
            return Err(SourceError::RefNotFound {
                url: call.url().to_owned(),
                reference: reference.to_owned(),
            });
        };
        if self.accepted() == Some(offered) {
            return Ok(offered);
        }

        let mut options = FetchOptions::new();
        options
            .remote_callbacks(callbacks())
            .download_tags(AutotagOption::None)
            .update_fetchhead(false)
            .follow_redirects(RemoteRedirect::None);
        remote.fetch(&[format!("+{reference}:{INCOMING}")], Some(&mut options), None).map_err(explain)?;
        let incoming = self.repository.find_reference(INCOMING).and_then(|found| found.peel_to_commit());
        incoming.map(|commit| commit.id()).map_err(|_| call.explain(&"the ref does not name a commit"))
    }

    /// The commit that was accepted last.
    pub(super) fn accepted(&self) -> Option<Oid> {
        self.repository
            .find_reference(ACCEPTED)
            .and_then(|found| found.peel_to_commit())
            .ok()
            .map(|commit| commit.id())
    }

    pub(super) fn accept(&self, commit: Oid) -> Result<(), git2::Error> {
        self.repository.reference(ACCEPTED, commit, true, "accepted").map(|_| ())
    }

    /// Whether `commit` is `base` or comes after it. A base that the mirror does not know was never part of the history.
    pub(super) fn follows(&self, commit: Oid, base: Oid) -> Result<bool, git2::Error> {
        if commit == base {
            return Ok(true);
        }
        if !self.knows(base) {
            return Ok(false);
        }
        self.repository.graph_descendant_of(commit, base)
    }

    pub(super) fn knows(&self, commit: Oid) -> bool {
        self.repository.find_commit(commit).is_ok()
    }

    /// `head` and all that it follows up to `base`, newest first. Where it does not follow `base`, or there is none, only
    /// `head`: in a history that nobody knows, old words do not count anew.
    pub(super) fn since(&self, head: Oid, base: Option<Oid>) -> Result<Vec<Oid>, git2::Error> {
        let Some(base) = base.filter(|base| self.knows(*base)) else { return Ok(vec![head]) };
        if !self.follows(head, base)? {
            return Ok(vec![head]);
        }
        self.reached(head, &[base], usize::MAX)
    }

    /// At most `limit` commits that `head` follows, itself among them, and that none of `known` is or follows; newest first.
    pub(super) fn reached(&self, head: Oid, known: &[Oid], limit: usize) -> Result<Vec<Oid>, git2::Error> {
        let mut walk = self.repository.revwalk()?;
        walk.push(head)?;
        for known in known {
            walk.hide(*known)?;
        }
        walk.take(limit).collect()
    }

    pub(super) fn commit(&self, id: Oid) -> Result<Commit<'_>, git2::Error> {
        self.repository.find_commit(id)
    }
}

/// A mirror is whole when its accepted commit, if it has one, can be read.
fn check(repository: Repository) -> Result<Repository, git2::Error> {
    match repository.find_reference(ACCEPTED) {
        Ok(accepted) => {
            accepted.peel_to_commit()?.tree()?;
        }
        Err(error) if error.code() == ErrorCode::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(repository)
}

fn init(bare: &Path) -> Result<Repository, git2::Error> {
    let mut options = RepositoryInitOptions::new();
    options.bare(true).no_reinit(true).external_template(false);
    Repository::init_opts(bare, &options)
}

fn own(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).write(true).truncate(false).open(path)?;
    let end = Instant::now() + OWNED;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another process uses it: give each one its own dataDir"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// A lock, or a pack that was not received to its end (libgit2 names it so).
fn is_left_behind(file: &Path) -> bool {
    let is_lock = file.extension().is_some_and(|extension| extension == "lock");
    is_lock || file.file_name().is_some_and(|name| name.to_string_lossy().contains("_git2_"))
}

/// What a killed process left behind would block every later fetch, or fill the disk.
fn remove_stale_locks(bare: &Path) -> io::Result<()> {
    let mut folders: Vec<PathBuf> = vec![bare.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let is_objects = entry.file_name() == "objects";
            if entry.file_type()?.is_dir() {
                folders.push(if is_objects { entry.path().join("pack") } else { entry.path() });
            } else if is_left_behind(&entry.path()) {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}
