//! What unanswered requests leave in memory is bounded, per connection and in the process.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;

use super::super::api;
use super::super::budget::Reservation;
use super::super::close::Close;
use super::super::inflight::{InFlight, Kept, response_frame};
use super::super::traffic::throttle_time;
use super::{Incoming, RequestLoop, owe};
use crate::kafka::frame::ResponseHeader;

/// How much memory a large request's whole frame is worth, in frames: what is read and what is written from it.
const COPIES: usize = 2;
/// The same for requests that are all structure: a decoded element takes many times its bytes on the wire.
const STRUCTURE: usize = 16;

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> RequestLoop<'_, R, W> {
    /// Room in the process for a request that has to be read as a whole, if it is large.
    pub(super) async fn room(&mut self, request: &Incoming) -> Result<Option<Reservation>, Close> {
        let worth = if request.entry.key() != api::produce::REQUEST.api_key {
            STRUCTURE
        } else if self.moment()?.0.headers.add_on_produce.is_empty() {
            COPIES
        } else {
            self.seat.edited_worth(request.frame_len)
        };
        self.reserve(request.frame_len, worth).await
    }

    async fn reserve(&mut self, len: usize, worth: usize) -> Result<Option<Reservation>, Close> {
        if len <= self.shared.config.limits.small_frame {
            return Ok(None);
        }
        // What waits to be sent must not wait for room as well.
        self.broker.flush().await?;
        self.seat.reserve(len * worth).await.map(Some).map_err(|_| Close::BudgetExhausted)
    }

    /// What stays here of a request of `whole` bytes, `sent` of which go to the broker.
    pub(super) async fn keep_rest(
        &mut self,
        request: &Incoming,
        whole: usize,
        sent: usize,
        room: Option<Reservation>,
    ) -> Result<Kept, Close> {
        let of_connection = self.share(whole.saturating_sub(sent)).await?;
        // Records have gone when the request has, and a broker may take its time to acknowledge them.
        let of_process = room.filter(|_| request.entry.key() != api::produce::REQUEST.api_key);
        Ok(Kept::new(of_connection, of_process))
    }

    /// Queues an answer that is given here, behind all that the partner is owed.
    pub(super) async fn answer(&mut self, request: &Incoming, body: &[u8]) -> Result<(), Close> {
        let header = ResponseHeader::of(request.entry.response, request.header.version);
        let (response, version) = (request.entry.response, request.header.version);
        let told =
            self.pace.throttle_time().and_then(|ms| throttle_time::in_answer(response, version, body, ms));
        let body = told.as_deref().unwrap_or(body);
        let frame = response_frame(header, request.header.correlation_id, body)?;
        let of_connection = self.share(frame.len()).await?;
        let of_process = self.reserve(frame.len(), 1).await?;
        owe(&self.owed, self.broker, InFlight::Ready { frame, kept: Kept::new(of_connection, of_process) })
            .await
    }

    /// Waits until this connection may keep so much more: the partner has to read what it asked for first.
    async fn share(&mut self, len: usize) -> Result<OwnedSemaphorePermit, Close> {
        let len = u32::try_from(len.min(self.shared.config.limits.kept)).unwrap_or(u32::MAX);
        if let Ok(permit) = Arc::clone(&self.kept).try_acquire_many_owned(len) {
            return Ok(permit);
        }
        self.broker.flush().await?;
        Arc::clone(&self.kept).acquire_many_owned(len).await.map_err(|_| Close::BrokerDone)
    }
}
