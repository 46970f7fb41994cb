//! The reading half.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::super::close::Close;
use super::{Peer, pool};

/// A read is not worth its system call with less room than this.
const SMALLEST_ROOM: usize = 16 << 10;

/// Reads into a pooled buffer as soon as there is something to read.
#[derive(Debug)]
pub(crate) struct Inbound<R> {
    io: R,
    peer: Peer,
    buffer: BytesMut,
    /// Whether the buffer is one of the pool's size, or larger.
    is_large: bool,
}

impl<R: AsyncRead + Unpin> Inbound<R> {
    pub(crate) fn new(io: R, peer: Peer) -> Self {
        Self { io, peer, buffer: BytesMut::new(), is_large: false }
    }

    /// What has arrived and was not taken.
    pub(crate) fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    /// For editing in place before it is passed on.
    pub(crate) fn buffered_mut(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// Takes the front of what has arrived.
    pub(crate) fn take(&mut self, len: usize) -> BytesMut {
        self.buffer.split_to(len.min(self.buffer.len()))
    }

    /// Forgets the front of what has arrived.
    pub(crate) fn skip(&mut self, len: usize) {
        self.buffer.advance(len.min(self.buffer.len()));
    }

    /// Makes room at once for a frame of this length, which the caller has accounted for: it is not copied while it grows.
    pub(crate) fn make_room(&mut self, len: usize) {
        self.buffer.reserve(len.saturating_sub(self.buffer.len()));
        self.is_large = true;
    }

    /// Reads once, inside a frame: that nothing comes, or the end, is a fault.
    pub(crate) async fn more(&mut self, within: Duration) -> Result<(), Close> {
        match (timeout(within, self.fill()).await, self.peer) {
            (Ok(Ok(0)), Peer::Partner) => Err(Close::CutFrame),
            (Ok(Ok(0)), Peer::Broker) => Err(Close::BrokerDone),
            (Ok(read), _) => read.map(drop),
            (Err(_), Peer::Partner) => Err(Close::SlowFrame),
            (Err(_), Peer::Broker) => Err(Close::BrokerGone(io::ErrorKind::TimedOut.into())),
        }
    }

    /// Reads once; 0 means the peer has closed its side. Nothing is lost when the future is dropped.
    ///
    /// The buffer grows with what arrives, never with what a length prefix promises.
    pub(crate) async fn fill(&mut self) -> Result<usize, Close> {
        poll_fn(|context| self.poll_fill(context)).await.map_err(|error| self.peer.gone(error))
    }

    /// Reads until this many bytes are there; false if the peer closes its side before.
    pub(crate) async fn fill_to(&mut self, len: usize) -> Result<bool, Close> {
        while self.buffer.len() < len {
            if self.fill().await? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads and forgets until the peer closes: closing a socket with unread bytes would reset it, and take away an answer
    /// that is still on its way.
    pub(crate) async fn discard(&mut self) {
        loop {
            self.buffer.clear();
            if !matches!(self.fill().await, Ok(read) if read > 0) {
                return;
            }
        }
    }

    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.buffer.capacity() - self.buffer.len() < SMALLEST_ROOM {
            self.grow();
        }
        let read = pin!(self.io.read_buf(&mut self.buffer)).poll(context);
        if read.is_pending() {
            self.shrink();
        }
        read
    }

    fn grow(&mut self) {
        let held = self.buffer.len();
        if held + SMALLEST_ROOM <= pool::SIZE {
            let mut fresh = pool::take();
            fresh.extend_from_slice(&self.buffer);
            pool::give(std::mem::replace(&mut self.buffer, fresh));
        } else {
            self.buffer.reserve(held.max(pool::SIZE));
        }
        self.is_large = true;
    }

    /// While nothing comes, little memory is held: none if there is nothing in it, and never much more than there is.
    fn shrink(&mut self) {
        if self.is_large && self.buffer.len() < pool::SIZE / 4 {
            let few = if self.buffer.is_empty() { BytesMut::new() } else { BytesMut::from(&*self.buffer) };
            pool::give(std::mem::replace(&mut self.buffer, few));
            self.is_large = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_promised_length_reserves_nothing() {
        let (mut far, near) = tokio::io::duplex(64);
        let mut inbound = Inbound::new(near, Peer::Partner);
        far.write_all(&[0x7f, 0xff, 0xff, 0xff, 1]).await.unwrap();
        drop(far);
        assert!(!inbound.fill_to(1 << 30).await.unwrap());
        assert!(inbound.buffer.capacity() <= pool::SIZE);
        assert_eq!(inbound.take(5).as_ref(), [0x7f, 0xff, 0xff, 0xff, 1]);
    }

    #[tokio::test]
    async fn while_nothing_comes_hardly_anything_is_held() {
        let (mut far, near) = tokio::io::duplex(1 << 20);
        let mut inbound = Inbound::new(near, Peer::Partner);
        let waits = async |inbound: &mut Inbound<_>| {
            assert!(timeout(Duration::from_millis(10), inbound.fill()).await.is_err());
        };
        far.write_all(&vec![1; 100_000]).await.unwrap();
        assert!(inbound.fill_to(100_000).await.unwrap());
        inbound.skip(99_000);
        waits(&mut inbound).await;
        assert_eq!((inbound.buffered(), inbound.buffer.capacity()), (&[1; 1_000][..], 1_000));
        inbound.skip(1_000);
        waits(&mut inbound).await;
        assert_eq!(inbound.buffer.capacity(), 0);
    }

    #[tokio::test]
    async fn a_frame_longer_than_a_buffer_arrives_whole() {
        let (mut far, near) = tokio::io::duplex(1 << 20);
        let mut inbound = Inbound::new(near, Peer::Partner);
        let sent: Vec<u8> = (0..=u8::MAX).cycle().take(700_000).collect();
        far.write_all(&sent).await.unwrap();
        assert!(inbound.fill_to(sent.len()).await.unwrap());
        assert_eq!(inbound.take(sent.len()), sent);
    }
}
