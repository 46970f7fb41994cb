//! A fetch that asks for one backing topic under several aliases, as a consumer does that was assigned partitions of both.
//!
//! The broker reads each partition once per request, and its answer does not say for which alias. So each such fetch serves
//! one alias, the next one another, and the partitions of those that wait are answered here: no error, no records. It stays
//! outside of fetch sessions, whose requests would not name the partitions again.

use std::collections::{HashMap, HashSet};

use kafka_protocol::messages::fetch_request::FetchTopic;

use super::session::Shown;
use crate::gateway::api::names::authorise;
use crate::policy::ZoneView;
use crate::zone::{Operation, TopicName};

/// The longest a broker may wait for records of the alias whose turn it is, in milliseconds: the others wait as long.
pub(super) const MAX_WAIT_MS: i32 = 100;

/// The aliases whose turn it is not. Empty where no topic is asked for under two.
pub(super) fn waiting(
    view: &ZoneView,
    version: i16,
    topics: &[FetchTopic],
    turn: usize,
) -> HashSet<TopicName> {
    if topics.len() < 2 || !view.has_topic_under_two_aliases() {
        return HashSet::new();
    }
    let mut aliases: HashMap<&TopicName, Vec<&TopicName>> = HashMap::new();
    for topic in topics {
        let shown = Shown::of(version, &topic.topic, topic.topic_id);
        let Ok(known) = authorise(view, shown.key(), Operation::Read) else { continue };
        let of_topic = aliases.entry(&known.backing).or_default();
        if !of_topic.contains(&&known.alias) {
            of_topic.push(&known.alias);
        }
    }
    let mut waiting = HashSet::new();
    for of_topic in aliases.into_values() {
        // One after another in the order of their names: a client may name them in another order each time.
        let mut of_topic = of_topic;
        of_topic.sort_unstable();
        let served = turn % of_topic.len();
        waiting
            .extend(of_topic.into_iter().enumerate().filter(|(at, _)| *at != served).map(|(_, a)| a.clone()));
    }
    waiting
}
