//! The keys that an issuer publishes: a JSON Web Key Set (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use ring::signature::{ED25519, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use thiserror::Error;

use super::algorithm::{Algorithm, Check};

/// Keys of one issuer; real ones publish two or three.
const MAX_KEYS: usize = 64;

/// Bytes of an RSA modulus: what [`ring`] takes, 2048 to 8192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The usable keys of an issuer. Others in its set are of no interest: another kind, for encryption, or without a `kid`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

#[derive(Debug, PartialEq, Eq)]
struct Key {
    id: String,
    /// The only algorithm that the key is for, if the issuer says so.
    algorithm: Option<Algorithm>,
    public: Public,
}

/// A public key by its kind.
#[derive(Debug, PartialEq, Eq)]
enum Public {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The uncompressed point.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// Why bytes are no key set. A set without a usable key is none: it would lock everybody out without a word.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAKeySet {
    #[error("it is no JSON Web Key Set")]
    Json,
    #[error("it has more than {MAX_KEYS} keys")]
    TooMany,
    #[error("it has no key with a `kid` for an algorithm that is checked here")]
    NoUsableKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

/// One key as it is written. Private parts, if an issuer should ever publish them, are not read.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAKeySet> {
        let document: Document = serde_json::from_slice(bytes).map_err(|_| NotAKeySet::Json)?;
        if document.keys.len() > MAX_KEYS {
            return Err(NotAKeySet::TooMany);
        }
        // A key in a form of its own does not spoil the others.
        let keys: Vec<Key> = document.keys.into_iter().filter_map(Key::read).collect();
        if keys.is_empty() { Err(NotAKeySet::NoUsableKey) } else { Ok(Self(keys)) }
    }

    /// Whether there is a key of this id for the algorithm.
    pub fn knows(&self, id: &str, algorithm: Algorithm) -> bool {
        self.find(id, algorithm).next().is_some()
    }

    /// Whether one of the keys of this id made the signature; none if there is no such key.
    pub(super) fn verifies(
        &self,
        id: &str,
        algorithm: Algorithm,
        signed: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        let mut keys = self.find(id, algorithm).peekable();
        keys.peek()?;
        Some(keys.any(|key| key.public.verifies(algorithm, signed, signature)))
    }

    fn find(&self, id: &str, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| key.id == id && key.is_for(algorithm))
    }
}

impl Key {
    fn read(value: serde_json::Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let is_for_signatures = jwk.used_for.as_deref().is_none_or(|used_for| used_for == "sig")
            && jwk.key_ops.as_ref().is_none_or(|all| all.iter().any(|operation| operation == "verify"));
        let algorithm = match &jwk.alg {
            Some(name) => Some(name.parse().ok()?),
            None => None,
        };
        let id = jwk.kid.clone().filter(|_| is_for_signatures)?;
        Some(Self { id, algorithm, public: Public::read(&jwk)? })
    }

    fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none_or(|only| only == algorithm) && self.public.is_for(algorithm)
    }
}

impl Public {
    fn read(jwk: &Jwk) -> Option<Self> {
        match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => {
                let n = without_leading_zeros(bytes(jwk.n.as_deref())?);
                let e = without_leading_zeros(bytes(jwk.e.as_deref())?);
                RSA_BYTES.contains(&n.len()).then_some(Self::Rsa { n, e })
            }
            ("EC", Some("P-256")) => Some(Self::P256(point(jwk, 32)?)),
            ("EC", Some("P-384")) => Some(Self::P384(point(jwk, 48)?)),
            ("OKP", Some("Ed25519")) => {
                Some(Self::Ed25519(bytes(jwk.x.as_deref()).filter(|x| x.len() == 32)?))
            }
            _ => None,
        }
    }

    /// The kind of key decides what may be checked with it, not the token.
    fn is_for(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa { .. } => matches!(algorithm.check(), Check::Rsa(_)),
            Self::P256(_) => algorithm == Algorithm::Es256,
            Self::P384(_) => algorithm == Algorithm::Es384,
            Self::Ed25519(_) => algorithm == Algorithm::EdDsa,
        }
    }

    fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm.check()) {
            (Self::Rsa { n, e }, Check::Rsa(parameters)) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature).is_ok()
            }
            (Self::P256(point) | Self::P384(point), Check::Ec(curve)) => {
                UnparsedPublicKey::new(curve, point).verify(signed, signature).is_ok()
            }
            (Self::Ed25519(x), Check::Ed25519) => {
                UnparsedPublicKey::new(&ED25519, x).verify(signed, signature).is_ok()
            }
            _ => false,
        }
    }
}

fn bytes(text: Option<&str>) -> Option<Vec<u8>> {
    BASE64_URL.decode(text?).ok()
}

/// X9.62's uncompressed form of the two coordinates.
fn point(jwk: &Jwk, size: usize) -> Option<Vec<u8>> {
    let (x, y) = (bytes(jwk.x.as_deref())?, bytes(jwk.y.as_deref())?);
    (x.len() == size && y.len() == size).then(|| [&[4], x.as_slice(), y.as_slice()].concat())
}

/// Some issuers write the sign byte that the RFC forbids.
fn without_leading_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}
