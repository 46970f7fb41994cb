//! What is kept of a secret, and how a presented one is checked against it: pure, and in constant time.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::sasl::{ScramHash, xor};
use crate::zone::{PlainVerifier, ScramVerifier};

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
    /// Takes milliseconds: not for a thread that serves connections.
    pub fn new(hash: ScramHash, secret: &str, salt: &[u8], iterations: u32) -> Self {
        let keys = hash.keys(&hash.salted_password(secret.as_bytes(), salt, iterations));
        let (stored_key, server_key) = (keys.stored.to_vec(), keys.server.to_vec());
        Self { hash, salt: salt.to_vec(), iterations, stored_key, server_key }
    }

    /// The server's signature, if the proof over `auth_message` shows the client key (RFC 5802, section 3). Takes the same work
    /// whether it does or not.
    pub fn accept(&self, auth_message: &[u8], proof: &[u8]) -> Option<Vec<u8>> {
        let client_key = xor(proof, &self.hash.hmac(&self.stored_key, auth_message));
        let proves = self.hash.digest(&client_key).ct_eq(&self.stored_key);
        let signature = self.hash.hmac(&self.server_key, auth_message);
        bool::from(proves & proof.len().ct_eq(&self.hash.output_len())).then(|| signature.to_vec())
    }
}

/// What a name without a verifier is asked with: from one process the same salt each time, as a real one has it, and unknown
/// without the process's `secret`. Nothing proves it.
pub fn of_nobody(hash: ScramHash, user: &str, secret: &[u8]) -> ScramVerifier {
    let mut salt = hash.hmac(secret, user.as_bytes()).to_vec();
    salt.truncate(SALT_BYTES);
    // No key is known whose hash is all zeros.
    let nothing = vec![0; hash.output_len()];
    ScramVerifier {
        hash,
        salt,
        iterations: SCRAM_ITERATIONS,
        stored_key: nothing.clone(),
        server_key: nothing,
    }
}

fn salted_hash(salt: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(secret);
    hash.finalize().to_vec()
}

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
        let verifier = ScramVerifier::new(ScramHash::Sha256, "pencil", &salt, SCRAM_ITERATIONS);
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let auth_message = format!(
            "n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
        );
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let signature = verifier.accept(auth_message.as_bytes(), &proof).unwrap();
        assert_eq!(STANDARD.encode(signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        for wrong in [&[][..], &proof[1..], &[proof.as_slice(), &[0]].concat(), &[0; 32]] {
            assert_eq!(verifier.accept(auth_message.as_bytes(), wrong), None);
        }
        assert_eq!(verifier.accept(b"another exchange", &proof), None);
    }

    #[test]
    fn nobody_has_the_same_salt_each_time_and_no_proof() {
        for hash in [ScramHash::Sha256, ScramHash::Sha512] {
            let nobody = of_nobody(hash, "anna", b"this process");
            assert_eq!(nobody, of_nobody(hash, "anna", b"this process"));
            assert_ne!(nobody.salt, of_nobody(hash, "berta", b"this process").salt);
            assert_ne!(nobody.salt, of_nobody(hash, "anna", b"another one").salt);
            let real = ScramVerifier::new(hash, "secret", &[7; SALT_BYTES], SCRAM_ITERATIONS);
            assert_eq!((nobody.salt.len(), nobody.iterations), (real.salt.len(), real.iterations));
            assert_eq!(nobody.accept(b"message", &vec![0; hash.output_len()]), None);
        }
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
