//! What a zone of type MTLS says about certificates.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// The SHA-256 of a certificate in DER form, as `openssl x509 -fingerprint -sha256` shows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; Self::BYTES]);

/// The text is no SHA-256 in hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is no SHA-256 fingerprint: 64 hexadecimal digits, with or without colons between the bytes")]
pub struct NotAFingerprint;

impl Fingerprint {
    pub const BYTES: usize = 32;

    pub const fn new(sha256: [u8; Self::BYTES]) -> Self {
        Self(sha256)
    }
}

impl TryFrom<&str> for Fingerprint {
    type Error = NotAFingerprint;

    fn try_from(text: &str) -> Result<Self, NotAFingerprint> {
        let pairs: Vec<&[u8]> = if text.contains(':') {
            text.as_bytes().split(|byte| *byte == b':').collect()
        } else {
            text.as_bytes().chunks(2).collect()
        };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = pairs.into_iter().map(byte).collect();
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NotAFingerprint)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which certificates a zone takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// The authorities of its partner's certificates, each in DER form; empty is those of the gateway.
    pub ca: Vec<Arc<[u8]>>,
    /// Certificates that are not taken any more.
    pub revoked: BTreeSet<Fingerprint>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_in_the_forms_that_tools_print() {
        let plain = "0123456789abcdef".repeat(4);
        let colons: Vec<String> =
            plain.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase()).collect();
        let read = Fingerprint::try_from(plain.as_str()).unwrap();
        assert_eq!(Fingerprint::try_from(colons.join(":").as_str()), Ok(read));
        assert_eq!(read.to_string(), plain);
        for bad in ["", "01", &plain[2..], &format!("{plain}00"), &plain.replace('0', "g"), "é", ":", "0:1"]
        {
            assert_eq!(Fingerprint::try_from(bad), Err(NotAFingerprint), "{bad}");
        }
    }
}
