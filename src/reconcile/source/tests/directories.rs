use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::contents;
use crate::manifest::FileProblem;
use crate::reconcile::source::{Directory, Limits, Snapshot, SourceError};

fn write(folder: &Path, path: &str, content: &str) {
    let file = folder.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content).unwrap();
}

fn read(folder: &Path) -> Result<Snapshot, SourceError> {
    Directory::new(folder).read(&Limits::default())
}

#[test]
fn only_visible_manifests_are_read_in_the_order_of_their_paths() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["b.yaml", "a/z.yml", "README.md", ".git/config.yaml", ".hidden.yaml", "a/notes.txt"] {
        write(folder.path(), path, path);
    }
    let snapshot = read(folder.path()).unwrap();
    let root = folder.path().to_str().unwrap();
    let (first, second) = (format!("{root}/a/z.yml"), format!("{root}/b.yaml"));
    assert_eq!(contents(&snapshot), [(first.as_str(), Ok("a/z.yml")), (second.as_str(), Ok("b.yaml"))]);
}

#[test]
fn links_are_reported_and_never_followed() {
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "secret.yaml", "secret");
    let folder = tempfile::tempdir().unwrap();
    symlink(outside.path().join("secret.yaml"), folder.path().join("file.yaml")).unwrap();
    symlink(outside.path(), folder.path().join("folder")).unwrap();
    symlink(folder.path(), folder.path().join("loop")).unwrap();
    let snapshot = read(folder.path()).unwrap();
    assert_eq!(snapshot.files.len(), 3);
    assert!(snapshot.files.iter().all(|file| file.content == Err(FileProblem::Symlink)), "{snapshot:?}");
}

#[test]
fn what_is_not_a_regular_file_is_reported_without_opening_it() {
    let folder = tempfile::tempdir().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("zone.yaml")).unwrap();
    let snapshot = read(folder.path()).unwrap();
    assert!(matches!(snapshot.files[0].content, Err(FileProblem::Unreadable(_))), "{snapshot:?}");
}

#[test]
fn a_file_over_the_limit_is_reported_and_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "big.yaml", "0123456789");
    write(folder.path(), "small.yaml", "012345678");
    let limits = Limits { file_bytes: 9, ..Limits::default() };
    let snapshot = Directory::new(folder.path()).read(&limits).unwrap();
    assert_eq!(snapshot.files[0].content, Err(FileProblem::TooLarge { size: 10 }));
    assert_eq!(snapshot.files[1].content, Ok(b"012345678"[..].into()));
}

#[test]
fn a_folder_over_a_limit_is_refused_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["a.yaml", "b.yaml", "c/d/e.yaml"] {
        write(folder.path(), path, "0123");
    }
    let default = Limits::default;
    for limits in [
        Limits { files: 2, ..default() },
        Limits { total_bytes: 11, ..default() },
        Limits { entries: 3, ..default() },
        Limits { depth: 1, ..default() },
    ] {
        let refused = Directory::new(folder.path()).read(&limits);
        assert!(matches!(refused, Err(SourceError::TooLarge { .. })), "{refused:?}");
    }
    assert_eq!(read(folder.path()).unwrap().files.len(), 3);
}

#[test]
fn a_missing_folder_is_an_error_and_not_an_empty_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let missing = read(&folder.path().join("zones")).unwrap_err();
    assert_eq!(missing.reason(), "FolderUnreadable");
}

#[test]
fn the_revision_depends_on_paths_and_bytes_and_not_on_where_the_folder_lies() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&one, &other] {
        write(folder.path(), "a.yaml", "x");
        write(folder.path(), "b.yaml", "y");
    }
    let revision = |folder: &Path| read(folder).unwrap().revision;
    let before = revision(one.path());
    assert_eq!(before, revision(other.path()));
    assert!(before.as_str().starts_with("dir@sha256:"), "{before}");
    write(other.path(), "README.md", "not a manifest");
    assert_eq!(before, revision(other.path()));
    write(other.path(), "b.yaml", "z");
    assert_ne!(before, revision(other.path()));
    fs::remove_file(other.path().join("b.yaml")).unwrap();
    write(other.path(), "c.yaml", "y");
    assert_ne!(before, revision(other.path()));
}
