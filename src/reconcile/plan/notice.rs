//! What everybody who looks at a plan must know before the rest of it, in whatever form they look at it.

use super::{Mode, Observed};
use crate::zone::Rollback;

/// What a plan is told to say, or says by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub kind: NoticeKind,
    /// One sentence for people. It may hold text from outside.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// Nobody compared it with what is in force.
    Offline,
    /// A part of what is in force was not looked at.
    NotAsked,
    /// The controller cannot follow the source, or fails for another reason.
    NotFollowed,
    /// An earlier commit is applied for now.
    RolledBack,
    Suspended,
}

impl NoticeKind {
    /// For programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "Offline",
            Self::NotAsked => "NotAsked",
            Self::NotFollowed => "NotFollowed",
            Self::RolledBack => "RolledBack",
            Self::Suspended => "Suspended",
        }
    }

    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Offline => "OFFLINE",
            Self::NotAsked => "NOT ASKED",
            Self::NotFollowed => "NOT FOLLOWED",
            Self::RolledBack => "ROLLED BACK",
            Self::Suspended => "SUSPENDED",
        }
    }
}

impl Notice {
    pub fn new(kind: NoticeKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// What a plan of this says by itself, and what it was told to say.
pub(super) fn of(mode: Mode, observed: &Observed, told: &[Notice]) -> Vec<Notice> {
    let mut notices = Vec::new();
    if mode == Mode::Offline {
        notices.push(Notice::new(
            NoticeKind::Offline,
            "what is in force was not looked at, nor what clusters hold; this is no pass of the live checks",
        ));
    }
    notices.extend(told.iter().cloned());
    notices.extend(observed.rollback.iter().map(rolled_back));
    let suspended = observed.suspended.iter().map(|(scope, asked)| {
        Notice::new(NoticeKind::Suspended, format!("{scope}, by {}: {}", asked.by, asked.reason))
    });
    notices.extend(suspended);
    notices
}

fn rolled_back(rollback: &Rollback) -> Notice {
    let Rollback { commit, until, asked } = rollback;
    // A moment of the calendar can be written.
    let until = until.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
    let message = format!(
        "commit {commit} is applied until {until} in place of the branch's head, by {}: {}; what is merged meanwhile waits, or \
         `reconciler rollback --end`",
        asked.by, asked.reason
    );
    Notice::new(NoticeKind::RolledBack, message)
}
