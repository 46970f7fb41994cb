//! What partners log in with.
#![allow(dead_code)] // reason: nobody makes a form; answers are held against them

use schemars::JsonSchema;

use super::forms::Problem;
use super::operation::{Operation, Tag};
use super::words::{Address, IdempotencyKey, KeyId, Mechanism, SecurityProtocol, Time, ZoneName};
use crate::api::credentials::{Issue, Rotate};

#[derive(JsonSchema)]
struct CredentialList {
    items: Vec<Credential>,
}

/// A credential without its secret, which is kept nowhere.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Credential {
    key_id: KeyId,
    zone: ZoneName,
    state: Standing,
    /// What took its place.
    replaced_by: Option<KeyId>,
    /// What it can log in with; empty if its zone takes no secrets.
    mechanisms: Vec<Mechanism>,
    created_at: Time,
    expires_at: Option<Time>,
    /// To ten minutes.
    last_used_at: Option<Time>,
    last_used_from: Option<Address>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
enum Standing {
    Active,
    Rotated,
    Expired,
}

/// A new credential, with its secret: this once.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CredentialIssued {
    key_id: KeyId,
    secret: String,
    username: KeyId,
    /// What it can log in with, the best first.
    mechanisms: Vec<Mechanism>,
    bootstrap_servers: String,
    security_protocol: SecurityProtocol,
    expires_at: Option<Time>,
    /// Every live gateway serves it.
    served: bool,
    distribution: Distribution,
}

/// One that takes another one's place.
#[derive(JsonSchema)]
struct CredentialRotated {
    #[serde(flatten)]
    issued: CredentialIssued,
    replaces: Replaced,
}

/// Whose place it takes, and when that one ends.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Replaced {
    key_id: KeyId,
    expires_at: Time,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CredentialRevoked {
    key_id: KeyId,
    /// Every live gateway refuses it.
    served: bool,
    distribution: Distribution,
}

/// How far it has come among the gateways.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Distribution {
    reason: DistributionReason,
    message: String,
    /// Nodes that do not serve it yet. For those who see all zones.
    #[serde(skip_serializing_if = "is_left_out")]
    behind: Vec<String>,
}

#[derive(JsonSchema)]
#[schemars(inline)]
enum DistributionReason {
    Distributing,
    NoNode,
    Served,
}

/// None was issued.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct NotIssued {
    #[serde(flatten)]
    problem: Problem,
    /// What the same request has issued before.
    #[serde(skip_serializing_if = "is_left_out")]
    key_id: KeyId,
}

const NO_STORE: (&str, &str) = ("Cache-Control", "`no-store`.");

pub(in crate::api) fn of_zone() -> Operation {
    Operation::new("listZoneCredentials", Tag::Credentials, "A zone's credentials")
        .answers::<CredentialList>(200, "All of them.")
}

pub(in crate::api) fn all() -> Operation {
    Operation::new("listCredentials", Tag::Credentials, "Credentials of all zones")
        .answers::<CredentialList>(200, "All of them.")
}

pub(in crate::api) fn issue() -> Operation {
    Operation::new("issueCredential", Tag::Credentials, "Issues a credential")
        .header::<IdempotencyKey>("Idempotency-Key", "Sent a second time, it makes no second credential.")
        .may_take::<Issue>()
        .answers::<CredentialIssued>(201, "It is in force, or is about to be: `served` says which.")
        .with_header(NO_STORE.0, NO_STORE.1)
        .with_links("key_id", "$response.body#/keyId", &["rotateCredential", "revokeCredential"])
        .refuses_with::<NotIssued>(
            409,
            "The zone takes no secrets, or has as many as it may, or the request was sent before.",
        )
}

pub(in crate::api) fn revoke() -> Operation {
    Operation::new("revokeCredential", Tag::Credentials, "Takes a credential back, and ends its connections")
        .answers::<CredentialRevoked>(200, "It is good for nothing, or is about to be: `served` says which.")
}

pub(in crate::api) fn rotate() -> Operation {
    Operation::new("rotateCredential", Tag::Credentials, "Issues a credential that takes another one's place")
        .may_take::<Rotate>()
        .answers::<CredentialRotated>(201, "The new one, which is in force or is about to be.")
        .with_header(NO_STORE.0, NO_STORE.1)
        .with_links("key_id", "$response.body#/keyId", &["rotateCredential", "revokeCredential"])
        .refuses(409, "It was rotated before, or has ended, or has just been changed by somebody else.")
}
