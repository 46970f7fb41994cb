//! A token that was read and that nobody has vouched for yet.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::algorithm::Algorithm;
use super::keys::KeySet;
use super::unique::Unique;
use super::{Bearer, Refusal, Rules, claims};

/// Bytes of a token: several times what issuers write who put a person's groups into it.
pub const MAX_TOKEN: usize = 16 << 10;

/// The parts of a token. Until [`Self::check`] all of it is what its sender says.
#[derive(Debug)]
pub struct Unverified<'a> {
    algorithm: Algorithm,
    key_id: String,
    claims: Map<String, Value>,
    /// Header and claims as they were sent.
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// Reads a token; its size is checked before anything of it is decoded.
    pub fn parse(token: &'a str) -> Result<Self, Refusal> {
        if token.len() > MAX_TOKEN {
            return Err(Refusal::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        let header = object(header)?;
        // What a sender calls critical must be understood, and nothing of it is here. Keys that the token brings along itself
        // (`jwk`, `jku`, `x5c`, `x5u`) are not looked at.
        if header.contains_key("crit") {
            return Err(Refusal::Malformed);
        }
        let name = header.get("alg").and_then(Value::as_str).ok_or(Refusal::Malformed)?;
        let algorithm = name.parse().map_err(|_| Refusal::Algorithm)?;
        let key_id = header.get("kid").and_then(Value::as_str).ok_or(Refusal::UnknownKey)?.to_owned();
        let signature = BASE64_URL.decode(signature).map_err(|_| Refusal::Malformed)?;
        Ok(Self { algorithm, key_id, claims: object(claims)?, signed, signature })
    }

    /// The issuer that it names.
    pub fn issuer(&self) -> Result<&str, Refusal> {
        self.claims.get("iss").and_then(Value::as_str).ok_or(Refusal::Issuer)
    }

    /// Whether the key that it names is among these.
    pub fn is_by_known_key(&self, keys: &KeySet) -> bool {
        keys.knows(&self.key_id, self.algorithm)
    }

    /// What it claims, for what is built on [`Self::check`].
    pub(super) fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Whether the issuer takes the algorithm, one of its keys made the signature, and the claims follow its rules.
    pub fn check(&self, keys: &KeySet, rules: &Rules, now: OffsetDateTime) -> Result<Bearer, Refusal> {
        if self.issuer()? != rules.issuer {
            return Err(Refusal::Issuer);
        }
        if !rules.algorithms.contains(&self.algorithm) {
            return Err(Refusal::Algorithm);
        }
        let signed = self.signed.as_bytes();
        match keys.verifies(&self.key_id, self.algorithm, signed, &self.signature) {
            None => Err(Refusal::UnknownKey),
            Some(false) => Err(Refusal::Signature),
            Some(true) => claims::check(&self.claims, rules, now),
        }
    }
}

fn object(part: &str) -> Result<Map<String, Value>, Refusal> {
    let bytes = BASE64_URL.decode(part).map_err(|_| Refusal::Malformed)?;
    let Unique(members) = serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed)?;
    Ok(members)
}
