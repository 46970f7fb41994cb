//! Which nodes live, by what they last said of themselves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Heartbeat, Nodes};

/// How long a node is counted as live after its last heartbeat.
pub(super) const NODE_LIFETIME: Duration = Duration::from_secs(10);

/// Live nodes. Age is measured from when a heartbeat arrived here, so that clocks that differ make no node disappear.
#[derive(Debug)]
pub(super) struct Roster {
    lifetime: Duration,
    last_heard: BTreeMap<String, Instant>,
    nodes: Nodes,
}

impl Roster {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { lifetime, last_heard: BTreeMap::new(), nodes: Nodes::new() }
    }

    pub(super) fn record(&mut self, heartbeat: Heartbeat, now: Instant) {
        self.last_heard.insert(heartbeat.node.clone(), now);
        self.nodes.insert(heartbeat.node.clone(), heartbeat);
    }

    /// It says that it goes.
    pub(super) fn remove(&mut self, node: &str) {
        self.last_heard.remove(node);
        self.nodes.remove(node);
    }

    /// Forgets nodes not heard of for their lifetime; whether there were any.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let live = self.nodes.len();
        let (lifetime, last_heard) = (self.lifetime, &mut self.last_heard);
        last_heard.retain(|_, at| now.saturating_duration_since(*at) <= lifetime);
        self.nodes.retain(|node, _| last_heard.contains_key(node));
        self.nodes.len() != live
    }

    pub(super) fn nodes(&self) -> Arc<Nodes> {
        Arc::new(self.nodes.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::heartbeat;

    #[test]
    fn a_node_is_gone_after_its_lifetime_and_back_with_its_next_heartbeat() {
        let start = Instant::now();
        let mut roster = Roster::new(NODE_LIFETIME);
        roster.record(heartbeat("a", 1), start);
        roster.record(heartbeat("b", 1), start + Duration::from_secs(5));
        assert!(!roster.expire(start + NODE_LIFETIME));
        assert!(roster.expire(start + NODE_LIFETIME + Duration::from_millis(1)));
        assert_eq!(roster.nodes().keys().collect::<Vec<_>>(), ["b"]);
        roster.record(heartbeat("a", 2), start + Duration::from_secs(12));
        assert_eq!(roster.nodes().get("a").map(|h| h.serving), Some(2));
        roster.remove("a");
        assert_eq!(roster.nodes().keys().collect::<Vec<_>>(), ["b"], "it said that it goes");
    }
}
