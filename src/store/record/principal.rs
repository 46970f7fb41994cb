//! The written form of a zone's principal, in the state topic and over HTTP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rows::MechanismRow;
use crate::zone::{KeyName, Principal, Slots};

/// A principal that is ours.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrincipalRow {
    cluster_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PasswordsRow")]
    passwords: Option<PasswordsRow>,
}

/// The names of the master keys that they are made of.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PrincipalPasswords")]
struct PasswordsRow {
    #[serde(rename = "inForce")]
    in_force: MechanismRow,
    #[serde(rename = "SCRAM-SHA-256")]
    sha256: String,
    #[serde(rename = "SCRAM-SHA-512")]
    sha512: String,
}

impl PrincipalRow {
    pub fn new(principal: &Principal) -> Self {
        let passwords = |slots: &Slots| PasswordsRow {
            in_force: slots.in_force.into(),
            sha256: slots.sha256.to_string(),
            sha512: slots.sha512.to_string(),
        };
        let Principal { cluster_id, slots } = principal;
        Self { cluster_id: cluster_id.clone(), passwords: slots.as_ref().map(passwords) }
    }

    /// The error says what is wrong with it.
    pub fn into_principal(self) -> Result<Principal, String> {
        let key = |name: &str| KeyName::parse(name).ok_or("it names a master key that can be none");
        let slots = |row: PasswordsRow| {
            let in_force = row.in_force.into();
            Ok::<_, String>(Slots { in_force, sha256: key(&row.sha256)?, sha512: key(&row.sha512)? })
        };
        Ok(Principal { cluster_id: self.cluster_id, slots: self.passwords.map(slots).transpose()? })
    }
}
