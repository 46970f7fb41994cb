//! A zone as the data plane needs it: look-ups in both directions, built once per change and never modified.

use core::net::IpAddr;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use uuid::Uuid;

use super::topic_id;
use crate::zone::{
    ClusterName, ConsumerGroup, Credential, GroupName, Headers, Operation, PartnerZone, Permission, Replay,
    ReplayStart, ReplayStarts, Sequence, SharedTopic, Slots, TopicName, ZoneId, ZoneName,
};

/// All zones as of one commit: what a gateway is given to serve.
#[derive(Debug, Clone, Default)]
pub struct Served {
    pub sequence: Sequence,
    pub zones: Vec<Arc<ServedZone>>,
}

/// A zone as the store has it, with its credentials: the input of a [`ZoneView`].
#[derive(Debug, Clone)]
pub struct ServedZone {
    pub id: ZoneId,
    /// Without what has ended.
    pub zone: Arc<PartnerZone>,
    /// The cluster behind it, the default already filled in.
    pub cluster: ClusterName,
    /// The last commit that changed this zone.
    pub changed: Sequence,
    /// The passwords of its own principal on the cluster, as far as the state has them.
    pub slots: Option<Slots>,
    /// Where its topics stood of which nothing is shared that was there before.
    pub starts: Option<Arc<ReplayStarts>>,
    /// Whether the zone lets partners in at this time.
    pub open: bool,
    /// Those that are good now.
    pub credentials: Vec<Arc<Credential>>,
}

/// One alias, with the ids of its backing topic where the cluster has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub alias: TopicName,
    pub backing: TopicName,
    pub permission: Permission,
    pub ids: Option<TopicIds>,
    /// Which of its records may be read; none for all.
    pub window: Option<Window>,
}

/// The records of a topic that a partner may read: what is older is as if it were not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// No older than this.
    MaxAge(Duration),
    /// From where the topic stood then. None: that is not known, and nothing may be read.
    From(Option<Arc<ReplayStart>>),
}

impl Window {
    fn of(shared: &SharedTopic, starts: Option<&ReplayStarts>) -> Option<Self> {
        Some(match shared.replay? {
            Replay::MaxAge(age) => Self::MaxAge(age),
            Replay::FromLatest => {
                let start = starts.and_then(|starts| starts.get(&shared.alias));
                Self::From(start.filter(|start| start.backing == shared.backing).cloned().map(Arc::new))
            }
        })
    }
}

/// The id the broker knows a topic by, and the one the partner does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicIds {
    pub real: Uuid,
    pub synthetic: Uuid,
}

/// Look-ups over one zone. Everything a partner may see is in here; what is not in here does not exist for them.
#[derive(Debug)]
pub struct ZoneView {
    pub name: ZoneName,
    pub id: ZoneId,
    pub cluster: ClusterName,
    topics: Vec<Topic>,
    by_alias: HashMap<TopicName, usize>,
    by_synthetic_id: HashMap<Uuid, usize>,
    by_backing: HashMap<TopicName, Vec<usize>>,
    by_real_id: HashMap<Uuid, Vec<usize>>,
    groups: Vec<ConsumerGroup>,
    /// What is done to the headers of records.
    pub headers: Arc<Headers>,
    /// Where its partners may come from; empty is "from anywhere".
    allowed_cidrs: Vec<IpNet>,
}

impl ZoneView {
    /// `real_ids` are the ids of the cluster's topics as last observed.
    pub fn new(zone: &ServedZone, real_ids: &HashMap<TopicName, Uuid>) -> Self {
        let topics: Vec<Topic> = zone
            .zone
            .topics
            .iter()
            .map(|shared| Topic {
                alias: shared.alias.clone(),
                backing: shared.backing.clone(),
                permission: shared.permission,
                window: Window::of(shared, zone.starts.as_deref()),
                ids: real_ids.get(&shared.backing).map(|&real| TopicIds {
                    real,
                    synthetic: topic_id::synthetic(zone.id, &shared.alias, real),
                }),
            })
            .collect();
        let mut view = Self {
            name: zone.zone.name.clone(),
            id: zone.id,
            cluster: zone.cluster.clone(),
            topics: Vec::new(),
            by_alias: HashMap::new(),
            by_synthetic_id: HashMap::new(),
            by_backing: HashMap::new(),
            by_real_id: HashMap::new(),
            groups: zone.zone.consumer_groups.clone(),
            headers: Arc::new(zone.zone.headers.clone()),
            allowed_cidrs: zone.zone.access.allowed_cidrs.clone(),
        };
        for (index, topic) in topics.iter().enumerate() {
            view.by_alias.insert(topic.alias.clone(), index);
            view.by_backing.entry(topic.backing.clone()).or_default().push(index);
            if let Some(ids) = topic.ids {
                view.by_synthetic_id.insert(ids.synthetic, index);
                view.by_real_id.entry(ids.real).or_default().push(index);
            }
        }
        view.topics = topics;
        view
    }

    /// Whether partners may come from there.
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allowed_cidrs.is_empty() || self.allowed_cidrs.iter().any(|block| block.contains(&address))
    }

    /// All aliases, in manifest order.
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// Whether there is a topic of which not all may be read.
    pub fn has_windows(&self) -> bool {
        self.topics.iter().any(|topic| topic.window.is_some())
    }

    /// Whether any two aliases are one backing topic.
    pub fn has_topic_under_two_aliases(&self) -> bool {
        self.by_backing.len() < self.topics.len()
    }

    pub fn by_alias(&self, alias: &str) -> Option<&Topic> {
        self.by_alias.get(alias).and_then(|&index| self.topics.get(index))
    }

    pub fn by_synthetic_id(&self, id: Uuid) -> Option<&Topic> {
        self.by_synthetic_id.get(&id).and_then(|&index| self.topics.get(index))
    }

    /// The aliases of a backing topic, in manifest order.
    pub fn by_backing(&self, backing: &str) -> impl Iterator<Item = &Topic> {
        self.at(self.places_of_backing(backing))
    }

    /// The aliases of the topic with this real id, in manifest order.
    pub fn by_real_id(&self, id: Uuid) -> impl Iterator<Item = &Topic> {
        self.at(self.places_of_real_id(id))
    }

    /// Where the aliases of a backing topic stand among [`Self::topics`], in manifest order.
    pub fn places_of_backing(&self, backing: &str) -> &[usize] {
        self.by_backing.get(backing).map_or(&[], Vec::as_slice)
    }

    /// Where the aliases of the topic with this real id stand among [`Self::topics`], in manifest order.
    pub fn places_of_real_id(&self, id: Uuid) -> &[usize] {
        self.by_real_id.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The alias if the zone has it and allows the operation.
    pub fn permitted(&self, alias: &str, operation: Operation) -> Option<&Topic> {
        self.by_alias(alias).filter(|topic| topic.permission.allows(operation))
    }

    /// Whether the two say the same. A connection keeps what it remembers of a view while they do.
    pub fn equals(&self, other: &Self) -> bool {
        self.id == other.id
            && self.cluster == other.cluster
            && self.topics == other.topics
            && self.groups == other.groups
            && self.headers == other.headers
            && self.allowed_cidrs == other.allowed_cidrs
    }

    /// The cluster's group that stands behind one of the partner's as it is, without a prefix.
    pub fn backing_group(&self, name: &str) -> Option<&GroupName> {
        self.groups.iter().find(|group| group.name.as_str() == name).map(|group| &group.backing_group)
    }

    /// What the partner calls a group of the cluster; none if it is not the zone's.
    pub fn group_of<'n>(&'n self, id: &'n str) -> Option<&'n str> {
        ConsumerGroup::partners_name(&self.name, &self.groups, id)
    }

    fn at<'a>(&'a self, places: &'a [usize]) -> impl Iterator<Item = &'a Topic> {
        places.iter().filter_map(|&place| self.topics.get(place))
    }
}
