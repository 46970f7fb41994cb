//! The topics of one request: how the partner calls them, how the broker does, and which may pass.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::policy::{Topic, ZoneView};
use crate::zone::{Operation, TopicName};

/// How a request addresses a topic: by name in older versions, by id in newer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    Name(&'a str),
    Id(Uuid),
}

/// The topic behind a key if the zone has it and allows the operation.
///
/// A name outside the zone gets the answer of a forbidden one, an id outside it (a real id included) that of an unknown
/// one: so does Kafka, and whether it exists elsewhere cannot be told.
pub(crate) fn authorise<'v>(
    view: &'v ZoneView,
    key: Key<'_>,
    operation: Operation,
) -> Result<&'v Topic, ResponseError> {
    match key {
        Key::Name(alias) => view.permitted(alias, operation).ok_or(ResponseError::TopicAuthorizationFailed),
        Key::Id(id) => {
            let topic = view.by_synthetic_id(id).ok_or(ResponseError::UnknownTopicId)?;
            if topic.permission.allows(operation) {
                Ok(topic)
            } else {
                Err(ResponseError::TopicAuthorizationFailed)
            }
        }
    }
}

/// A topic's name as the protocol's type.
pub(super) fn wire(name: &TopicName) -> messages::TopicName {
    messages::TopicName(StrBytes::from_string(name.as_str().to_owned()))
}

/// The same name in memory of its own: as decoded it keeps the whole frame that it came in.
pub(super) fn detached(name: &messages::TopicName) -> messages::TopicName {
    messages::TopicName(StrBytes::from_string(name.to_string()))
}

/// The name of a topic that has none, in versions where it cannot be null.
pub(super) fn empty() -> messages::TopicName {
    messages::TopicName(StrBytes::from_static_str(""))
}

/// The topics that one request sends on. Each backing topic goes under one alias, so that the response has one way back.
#[derive(Debug)]
pub(crate) struct Names {
    view: Arc<ZoneView>,
    /// Which of the view's topics, by their place; those behind the end are not.
    chosen: Vec<bool>,
}

impl Names {
    /// None yet.
    pub(crate) fn new(view: &Arc<ZoneView>) -> Self {
        Self { view: Arc::clone(view), chosen: Vec::new() }
    }

    /// Of one topic of this view that has been authorised already.
    pub(crate) fn of(view: &Arc<ZoneView>, topic: &Topic) -> Self {
        let mut names = Self::new(view);
        names.insert(topic);
        names
    }

    fn insert(&mut self, topic: &Topic) {
        let is_it =
            |place: &&usize| self.view.topics().get(**place).is_some_and(|at| at.alias == topic.alias);
        if let Some(&place) = self.view.places_of_backing(topic.backing.as_str()).iter().find(is_it) {
            if self.chosen.len() <= place {
                self.chosen.resize(place + 1, false);
            }
            self.chosen.get_mut(place).into_iter().for_each(|chosen| *chosen = true);
        }
    }

    /// Lets a topic pass. A second alias of a backing topic gets `InvalidTopicException`: the broker wants each topic once.
    pub(super) fn admit<'v>(
        &mut self,
        view: &'v ZoneView,
        key: Key<'_>,
        operation: Operation,
    ) -> Result<&'v Topic, ResponseError> {
        let topic = authorise(view, key, operation)?;
        match self.back(topic.backing.as_str()) {
            Some(first) if first.alias != topic.alias => Err(ResponseError::InvalidTopicException),
            Some(_) => Ok(topic),
            None => {
                self.insert(topic);
                Ok(topic)
            }
        }
    }

    /// The aliases that pass.
    pub(super) fn aliases(&self) -> impl Iterator<Item = &TopicName> {
        let topics = self.view.topics().iter().zip(&self.chosen);
        topics.filter(|(_, chosen)| **chosen).map(|(topic, _)| &topic.alias)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    /// The topic that went to the broker under this name.
    pub(super) fn back(&self, backing: &str) -> Option<&Topic> {
        self.first_chosen(self.view.places_of_backing(backing))
    }

    /// The topic that went to the broker under this id.
    pub(super) fn back_by_id(&self, real: Uuid) -> Option<&Topic> {
        self.first_chosen(self.view.places_of_real_id(real))
    }

    fn first_chosen(&self, places: &[usize]) -> Option<&Topic> {
        let is_chosen = |place: &&usize| self.chosen.get(**place).copied().unwrap_or(false);
        places.iter().find(is_chosen).and_then(|&place| self.view.topics().get(place))
    }

    /// Gives a response's topic its alias. False for a topic that was not asked for: it must not be shown.
    pub(super) fn rename_back(&self, name: &mut messages::TopicName) -> bool {
        match self.back(name) {
            Some(topic) => {
                *name = wire(&topic.alias);
                true
            }
            None => false,
        }
    }
}

/// The topics of a request that go on, in as many requests as it takes for each to name a backing topic once.
///
/// Two aliases of one backing topic cannot share a request: the broker wants each topic once, and its answer would not say
/// which alias it is for.
#[derive(Debug)]
pub(super) struct Rounds<T> {
    view: Arc<ZoneView>,
    rounds: Vec<(Names, Vec<T>)>,
}

impl<T> Rounds<T> {
    /// Sorts a request's topics into those that go on, as `admit` has changed them, and those that are answered here.
    pub(super) fn sort<'v, D>(
        view: &Arc<ZoneView>,
        topics: Vec<T>,
        mut admit: impl FnMut(&mut T) -> Result<&'v Topic, ResponseError>,
        refuse: impl Fn(T, ResponseError) -> D,
    ) -> (Self, Vec<D>) {
        let (mut sorted, mut refused) = (Self { view: Arc::clone(view), rounds: Vec::new() }, Vec::new());
        for mut topic in topics {
            match admit(&mut topic) {
                Ok(known) => sorted.put(known, topic),
                Err(error) => refused.push(refuse(topic, error)),
            }
        }
        (sorted, refused)
    }

    fn put(&mut self, known: &Topic, topic: T) {
        let is_free =
            |names: &Names| names.back(known.backing.as_str()).is_none_or(|other| other.alias == known.alias);
        match self.rounds.iter_mut().find(|(names, _)| is_free(names)) {
            Some((names, topics)) => {
                names.insert(known);
                topics.push(topic);
            }
            None => self.rounds.push((Names::of(&self.view, known), vec![topic])),
        }
    }

    /// Each round's topics, and the way back from them.
    pub(super) fn into_rounds(self) -> Vec<(Names, Vec<T>)> {
        self.rounds
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rounds.is_empty()
    }
}

/// Sorts the parts of a request (topics, groups, keys) into those that go on, as `admit` has changed them, and those that are
/// answered here.
pub(super) fn sort<T, D>(
    parts: Vec<T>,
    mut admit: impl FnMut(&mut T) -> Result<(), ResponseError>,
    refuse: impl Fn(T, ResponseError) -> D,
) -> (Vec<T>, Vec<D>) {
    let mut admitted = Vec::with_capacity(parts.len());
    let mut refused = Vec::new();
    for mut part in parts {
        match admit(&mut part) {
            Ok(()) => admitted.push(part),
            Err(error) => refused.push(refuse(part, error)),
        }
    }
    (admitted, refused)
}
