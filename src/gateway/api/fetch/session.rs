//! What a fetch asks for, in the partner's words and in the broker's: for one request, or for a session (KIP-227) whose
//! requests say only what changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages;
use uuid::Uuid;

use crate::gateway::api::names::{self, Key, authorise};
use crate::policy::{Topic, ZoneView};
use crate::zone::{Operation, TopicName};

/// The most partitions that a session may name, those that were refused included.
const PARTITION_LIMIT: usize = 100_000;
/// The most topics that a session remembers as refused, and the longest name of a topic in Kafka (`Topic.MAX_NAME_LENGTH`).
const REFUSED_LIMIT: usize = 2_000;
const NAME_LIMIT: usize = 249;

/// The partitions of a fetch.
///
/// The broker has the ones that passed, under their real names; the refused ones are only here, and their error goes into
/// every response until the partner forgets them, as a broker does with a partition in error.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The view that everything in here was last checked against.
    view: Arc<ZoneView>,
    held: HashMap<TopicName, Held>,
    /// Backing topics by real id, for responses that have only that.
    backing: HashMap<Uuid, TopicName>,
    refused: BTreeMap<Shown, Refused>,
    partitions: usize,
}

/// A backing topic that the broker has in this session, under the alias that it was asked for by.
#[derive(Debug, Clone)]
struct Held {
    topic: Topic,
    partitions: BTreeSet<i32>,
}

#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub(super) error: ResponseError,
    pub(super) partitions: BTreeSet<i32>,
}

/// A topic as the partner calls it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shown {
    Name(messages::TopicName),
    Id(Uuid),
}

impl Shown {
    pub(super) fn of(version: i16, name: &messages::TopicName, id: Uuid) -> Self {
        if version < super::BY_ID { Self::Name(name.clone()) } else { Self::Id(id) }
    }

    pub(super) fn key(&self) -> Key<'_> {
        match self {
            Self::Name(name) => Key::Name(name),
            Self::Id(id) => Key::Id(*id),
        }
    }

    /// To be remembered beyond its request.
    fn detached(&self) -> Result<Self, Overfull> {
        match self {
            Self::Name(name) if name.len() > NAME_LIMIT => Err(Overfull),
            Self::Name(name) => Ok(Self::Name(names::detached(name))),
            Self::Id(id) => Ok(Self::Id(*id)),
        }
    }
}

/// The session names more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overfull;

impl Session {
    pub(super) fn new(view: &Arc<ZoneView>) -> Self {
        Self {
            view: Arc::clone(view),
            held: HashMap::new(),
            backing: HashMap::new(),
            refused: BTreeMap::new(),
            partitions: 0,
        }
    }

    /// Adds partitions, or changes how they are fetched. The topic if they may pass; none if they are answered here.
    ///
    /// While the broker has a backing topic under one alias, another alias of it gets `InvalidTopicException`: replies
    /// could not be told apart.
    pub(super) fn ask(
        &mut self,
        shown: &Shown,
        partitions: impl Iterator<Item = i32>,
    ) -> Result<Option<Topic>, Overfull> {
        let mut partitions = partitions.peekable();
        let admitted = authorise(&self.view, shown.key(), Operation::Read).and_then(|topic| {
            let first = self.held.get(&topic.backing).map_or(&topic.alias, |held| &held.topic.alias);
            if *first == topic.alias { Ok(topic.clone()) } else { Err(ResponseError::InvalidTopicException) }
        });
        let set = match &admitted {
            Ok(topic) => {
                if let Some(refused) = self.refused.remove(shown) {
                    self.partitions -= refused.partitions.len();
                }
                if let Some(ids) = topic.ids {
                    self.backing.insert(ids.real, topic.backing.clone());
                }
                let empty = || Held { topic: topic.clone(), partitions: BTreeSet::new() };
                &mut self.held.entry(topic.backing.clone()).or_insert_with(empty).partitions
            }
            // There is nothing to answer, and nothing that would ever be forgotten.
            Err(_) if partitions.peek().is_none() => return Ok(None),
            Err(error) => {
                if self.refused.len() >= REFUSED_LIMIT && !self.refused.contains_key(shown) {
                    return Err(Overfull);
                }
                let empty = || Refused { error: *error, partitions: BTreeSet::new() };
                &mut self.refused.entry(shown.detached()?).or_insert_with(empty).partitions
            }
        };
        for partition in partitions {
            self.partitions += usize::from(set.insert(partition));
            if self.partitions > PARTITION_LIMIT {
                return Err(Overfull);
            }
        }
        Ok(admitted.ok())
    }

    /// Takes partitions out. The topic if the broker has them and must be told.
    pub(super) fn forget(&mut self, shown: &Shown, partitions: &[i32]) -> Option<Topic> {
        if let Some(refused) = self.refused.get_mut(shown) {
            self.partitions -= take(&mut refused.partitions, partitions);
            if refused.partitions.is_empty() {
                self.refused.remove(shown);
            }
            return None;
        }
        let topic = authorise(&self.view, shown.key(), Operation::Describe).ok()?;
        let held = self.held.get_mut(&topic.backing).filter(|held| held.topic.alias == topic.alias)?;
        self.partitions -= take(&mut held.partitions, partitions);
        let topic = held.topic.clone();
        if held.partitions.is_empty() {
            self.held.remove(&topic.backing);
            if let Some(ids) = topic.ids {
                self.backing.remove(&ids.real);
            }
        }
        Some(topic)
    }

    /// Whether everything in here would be decided the same under this view. If not, the session must be built anew.
    pub(super) fn still_right(&mut self, view: &Arc<ZoneView>) -> bool {
        if Arc::ptr_eq(&self.view, view) {
            return true;
        }
        let held = |held: &Held| view.by_alias(held.topic.alias.as_str()) == Some(&held.topic);
        let refused = |(shown, refused): (&Shown, &Refused)| {
            let error = authorise(view, shown.key(), Operation::Read).err();
            error.unwrap_or(ResponseError::InvalidTopicException) == refused.error
        };
        let right = self.held.values().all(held) && self.refused.iter().all(refused);
        if right {
            self.view = Arc::clone(view);
        }
        right
    }

    /// The topic that the broker has under this name.
    pub(super) fn back(&self, backing: &str) -> Option<&Topic> {
        self.held.get(backing).map(|held| &held.topic)
    }

    /// The topic that the broker has under this id.
    pub(super) fn back_by_id(&self, real: Uuid) -> Option<&Topic> {
        self.back(self.backing.get(&real)?.as_str())
    }

    pub(super) fn refused(&self) -> &BTreeMap<Shown, Refused> {
        &self.refused
    }

    /// Whether the broker has any partition of it.
    pub(super) fn reaches_broker(&self) -> bool {
        !self.held.is_empty()
    }
}

/// Removes `partitions`; how many there were.
fn take(from: &mut BTreeSet<i32>, partitions: &[i32]) -> usize {
    partitions.iter().filter(|partition| from.remove(partition)).count()
}
