//! The SASL words and sums that both sides of a login share: mechanisms, and SCRAM's key derivation.
//!
//! Who proves itself to a broker is in `kafka`, who checks a partner is in `gateway`; what is kept of a secret is in `zone`.

mod scram;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

pub use self::scram::{Keys, ScramHash, xor};

/// The mechanisms that are spoken here, towards brokers and towards partners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

impl Mechanism {
    pub const ALL: [Self; 3] = [Self::Plain, Self::ScramSha256, Self::ScramSha512];

    /// Its registered name, as SaslHandshake carries it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }

    /// The SCRAM mechanism of a hash.
    pub const fn of_scram(hash: ScramHash) -> Self {
        match hash {
            ScramHash::Sha256 => Self::ScramSha256,
            ScramHash::Sha512 => Self::ScramSha512,
        }
    }

    /// The hash of a SCRAM mechanism; none for PLAIN.
    pub const fn scram(self) -> Option<ScramHash> {
        match self {
            Self::Plain => None,
            Self::ScramSha256 => Some(ScramHash::Sha256),
            Self::ScramSha512 => Some(ScramHash::Sha512),
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
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownMechanism(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mechanisms_are_known_by_their_registered_names() {
        for mechanism in Mechanism::ALL {
            assert_eq!(mechanism.to_string().to_lowercase().parse(), Ok(mechanism));
        }
        assert_eq!("GSSAPI".parse::<Mechanism>(), Err(UnknownMechanism("GSSAPI".to_owned())));
    }
}
