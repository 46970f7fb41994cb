//! The two halves of a connection, buffered: large reads, coalesced writes, and no wait without an end.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::close::Close;

/// Who is at the other end of a half: decides what its failure is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Partner,
    Broker,
}

impl Peer {
    fn gone(self, error: io::Error) -> Close {
        match self {
            Self::Partner => Close::PartnerGone(error),
            Self::Broker => Close::BrokerGone(error),
        }
    }
}

/// An idle connection holds no more than this per direction.
const SMALLEST_READ: usize = 4 << 10;
const LARGEST_READ: usize = 128 << 10;
/// Small frames are collected up to this size before they are written.
const COALESCE: usize = 32 << 10;

/// The reading half.
#[derive(Debug)]
pub(crate) struct Inbound<R> {
    io: R,
    peer: Peer,
    buffer: BytesMut,
    read_size: usize,
}

impl<R: AsyncRead + Unpin> Inbound<R> {
    pub(crate) fn new(io: R, peer: Peer) -> Self {
        Self { io, peer, buffer: BytesMut::new(), read_size: SMALLEST_READ }
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
        self.buffer.reserve(self.read_size);
        let room = self.buffer.capacity() - self.buffer.len();
        let read = self.io.read_buf(&mut self.buffer).await.map_err(|error| self.peer.gone(error))?;
        if read == room {
            self.read_size = (self.read_size * 4).min(LARGEST_READ);
        }
        Ok(read)
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
}

/// The writing half.
#[derive(Debug)]
pub(crate) struct Outbound<W> {
    io: W,
    peer: Peer,
    pending: BytesMut,
    stall: Duration,
}

impl<W: AsyncWrite + Unpin> Outbound<W> {
    /// `stall` is how long a write may make no progress.
    pub(crate) fn new(io: W, peer: Peer, stall: Duration) -> Self {
        Self { io, peer, pending: BytesMut::new(), stall }
    }

    /// Sends small pieces together with what follows, large ones at once. Nothing is sure to be sent before [`Self::flush`].
    pub(crate) async fn push(&mut self, bytes: &[u8]) -> Result<(), Close> {
        if bytes.len() < COALESCE {
            self.pending.extend_from_slice(bytes);
            return if self.pending.len() < COALESCE { Ok(()) } else { self.flush().await };
        }
        self.flush().await?;
        write_all(&mut self.io, bytes, self.stall, self.peer).await
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Close> {
        if self.pending.is_empty() {
            return Ok(());
        }
        write_all(&mut self.io, &self.pending, self.stall, self.peer).await?;
        self.pending.clear();
        Ok(())
    }

    /// Sends what is pending and closes this direction; the other one stays open.
    pub(crate) async fn finish(&mut self) -> Result<(), Close> {
        self.flush().await?;
        self.io.shutdown().await.map_err(|error| self.peer.gone(error))
    }
}

async fn write_all<W: AsyncWrite + Unpin>(
    io: &mut W,
    mut bytes: &[u8],
    stall: Duration,
    peer: Peer,
) -> Result<(), Close> {
    while !bytes.is_empty() {
        let written = timeout(stall, io.write(bytes))
            .await
            .map_err(|_| Close::WriteStalled(stall.as_secs()))?
            .map_err(|error| peer.gone(error))?;
        if written == 0 {
            return Err(peer.gone(io::ErrorKind::WriteZero.into()));
        }
        bytes.advance(written);
    }
    // A TLS session may have taken what it could not send yet; a plain socket has nothing to do here.
    timeout(stall, io.flush())
        .await
        .map_err(|_| Close::WriteStalled(stall.as_secs()))?
        .map_err(|error| peer.gone(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_promised_length_reserves_nothing() {
        let (mut far, near) = tokio::io::duplex(64);
        let mut inbound = Inbound::new(near, Peer::Partner);
        far.write_all(&[0x7f, 0xff, 0xff, 0xff, 1]).await.unwrap();
        drop(far);
        assert!(!inbound.fill_to(1 << 30).await.unwrap());
        assert!(inbound.buffer.capacity() <= 2 * SMALLEST_READ);
        assert_eq!(inbound.take(5).as_ref(), [0x7f, 0xff, 0xff, 0xff, 1]);
    }

    #[tokio::test]
    async fn small_pieces_leave_together_and_order_is_kept_around_a_large_one() {
        let (mut far, near) = tokio::io::duplex(1 << 20);
        let mut outbound = Outbound::new(near, Peer::Broker, Duration::from_secs(5));
        outbound.push(b"ab").await.unwrap();
        outbound.push(b"cd").await.unwrap();
        assert!(!outbound.pending.is_empty());
        outbound.push(&vec![b'x'; COALESCE]).await.unwrap();
        outbound.push(b"ef").await.unwrap();
        outbound.finish().await.unwrap();
        let mut all = Vec::new();
        far.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, [b"abcd".to_vec(), vec![b'x'; COALESCE], b"ef".to_vec()].concat());
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_given_up() {
        let (_far, near) = tokio::io::duplex(16);
        let mut outbound = Outbound::new(near, Peer::Partner, Duration::from_millis(20));
        let stalled = outbound.push(&vec![0; COALESCE]).await;
        assert!(matches!(stalled, Err(Close::WriteStalled(_))));
    }
}
