//! Names that are right by construction. There is no way to make one from a string but `TryFrom`.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

/// Why a text is not a name of the wanted kind. The message completes "`x` …".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    #[error("is empty")]
    Empty,
    #[error("has {len} characters, the limit is {limit}")]
    TooLong { len: usize, limit: usize },
    #[error("holds {character:?}, allowed are {allowed}")]
    Character { character: char, allowed: &'static str },
    #[error("is reserved")]
    Reserved,
}

/// What distinguishes one kind of name from another.
struct Rule {
    limit: usize,
    allowed: &'static str,
    character: fn(char) -> bool,
    reserved: fn(&str) -> bool,
}

impl Rule {
    fn check(&self, text: &str) -> Result<(), NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let len = text.chars().count();
        if len > self.limit {
            return Err(NameError::TooLong { len, limit: self.limit });
        }
        if let Some(character) = text.chars().find(|c| !(self.character)(*c)) {
            return Err(NameError::Character { character, allowed: self.allowed });
        }
        if (self.reserved)(text) { Err(NameError::Reserved) } else { Ok(()) }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, NameError> {
                const RULE: Rule = $rule;
                RULE.check(text)?;
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

fn dot_or_dots(text: &str) -> bool {
    text == "." || text == ".."
}

name! {
    /// A zone's technical id. `:` cannot occur, so `<zone>:` is an unambiguous prefix for groups and transactional ids.
    ZoneName, Rule {
        limit: 100,
        allowed: "0-9 a-z _ - .",
        character: |c| matches!(c, '0'..='9' | 'a'..='z' | '_' | '-' | '.'),
        reserved: dot_or_dots,
    }
}

impl ZoneName {
    /// The id that the partner knows a group or a transactional id by, without the zone's prefix; none if it is not the zone's.
    pub fn unprefixed<'i>(&self, id: &'i str) -> Option<&'i str> {
        id.strip_prefix(self.as_str())?.strip_prefix(':')
    }
}

name! {
    /// A legal Kafka topic name (`org.apache.kafka.common.internals.Topic`): an alias or a backing topic.
    TopicName, Rule {
        limit: 249,
        allowed: "0-9 a-z A-Z . _ -",
        character: |c| matches!(c, '0'..='9' | 'a'..='z' | 'A'..='Z' | '.' | '_' | '-'),
        reserved: dot_or_dots,
    }
}

impl TopicName {
    /// Kafka's own topics and ours are never shared.
    pub fn is_internal(&self) -> bool {
        self.0.starts_with("__") || self.0.starts_with("_partner-zones.")
    }
}

name! {
    /// The name a partner logs in with. A key id's form (`pz` + 16) is reserved for key ids.
    ServiceAccount, Rule {
        limit: 255,
        allowed: "printable characters without spaces, `,`, `=`, `\"`, `:` and `\\`",
        character: |c| !c.is_control() && !c.is_whitespace() && !matches!(c, ',' | '=' | '"' | ':' | '\\'),
        reserved: super::credential::has_key_id_form,
    }
}

impl ServiceAccount {
    /// The name that a partner's certificate maps to, which may be its whole subject.
    pub fn of_certificate(text: &str) -> Result<Self, NameError> {
        const RULE: Rule = Rule {
            limit: 255,
            allowed: "printable characters",
            character: |c| !c.is_control(),
            reserved: super::credential::has_key_id_form,
        };
        RULE.check(text)?;
        Ok(Self(text.into()))
    }
}

name! {
    /// A key of `clusters` in the configuration.
    ClusterName, Rule {
        limit: 100,
        allowed: "0-9 a-z A-Z _ - .",
        character: |c| matches!(c, '0'..='9' | 'a'..='z' | 'A'..='Z' | '_' | '-' | '.'),
        reserved: dot_or_dots,
    }
}

name! {
    /// A key of `oauth.issuers` in the configuration.
    IssuerName, Rule {
        limit: 100,
        allowed: "0-9 a-z A-Z _ - .",
        character: |c| matches!(c, '0'..='9' | 'a'..='z' | 'A'..='Z' | '_' | '-' | '.'),
        reserved: dot_or_dots,
    }
}

name! {
    /// A consumer group as the partner or the provider names it.
    GroupName, Rule {
        limit: 255,
        allowed: "printable characters",
        character: |c| !c.is_control(),
        reserved: |_| false,
    }
}

impl GroupName {
    /// The group of our own controllers, whose members lead, and names that Kafka keeps for itself.
    pub fn is_internal(&self) -> bool {
        self.0.starts_with("__") || self.0.starts_with("_partner-zones.")
    }

    /// The zone that the broker's group of this name belongs to, whether there is such a zone or not.
    pub fn zone(&self) -> Option<ZoneName> {
        ZoneName::try_from(self.0.split_once(':')?.0).ok()
    }
}

/// A zone's identity: UUIDv5 of (home cluster id, zone name), so that state lost and restored on the same cluster gives the
/// same synthetic topic ids and derived passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZoneId(pub Uuid);

impl ZoneId {
    /// Our own namespace for UUIDv5, a random UUID fixed for ever.
    const NAMESPACE: Uuid = Uuid::from_u128(0x6f0a_5a2e_7c1d_4b0e_9a53_2f4d_8e11_c7b6);

    pub fn derive(home_cluster_id: &str, zone: &ZoneName) -> Self {
        Self(Uuid::new_v5(&Self::NAMESPACE, format!("{home_cluster_id}\n{zone}").as_bytes()))
    }
}

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_names_follow_the_published_pattern_and_are_never_a_dot() {
        for good in ["acme", "a.b-c_d", "0", &"z".repeat(100)] {
            assert!(ZoneName::try_from(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "Acme", "a:b", "a b", "ä", &"z".repeat(101)] {
            assert!(ZoneName::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_service_account_never_looks_like_a_key_id() {
        assert_eq!(ServiceAccount::try_from("pz0123456789abcdef"), Err(NameError::Reserved));
        assert!(ServiceAccount::try_from("pz0123").is_ok());
        assert_eq!(ServiceAccount::of_certificate("pz0123456789abcdef"), Err(NameError::Reserved));
    }

    #[test]
    fn a_certificates_whole_subject_is_a_service_account_where_certificates_log_in() {
        let subject = "CN=acme,O=Acme\\, Inc.";
        assert_eq!(ServiceAccount::of_certificate(subject).unwrap().as_str(), subject);
        assert!(ServiceAccount::try_from(subject).is_err());
        assert!(ServiceAccount::of_certificate("a\nb").is_err());
    }

    #[test]
    fn internal_topics_are_recognised() {
        for (name, internal) in
            [("__consumer_offsets", true), ("_partner-zones.state", true), ("_orders", false)]
        {
            assert_eq!(TopicName::try_from(name).unwrap().is_internal(), internal, "{name}");
        }
    }

    #[test]
    fn a_group_with_a_zones_prefix_is_that_zones() {
        for (name, zone) in
            [("acme:g", Some("acme")), ("a.b-c_d:", Some("a.b-c_d")), ("acme", None), ("A:g", None)]
        {
            let found = GroupName::try_from(name).unwrap().zone();
            assert_eq!(found.as_ref().map(ZoneName::as_str), zone, "{name}");
        }
        assert!(GroupName::try_from("_partner-zones.leader").unwrap().is_internal());
        assert!(!GroupName::try_from("_billing").unwrap().is_internal());
    }

    #[test]
    fn a_zone_id_depends_on_cluster_and_name_alone() {
        let (a, b) = (ZoneName::try_from("a").unwrap(), ZoneName::try_from("b").unwrap());
        assert_eq!(ZoneId::derive("c1", &a), ZoneId::derive("c1", &a));
        assert_ne!(ZoneId::derive("c1", &a), ZoneId::derive("c1", &b));
        assert_ne!(ZoneId::derive("c1", &a), ZoneId::derive("c2", &a));
    }
}
