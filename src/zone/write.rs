//! What somebody wants the source to say, asked of the controller: every write is a commit. As values.

use super::{Asker, PartnerZone, Revision, ZoneName};

/// One zone that is to be written, or to go.
#[derive(Debug, Clone)]
pub struct WriteRequest {
    pub zone: ZoneName,
    pub write: ZoneWrite,
    pub on: Precondition,
    pub author: Author,
    /// Who asks, for the audit log.
    pub by: Asker,
    /// The node that was asked, for the audit log.
    pub node: String,
    /// Why, in the author's words.
    pub reason: Option<String>,
    pub extent: Extent,
}

#[derive(Debug, Clone)]
pub enum ZoneWrite {
    /// The whole zone, which is made if it is not there.
    Put(Box<PartnerZone>),
    Delete,
}

/// What has to hold of the zone in the source, so that nobody writes over what somebody else wrote meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    Any,
    /// There is no such zone yet.
    Absent,
    /// It still is the one whose written form has this version: the entity tag that a reader was shown.
    Version(String),
}

/// Who is to stand in the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub name: String,
    pub email: String,
}

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Commit,
    /// All that can be found out without a commit.
    DryRun,
}

/// What became of a [`WriteRequest`].
#[derive(Debug, Clone)]
pub struct Written {
    pub effect: Effect,
    /// The file in the repository.
    pub file: String,
    /// What changes in it, as `diff -u` shows it.
    pub diff: String,
    /// Where the file holds more than this zone.
    pub excerpt: Option<Excerpt>,
    /// What the next run is going to do to the zone, as `plan` shows it in JSON, with the findings of all files.
    pub plan: String,
    /// The zone's version from now on; none of one that goes.
    pub version: Option<String>,
    /// None of a dry run, and where there was nothing to do.
    pub commit: Option<Committed>,
}

/// What a write comes to, without the file that it is in: there are other zones in that, or remarks, which may speak of others. For those
/// who may not see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The zone's document as it is to be; `None`: it goes.
    pub document: Option<String>,
    /// What changes in the document.
    pub diff: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Created,
    Updated,
    /// The source says so already, in whatever words.
    Unchanged,
    Deleted,
}

/// A commit that the source's repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub revision: Revision,
    /// The branch that it is on, in full.
    pub reference: String,
    /// The branch is one that has to be merged before anything happens.
    pub is_proposal: bool,
}

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteRefusal {
    /// `source.writeBack.mode` is `none`: this is what to commit. No text: the file is to be removed.
    Off { file: String, text: Option<String>, diff: String, excerpt: Option<Excerpt> },
    /// The source is a folder, not a repository.
    NotARepository,
    /// There is no such zone.
    NotFound,
    /// There is one already.
    Exists,
    /// The zone is not the one that the caller has seen.
    Changed,
    /// With this the files would not be right.
    Invalid(Vec<WriteFinding>),
    /// The file that has the zone cannot be edited: why.
    File(String),
    /// A guard would hold it back: why, and the ways out.
    Guarded { reasons: Vec<String>, ways_out: Vec<String> },
    /// Something of the controller is in the way, such as a rollback.
    Held(String),
    /// Others keep pushing.
    Raced,
    /// The repository's server does not take the commit, in its words.
    Refused(String),
    /// The repository cannot be read or written now. Nothing was written.
    Unreachable(String),
    /// It was sent, and no answer came.
    Unknown(String),
    /// This node does not lead.
    NotLeading,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteFinding {
    pub code: &'static str,
    pub place: String,
    pub message: String,
    /// The next step. It may name what else there is.
    pub help: Option<String>,
}
