//! Logins on a connection that has one: the partner's with us, and ours with the broker (KIP-368).

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::super::api;
use super::super::close::Close;
use super::super::inflight::{InFlight, Own};
use super::super::login::Dialogue;
use super::super::transport::Outbound;
use super::super::upstream::CLIENT_ID;
use super::{Incoming, RequestLoop, is_api_versions, owe};
use crate::kafka::client::{ClientError, Link};
use crate::kafka::codec;
use crate::kafka::frame::RequestHeader;
use crate::kafka::shape::Shape;

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> RequestLoop<'_, R, W> {
    /// Whether the request belongs to a login. In the middle of one nothing else is served, as a broker does, so that no request
    /// stands between two identities; ApiVersions reveals nothing.
    pub(super) fn is_of_login(&self, request: &Incoming) -> Result<bool, Close> {
        if is_login(request) {
            return Ok(true);
        }
        if self.dialogue.is_some() && !is_api_versions(request.entry) {
            return Err(Close::LoginOutOfOrder(request.entry.name()));
        }
        Ok(false)
    }

    /// Takes one request of a login. Its answer waits behind all that the partner is owed.
    pub(super) async fn log_in_again(&mut self, request: &Incoming, body: Bytes) -> Result<(), Close> {
        let is_handshake = request.entry.key() == api::sasl_handshake::REQUEST.api_key;
        if self.dialogue.as_ref().map_or(!is_handshake, |dialogue| is_handshake == dialogue.wants_token()) {
            return self.refuse_out_of_order(request, body).await;
        }
        let mut dialogue = self.dialogue.take().unwrap_or_else(|| Dialogue::again(self.identity.login()));
        let reply = if is_handshake {
            dialogue.handshake(self.shared, &request.header, body)?
        } else {
            dialogue.token(self.shared, self.port, &request.header, body).await?
        };
        self.answer(request, &reply.body).await?;
        match reply.then? {
            Some(login) => {
                tracing::debug!(user = login.user, proof = %login.proof, "partner logged in again");
                self.used.renewed(&login);
                self.identity.renew(login);
            }
            None => self.dialogue = Some(dialogue),
        }
        Ok(())
    }

    /// A token without a handshake is answered with an error and forgiven, a handshake in the middle of a login is not: both as
    /// brokers do.
    async fn refuse_out_of_order(&mut self, request: &Incoming, body: Bytes) -> Result<(), Close> {
        let outcome = self.handle(request, body)?;
        self.carry_out(request, outcome, None).await?;
        if self.dialogue.is_some() { Err(Close::LoginOutOfOrder(request.entry.name())) } else { Ok(()) }
    }

    /// Logs in to the broker again if its session is about to end. Nothing is forwarded meanwhile.
    pub(super) async fn renew_session(&mut self) -> Result<(), Close> {
        let due = |session: &mut crate::kafka::client::Session| session.is_due(Instant::now());
        let Some(mut session) = self.session.take_if(due) else { return Ok(()) };
        let mut link = Queued { owed: &self.owed, broker: self.broker };
        Box::pin(session.renew(&mut link)).await.map_err(|error| Close::Renewal(error.to_string()))?;
        tracing::debug!("logged in to the broker again");
        self.session = Some(session);
        Ok(())
    }
}

/// SaslHandshake or SaslAuthenticate.
pub(super) fn is_login(request: &Incoming) -> bool {
    [api::sasl_handshake::REQUEST.api_key, api::sasl_authenticate::REQUEST.api_key]
        .contains(&request.entry.key())
}

/// Requests of our own among the partner's: each stands in the queue behind those that the broker still owes an answer.
struct Queued<'a, W> {
    owed: &'a mpsc::Sender<Box<InFlight>>,
    broker: &'a mut Outbound<W>,
}

impl<W: AsyncWrite + Unpin> Link for Queued<'_, W> {
    async fn ask<M: Request>(
        &mut self,
        message: &M,
        version: i16,
        response: &'static Shape,
    ) -> Result<M::Response, ClientError> {
        let body = codec::encode(message, version)?;
        let header = RequestHeader {
            api_key: M::KEY,
            version,
            correlation_id: Own::CORRELATION_ID,
            client_id: Some(CLIENT_ID.to_owned()),
        };
        let mut head = BytesMut::with_capacity(64);
        header.put(&mut head, M::header_version(version) >= 2, body.len())?;
        let (answer, answered) = oneshot::channel();
        let lost = |_| ClientError::Closed;
        owe(self.owed, self.broker, InFlight::Own(Own { response, version, answer })).await.map_err(lost)?;
        self.broker.push(&head).await.map_err(lost)?;
        self.broker.push(&body).await.map_err(lost)?;
        self.broker.flush().await.map_err(lost)?;
        let body = answered.await.map_err(|_| ClientError::Closed)?;
        Ok(codec::decode_lenient(response, version, body)?)
    }
}
