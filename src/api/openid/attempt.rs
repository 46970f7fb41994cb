//! A sign-in that has begun: what has to come back, sealed, for the browser to keep meanwhile.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::api::key::random_bytes;
use crate::api::sealed::Purpose;

pub(in crate::api) const ATTEMPT: Purpose =
    Purpose { prefix: "pza_", bound_to: b"partner-zones sign-in 1", max_letters: 600 };

/// How long somebody may take.
const LIFETIME: Duration = Duration::minutes(10);

/// Each is random, and known to who began it alone: `state` and `nonce` to the issuer as well.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Attempt {
    pub(in crate::api) state: String,
    pub(super) nonce: String,
    /// Of the code (RFC 7636): whoever sees the answer without it has nothing.
    verifier: String,
    #[serde(with = "time::serde::timestamp")]
    until: OffsetDateTime,
}

impl Attempt {
    pub(in crate::api) fn begin(now: OffsetDateTime) -> Self {
        let random = || URL_SAFE_NO_PAD.encode(random_bytes::<32>());
        Self { state: random(), nonce: random(), verifier: random(), until: now + LIFETIME }
    }

    /// Whether an answer with this state, at this time, is one to it.
    pub(super) fn is_answered_by(&self, state: &str, now: OffsetDateTime) -> bool {
        self.state == state && now < self.until
    }

    pub(super) fn verifier(&self) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.verifier.clone())
    }

    pub(super) fn challenge(&self) -> PkceCodeChallenge {
        PkceCodeChallenge::from_code_verifier_sha256(&self.verifier())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SessionKey;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn an_attempt_is_answered_by_its_own_state_within_ten_minutes() {
        let attempt = Attempt::begin(NOW);
        let last = NOW + LIFETIME - Duration::SECOND;
        assert!(attempt.is_answered_by(&attempt.state, last));
        assert!(!attempt.is_answered_by(&attempt.state, NOW + LIFETIME));
        for state in ["", &attempt.nonce, &Attempt::begin(NOW).state] {
            assert!(!attempt.is_answered_by(state, NOW), "{state}");
        }
    }

    #[test]
    fn what_a_browser_keeps_of_it_shows_none_of_it_and_is_no_session() {
        let (key, attempt) = (SessionKey::random(), Attempt::begin(NOW));
        let sealed = key.seal(&ATTEMPT, &attempt).unwrap();
        for part in [&attempt.state, &attempt.nonce, &attempt.verifier] {
            assert!(part.len() == 43 && !sealed.expose().contains(part.as_str()));
        }
        let opened: Attempt = key.open(&ATTEMPT, sealed.expose()).unwrap();
        assert_eq!(
            (opened.state, opened.nonce, opened.verifier),
            (attempt.state, attempt.nonce, attempt.verifier)
        );
        let as_session = Purpose { bound_to: b"partner-zones session 2", ..ATTEMPT };
        assert!(key.open::<serde_json::Value>(&as_session, sealed.expose()).is_none());
        let sealed = key.seal(&as_session, &Attempt::begin(NOW)).unwrap();
        assert!(key.open::<Attempt>(&ATTEMPT, sealed.expose()).is_none());
    }
}
