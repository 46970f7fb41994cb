//! Host names of zones (SNI mode): `<zone>.<domain>` to start from, `b<id>-<zone>.<domain>` for broker `<id>` of the zone's cluster.
//!
//! A pure function of zone, node id and domain, so that every gateway gives out the same names and reads them alike. One wildcard
//! certificate `*.<domain>` covers them all, since no name has a dot in front of the domain.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::ZoneName;

/// A DNS label has 63 characters; `b`, a node id of up to ten digits and `-` take twelve of them.
const LONGEST_ZONE: usize = 50;

/// The domain below which every zone has its hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SniDomain {
    domain: Arc<str>,
    /// `gateway.advertisedHost`: the host of port mode, which may lie below the domain.
    taken: Arc<str>,
}

/// What a client connected to, by the host name it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SniHost {
    pub zone: ZoneName,
    /// None: the host that a zone's clients start from.
    pub node: Option<i32>,
}

/// Why a zone has no host name of its own. The message completes "the zone name `x` …".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoHost {
    #[error("holds {0:?}, which a host name in front of `gateway.sni.domain` cannot have")]
    Character(char),
    #[error("starts or ends with a dash, which no host name may")]
    Dash,
    #[error("has {0} characters; with a broker's id in front of it, a host name has room for {LONGEST_ZONE}")]
    TooLong(usize),
    #[error("reads like the host of a broker (`b<id>-<zone>`)")]
    ReadsAsBroker,
    #[error("would get the host `{0}`, which is `gateway.advertisedHost`")]
    Taken(Arc<str>),
}

/// Why a text is not a domain. The message completes "`x` …".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("is not a domain such as partners.example.com, in lower case and of at most 180 characters")]
pub struct NotADomain;

impl SniDomain {
    /// `advertised_host` is the host of port mode: it stays what it is, even below the domain.
    pub fn new(domain: &str, advertised_host: &str) -> Result<Self, NotADomain> {
        let label = |label: &str| {
            let legal = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
            (1..=63).contains(&label.len())
                && label.chars().all(legal)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // With a label of 63 characters in front, the whole name stays below DNS's limit of 253.
        if domain.len() > 180 || !domain.split('.').all(label) {
            return Err(NotADomain);
        }
        Ok(Self { domain: domain.into(), taken: advertised_host.to_ascii_lowercase().into() })
    }

    /// Whether a zone of this name has hosts.
    pub fn check(&self, zone: &ZoneName) -> Result<(), NoHost> {
        let name = zone.as_str();
        if let Some(character) = name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
            return Err(NoHost::Character(character));
        }
        if name.starts_with('-') || name.ends_with('-') {
            return Err(NoHost::Dash);
        }
        if name.len() > LONGEST_ZONE {
            return Err(NoHost::TooLong(name.len()));
        }
        if broker_of(name).is_some() {
            return Err(NoHost::ReadsAsBroker);
        }
        let host = self.host(zone);
        if *host == *self.taken { Err(NoHost::Taken(host.into())) } else { Ok(()) }
    }

    /// Where a zone's clients start.
    pub fn host(&self, zone: &ZoneName) -> String {
        format!("{zone}.{}", self.domain)
    }

    /// Broker `node` as this zone's clients see it.
    pub fn broker_host(&self, zone: &ZoneName, node: i32) -> String {
        format!("b{node}-{zone}.{}", self.domain)
    }

    /// What a host name stands for; none if it is not one that [`Self::host`] or [`Self::broker_host`] gives out.
    pub fn read(&self, host: &str) -> Option<SniHost> {
        let host = host.to_ascii_lowercase();
        if *host == *self.taken {
            return None;
        }
        let label = host.strip_suffix(&*self.domain)?.strip_suffix('.')?;
        let (node, zone) = match broker_of(label) {
            Some((node, zone)) => (Some(node), zone),
            None => (None, label),
        };
        let zone = ZoneName::try_from(zone).ok()?;
        self.check(&zone).is_ok().then_some(SniHost { zone, node })
    }
}

impl fmt::Display for SniDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.domain)
    }
}

/// `b<id>-<zone>` in its only written form: no sign, no leading zero.
fn broker_of(label: &str) -> Option<(i32, &str)> {
    let (digits, zone) = label.strip_prefix('b')?.split_once('-')?;
    let canonical = digits == "0" || !digits.starts_with('0');
    let number = digits.chars().all(|c| c.is_ascii_digit()) && canonical;
    Some((digits.parse().ok().filter(|_| number)?, zone))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn domain() -> SniDomain {
        SniDomain::new("partners.example.com", "Kafka.partners.example.com").unwrap()
    }

    fn zone(name: &str) -> ZoneName {
        ZoneName::try_from(name).unwrap()
    }

    #[test]
    fn a_zone_has_a_host_to_start_from_and_one_for_every_broker() {
        let domain = domain();
        assert_eq!(domain.host(&zone("acme")), "acme.partners.example.com");
        assert_eq!(domain.broker_host(&zone("acme"), 12), "b12-acme.partners.example.com");
        let read = |host: &str| domain.read(host).map(|host| (host.zone.to_string(), host.node));
        assert_eq!(read("acme.partners.example.com"), Some(("acme".to_owned(), None)));
        assert_eq!(read("B12-Acme.Partners.example.com"), Some(("acme".to_owned(), Some(12))));
        assert_eq!(read("b0-b-1.partners.example.com"), Some(("b-1".to_owned(), Some(0))));
    }

    #[test]
    fn anything_else_is_not_a_zones_host() {
        for host in [
            "kafka.partners.example.com",
            "partners.example.com",
            ".partners.example.com",
            "acme.example.com",
            "acmepartners.example.com",
            "a.b.partners.example.com",
            "b1-.partners.example.com",
            "b01-acme.partners.example.com",
            "b+1-acme.partners.example.com",
            "b99999999999-acme.partners.example.com",
            "b1-b2-acme.partners.example.com",
            "127.0.0.1",
            "",
        ] {
            let read = domain().read(host);
            // Only as a zone whose name happens to look so, never as a broker.
            assert!(read.as_ref().is_none_or(|host| host.node.is_none()), "{host}: {read:?}");
            if !host.starts_with("b01-") && !host.starts_with("b9") {
                assert_eq!(read, None, "{host}");
            }
        }
    }

    #[test]
    fn a_name_that_no_host_can_have_is_told_with_its_reason() {
        let told = |name: &str| domain().check(&zone(name)).map_err(|why| why.to_string());
        assert_eq!(told("acme-2"), Ok(()));
        assert_eq!(told(&"a".repeat(50)), Ok(()));
        for (name, part) in [
            ("acme.eu", "'.'"),
            ("acme_eu", "'_'"),
            ("-acme", "dash"),
            ("acme-", "dash"),
            (&"a".repeat(51), "51 characters"),
            ("b1-acme", "broker"),
            ("kafka", "`kafka.partners.example.com`"),
        ] {
            let why = told(name).unwrap_err();
            assert!(why.contains(part), "{name}: {why}");
        }
    }

    #[test]
    fn a_domain_is_lower_case_labels() {
        for bad in
            ["", "Example.com", "a..b", ".example.com", "example.com.", "-a.com", "a_b.com", "exa mple.com"]
        {
            assert_eq!(SniDomain::new(bad, "h"), Err(NotADomain), "{bad}");
        }
        assert!(SniDomain::new(&"a.".repeat(100), "h").is_err());
        assert!(SniDomain::new("localhost", "h").is_ok());
    }

    proptest! {
        #[test]
        fn every_name_that_is_given_out_is_read_back_and_fits_into_dns(name in "[a-z0-9._-]{1,60}", node in 0..=i32::MAX) {
            let domain = domain();
            let Ok(zone) = ZoneName::try_from(name.as_str()) else { return Ok(()) };
            if domain.check(&zone).is_ok() {
                let start = domain.read(&domain.host(&zone));
                prop_assert_eq!(start, Some(SniHost { zone: zone.clone(), node: None }));
                let host = domain.broker_host(&zone, node);
                prop_assert!(host.split('.').all(|label| label.len() <= 63));
                prop_assert_eq!(domain.read(&host), Some(SniHost { zone, node: Some(node) }));
            } else {
                prop_assert_eq!(domain.read(&domain.host(&zone)).filter(|host| host.zone == zone), None);
            }
        }
    }
}
