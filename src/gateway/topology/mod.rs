//! What each backing cluster looks like: asked by the gateway itself, so that it needs no controller to go on serving.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::config::ClusterConfig;
use super::offer::Offer;
use crate::zone::{ClusterName, TopicName};

mod poll;

use poll::Source;

/// One cluster as last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topology {
    pub(crate) cluster_id: Option<String>,
    /// Live brokers: node id → the address we reach it at.
    pub(crate) brokers: BTreeMap<i32, String>,
    /// What all live brokers serve: an upgrade that is under way never shows a client more than its slowest broker.
    pub(crate) offer: Arc<Offer>,
    /// Every topic that was asked for; what is not in here has not been asked for yet.
    pub(crate) topics: HashMap<TopicName, TopicState>,
}

/// What the cluster said of one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopicState {
    /// With its id, or nil on a cluster that has none (before 2.8).
    Present(Uuid),
    Missing,
    /// Our own principal may not describe it.
    Forbidden,
    /// Another Kafka error code.
    Failed(i16),
}

/// Never reached is something else than empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ClusterState {
    /// The last answer; kept while the cluster cannot be reached.
    pub(crate) last: Option<Arc<Topology>>,
    /// Why the latest attempt failed.
    pub(crate) trouble: Option<String>,
}

/// All clusters of the configuration.
pub(crate) type Clusters = BTreeMap<ClusterName, ClusterState>;

const INTERVAL: Duration = Duration::from_secs(5);
/// While something a zone needs is missing.
const HURRIED: Duration = Duration::from_secs(1);
/// However often somebody asks.
const SHORTEST: Duration = Duration::from_millis(200);

/// Polls one cluster and publishes what changed.
#[derive(Debug)]
pub(crate) struct Poller {
    pub(crate) cluster: ClusterName,
    pub(crate) config: ClusterConfig,
    pub(crate) connect_within: Duration,
    /// Topics that zones name.
    pub(crate) wanted: watch::Receiver<Arc<BTreeSet<TopicName>>>,
    /// Asks for a poll at once, e.g. when a broker could not be reached.
    pub(crate) refresh: Arc<Notify>,
    pub(crate) published: Arc<watch::Sender<Clusters>>,
}

impl Poller {
    /// Runs until cancelled.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        let mut source = Source::new(self.config.clone(), self.connect_within);
        cancel.run_until_cancelled(self.poll_for_ever(&mut source)).await;
    }

    async fn poll_for_ever(&mut self, source: &mut Source) {
        loop {
            let started = Instant::now();
            let wanted = Arc::clone(&self.wanted.borrow_and_update());
            let polled = source.poll(&wanted).await.map_err(|error| error.to_string());
            let pause = self.publish(polled);
            let earliest = started + SHORTEST;
            tokio::select! {
                () = tokio::time::sleep(jittered(pause)) => {}
                () = self.refresh.notified() => tokio::time::sleep_until(earliest).await,
                changed = self.wanted.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Wakes the readers only if something is different, and says how long to wait before the next poll.
    fn publish(&self, polled: Result<Topology, String>) -> Duration {
        let complete = polled.as_ref().is_ok_and(|topology| {
            topology.topics.values().all(|state| matches!(state, TopicState::Present(_)))
        });
        self.published.send_if_modified(|clusters| {
            let state = clusters.entry(self.cluster.clone()).or_default();
            state.take(&self.cluster, polled)
        });
        if complete { INTERVAL } else { HURRIED }
    }
}

impl ClusterState {
    /// Takes the result of a poll; true if it says something new.
    fn take(&mut self, cluster: &ClusterName, polled: Result<Topology, String>) -> bool {
        match polled {
            Ok(topology) => {
                if self.trouble.take().is_some() || self.last.is_none() {
                    tracing::info!(%cluster, brokers = topology.brokers.len(), "cluster reached");
                } else if self.last.as_deref() == Some(&topology) {
                    return false;
                }
                self.last = Some(Arc::new(topology));
                true
            }
            Err(trouble) => {
                if self.trouble.as_ref() == Some(&trouble) {
                    return false;
                }
                tracing::error!(
                    %cluster, cause = %trouble,
                    "cluster cannot be reached; its zones go on with what was last known. Check bootstrapServers, its credentials and the network"
                );
                self.trouble = Some(trouble);
                true
            }
        }
    }
}

/// 80 to 120 %: many gateways must not ask in step.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.8 + 0.4 * rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(brokers: &[i32]) -> Topology {
        Topology {
            cluster_id: None,
            brokers: brokers.iter().map(|&id| (id, format!("b{id}:9092"))).collect(),
            offer: Arc::default(),
            topics: HashMap::new(),
        }
    }

    #[test]
    fn an_unreachable_cluster_keeps_its_last_answer_and_says_so_once() {
        let cluster = ClusterName::try_from("default").unwrap();
        let mut state = ClusterState::default();
        assert!(state.take(&cluster, Err("refused".to_owned())));
        assert_eq!(state.last, None);
        assert!(state.take(&cluster, Ok(topology(&[1, 2]))));
        assert!(!state.take(&cluster, Ok(topology(&[1, 2]))));
        assert!(state.take(&cluster, Err("refused".to_owned())));
        assert!(!state.take(&cluster, Err("refused".to_owned())));
        assert_eq!(state.last.as_deref(), Some(&topology(&[1, 2])));
        assert!(state.take(&cluster, Ok(topology(&[1, 2]))), "recovery is news");
        assert_eq!(state.trouble, None);
    }
}
