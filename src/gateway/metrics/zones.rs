//! What each zone's partner does. Names of zones are the company's own, and no other name is a label.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::Direction;
use crate::zone::{Usage, Volume, ZoneName};

/// Zones with a label of their own. Each has eight series.
const APART: usize = 1_000;

/// The label of all others, and of zones that are gone.
const OTHERS: &str = "_other";

#[derive(Debug, Clone, Default)]
pub(crate) struct ZoneMetrics {
    /// Those that have a label of their own.
    apart: Arc<Mutex<BTreeSet<ZoneName>>>,
    bytes: Family<Flow, Counter>,
    records: Family<Flow, Counter>,
    requests: Family<Zone, Counter>,
    commits: Family<Zone, Counter>,
    connections: Family<Zone, Counter>,
    throttled: Family<Zone, Counter<f64, AtomicU64>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Zone {
    zone: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Flow {
    zone: String,
    direction: &'static str,
}

impl ZoneMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = |what: &str| format!("{what}, as of when the node's figures were last taken");
        registry.register_with_unit(
            "zone",
            help("Bytes of record batches that a zone's partner produced (up) and consumed (down)"),
            Unit::Bytes,
            self.bytes.clone(),
        );
        registry.register(
            "zone_records",
            help("Records that a zone's partner produced (up) and consumed (down), by the headers of their batches"),
            self.records.clone(),
        );
        registry.register(
            "zone_requests",
            help("Requests of a zone's partner after its login"),
            self.requests.clone(),
        );
        registry.register(
            "zone_commits",
            help("Requests of a zone's partner that commit offsets"),
            self.commits.clone(),
        );
        registry.register(
            "zone_connections",
            help("Connections of a zone's partner that were let in"),
            self.connections.clone(),
        );
        registry.register_with_unit(
            "zone_throttled",
            help("Time for which connections of a zone's partner were to be held back for a limit"),
            Unit::Seconds,
            self.throttled.clone(),
        );
    }

    /// Adds what was taken. Zones that are gone, as `knows` says, lose their series.
    pub(crate) fn count(&self, taken: &BTreeMap<ZoneName, Usage>, knows: impl Fn(&ZoneName) -> bool) {
        let mut apart = self.apart.lock().unwrap_or_else(PoisonError::into_inner);
        apart.retain(|zone| {
            let stays = knows(zone);
            if !stays {
                self.forget(zone.as_str());
            }
            stays
        });
        for (zone, usage) in taken {
            if apart.len() < APART && knows(zone) {
                apart.insert(zone.clone());
            }
            self.add(if apart.contains(zone) { zone.as_str() } else { OTHERS }, usage);
        }
    }

    fn add(&self, zone: &str, usage: &Usage) {
        let total = usage.total();
        let label = Zone { zone: zone.to_owned() };
        self.requests.get_or_create(&label).inc_by(total.requests);
        self.commits.get_or_create(&label).inc_by(total.commits);
        self.connections.get_or_create(&label).inc_by(total.connections);
        #[allow(clippy::cast_precision_loss, reason = "no time is that long")]
        self.throttled.get_or_create(&label).inc_by(total.throttled_ms as f64 / 1e3);
        let flows: [(_, Volume); 2] = [(Direction::Up, total.produced), (Direction::Down, total.consumed)];
        for (direction, volume) in flows {
            let label = flow(zone, direction);
            self.bytes.get_or_create(&label).inc_by(volume.bytes);
            self.records.get_or_create(&label).inc_by(volume.records);
        }
    }

    fn forget(&self, zone: &str) {
        let label = Zone { zone: zone.to_owned() };
        self.requests.remove(&label);
        self.commits.remove(&label);
        self.connections.remove(&label);
        self.throttled.remove(&label);
        for direction in [Direction::Up, Direction::Down] {
            self.bytes.remove(&flow(zone, direction));
            self.records.remove(&flow(zone, direction));
        }
    }
}

fn flow(zone: &str, direction: Direction) -> Flow {
    Flow { zone: zone.to_owned(), direction: direction.label() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::ClientUsage;

    fn usage(requests: u64) -> Usage {
        let volume = |bytes| Volume { bytes, records: bytes / 10 };
        let client = ClientUsage {
            produced: volume(50),
            consumed: volume(70),
            requests,
            commits: 2,
            connections: 1,
            throttled_ms: 1_250,
            last_seen: None,
        };
        Usage { credentials: [("k1".to_owned(), client)].into(), ..Usage::default() }
    }

    fn name(zone: &str) -> ZoneName {
        zone.try_into().unwrap()
    }

    fn text(metrics: &ZoneMetrics) -> String {
        let mut registry = Registry::default();
        metrics.register(registry.sub_registry_with_prefix("gateway"));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn a_zones_figures_add_up_under_its_name_and_go_with_it() {
        let metrics = ZoneMetrics::default();
        for requests in [5, 6] {
            metrics.count(&[(name("acme"), usage(requests))].into(), |_| true);
        }
        let shown = text(&metrics);
        for line in [
            "gateway_zone_bytes_total{zone=\"acme\",direction=\"up\"} 100",
            "gateway_zone_bytes_total{zone=\"acme\",direction=\"down\"} 140",
            "gateway_zone_records_total{zone=\"acme\",direction=\"up\"} 10",
            "gateway_zone_records_total{zone=\"acme\",direction=\"down\"} 14",
            "gateway_zone_requests_total{zone=\"acme\"} 11",
            "gateway_zone_commits_total{zone=\"acme\"} 4",
            "gateway_zone_connections_total{zone=\"acme\"} 2",
            "gateway_zone_throttled_seconds_total{zone=\"acme\"} 2.5",
        ] {
            assert!(shown.contains(line), "{line} is not in\n{shown}");
        }
        assert!(!shown.contains("k1"));
        metrics.count(&BTreeMap::new(), |_| false);
        assert!(!text(&metrics).contains("acme"));
        // What its last connections left when they closed is not lost.
        metrics.count(&[(name("acme"), usage(7))].into(), |_| false);
        let shown = text(&metrics);
        assert!(!shown.contains("acme") && shown.contains("gateway_zone_requests_total{zone=\"_other\"} 7"));
    }

    #[test]
    fn however_many_zones_come_and_go_only_so_many_have_labels() {
        let metrics = ZoneMetrics::default();
        let zones = |of: &str| {
            (0..APART + 10).map(|n| (name(&format!("{of}{n}")), usage(1))).collect::<BTreeMap<_, _>>()
        };
        let series = || text(&metrics).lines().filter(|line| line.contains("_zone_requests_total{")).count();
        for year in ["a", "b", "c"] {
            metrics.count(&zones(year), |zone| zone.as_str().starts_with(year));
            assert_eq!(series(), APART + 1);
        }
        assert!(text(&metrics).contains("gateway_zone_requests_total{zone=\"_other\"} 30"));
    }
}
