//! A connection before it is authenticated: three APIs, small frames, little time.

mod certificate;
mod dialogue;
mod identity;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

pub(crate) use self::dialogue::Dialogue;
pub(crate) use self::identity::Identity;
use super::api::{api_versions, sasl_authenticate, sasl_handshake};
use super::close::Close;
use super::inflight::response_frame;
use super::proxied;
use super::shared::{Port, Shared};
use super::tls::Chain;
use super::transport::{Inbound, Outbound};
use super::view::Login;
use crate::kafka::frame::{LENGTH_PREFIX, RequestHeader, ResponseHeader, request_length};

/// The partner's side of a connection that nobody has logged in to yet.
pub(crate) struct Desk<'a, R, W> {
    pub(crate) shared: &'a Shared,
    pub(crate) port: &'a Port,
    /// Where the connection came from.
    pub(crate) address: IpAddr,
    /// What the client has shown in the TLS handshake.
    pub(crate) certificate: Option<Arc<Chain>>,
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
        let mut dialogue = Dialogue::new(self.address);
        loop {
            if let Some(login) = self.by_certificate(&dialogue).await? {
                return Ok(login);
            }
            let (header, body) = self.next_request().await?;
            let (response, reply) = match header.api_key {
                key if key == api_versions::REQUEST.api_key => {
                    self.api_versions(&header, body).await?;
                    continue;
                }
                key if key == sasl_handshake::REQUEST.api_key && !dialogue.wants_token() => {
                    dialogue.stands_beside(certificate::beside_sasl(self.shared, self.certificate.as_ref())?);
                    (&sasl_handshake::RESPONSE, dialogue.handshake(self.shared, &header, body)?)
                }
                key if key == sasl_authenticate::REQUEST.api_key && dialogue.wants_token() => (
                    &sasl_authenticate::RESPONSE,
                    dialogue.token(self.shared, self.port, &header, body).await?,
                ),
                key => return Err(Close::NotAuthenticated(key)),
            };
            self.reply(ResponseHeader::of(response, header.version), &header, &reply.body).await?;
            if let Some(login) = reply.then? {
                return Ok(login);
            }
        }
    }

    /// The certificate's login, if there is one and the next request is none that could begin another: as on a broker's SSL
    /// listener, no request asks for it. The request waits until it is served.
    async fn by_certificate(&mut self, dialogue: &Dialogue) -> Result<Option<Login>, Close> {
        let Some(chain) = self.certificate.clone().filter(|_| !dialogue.wants_token()) else {
            return Ok(None);
        };
        self.next_prefix().await?;
        self.need(LENGTH_PREFIX + size_of::<i16>()).await?;
        let key = self.partner_in.buffered().get(LENGTH_PREFIX..).and_then(<[u8]>::first_chunk).copied();
        let key = i16::from_be_bytes(key.unwrap_or_default());
        if [api_versions::REQUEST.api_key, sasl_handshake::REQUEST.api_key].contains(&key) {
            return Ok(None);
        }
        certificate::log_in(self.shared, self.port, self.address, chain).await.map(Some)
    }

    async fn next_prefix(&mut self) -> Result<[u8; LENGTH_PREFIX], Close> {
        if self.partner_in.buffered().is_empty() && self.partner_in.fill().await? == 0 {
            return Err(Close::PartnerDone);
        }
        self.need(LENGTH_PREFIX).await?;
        let prefix: [u8; LENGTH_PREFIX] =
            self.partner_in.buffered().first_chunk().copied().unwrap_or_default();
        if matches!(prefix, [0x16, 0x03, ..]) {
            return Err(Close::TlsOnPlainPort);
        }
        if proxied::is_header(&prefix) {
            return Err(Close::UnexpectedProxyHeader);
        }
        Ok(prefix)
    }

    async fn next_request(&mut self) -> Result<(RequestHeader, Bytes), Close> {
        let prefix = self.next_prefix().await?;
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
        let offer = Arc::clone(self.shared.view().common_offer());
        if offer.versions.is_empty() {
            return Err(Close::NotReady);
        }
        let answer = if api_versions::VERSIONS.contains(header.version) {
            api_versions::answer(header.version, body, &offer)
        } else {
            api_versions::unsupported()
        };
        let answer = answer.map_err(|refusal| Close::Refused { name: "ApiVersions", refusal })?;
        self.reply(ResponseHeader::V0, header, &answer).await
    }

    async fn reply(&mut self, reply: ResponseHeader, to: &RequestHeader, body: &[u8]) -> Result<(), Close> {
        let frame = response_frame(reply, to.correlation_id, body)?;
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

#[cfg(test)]
mod tests;
