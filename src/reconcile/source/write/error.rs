//! Why nothing was committed.

use thiserror::Error;

use super::Pushed;
use crate::reconcile::source::SourceError;

/// Why nothing was committed. But for [`CommitError::Unknown`], the repository is as it was.
#[derive(Debug, Error)]
pub enum CommitError {
    #[error(
        "{0} is no longer at the commit that was read: somebody else pushed; read it again and make the change anew"
    )]
    Moved(String),
    #[error("there is a branch {0} already: choose another name, or delete it")]
    Exists(String),
    /// By somebody who did not hear the answer, as a rule.
    #[error("{} is this very change already, as commit {}", .0.reference, .0.commit)]
    Proposed(Pushed),
    /// In the server's own words, where it had some.
    #[error("the repository does not take the change: {0}")]
    Refused(String),
    #[error("nothing was written: {}", .0.about_a_push())]
    Unreachable(SourceError),
    /// The change was sent, no answer came, and the repository could not be asked again.
    #[error("it is not known whether the change was taken: {}; look at the repository before you try again", .0.about_a_push())]
    Unknown(SourceError),
    #[error("the source is being read or written, and that has not ended in time; try again")]
    Busy,
    #[error("the source is a plain folder: there is no Git repository to commit to")]
    NotARepository,
    #[error("this cannot be committed: {0}")]
    Invalid(String),
}

impl CommitError {
    /// One word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Moved(_) => "Moved",
            Self::Exists(_) => "Exists",
            Self::Proposed(_) => "Proposed",
            Self::Refused(_) => "Refused",
            Self::Unreachable(error) => error.reason(),
            Self::Unknown(_) => "Unknown",
            Self::Busy => "Busy",
            Self::NotARepository => "NotARepository",
            Self::Invalid(_) => "Invalid",
        }
    }
}

/// Why a commit could not be made: an answer for the caller, or a repository that lacks an object.
#[derive(Debug)]
pub(in crate::reconcile::source) enum EditError {
    Answer(CommitError),
    Git(git2::Error),
}

impl From<git2::Error> for EditError {
    fn from(error: git2::Error) -> Self {
        Self::Git(error)
    }
}

impl From<CommitError> for EditError {
    fn from(error: CommitError) -> Self {
        Self::Answer(error)
    }
}
