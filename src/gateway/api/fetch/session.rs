//! What a fetch asks for, in the partner's words and in the broker's: for one request, or for a session (KIP-227) whose
//! requests say only what changes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use kafka_protocol::messages;
use uuid::Uuid;

use crate::gateway::api::names::{self, Key, authorise};
use crate::gateway::headers::Place;
use crate::kafka::records::RecordsError;
use crate::policy::{Topic, ZoneView};
use crate::zone::{Headers, Operation, TopicName};

/// The most partitions that a session may name, those that are answered here included.
const PARTITION_LIMIT: usize = 100_000;
/// The most topics that a session answers for itself, and the longest name of a topic in Kafka (`Topic.MAX_NAME_LENGTH`).
const LOCAL_LIMIT: usize = 2_000;
const NAME_LIMIT: usize = 249;

/// The partitions of a fetch.
///
/// The broker has the ones that passed, under their real names; the others are only here, and their answer goes into every
/// response until the partner forgets them, as a broker does with a partition in error.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The view that everything in here was last checked against.
    view: Arc<ZoneView>,
    held: HashMap<TopicName, Held>,
    /// Backing topics by real id, for responses that have only that.
    backing: HashMap<Uuid, TopicName>,
    local: BTreeMap<Shown, Local>,
    /// The first offset that may be read, of partitions of which older records may not. A fetch with such partitions is outside
    /// of any session, whose requests would not say how far the partner is.
    windows: HashMap<(TopicName, i32), i64>,
    partitions: usize,
    /// Shared by what was cloned from one another.
    family: Arc<()>,
}

/// A backing topic that the broker has in this session, under the alias that it was asked for by.
#[derive(Debug, Clone)]
struct Held {
    topic: Topic,
    partitions: BTreeSet<i32>,
}

/// Partitions that are answered here, each with its error code; or with 0 and no records while another alias has its turn.
#[derive(Debug, Clone, Default)]
pub(super) struct Local {
    pub(super) partitions: BTreeMap<i32, i16>,
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
    fn detached(&self) -> Result<Self, Unfit> {
        match self {
            Self::Name(name) if name.len() > NAME_LIMIT => Err(Unfit::Overfull),
            Self::Name(name) => Ok(Self::Name(names::detached(name))),
            Self::Id(id) => Ok(Self::Id(*id)),
        }
    }
}

/// Why a session cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It names more than it may.
    Overfull,
    /// It names a backing topic under a second alias, and the replies could not be told apart.
    TwoAliases,
}

impl Session {
    pub(super) fn new(view: &Arc<ZoneView>) -> Self {
        Self {
            view: Arc::clone(view),
            held: HashMap::new(),
            backing: HashMap::new(),
            local: BTreeMap::new(),
            windows: HashMap::new(),
            partitions: 0,
            family: Arc::new(()),
        }
    }

    /// What is done to the headers of its records.
    pub(super) fn headers(&self) -> &Headers {
        &self.view.headers
    }

    /// The topic that the partner means.
    pub(super) fn topic(&self, shown: &Shown) -> Option<&Topic> {
        authorise(&self.view, shown.key(), Operation::Read).ok()
    }

    /// Whose records these are, for who operates the gateway.
    pub(super) fn place(&self, topic: &Topic, partition: i32, cause: RecordsError) -> Place {
        Place { zone: self.view.name.clone(), backing: topic.backing.clone(), partition, cause }
    }

    /// The aliases that it fetches from the broker.
    pub(super) fn aliases(&self) -> impl Iterator<Item = &TopicName> {
        self.held.values().map(|held| &held.topic.alias)
    }

    /// How many states of this session are alive: the one that requests change, and those that responses still under way are
    /// mapped by.
    pub(super) fn states(&self) -> usize {
        Arc::strong_count(&self.family)
    }

    /// Adds partitions, or changes how they are fetched. The topic if they may pass; none if they are answered here.
    pub(super) fn ask(
        &mut self,
        shown: &Shown,
        partitions: impl Iterator<Item = i32>,
    ) -> Result<Option<Topic>, Unfit> {
        let topic = match authorise(&self.view, shown.key(), Operation::Read) {
            Ok(topic) => topic.clone(),
            Err(error) => return self.answer_here(shown, error.code(), partitions).map(|()| None),
        };
        if self.held.get(&topic.backing).is_some_and(|held| held.topic.alias != topic.alias) {
            return Err(Unfit::TwoAliases);
        }
        if let Some(local) = self.local.remove(shown) {
            self.partitions -= local.partitions.len();
        }
        if let Some(ids) = topic.ids {
            self.backing.insert(ids.real, topic.backing.clone());
        }
        let empty = || Held { topic: topic.clone(), partitions: BTreeSet::new() };
        let set = &mut self.held.entry(topic.backing.clone()).or_insert_with(empty).partitions;
        insert(set, partitions, &mut self.partitions)?;
        Ok(Some(topic))
    }

    /// Whether another alias of this topic is served first.
    pub(super) fn has_to_wait(&self, shown: &Shown, waiting: &HashSet<TopicName>) -> bool {
        let known = authorise(&self.view, shown.key(), Operation::Read);
        !waiting.is_empty() && known.is_ok_and(|topic| waiting.contains(&topic.alias))
    }

    /// Adds partitions that the broker is not asked for.
    pub(super) fn answer_here(
        &mut self,
        shown: &Shown,
        error_code: i16,
        partitions: impl Iterator<Item = i32>,
    ) -> Result<(), Unfit> {
        let mut partitions = partitions.peekable();
        if partitions.peek().is_none() {
            // There is nothing to answer, and nothing that would ever be forgotten.
            return Ok(());
        }
        if self.local.len() >= LOCAL_LIMIT && !self.local.contains_key(shown) {
            return Err(Unfit::Overfull);
        }
        let local = &mut self.local.entry(shown.detached()?).or_default().partitions;
        for partition in partitions {
            self.partitions += usize::from(local.insert(partition, error_code).is_none());
            if self.partitions > PARTITION_LIMIT {
                return Err(Unfit::Overfull);
            }
        }
        Ok(())
    }

    /// Takes partitions out. The topic if the broker has them and must be told.
    pub(super) fn forget(&mut self, shown: &Shown, partitions: &[i32]) -> Option<Topic> {
        if let Some(local) = self.local.get_mut(shown) {
            self.partitions -=
                partitions.iter().filter(|partition| local.partitions.remove(partition).is_some()).count();
            if local.partitions.is_empty() {
                self.local.remove(shown);
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
        let local = |(shown, local): (&Shown, &Local)| {
            let error = authorise(view, shown.key(), Operation::Read).err();
            error.is_some_and(|error| local.partitions.values().all(|code| *code == error.code()))
        };
        let right = self.held.values().all(held) && self.local.iter().all(local);
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

    pub(super) fn answered_here(&self) -> &BTreeMap<Shown, Local> {
        &self.local
    }

    /// Whether a response may pass to the partner as it arrives.
    pub(super) fn passes(&self, version: i16) -> bool {
        self.local.is_empty()
            && self.windows.is_empty()
            && self.headers().remove_on_consume.is_empty()
            && (version >= super::BY_ID || self.held.len() < 2)
    }

    /// Lets a partition be read from this offset on.
    pub(super) fn open_from(&mut self, topic: &Topic, partition: i32, first: i64) {
        self.windows.insert((topic.backing.clone(), partition), first);
    }

    /// The first offset of a partition that may be read, where it is not the topic's own.
    pub(super) fn opens_at(&self, topic: &Topic, partition: i32) -> Option<i64> {
        if self.windows.is_empty() {
            return None;
        }
        self.windows.get(&(topic.backing.clone(), partition)).copied()
    }

    pub(super) fn has_windows(&self) -> bool {
        !self.windows.is_empty()
    }

    /// Whether the broker has any partition of it.
    pub(super) fn reaches_broker(&self) -> bool {
        !self.held.is_empty()
    }
}

/// Inserts `partitions` and counts those that are new.
fn insert(
    into: &mut BTreeSet<i32>,
    partitions: impl Iterator<Item = i32>,
    count: &mut usize,
) -> Result<(), Unfit> {
    for partition in partitions {
        *count += usize::from(into.insert(partition));
        if *count > PARTITION_LIMIT {
            return Err(Unfit::Overfull);
        }
    }
    Ok(())
}

/// Removes `partitions`; how many there were.
fn take(from: &mut BTreeSet<i32>, partitions: &[i32]) -> usize {
    partitions.iter().filter(|partition| from.remove(partition)).count()
}
