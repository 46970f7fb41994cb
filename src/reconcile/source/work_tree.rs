//! What a folder held at another commit of the Git work tree that it lies in. Read out of the repository's objects: nothing is
//! checked out, and the work tree is not touched.

use std::path::{Path, PathBuf};

use git2::{ObjectType, Repository, RepositoryOpenFlags};
use thiserror::Error;

use super::selection::Selection;
use super::tree::{self, Selected, WalkError};
use super::{Limits, Snapshot, SourceError, libgit2};
use crate::zone::Revision;

/// Why there is no base.
#[derive(Debug, Error)]
pub enum BaseError {
    #[error("{folder} does not lie in the work tree of a Git repository: {cause}")]
    NoWorkTree { folder: String, cause: String },
    /// Often a shallow clone.
    #[error("the repository of {folder} has no commit `{reference}`: {cause}")]
    NoCommit { folder: String, reference: String, cause: String },
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("the repository of {folder} cannot be read: {cause}")]
    Broken { folder: String, cause: String },
}

/// The repository that a folder lies in, and a commit of it.
pub struct Base {
    repository: Repository,
    /// As it was given, for messages.
    shown: String,
    /// The work tree's root.
    root: PathBuf,
    commit: git2::Oid,
    revision: Revision,
}

impl Base {
    /// The commit that `reference` names in the repository around `folder`: a branch, a tag, an id, `HEAD~1`.
    pub fn open(folder: &Path, reference: &str) -> Result<Self, BaseError> {
        let shown = folder.display().to_string();
        let no_work_tree = |cause: &dyn std::fmt::Display| BaseError::NoWorkTree {
            folder: shown.clone(),
            cause: cause.to_string(),
        };
        libgit2::prepare().map_err(|error| no_work_tree(&error.message()))?;
        let folder = folder.canonicalize().map_err(|error| no_work_tree(&error))?;
        let nowhere: [&Path; 0] = [];
        // No flag that reads the environment: `GIT_DIR` of a surrounding hook names another repository.
        let repository = Repository::open_ext(&folder, RepositoryOpenFlags::empty(), nowhere)
            .map_err(|error| no_work_tree(&error.message()))?;
        let root = repository.workdir().ok_or_else(|| no_work_tree(&"it is bare"))?;
        let root = root.canonicalize().map_err(|error| no_work_tree(&error))?;
        let commit = repository
            .revparse_single(reference)
            .and_then(|object| object.peel_to_commit())
            .map(|commit| commit.id())
            .map_err(|error| BaseError::NoCommit {
                folder: shown.clone(),
                reference: reference.to_owned(),
                cause: error.message().to_owned(),
            })?;
        let revision = Revision::commit(reference, &commit.to_string());
        Ok(Self { repository, shown, root, commit, revision })
    }

    /// The manifests of a folder of the work tree, as they were. None if there was no such folder: that much is known.
    pub fn read(&self, folder: &Path, limits: &Limits) -> Result<Snapshot, BaseError> {
        let inner = self.inner(folder)?;
        let path = inner.to_string_lossy();
        let selected = self.root_with(&inner).and_then(|root| match root {
            Some(root) => tree::read(&self.repository, &root, &Selection::folder(&path), limits),
            None => Ok(Selected { files: Vec::new(), tree: "none".to_owned() }),
        });
        let Selected { files, tree } = selected.map_err(|error| match error {
            WalkError::Source(error) => BaseError::Source(error),
            WalkError::Git(error) => self.broken(error.message()),
        })?;
        Ok(Snapshot { revision: self.revision.clone(), tree, files, commit: None })
    }

    /// The bytes of one file of the work tree, as they were; `None` if it was not there, or does not lie in the work tree.
    pub fn file(&self, file: &Path, limit: u64) -> Result<Option<Vec<u8>>, BaseError> {
        let Ok(inner) = self.inner(file) else { return Ok(None) };
        let tree = self.repository.find_commit(self.commit).and_then(|commit| commit.tree());
        let tree = tree.map_err(|error| self.broken(error.message()))?;
        let Ok(entry) = tree.get_path(&inner) else { return Ok(None) };
        let blob = self.repository.find_blob(entry.id()).map_err(|error| self.broken(error.message()))?;
        if u64::try_from(blob.size()).unwrap_or(u64::MAX) > limit {
            return Err(self.broken(&format!("{} is over {limit} bytes", inner.display())));
        }
        Ok(Some(blob.content().to_vec()))
    }

    /// Whether a file or folder lies in this work tree.
    pub fn holds(&self, path: &Path) -> bool {
        self.inner(path).is_ok()
    }

    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The commit's tree, if it has this folder.
    fn root_with(&self, inner: &Path) -> Result<Option<git2::Tree<'_>>, WalkError> {
        let root = self.repository.find_commit(self.commit)?.tree()?;
        let is_there = inner.as_os_str().is_empty()
            || root.get_path(inner).is_ok_and(|it| it.kind() == Some(ObjectType::Tree));
        Ok(is_there.then_some(root))
    }

    fn inner(&self, path: &Path) -> Result<PathBuf, BaseError> {
        let cause = match path.canonicalize() {
            Ok(real) => match real.strip_prefix(&self.root) {
                Ok(inner) => return Ok(inner.to_owned()),
                Err(_) => format!("it is not below {}", self.root.display()),
            },
            Err(error) => error.to_string(),
        };
        Err(BaseError::NoWorkTree { folder: path.display().to_string(), cause })
    }

    fn broken(&self, cause: &str) -> BaseError {
        BaseError::Broken { folder: self.shown.clone(), cause: cause.to_owned() }
    }
}

impl std::fmt::Debug for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Base")
            .field("root", &self.root)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
