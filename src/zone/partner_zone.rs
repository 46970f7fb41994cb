//! One zone as it is wanted: every field of the published PartnerZone and of our additions, parsed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use time::OffsetDateTime;

use super::{
    Certificates, ClusterName, GroupName, Headers, IssuerName, Permission, ServiceAccount, TopicName,
    ZoneName,
};
use crate::sasl::Mechanism;

/// A partner's zone. Made by `manifest`, which has checked the rules within a zone.
#[derive(Debug, Clone, PartialEq)]
pub struct PartnerZone {
    pub name: ZoneName,
    pub labels: BTreeMap<String, String>,
    /// The gateway's name (`gateway.name` of the configuration).
    pub cluster: String,
    /// The backing cluster; `None` means the first of `clusters`.
    pub underlying_cluster: Option<ClusterName>,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub url: Option<String>,
    pub authentication: Authentication,
    /// In manifest order: where one alias must stand for a backing topic, it is the first that fits.
    pub topics: Vec<SharedTopic>,
    pub partner: Option<PartnerContact>,
    pub organization: Option<Organization>,
    pub traffic_control: TrafficControl,
    pub headers: Headers,
    pub access: Access,
    pub consumer_groups: Vec<ConsumerGroup>,
}

/// How a partner is told to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthenticationMode {
    Plain,
    Scram,
    OauthBearer,
    Mtls,
}

impl AuthenticationMode {
    /// The mechanisms that prove a credential of ours, the one to recommend first. A zone for PLAIN takes SCRAM as well, which shows
    /// less of the secret; a zone for SCRAM never takes PLAIN, which shows all of it.
    pub fn mechanisms(self) -> &'static [Mechanism] {
        match self {
            Self::Plain => &[Mechanism::Plain, Mechanism::ScramSha512, Mechanism::ScramSha256],
            Self::Scram => &[Mechanism::ScramSha512, Mechanism::ScramSha256],
            Self::OauthBearer | Self::Mtls => &[],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    pub mode: AuthenticationMode,
    pub service_account: ServiceAccount,
    /// Whose tokens open a zone for OAUTHBEARER; `None` means the first of `oauth.issuers`.
    pub issuer: Option<IssuerName>,
    /// Which certificates open a zone for MTLS.
    pub certificates: Certificates,
}

/// An alias and the backing topic behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedTopic {
    pub alias: TopicName,
    pub backing: TopicName,
    pub permission: Permission,
    pub description: Option<String>,
    pub tags: Vec<String>,
    /// Subjects shared with the topic; `None` means the default pair.
    pub schemas: Option<Vec<String>>,
    pub deprecated: Option<Deprecated>,
    pub replay: Option<Replay>,
}

impl SharedTopic {
    /// Whether its alias is gone, since its date has come.
    pub fn is_over(&self, now: OffsetDateTime) -> bool {
        self.deprecated.as_ref().is_some_and(|deprecated| deprecated.until <= now)
    }
}

/// An alias that partners should leave for another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deprecated {
    /// From then on it is not shared any more.
    pub until: OffsetDateTime,
    pub replaced_by: Option<TopicName>,
}

/// How far back a partner may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    MaxAge(Duration),
    FromLatest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerContact {
    pub name: String,
    pub role: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Organization {
    pub name: Option<String>,
    pub description: Option<String>,
    pub contact: Option<String>,
}

/// Limits for the zone over all nodes; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrafficControl {
    /// Bytes per second.
    pub max_produce_rate: Option<u64>,
    /// Bytes per second.
    pub max_consume_rate: Option<u64>,
    /// Commit requests per minute.
    pub limit_commit_offset: Option<u64>,
    pub max_connections: Option<u64>,
    /// New connections per second.
    pub max_connection_rate: Option<u64>,
    /// Requests per second.
    pub max_request_rate: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    pub valid_from: Option<OffsetDateTime>,
    pub valid_until: Option<OffsetDateTime>,
    /// Where partners may come from; empty is "from anywhere".
    pub allowed_cidrs: Vec<IpNet>,
}

impl Access {
    /// Whether partners are let in at this moment.
    pub fn is_open(&self, now: OffsetDateTime) -> bool {
        self.valid_from.is_none_or(|from| from <= now) && !self.is_over(now)
    }

    /// Whether the share has ended, and does not begin again.
    pub fn is_over(&self, now: OffsetDateTime) -> bool {
        self.valid_until.is_some_and(|until| until <= now)
    }
}

/// A group that exists on the backing cluster and keeps its committed offsets: the partner's `name` is this group as it is,
/// without the zone's prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerGroup {
    pub name: GroupName,
    pub backing_group: GroupName,
}

impl ConsumerGroup {
    /// What the partner of `zone`, which has these `groups`, calls a group of the cluster. None if it is not the zone's, or if its
    /// name stands for another group now.
    pub fn partners_name<'n>(zone: &ZoneName, groups: &'n [Self], id: &'n str) -> Option<&'n str> {
        if let Some(group) = groups.iter().find(|group| group.backing_group.as_str() == id) {
            return Some(group.name.as_str());
        }
        zone.unprefixed(id).filter(|own| groups.iter().all(|group| group.name.as_str() != *own))
    }
}

impl PartnerZone {
    /// The zone without what has ended: aliases whose date has come; all of them where the share is over.
    pub fn without_ended(self: &Arc<Self>, now: OffsetDateTime) -> Arc<Self> {
        let has_ended = |topic: &SharedTopic| self.access.is_over(now) || topic.is_over(now);
        if !self.topics.iter().any(has_ended) {
            return Arc::clone(self);
        }
        let topics = self.topics.iter().filter(|topic| !has_ended(topic)).cloned().collect();
        Arc::new(Self { topics, ..Self::clone(self) })
    }

    /// When time alone changes next who is let in, or what is shared.
    pub fn next_change(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let ends = self.topics.iter().filter_map(|topic| topic.deprecated.as_ref()).map(|it| it.until);
        let access = [self.access.valid_from, self.access.valid_until].into_iter().flatten();
        access.chain(ends).filter(|at| *at > now).min()
    }
}
