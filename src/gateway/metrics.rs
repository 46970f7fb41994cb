//! What the data plane counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rustls::ProtocolVersion;

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
}

/// Where bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Partner to broker.
    Up,
    /// Broker to partner.
    Down,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Flow {
    direction: &'static str,
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
        metrics
    }

    pub(crate) fn relayed(&self, direction: Direction, bytes: usize) {
        let direction = match direction {
            Direction::Up => "up",
            Direction::Down => "down",
        };
        self.bytes.get_or_create(&Flow { direction }).inc_by(u64::try_from(bytes).unwrap_or(u64::MAX));
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

    #[test]
    fn what_is_counted_shows_in_the_exposition() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics.relayed(Direction::Up, 5);
        metrics.request("Fetch");
        metrics.authenticated("refused");
        metrics.closed("idle");
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "gateway_relayed_bytes_total{direction=\"up\"} 5",
            "gateway_requests_total{api=\"Fetch\"} 1",
            "gateway_authentications_total{result=\"refused\"} 1",
            "gateway_closed_total{reason=\"idle\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
