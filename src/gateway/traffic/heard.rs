//! What the nodes say of their demand.

use std::collections::BTreeMap;

use crate::policy::traffic::share;
use crate::zone::{Demand, Limit, ZoneName};

/// What one node says of one zone.
pub type Demands = BTreeMap<Limit, Demand>;

/// What the nodes that live last said, by node; this one among them, as the others heard it.
pub type Reports = BTreeMap<String, BTreeMap<ZoneName, Demands>>;

/// The last of it.
#[derive(Debug, Default)]
pub(super) struct Heard {
    node: String,
    reports: Reports,
    /// How many there were when this node last heard itself.
    last_known: usize,
}

impl Heard {
    pub(super) fn take(&mut self, node: &str, reports: Reports) {
        node.clone_into(&mut self.node);
        if reports.contains_key(node) {
            self.last_known = reports.len();
        } else {
            // Before its first heartbeat it is one more than those it hears; later it is cut off, and does not know who lives.
            self.last_known = self.last_known.max(reports.len() + 1);
        }
        self.reports = reports;
    }

    /// This node's part of a rate. One that does not hear itself is not heard by the others either, and keeps to an equal part.
    pub(super) fn rate(&self, limit: Limit, of: u64, zone: &ZoneName) -> f64 {
        let part = share::of_rate(of, &self.node, &self.demands(limit, zone));
        part.unwrap_or_else(|| share::equal_part(of, self.last_known))
    }

    /// As [`rate`](Self::rate), for connections that are open at the same time.
    pub(super) fn connections(&self, of: u64, zone: &ZoneName) -> u64 {
        let part = share::of_connections(of, &self.node, &self.demands(Limit::Connections, zone));
        part.unwrap_or_else(|| share::equal_connections(of, self.last_known))
    }

    fn demands(&self, limit: Limit, zone: &ZoneName) -> share::Demands<'_> {
        let of = |zones: &BTreeMap<ZoneName, Demands>| zones.get(zone)?.get(&limit).copied();
        self.reports.iter().map(|(node, zones)| (node.as_str(), of(zones).unwrap_or_default())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports(nodes: &[&str]) -> Reports {
        nodes.iter().map(|node| ((*node).to_owned(), BTreeMap::new())).collect()
    }

    #[test]
    fn a_node_that_no_longer_hears_itself_keeps_to_an_equal_part() {
        let zone = ZoneName::try_from("acme").unwrap();
        let mut heard = Heard::default();
        let mut part = |nodes: &[&str]| {
            heard.take("a", reports(nodes));
            (heard.rate(Limit::Produce, 90, &zone), heard.connections(90, &zone))
        };
        assert_eq!(part(&[]), (90.0, 90), "alone, as far as it knows");
        assert_eq!(part(&["b"]), (45.0, 45), "it has not been heard yet");
        assert_eq!(part(&["a", "b", "c"]), (30.0, 30));
        assert_eq!(part(&[]), (30.0, 30), "the store is lost");
        assert_eq!(part(&["b", "c"]), (30.0, 30), "its heartbeats are");
        assert_eq!(part(&["a"]), (90.0, 90), "the others are gone");
    }
}
