//! Bearer tokens of issuers outside: whose a token is, and whether it counts at this moment.
//!
//! A token is a JSON Web Token (RFC 7519) in its compact form, signed by one of the keys that its issuer publishes (RFC 7517).
//! Nothing of it is believed before the signature is checked, except which issuer and which key it names.

mod algorithm;
mod claims;
mod id_token;
mod keys;
mod unique;
mod unverified;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use std::time::Duration;

use thiserror::Error;
use time::OffsetDateTime;

pub use self::algorithm::{Algorithm, UnknownAlgorithm};
pub use self::id_token::{IdTokenRefusal, MAX_SUBJECT};
pub use self::keys::{KeySet, NotAKeySet};
pub use self::unverified::{MAX_TOKEN, Unverified};

/// What a token of one issuer must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The claim `iss`, to the letter.
    pub issuer: String,
    /// The claim `aud` must name one of them.
    pub audiences: Vec<String>,
    pub algorithms: Vec<Algorithm>,
    /// How far the issuer's clock may be from ours.
    pub clock_skew: Duration,
    /// The claim that names the partner: it equals the service account of a zone.
    pub subject_claim: String,
    /// Each must be in the claim `scope` or `scp`.
    pub scopes: Vec<String>,
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    pub subject: String,
    /// When a session that was opened with it ends.
    pub ends: OffsetDateTime,
}

/// Why a token does not count. Closed set: each is one label of a metric, and one line for the operator; who sent the token is
/// told none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("it is no signed JSON Web Token in compact form")]
    Malformed,
    #[error("its `alg` is none of the issuer's `algorithms`")]
    Algorithm,
    #[error("its `iss` is none of the configured issuers")]
    Issuer,
    #[error("its `kid` names no key for its `alg` among those that the issuer publishes")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("its `exp` is missing or in the past")]
    Expired,
    #[error("its `nbf` or `iat` is in the future; see the clocks of this machine and of the issuer")]
    NotYet,
    #[error("its `aud` is none of the issuer's `audience`")]
    Audience,
    #[error("its `scope` lacks one of the issuer's `scopes`")]
    Scope,
    #[error("it lacks the issuer's `subjectClaim`, or that is no text")]
    Subject,
    #[error("the client wants to act as somebody else than its subject")]
    Identity,
    #[error(
        "no zone takes it: none has its subject as service account, or that one takes another issuer's tokens, is not open, or not from there"
    )]
    NoZone,
}

impl Refusal {
    /// One word for metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Issuer => "issuer",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::NotYet => "not_yet",
            Self::Audience => "audience",
            Self::Scope => "scope",
            Self::Subject => "subject",
            Self::Identity => "identity",
            Self::NoZone => "no_zone",
        }
    }
}
