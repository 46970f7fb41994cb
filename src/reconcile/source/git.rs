//! One ref of one repository as the source.

mod writing;

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use git2::Oid;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::location::check_ref;
use super::mirror::Mirror;
use super::network::Call;
use super::selection::Selection;
use super::tree::{self, Blobs, Selected, WalkError};
use super::{
    Access, Commit, History, Limits, Location, LocationError, Signer, Snapshot, SourceError, Verify, commit,
};
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
    /// An https or ssh address, or the path of a repository.
    pub url: String,
    /// Fully qualified, such as `refs/heads/main`.
    pub reference: String,
    /// Folders in the repository that hold the manifests, or globs over files; `.` is the root.
    pub paths: Vec<String>,
    /// Globs and folders that are left out.
    pub exclude: Vec<String>,
    pub access: Access,
    pub verify: Verify,
    pub on_history_rewrite: OnHistoryRewrite,
    pub limits: Limits,
    /// Where mirrors are kept. Each repository and ref gets a folder of its own.
    pub mirrors: PathBuf,
}

impl GitConfig {
    /// A repository that needs no credentials, by the default rules.
    pub fn open(url: &str, reference: &str, path: &str, mirrors: PathBuf) -> Self {
        Self {
            url: url.to_owned(),
            reference: reference.to_owned(),
            paths: vec![path.to_owned()],
            exclude: Vec::new(),
            access: Access::default(),
            verify: Verify::default(),
            on_history_rewrite: OnHistoryRewrite::default(),
            limits: Limits::default(),
            mirrors,
        }
    }
}

pub struct GitSource {
    location: Location,
    reference: String,
    selection: Selection,
    access: Access,
    verify: Verify,
    on_history_rewrite: OnHistoryRewrite,
    folder: PathBuf,
    limits: Limits,
    mirror: Option<Mirror>,
    /// Of the last snapshot.
    blobs: RefCell<Blobs>,
}

impl GitSource {
    pub fn new(config: GitConfig) -> Result<Self, LocationError> {
        let location = Location::parse(&config.url)?;
        check_ref(&config.reference)?;
        config.access.check(&location)?;
        let selection = Selection::new(&config.paths, &config.exclude)?;
        let name = hex(&Sha256::digest(format!("{}\n{}", config.url, config.reference).as_bytes()));
        Ok(Self {
            location,
            reference: config.reference,
            selection,
            access: config.access,
            verify: config.verify,
            on_history_rewrite: config.on_history_rewrite,
            folder: config.mirrors.join(name.get(..16).unwrap_or(&name)),
            limits: config.limits,
            mirror: None,
            blobs: RefCell::default(),
        })
    }

    pub fn location(&self) -> &Location {
        &self.location
    }

    pub(super) fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Fetches the ref and reads the manifests of its commit. Blocks, until `cancel` at the latest; what comes over the
    /// network needs a runtime around this thread.
    pub fn read(&mut self, history: &History, cancel: &CancellationToken) -> Result<Snapshot, SourceError> {
        let mirror = match self.mirror.take() {
            Some(mirror) => mirror,
            None => Mirror::open(&self.folder)?,
        };
        let read = self.read_from(&mirror, history, cancel);
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
        let read = self.read_from(&mirror, history, cancel);
        self.mirror = Some(mirror);
        read.map_err(|error| self.explain(error))
    }

    fn read_from(
        &self,
        mirror: &Mirror,
        history: &History,
        cancel: &CancellationToken,
    ) -> Result<Snapshot, WalkError> {
        if let Some(pinned) = &history.pinned {
            return self.read_pinned(mirror, pinned, cancel);
        }
        let head = self.fetch(mirror, cancel)?;
        history.check(mirror, &self.reference, head, self.on_history_rewrite)?;
        let signer = self.verify.check(mirror, &self.reference, head, history)?;
        let base = history.applied_commit(mirror, &self.reference);
        let snapshot = self.snapshot(mirror, head, base, signer)?;
        mirror.accept(head)?;
        Ok(snapshot)
    }

    /// A commit of the branch that is not its head. The server is asked only if the mirror does not have it, so that a way
    /// back is open while the server is down. What was accepted last stays the measure for heads.
    fn read_pinned(
        &self,
        mirror: &Mirror,
        pinned: &str,
        cancel: &CancellationToken,
    ) -> Result<Snapshot, WalkError> {
        let part_of = |head: Option<Oid>| -> Result<Option<Oid>, git2::Error> {
            let (Some(head), Some(id)) = (head, full_id(pinned)) else { return Ok(None) };
            Ok(mirror.follows(head, id)?.then_some(id))
        };
        let mut found = part_of(mirror.accepted())?;
        if found.is_none() {
            let head = self.fetch(mirror, cancel)?;
            found = part_of(Some(head))?;
        }
        let Some(commit) = found else {
            let (reference, commit) = (self.reference.clone(), pinned.to_owned());
            return Err(WalkError::Source(SourceError::PinNotFound { reference, commit }));
        };
        let as_head = History::default();
        let signer = self.verify.check(mirror, &self.reference, commit, &as_head)?;
        // What it once allowed was for another state.
        let mut snapshot = self.snapshot(mirror, commit, Some(commit), signer)?;
        if let Some(commit) = &mut snapshot.commit {
            commit.allowances.clear();
        }
        Ok(snapshot)
    }

    fn fetch(&self, mirror: &Mirror, cancel: &CancellationToken) -> Result<Oid, WalkError> {
        mirror
            .fetch(&self.location, &self.access, &self.call(cancel), &self.reference)
            .map_err(WalkError::Source)
    }

    fn call(&self, cancel: &CancellationToken) -> Arc<Call> {
        Arc::new(Call::new(self.location.to_string(), &self.limits, cancel.clone()))
    }

    fn snapshot(
        &self,
        mirror: &Mirror,
        head: Oid,
        base: Option<Oid>,
        signer: Option<Signer>,
    ) -> Result<Snapshot, WalkError> {
        let root = mirror.commit(head)?.tree()?;
        let held = self.blobs.take();
        let Selected { files, tree, blobs } =
            tree::read(mirror.repository(), &root, &self.selection, &self.limits, &held)?;
        self.blobs.replace(blobs);
        let commit = Commit { signer, ..commit::describe(mirror, head, base)? };
        let revision = Revision::commit(&self.reference, &head.to_string());
        Ok(Snapshot { revision, tree, files, commit: Some(commit) })
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
            .field("selection", &self.selection)
            .finish_non_exhaustive()
    }
}
