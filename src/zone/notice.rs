//! What people and systems outside are told, each thing once.

use time::OffsetDateTime;

use super::{Revision, ZoneName};

/// Whether somebody has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// It went as it should, or does again.
    Info,
    /// Something is not as the files ask.
    Error,
}

impl Urgency {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Error => "error",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Info, Self::Error].into_iter().find(|it| it.as_str() == text)
    }
}

/// Something that happened to a zone, or to all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub zone: Option<ZoneName>,
    /// One word: a condition's reason or a finding's code.
    pub reason: String,
    /// The revision it is about, where there is one.
    pub revision: Option<Revision>,
    pub urgency: Urgency,
    /// For people. No part of the notice's identity: it may hold a number that changes every time.
    pub message: String,
}

/// How a commit fares, in the words that forges share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitState {
    Pending,
    Success,
    Failure,
}

impl CommitState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Success, Self::Failure].into_iter().find(|it| it.as_str() == text)
    }
}

/// What a commit's page at the forge is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStatus {
    /// Full hex id.
    pub commit: String,
    pub state: CommitState,
    pub description: String,
}

/// What a letter carries, and so to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// To the webhook.
    Notice(Notice),
    /// To the forge.
    Status(CommitStatus),
}

impl Content {
    /// The letter's identity. A notice is the same for one zone, reason and revision; a commit has one status.
    pub fn id(&self) -> String {
        match self {
            Self::Notice(notice) => {
                let zone = notice.zone.as_ref().map_or("-", ZoneName::as_str);
                let revision = notice.revision.as_ref().map_or("-", Revision::as_str);
                format!("notice/{zone}/{}/{revision}", notice.reason)
            }
            Self::Status(status) => format!("status/{}", status.commit),
        }
    }
}

/// An entry of the outbox. It stays for a while after it was sent: that is how it is known that it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub content: Content,
    pub written_at: OffsetDateTime,
    pub sent_at: Option<OffsetDateTime>,
}
