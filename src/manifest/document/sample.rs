//! Test support: random zones.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "for tests only")]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair};
use time::OffsetDateTime;

use crate::zone::{
    Access, AddHeader, Authentication, AuthenticationMode, Certificates, ConsumerGroup, Deprecated,
    Fingerprint, GroupName, Headers, IssuerName, Organization, PartnerContact, PartnerZone, Permission,
    Replay, ServiceAccount, SharedTopic, TopicName, TrafficControl, ZoneName,
};

/// Text that YAML or a terminal could take for something else.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~äß€]{0,20}",
        prop::sample::select(vec![
            "0123", "no", "~", "1e3", "true", "null", ": x", "# y", "'", "\"", "- a", " a ", ".nan", "<<",
            "*a"
        ])
        .prop_map(str::to_owned),
    ]
}

/// The same, never empty.
fn word() -> impl Strategy<Value = String> {
    text().prop_map(|text| if text.is_empty() { "x".to_owned() } else { text })
}

/// Names that YAML would read as something else are legal and must survive.
fn topic_name() -> impl Strategy<Value = TopicName> {
    prop_oneof![
        "[a-zA-Z0-9._-]{3,30}",
        Just("0123".to_owned()),
        Just("1e3".to_owned()),
        Just("null".to_owned())
    ]
    .prop_filter_map("a topic name", |text| TopicName::try_from(text.as_str()).ok())
    .prop_filter("not internal", |name| !name.is_internal())
}

fn time() -> impl Strategy<Value = OffsetDateTime> {
    (0_i64..4_000_000_000).prop_map(|seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap())
}

fn certificates() -> impl Strategy<Value = Authentication> {
    static SIGNED: LazyLock<Vec<Arc<[u8]>>> = LazyLock::new(|| {
        let signed = || CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap();
        (0..3).map(|_| Arc::from(signed().der().as_ref())).collect()
    });
    let revoked = btree_set(any::<[u8; 32]>().prop_map(Fingerprint::new), 0..3);
    ("[ -~äß]{1,30}", 0..3_usize, revoked).prop_map(|(account, authorities, revoked)| Authentication {
        mode: AuthenticationMode::Mtls,
        service_account: ServiceAccount::of_certificate(&account).unwrap(),
        issuer: None,
        certificates: Certificates { ca: SIGNED[..authorities].to_vec(), revoked },
    })
}

fn topic() -> impl Strategy<Value = SharedTopic> {
    let replay = prop_oneof![
        Just(Replay::FromLatest),
        (0_u64..10_000_000).prop_map(|millis| Replay::MaxAge(Duration::from_millis(millis)))
    ];
    let shown = (option::of(text()), vec(text(), 0..3), option::of(vec(text(), 0..3)));
    (topic_name(), topic_name(), 0..3_u8, shown, option::of(time()), option::of(replay)).prop_map(
        |(alias, backing, permission, (description, tags, schemas), until, replay)| SharedTopic {
            alias,
            backing,
            permission: match permission {
                0 => Permission::Read,
                1 => Permission::Write,
                _ => Permission::Produce,
            },
            description,
            tags,
            schemas,
            deprecated: until.map(|until| Deprecated { until, replaced_by: None }),
            replay,
        },
    )
}

/// Topics that keep the rules within a zone: unique aliases, each backing topic once; a deprecated one may name another.
fn topics() -> impl Strategy<Value = Vec<SharedTopic>> {
    vec(topic(), 0..6).prop_map(|topics| {
        let mut kept: Vec<SharedTopic> = Vec::new();
        for topic in topics {
            if kept.iter().all(|other| other.alias != topic.alias && other.backing != topic.backing) {
                kept.push(topic);
            }
        }
        if let [first, second, ..] = kept.as_mut_slice()
            && let Some(deprecated) = &mut first.deprecated
        {
            deprecated.replaced_by = Some(second.alias.clone());
        }
        kept
    })
}

fn restrictions() -> impl Strategy<Value = (TrafficControl, Headers, Access, Vec<ConsumerGroup>)> {
    let rate = || option::of(1_u64..);
    let traffic = (rate(), rate(), rate(), rate(), rate(), rate()).prop_map(|rates| TrafficControl {
        max_produce_rate: rates.0,
        max_consume_rate: rates.1,
        limit_commit_offset: rates.2,
        max_connections: rates.3,
        max_connection_rate: rates.4,
        max_request_rate: rates.5,
    });
    let value = prop_oneof!["[a-z äé'\"#:]{0,9}", Just("{{user}} from {{userIp}}".to_owned())];
    let add = (value, any::<bool>())
        .prop_map(|(value, override_if_exists)| (value.parse().unwrap(), override_if_exists));
    let add = btree_map(word(), add, 0..3).prop_map(|all| {
        let header = |(key, (value, override_if_exists))| AddHeader { key, value, override_if_exists };
        all.into_iter().map(header).collect()
    });
    let remove = vec("[a-z]{1,5}\\.\\*".prop_map(|text| text.parse().unwrap()), 0..3);
    let headers = (add, remove)
        .prop_map(|(add_on_produce, remove_on_consume)| Headers { add_on_produce, remove_on_consume });
    let access = (option::of(time()), option::of(1_i64..1_000_000), any::<bool>()).prop_map(
        |(valid_from, length, network)| Access {
            valid_from,
            valid_until: valid_from
                .zip(length)
                .map(|(from, length)| from + Duration::from_secs(length.unsigned_abs())),
            allowed_cidrs: if network {
                vec!["192.0.2.0/24".parse().unwrap(), "::1/128".parse().unwrap()]
            } else {
                vec![]
            },
        },
    );
    // A backing group with a zone's prefix, or an internal one, is refused: none of these looks like either.
    let groups = btree_map("/[ -~]{1,20}", Just(()), 0..3).prop_map(|names| {
        let group = |text: &String| GroupName::try_from(text.as_str()).unwrap();
        names.keys().map(|name| ConsumerGroup { name: group(name), backing_group: group(name) }).collect()
    });
    (traffic, headers, access, groups)
}

pub(in super::super) fn zone() -> impl Strategy<Value = PartnerZone> {
    let person = (word(), option::of(text()), option::of(text()), option::of(text()))
        .prop_map(|(name, role, email, phone)| PartnerContact { name, role, email, phone });
    let organization = (option::of(text()), option::of(text()), option::of(text()))
        .prop_map(|(name, description, contact)| Organization { name, description, contact });
    let identity = (
        "[0-9a-z_][0-9a-z_.-]{0,20}",
        btree_map(text().prop_map(|text| format!("l{text}")), text(), 0..3),
        word(),
        "[a-zA-Z0-9._-]{3,20}",
    );
    let texts = (option::of(text()), option::of(text()), option::of("https?://[a-z]{1,9}\\.com"));
    let account = ("[a-zA-Z0-9äß_@.-]{1,15}", 0..3_u8, option::of("[a-z][a-z0-9.-]{0,9}"));
    let account = account.prop_map(|(account, mode, issuer)| {
        let mode = match mode {
            0 => AuthenticationMode::Plain,
            1 => AuthenticationMode::Scram,
            _ => AuthenticationMode::OauthBearer,
        };
        let issuer = issuer.filter(|_| mode == AuthenticationMode::OauthBearer);
        Authentication {
            mode,
            service_account: ServiceAccount::try_from(account.as_str()).unwrap(),
            issuer: issuer.map(|name| IssuerName::try_from(name.as_str()).unwrap()),
            certificates: Certificates::default(),
        }
    });
    let account = prop_oneof![account, certificates()];
    (identity, texts, account, topics(), option::of(person), option::of(organization), restrictions())
        .prop_map(|(identity, texts, authentication, topics, partner, organization, restrictions)| {
            PartnerZone {
                name: ZoneName::try_from(identity.0.as_str()).unwrap(),
                labels: identity.1,
                cluster: identity.2,
                underlying_cluster: identity.3.as_str().try_into().ok(),
                display_name: texts.0,
                description: texts.1,
                url: texts.2,
                authentication,
                topics,
                partner,
                organization,
                traffic_control: restrictions.0,
                headers: restrictions.1,
                access: restrictions.2,
                consumer_groups: restrictions.3,
            }
        })
}
