//! Globs, lists and excludes over a real repository.

use git2::{Oid, Repository, Signature};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::reconcile::source::{GitConfig, GitSource, History, OnHistoryRewrite, Snapshot, SourceError};

const MAIN: &str = "refs/heads/main";

struct Teams {
    folder: TempDir,
    repository: Repository,
}

impl Teams {
    fn with(files: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(folder.path().join("zones.git")).unwrap();
        let teams = Self { folder, repository };
        teams.commit(files);
        teams
    }

    /// A commit with these files, each with its own name in it.
    fn commit(&self, files: &[&str]) -> Oid {
        let mut index = git2::Index::new().unwrap();
        for file in files {
            let id = self.repository.blob(file.as_bytes()).unwrap();
            index.add(&entry(file, id)).unwrap();
        }
        let tree = index.write_tree_to(&self.repository).unwrap();
        let who = Signature::now("Ada", "ada@example.com").unwrap();
        let tree = self.repository.find_tree(tree).unwrap();
        let commit = self.repository.commit(None, &who, &who, "files", &tree, &[]).unwrap();
        self.repository.reference(MAIN, commit, true, "test").unwrap();
        commit
    }

    fn read(&self, paths: &[&str], exclude: &[&str]) -> Result<Snapshot, SourceError> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let url = self.folder.path().join("zones.git");
        let config = GitConfig {
            paths: owned(paths),
            exclude: owned(exclude),
            on_history_rewrite: OnHistoryRewrite::Accept,
            ..GitConfig::open(url.to_str().unwrap(), MAIN, ".", self.folder.path().join("mirrors"))
        };
        GitSource::new(config).unwrap().read(&History::default(), &CancellationToken::new())
    }
}

fn entry(path: &str, id: Oid) -> git2::IndexEntry {
    let never = git2::IndexTime::new(0, 0);
    git2::IndexEntry {
        ctime: never,
        mtime: never,
        dev: 0,
        ino: 0,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}

fn paths(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.files.iter().map(|file| file.path.as_str()).collect()
}

const FILES: [&str; 6] = [
    "README.md",
    "shared/deep/er/c.yaml",
    "teams/a/zones/a.yaml",
    "teams/a/zones/draft.yaml",
    "teams/b/zones/b.yaml",
    "teams/b/other/x.yaml",
];

#[test]
fn a_list_of_globs_and_folders_selects_each_file_once_and_excludes_win() {
    let teams = Teams::with(&FILES);
    let chosen = ["teams/*/zones/*.yaml", "shared", "shared/**/*.yaml"];
    let snapshot = teams.read(&chosen, &["**/draft.yaml"]).unwrap();
    assert_eq!(paths(&snapshot), ["shared/deep/er/c.yaml", "teams/a/zones/a.yaml", "teams/b/zones/b.yaml"]);
    let snapshot = teams.read(&["teams"], &["teams/b"]).unwrap();
    assert_eq!(paths(&snapshot), ["teams/a/zones/a.yaml", "teams/a/zones/draft.yaml"]);
}

#[test]
fn a_path_that_leads_to_nothing_is_an_error_and_not_a_deletion() {
    let teams = Teams::with(&FILES);
    for gone in ["team", "teams/*/zone/*.yaml", "README.md", "nowhere/**/*.yaml"] {
        let error = teams.read(&["shared", gone], &[]).unwrap_err();
        assert!(error.reason() == "PathNotFound" && error.to_string().contains(gone), "{gone}: {error}");
    }
}

#[test]
fn what_is_not_selected_does_not_change_what_identifies_the_files() {
    let teams = Teams::with(&FILES);
    let tree = |exclude: &[&str]| teams.read(&["teams/*/zones/*.yaml"], exclude).unwrap().tree;
    let before = tree(&[]);
    teams.commit(&[&FILES[..], &["teams/c/other/new.yaml", "docs/y.yaml"]].concat());
    assert_eq!(tree(&[]), before, "a pull request's head and its merge have the same");
    assert_ne!(tree(&["teams/b"]), before);
    teams.commit(&[&FILES[..], &["teams/c/zones/new.yaml"]].concat());
    assert_ne!(tree(&[]), before);
    assert!(before.starts_with("sha256:"), "{before}");
}
