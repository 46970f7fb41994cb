//! Values for this module's own tests.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use time::macros::datetime;

use super::{Heartbeat, ZoneRecord};
use crate::zone::{
    Access, Authentication, AuthenticationMode, Credential, Headers, KeyId, PartnerZone, Permission,
    PlainVerifier, Revision, ScramHash, ScramVerifier, Sequence, SharedTopic, TopicName, TrafficControl,
    ZoneId, ZoneName,
};

const MOMENT: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

pub(super) fn zone(name: &str) -> ZoneRecord {
    let zone = PartnerZone {
        name: ZoneName::try_from(name).expect("a zone name"),
        labels: BTreeMap::from([("team".to_owned(), "streams".to_owned())]),
        cluster: "gateway".to_owned(),
        underlying_cluster: None,
        display_name: Some(name.to_uppercase()),
        description: None,
        url: None,
        authentication: Authentication {
            mode: AuthenticationMode::Plain,
            service_account: format!("{name}-account").as_str().try_into().expect("a service account"),
        },
        topics: vec![SharedTopic {
            alias: TopicName::try_from("orders").expect("a topic name"),
            backing: TopicName::try_from("orders-v1").expect("a topic name"),
            permission: Permission::Read,
            description: None,
            tags: Vec::new(),
            schemas: None,
            deprecated: None,
            replay: None,
        }],
        partner: None,
        organization: None,
        traffic_control: TrafficControl::default(),
        headers: Headers::default(),
        access: Access::default(),
        consumer_groups: Vec::new(),
    };
    ZoneRecord {
        id: ZoneId::derive("home-cluster", &zone.name),
        zone,
        changed: Sequence(0),
        revision: Revision::commit("refs/heads/main", "8c1f"),
        updated_at: MOMENT,
    }
}

pub(super) fn credential(zone: &str, number: usize) -> Credential {
    Credential {
        key_id: KeyId::from_random(|limit| number % limit),
        zone: ZoneName::try_from(zone).expect("a zone name"),
        created_at: MOMENT,
        expires_at: Some(MOMENT + time::Duration::days(90)),
        plain: PlainVerifier { salt: vec![1; 16], hash: vec![2; 32] },
        scram: vec![ScramVerifier {
            hash: ScramHash::Sha512,
            salt: vec![3; 16],
            iterations: 4096,
            stored_key: vec![4; 64],
            server_key: vec![5; 64],
        }],
    }
}

pub(super) fn heartbeat(node: &str, serving: u64) -> Heartbeat {
    Heartbeat {
        node: node.to_owned(),
        serving,
        bootstrap: BTreeMap::new(),
        problems: BTreeMap::new(),
        connections: 0,
        at: MOMENT,
    }
}
