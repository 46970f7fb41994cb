//! A zone → its written form, and back without a file. The form is canonical: one zone has one document.

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::zone::{
    Access, AuthenticationMode, Headers, PartnerZone, Permission, Replay, SharedTopic, TrafficControl,
    format_duration,
};

use super::finding::Finding;
use super::read::read;
use super::schema::shown;
use super::v2;

/// The document is not a zone: the first thing that is wrong with it, and all of it.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{}", .0.first().map_or("the document is not a zone", |finding| finding.message.as_str()))]
pub struct NotAZone(pub Vec<Finding>);

/// The zone's document in manifest spelling, without the fields that are at their default.
pub fn to_document(zone: &PartnerZone) -> Value {
    // Text keys and plain values only: nothing in it can fail to serialise.
    serde_json::to_value(v2::Document::from(zone)).unwrap_or_default()
}

/// Names this form of the zone: two zones with one version have one document. 22 letters, digits, `-` and `_`.
pub fn version(zone: &PartnerZone) -> String {
    version_of(&to_document(zone))
}

/// As [`version`], of a document that is there already.
pub fn version_of(document: &Value) -> String {
    // `serde_json` keeps maps sorted.
    let digest = Sha256::digest(document.to_string().as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default())
}

/// The zone as a YAML file.
pub fn to_yaml(zone: &PartnerZone) -> Result<String, serde_yaml::Error> {
    serde_yaml::to_string(&v2::Document::from(zone))
}

/// Reads a document under the same rules as a file. Warnings and notes are not errors.
pub fn from_document(document: &Value) -> Result<PartnerZone, NotAZone> {
    let reading = read(document);
    reading.zone.ok_or_else(|| {
        let errors = reading.faults.into_iter().filter(|fault| fault.finding.is_error());
        NotAZone(
            errors
                .map(|fault| {
                    let mut finding = fault.finding;
                    finding.message = format!("{} (at {})", finding.message, shown(&fault.pointer));
                    finding
                })
                .collect(),
        )
    })
}

impl From<&PartnerZone> for v2::Document {
    fn from(zone: &PartnerZone) -> Self {
        Self {
            api_version: v2::ApiVersion::V2,
            kind: v2::Kind::PartnerZone,
            metadata: v2::Metadata {
                name: zone.name.to_string(),
                labels: zone.labels.clone(),
                id: None,
                status: None,
                updated_at: None,
                failed_reason: None,
            },
            spec: spec(zone),
        }
    }
}

fn spec(zone: &PartnerZone) -> v2::Spec {
    v2::Spec {
        cluster: zone.cluster.clone(),
        underlying_cluster: zone.underlying_cluster.as_ref().map(ToString::to_string),
        display_name: zone.display_name.clone(),
        description: zone.description.clone(),
        url: zone.url.clone(),
        authentication_mode: Some(v2::AuthenticationMode {
            kind: match zone.authentication.mode {
                AuthenticationMode::Plain => v2::AuthenticationType::Plain,
                AuthenticationMode::Scram => v2::AuthenticationType::Scram,
                AuthenticationMode::OauthBearer => v2::AuthenticationType::OauthBearer,
                AuthenticationMode::Mtls => v2::AuthenticationType::Mtls,
            },
            service_account: zone.authentication.service_account.to_string(),
            ca: pem(&zone.authentication.certificates.ca),
            revoked: zone.authentication.certificates.revoked.iter().map(ToString::to_string).collect(),
            issuer: zone.authentication.issuer.as_ref().map(ToString::to_string),
        }),
        service_account: None,
        topics: zone.topics.iter().map(topic).collect(),
        partner: zone.partner.clone().map(|partner| v2::Partner {
            name: partner.name,
            role: partner.role,
            email: partner.email,
            phone: partner.phone,
        }),
        organization: zone.organization.clone().map(|organization| v2::Organization {
            name: organization.name,
            description: organization.description,
            contact: organization.contact,
        }),
        traffic_control_policies: traffic_control(zone.traffic_control),
        headers: headers(&zone.headers),
        access: access(&zone.access),
        consumer_groups: zone
            .consumer_groups
            .iter()
            .map(|group| v2::ConsumerGroup {
                name: group.name.to_string(),
                backing_group: group.backing_group.to_string(),
            })
            .collect(),
    }
}

/// RFC 7468.
fn pem(certificates: &[Arc<[u8]>]) -> Option<String> {
    const WIDTH: usize = 64;
    let mut text = String::new();
    for der in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        for (at, character) in BASE64_STANDARD.encode(der).char_indices() {
            if at > 0 && at.is_multiple_of(WIDTH) {
                text.push('\n');
            }
            text.push(character);
        }
        text.push_str("\n-----END CERTIFICATE-----\n");
    }
    (!text.is_empty()).then_some(text)
}

fn topic(topic: &SharedTopic) -> v2::Topic {
    v2::Topic {
        name: topic.alias.to_string(),
        backing_topic: topic.backing.to_string(),
        permission: match topic.permission {
            Permission::Read => v2::Permission::Read,
            Permission::Write => v2::Permission::Write,
            Permission::Produce => v2::Permission::Produce,
        },
        description: topic.description.clone(),
        tags: topic.tags.clone(),
        schemas: topic.schemas.clone(),
        deprecated: topic.deprecated.as_ref().map(|deprecated| v2::Deprecated {
            until: time(deprecated.until),
            replaced_by: deprecated.replaced_by.as_ref().map(ToString::to_string),
        }),
        replay: topic.replay.map(|replay| match replay {
            Replay::MaxAge(age) => v2::Replay { max_age: Some(format_duration(age)), from: None },
            Replay::FromLatest => v2::Replay { max_age: None, from: Some(v2::ReplayFrom::Latest) },
        }),
    }
}

fn traffic_control(limits: TrafficControl) -> Option<v2::TrafficControlPolicies> {
    (limits != TrafficControl::default()).then_some(v2::TrafficControlPolicies {
        max_produce_rate: limits.max_produce_rate,
        max_consume_rate: limits.max_consume_rate,
        limit_commit_offset: limits.limit_commit_offset,
        max_connections: limits.max_connections,
        max_connection_rate: limits.max_connection_rate,
        max_request_rate: limits.max_request_rate,
    })
}

fn headers(headers: &Headers) -> Option<v2::Headers> {
    (*headers != Headers::default()).then(|| v2::Headers {
        add_on_produce: headers
            .add_on_produce
            .iter()
            .map(|header| v2::AddHeader {
                key: header.key.clone(),
                value: header.value.as_str().to_owned(),
                override_if_exists: header.override_if_exists,
            })
            .collect(),
        remove_on_consume: headers
            .remove_on_consume
            .iter()
            .map(|pattern| v2::RemoveHeader { key_regex: pattern.as_str().to_owned() })
            .collect(),
    })
}

fn access(access: &Access) -> Option<v2::Access> {
    (*access != Access::default()).then(|| v2::Access {
        valid_from: access.valid_from.map(time),
        valid_until: access.valid_until.map(time),
        allowed_cidrs: access.allowed_cidrs.iter().map(ToString::to_string).collect(),
    })
}

/// A zone's times were read from RFC 3339, in UTC and in the years it can write.
fn time(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod sample;
#[cfg(test)]
mod tests;
