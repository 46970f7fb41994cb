use std::fs;

use git2::{IndexAddOption, Signature};

use super::*;
use crate::reconcile::source::Directory;

/// Commits everything in the work tree.
fn commit(repository: &Repository, message: &str) {
    let mut index = repository.index().unwrap();
    index.add_all(["*"], IndexAddOption::DEFAULT, None).unwrap();
    index.update_all(["*"], None).unwrap();
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let ann = Signature::now("Ann", "ann@example.com").unwrap();
    let parent = repository.head().ok().map(|head| head.peel_to_commit().unwrap());
    let parents: Vec<_> = parent.iter().collect();
    repository.commit(Some("HEAD"), &ann, &ann, message, &tree, &parents).unwrap();
}

fn write(root: &Path, file: &str, text: &str) {
    let file = root.join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

#[test]
fn the_base_is_read_as_it_was_committed_and_the_work_tree_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let repository = Repository::init(root).unwrap();
    write(root, "zones/acme.yaml", "a: 1\n");
    write(root, "reconciler.yaml", "guards: {floor: 5}\n");
    commit(&repository, "one");
    write(root, "zones/acme.yaml", "a: 2\n");
    write(root, "zones/new.yaml", "b: 1\n");
    write(root, "reconciler.yaml", "guards: {floor: 500}\n");
    write(root, "later/zone.yaml", "c: 1\n");
    let zones = root.join("zones");
    let base = Base::open(&zones, "HEAD").unwrap();
    let snapshot = base.read(&zones, &Limits::default()).unwrap();
    let files: Vec<_> =
        snapshot.files.iter().map(|file| (file.path.as_str(), file.content.clone().unwrap())).collect();
    assert_eq!(files, [("zones/acme.yaml", b"a: 1\n".to_vec())]);
    assert_eq!(Directory::new(&zones).read(&Limits::default()).unwrap().files.len(), 2);
    let config = root.join("reconciler.yaml");
    assert_eq!(base.file(&config, 1_000).unwrap().unwrap(), b"guards: {floor: 5}\n");
    assert!(base.file(&config, 3).is_err());
    assert!(base.holds(&config) && !base.holds(Path::new("/")));
    // A folder that is new had nothing in it.
    assert!(base.read(&root.join("later"), &Limits::default()).unwrap().files.is_empty());
    // The root of the work tree is a folder too.
    assert_eq!(base.read(root, &Limits::default()).unwrap().files.len(), 2);
}

#[test]
fn a_commit_that_is_not_there_and_a_folder_without_a_repository_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Base::open(folder.path(), "HEAD"), Err(BaseError::NoWorkTree { .. })));
    let repository = Repository::init(folder.path()).unwrap();
    write(folder.path(), "a.yaml", "a: 1\n");
    commit(&repository, "one");
    for reference in ["origin/main", "HEAD~1", "--upload-pack=x", ""] {
        assert!(
            matches!(Base::open(folder.path(), reference), Err(BaseError::NoCommit { .. })),
            "{reference}"
        );
    }
    assert!(Base::open(&folder.path().join("none"), "HEAD").is_err());
}
