//! Where partners find the brokers: a pure function of (cluster, node id), the same on every gateway and after any restart.

use std::collections::BTreeSet;

/// The brokers of one backing cluster as partners see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brokers {
    /// `gateway.advertisedHost`.
    pub host: String,
    /// Broker n is at `port_base + n`.
    pub port_base: u16,
    /// Node ids of the live brokers.
    pub live: BTreeSet<i32>,
}

impl Brokers {
    /// The advertised address of a broker, or none if the id is outside the port range.
    pub fn of(&self, node_id: i32) -> Option<(&str, u16)> {
        let offset = u16::try_from(node_id).ok()?;
        Some((&self.host, self.port_base.checked_add(offset)?))
    }
}
