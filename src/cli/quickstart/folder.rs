//! What quickstart leaves in its folder (CONTRACTS section 4): a bare repository that is watched and a clone to edit.

use std::fs;
use std::path::{Path, PathBuf};

use git2::build::RepoBuilder;
use git2::{Repository, RepositoryInitOptions, Signature};
use thiserror::Error;

/// The branch that the reconciler follows.
pub(crate) const BRANCH: &str = "main";
/// The folder inside the repository that holds the zones.
pub(crate) const ZONES_PATH: &str = "zones";

const BARE: &str = "zones.git";
const LOCK: &str = ".lock";
const AUTHOR: (&str, &str) = ("Partner Zones quickstart", "quickstart@localhost");

/// Why the folder cannot be used.
#[derive(Debug, Error)]
pub(crate) enum FolderError {
    #[error("{0} is not empty and was not made by quickstart; choose another folder with --dir")]
    Foreign(PathBuf),
    #[error("quickstart already runs in {0}; end it with Ctrl-C, or choose another folder with --dir")]
    InUse(PathBuf),
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot prepare the Git repository {path}: {source}")]
    Git { path: PathBuf, source: git2::Error },
}

/// A file of the example repository: its path below the repository's root, and its text.
pub(crate) type ExampleFile = (&'static str, &'static str);

/// The quickstart folder, prepared.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    /// Held for as long as this process uses the folder.
    _lock: fs::File,
    /// Whether it was there before: its Git history then is the user's.
    pub(crate) reused: bool,
}

impl Folder {
    /// Makes the repository and the clone where they are missing; never touches what a user has committed.
    pub(crate) fn prepare(root: &Path, examples: &[ExampleFile]) -> Result<Self, FolderError> {
        fs::create_dir_all(root).map_err(|source| FolderError::Write { path: root.to_owned(), source })?;
        // Absolute, so that the printed lines work from anywhere and the clone finds its origin.
        let root =
            root.canonicalize().map_err(|source| FolderError::Write { path: root.to_owned(), source })?;
        let reused = root.join(BARE).exists();
        if !reused && is_foreign(&root) {
            return Err(FolderError::Foreign(root));
        }
        let folder = Self { _lock: lock(&root)?, root, reused };
        let bare = folder.bare();
        if !reused {
            seed(&bare, examples).map_err(|source| FolderError::Git { path: bare.clone(), source })?;
        }
        let clone = folder.clone_dir();
        if !clone.exists() {
            make_clone(&bare, &clone).map_err(|source| FolderError::Git { path: clone.clone(), source })?;
        }
        // Where the first line of each example looks for it.
        let schema = folder.root.join("schema/partner-zone.json");
        write_new(&schema, include_str!("../../../schema/partner-zone.json"), 0o644)?;
        Ok(folder)
    }

    /// The bare repository that the reconciler watches.
    pub(crate) fn bare(&self) -> PathBuf {
        self.root.join(BARE)
    }

    /// The clone to edit and push from.
    pub(crate) fn clone_dir(&self) -> PathBuf {
        self.root.join("zones")
    }

    pub(crate) fn api_key_file(&self) -> PathBuf {
        self.root.join("api-key")
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.root.join("reconciler.yaml")
    }

    /// The reconciler's own data: what can be rebuilt.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(crate) fn partner_dir(&self, zone: &str) -> PathBuf {
        self.root.join("partners").join(zone)
    }

    /// Writes a file that may hold a secret: readable by its owner alone.
    pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), FolderError> {
        write_new(path, text, 0o600)
    }
}

/// Whether the folder holds anything that is not ours.
fn is_foreign(root: &Path) -> bool {
    fs::read_dir(root)
        .is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != LOCK)))
}

/// One process at a time: a second one would replace the keys of the first.
fn lock(root: &Path) -> Result<fs::File, FolderError> {
    let path = root.join(LOCK);
    let file = fs::File::create(&path).map_err(|source| FolderError::Write { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(FolderError::InUse(root.to_owned())),
        Err(fs::TryLockError::Error(source)) => Err(FolderError::Write { path, source }),
    }
}

/// Writes a file anew each time: an older file's wider mode would otherwise stay.
fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), FolderError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    let failed = |source| FolderError::Write { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    if path.exists() {
        fs::remove_file(path).map_err(failed)?;
    }
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

/// Makes the bare repository with one commit of the example files.
fn seed(bare: &Path, examples: &[ExampleFile]) -> Result<(), git2::Error> {
    let repository =
        Repository::init_opts(bare, RepositoryInitOptions::new().bare(true).initial_head(BRANCH))?;
    let mut index = git2::Index::new()?;
    for (path, text) in examples {
        let entry = git2::IndexEntry {
            ctime: git2::IndexTime::new(0, 0),
            mtime: git2::IndexTime::new(0, 0),
            dev: 0,
            ino: 0,
            mode: 0o100_644,
            uid: 0,
            gid: 0,
            file_size: 0,
            id: repository.blob(text.as_bytes())?,
            flags: 0,
            flags_extended: 0,
            path: path.as_bytes().to_vec(),
        };
        index.add(&entry)?;
    }
    let tree = repository.find_tree(index.write_tree_to(&repository)?)?;
    let author = Signature::now(AUTHOR.0, AUTHOR.1)?;
    repository.commit(Some("HEAD"), &author, &author, "Share the first topics", &tree, &[])?;
    Ok(())
}

fn make_clone(bare: &Path, clone: &Path) -> Result<(), git2::Error> {
    let repository = RepoBuilder::new().branch(BRANCH).clone(&bare.to_string_lossy(), clone)?;
    // `git commit` wants to know who commits, and on a fresh machine nobody has told it.
    let mut config = repository.config()?;
    config.set_str("user.name", AUTHOR.0)?;
    config.set_str("user.email", AUTHOR.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLES: [ExampleFile; 2] =
        [("zones/acme.yaml", "kind: PartnerZone\n"), ("README.md", "# Zones\n")];

    #[test]
    fn a_fresh_folder_gets_a_repository_and_a_clone_and_a_second_start_keeps_commits() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::prepare(&temp.path().join("q"), &EXAMPLES).unwrap();
        assert!(!folder.reused);
        let file = folder.clone_dir().join("zones/acme.yaml");
        assert_eq!(fs::read_to_string(&file).unwrap(), "kind: PartnerZone\n");

        assert!(matches!(Folder::prepare(&temp.path().join("q"), &EXAMPLES), Err(FolderError::InUse(_))));
        fs::write(&file, "changed\n").unwrap();
        drop(folder);
        let again = Folder::prepare(&temp.path().join("q"), &EXAMPLES).unwrap();
        assert!(again.reused && again.clone_dir().join("zones/acme.yaml") == file);
        assert_eq!(fs::read_to_string(&file).unwrap(), "changed\n");
    }

    #[test]
    fn a_folder_with_other_things_in_it_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("thesis.txt"), "do not touch").unwrap();
        assert!(matches!(Folder::prepare(temp.path(), &EXAMPLES), Err(FolderError::Foreign(_))));
        assert!(!temp.path().join("zones.git").exists());
    }

    #[test]
    fn a_secret_is_readable_by_its_owner_alone_even_over_an_older_file() {
        use std::os::unix::fs::PermissionsExt;

        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::prepare(&temp.path().join("q"), &EXAMPLES).unwrap();
        let path = folder.partner_dir("acme").join("client.properties");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "old").unwrap();
        Folder::write_private(&path, "new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }
}
