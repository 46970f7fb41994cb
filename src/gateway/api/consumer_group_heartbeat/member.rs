//! What a connection knows of a member of the new protocol (KIP-848): "null" in a heartbeat means "as I said before".

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ConsumerGroupHeartbeatRequest;
use uuid::Uuid;

use crate::policy::{NamePattern, Topic, ZoneView};
use crate::zone::{Operation, TopicName};

/// Names without an alias that are remembered of one member, for the day on which they get one.
const UNSHARED_NAMES: usize = 100;

/// Topic names are no longer, in bytes.
const LONGEST_NAME: usize = 249;

/// A member as the broker last accepted it, or one that has only been asked for everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Member {
    /// None: not known here, or not yet.
    subscription: Option<Arc<Subscription>>,
    resolved: Arc<Resolved>,
    /// What its subscription was resolved with.
    view: Option<Arc<ZoneView>>,
    /// The real ids of its last assignment, and the synthetic ones that it was shown; None for what was left out.
    shown: HashMap<Uuid, Option<Uuid>>,
    /// It was asked for a complete heartbeat, and none has come since.
    asked: bool,
}

/// In the member's words.
#[derive(Debug, Default, PartialEq, Eq)]
struct Subscription {
    names: BTreeSet<TopicName>,
    pattern: Option<String>,
}

/// A subscription in one view.
#[derive(Debug, Default)]
struct Resolved {
    aliases: HashSet<TopicName>,
    /// Each once, in manifest order.
    backing: Vec<TopicName>,
}

/// Why a heartbeat is answered here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// Everything has to be said again.
    Incomplete,
    Pattern(String),
}

impl Member {
    /// The member as it will be when the broker accepts this heartbeat.
    pub(super) fn after(
        &self,
        view: &Arc<ZoneView>,
        heartbeat: &ConsumerGroupHeartbeatRequest,
    ) -> Result<Self, Refused> {
        let complete = is_complete(heartbeat);
        if self.subscription.is_none() && !complete {
            return Err(Refused::Incomplete);
        }
        let mut next = Self { asked: false, ..self.clone() };
        let before = self.subscription.clone().unwrap_or_default();
        let said = before.with(view, heartbeat);
        let same_view = self.view.as_ref().is_some_and(|known| Arc::ptr_eq(known, view));
        if said != *before || !same_view {
            next.resolved = Arc::new(said.resolve(view).map_err(Refused::Pattern)?);
        }
        next.subscription = Some(Arc::new(said));
        next.view = Some(Arc::clone(view));
        // The broker repeats an assignment only to a complete heartbeat. Until then the member would go on under names
        // that are gone, or without a topic that was not known here when it was assigned.
        let outdated = |(real, shown): (&Uuid, &Option<Uuid>)| next.synthetic(*real) != *shown;
        if !complete && self.shown.iter().any(outdated) {
            return Err(Refused::Incomplete);
        }
        Ok(next)
    }

    /// The backing topics that the broker has to be told; none if it knows them.
    pub(super) fn news(
        &self,
        before: &Self,
        heartbeat: &ConsumerGroupHeartbeatRequest,
    ) -> Option<&[TopicName]> {
        let said = heartbeat.subscribed_topic_names.is_some() || heartbeat.subscribed_topic_regex.is_some();
        (said || (before.subscription.is_some() && before.resolved.backing != self.resolved.backing))
            .then_some(self.resolved.backing.as_slice())
    }

    /// The id that this member knows an assigned topic by: that of the first alias that it subscribed to.
    pub(super) fn synthetic(&self, real: Uuid) -> Option<Uuid> {
        let subscribed = |topic: &&Topic| self.resolved.aliases.contains(&topic.alias);
        Some(self.view.as_ref()?.by_real_id(real).find(subscribed)?.ids?.synthetic)
    }

    /// Notes an assignment as it is shown.
    pub(super) fn assigned(&mut self, shown: HashMap<Uuid, Option<Uuid>>) {
        self.shown = shown;
    }

    /// The error that makes a client say everything. `NotCoordinator` does so without its partitions being taken away: Java
    /// and librdkafka look the coordinator up, find the same one, and start over with all fields. A client that repeats
    /// itself instead is fenced, and joins anew.
    pub(super) fn ask(&mut self) -> ResponseError {
        if std::mem::replace(&mut self.asked, true) {
            ResponseError::FencedMemberEpoch
        } else {
            ResponseError::NotCoordinator
        }
    }

    /// The regular expression that it gave.
    pub(crate) fn pattern(&self) -> Option<&str> {
        self.subscription.as_ref()?.pattern.as_deref()
    }
}

/// Whether a heartbeat leaves nothing to what was said before. Brokers see it the same way.
fn is_complete(heartbeat: &ConsumerGroupHeartbeatRequest) -> bool {
    let subscribed = heartbeat.subscribed_topic_names.is_some() || heartbeat.subscribed_topic_regex.is_some();
    let owned = heartbeat.topic_partitions.is_some() && heartbeat.rebalance_timeout_ms != -1;
    heartbeat.member_epoch == 0 || (subscribed && owned)
}

impl Subscription {
    fn with(&self, view: &ZoneView, heartbeat: &ConsumerGroupHeartbeatRequest) -> Self {
        let names = match &heartbeat.subscribed_topic_names {
            None => self.names.clone(),
            Some(names) => {
                let mut room = UNSHARED_NAMES;
                let mut kept = |name: &str| {
                    if let Some(topic) = view.by_alias(name) {
                        return Some(topic.alias.clone());
                    }
                    room = room.checked_sub(1)?;
                    TopicName::try_from(name).ok()
                };
                names.iter().filter_map(|name| kept(name)).collect()
            }
        };
        let pattern = match &heartbeat.subscribed_topic_regex {
            None => self.pattern.clone(),
            Some(pattern) => Some(pattern.to_string()).filter(|pattern| !pattern.is_empty()),
        };
        Self { names, pattern }
    }

    /// A name counts whatever its permission, as in the classic protocol; a pattern finds what may be read.
    fn resolve(&self, view: &ZoneView) -> Result<Resolved, String> {
        let pattern = self.pattern.as_deref().map(NamePattern::parse).transpose();
        let pattern = pattern.map_err(|error| error.to_string())?;
        let mut matcher = pattern.as_ref().map(|pattern| pattern.matcher(LONGEST_NAME));
        let mut resolved = Resolved::default();
        let mut seen = HashSet::new();
        for topic in view.topics() {
            let named = self.names.contains(&topic.alias);
            let found = match &mut matcher {
                Some(matcher) if !named && topic.permission.allows(Operation::Read) => {
                    matcher.matches(&topic.alias).map_err(|error| error.to_string())?
                }
                _ => false,
            };
            if named || found {
                resolved.aliases.insert(topic.alias.clone());
                if seen.insert(&topic.backing) {
                    resolved.backing.push(topic.backing.clone());
                }
            }
        }
        Ok(resolved)
    }
}
