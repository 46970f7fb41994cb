use std::fs;
use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid, Repository, Signature};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::contents;
use crate::manifest::FileProblem;
use crate::reconcile::source::{
    GitConfig, GitSource, History, Limits, OnHistoryRewrite, Snapshot, SourceError,
};
use crate::zone::Revision;

pub(super) const MAIN: &str = "refs/heads/main";

/// A bare repository that nobody else knows, and a folder for mirrors of it.
pub(super) struct Fixture {
    folder: TempDir,
    repository: Repository,
}

/// Content and mode of one entry.
pub(super) type Entry<'a> = (&'a str, i32, &'a str);

impl Fixture {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(folder.path().join("zones.git")).unwrap();
        Self { folder, repository }
    }

    pub(super) fn url(&self) -> PathBuf {
        self.folder.path().join("zones.git")
    }

    fn config(&self) -> GitConfig {
        GitConfig::open(self.url().to_str().unwrap(), MAIN, "zones", self.folder.path().join("mirrors"))
    }

    pub(super) fn source(&self) -> GitSource {
        GitSource::new(self.config()).unwrap()
    }

    /// A commit whose folder `zones` holds these entries.
    pub(super) fn commit(&self, entries: &[Entry<'_>], parents: &[Oid]) -> Oid {
        self.commit_saying(&format!("Share {} files\n\nbody", entries.len()), entries, parents)
    }

    pub(super) fn commit_saying(&self, message: &str, entries: &[Entry<'_>], parents: &[Oid]) -> Oid {
        let mut zones = self.repository.treebuilder(None).unwrap();
        for (name, mode, content) in entries {
            let id = if *mode == 0o160_000 {
                Oid::from_str(&"1".repeat(40)).unwrap()
            } else {
                self.repository.blob(content.as_bytes()).unwrap()
            };
            zones.insert(name, id, *mode).unwrap();
        }
        let mut root = self.repository.treebuilder(None).unwrap();
        root.insert("zones", zones.write().unwrap(), 0o040_000).unwrap();
        let tree = self.repository.find_tree(root.write().unwrap()).unwrap();
        let who = Signature::now("Ada", "ada@example.com").unwrap();
        let parents: Vec<_> = parents.iter().map(|id| self.repository.find_commit(*id).unwrap()).collect();
        self.repository.commit(None, &who, &who, message, &tree, &parents.iter().collect::<Vec<_>>()).unwrap()
    }

    pub(super) fn point(&self, reference: &str, commit: Oid) {
        self.repository.reference(reference, commit, true, "test").unwrap();
    }

    /// `main` moves on to a new commit with one file.
    fn advance(&self, content: &str) -> Oid {
        let parent = self.repository.refname_to_id(MAIN).ok();
        let commit = self.commit(&[("acme.yaml", 0o100_644, content)], parent.as_slice());
        self.point(MAIN, commit);
        commit
    }
}

fn read(source: &mut GitSource) -> Result<Snapshot, SourceError> {
    source.read(&History::default(), &CancellationToken::new())
}

#[test]
fn a_commit_is_read_with_its_revision_tree_and_author() {
    let fixture = Fixture::new();
    let commit = fixture.advance("x");
    let snapshot = read(&mut fixture.source()).unwrap();
    assert_eq!(snapshot.revision.as_str(), format!("main@sha1:{commit}"));
    assert_eq!(contents(&snapshot), [("zones/acme.yaml", Ok("x"))]);
    let found = snapshot.commit.unwrap();
    assert_eq!((found.author.as_str(), found.subject.as_str()), ("Ada <ada@example.com>", "Share 1 files"));
    let tree =
        fixture.repository.find_commit(commit).unwrap().tree().unwrap().get_name("zones").unwrap().id();
    assert_eq!(snapshot.tree, format!("sha1:{tree}"));
}

#[test]
fn a_work_tree_is_read_as_committed_and_not_as_it_lies_there() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::new();
    fixture.advance("committed");
    let clone = Repository::clone(fixture.url().to_str().unwrap(), folder.path().join("clone")).unwrap();
    clone.reference(MAIN, clone.refname_to_id("refs/remotes/origin/main").unwrap(), true, "test").unwrap();
    fs::create_dir_all(folder.path().join("clone/zones")).unwrap();
    fs::write(folder.path().join("clone/zones/acme.yaml"), "edited").unwrap();
    let url = folder.path().join("clone").to_str().unwrap().to_owned();
    let snapshot = read(&mut GitSource::new(GitConfig { url, ..fixture.config() }).unwrap()).unwrap();
    assert_eq!(contents(&snapshot), [("zones/acme.yaml", Ok("committed"))]);
}

#[test]
fn a_new_commit_is_seen_and_an_unchanged_ref_is_read_again() {
    let fixture = Fixture::new();
    let mut source = fixture.source();
    fixture.advance("one");
    assert_eq!(contents(&read(&mut source).unwrap())[0].1, Ok("one"));
    assert_eq!(contents(&read(&mut source).unwrap())[0].1, Ok("one"));
    fixture.advance("two");
    assert_eq!(contents(&read(&mut source).unwrap())[0].1, Ok("two"));
}

#[test]
fn links_submodules_and_large_files_are_reported_and_never_followed() {
    let fixture = Fixture::new();
    let large = "x".repeat(usize::try_from(Limits::default().file_bytes).unwrap() + 1);
    let entries = [
        ("a.yaml", 0o100_755, "fine"),
        ("b.yaml", 0o120_000, "../../etc/passwd"),
        ("c", 0o160_000, ""),
        ("d.yaml", 0o100_644, large.as_str()),
        ("e.md", 0o100_644, "not a manifest"),
    ];
    fixture.point(MAIN, fixture.commit(&entries, &[]));
    let snapshot = read(&mut fixture.source()).unwrap();
    let size = u64::try_from(large.len()).unwrap();
    assert_eq!(
        contents(&snapshot),
        [
            ("zones/a.yaml", Ok("fine")),
            ("zones/b.yaml", Err(&FileProblem::Symlink)),
            ("zones/c", Err(&FileProblem::Submodule)),
            ("zones/d.yaml", Err(&FileProblem::TooLarge { size })),
        ]
    );
}

#[test]
fn a_deleted_branch_is_an_error_even_where_a_tag_has_its_name() {
    let fixture = Fixture::new();
    let commit = fixture.advance("x");
    let mut source = fixture.source();
    read(&mut source).unwrap();
    fixture.point("refs/tags/main", commit);
    fixture.repository.find_reference(MAIN).unwrap().delete().unwrap();
    assert_eq!(read(&mut source).unwrap_err().reason(), "RefNotFound");
}

#[test]
fn a_missing_folder_or_repository_is_an_error_and_not_an_empty_snapshot() {
    let fixture = Fixture::new();
    fixture.advance("x");
    for path in ["zone", "zones/acme.yaml"] {
        let mut source =
            GitSource::new(GitConfig { paths: vec![path.to_owned()], ..fixture.config() }).unwrap();
        assert_eq!(read(&mut source).unwrap_err().reason(), "PathNotFound", "{path}");
    }
    let mut source = fixture.source();
    read(&mut source).unwrap();
    fs::remove_dir_all(fixture.url()).unwrap();
    let gone = read(&mut source).unwrap_err();
    assert!(gone.reason() == "FetchFailed" && gone.is_transient(), "{gone}");
}

#[test]
fn a_rewritten_history_is_refused_until_the_configuration_accepts_it() {
    let fixture = Fixture::new();
    let first = fixture.advance("one");
    let mut source = fixture.source();
    fixture.advance("two");
    read(&mut source).unwrap();
    // Back to an old commit, which would bring back what was revoked since.
    fixture.point(MAIN, first);
    assert_eq!(read(&mut source).unwrap_err().reason(), "SourceRewritten");
    // A history that has nothing to do with it.
    fixture.point(MAIN, fixture.commit(&[("acme.yaml", 0o100_644, "foreign")], &[]));
    assert_eq!(read(&mut source).unwrap_err().reason(), "SourceRewritten");
    drop(source);
    let accepting = GitConfig { on_history_rewrite: OnHistoryRewrite::Accept, ..fixture.config() };
    let snapshot = read(&mut GitSource::new(accepting).unwrap()).unwrap();
    assert_eq!(contents(&snapshot)[0].1, Ok("foreign"));
    // Once accepted, it is the history.
    assert!(read(&mut fixture.source()).is_ok());
}

#[test]
fn a_lost_mirror_does_not_forget_what_is_in_force() {
    let fixture = Fixture::new();
    let first = fixture.advance("one");
    let second = fixture.advance("two");
    fixture.point(MAIN, first);
    let applied = |reference: &str| Revision::commit(reference, &second.to_string());
    let after = |revision| fixture.source().read(&History::after(Some(revision)), &CancellationToken::new());
    let refused = after(applied(MAIN)).unwrap_err();
    assert_eq!(refused.reason(), "SourceRewritten");
    let nonsense = after(Revision::commit(MAIN, "nonsense")).unwrap_err();
    assert_eq!(nonsense.reason(), "SourceRewritten");
    // What another ref brought says nothing about this one.
    assert!(after(applied("refs/heads/other")).is_ok());
}

#[test]
fn stale_locks_and_a_broken_mirror_heal() {
    let fixture = Fixture::new();
    fixture.advance("one");
    read(&mut fixture.source()).unwrap();
    let mirrors = fixture.folder.path().join("mirrors");
    let mirror = fs::read_dir(mirrors).unwrap().next().unwrap().unwrap().path().join("mirror.git");
    fs::write(mirror.join("refs/partner-zones/incoming.lock"), "").unwrap();
    fs::write(mirror.join("packed-refs.lock"), "").unwrap();
    let half = mirror.join("objects/pack/pack_git2_abc123");
    fs::create_dir_all(half.parent().unwrap()).unwrap();
    fs::write(&half, "half a pack").unwrap();
    fixture.advance("two");
    assert_eq!(contents(&read(&mut fixture.source()).unwrap())[0].1, Ok("two"));
    assert!(!half.exists());
    remove_objects(&mirror);
    assert_eq!(contents(&read(&mut fixture.source()).unwrap())[0].1, Ok("two"));
    fs::write(mirror.join("HEAD"), "nonsense").unwrap();
    assert_eq!(contents(&read(&mut fixture.source()).unwrap())[0].1, Ok("two"));
}

#[test]
fn one_ref_is_kept_with_all_of_its_history_and_no_tag() {
    let fixture = Fixture::new();
    let first = fixture.advance("one");
    fixture.advance("two");
    let elsewhere = fixture.commit(&[("a.yaml", 0o100_644, "elsewhere")], &[]);
    for name in ["refs/tags/v1", "refs/heads/other"] {
        fixture.point(name, elsewhere);
    }
    read(&mut fixture.source()).unwrap();
    let mirrors = fixture.folder.path().join("mirrors");
    let mirror = fs::read_dir(mirrors).unwrap().next().unwrap().unwrap().path().join("mirror.git");
    let mirror = Repository::open_bare(mirror).unwrap();
    assert!(!mirror.is_shallow() && mirror.find_commit(first).is_ok());
    let names: Vec<String> =
        mirror.references().unwrap().map(|kept| kept.unwrap().name().unwrap().to_owned()).collect();
    assert!(names.iter().all(|name| name.starts_with("refs/partner-zones/")), "{names:?}");
}

#[test]
fn a_mirror_that_breaks_while_it_is_open_heals() {
    let fixture = Fixture::new();
    let mut source = fixture.source();
    fixture.advance("one");
    read(&mut source).unwrap();
    let mirrors = fixture.folder.path().join("mirrors");
    let mirror = fs::read_dir(mirrors).unwrap().next().unwrap().unwrap().path().join("mirror.git");
    remove_objects(&mirror);
    fixture.advance("two");
    let healed = read(&mut source).or_else(|_| read(&mut source)).unwrap();
    assert_eq!(contents(&healed)[0].1, Ok("two"));
}

#[test]
fn a_mirror_has_one_user() {
    let fixture = Fixture::new();
    fixture.advance("one");
    let mut source = fixture.source();
    read(&mut source).unwrap();
    let refused = read(&mut fixture.source()).unwrap_err();
    assert!(refused.to_string().contains("another process uses it"), "{refused}");
}

#[test]
fn a_ref_to_something_else_than_a_commit_is_refused() {
    let fixture = Fixture::new();
    let blob = fixture.repository.blob(b"x").unwrap();
    assert_eq!(fixture.repository.find_object(blob, None).unwrap().kind(), Some(ObjectType::Blob));
    fixture.repository.reference("refs/partner/blob", blob, true, "test").unwrap();
    let config = GitConfig { reference: "refs/partner/blob".to_owned(), ..fixture.config() };
    assert!(read(&mut GitSource::new(config).unwrap()).is_err());
}

fn remove_objects(mirror: &Path) {
    fs::remove_dir_all(mirror.join("objects")).unwrap();
    fs::create_dir(mirror.join("objects")).unwrap();
}
