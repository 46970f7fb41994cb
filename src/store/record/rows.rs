//! The JSON values, row by row. Fields that a later version adds are no part of a row; see `later`.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::ZoneRecord;
use crate::manifest::document;
use crate::zone::{
    ApiKey, ApiKeyRole, Credential, KeyId, PlainVerifier, Revision, ScramHash, ScramVerifier, Sequence,
    TopicPattern, ZoneId, ZoneName,
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ZoneRow {
    id: Uuid,
    changed: u64,
    revision: String,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    document: serde_json::Value,
}

impl ZoneRow {
    pub(super) fn new(record: &ZoneRecord, changed: Sequence) -> Self {
        Self {
            id: record.id.0,
            changed: changed.0,
            revision: record.revision.as_str().to_owned(),
            updated_at: record.updated_at,
            document: document::to_document(&record.zone),
        }
    }

    pub(super) fn into_record(self, name: &ZoneName) -> Result<ZoneRecord, String> {
        let zone = document::from_document(&self.document).map_err(|error| error.to_string())?;
        if zone.name != *name {
            return Err(format!("it holds zone `{}`", zone.name));
        }
        Ok(ZoneRecord {
            id: ZoneId(self.id),
            zone: Arc::new(zone),
            changed: Sequence(self.changed),
            revision: Revision::recorded(self.revision),
            updated_at: self.updated_at,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CredentialRow {
    zone: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    expires_at: Option<OffsetDateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaced_by: Option<String>,
    plain: PlainRow,
    scram: Vec<ScramRow>,
}

impl CredentialRow {
    pub(super) fn new(credential: &Credential) -> Self {
        Self {
            zone: credential.zone.to_string(),
            created_at: credential.created_at,
            expires_at: credential.expires_at,
            replaced_by: credential.replaced_by.as_ref().map(ToString::to_string),
            plain: PlainRow::new(&credential.plain),
            scram: credential.scram.iter().map(ScramRow::new).collect(),
        }
    }

    pub(super) fn into_credential(self, key_id: KeyId) -> Result<Credential, String> {
        let replaced_by = self.replaced_by.as_deref().map(KeyId::try_from).transpose();
        Ok(Credential {
            key_id,
            zone: zone_name(&self.zone)?,
            created_at: self.created_at,
            expires_at: self.expires_at,
            replaced_by: replaced_by.map_err(|error| format!("the key id {error}"))?,
            plain: self.plain.into_verifier(),
            scram: self.scram.into_iter().map(ScramRow::into_verifier).collect(),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlainRow {
    salt: Blob,
    hash: Blob,
}

impl PlainRow {
    fn new(verifier: &PlainVerifier) -> Self {
        Self { salt: Blob(verifier.salt.clone()), hash: Blob(verifier.hash.clone()) }
    }

    fn into_verifier(self) -> PlainVerifier {
        PlainVerifier { salt: self.salt.0, hash: self.hash.0 }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScramRow {
    mechanism: MechanismRow,
    salt: Blob,
    iterations: u32,
    stored_key: Blob,
    server_key: Blob,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) enum MechanismRow {
    #[serde(rename = "SCRAM-SHA-256")]
    Sha256,
    #[serde(rename = "SCRAM-SHA-512")]
    Sha512,
}

impl From<ScramHash> for MechanismRow {
    fn from(hash: ScramHash) -> Self {
        match hash {
            ScramHash::Sha256 => Self::Sha256,
            ScramHash::Sha512 => Self::Sha512,
        }
    }
}

impl From<MechanismRow> for ScramHash {
    fn from(row: MechanismRow) -> Self {
        match row {
            MechanismRow::Sha256 => Self::Sha256,
            MechanismRow::Sha512 => Self::Sha512,
        }
    }
}

impl ScramRow {
    fn new(verifier: &ScramVerifier) -> Self {
        Self {
            mechanism: verifier.hash.into(),
            salt: Blob(verifier.salt.clone()),
            iterations: verifier.iterations,
            stored_key: Blob(verifier.stored_key.clone()),
            server_key: Blob(verifier.server_key.clone()),
        }
    }

    fn into_verifier(self) -> ScramVerifier {
        ScramVerifier {
            hash: self.mechanism.into(),
            salt: self.salt.0,
            iterations: self.iterations,
            stored_key: self.stored_key.0,
            server_key: self.server_key.0,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiKeyRow {
    role: RoleRow,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    verifier: PlainRow,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
enum RoleRow {
    Admin,
    Viewer,
    Owner { topics: Vec<String> },
    Partner { zone: String },
}

impl ApiKeyRow {
    pub(super) fn new(key: &ApiKey) -> Self {
        let role = match &key.role {
            ApiKeyRole::Admin => RoleRow::Admin,
            ApiKeyRole::Viewer => RoleRow::Viewer,
            ApiKeyRole::Owner { topics } => {
                RoleRow::Owner { topics: topics.iter().map(ToString::to_string).collect() }
            }
            ApiKeyRole::Partner { zone } => RoleRow::Partner { zone: zone.to_string() },
        };
        Self { role, created_at: key.created_at, verifier: PlainRow::new(&key.verifier) }
    }

    pub(super) fn into_api_key(self, id: String) -> Result<ApiKey, String> {
        let role = match self.role {
            RoleRow::Admin => ApiKeyRole::Admin,
            RoleRow::Viewer => ApiKeyRole::Viewer,
            RoleRow::Owner { topics } => ApiKeyRole::Owner {
                topics: topics.iter().map(|text| topic_pattern(text)).collect::<Result<_, _>>()?,
            },
            RoleRow::Partner { zone } => ApiKeyRole::Partner { zone: zone_name(&zone)? },
        };
        Ok(ApiKey { id, role, created_at: self.created_at, verifier: self.verifier.into_verifier() })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClusterRow {
    pub(super) id: String,
}

fn zone_name(text: &str) -> Result<ZoneName, String> {
    ZoneName::try_from(text).map_err(|error| format!("its zone `{text}` {error}"))
}

fn topic_pattern(text: &str) -> Result<TopicPattern, String> {
    TopicPattern::try_from(text).map_err(|error| format!("its pattern `{text}` {error}"))
}

/// Bytes, as base64 text.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Blob(Vec<u8>);

impl From<Blob> for String {
    fn from(blob: Blob) -> Self {
        BASE64.encode(blob.0)
    }
}

impl TryFrom<String> for Blob {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        BASE64.decode(text).map(Self)
    }
}
