//! The login on a broker connection, and its renewal on the same connection when the broker asks for one (KIP-368).

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest};
use kafka_protocol::protocol::{Request, StrBytes};
use rand::RngExt as _;
use tokio::time::Instant;

use super::ClientError;
use crate::kafka::control_shapes::{SASL_AUTHENTICATE_RESPONSE, SASL_HANDSHAKE_RESPONSE};
use crate::kafka::sasl::{self, Credentials, Scram};
use crate::kafka::shape::Shape;
use crate::secret::Secret;

const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const SASL_AUTHENTICATION_FAILED: i16 = 58;
const OAUTHBEARER: &str = "OAUTHBEARER";
/// Characters of a refusal that are repeated.
const TOLD: usize = 200;
/// The part of a session's lifetime after which it is renewed, in percent: drawn anew each time, so that connections opened
/// together do not renew together. A little earlier than Kafka's own clients (85 to 95): a request that is sent before the end and
/// received behind it costs the connection.
const RENEW_AFTER: std::ops::Range<u32> = 80..90;

/// Something that carries requests of ours to a broker: a connection of our own, or one that relays a partner's.
pub trait Link {
    /// Sends one request and waits for its response, which `response` describes.
    fn ask<M: Request>(
        &mut self,
        message: &M,
        version: i16,
        response: &'static Shape,
    ) -> impl Future<Output = Result<M::Response, ClientError>>;
}

/// A login that a broker has accepted.
#[derive(Debug)]
pub struct Session {
    credentials: Credentials,
    token_version: i16,
    /// None: the broker never asks for another login.
    renew_at: Option<Instant>,
}

impl Session {
    /// Logs in. `token_version` is the version of SaslAuthenticate; from 1 on the broker can limit the session.
    pub(crate) async fn open(
        credentials: &Credentials,
        token_version: i16,
        link: &mut impl Link,
    ) -> Result<Self, ClientError> {
        let mut session = Self { credentials: credentials.clone(), token_version, renew_at: None };
        session.log_in(link).await?;
        Ok(session)
    }

    /// Whether the next request should wait for a renewal. A broker takes a renewal after the end of a session too, and cuts
    /// off whoever sends anything else then.
    pub fn is_due(&self, now: Instant) -> bool {
        self.renew_at.is_some_and(|at| at <= now)
    }

    /// Logs in again on the same connection, with the password of now if it is from a file. After an error the connection is of no
    /// further use.
    pub async fn renew(&mut self, link: &mut impl Link) -> Result<(), ClientError> {
        self.credentials = self.credentials.renewed().await;
        self.log_in(link).await
    }

    async fn log_in(&mut self, link: &mut impl Link) -> Result<(), ClientError> {
        let credentials = &self.credentials;
        agree(link, credentials.mechanism.name()).await?;
        // The broker counts from its answer to the last token. To count from before that token was sent is on the safe side.
        let mut sent = Instant::now();
        let last = match credentials.mechanism.scram() {
            None => {
                let message = sasl::plain(&credentials.username, &credentials.password);
                token(link, self.token_version, Bytes::copy_from_slice(message.expose())).await?
            }
            Some(hash) => {
                let scram = Scram::new(hash, &credentials.username);
                let first = token(link, self.token_version, scram.first().into()).await?;
                let (client_final, proof) = credentials.prove(scram.challenged(&first.auth_bytes)?).await?;
                sent = Instant::now();
                let last = token(link, self.token_version, client_final.into()).await?;
                proof.verify(&last.auth_bytes)?;
                last
            }
        };
        self.renew_at = renewal(last.session_lifetime_ms, sent);
        Ok(())
    }
}

/// Logs in by a token (RFC 7628).
pub(super) async fn present(
    bearer: &Secret<String>,
    version: i16,
    link: &mut impl Link,
) -> Result<(), ClientError> {
    agree(link, OAUTHBEARER).await?;
    let message = Secret::new(["n,,\x01auth=Bearer ", bearer.expose(), "\x01\x01"].concat());
    let answer = token(link, version, Bytes::copy_from_slice(message.expose().as_bytes())).await?;
    if answer.auth_bytes.is_empty() {
        return Ok(());
    }
    // A refusal in the mechanism's words. Once that is acknowledged, the broker says it in Kafka's.
    token(link, version, Bytes::from_static(b"\x01")).await?;
    let told = String::from_utf8_lossy(&answer.auth_bytes);
    let reason = told.chars().take(TOLD).flat_map(char::escape_debug).collect();
    Err(ClientError::Authentication { code: SASL_AUTHENTICATION_FAILED, reason })
}

/// Says which mechanism follows.
async fn agree(link: &mut impl Link, mechanism: &'static str) -> Result<(), ClientError> {
    let name = StrBytes::from_static_str(mechanism);
    let handshake = SaslHandshakeRequest::default().with_mechanism(name);
    let answer = link.ask(&handshake, 1, &SASL_HANDSHAKE_RESPONSE).await?;
    match answer.error_code {
        0 => Ok(()),
        UNSUPPORTED_SASL_MECHANISM => {
            let offered = answer.mechanisms.iter().map(|name| name.escape_debug().to_string()).collect();
            Err(ClientError::Mechanism { wanted: mechanism, offered })
        }
        code => Err(ClientError::Refused { api: "SaslHandshake", code }),
    }
}

/// One step of the mechanism.
async fn token(
    link: &mut impl Link,
    version: i16,
    token: Bytes,
) -> Result<SaslAuthenticateResponse, ClientError> {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(token);
    let answer = link.ask(&request, version, &SASL_AUTHENTICATE_RESPONSE).await?;
    if answer.error_code != 0 {
        let reason = answer.error_message.map_or_else(String::new, |text| text.escape_debug().to_string());
        return Err(ClientError::Authentication { code: answer.error_code, reason });
    }
    Ok(answer)
}

/// When to renew a session that was opened then. A lifetime of 0 is none.
fn renewal(lifetime_ms: i64, opened: Instant) -> Option<Instant> {
    let lifetime = u64::try_from(lifetime_ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis)?;
    let part = rand::rng().random_range(RENEW_AFTER);
    // A session that outlives the clock needs no renewal.
    opened.checked_add(lifetime.checked_mul(part)? / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_renewed_shortly_before_its_end_if_it_has_one() {
        let now = Instant::now();
        for _ in 0..50 {
            let after = renewal(10_000, now).unwrap() - now;
            assert!((8_000..9_000).contains(&after.as_millis()), "{after:?}");
        }
        for endless in [0, -1, i64::MIN] {
            assert_eq!(renewal(endless, now), None, "{endless}");
        }
        assert!(renewal(i64::MAX, now).is_none_or(|at| at > now));
    }
}
