//! Rows of the outbox.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::zone::{CommitState, CommitStatus, Content, Letter, Notice, Revision, Urgency, ZoneName};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LetterRow {
    content: ContentRow,
    #[serde(with = "time::serde::rfc3339")]
    written_at: OffsetDateTime,
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    sent_at: Option<OffsetDateTime>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum ContentRow {
    Notice {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<String>,
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<String>,
        urgency: String,
        message: String,
    },
    Status {
        commit: String,
        state: String,
        description: String,
    },
}

impl LetterRow {
    pub(super) fn new(letter: &Letter) -> Self {
        let content = match &letter.content {
            Content::Notice(notice) => ContentRow::Notice {
                zone: notice.zone.as_ref().map(ToString::to_string),
                reason: notice.reason.clone(),
                revision: notice.revision.as_ref().map(ToString::to_string),
                urgency: notice.urgency.as_str().to_owned(),
                message: notice.message.clone(),
            },
            Content::Status(status) => ContentRow::Status {
                commit: status.commit.clone(),
                state: status.state.as_str().to_owned(),
                description: status.description.clone(),
            },
        };
        Self { content, written_at: letter.written_at, sent_at: letter.sent_at }
    }

    pub(super) fn into_letter(self) -> Result<Letter, String> {
        let content = match self.content {
            ContentRow::Notice { zone, reason, revision, urgency, message } => {
                let zone = zone.map(|zone| ZoneName::try_from(zone.as_str())).transpose();
                Content::Notice(Notice {
                    zone: zone.map_err(|error| format!("the zone {error}"))?,
                    reason,
                    revision: revision.map(Revision::recorded),
                    urgency: Urgency::parse(&urgency).ok_or("its urgency is unknown")?,
                    message,
                })
            }
            ContentRow::Status { commit, state, description } => Content::Status(CommitStatus {
                commit,
                state: CommitState::parse(&state).ok_or("its state is unknown")?,
                description,
            }),
        };
        Ok(Letter { content, written_at: self.written_at, sent_at: self.sent_at })
    }
}
