//! Reading manifests out of tree objects: nothing is ever checked out.

use git2::{ObjectType, Oid, Repository, Tree, TreeEntry};

use super::{Limits, SourceError, is_visible};
use crate::manifest::{FileProblem, SourceFile, is_manifest};

const SYMLINK: i32 = 0o120_000;

/// A tree still to be read, with its path.
struct Pending {
    tree: Oid,
    path: String,
    depth: usize,
}

/// What has been read so far, held against the limits.
struct Reader<'a> {
    repository: &'a Repository,
    limits: &'a Limits,
    files: Vec<SourceFile>,
    entries: usize,
    bytes: u64,
}

/// Why a walk ended early: an answer for the operator, or a mirror that lacks an object.
pub(super) enum WalkError {
    Source(SourceError),
    Git(git2::Error),
}

impl From<git2::Error> for WalkError {
    fn from(error: git2::Error) -> Self {
        Self::Git(error)
    }
}

fn too_large(what: &'static str, limit: usize) -> WalkError {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    WalkError::Source(SourceError::TooLarge { what, limit })
}

/// All manifests under `root`, sorted by path. `path` is the root's own, and is put in front of theirs.
pub(super) fn read(
    repository: &Repository,
    root: &Tree<'_>,
    path: &str,
    limits: &Limits,
) -> Result<Vec<SourceFile>, WalkError> {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
    let mut reader = Reader { repository, limits, files: Vec::new(), entries: 0, bytes: 0 };
    let mut pending = vec![Pending { tree: root.id(), path: prefix, depth: 0 }];
    while let Some(Pending { tree, path, depth }) = pending.pop() {
        for entry in &repository.find_tree(tree)? {
            if let Some(folder) = reader.entry(&entry, &path)? {
                if depth >= limits.depth {
                    return Err(too_large("the depth of the repository's folders", limits.depth));
                }
                pending.push(Pending { tree: entry.id(), path: folder, depth: depth.saturating_add(1) });
            }
        }
    }
    let mut files = reader.files;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

impl Reader<'_> {
    /// Takes one entry in; the path to go on with, where it is a folder.
    fn entry(&mut self, entry: &TreeEntry<'_>, folder: &str) -> Result<Option<String>, WalkError> {
        self.entries = self.entries.saturating_add(1);
        if self.entries > self.limits.entries {
            return Err(too_large("the number of the repository's entries", self.limits.entries));
        }
        let name = String::from_utf8_lossy(entry.name_bytes());
        if !is_visible(&name) {
            return Ok(None);
        }
        let path = format!("{folder}{name}");
        match entry.kind() {
            Some(ObjectType::Tree) => return Ok(Some(format!("{path}/"))),
            Some(ObjectType::Commit) => self.push(path, Err(FileProblem::Submodule))?,
            Some(ObjectType::Blob) if entry.filemode_raw() & 0o170_000 == SYMLINK => {
                self.push(path, Err(FileProblem::Symlink))?;
            }
            Some(ObjectType::Blob) if is_manifest(&name) => {
                let content = if entry.name().is_ok() {
                    self.blob(entry.id())?
                } else {
                    Err(FileProblem::Unreadable("its name is not UTF-8".to_owned()))
                };
                self.push(path, content)?;
            }
            _ => {}
        }
        Ok(None)
    }

    fn push(&mut self, path: String, content: Result<Vec<u8>, FileProblem>) -> Result<(), WalkError> {
        self.files.push(SourceFile { path, content: content.map(Into::into) });
        if self.files.len() > self.limits.files {
            return Err(too_large("the number of files", self.limits.files));
        }
        Ok(())
    }

    /// The size is asked for first: an object is inflated only when it is within the limit.
    fn blob(&mut self, id: Oid) -> Result<Result<Vec<u8>, FileProblem>, WalkError> {
        let (size, _) = self.repository.odb()?.read_header(id)?;
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        if size > self.limits.file_bytes {
            return Ok(Err(FileProblem::TooLarge { size }));
        }
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.limits.total_bytes {
            let limit = self.limits.total_bytes;
            return Err(WalkError::Source(SourceError::TooLarge { what: "the size of all files", limit }));
        }
        Ok(Ok(self.repository.find_blob(id)?.content().to_vec()))
    }
}
