//! One line of a plan.

use std::cmp::Ordering;
use std::fmt;

use super::Form;
use crate::manifest::Location;
use crate::zone::{ClusterName, TopicName, ZoneName};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Create,
    Update,
    Delete,
    /// An alias got another name, and nothing else about it changed.
    Move,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Move => "move",
        }
    }
}

/// What a change is about. Addresses sort by zone: the zone itself, its principal, its topics, its ACLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `zone/N`
    Zone(ZoneName),
    /// `zone/N/principal`: the zone's own principal on its backing cluster, with the credential the gateway uses.
    Principal(ZoneName),
    /// `zone/N/topic/ALIAS`
    Topic { zone: ZoneName, alias: TopicName },
    /// `cluster/C/acl/NAME`: an ACL of the zone's principal.
    Acl {
        zone: ZoneName,
        cluster: ClusterName,
        /// Names the ACL among all of the cluster, in a form for people.
        name: String,
    },
}

impl Address {
    /// The zone that it belongs to: held back together with it.
    pub fn zone(&self) -> &ZoneName {
        match self {
            Self::Zone(zone) | Self::Principal(zone) | Self::Topic { zone, .. } | Self::Acl { zone, .. } => {
                zone
            }
        }
    }

    /// Of a topic: its alias.
    pub fn alias(&self) -> Option<&TopicName> {
        match self {
            Self::Topic { alias, .. } => Some(alias),
            Self::Zone(_) | Self::Principal(_) | Self::Acl { .. } => None,
        }
    }

    fn rank(&self) -> (&ZoneName, u8, &str, &str) {
        match self {
            Self::Zone(zone) => (zone, 0, "", ""),
            Self::Principal(zone) => (zone, 1, "", ""),
            Self::Topic { zone, alias } => (zone, 2, alias.as_str(), ""),
            Self::Acl { zone, cluster, name } => (zone, 3, cluster.as_str(), name),
        }
    }
}

impl Ord for Address {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zone(zone) => write!(f, "zone/{zone}"),
            Self::Principal(zone) => write!(f, "zone/{zone}/principal"),
            Self::Topic { zone, alias } => write!(f, "zone/{zone}/topic/{alias}"),
            Self::Acl { cluster, name, .. } => write!(f, "cluster/{cluster}/acl/{name}"),
        }
    }
}

/// Why something is to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The files changed.
    Change,
    /// It was asked for before, and the state is not what was asked for.
    Drift,
}

impl Origin {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Drift => "drift",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub address: Address,
    pub action: Action,
    /// In manifest spelling; a zone's own form is without its topics.
    pub before: Option<Form>,
    pub after: Option<Form>,
    /// Where it is asked for; a deleted topic points to its zone, a deleted zone nowhere.
    pub source: Option<Location>,
    pub origin: Origin,
}

/// What becomes of a zone as a whole: the unit that is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    Create,
    Update,
    Delete,
}
