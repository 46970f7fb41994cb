//! A commit to the repository that the source is read from.

use git2::Oid;
use tokio_util::sync::CancellationToken;

use super::GitSource;
use crate::reconcile::source::mirror::Mirror;
use crate::reconcile::source::write::push::{Doubt, Outcome, push};
use crate::reconcile::source::write::{EditError, Step, edit, local};
use crate::reconcile::source::{CommitError, Location, Onto, Proposal, Pushed, SourceError, Verify};

/// Where a ref stands after a push.
enum Standing {
    /// At the commit that was pushed, or at one that follows it.
    Ours,
    AsBefore,
    Elsewhere,
}

impl GitSource {
    /// Commits, and returns once the repository has confirmed it. Blocks, until `cancel` at the latest, as reading does.
    pub fn commit(&mut self, proposal: &Proposal, cancel: &CancellationToken) -> Result<Pushed, CommitError> {
        let step = proposal.check(&self.reference, &self.limits)?;
        if proposal.onto == Onto::Source && self.verify != Verify::Nothing {
            return Err(CommitError::Refused(
                "source.verify wants signed commits, and what is made here is not signed: propose it on a branch, for \
                 somebody to merge who signs (source.writeBack.mode: branch)"
                    .to_owned(),
            ));
        }
        let made = match &self.location {
            Location::Local(path) => {
                local::commit(path, &step, proposal).map_err(|error| self.of_path(error))
            }
            Location::Https(_) | Location::Ssh(_) => {
                let mirror = match self.mirror.take() {
                    Some(mirror) => mirror,
                    None => Mirror::open(&self.folder).map_err(CommitError::Unreachable)?,
                };
                let made = self.push(&mirror, &step, proposal, cancel);
                if !matches!(made, Err(EditError::Git(_))) {
                    self.mirror = Some(mirror);
                }
                // An object is missing or broken: the mirror is checked, and made anew, when it is opened again.
                made.map_err(|error| self.of_mirror(error))
            }
        };
        let commit = made?.to_string();
        tracing::info!(source = %self.location, reference = step.reference, %commit, "a commit was pushed");
        Ok(Pushed { commit, reference: step.reference.to_owned() })
    }

    fn push(
        &self,
        mirror: &Mirror,
        step: &Step<'_>,
        proposal: &Proposal,
        cancel: &CancellationToken,
    ) -> Result<Oid, EditError> {
        let call = self.call(cancel);
        // A new branch may begin behind the head. What the server has is not sent again if it is known here.
        if proposal.onto != Onto::Source || !mirror.knows(step.base) {
            let fetched = mirror.fetch(&self.location, &self.access, &call, &self.reference);
            fetched.map_err(CommitError::Unreachable)?;
        }
        if !mirror.knows(step.base) {
            return Err(CommitError::Moved(self.reference.clone()).into());
        }
        let commit = edit::commit(mirror.repository(), step.base, proposal)?;
        let doubt = match push(mirror, (&self.location, &self.access), &call, step, commit) {
            Outcome::Settled(settled) => return settled.map(|()| commit).map_err(EditError::Answer),
            Outcome::Doubtful(doubt) => doubt,
        };
        let error = match (self.standing(mirror, step, commit, cancel), doubt) {
            (Ok(Standing::Ours), _) => return Ok(commit),
            (Ok(Standing::Elsewhere), _) => step.elsewhere(),
            (_, Doubt::Refused(words)) => CommitError::Refused(words),
            (Ok(Standing::AsBefore), Doubt::Unanswered(error)) => CommitError::Unreachable(error),
            (Err(_), Doubt::Unanswered(error)) => {
                let reference = step.reference;
                tracing::warn!(source = %self.location, reference, %commit, cause = %error, "it is not known whether a commit was taken");
                CommitError::Unknown(error)
            }
        };
        Err(error.into())
    }

    /// Asks the server anew, with its own deadline: that of the push may be over.
    fn standing(
        &self,
        mirror: &Mirror,
        step: &Step<'_>,
        commit: Oid,
        cancel: &CancellationToken,
    ) -> Result<Standing, SourceError> {
        let head = match mirror.fetch(&self.location, &self.access, &self.call(cancel), step.reference) {
            Ok(head) => head,
            Err(SourceError::RefNotFound { .. }) => Oid::ZERO_SHA1,
            Err(error) => return Err(error),
        };
        if head == step.expected {
            return Ok(Standing::AsBefore);
        }
        let is_ours = !head.is_zero() && mirror.follows(head, commit).unwrap_or(false);
        Ok(if is_ours { Standing::Ours } else { Standing::Elsewhere })
    }

    fn of_mirror(&self, error: EditError) -> CommitError {
        match error {
            EditError::Answer(error) => error,
            EditError::Git(error) => CommitError::Unreachable(self.broken(&error.message())),
        }
    }

    fn of_path(&self, error: EditError) -> CommitError {
        match error {
            EditError::Answer(error) => error,
            EditError::Git(error) => CommitError::Unreachable(SourceError::Unreachable {
                url: self.location.to_string(),
                cause: error.message().to_owned(),
            }),
        }
    }
}
