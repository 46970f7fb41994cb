//! What is counted of the lag.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::zone::{ClusterName, ZoneLag, ZoneName};

/// Zones that have a series of their own.
const ZONES: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct LagMetrics {
    lag: Family<ZoneLabels, Gauge>,
    failures: Family<ClusterLabels, Counter>,
    /// The zones that have a series now.
    shown: BTreeSet<ZoneName>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ZoneLabels {
    zone: String,
}

/// A name of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClusterLabels {
    cluster: String,
}

impl LagMetrics {
    pub(super) fn register<'c>(
        registry: &mut Registry,
        clusters: impl Iterator<Item = &'c ClusterName>,
    ) -> Self {
        let metrics = Self::default();
        registry.register(
            "partner_zones_zone_consumer_lag_records",
            "Records that a zone's consumer groups are behind, of the zones with the most; on the leader only",
            metrics.lag.clone(),
        );
        registry.register(
            "partner_zones_lag_failures",
            "Times that a cluster did not tell its consumer groups' lag, or not all of it",
            metrics.failures.clone(),
        );
        for cluster in clusters {
            // So that a rate is known before the first of them.
            drop(metrics.failures.get_or_create(&ClusterLabels { cluster: cluster.to_string() }));
        }
        metrics
    }

    pub(super) fn failed(&self, cluster: &ClusterName) {
        self.failures.get_or_create(&ClusterLabels { cluster: cluster.to_string() }).inc();
    }

    /// Shows these zones, or those with the largest lag, and no others.
    pub(super) fn show(&mut self, lags: &BTreeMap<ZoneName, ZoneLag>) {
        let mut largest: Vec<_> = lags.iter().map(|(zone, lag)| (Reverse(lag.total()), zone)).collect();
        largest.sort();
        largest.truncate(ZONES);
        let shown = largest.iter().map(|(_, zone)| (*zone).clone()).collect();
        for gone in self.shown.difference(&shown) {
            self.lag.remove(&ZoneLabels { zone: gone.to_string() });
        }
        self.shown = shown;
        for (Reverse(records), zone) in largest {
            let labels = ZoneLabels { zone: zone.to_string() };
            self.lag.get_or_create(&labels).set(i64::try_from(records).unwrap_or(i64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::GroupLag;

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        text
    }

    fn lags(of: impl IntoIterator<Item = (String, u64)>) -> BTreeMap<ZoneName, ZoneLag> {
        let group = |lag| GroupLag { group: "secret".to_owned(), topic: "a".to_owned(), lag, partitions: 1 };
        let one = |(zone, lag): (String, u64)| {
            (ZoneName::try_from(zone.as_str()).unwrap(), ZoneLag::new(vec![group(lag)], false))
        };
        of.into_iter().map(one).collect()
    }

    #[test]
    fn the_zones_with_the_largest_lag_are_shown_and_those_that_go_are_removed() {
        let mut registry = Registry::default();
        let cluster = ClusterName::try_from("home").unwrap();
        let mut metrics = LagMetrics::register(&mut registry, std::iter::once(&cluster));
        assert!(text(&registry).contains("partner_zones_lag_failures_total{cluster=\"home\"} 0\n"));
        let many = (0..=ZONES).map(|n| (format!("z{n}"), n as u64 + 1));
        metrics.show(&lags(many));
        let series = |text: &str| text.matches("partner_zones_zone_consumer_lag_records{").count();
        let shown = text(&registry);
        assert_eq!(series(&shown), ZONES);
        assert!(!shown.contains("zone=\"z0\"") && !shown.contains("secret"));
        metrics.show(&lags([("z0".to_owned(), 5)]));
        let shown = text(&registry);
        assert_eq!(series(&shown), 1);
        assert!(shown.contains("partner_zones_zone_consumer_lag_records{zone=\"z0\"} 5\n"), "{shown}");
        metrics.show(&BTreeMap::new());
        assert_eq!(series(&text(&registry)), 0);
    }
}
