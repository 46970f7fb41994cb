//! The record that ends a commit, `revision`: which commit it is, and what there is after it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::Lineage;
use crate::store::continuity::Tally;
use crate::zone::{Revision, Sequence};

#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::store) struct CommitEnd {
    pub(in crate::store) sequence: Sequence,
    /// The Git revision applied last.
    pub(in crate::store) revision: Option<Revision>,
    pub(in crate::store) lineage: Lineage,
    /// `None`: written by a version that did not say.
    pub(in crate::store) tally: Option<Tally>,
    pub(in crate::store) leader_version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndRow {
    sequence: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(default)]
    lineage: Vec<Uuid>,
    #[serde(default)]
    tally: Option<TallyRow>,
    #[serde(default)]
    leader_version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TallyRow {
    zones: usize,
    credentials: usize,
}

impl EndRow {
    pub(super) fn new(end: &CommitEnd) -> Self {
        Self {
            sequence: end.sequence.0,
            revision: end.revision.as_ref().map(|revision| revision.as_str().to_owned()),
            lineage: end.lineage.iter().copied().collect(),
            tally: end.tally.map(|Tally { zones, credentials }| TallyRow { zones, credentials }),
            leader_version: end.leader_version,
        }
    }

    pub(super) fn into_end(self) -> CommitEnd {
        CommitEnd {
            sequence: Sequence(self.sequence),
            revision: self.revision.map(Revision::recorded),
            lineage: self.lineage.into_iter().collect(),
            tally: self.tally.map(|TallyRow { zones, credentials }| Tally { zones, credentials }),
            leader_version: self.leader_version,
        }
    }
}
