//! A plain folder as the source: for pull requests and local use.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Limits, Snapshot, SourceError, is_visible};
use crate::manifest::{FileProblem, SourceFile, is_manifest};
use crate::reconcile::digest::hex;
use crate::zone::Revision;

/// Reads the manifests under a folder. The folder itself may be a symbolic link; nothing below it is followed.
#[derive(Debug, Clone)]
pub struct Directory {
    folder: PathBuf,
}

/// A folder still to be read, with its path below the root.
struct Pending {
    folder: PathBuf,
    inner: String,
    depth: usize,
}

impl Directory {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything under the folder as it is now. Paths of files start with the folder as it was given, so that an
    /// editor finds them; revision and tree know the paths below it only, so that they do not depend on where it lies.
    pub fn read(&self, limits: &Limits) -> Result<Snapshot, SourceError> {
        let mut files = self.collect(limits)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let digest = digest(&files);
        let prefix = self.prefix();
        for file in &mut files {
            file.path.insert_str(0, &prefix);
        }
        let revision = Revision::folder(&digest);
        Ok(Snapshot { revision, tree: format!("sha256:{digest}"), files, commit: None })
    }

    fn prefix(&self) -> String {
        let shown = self.folder.to_string_lossy();
        let shown = shown.trim_end_matches('/');
        match shown.strip_prefix("./").unwrap_or(shown) {
            "" | "." => String::new(),
            folder => format!("{folder}/"),
        }
    }

    fn collect(&self, limits: &Limits) -> Result<Vec<SourceFile>, SourceError> {
        let mut pending = vec![Pending { folder: self.folder.clone(), inner: String::new(), depth: 0 }];
        let (mut files, mut entries, mut bytes) = (Vec::new(), 0_usize, 0_u64);
        while let Some(Pending { folder, inner, depth }) = pending.pop() {
            let failed = |cause: io::Error| SourceError::Folder {
                folder: folder.display().to_string(),
                cause: cause.to_string(),
            };
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                entries = entries.saturating_add(1);
                over(entries > limits.entries, "the number of entries of the folder", limits.entries)?;
                let os_name = entry.file_name();
                let name = os_name.to_string_lossy();
                if !is_visible(&name) {
                    continue;
                }
                let path = format!("{inner}{name}");
                let kind = entry.file_type().map_err(failed)?;
                if kind.is_dir() {
                    over(depth >= limits.depth, "the depth of the folder", limits.depth)?;
                    pending.push(Pending {
                        folder: entry.path(),
                        inner: format!("{path}/"),
                        depth: depth + 1,
                    });
                } else if kind.is_symlink() {
                    files.push(SourceFile { path, content: Err(FileProblem::Symlink) });
                } else if is_manifest(&name) {
                    let content = match os_name.to_str() {
                        Some(_) => read_file(&entry.path(), limits.file_bytes),
                        None => Err(FileProblem::Unreadable("its name is not UTF-8".to_owned())),
                    };
                    bytes = bytes.saturating_add(content.as_ref().map_or(0, |bytes| to_u64(bytes.len())));
                    files.push(SourceFile { path, content: content.map(Into::into) });
                }
                over(files.len() > limits.files, "the number of files", limits.files)?;
                if bytes > limits.total_bytes {
                    return Err(SourceError::TooLarge {
                        what: "the size of all files",
                        limit: limits.total_bytes,
                    });
                }
            }
        }
        Ok(files)
    }
}

fn over(is_over: bool, what: &'static str, limit: usize) -> Result<(), SourceError> {
    if is_over { Err(SourceError::TooLarge { what, limit: to_u64(limit) }) } else { Ok(()) }
}

fn to_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A regular file of at most `limit` bytes; a symbolic link is not followed.
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, FileProblem> {
    let unreadable = |cause: io::Error| FileProblem::Unreadable(cause.to_string());
    let seen = fs::symlink_metadata(path).map_err(unreadable)?;
    if !seen.is_file() {
        return Err(FileProblem::Unreadable("it is not a regular file".to_owned()));
    }
    let file = File::open(path).map_err(unreadable)?;
    let opened = file.metadata().map_err(unreadable)?;
    // Between the look and the opening, the name may have become a link to something else.
    if (seen.dev(), seen.ino()) != (opened.dev(), opened.ino()) {
        return Err(FileProblem::Unreadable("it was replaced while it was read".to_owned()));
    }
    let mut content = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut content).map_err(unreadable)?;
    let size = to_u64(content.len());
    if size > limit { Err(FileProblem::TooLarge { size: size.max(opened.len()) }) } else { Ok(content) }
}

/// Hex SHA-256 over paths and contents, each with its length, so that no two folders have the same input.
fn digest(files: &[SourceFile]) -> String {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update(to_u64(bytes.len()).to_be_bytes());
        hash.update(bytes);
    };
    for file in files {
        field(file.path.as_bytes());
        match &file.content {
            Ok(content) => field(content),
            Err(problem) => field(format!("\0{problem:?}").as_bytes()),
        }
    }
    hex(&hash.finalize())
}
