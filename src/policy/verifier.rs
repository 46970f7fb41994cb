//! What is kept of a secret, and how a presented one is checked against it: pure, and in constant time.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::zone::{PlainVerifier, ScramHash, ScramVerifier};

/// Bytes of every salt made here.
pub const SALT_BYTES: usize = 16;

/// PBKDF2 rounds of a new SCRAM verifier: Kafka's minimum is 4096 (`ScramMechanism`). A secret is 32 random bytes, so more
/// rounds would cost every login and protect nothing.
pub const SCRAM_ITERATIONS: u32 = 4096;

/// The random salts of one credential. Each verifier has its own, so that none helps against another.
#[derive(Debug, Clone, Copy)]
pub struct Salts {
    pub plain: [u8; SALT_BYTES],
    pub sha256: [u8; SALT_BYTES],
    pub sha512: [u8; SALT_BYTES],
}

/// Everything that is stored of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifiers {
    pub plain: PlainVerifier,
    /// SCRAM-SHA-256 and SCRAM-SHA-512.
    pub scram: Vec<ScramVerifier>,
}

/// Derives all verifiers of a new secret. The caller brings the randomness.
pub fn verifiers(secret: &str, salts: &Salts, iterations: u32) -> Verifiers {
    Verifiers {
        plain: PlainVerifier::new(secret, &salts.plain),
        scram: vec![
            ScramVerifier::new(ScramHash::Sha256, secret, &salts.sha256, iterations),
            ScramVerifier::new(ScramHash::Sha512, secret, &salts.sha512, iterations),
        ],
    }
}

impl PlainVerifier {
    pub fn new(secret: &str, salt: &[u8]) -> Self {
        Self { salt: salt.to_vec(), hash: salted_hash(salt, secret.as_bytes()) }
    }

    /// Whether this is the secret. Takes the same time for every wrong one of the same length.
    pub fn accepts(&self, presented: &[u8]) -> bool {
        salted_hash(&self.salt, presented).ct_eq(&self.hash).into()
    }

    /// The same work as [`Self::accepts`], for a name that does not exist: it must not answer faster than one that does.
    pub fn reject(presented: &[u8]) -> bool {
        let nobody = Self { salt: vec![0; SALT_BYTES], hash: vec![0; 32] };
        // The all-zero hash has no known preimage; the result is dropped all the same.
        std::hint::black_box(nobody.accepts(presented));
        false
    }
}

impl ScramVerifier {
    /// RFC 5802, section 3: `StoredKey := H(HMAC(SaltedPassword, "Client Key"))`, `ServerKey := HMAC(SaltedPassword, "Server Key")`.
    pub fn new(hash: ScramHash, secret: &str, salt: &[u8], iterations: u32) -> Self {
        let password = secret.as_bytes();
        let (stored_key, server_key) = match hash {
            ScramHash::Sha256 => {
                let mut salted = [0_u8; 32];
                pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut salted);
                let client_key = hmac_sha256(&salted, b"Client Key");
                (Sha256::digest(client_key).to_vec(), hmac_sha256(&salted, b"Server Key"))
            }
            ScramHash::Sha512 => {
                let mut salted = [0_u8; 64];
                pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut salted);
                let client_key = hmac_sha512(&salted, b"Client Key");
                (Sha512::digest(client_key).to_vec(), hmac_sha512(&salted, b"Server Key"))
            }
        };
        Self { hash, salt: salt.to_vec(), iterations, stored_key, server_key }
    }
}

fn salted_hash(salt: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(secret);
    hash.finalize().to_vec()
}

macro_rules! hmac_fn {
    ($name:ident, $hash:ty) => {
        fn $name(key: &[u8], message: &[u8]) -> Vec<u8> {
            // HMAC takes a key of any length (RFC 2104); the fallback is never used.
            Hmac::<$hash>::new_from_slice(key)
                .map(|mut mac| {
                    mac.update(message);
                    mac.finalize().into_bytes().to_vec()
                })
                .unwrap_or_default()
        }
    };
}

hmac_fn!(hmac_sha256, Sha256);
hmac_fn!(hmac_sha512, Sha512);

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn only_the_secret_itself_is_accepted() {
        let verifier = PlainVerifier::new("correct horse", b"salt");
        assert!(verifier.accepts(b"correct horse"));
        for wrong in [&b""[..], b"correct hors", b"correct horse ", b"Correct horse"] {
            assert!(!verifier.accepts(wrong));
        }
        assert!(!PlainVerifier::reject(b"correct horse"));
    }

    #[test]
    fn one_secret_under_two_salts_has_two_hashes() {
        assert_ne!(PlainVerifier::new("s", b"a").hash, PlainVerifier::new("s", b"b").hash);
    }

    /// The exchange of RFC 7677, section 3 (user `user`, password `pencil`): what a server keeps must verify the client's
    /// proof and make the server's signature that are printed there.
    #[test]
    fn the_sha_256_verifier_fits_the_exchange_of_rfc_7677() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = ScramVerifier::new(ScramHash::Sha256, "pencil", &salt, 4096);
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let auth_message = format!(
            "n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
        );
        let signature = hmac_sha256(&verifier.stored_key, auth_message.as_bytes());
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let client_key: Vec<u8> = signature.iter().zip(&proof).map(|(a, b)| a ^ b).collect();
        assert_eq!(Sha256::digest(client_key).to_vec(), verifier.stored_key);
        let server_signature = hmac_sha256(&verifier.server_key, auth_message.as_bytes());
        assert_eq!(STANDARD.encode(server_signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    /// RFC 4231, test case 2: the HMAC under SCRAM-SHA-512.
    #[test]
    fn hmac_sha_512_is_the_standard_one() {
        let mac = hmac_sha512(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(mac.get(..4), Some(&[0x16, 0x4b, 0x7a, 0x7b][..]));
        assert_eq!(mac.len(), 64);
    }

    #[test]
    fn a_credential_gets_a_plain_verifier_and_both_scram_ones() {
        let salts = Salts { plain: [1; 16], sha256: [2; 16], sha512: [3; 16] };
        let all = verifiers("secret", &salts, SCRAM_ITERATIONS);
        assert!(all.plain.accepts(b"secret"));
        let kept: Vec<_> = all.scram.iter().map(|v| (v.hash, v.salt[0], v.stored_key.len())).collect();
        assert_eq!(kept, [(ScramHash::Sha256, 2, 32), (ScramHash::Sha512, 3, 64)]);
    }
}
