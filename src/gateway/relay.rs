//! Large bodies pass as they arrive: one chunk in memory, whatever the frame's length.
//!
//! A Produce request of one topic, and a Fetch response with topic ids or about one topic by name, can be edited in place, once
//! their first bytes have decided that they may pass at all. Everything else is held as a whole, under the process-wide budget.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::time::Instant;

use super::close::Close;
use super::transport::Inbound;
use crate::kafka::stream::StreamError;

/// The rest of a body on its way through.
pub(crate) struct Passing<'a, R> {
    from: &'a mut Inbound<R>,
    /// Bytes of the body that have not passed yet, those of the current chunk included.
    left: usize,
    chunk: usize,
    /// How long the sender may keep us waiting for its next bytes.
    stall: Duration,
    /// When all of it has to have come.
    due: Option<Instant>,
}

/// Why a body does not pass to its end.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The connection it comes from.
    Connection(Close),
    /// What has arrived of it, or that all of it has and it is not complete.
    Body(Option<StreamError>),
}

impl<'a, R: AsyncRead + Unpin> Passing<'a, R> {
    /// `left` bytes of a body follow in `from`.
    pub(crate) fn new(from: &'a mut Inbound<R>, left: usize, stall: Duration) -> Self {
        Self { from, left, chunk: 0, stall, due: None }
    }

    /// With a moment at which all of it is due: a sender of one byte now and then is never silent for long.
    pub(crate) fn due(self, at: Instant) -> Self {
        Self { due: Some(at), ..self }
    }

    /// Drops the current chunk and waits until `edit` releases the next one. False at the end of the body.
    pub(crate) async fn advance(
        &mut self,
        mut edit: impl FnMut(&mut [u8]) -> Result<usize, StreamError>,
    ) -> Result<bool, Broken> {
        self.from.skip(self.chunk);
        self.left -= self.chunk;
        self.chunk = 0;
        loop {
            let here = self.left.min(self.from.buffered().len());
            let unread = self.from.buffered_mut().get_mut(..here).unwrap_or_default();
            self.chunk = edit(unread).map_err(|error| Broken::Body(Some(error)))?;
            if self.chunk > 0 {
                return Ok(true);
            }
            match self.left {
                0 => return Ok(false),
                left if left == here => return Err(Broken::Body(None)),
                _ => self.from.more(self.patience()).await.map_err(Broken::Connection)?,
            }
        }
    }

    fn patience(&self) -> Duration {
        let left = self.due.map(|due| due.saturating_duration_since(Instant::now()));
        left.map_or(self.stall, |left| left.min(self.stall))
    }

    /// What may pass now.
    pub(crate) fn chunk(&self) -> &[u8] {
        self.from.buffered().get(..self.chunk).unwrap_or_default()
    }

    /// Takes the last chunk out, to wait for company on its way: what follows it is likely here too.
    pub(crate) fn take_last(&mut self) -> Option<Bytes> {
        if !self.is_last() {
            return None;
        }
        let last = self.from.take(self.chunk).freeze();
        (self.left, self.chunk) = (0, 0);
        Some(last)
    }

    /// Whether nothing follows the current chunk.
    pub(crate) fn is_last(&self) -> bool {
        self.left == self.chunk
    }
}
