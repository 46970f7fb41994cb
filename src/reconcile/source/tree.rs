//! Reading manifests out of tree objects: nothing is ever checked out.

use git2::{ObjectType, Oid, Repository, Tree, TreeEntry};
use sha2::{Digest, Sha256};

use super::selection::{Path, Selection};
use super::{Limits, SourceError, is_visible};
use crate::manifest::{FileProblem, SourceFile, is_manifest};
use crate::reconcile::digest::hex;

const SYMLINK: i32 = 0o120_000;

/// A tree still to be read, with its path.
struct Pending {
    tree: Oid,
    path: String,
    depth: usize,
}

/// A file, and what Git knows it by.
struct Found {
    file: SourceFile,
    mode: i32,
    id: Oid,
}

/// What has been read so far, held against the limits.
struct Reader<'a> {
    repository: &'a Repository,
    selection: &'a Selection,
    limits: &'a Limits,
    files: Vec<Found>,
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

/// The files of a selection, sorted by path, and what identifies them.
pub(super) struct Selected {
    pub(super) files: Vec<SourceFile>,
    pub(super) tree: String,
}

/// Reads the selection out of a commit's tree. Each of its paths must lead to something: a folder that was renamed is an
/// error, and not a wish to delete what was in it.
pub(super) fn read(
    repository: &Repository,
    root: &Tree<'_>,
    selection: &Selection,
    limits: &Limits,
) -> Result<Selected, WalkError> {
    let mut reader = Reader { repository, selection, limits, files: Vec::new(), entries: 0, bytes: 0 };
    let mut one_tree = None;
    for path in &selection.paths {
        let folder = folder(root, &path.folder)?.ok_or_else(|| not_found(path))?;
        if selection.one_folder().is_some() {
            one_tree = Some(format!("sha1:{folder}"));
        }
        let before = reader.files.len();
        reader.walk(folder, path)?;
        if path.is_glob() && reader.files.len() == before {
            return Err(not_found(path));
        }
    }
    let mut files = reader.files;
    files.sort_by(|a, b| a.file.path.cmp(&b.file.path));
    files.dedup_by(|a, b| a.file.path == b.file.path);
    let tree = one_tree.unwrap_or_else(|| digest(&files));
    Ok(Selected { files: files.into_iter().map(|found| found.file).collect(), tree })
}

fn not_found(path: &Path) -> WalkError {
    WalkError::Source(SourceError::PathNotFound { path: path.shown.clone() })
}

/// The id of a folder's tree.
fn folder(root: &Tree<'_>, path: &str) -> Result<Option<Oid>, git2::Error> {
    if path.is_empty() {
        return Ok(Some(root.id()));
    }
    match root.get_path(std::path::Path::new(path)) {
        Ok(entry) => Ok((entry.kind() == Some(ObjectType::Tree)).then(|| entry.id())),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Over paths, kinds and objects of the chosen files alone.
fn digest(files: &[Found]) -> String {
    let mut hash = Sha256::new();
    for Found { file, mode, id } in files {
        hash.update(file.path.as_bytes());
        hash.update([0]);
        hash.update(mode.to_be_bytes());
        hash.update(id.as_bytes());
    }
    format!("sha256:{}", hex(&hash.finalize()))
}

impl Reader<'_> {
    fn walk(&mut self, folder: Oid, wanted: &Path) -> Result<(), WalkError> {
        let prefix = if wanted.folder.is_empty() { String::new() } else { format!("{}/", wanted.folder) };
        let mut pending = vec![Pending { tree: folder, path: prefix, depth: 0 }];
        while let Some(Pending { tree, path, depth }) = pending.pop() {
            for entry in &self.repository.find_tree(tree)? {
                if let Some(folder) = self.entry(&entry, &path, wanted)? {
                    if depth >= self.limits.depth {
                        return Err(too_large("the depth of the repository's folders", self.limits.depth));
                    }
                    pending.push(Pending { tree: entry.id(), path: folder, depth: depth.saturating_add(1) });
                }
            }
        }
        Ok(())
    }

    /// Takes one entry in; the path to go on with, where it is a folder.
    fn entry(
        &mut self,
        entry: &TreeEntry<'_>,
        folder: &str,
        wanted: &Path,
    ) -> Result<Option<String>, WalkError> {
        self.entries = self.entries.saturating_add(1);
        if self.entries > self.limits.entries {
            return Err(too_large("the number of the repository's entries", self.limits.entries));
        }
        let name = String::from_utf8_lossy(entry.name_bytes());
        let path = format!("{folder}{name}");
        if !is_visible(&name) || self.selection.excludes(&path) {
            return Ok(None);
        }
        if entry.kind() == Some(ObjectType::Tree) {
            return Ok(Some(format!("{path}/")));
        }
        if !wanted.selects(&path) {
            return Ok(None);
        }
        let content = match entry.kind() {
            Some(ObjectType::Commit) => Err(FileProblem::Submodule),
            Some(ObjectType::Blob) if entry.filemode_raw() & 0o170_000 == SYMLINK => {
                Err(FileProblem::Symlink)
            }
            Some(ObjectType::Blob) if !is_manifest(&name) => return Ok(None),
            Some(ObjectType::Blob) if entry.name().is_err() => {
                Err(FileProblem::Unreadable("its name is not UTF-8".to_owned()))
            }
            Some(ObjectType::Blob) => self.blob(entry.id())?,
            _ => return Ok(None),
        };
        let file = SourceFile { path, content };
        self.files.push(Found { file, mode: entry.filemode_raw(), id: entry.id() });
        if self.files.len() > self.limits.files {
            return Err(too_large("the number of files", self.limits.files));
        }
        Ok(None)
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
