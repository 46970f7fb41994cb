//! Where partners find the brokers: a pure function of (cluster, node id), the same on every gateway and after any restart.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kafka_protocol::protocol::StrBytes;
use sha2::{Digest, Sha256};

use super::offer::Offer;
use crate::zone::{SniDomain, ZoneId, ZoneName};

/// The brokers of one backing cluster as partners see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brokers {
    pub form: Form,
    /// Node ids of the live brokers.
    pub live: Arc<BTreeSet<i32>>,
    /// What every live broker serves.
    pub offer: Arc<Offer>,
}

/// How addresses are written: a client is answered in the form in which it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Broker n is at `base + n` of this host, `gateway.advertisedHost`.
    Ports { host: Arc<str>, base: u16 },
    /// Every broker is at the bootstrap port, under a host name of its own for this zone.
    Hosts { domain: SniDomain, zone: ZoneName, port: u16 },
}

impl Brokers {
    /// The advertised address of a broker, or none if the id is outside the port range or negative.
    pub fn of(&self, node_id: i32) -> Option<(Cow<'_, str>, u16)> {
        match &self.form {
            Form::Ports { host, base } => {
                let offset = u16::try_from(node_id).ok()?;
                Some((Cow::Borrowed(host), base.checked_add(offset)?))
            }
            Form::Hosts { domain, zone, port } => {
                (node_id >= 0).then(|| (Cow::Owned(domain.broker_host(zone, node_id)), *port))
            }
        }
    }

    /// The advertised address of a live broker. One that is not live, or that we have not heard of, has no listener here.
    pub fn live_at(&self, node_id: i32) -> Option<(Cow<'_, str>, u16)> {
        if self.live.contains(&node_id) { self.of(node_id) } else { None }
    }

    /// Puts a live broker's advertised address in place of its own. False for one that has no listener here: it must not be
    /// shown.
    pub(crate) fn advertise(&self, node_id: i32, host: &mut StrBytes, port: &mut i32) -> bool {
        let Some((advertised, at)) = self.live_at(node_id) else { return false };
        *host = StrBytes::from_string(advertised.into_owned());
        *port = i32::from(at);
        true
    }
}

/// The controller to name beside the brokers that are `shown`: the cluster's own choice if it is one of them, else any. A KRaft
/// cluster names any broker, one too that has just joined and is unknown here for some seconds; an admin client that is told of
/// no controller waits for one until its time is over.
pub(crate) fn controller(named: i32, shown: impl Iterator<Item = i32> + Clone) -> i32 {
    if shown.clone().any(|id| id == named) { named } else { shown.min().unwrap_or(-1) }
}

/// The cluster id a partner is shown: the zone's own, in Kafka's form (128 bits as 22 characters of base64url).
pub fn cluster_id(zone: ZoneId) -> String {
    let mut hash = Sha256::new();
    hash.update(b"partner-zones cluster id\0");
    hash.update(zone.0.as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let (id, _) = digest.split_at(16);
    let text = URL_SAFE_NO_PAD.encode(id);
    // Kafka's own ids never start with a dash, so that they can stand on a command line.
    match text.strip_prefix('-') {
        Some(rest) => format!("A{rest}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn brokers(port_base: u16, live: &[i32]) -> Brokers {
        let form = Form::Ports { host: "kafka.example.com".into(), base: port_base };
        let live = Arc::new(live.iter().copied().collect());
        Brokers { form, live, offer: Arc::default() }
    }

    #[test]
    fn a_broker_is_found_at_the_base_port_plus_its_id() {
        let brokers = brokers(19_100, &[0, 3]);
        assert_eq!(brokers.of(3), Some((Cow::Borrowed("kafka.example.com"), 19_103)));
        assert_eq!(brokers.live_at(3), brokers.of(3));
    }

    #[test]
    fn a_broker_that_is_not_live_has_an_address_but_is_not_shown() {
        let brokers = brokers(19_100, &[1]);
        assert!(brokers.of(2).is_some());
        assert_eq!(brokers.live_at(2), None);
    }

    #[test]
    fn a_controller_that_is_not_shown_is_replaced_by_a_broker_that_is() {
        assert_eq!(controller(2, [1, 2].into_iter()), 2);
        assert_eq!(controller(3, [2, 1].into_iter()), 1);
        assert_eq!(controller(3, [].into_iter()), -1);
    }

    #[test]
    fn ids_outside_the_port_range_have_no_address() {
        let brokers = brokers(65_000, &[-1, 535, 536, i32::MAX]);
        for (id, there) in [(-1, false), (535, true), (536, false), (i32::MAX, false), (i32::MIN, false)] {
            assert_eq!(brokers.of(id).is_some(), there, "{id}");
        }
    }

    #[test]
    fn under_a_zones_own_host_names_the_port_stays_and_the_host_tells_the_broker() {
        let domain = SniDomain::new("partners.example.com", "kafka.example.com").unwrap();
        let zone = ZoneName::try_from("acme").unwrap();
        let form = Form::Hosts { domain, zone, port: 19_092 };
        let brokers = Brokers { form, ..brokers(0, &[-1, 3, 70_000]) };
        let at = |id| brokers.live_at(id).map(|(host, port)| format!("{host}:{port}"));
        assert_eq!(at(3).as_deref(), Some("b3-acme.partners.example.com:19092"));
        assert_eq!(at(70_000).as_deref(), Some("b70000-acme.partners.example.com:19092"));
        assert_eq!((at(-1), at(4)), (None, None));
    }

    #[test]
    fn a_zone_has_a_cluster_id_of_its_own_in_kafkas_form() {
        let zone = |n: u128| ZoneId(Uuid::from_u128(n));
        assert_eq!(cluster_id(zone(1)), cluster_id(zone(1)));
        assert_ne!(cluster_id(zone(1)), cluster_id(zone(2)));
    }

    proptest! {
        #[test]
        fn every_cluster_id_is_22_characters_and_never_starts_with_a_dash(zone: u128) {
            let id = cluster_id(ZoneId(Uuid::from_u128(zone)));
            prop_assert_eq!(id.len(), 22);
            prop_assert!(!id.starts_with('-'));
            prop_assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
        }
    }
}
