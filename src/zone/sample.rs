//! Zones for tests: everything that need not be said is left out; a test changes what it is about by struct update.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "for tests and fuzzing only"
)]

use std::collections::BTreeMap;

use super::{
    Access, Authentication, AuthenticationMode, Certificates, Headers, PartnerZone, Permission,
    ServiceAccount, SharedTopic, TopicName, TrafficControl, ZoneName,
};

/// A zone for PLAIN on the gateway `gateway`, whose service account is `<name>-app`.
pub(crate) fn zone(name: &str, topics: Vec<SharedTopic>) -> PartnerZone {
    PartnerZone {
        name: ZoneName::try_from(name).expect("a zone name"),
        labels: BTreeMap::new(),
        cluster: "gateway".to_owned(),
        underlying_cluster: None,
        display_name: None,
        description: None,
        url: None,
        authentication: Authentication {
            issuer: None,
            mode: AuthenticationMode::Plain,
            service_account: ServiceAccount::try_from(format!("{name}-app").as_str())
                .expect("a service account"),
            certificates: Certificates::default(),
        },
        topics,
        partner: None,
        organization: None,
        traffic_control: TrafficControl::default(),
        headers: Headers::default(),
        access: Access::default(),
        consumer_groups: Vec::new(),
    }
}

pub(crate) fn topic(alias: &str, backing: &str, permission: Permission) -> SharedTopic {
    SharedTopic {
        alias: TopicName::try_from(alias).expect("a topic name"),
        backing: TopicName::try_from(backing).expect("a topic name"),
        permission,
        description: None,
        tags: Vec::new(),
        schemas: None,
        deprecated: None,
        replay: None,
    }
}
