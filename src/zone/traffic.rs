//! What a zone's limits are about, and what one node says of its part of one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TrafficControl;

/// One of the fields of `spec.trafficControlPolicies`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Bytes of Produce requests.
    Produce,
    /// Bytes of Fetch responses.
    Consume,
    /// Requests that commit offsets.
    Commits,
    /// All requests but those of a login.
    Requests,
    /// Connections that are open at the same time.
    Connections,
    /// Logins on new connections.
    ConnectionRate,
}

/// What one node has used of a limit in the last seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Demand {
    /// In the limit's own unit, rounded up.
    pub used: u64,
    /// Whether it would have used more: somebody was held back for most of the time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
}

impl Limit {
    pub const ALL: [Self; 6] = [
        Self::Produce,
        Self::Consume,
        Self::Commits,
        Self::Requests,
        Self::Connections,
        Self::ConnectionRate,
    ];

    /// The word for it in metrics and heartbeats.
    pub fn label(self) -> &'static str {
        match self {
            Self::Produce => "produce",
            Self::Consume => "consume",
            Self::Commits => "commits",
            Self::Requests => "requests",
            Self::Connections => "connections",
            Self::ConnectionRate => "connection_rate",
        }
    }

    /// The limit with this label; none that this version knows.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.label() == label)
    }

    /// What the zone asks for, in the limit's own unit.
    pub fn of(self, wanted: &TrafficControl) -> Option<u64> {
        match self {
            Self::Produce => wanted.max_produce_rate,
            Self::Consume => wanted.max_consume_rate,
            Self::Commits => wanted.limit_commit_offset,
            Self::Requests => wanted.max_request_rate,
            Self::Connections => wanted.max_connections,
            Self::ConnectionRate => wanted.max_connection_rate,
        }
    }

    /// The seconds that a rate is for; none for what is no rate.
    pub fn seconds(self) -> Option<f64> {
        match self {
            Self::Connections => None,
            Self::Commits => Some(60.0),
            Self::Produce | Self::Consume | Self::Requests | Self::ConnectionRate => Some(1.0),
        }
    }
}
