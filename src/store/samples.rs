//! Values for this module's own tests.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;
use time::macros::datetime;

use super::{Change, Heartbeat, ZoneRecord};
use crate::zone::{
    Acceptance, Asked, ClientUsage, CommitState, CommitStatus, Content, Credential, KeyId, Letter, Notice,
    PartnerZone, Permission, PlainVerifier, Revision, Rollback, Scope, ScramHash, ScramVerifier, Sequence,
    Urgency, Usage, ZoneId, ZoneName, sample,
};

const MOMENT: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

pub(crate) fn zone(name: &str) -> ZoneRecord {
    let topics = vec![sample::topic("orders", "orders-v1", Permission::Read)];
    let zone = PartnerZone {
        labels: BTreeMap::from([("team".to_owned(), "streams".to_owned())]),
        display_name: Some(name.to_uppercase()),
        ..sample::zone(name, topics)
    };
    ZoneRecord {
        id: ZoneId::derive("home-cluster", &zone.name),
        zone: zone.into(),
        changed: Sequence(0),
        revision: Revision::commit("refs/heads/main", "8c1f"),
        updated_at: MOMENT,
    }
}

pub(crate) fn credential(zone: &str, number: usize) -> Credential {
    Credential {
        key_id: KeyId::from_random(|limit| number % limit),
        zone: ZoneName::try_from(zone).expect("a zone name"),
        created_at: MOMENT,
        expires_at: Some(MOMENT + time::Duration::days(90)),
        replaced_by: None,
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

pub(crate) fn heartbeat(node: &str, serving: u64) -> Heartbeat {
    Heartbeat {
        node: node.to_owned(),
        serving,
        bootstrap: BTreeMap::new(),
        tls: false,
        zone_domain: None,
        problems: BTreeMap::new(),
        connections: 0,
        master_keys: BTreeSet::new(),
        usage: BTreeMap::new(),
        credentials: BTreeMap::new(),
        failed_logins: Vec::new(),
        traffic: BTreeMap::new(),
        usage_is_partial: false,
        at: MOMENT,
    }
}

/// Everything that an operator can ask for.
pub(super) fn controls() -> Vec<Change> {
    let asked = Asked { by: "k1".to_owned(), at: MOMENT, reason: "an incident".to_owned() };
    let acme = ZoneName::try_from("acme").expect("a zone name");
    let commit = "8c1f00000000000000000000000000000000000f".to_owned();
    let scopes = [Scope::All, Scope::Source, Scope::Zone(acme)];
    let mut changes: Vec<_> = scopes.map(|scope| Change::Suspend(scope, asked.clone())).into();
    changes.push(Change::Rollback(Rollback {
        commit: commit.clone(),
        until: MOMENT + time::Duration::hours(2),
        asked: asked.clone(),
    }));
    changes.push(Change::Accept(Acceptance { commit, asked }));
    changes
}

/// One of each kind: still to be sent, and sent.
pub(super) fn letters() -> [Letter; 2] {
    let notice = Notice {
        zone: Some(ZoneName::try_from("acme").expect("a zone name")),
        reason: "PZ0012".to_owned(),
        revision: Some(Revision::commit("refs/heads/main", "8c1f")),
        urgency: Urgency::Error,
        message: "`name` is there twice".to_owned(),
    };
    let status = CommitStatus {
        commit: "8c1f".to_owned(),
        state: CommitState::Pending,
        description: "planned".to_owned(),
    };
    [(Content::Notice(notice), None), (Content::Status(status), Some(MOMENT))]
        .map(|(content, sent_at)| Letter { content, written_at: MOMENT, sent_at })
}

/// What was used with one credential.
pub(crate) fn usage(requests: u64) -> Usage {
    let of = ClientUsage { requests, ..ClientUsage::default() };
    Usage { topics: BTreeMap::new(), credentials: [("k1".to_owned(), of)].into() }
}
