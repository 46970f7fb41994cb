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

const AUTHOR: (&str, &str) = ("Partner Zones quickstart", "quickstart@localhost");

/// Why the folder cannot be used.
#[derive(Debug, Error)]
pub(crate) enum FolderError {
    #[error("{0} is not empty and was not made by quickstart; choose another folder with --dir")]
    Foreign(PathBuf),
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
        let mut folder = Self { root, reused: true };
        let bare = folder.bare();
        if !bare.exists() {
            if fs::read_dir(&folder.root).is_ok_and(|mut entries| entries.next().is_some()) {
                return Err(FolderError::Foreign(folder.root));
            }
            folder.reused = false;
            seed(&bare, examples).map_err(|source| FolderError::Git { path: bare.clone(), source })?;
        }
        let clone = folder.clone_dir();
        if !clone.exists() {
            make_clone(&bare, &clone).map_err(|source| FolderError::Git { path: clone.clone(), source })?;
        }
        Ok(folder)
    }

    /// The bare repository that the reconciler watches.
    pub(crate) fn bare(&self) -> PathBuf {
        self.root.join("zones.git")
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

    /// Removes the admin key of an earlier run, so that the new one can be written.
    pub(crate) fn remove_api_key(&self) -> Result<(), FolderError> {
        let path = self.api_key_file();
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(FolderError::Write { path, source })
            }
            _ => Ok(()),
        }
    }

    /// Writes a file that may hold a secret: readable by its owner alone.
    pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), FolderError> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;

        let failed = |source| FolderError::Write { path: path.to_owned(), source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        // Anew each time: an older file's wider mode would otherwise stay.
        if path.exists() {
            fs::remove_file(path).map_err(failed)?;
        }
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)
    }
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
    // `git commit` wants to know who commits. Whoever has told Git already keeps their name.
    let mut config = repository.config()?;
    if config.get_entry("user.email").is_err() {
        config.set_str("user.name", AUTHOR.0)?;
        config.set_str("user.email", AUTHOR.1)?;
    }
    Ok(())
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

        fs::write(&file, "changed\n").unwrap();
        let again = Folder::prepare(&temp.path().join("q"), &EXAMPLES).unwrap();
        assert!(again.reused);
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
