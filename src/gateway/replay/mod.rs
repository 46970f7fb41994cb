//! How far back partners may read (`topics[].replay`).
//!
//! A window moves with time, and where it begins is asked of the brokers now and then, by [`follower`], not for each fetch. A
//! handler looks it up. While it is not known, nothing of the partition may be read.

mod follower;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;

pub(crate) use self::follower::Follower;
use crate::policy::{Topic, Window, ZoneView};
use crate::zone::{ClusterName, TopicName};

/// What clients take for a leader that is on the move: they ask for it, and again.
pub(crate) const NOT_KNOWN: ResponseError = ResponseError::NotLeaderOrFollower;

/// Where the windows that move with time begin, as last asked for.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    clusters: BTreeMap<ClusterName, Arc<ClusterStarts>>,
}

/// The same of one cluster: of each topic, for each age that zones have for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ClusterStarts(HashMap<TopicName, BTreeMap<Duration, Arc<BTreeMap<i32, i64>>>>);

impl Starts {
    /// The first offset of a partition that the zone's partner may read; none where it may read all of it.
    ///
    /// # Errors
    /// [`NOT_KNOWN`], where there is a window and nobody has said yet where it begins.
    pub(crate) fn first_offset(
        &self,
        zone: &ZoneView,
        topic: &Topic,
        partition: i32,
    ) -> Result<Option<i64>, ResponseError> {
        match &topic.window {
            None => Ok(None),
            Some(Window::From(start)) => {
                let start = start.as_ref().ok_or(NOT_KNOWN)?;
                Ok(Some(start.first_offset(topic.ids.map(|ids| ids.real), partition)))
            }
            Some(Window::MaxAge(age)) => {
                let of_cluster = self.clusters.get(&zone.cluster).ok_or(NOT_KNOWN)?;
                let of_topic = of_cluster.0.get(&topic.backing).and_then(|ages| ages.get(age));
                of_topic.and_then(|offsets| offsets.get(&partition)).copied().map(Some).ok_or(NOT_KNOWN)
            }
        }
    }

    fn with(&self, cluster: &ClusterName, starts: ClusterStarts) -> Self {
        let mut clusters = self.clusters.clone();
        clusters.insert(cluster.clone(), Arc::new(starts));
        Self { clusters }
    }

    #[cfg(test)]
    pub(crate) fn of(cluster: &ClusterName, topic: &str, age: Duration, offsets: &[(i32, i64)]) -> Self {
        let offsets = Arc::new(offsets.iter().copied().collect());
        let of_topic = (TopicName::try_from(topic).unwrap(), [(age, offsets)].into());
        Self::default().with(cluster, ClusterStarts([of_topic].into()))
    }
}
