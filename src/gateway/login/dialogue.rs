//! The two login APIs as one conversation, on a new connection and on one that logs in again (KIP-368).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use time::OffsetDateTime;
use tokio::time::sleep;

use super::super::api::{Refusal, sasl_authenticate, sasl_handshake};
use super::super::close::Close;
use super::super::gate::network;
use super::super::guesses::Failure;
use super::super::sasl::{Attempt, INVALID_TOKEN, Method, Step};
use super::super::shared::{Port, Shared};
use super::super::view::{Beside, GatewayView, Login, Origin};
use crate::kafka::codec;
use crate::kafka::frame::RequestHeader;
use crate::kafka::shape::Shape;
use crate::sasl::Mechanism;

/// A login under way.
#[derive(Debug)]
pub(crate) struct Dialogue {
    /// Where the connection came from.
    address: IpAddr,
    /// None before the handshake.
    agreed: Option<(Method, Attempt)>,
    /// The certificate that has to be good beside whatever is proved.
    beside: Option<Beside>,
    /// Who the connection belongs to already.
    before: Option<Arc<Login>>,
}

/// A response body, and what follows once it is sent: more requests of the login (`None`), its success or its refusal.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) body: Bytes,
    pub(crate) then: Result<Option<Login>, Close>,
}

impl Dialogue {
    /// On a new connection from there.
    pub(crate) fn new(address: IpAddr) -> Self {
        Self { address, agreed: None, beside: None, before: None }
    }

    /// On a connection that belongs to this login: another one must be for the same zone by the same mechanism, and stands beside
    /// the same certificate.
    pub(crate) fn again(before: Arc<Login>) -> Self {
        Self { address: before.address, agreed: None, beside: before.beside.clone(), before: Some(before) }
    }

    /// From now on a login is good as long as this certificate is.
    pub(super) fn stands_beside(&mut self, certificate: Option<Beside>) {
        self.beside = certificate;
    }

    /// Whether the handshake is over, so that a token comes next.
    pub(crate) fn wants_token(&self) -> bool {
        self.agreed.is_some()
    }

    /// SaslHandshake. A mechanism that is not there is answered with those that are.
    pub(crate) fn handshake(
        &mut self,
        shared: &Shared,
        header: &RequestHeader,
        body: Bytes,
    ) -> Result<Reply, Close> {
        let request: SaslHandshakeRequest = decode(&sasl_handshake::REQUEST, header.version, body)?;
        let offered: Vec<Method> = Method::offered(&shared.issuers).collect();
        let wanted = offered.iter().find(|known| known.name() == request.mechanism.as_str()).copied();
        let refusal = match wanted {
            _ if header.version == 0 => Some((ResponseError::UnsupportedVersion, Close::OldHandshake)),
            Some(method) => {
                let attempt = match method {
                    Method::Secret(mechanism) => Attempt::new(mechanism),
                    Method::Token => Attempt::Bearer(Arc::clone(&shared.issuers)),
                };
                self.agreed = Some((method, attempt));
                None
            }
            None => {
                shared.metrics.authenticated("unsupported_mechanism");
                Some((ResponseError::UnsupportedSaslMechanism, Close::Mechanism))
            }
        };
        let offered = offered.into_iter().map(|method| StrBytes::from_static_str(method.name()));
        let response = SaslHandshakeResponse::default()
            .with_error_code(refusal.as_ref().map_or(0, |(error, _)| error.code()))
            .with_mechanisms(offered.collect());
        let body = encode(&response, &sasl_handshake::RESPONSE, header.version)?;
        Ok(Reply { body, then: refusal.map_or(Ok(None), |(_, close)| Err(close)) })
    }

    /// SaslAuthenticate, after a handshake. Every failure of a mechanism looks and takes the same: unknown user, wrong secret,
    /// expired credential, malformed message.
    pub(crate) async fn token(
        &mut self,
        shared: &Shared,
        port: &Port,
        header: &RequestHeader,
        body: Bytes,
    ) -> Result<Reply, Close> {
        let request: SaslAuthenticateRequest = decode(&sasl_authenticate::REQUEST, header.version, body)?;
        let (method, attempt) =
            self.agreed.take().ok_or(Close::LoginOutOfOrder(sasl_authenticate::REQUEST.name))?;
        attempt.prepare(&request.auth_bytes).await;
        let view = shared.view();
        if view.sequence.is_none() {
            return Err(Close::NotReady);
        }
        let now = OffsetDateTime::now_utc();
        let claimed = attempt.claimed(&request.auth_bytes);
        let origin = Origin { address: self.address, zone: port.zone() };
        let (response, then) = match attempt.advance(&view, origin, &request.auth_bytes, now) {
            Step::Challenge(text, attempt) => {
                self.agreed = Some((method, attempt));
                (SaslAuthenticateResponse::default().with_auth_bytes(text.into()), Ok(None))
            }
            Step::Accepted(last, login) => {
                if let Some(reason) = self.changed(method, &login) {
                    (refused(reason), Err(Close::OtherIdentity))
                } else {
                    let login = login.with(self.beside.clone());
                    (accepted(last, &login, header.version, now), Ok(Some(login)))
                }
            }
            Step::Refused => (refused(reason(method)), Err(Close::AuthenticationFailed)),
        };
        if then.is_err() {
            sleep(self.refusal_waits(shared, &view, claimed.as_deref(), now)).await;
        }
        match &then {
            Ok(None) => {}
            Ok(Some(_)) if self.before.is_some() => shared.metrics.authenticated("renewed"),
            Ok(Some(_)) => shared.metrics.authenticated("success"),
            Err(_) => shared.metrics.authenticated("failure"),
        }
        Ok(Reply { body: encode(&response, &sasl_authenticate::RESPONSE, header.version)?, then })
    }

    /// Counts a login that failed. Who failed before, and whose name was tried before, waits longer to hear of it.
    fn refusal_waits(
        &self,
        shared: &Shared,
        view: &GatewayView,
        user: Option<&str>,
        now: OffsetDateTime,
    ) -> Duration {
        let zone = user.and_then(|user| view.zone_of(user));
        let wait = shared.guesses.failed(Failure { network: network(self.address), user, zone }, now);
        if !wait.is_zero() {
            shared.metrics.slowed_logins.inc();
        }
        wait.max(shared.config.limits.failed_login_delay)
    }

    /// What another login on the same connection may not change. The zone is the identity: another credential of it will do.
    /// The connection to the broker stays, so that a zone which has just moved to another cluster is another one here.
    fn changed(&self, method: Method, login: &Login) -> Option<&'static str> {
        let before = self.before.as_ref()?;
        if !before.proof.is_by(method) {
            return Some("Cannot change SASL mechanisms during re-authentication");
        }
        let same = before.zone.id == login.zone.id && before.zone.cluster == login.zone.cluster;
        (!same).then_some("Cannot change principals during re-authentication")
    }
}

fn accepted(last: Vec<u8>, login: &Login, version: i16, now: OffsetDateTime) -> SaslAuthenticateResponse {
    let lifetime = if version == 0 { 0 } else { lifetime_ms(login, now) };
    SaslAuthenticateResponse::default().with_auth_bytes(last.into()).with_session_lifetime_ms(lifetime)
}

/// How long until a client should log in again. A session ends with its credential, or with the certificate beside it, and 0 is
/// "never" (KIP-368).
fn lifetime_ms(login: &Login, now: OffsetDateTime) -> i64 {
    // Some clients count milliseconds in 32 bits, Java's counts nanoseconds in 64.
    let longest = i64::from(i32::MAX);
    let left = login.expires_at.map(|at| i64::try_from((at - now).whole_milliseconds()).unwrap_or(longest));
    left.map_or(0, |ms| ms.clamp(1, longest))
}

fn refused(reason: &'static str) -> SaslAuthenticateResponse {
    SaslAuthenticateResponse::default()
        .with_error_code(ResponseError::SaslAuthenticationFailed.code())
        .with_error_message(Some(StrBytes::from_static_str(reason)))
}

/// In the words of Kafka's brokers, which people search for.
fn reason(method: Method) -> &'static str {
    match method {
        Method::Token => INVALID_TOKEN,
        Method::Secret(Mechanism::Plain) => "Authentication failed: Invalid username or password",
        Method::Secret(Mechanism::ScramSha256) => {
            "Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256"
        }
        Method::Secret(Mechanism::ScramSha512) => {
            "Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512"
        }
    }
}

fn decode<M: Decodable>(shape: &'static Shape, version: i16, body: Bytes) -> Result<M, Close> {
    codec::decode(shape, version, body)
        .map_err(|_| Close::Refused { name: shape.name, refusal: Refusal::MalformedRequest })
}

fn encode<M: Encodable>(message: &M, shape: &'static Shape, version: i16) -> Result<Bytes, Close> {
    codec::encode(message, version)
        .map_err(|_| Close::Refused { name: shape.name, refusal: Refusal::Unencodable })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::super::fixture::{KEY_ID, LOCAL, SECRET, shared, zone};
    use super::super::super::sasl::plain;
    use super::*;
    use crate::gateway::Limits;
    use crate::policy::{ServedZone, ZoneView};
    use crate::zone::ClusterName;

    #[test]
    fn a_session_lasts_as_long_as_its_credential_in_a_number_that_every_client_can_hold() {
        let (shared, _views) = shared(Limits::default());
        let now = OffsetDateTime::UNIX_EPOCH;
        let message = format!("\0{KEY_ID}\0{SECRET}");
        let login = plain::authenticate(&shared.view(), LOCAL, message.as_bytes(), now).unwrap();
        let lifetime = |expires_at| lifetime_ms(&Login { expires_at, ..login.clone() }, now);
        let after = |ms| Some(now + time::Duration::milliseconds(ms));
        assert_eq!(lifetime(None), 0);
        assert_eq!(lifetime(after(10_000)), 10_000);
        assert_eq!(lifetime(after(-5)), 1, "0 would mean for ever");
        assert_eq!(lifetime(after(i64::from(i32::MAX) * 1000)), i64::from(i32::MAX));
    }

    #[test]
    fn a_zone_that_moved_to_another_cluster_does_not_go_on_over_the_old_ones_connection() {
        let (shared, _views) = shared(Limits::default());
        let message = format!("\0{KEY_ID}\0{SECRET}");
        let now = OffsetDateTime::UNIX_EPOCH;
        let before = plain::authenticate(&shared.view(), LOCAL, message.as_bytes(), now).unwrap();
        let on = |cluster: &str| {
            let served = ServedZone { cluster: ClusterName::try_from(cluster).unwrap(), ..zone("acme", &[]) };
            Login { zone: Arc::new(ZoneView::new(&served, &HashMap::new())), ..before.clone() }
        };
        let dialogue = Dialogue::again(Arc::new(before.clone()));
        assert_eq!(dialogue.changed(Method::Secret(Mechanism::Plain), &on("default")), None);
        assert!(dialogue.changed(Method::Secret(Mechanism::Plain), &on("another")).is_some());
    }
}
