//! One ref of one repository as the source.

use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid};
use sha2::{Digest, Sha256};

use super::commit;
use super::location::{check_ref, inner_path};
use super::mirror::Mirror;
use super::tree::{self, WalkError};
use super::{History, Limits, Location, LocationError, Snapshot, SourceError};
use crate::reconcile::digest::hex;
use crate::zone::Revision;

/// What to do when the branch no longer contains the commit that is in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnHistoryRewrite {
    /// Keep the last state until a person decides: an old commit would bring back what was revoked.
    #[default]
    Refuse,
    Accept,
}

/// `source` of the configuration.
#[derive(Debug, Clone)]
pub struct GitConfig {
    /// An https address or the path of a repository.
    pub url: String,
    /// Fully qualified, such as `refs/heads/main`.
    pub reference: String,
    /// The folder in the repository that holds the manifests; `.` is the root.
    pub path: String,
    pub on_history_rewrite: OnHistoryRewrite,
    /// Where mirrors are kept. Each repository and ref gets a folder of its own.
    pub mirrors: PathBuf,
}

pub struct GitSource {
    location: Location,
    reference: String,
    path: String,
    on_history_rewrite: OnHistoryRewrite,
    folder: PathBuf,
    limits: Limits,
    mirror: Option<Mirror>,
}

impl GitSource {
    pub fn new(config: GitConfig) -> Result<Self, LocationError> {
        let location = Location::parse(&config.url)?;
        check_ref(&config.reference)?;
        let path = inner_path(&config.path)?;
        let name = hex(&Sha256::digest(format!("{}\n{}", config.url, config.reference).as_bytes()));
        Ok(Self {
            location,
            reference: config.reference,
            path,
            on_history_rewrite: config.on_history_rewrite,
            folder: config.mirrors.join(name.get(..16).unwrap_or(&name)),
            limits: Limits::default(),
            mirror: None,
        })
    }

    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Fetches the ref and reads the manifests of its commit. Blocks.
    pub fn read(&mut self, history: &History) -> Result<Snapshot, SourceError> {
        let mirror = match self.mirror.take() {
            Some(mirror) => mirror,
            None => Mirror::open(&self.folder)?,
        };
        let read = self.read_from(&mirror, history);
        let Err(WalkError::Git(error)) = read else {
            // After a failed fetch the mirror is opened anew, which checks it: the fault may lie here.
            let is_sound = !matches!(&read, Err(WalkError::Source(error)) if error.is_transient());
            self.mirror = is_sound.then_some(mirror);
            return read.map_err(|error| self.explain(error));
        };
        // An object is missing or broken: the mirror is only a cache, so it is made anew, once.
        tracing::warn!(folder = %self.folder.display(), cause = error.message(), "the Git mirror is broken: fetching it again");
        mirror.discard(&self.folder).map_err(|error| self.broken(&error))?;
        let mirror = Mirror::open(&self.folder)?;
        let read = self.read_from(&mirror, history);
        self.mirror = Some(mirror);
        read.map_err(|error| self.explain(error))
    }

    fn read_from(&self, mirror: &Mirror, history: &History) -> Result<Snapshot, WalkError> {
        if let Some(pinned) = &history.pinned {
            return self.read_pinned(mirror, pinned);
        }
        let head = mirror.fetch(&self.location, &self.reference, &self.limits).map_err(WalkError::Source)?;
        history.check(mirror, &self.reference, head, self.on_history_rewrite)?;
        let base = history.applied_commit(mirror, &self.reference);
        let snapshot = self.snapshot(mirror, head, base)?;
        mirror.accept(head)?;
        Ok(snapshot)
    }

    /// A commit of the branch that is not its head. The server is asked only if the mirror does not have it, so that a way
    /// back is open while the server is down. What was accepted last stays the measure for heads.
    fn read_pinned(&self, mirror: &Mirror, pinned: &str) -> Result<Snapshot, WalkError> {
        let part_of = |head: Option<Oid>| -> Result<Option<Oid>, git2::Error> {
            let (Some(head), Some(id)) = (head, full_id(pinned)) else { return Ok(None) };
            Ok(mirror.follows(head, id)?.then_some(id))
        };
        let mut found = part_of(mirror.accepted())?;
        if found.is_none() {
            let head =
                mirror.fetch(&self.location, &self.reference, &self.limits).map_err(WalkError::Source)?;
            found = part_of(Some(head))?;
        }
        let Some(commit) = found else {
            let (reference, commit) = (self.reference.clone(), pinned.to_owned());
            return Err(WalkError::Source(SourceError::PinNotFound { reference, commit }));
        };
        // What it once allowed was for another state.
        let mut snapshot = self.snapshot(mirror, commit, Some(commit))?;
        if let Some(commit) = &mut snapshot.commit {
            commit.allowances.clear();
        }
        Ok(snapshot)
    }

    fn snapshot(&self, mirror: &Mirror, head: Oid, base: Option<Oid>) -> Result<Snapshot, WalkError> {
        let commit = mirror.commit(head)?;
        let revision = Revision::commit(&self.reference, &head.to_string());
        let root = commit.tree()?;
        let folder = if self.path.is_empty() {
            root
        } else {
            let found =
                root.get_path(Path::new(&self.path)).ok().filter(|it| it.kind() == Some(ObjectType::Tree));
            let Some(entry) = found else {
                let path = self.path.clone();
                return Err(WalkError::Source(SourceError::PathNotFound { path, revision }));
            };
            mirror.repository().find_tree(entry.id())?
        };
        let files = tree::read(mirror.repository(), &folder, &self.path, &self.limits)?;
        let tree = format!("sha1:{}", folder.id());
        Ok(Snapshot { revision, tree, files, commit: Some(commit::describe(mirror, head, base)?) })
    }

    fn explain(&self, error: WalkError) -> SourceError {
        match error {
            WalkError::Source(error) => error,
            WalkError::Git(error) => self.broken(&error.message()),
        }
    }

    fn broken(&self, cause: &dyn std::fmt::Display) -> SourceError {
        SourceError::Mirror { folder: self.folder.display().to_string(), cause: cause.to_string() }
    }
}

/// A short id could come to name another commit.
fn full_id(text: &str) -> Option<Oid> {
    (text.len() == 40).then(|| Oid::from_str(text).ok()).flatten()
}

impl std::fmt::Debug for GitSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitSource")
            .field("location", &self.location)
            .field("reference", &self.reference)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
