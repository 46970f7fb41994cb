//! One group of a request: what the broker is asked, and how its answer becomes the partner's.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{self, GroupId};

use super::{has_group_error, refused_partition};
use crate::gateway::api::group_id;
use crate::gateway::api::names::{self, Key, authorise};
use crate::policy::{Topic, ZoneView};
use crate::zone::Operation;

/// What is left behind of one group, to make its answer from.
#[derive(Debug)]
pub(super) struct GroupPlan {
    /// The id the broker knows.
    pub(super) inside: GroupId,
    outside: GroupId,
    scope: Scope,
    refused: Vec<(Asked, ResponseError)>,
}

/// A topic as the partner calls it, with the partitions that it asks for.
type Asked = (messages::TopicName, BTreeSet<i32>);

#[derive(Debug)]
enum Scope {
    /// Every topic with a committed offset.
    All,
    /// These aliases with these partitions, each once.
    Asked(Vec<(Topic, BTreeSet<i32>)>),
}

impl GroupPlan {
    /// Rewrites a group's part of a request for the broker: each backing topic once, whatever it was called.
    pub(super) fn take(view: &ZoneView, group: &mut OffsetFetchRequestGroup) -> Result<Self, ResponseError> {
        let inside = group_id::inside(view, &group.group_id)?;
        let outside = group_id::detached(&group.group_id);
        group.group_id = inside.clone();
        let mut refused = Vec::new();
        let scope = match group.topics.take() {
            None => Scope::All,
            Some(topics) => {
                let mut asked = Vec::new();
                for (name, partitions) in each_once(topics) {
                    match authorise(view, Key::Name(&name), Operation::Read) {
                        Ok(found) => asked.push((found.clone(), partitions)),
                        Err(error) => refused.push(((names::detached(&name), partitions), error)),
                    }
                }
                group.topics = Some(towards_broker(&asked));
                Scope::Asked(asked)
            }
        };
        Ok(Self { inside, outside, scope, refused })
    }

    pub(super) fn without_broker(self) -> OffsetFetchResponseGroup {
        OffsetFetchResponseGroup::default()
            .with_group_id(self.outside)
            .with_topics(self.refused.into_iter().map(refused_topic).collect())
    }

    pub(super) fn map(
        self,
        view: &ZoneView,
        mut answer: OffsetFetchResponseGroup,
    ) -> OffsetFetchResponseGroup {
        answer.group_id = self.outside;
        let found = std::mem::take(&mut answer.topics);
        answer.topics = match self.scope {
            Scope::All => found.iter().flat_map(|topic| every_alias(view, topic)).collect(),
            Scope::Asked(asked) => {
                let found: BTreeMap<String, Vec<OffsetFetchResponsePartitions>> =
                    found.into_iter().map(|answer| (answer.name.to_string(), answer.partitions)).collect();
                let shown = |(asked, wanted): (Topic, BTreeSet<i32>)| {
                    let partitions = found.get(asked.backing.as_str())?;
                    let wanted =
                        partitions.iter().filter(|partition| wanted.contains(&partition.partition_index));
                    Some(topic(names::wire(&asked.alias), wanted.cloned().collect()))
                };
                asked.into_iter().filter_map(shown).collect()
            }
        };
        answer.topics.extend(self.refused.into_iter().map(refused_topic));
        answer
    }
}

/// Each group once, with everything that is asked of it, in the order of the request: an answer is much longer than its
/// question, and no client asks twice.
pub(super) fn groups_once(groups: Vec<OffsetFetchRequestGroup>) -> Vec<OffsetFetchRequestGroup> {
    let mut merged: Vec<OffsetFetchRequestGroup> = Vec::new();
    let mut places: HashMap<GroupId, usize> = HashMap::new();
    for group in groups {
        let place = *places.entry(group.group_id.clone()).or_insert(merged.len());
        match merged.get_mut(place) {
            // No list is every topic, whatever else is named.
            Some(known) => {
                known.topics = known.topics.take().zip(group.topics).map(|(mut topics, more)| {
                    topics.extend(more);
                    topics
                });
            }
            None => merged.push(group),
        }
    }
    merged
}

/// The same for the topics of a group.
fn each_once(topics: Vec<OffsetFetchRequestTopics>) -> Vec<Asked> {
    let mut merged: Vec<Asked> = Vec::new();
    let mut places: HashMap<messages::TopicName, usize> = HashMap::new();
    for topic in topics {
        let place = *places.entry(topic.name.clone()).or_insert(merged.len());
        match merged.get_mut(place) {
            Some((_, partitions)) => partitions.extend(topic.partition_indexes),
            None => merged.push((topic.name, topic.partition_indexes.into_iter().collect())),
        }
    }
    merged
}

/// Whether anything is left to ask the broker for.
pub(super) fn is_left(group: &OffsetFetchRequestGroup) -> bool {
    group.topics.as_ref().is_none_or(|topics| !topics.is_empty())
}

/// Each backing topic once, with the partitions of all its aliases.
fn towards_broker(asked: &[(Topic, BTreeSet<i32>)]) -> Vec<OffsetFetchRequestTopics> {
    let mut merged: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for (topic, partitions) in asked {
        merged.entry(topic.backing.as_str()).or_default().extend(partitions);
    }
    let topic = |(name, partitions): (&str, BTreeSet<i32>)| {
        OffsetFetchRequestTopics::default()
            .with_name(messages::TopicName(name.to_owned().into()))
            .with_partition_indexes(partitions.into_iter().collect())
    };
    merged.into_iter().map(topic).collect()
}

/// The offsets of a topic, under every alias that may be read. None for a topic that the zone does not share any more.
fn every_alias<'a>(
    view: &'a ZoneView,
    found: &'a OffsetFetchResponseTopics,
) -> impl Iterator<Item = OffsetFetchResponseTopics> + 'a {
    let readable = view.by_backing(&found.name).filter(|topic| topic.permission.allows(Operation::Read));
    readable.map(|alias| topic(names::wire(&alias.alias), found.partitions.clone()))
}

pub(super) fn topic(
    name: messages::TopicName,
    partitions: Vec<OffsetFetchResponsePartitions>,
) -> OffsetFetchResponseTopics {
    OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)
}

fn refused_topic(((name, partitions), error): (Asked, ResponseError)) -> OffsetFetchResponseTopics {
    topic(name, partitions.into_iter().map(|index| refused_partition(index, error)).collect())
}

/// The answer for a group that cannot be.
pub(super) fn refuse(
    group: OffsetFetchRequestGroup,
    error: ResponseError,
    version: i16,
) -> OffsetFetchResponseGroup {
    let refused = OffsetFetchResponseGroup::default().with_group_id(group_id::detached(&group.group_id));
    if has_group_error(version) {
        return refused.with_error_code(error.code());
    }
    let topics = each_once(group.topics.unwrap_or_default());
    refused.with_topics(topics.into_iter().map(|topic| refused_topic((topic, error))).collect())
}
