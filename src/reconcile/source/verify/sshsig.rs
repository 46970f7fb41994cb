//! SSH signatures as `git commit -S` makes them with `gpg.format=ssh`: parsing, and checking with `ring`. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

use super::wire::{Wire, put};

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
/// What a signature of a commit is for; one made for something else proves nothing here.
const NAMESPACE: &[u8] = b"git";
/// On a security key: somebody touched it.
const PRESENT: u8 = 1;

/// A signature and the key that is said to have made it.
#[derive(Debug)]
pub(super) struct SshSig {
    /// The key's wire form.
    pub(super) key: Vec<u8>,
    hash: Vec<u8>,
    /// Algorithm and signature, in their wire form.
    signature: Vec<u8>,
}

/// Whether a signature is of a kind that is checked here.
pub(super) fn is_ssh(armored: &str) -> bool {
    armored.trim_start().starts_with(BEGIN)
}

impl SshSig {
    pub(super) fn parse(armored: &str) -> Option<Self> {
        let inner = armored.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
        let base64: String = inner.split_ascii_whitespace().collect();
        let blob = STANDARD.decode(base64).ok()?;
        let mut wire = Wire(blob.strip_prefix(MAGIC)?);
        (wire.number()? == VERSION).then_some(())?;
        let key = wire.string()?.to_vec();
        (wire.string()? == NAMESPACE).then_some(())?;
        let _reserved = wire.string()?;
        let hash = wire.string()?.to_vec();
        let signature = wire.string()?.to_vec();
        wire.end()?;
        Some(Self { key, hash, signature })
    }

    /// Whether its key made it over this content.
    pub(super) fn covers(&self, content: &[u8]) -> bool {
        self.check(content).is_some()
    }

    fn check(&self, content: &[u8]) -> Option<()> {
        let algorithm = match self.hash.as_slice() {
            b"sha256" => &digest::SHA256,
            b"sha512" => &digest::SHA512,
            _ => return None,
        };
        let mut signed = MAGIC.to_vec();
        put(&mut signed, NAMESPACE);
        put(&mut signed, &[]);
        put(&mut signed, &self.hash);
        put(&mut signed, digest::digest(algorithm, content).as_ref());
        let mut wire = Wire(&self.signature);
        let (algorithm, signature) = (wire.string()?, wire.string()?);
        let mut key = Wire(&self.key);
        let kind = key.string()?;
        match (kind, algorithm) {
            (b"ssh-ed25519", b"ssh-ed25519") => {
                wire.end()?;
                ed25519(&mut key, &signed, signature)
            }
            (b"ecdsa-sha2-nistp256", b"ecdsa-sha2-nistp256") => {
                wire.end()?;
                ecdsa::<32>(&ECDSA_P256_SHA256_FIXED, key, &signed, signature)
            }
            (b"ecdsa-sha2-nistp384", b"ecdsa-sha2-nistp384") => {
                wire.end()?;
                ecdsa::<48>(&ECDSA_P384_SHA384_FIXED, key, &signed, signature)
            }
            // SHA-1 (`ssh-rsa`) is not among them, and `ring` refuses keys under 2048 bits.
            (b"ssh-rsa", b"rsa-sha2-256" | b"rsa-sha2-512") => {
                wire.end()?;
                let parameters = if algorithm == b"rsa-sha2-256" {
                    &RSA_PKCS1_2048_8192_SHA256
                } else {
                    &RSA_PKCS1_2048_8192_SHA512
                };
                let (e, n) = (key.integer()?, key.integer()?);
                key.end()?;
                RsaPublicKeyComponents { n, e }.verify(parameters, &signed, signature).ok()
            }
            (b"sk-ssh-ed25519@openssh.com", b"sk-ssh-ed25519@openssh.com") => {
                security_key(&mut key, &signed, signature, wire)
            }
            _ => None,
        }
    }
}

fn ed25519(key: &mut Wire<'_>, signed: &[u8], signature: &[u8]) -> Option<()> {
    let point = key.string()?;
    key.end()?;
    UnparsedPublicKey::new(&ED25519, point).verify(signed, signature).ok()
}

/// `SIZE` is that of the curve's numbers.
fn ecdsa<const SIZE: usize>(
    algorithm: &'static dyn VerificationAlgorithm,
    mut key: Wire<'_>,
    signed: &[u8],
    signature: &[u8],
) -> Option<()> {
    let (_curve, point) = (key.string()?, key.string()?);
    key.end()?;
    let mut wire = Wire(signature);
    let mut fixed = Vec::with_capacity(SIZE.saturating_mul(2));
    for _ in 0..2 {
        let number = wire.integer()?;
        fixed.resize(fixed.len().checked_add(SIZE.checked_sub(number.len())?)?, 0);
        fixed.extend(number);
    }
    wire.end()?;
    UnparsedPublicKey::new(algorithm, point).verify(signed, &fixed).ok()
}

/// A security key signs its application's name, flags and a counter as well.
fn security_key(key: &mut Wire<'_>, signed: &[u8], signature: &[u8], mut rest: Wire<'_>) -> Option<()> {
    let (point, application) = (key.string()?, key.string()?);
    key.end()?;
    let (flags, counter) = (rest.take(1)?, rest.take(4)?);
    rest.end()?;
    (flags.first()? & PRESENT != 0).then_some(())?;
    let sha256 = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes);
    let message = [sha256(application).as_ref(), flags, counter, sha256(signed).as_ref()].concat();
    UnparsedPublicKey::new(&ED25519, point).verify(&message, signature).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::rand::SystemRandom;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    fn armor(blob: &[u8]) -> String {
        format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(blob))
    }

    fn blob(key: &[u8], namespace: &[u8], hash: &[u8], signature: &[u8]) -> Vec<u8> {
        let mut blob = MAGIC.to_vec();
        blob.extend(VERSION.to_be_bytes());
        for field in [key, namespace, b"", hash, signature] {
            put(&mut blob, field);
        }
        blob
    }

    fn pair() -> Ed25519KeyPair {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap()
    }

    fn fields(fields: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for field in fields {
            put(&mut out, field);
        }
        out
    }

    /// What is signed over `content`.
    fn signed(content: &[u8]) -> Vec<u8> {
        let hash = digest::digest(&digest::SHA512, content);
        [MAGIC, &fields(&[NAMESPACE, b"", b"sha512", hash.as_ref()])].concat()
    }

    #[test]
    fn a_signature_for_another_purpose_or_with_more_behind_it_is_none() {
        let pair = pair();
        let key = fields(&[b"ssh-ed25519", pair.public_key().as_ref()]);
        let signature = fields(&[b"ssh-ed25519", pair.sign(&signed(b"x")).as_ref()]);
        let good = blob(&key, NAMESPACE, b"sha512", &signature);
        let parsed = SshSig::parse(&armor(&good)).unwrap();
        assert!(parsed.covers(b"x") && !parsed.covers(b"y"));
        assert!(SshSig::parse(&armor(&blob(&key, b"file", b"sha512", &signature))).is_none());
        assert!(SshSig::parse(&armor(&[good, vec![0]].concat())).is_none());
        let longer = [signature.as_slice(), &[0]].concat();
        assert!(!SshSig::parse(&armor(&blob(&key, NAMESPACE, b"sha512", &longer))).unwrap().covers(b"x"));
        assert!(!SshSig::parse(&armor(&blob(&key, NAMESPACE, b"sha1", &signature))).unwrap().covers(b"x"));
    }

    #[test]
    fn a_security_key_must_have_been_touched() {
        let pair = pair();
        let kind: &[u8] = b"sk-ssh-ed25519@openssh.com";
        let key = fields(&[kind, pair.public_key().as_ref(), b"ssh:"]);
        let with = |flags: u8| {
            let sha256 = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes);
            let rest = [flags, 0, 0, 0, 9];
            let message = [sha256(b"ssh:").as_ref(), &rest, sha256(&signed(b"x")).as_ref()].concat();
            let signature = [fields(&[kind, pair.sign(&message).as_ref()]), rest.to_vec()].concat();
            SshSig::parse(&armor(&blob(&key, NAMESPACE, b"sha512", &signature))).unwrap()
        };
        assert!(with(PRESENT).covers(b"x") && !with(PRESENT).covers(b"y"));
        assert!(!with(0).covers(b"x"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_pass(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let framed = [MAGIC, &VERSION.to_be_bytes(), &bytes].concat();
            for armored in [armor(&bytes), armor(&framed), String::from_utf8_lossy(&bytes).into_owned()] {
                prop_assert!(SshSig::parse(&armored).is_none_or(|parsed| !parsed.covers(b"x")));
            }
            let sig = SshSig { key: bytes.clone(), hash: b"sha256".to_vec(), signature: bytes };
            prop_assert!(!sig.covers(b"x"));
        }
    }
}
