//! What the data plane counts.

mod zones;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rustls::ProtocolVersion;

use self::zones::ZoneMetrics;
use super::headers::Tally;
use crate::zone::Limit;

/// Every family of the gateway. Label values come from closed sets: no name that a partner chooses becomes one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    pub(crate) connections: Gauge,
    pub(crate) accepted: Counter,
    bytes: Family<Flow, Counter>,
    requests: Family<Api, Counter>,
    closed: Family<Reason, Counter>,
    authentications: Family<Authentication, Counter>,
    refused_tokens: Family<Reason, Counter>,
    handshakes: Family<Handshake, Counter>,
    certificates: Family<Loaded, Counter>,
    pub(crate) slowed_logins: Counter,
    pub(crate) buffered: Gauge,
    edited_batches: Family<Flow, Counter>,
    refused_records: Family<Refused, Counter>,
    throttled: Family<Throttled, Counter>,
    throttled_time: Family<Throttled, Counter<f64, AtomicU64>>,
    pub(crate) refused_commits: Counter,
    pub(crate) zones: ZoneMetrics,
}

/// Where bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Partner to broker.
    Up,
    /// Broker to partner.
    Down,
}

impl Direction {
    fn label(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Flow {
    direction: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    direction: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Api {
    api: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Authentication {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Handshake {
    version: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Throttled {
    limit: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Loaded {
    result: &'static str,
}

impl Metrics {
    /// Registers all families under `gateway_`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("gateway");
        registry.register("connections", "Open partner connections", metrics.connections.clone());
        registry.register("accepted", "Accepted partner connections", metrics.accepted.clone());
        registry.register_with_unit(
            "relayed",
            "Bytes of frames that went to brokers (up) and to partners (down)",
            Unit::Bytes,
            metrics.bytes.clone(),
        );
        registry.register("requests", "Requests by Kafka API", metrics.requests.clone());
        registry.register("closed", "Connections that ended, by reason", metrics.closed.clone());
        registry.register("authentications", "Logins by result", metrics.authentications.clone());
        registry.register(
            "refused_tokens",
            "OAUTHBEARER tokens that were refused, by reason",
            metrics.refused_tokens.clone(),
        );
        registry.register(
            "slowed_logins",
            "Failed logins whose answer was held back, since others of the address or the name failed before",
            metrics.slowed_logins.clone(),
        );
        registry.register(
            "handshakes",
            "TLS handshakes that succeeded, by protocol version",
            metrics.handshakes.clone(),
        );
        registry.register(
            "certificate_reloads",
            "Times the certificate's files were read again, by result",
            metrics.certificates.clone(),
        );
        registry.register_with_unit(
            "buffered",
            "Bytes of large frames held in memory",
            Unit::Bytes,
            metrics.buffered.clone(),
        );
        registry.register(
            "edited_batches",
            "Record batches whose headers were changed, on their way to brokers (up) and to partners (down)",
            metrics.edited_batches.clone(),
        );
        registry.register(
            "refused_records",
            "Partitions in requests (up) and responses (down) whose records could not be edited and did not pass, by reason",
            metrics.refused_records.clone(),
        );
        metrics.register_limits(registry);
        metrics.zones.register(registry);
        metrics
    }

    fn register_limits(&self, registry: &mut Registry) {
        registry.register(
            "throttled",
            "Times that a connection was held back for a limit of its zone",
            self.throttled.clone(),
        );
        registry.register_with_unit(
            "throttled",
            "Time for which connections were to be held back for a limit of their zone",
            Unit::Seconds,
            self.throttled_time.clone(),
        );
        registry.register(
            "refused_commits",
            "Commits of offsets that were refused for limitCommitOffset, for clients to try again",
            self.refused_commits.clone(),
        );
    }

    /// A connection is held back for so long.
    pub(crate) fn throttled(&self, limit: Limit, wait: Duration) {
        let throttled = Throttled { limit: limit.label() };
        self.throttled_time.get_or_create(&throttled).inc_by(wait.as_secs_f64());
        self.throttled.get_or_create(&throttled).inc();
    }

    pub(crate) fn relayed(&self, direction: Direction, bytes: usize) {
        let direction = direction.label();
        self.bytes.get_or_create(&Flow { direction }).inc_by(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    pub(crate) fn edited(&self, direction: Direction, tally: &Tally) {
        let direction = direction.label();
        if tally.changed > 0 {
            let changed = u64::try_from(tally.changed).unwrap_or(u64::MAX);
            self.edited_batches.get_or_create(&Flow { direction }).inc_by(changed);
        }
        for cause in &tally.refused {
            self.refused_records.get_or_create(&Refused { direction, reason: cause.label() }).inc();
        }
    }

    /// `api` is the API's name in Kafka's definitions.
    pub(crate) fn request(&self, api: &'static str) {
        self.requests.get_or_create(&Api { api }).inc();
    }

    pub(crate) fn closed(&self, reason: &'static str) {
        self.closed.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn handshake(&self, version: Option<ProtocolVersion>) {
        let version = match version {
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            Some(ProtocolVersion::TLSv1_3) => "1.3",
            _ => "other",
        };
        self.handshakes.get_or_create(&Handshake { version }).inc();
    }

    /// `result`: `replaced` or `refused`.
    pub(crate) fn certificate(&self, result: &'static str) {
        self.certificates.get_or_create(&Loaded { result }).inc();
    }

    pub(crate) fn token_refused(&self, reason: &'static str) {
        self.refused_tokens.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn authenticated(&self, result: &'static str) {
        self.authentications.get_or_create(&Authentication { result }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::records::RecordsError;

    #[test]
    fn what_is_counted_shows_in_the_exposition() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics.relayed(Direction::Up, 5);
        metrics.request("Fetch");
        metrics.authenticated("refused");
        metrics.closed("idle");
        metrics.edited(
            Direction::Down,
            &Tally { changed: 3, refused: vec![RecordsError::Checksum], ..Tally::default() },
        );
        metrics.throttled(Limit::Produce, Duration::from_millis(1500));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "gateway_relayed_bytes_total{direction=\"up\"} 5",
            "gateway_requests_total{api=\"Fetch\"} 1",
            "gateway_authentications_total{result=\"refused\"} 1",
            "gateway_closed_total{reason=\"idle\"} 1",
            "gateway_edited_batches_total{direction=\"down\"} 3",
            "gateway_refused_records_total{direction=\"down\",reason=\"checksum\"} 1",
            "gateway_throttled_total{limit=\"produce\"} 1",
            "gateway_throttled_seconds_total{limit=\"produce\"} 1.5",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
