//! The client's half of SCRAM: each step is a value that only the next message can be made from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Fewer rounds than RFC 7677 allows would hand a rogue server an easy hash of the password; more than this would let it
/// keep us busy.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4096..=1_000_000;
/// Far more than any server sends.
const MAX_MESSAGE: usize = 16 * 1024;
/// Channel binding: none, and we would say so to a server that offered it (`n,,`).
const GS2_HEADER: &str = "n,,";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    Sha256,
    Sha512,
}

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
    #[error("the server could not prove that it knows the password: it is not the server it claims to be")]
    ServerSignature,
}

/// An exchange that has not begun.
#[derive(Debug)]
pub struct Scram {
    hash: Hash,
    password: Secret<String>,
    nonce: String,
    client_first_bare: String,
}

impl Scram {
    /// With a fresh random nonce.
    pub fn new(hash: Hash, username: &str, password: Secret<String>) -> Self {
        let nonce = BASE64.encode(rand::random::<[u8; 24]>());
        Self::with_nonce(hash, username, password, nonce)
    }

    /// Names go as they are, `=` and `,` escaped; like Kafka, no SASLprep.
    fn with_nonce(hash: Hash, username: &str, password: Secret<String>, nonce: String) -> Self {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        let client_first_bare = format!("n={name},r={nonce}");
        Self { hash, password, nonce, client_first_bare }
    }

    /// The first message to the server.
    pub fn first(&self) -> Vec<u8> {
        format!("{GS2_HEADER}{}", self.client_first_bare).into_bytes()
    }

    /// Answers the server's first message: the final message to it, and what its last one must prove.
    ///
    /// Derives the salted password: milliseconds at 4096 rounds, up to a second at the most that is accepted.
    pub fn respond(self, server_first: &[u8]) -> Result<(Vec<u8>, ServerProof), ScramError> {
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
        let salted = self.hash.salted_password(self.password.expose(), &salt, rounds);
        let without_proof = format!("c={},r={nonce}", BASE64.encode(GS2_HEADER));
        let signed = format!("{},{text},{without_proof}", self.client_first_bare);

        let client_key = self.hash.hmac(&salted, b"Client Key")?;
        let signature = self.hash.hmac(&self.hash.digest(&client_key), signed.as_bytes())?;
        let proof: Vec<u8> = client_key.iter().zip(signature.iter()).map(|(key, mask)| key ^ mask).collect();
        let server_key = self.hash.hmac(&salted, b"Server Key")?;
        let expected = self.hash.hmac(&server_key, signed.as_bytes())?;
        let client_final = format!("{without_proof},p={}", BASE64.encode(proof));
        Ok((client_final.into_bytes(), ServerProof { expected }))
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

impl Hash {
    fn salted_password(self, password: &str, salt: &[u8], rounds: u32) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(vec![0; self.len()]);
        match self {
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, rounds, &mut key),
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password.as_bytes(), salt, rounds, &mut key),
        }
        key
    }

    fn hmac(self, key: &[u8], message: &[u8]) -> Result<Zeroizing<Vec<u8>>, ScramError> {
        let mac = match self {
            Self::Sha256 => Hmac::<Sha256>::new_from_slice(key)
                .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec()),
            Self::Sha512 => Hmac::<Sha512>::new_from_slice(key)
                .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec()),
        };
        // HMAC takes keys of any length. Were it ever otherwise, no key must stand for a proof.
        mac.map(Zeroizing::new).map_err(|_| ScramError::Malformed)
    }

    fn digest(self, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        })
    }

    const fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

#[cfg(test)]
mod tests;
