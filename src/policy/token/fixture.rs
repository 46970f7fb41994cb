//! An issuer for tests: a key, what it publishes of it, and tokens that it signs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{Algorithm, KeySet, Rules};

pub(crate) const ISSUER: &str = "https://issuer.example.com";
pub(crate) const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

pub(crate) struct Signer {
    pub(crate) key_id: &'static str,
    key: Ed25519KeyPair,
}

impl Signer {
    pub(crate) fn new(key_id: &'static str) -> Self {
        let seed = [key_id.bytes().fold(0, u8::wrapping_add); 32];
        Self { key_id, key: Ed25519KeyPair::from_seed_unchecked(&seed).unwrap() }
    }

    pub(crate) fn jwk(&self) -> Value {
        let x = BASE64_URL.encode(self.key.public_key());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.key_id, "x": x, "use": "sig"})
    }

    pub(crate) fn keys(&self) -> KeySet {
        key_set(&[self.jwk()])
    }

    /// A token with these claims beside those of [`claims`]; `null` takes one away.
    pub(crate) fn token(&self, changes: &Value) -> String {
        let mut claims = claims();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.signed(&json!({"alg": "EdDSA", "kid": self.key_id}).to_string(), &claims.to_string())
    }

    pub(crate) fn signed(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", BASE64_URL.encode(header), BASE64_URL.encode(claims));
        let signature = self.key.sign(signed.as_bytes());
        format!("{signed}.{}", BASE64_URL.encode(signature))
    }
}

pub(crate) fn key_set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

/// Of a good token, good from [`NOW`] for a minute.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "acme-app", "aud": "kafka", "scope": "kafka profile",
        "iat": NOW.unix_timestamp(), "exp": NOW.unix_timestamp() + 60,
    })
}

pub(crate) fn rules() -> Rules {
    Rules {
        issuer: ISSUER.to_owned(),
        audiences: vec!["kafka".to_owned()],
        algorithms: Algorithm::ALL.to_vec(),
        clock_skew: std::time::Duration::from_secs(30),
        subject_claim: "sub".to_owned(),
        scopes: vec!["kafka".to_owned()],
    }
}
