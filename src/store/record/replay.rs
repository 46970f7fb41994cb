//! The written form of where a zone's topics stood when they were shared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::zone::{ReplayStart, ReplayStarts, TopicName};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplayRow {
    topics: BTreeMap<String, StartRow>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartRow {
    backing_topic: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic_id: Option<Uuid>,
    offsets: Vec<i64>,
}

impl ReplayRow {
    pub(super) fn new(starts: &ReplayStarts) -> Self {
        let row = |start: &ReplayStart| StartRow {
            backing_topic: start.backing.to_string(),
            topic_id: start.topic_id,
            offsets: start.offsets.clone(),
        };
        Self { topics: starts.iter().map(|(alias, start)| (alias.to_string(), row(start))).collect() }
    }

    /// The error says what is wrong with it.
    pub(super) fn into_starts(self) -> Result<ReplayStarts, String> {
        let name = |text: &str| TopicName::try_from(text).map_err(|error| format!("its topic {error}"));
        let start = |(alias, row): (String, StartRow)| {
            let StartRow { backing_topic, topic_id, offsets } = row;
            Ok((name(&alias)?, ReplayStart { backing: name(&backing_topic)?, topic_id, offsets }))
        };
        self.topics.into_iter().map(start).collect()
    }
}
