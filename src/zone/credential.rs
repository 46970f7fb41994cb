//! What proves an identity. Only verifiers are kept: nothing here can be used to log in.

use core::net::IpAddr;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{AuthenticationMode, NameError, TopicPattern, ZoneName};
use crate::sasl::{Mechanism, ScramHash};

/// A credential's public half: `pz` and 16 characters of `[a-z0-9]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Arc<str>);

const KEY_ID_PREFIX: &str = "pz";
const KEY_ID_RANDOM: usize = 16;

/// Whether a text could be a key id, which no service account may.
pub(super) fn has_key_id_form(text: &str) -> bool {
    text.strip_prefix(KEY_ID_PREFIX).is_some_and(|rest| {
        rest.len() == KEY_ID_RANDOM && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

impl KeyId {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

    /// Makes a key id from uniformly random numbers; the caller brings the randomness.
    pub fn from_random(mut next: impl FnMut(usize) -> usize) -> Self {
        let mut text = String::from(KEY_ID_PREFIX);
        for _ in 0..KEY_ID_RANDOM {
            let letter = Self::ALPHABET.get(next(Self::ALPHABET.len())).copied().unwrap_or(b'0');
            text.push(char::from(letter));
        }
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for KeyId {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if has_key_id_form(text) { Ok(Self(text.into())) } else { Err(NameError::Reserved) }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// What a SCRAM server keeps (RFC 5802, section 3). `Debug` shows no key material.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramVerifier {
    pub hash: ScramHash,
    pub salt: Vec<u8>,
    pub iterations: u32,
    pub stored_key: Vec<u8>,
    pub server_key: Vec<u8>,
}

/// SHA-256 over salt and secret. One round is enough: a secret is 32 random bytes, never a chosen password.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainVerifier {
    pub salt: Vec<u8>,
    pub hash: Vec<u8>,
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramVerifier")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PlainVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainVerifier(***)")
    }
}

/// One live credential of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub key_id: KeyId,
    pub zone: ZoneName,
    pub created_at: OffsetDateTime,
    pub expires_at: Option<OffsetDateTime>,
    /// The credential that took its place. This one goes on until it expires.
    pub replaced_by: Option<KeyId>,
    pub plain: PlainVerifier,
    pub scram: Vec<ScramVerifier>,
}

impl Credential {
    pub fn is_expired(&self, now: OffsetDateTime) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    pub fn scram(&self, hash: ScramHash) -> Option<&ScramVerifier> {
        self.scram.iter().find(|verifier| verifier.hash == hash)
    }

    /// How it can be proved in a zone of this mode, the mechanism to recommend first: what the zone accepts, as far as there is
    /// a verifier for it.
    pub fn mechanisms(&self, mode: AuthenticationMode) -> impl Iterator<Item = Mechanism> {
        let has = |mechanism: &Mechanism| mechanism.scram().is_none_or(|hash| self.scram(hash).is_some());
        mode.mechanisms().iter().copied().filter(has)
    }
}

/// When a credential was in use last, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastUse {
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: OffsetDateTime,
    /// As the gateway saw it: that of a balancer, if it hides its clients'.
    pub address: IpAddr,
}

/// What a holder of an API key may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiKeyRole {
    Admin,
    Viewer,
    /// May share and revoke backing topics that match one of the patterns.
    Owner {
        topics: Vec<TopicPattern>,
    },
    /// Sees one zone.
    Partner {
        zone: ZoneName,
    },
}

impl ApiKeyRole {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Viewer => "viewer",
            Self::Owner { .. } => "owner",
            Self::Partner { .. } => "partner",
        }
    }
}

/// A key of the admin API, kept as a salted hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The public first part of the key, by which it is found.
    pub id: String,
    pub role: ApiKeyRole,
    pub created_at: OffsetDateTime,
    pub verifier: PlainVerifier,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_id_parses_and_never_shows_in_a_verifier_debug() {
        let mut n = 0;
        let id = KeyId::from_random(|limit| {
            n = (n + 7) % limit;
            n
        });
        assert_eq!(KeyId::try_from(id.as_str()), Ok(id));
        let verifier = PlainVerifier { salt: vec![1], hash: vec![0xab; 32] };
        assert_eq!(format!("{verifier:?}"), "PlainVerifier(***)");
    }

    #[test]
    fn a_credential_is_proved_as_its_zone_accepts_and_its_verifiers_allow() {
        let scram = |hash| ScramVerifier {
            hash,
            salt: vec![1],
            iterations: 4096,
            stored_key: vec![2],
            server_key: vec![3],
        };
        let credential = |scram| Credential {
            key_id: KeyId::try_from("pz0123456789abcdef").unwrap(),
            zone: ZoneName::try_from("acme").unwrap(),
            created_at: OffsetDateTime::UNIX_EPOCH,
            expires_at: None,
            replaced_by: None,
            plain: PlainVerifier { salt: vec![1], hash: vec![2] },
            scram,
        };
        let both = credential(vec![scram(ScramHash::Sha256), scram(ScramHash::Sha512)]);
        let old = credential(Vec::new());
        let in_zone = |credential: &Credential, mode| credential.mechanisms(mode).collect::<Vec<_>>();
        assert_eq!(
            in_zone(&both, AuthenticationMode::Plain),
            [Mechanism::Plain, Mechanism::ScramSha512, Mechanism::ScramSha256]
        );
        assert_eq!(
            in_zone(&both, AuthenticationMode::Scram),
            [Mechanism::ScramSha512, Mechanism::ScramSha256]
        );
        assert_eq!(in_zone(&old, AuthenticationMode::Plain), [Mechanism::Plain]);
        assert_eq!(in_zone(&old, AuthenticationMode::Scram), []);
        assert_eq!(in_zone(&both, AuthenticationMode::Mtls), []);
    }
}
