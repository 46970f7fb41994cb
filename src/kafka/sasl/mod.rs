//! SASL initiation: how this process proves itself to a broker. PLAIN (RFC 4616) and SCRAM (RFC 5802, RFC 7677), sans I/O.

mod scram;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

pub use self::scram::{Hash, Scram, ScramError, ServerProof};
use crate::secret::Secret;

/// The mechanisms we can authenticate with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

impl Mechanism {
    /// Its registered name, as SaslHandshake carries it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The mechanism exists, perhaps, and is not one of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a mechanism this version can use: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 are")]
pub struct UnknownMechanism(String);

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Plain, Self::ScramSha256, Self::ScramSha512]
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownMechanism(name.to_owned()))
    }
}

/// The one message of PLAIN: no authorisation id, name, password.
pub fn plain(username: &str, password: &Secret<String>) -> Secret<Vec<u8>> {
    Secret::new([b"\0", username.as_bytes(), b"\0", password.expose().as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_name_and_password_behind_nul() {
        let message = plain("acme", &Secret::new("s3cret".to_owned()));
        assert_eq!(message.expose(), b"\0acme\0s3cret");
    }

    #[test]
    fn mechanisms_are_known_by_their_registered_names() {
        for mechanism in [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::ScramSha512] {
            assert_eq!(mechanism.to_string().to_lowercase().parse(), Ok(mechanism));
        }
        assert_eq!("GSSAPI".parse::<Mechanism>(), Err(UnknownMechanism("GSSAPI".to_owned())));
    }
}
