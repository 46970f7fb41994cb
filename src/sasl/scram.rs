//! SCRAM's functions of a password (RFC 5802, section 3; RFC 7677 for SHA-256).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

/// The hash of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScramHash {
    Sha256,
    Sha512,
}

/// What follows from a salted password. A server keeps the last two.
#[expect(missing_debug_implementations, reason = "key material")]
pub struct Keys {
    /// `HMAC(SaltedPassword, "Client Key")`
    pub client: Zeroizing<Vec<u8>>,
    /// `H(ClientKey)`
    pub stored: Zeroizing<Vec<u8>>,
    /// `HMAC(SaltedPassword, "Server Key")`
    pub server: Zeroizing<Vec<u8>>,
}

impl ScramHash {
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Sha256 => Self::Sha512,
            Self::Sha512 => Self::Sha256,
        }
    }

    /// Bytes of its output.
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// `Hi(password, salt, rounds)`. Takes milliseconds at 4096 rounds: not for a thread that serves connections.
    pub fn salted_password(self, password: &[u8], salt: &[u8], rounds: u32) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(vec![0; self.output_len()]);
        match self {
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut key),
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, rounds, &mut key),
        }
        key
    }

    pub fn keys(self, salted_password: &[u8]) -> Keys {
        let client = self.hmac(salted_password, b"Client Key");
        let stored = self.digest(&client);
        Keys { client, stored, server: self.hmac(salted_password, b"Server Key") }
    }

    /// HMAC (RFC 2104) with a key of any length.
    pub fn hmac(self, key: &[u8], message: &[u8]) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Sha256 => {
                let key = self.block::<64>(key);
                let mac = Hmac::<Sha256>::new((&*key).into()).chain_update(message);
                Zeroizing::new(mac.finalize().into_bytes().to_vec())
            }
            Self::Sha512 => {
                let key = self.block::<128>(key);
                let mac = Hmac::<Sha512>::new((&*key).into()).chain_update(message);
                Zeroizing::new(mac.finalize().into_bytes().to_vec())
            }
        }
    }

    pub fn digest(self, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        })
    }

    /// The key as long as one block of the hash, as RFC 2104 makes it: there is no length that could be refused.
    fn block<const N: usize>(self, key: &[u8]) -> Zeroizing<[u8; N]> {
        let mut block = Zeroizing::new([0; N]);
        let digest;
        let key = if key.len() > N {
            digest = self.digest(key);
            &digest
        } else {
            key
        };
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        block
    }
}

/// Byte by byte, as far as the shorter one goes.
pub fn xor(one: &[u8], other: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(one.iter().zip(other).map(|(a, b)| a ^ b).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 2 (a short key) and 6 (a key longer than a block).
    #[test]
    fn hmac_is_the_standard_one_for_keys_of_any_length() {
        let starts = |mac: &[u8], with: u64| mac.starts_with(&with.to_be_bytes());
        let question = b"what do ya want for nothing?";
        assert!(starts(&ScramHash::Sha256.hmac(b"Jefe", question), 0x5bdc_c146_bf60_754e));
        assert!(starts(&ScramHash::Sha512.hmac(b"Jefe", question), 0x164b_7a7b_fcf8_19e2));
        let (key, text) = ([0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert!(starts(&ScramHash::Sha256.hmac(&key, text), 0x60e4_3159_1ee0_b67f));
        assert!(starts(&ScramHash::Sha512.hmac(&key, text), 0x80b2_4263_c7c1_a3eb));
    }

    #[test]
    fn outputs_have_the_length_of_the_hash() {
        for hash in [ScramHash::Sha256, ScramHash::Sha512] {
            let keys = hash.keys(&hash.salted_password(b"secret", b"salt", 1));
            assert_eq!([keys.client.len(), keys.stored.len(), keys.server.len()], [hash.output_len(); 3]);
        }
    }
}
