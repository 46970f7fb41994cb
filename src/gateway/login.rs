//! A connection before it is authenticated: three APIs, small frames, little time.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};

use super::api::{Refusal, api_versions, sasl_authenticate, sasl_handshake};
use super::close::Close;
use super::sasl;
use super::shared::{Port, Shared};
use super::transport::{Inbound, Outbound};
use super::view::Login;
use crate::kafka::codec;
use crate::kafka::frame::{LENGTH_PREFIX, RequestHeader, ResponseHeader, request_length};

const MECHANISM: &str = "PLAIN";

/// How far a login has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// ApiVersions or SaslHandshake may come.
    Greeting,
    /// PLAIN was agreed on: its token comes next.
    TokenExpected,
}

/// The partner's side of a connection that nobody has logged in to yet.
pub(crate) struct Desk<'a, R, W> {
    pub(crate) shared: &'a Shared,
    pub(crate) port: &'a Port,
    pub(crate) partner_in: &'a mut Inbound<R>,
    pub(crate) partner_out: &'a mut Outbound<W>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Desk<'_, R, W> {
    /// Serves the login until it succeeds. A refusal has been answered when this returns.
    pub(crate) async fn log_in(&mut self) -> Result<Login, Close> {
        let within = self.shared.config.limits.authenticate_within;
        timeout(within, self.converse()).await.unwrap_or(Err(Close::AuthenticationTimeout(within.as_secs())))
    }

    async fn converse(&mut self) -> Result<Login, Close> {
        let mut stage = Stage::Greeting;
        loop {
            let (header, body) = self.next_request().await?;
            match (header.api_key, stage) {
                (key, _) if key == api_versions::REQUEST.api_key => self.api_versions(&header, body).await?,
                (key, Stage::Greeting) if key == sasl_handshake::REQUEST.api_key => {
                    self.handshake(&header, body).await?;
                    stage = Stage::TokenExpected;
                }
                (key, Stage::TokenExpected) if key == sasl_authenticate::REQUEST.api_key => {
                    return self.authenticate(&header, body).await;
                }
                (key, _) => return Err(Close::NotAuthenticated(key)),
            }
        }
    }

    async fn next_request(&mut self) -> Result<(RequestHeader, Bytes), Close> {
        if self.partner_in.buffered().is_empty() && self.partner_in.fill().await? == 0 {
            return Err(Close::PartnerDone);
        }
        self.need(LENGTH_PREFIX).await?;
        let prefix: [u8; LENGTH_PREFIX] =
            self.partner_in.buffered().first_chunk().copied().unwrap_or_default();
        if matches!(prefix, [0x16, 0x03, ..]) {
            return Err(Close::TlsOnPlainPort);
        }
        let len = request_length(prefix, self.shared.config.limits.unauthenticated_frame)?;
        self.need(LENGTH_PREFIX + len).await?;
        let frame = self.partner_in.take(LENGTH_PREFIX + len).split_off(LENGTH_PREFIX);
        let Some((header, body_at)) = RequestHeader::read(&frame, len, is_flexible)? else {
            return Err(Close::CutFrame);
        };
        Ok((header, frame.freeze().slice(body_at..)))
    }

    async fn need(&mut self, len: usize) -> Result<(), Close> {
        if self.partner_in.fill_to(len).await? { Ok(()) } else { Err(Close::CutFrame) }
    }

    async fn api_versions(&mut self, header: &RequestHeader, body: Bytes) -> Result<(), Close> {
        let common = Arc::clone(self.shared.view().versions_at(self.port));
        if common.is_empty() {
            return Err(Close::NotReady);
        }
        let answer = if api_versions::VERSIONS.contains(header.version) {
            api_versions::answer(header.version, body, &common)
        } else {
            api_versions::unsupported()
        };
        let answer = answer.map_err(|refusal| Close::Refused { name: "ApiVersions", refusal })?;
        self.reply(ResponseHeader::V0, header, &answer).await
    }

    /// Only PLAIN is on offer; a client that wants something else is told so.
    async fn handshake(&mut self, header: &RequestHeader, body: Bytes) -> Result<(), Close> {
        let request: SaslHandshakeRequest = decode(&sasl_handshake::REQUEST, header.version, body)?;
        let refusal = if header.version == 0 {
            Some((ResponseError::UnsupportedVersion, Close::OldHandshake))
        } else if request.mechanism.as_str() == MECHANISM {
            None
        } else {
            self.shared.metrics.authenticated("unsupported_mechanism");
            Some((ResponseError::UnsupportedSaslMechanism, Close::Mechanism))
        };
        let code = refusal.as_ref().map_or(0, |(error, _)| error.code());
        let response = SaslHandshakeResponse::default()
            .with_error_code(code)
            .with_mechanisms(vec![StrBytes::from_static_str(MECHANISM)]);
        let body = encode(&response, &sasl_handshake::RESPONSE, header.version)?;
        self.reply(ResponseHeader::V0, header, &body).await?;
        refusal.map_or(Ok(()), |(_, close)| Err(close))
    }

    /// Every failure looks and takes the same: unknown user, wrong secret, expired credential, malformed message.
    async fn authenticate(&mut self, header: &RequestHeader, body: Bytes) -> Result<Login, Close> {
        let request: SaslAuthenticateRequest = decode(&sasl_authenticate::REQUEST, header.version, body)?;
        let view = self.shared.view();
        if view.sequence.is_none() {
            return Err(Close::NotReady);
        }
        let login =
            sasl::authenticate(&view, self.port.zone(), &request.auth_bytes, OffsetDateTime::now_utc());
        let response = match &login {
            // RFC 4616: the server's message is empty. A session lifetime of 0 is "no re-authentication" (KIP-368).
            Some(_) => SaslAuthenticateResponse::default(),
            None => SaslAuthenticateResponse::default()
                .with_error_code(ResponseError::SaslAuthenticationFailed.code())
                .with_error_message(Some(StrBytes::from_static_str(
                    "Authentication failed: Invalid username or password",
                ))),
        };
        if login.is_none() {
            sleep(self.shared.config.limits.failed_login_delay).await;
        }
        self.shared.metrics.authenticated(if login.is_some() { "success" } else { "failure" });
        let body = encode(&response, &sasl_authenticate::RESPONSE, header.version)?;
        let reply = ResponseHeader::of(&sasl_authenticate::RESPONSE, header.version);
        self.reply(reply, header, &body).await?;
        login.ok_or(Close::AuthenticationFailed)
    }

    async fn reply(&mut self, reply: ResponseHeader, to: &RequestHeader, body: &[u8]) -> Result<(), Close> {
        let mut frame = BytesMut::new();
        reply.put(&mut frame, to.correlation_id, body.len())?;
        frame.extend_from_slice(body);
        self.partner_out.push(&frame).await?;
        self.partner_out.flush().await
    }
}

/// Header v2 among the three APIs of a login. ApiVersions stays flexible in versions we do not have.
fn is_flexible(key: i16, version: i16) -> bool {
    [&api_versions::REQUEST, &sasl_handshake::REQUEST, &sasl_authenticate::REQUEST]
        .iter()
        .any(|shape| shape.api_key == key && shape.is_flexible(version))
}

fn decode<M: kafka_protocol::protocol::Decodable>(
    shape: &'static crate::kafka::shape::Shape,
    version: i16,
    body: Bytes,
) -> Result<M, Close> {
    codec::decode(shape, version, body)
        .map_err(|_| Close::Refused { name: shape.name, refusal: Refusal::MalformedRequest })
}

fn encode<M: kafka_protocol::protocol::Encodable>(
    message: &M,
    shape: &'static crate::kafka::shape::Shape,
    version: i16,
) -> Result<Bytes, Close> {
    codec::encode(message, version)
        .map_err(|_| Close::Refused { name: shape.name, refusal: Refusal::Unencodable })
}

#[cfg(test)]
mod tests;
