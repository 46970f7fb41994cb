//! The client's half of SCRAM: each step is a value that only the next message can be made from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::sasl::{ScramHash, xor};

/// Fewer rounds than RFC 7677 allows would hand a rogue server an easy hash of the password; more than this would let it
/// keep us busy.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4096..=1_000_000;
/// Far more than any server sends.
const MAX_MESSAGE: usize = 16 * 1024;
/// Channel binding: none, and we would say so to a server that offered it (`n,,`).
const GS2_HEADER: &str = "n,,";

/// Why a SCRAM exchange failed. What the server sent is quoted only where it is an error code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScramError {
    #[error("the server's scram message does not parse")]
    Malformed,
    #[error("the server asks for a scram extension that is not supported")]
    Extension,
    #[error("the server's nonce does not continue ours: the exchange was tampered with")]
    Nonce,
    #[error("the server asks for {0} iterations; 4096 to 1000000 are accepted")]
    Iterations(u32),
    #[error("the server refused the proof: {0}")]
    Refused(String),
    #[error("deriving the salted password was interrupted: this process ends")]
    Interrupted,
    #[error("the server could not prove that it knows the password: it is not the server it claims to be")]
    ServerSignature,
}

/// An exchange that has not begun.
#[derive(Debug)]
pub struct Scram {
    hash: ScramHash,
    nonce: String,
    client_first_bare: String,
}

impl Scram {
    /// With a fresh random nonce.
    pub fn new(hash: ScramHash, username: &str) -> Self {
        Self::with_nonce(hash, username, BASE64.encode(rand::random::<[u8; 24]>()))
    }

    /// Names go as they are, `=` and `,` escaped; like Kafka, no SASLprep.
    pub(super) fn with_nonce(hash: ScramHash, username: &str, nonce: String) -> Self {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        let client_first_bare = format!("n={name},r={nonce}");
        Self { hash, nonce, client_first_bare }
    }

    /// The first message to the server.
    pub fn first(&self) -> Vec<u8> {
        format!("{GS2_HEADER}{}", self.client_first_bare).into_bytes()
    }

    /// Takes the server's first message.
    pub fn challenged(self, server_first: &[u8]) -> Result<Challenged, ScramError> {
        let text = message(server_first)?;
        let mut attributes = text.split(',');
        let mut attribute = |key| attributes.next().and_then(|pair| pair.strip_prefix(key));
        if text.starts_with("m=") {
            return Err(ScramError::Extension);
        }
        let nonce = attribute("r=").ok_or(ScramError::Malformed)?;
        let salt = attribute("s=").and_then(|salt| BASE64.decode(salt).ok()).ok_or(ScramError::Malformed)?;
        let rounds: u32 =
            attribute("i=").and_then(|rounds| rounds.parse().ok()).ok_or(ScramError::Malformed)?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(ScramError::Nonce);
        }
        if !ITERATIONS.contains(&rounds) {
            return Err(ScramError::Iterations(rounds));
        }
        let without_proof = format!("c={},r={nonce}", BASE64.encode(GS2_HEADER));
        let signed = format!("{},{text},{without_proof}", self.client_first_bare);
        Ok(Challenged { hash: self.hash, salt, rounds, without_proof, signed })
    }
}

/// A server has said how the password is salted.
#[derive(Debug)]
pub struct Challenged {
    pub hash: ScramHash,
    pub salt: Vec<u8>,
    pub rounds: u32,
    without_proof: String,
    /// RFC 5802's `AuthMessage`.
    signed: String,
}

impl Challenged {
    /// With the password salted as [`ScramHash::salted_password`] does: the final message to the server, and what its last
    /// one must prove.
    pub fn prove(self, salted_password: &[u8]) -> (Vec<u8>, ServerProof) {
        let keys = self.hash.keys(salted_password);
        let proof = xor(&keys.client, &self.hash.hmac(&keys.stored, self.signed.as_bytes()));
        let expected = self.hash.hmac(&keys.server, self.signed.as_bytes());
        let client_final = format!("{},p={}", self.without_proof, BASE64.encode(&*proof));
        (client_final.into_bytes(), ServerProof { expected })
    }
}

/// What the server still has to show: that it knows the password's verifier.
#[derive(Debug)]
pub struct ServerProof {
    expected: Zeroizing<Vec<u8>>,
}

impl ServerProof {
    /// Checks the server's last message; until then the exchange has not succeeded.
    pub fn verify(self, server_final: &[u8]) -> Result<(), ScramError> {
        let text = message(server_final)?;
        let first = text.split(',').next().unwrap_or_default();
        if let Some(code) = first.strip_prefix("e=") {
            return Err(ScramError::Refused(code.chars().filter(char::is_ascii_graphic).take(64).collect()));
        }
        let signature = first.strip_prefix("v=").and_then(|text| BASE64.decode(text).ok());
        let signature = signature.ok_or(ScramError::Malformed)?;
        if bool::from(signature.ct_eq(&self.expected)) { Ok(()) } else { Err(ScramError::ServerSignature) }
    }
}

fn message(bytes: &[u8]) -> Result<&str, ScramError> {
    if bytes.len() > MAX_MESSAGE {
        return Err(ScramError::Malformed);
    }
    std::str::from_utf8(bytes).map_err(|_| ScramError::Malformed)
}

#[cfg(test)]
mod tests;
