//! A commit to a repository on this machine, written into it directly. libgit2's push to a path replaces the ref whatever it
//! has become since it was looked at, and knows no repository with a work tree.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use git2::{ErrorCode, Oid, Repository};

use super::error::EditError;
use super::{CommitError, Proposal, Step, edit};

/// Programs of a repository that have a say in a push. None is run here, so none may be there.
const GUARDS: [&str; 4] = ["pre-receive", "update", "proc-receive", "reference-transaction"];

/// How long a ref may be locked by somebody else.
const LOCKED: Duration = Duration::from_secs(2);

/// Makes the commit and moves the ref, if it is as it has to be at that very moment.
pub(in crate::reconcile::source) fn commit(
    path: &Path,
    step: &Step<'_>,
    proposal: &Proposal,
) -> Result<Oid, EditError> {
    let repository = Repository::open(path)?;
    if let Some(guard) = guard(&repository) {
        return Err(CommitError::Refused(format!(
            "{} decides what is pushed, and is not run for a path on this machine: give the repository's ssh or https \
             address as source.url",
            guard.display()
        ))
        .into());
    }
    if is_checked_out(&repository, step.reference)? {
        return Err(CommitError::Refused(format!(
            "{} is checked out in {}: a commit would not reach the files there; use a bare repository",
            step.reference,
            path.display()
        ))
        .into());
    }
    let reference = followed(&repository, step.reference)?;
    let stands = repository.refname_to_id(&reference).or_else(absent)?;
    if repository.find_commit(step.base).is_err() {
        return Err(step.elsewhere().into());
    }
    if stands != step.expected {
        let is_branch = step.expected.is_zero();
        let ours = is_branch.then(|| edit::commit(&repository, step.base, proposal).ok()).flatten();
        let is_ours = ours.is_some_and(|ours| edit::is_same(&repository, stands, ours));
        return Err(if is_ours { step.proposed(stands) } else { step.elsewhere() }.into());
    }
    let commit = edit::commit(&repository, step.base, proposal)?;
    match advance(&repository, &reference, commit, step.expected) {
        Ok(()) => Ok(commit),
        Err(error)
            if matches!(error.code(), ErrorCode::Modified | ErrorCode::Exists | ErrorCode::NotFound) =>
        {
            Err(step.elsewhere().into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Whoever else has the ref locked has it for a moment; a lock that stays was left behind, and the error names its file.
fn advance(repository: &Repository, reference: &str, commit: Oid, expected: Oid) -> Result<(), git2::Error> {
    let end = Instant::now() + LOCKED;
    let log = "commit by partner-zones";
    loop {
        match repository.reference_matching(reference, commit, !expected.is_zero(), expected, log) {
            Err(error) if error.code() == ErrorCode::Locked && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(20));
            }
            moved => return moved.map(|_| ()),
        }
    }
}

/// The branch behind a name that only stands for another.
fn followed(repository: &Repository, name: &str) -> Result<String, git2::Error> {
    match repository.find_reference(name) {
        Ok(found) => Ok(found.resolve()?.name()?.to_owned()),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(name.to_owned()),
        Err(error) => Err(error),
    }
}

fn absent(error: git2::Error) -> Result<Oid, git2::Error> {
    if error.code() == ErrorCode::NotFound { Ok(Oid::ZERO_SHA1) } else { Err(error) }
}

fn guard(repository: &Repository) -> Option<PathBuf> {
    let named = repository.config().and_then(|config| config.get_path("core.hooksPath"));
    let folder = repository.commondir().join(named.unwrap_or_else(|_| PathBuf::from("hooks")));
    let runs = |file: &PathBuf| {
        std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    GUARDS.map(|name| folder.join(name)).into_iter().find(runs)
}

/// Whether a work tree shows this branch: the repository's own, or one that was added to it.
fn is_checked_out(repository: &Repository, branch: &str) -> Result<bool, git2::Error> {
    let shows = |repository: &Repository| {
        let head = repository.find_reference("HEAD");
        head.is_ok_and(|head| head.symbolic_target_bytes() == Some(branch.as_bytes()))
    };
    if !repository.is_bare() && shows(repository) {
        return Ok(true);
    }
    let added = repository.worktrees()?;
    let opened = added.iter().filter_map(|name| repository.find_worktree(name.ok()??).ok());
    Ok(opened.filter_map(|tree| Repository::open_from_worktree(&tree).ok()).any(|tree| shows(&tree)))
}
