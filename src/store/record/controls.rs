//! Rows of what operators asked for, of what was made use of it, and of sessions that they ended.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::zone::{Acceptance, Asked, Rollback, Spent};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AskedRow {
    by: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    reason: String,
}

impl AskedRow {
    pub(super) fn new(asked: &Asked) -> Self {
        Self { by: asked.by.clone(), at: asked.at, reason: asked.reason.clone() }
    }

    pub(super) fn into_asked(self) -> Asked {
        Asked { by: self.by, at: self.at, reason: self.reason }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RollbackRow {
    commit: String,
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    asked: AskedRow,
}

impl RollbackRow {
    pub(super) fn new(rollback: &Rollback) -> Self {
        Self { commit: rollback.commit.clone(), until: rollback.until, asked: AskedRow::new(&rollback.asked) }
    }

    pub(super) fn into_rollback(self) -> Rollback {
        Rollback { commit: self.commit, until: self.until, asked: self.asked.into_asked() }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AcceptanceRow {
    commit: String,
    asked: AskedRow,
}

impl AcceptanceRow {
    pub(super) fn new(acceptance: &Acceptance) -> Self {
        Self { commit: acceptance.commit.clone(), asked: AskedRow::new(&acceptance.asked) }
    }

    pub(super) fn into_acceptance(self) -> Acceptance {
        Acceptance { commit: self.commit, asked: self.asked.into_asked() }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpentRow {
    deletions: usize,
    updates: usize,
}

impl SpentRow {
    pub(super) fn new(spent: Spent) -> Self {
        Self { deletions: spent.deletions, updates: spent.updates }
    }

    pub(super) fn into_spent(self) -> Spent {
        Spent { deletions: self.deletions, updates: self.updates }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct EndedSessionRow {
    #[serde(with = "time::serde::rfc3339")]
    pub(super) until: OffsetDateTime,
}
