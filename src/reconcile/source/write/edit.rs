//! A commit, made of its parent's tree and some files: no work tree, and no ref is touched.

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, Repository, Tree, message_prettify};

use super::error::EditError;
use super::{COMMITTER, CommitError, Proposal};
use crate::manifest::finding::printable;

const LINK: i32 = 0o120_000;
const PROGRAM: i32 = 0o100_755;

/// Writes the commit and what is new in it to the repository, which has to have `base`.
pub(in crate::reconcile::source) fn commit(
    repository: &Repository,
    base: Oid,
    proposal: &Proposal,
) -> Result<Oid, EditError> {
    let parent = repository.find_commit(base)?;
    let before = parent.tree()?;
    let mut update = TreeUpdateBuilder::new();
    for (path, content) in &proposal.files {
        let mode = mode(repository, &before, path)?;
        match content {
            Some(content) => {
                update.upsert(path.as_str(), repository.blob(content)?, mode.unwrap_or(FileMode::Blob));
            }
            None if mode.is_some() => {
                update.remove(path.as_str());
            }
            None => return Err(invalid(path, "is not there, and cannot be removed")),
        }
    }
    let after = repository.find_tree(update.create_updated(repository, &before)?)?;
    if after.id() == before.id() {
        return Err(CommitError::Invalid("it changes nothing".to_owned()).into());
    }
    let author = proposal.author.signature()?;
    let committer = git2::Signature::new(COMMITTER.0, COMMITTER.1, &author.when())?;
    let message = message_prettify(proposal.message.as_str(), None)?;
    Ok(repository.commit(None, &author, &committer, &message, &after, &[&parent])?)
}

/// Whether another commit is what this one is: the same files on top of the same commit, in the same words. When each was made is no part
/// of it.
pub(super) fn is_same(repository: &Repository, theirs: Oid, ours: Oid) -> bool {
    let compare = || -> Result<bool, git2::Error> {
        let (theirs, ours) = (repository.find_commit(theirs)?, repository.find_commit(ours)?);
        let on_the_same = theirs.parent_ids().eq(ours.parent_ids());
        Ok(on_the_same
            && theirs.tree_id() == ours.tree_id()
            && theirs.message_bytes() == ours.message_bytes())
    };
    compare().unwrap_or(false)
}

/// The mode of the file at this path, if there is one. Nothing on the way to it, nor at its end, may be something else than
/// folders and a file.
fn mode(repository: &Repository, root: &Tree<'_>, path: &str) -> Result<Option<FileMode>, EditError> {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut tree = root.clone();
    for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
        let Some(entry) = tree.get_name(folder) else { return Ok(None) };
        if entry.kind() != Some(ObjectType::Tree) {
            return Err(invalid(path, "goes through a file, a symbolic link or a submodule"));
        }
        let next = repository.find_tree(entry.id())?;
        drop(entry);
        tree = next;
    }
    match tree.get_name(name) {
        None => Ok(None),
        Some(entry) if entry.kind() != Some(ObjectType::Blob) => {
            Err(invalid(path, "is a folder or a submodule"))
        }
        Some(entry) if entry.filemode() == LINK => Err(invalid(path, "is a symbolic link")),
        Some(entry) if entry.filemode() == PROGRAM => Ok(Some(FileMode::BlobExecutable)),
        Some(_) => Ok(Some(FileMode::Blob)),
    }
}

fn invalid(path: &str, problem: &str) -> EditError {
    CommitError::Invalid(format!("{} {problem}", printable(path))).into()
}
