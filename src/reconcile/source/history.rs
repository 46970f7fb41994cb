//! Which commits may be read: what follows the commit in force, or what a person allowed.

use git2::Oid;

use super::mirror::Mirror;
use super::tree::WalkError;
use super::{OnHistoryRewrite, SourceError};
use crate::zone::Revision;

/// What was decided before this reading. It comes from the state, not from the mirror: that one is only a cache.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The revision in force.
    pub applied: Option<Revision>,
    /// Full id of a commit that a person accepted although it does not follow the one in force. It may be read, and so may
    /// what follows it, until what is in force follows it as well.
    pub accepted: Option<String>,
    /// Full id of the commit to read instead of the branch's head. It must be part of the branch.
    pub pinned: Option<String>,
}

impl History {
    /// With this revision in force, and no decision of a person.
    pub fn after(applied: Option<Revision>) -> Self {
        Self { applied, ..Self::default() }
    }

    /// The commit of `reference` in force, if the mirror knows it.
    pub(super) fn applied_commit(&self, mirror: &Mirror, reference: &str) -> Option<Oid> {
        let id = self.applied.as_ref()?.commit_of(reference)?;
        Oid::from_str(id).ok().filter(|id| mirror.knows(*id))
    }

    /// The commit that a person accepted, if the mirror knows it.
    pub(super) fn accepted_commit(&self, mirror: &Mirror) -> Option<Oid> {
        Oid::from_str(self.accepted.as_deref()?).ok().filter(|id| mirror.knows(*id))
    }

    /// Refuses a head that does not follow what is in force, nor what this mirror read last, unless a person accepted it.
    pub(super) fn check(
        &self,
        mirror: &Mirror,
        reference: &str,
        head: Oid,
        policy: OnHistoryRewrite,
    ) -> Result<(), WalkError> {
        if policy == OnHistoryRewrite::Accept {
            return Ok(());
        }
        let applied = self.applied.as_ref().and_then(|it| it.commit_of(reference)).map(str::to_owned);
        for base in mirror.accepted().map(|id| id.to_string()).into_iter().chain(applied) {
            // What is no commit id at all is as foreign as a commit that nobody knows.
            let base_id = Oid::from_str(&base).ok();
            let follows = base_id.map_or(Ok(false), |base| mirror.follows(head, base))?;
            if !follows && !self.is_accepted(mirror, head, base_id)? {
                return Err(WalkError::Source(SourceError::HistoryRewritten {
                    reference: reference.to_owned(),
                    from: base,
                    to: head.to_string(),
                }));
            }
        }
        Ok(())
    }

    /// Whether a person accepted this head. What follows an accepted commit is accepted only while `base`, which the head
    /// does not follow, does not follow it itself: an old acceptance is no licence for the next rewrite.
    fn is_accepted(&self, mirror: &Mirror, head: Oid, base: Option<Oid>) -> Result<bool, git2::Error> {
        let Some(accepted) = self.accepted_commit(mirror) else { return Ok(false) };
        if head == accepted {
            return Ok(true);
        }
        if base.map_or(Ok(false), |base| mirror.follows(base, accepted))? {
            return Ok(false);
        }
        mirror.follows(head, accepted)
    }
}
