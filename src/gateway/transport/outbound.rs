//! The writing half.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::super::close::Close;
use super::{Peer, pool};

/// Pieces are collected up to this size before they are written: what one read brought leaves with one write.
const COALESCE: usize = pool::SIZE;
/// A piece up to this size is cheaper to copy than to point to.
const SMALL: usize = 1 << 10;
/// Pieces that one system call writes.
const GATHER: usize = 64;

/// Writes what belongs together with one system call, and copies only small pieces on the way.
#[derive(Debug)]
pub(crate) struct Outbound<W> {
    io: W,
    peer: Peer,
    pending: Pieces,
    /// Bytes of what is being written that have gone: a write that is given up can be taken up again.
    written: usize,
    /// Whether a TLS session may still hold bytes: a flush that is given up can be taken up again as well.
    unflushed: bool,
    stall: Duration,
}

impl<W: AsyncWrite + Unpin> Outbound<W> {
    /// `stall` is how long a write may make no progress.
    pub(crate) fn new(io: W, peer: Peer, stall: Duration) -> Self {
        Self { io, peer, pending: Pieces::default(), written: 0, unflushed: false, stall }
    }

    /// Sends a small piece together with what follows, a large one at once. Nothing is sure to be sent before
    /// [`Self::flush`].
    pub(crate) async fn push(&mut self, bytes: &[u8]) -> Result<(), Close> {
        if bytes.len() > SMALL {
            return self.write(bytes).await;
        }
        self.pending.copy(bytes);
        if self.pending.len < COALESCE { Ok(()) } else { self.flush().await }
    }

    /// As [`Self::push`]; the piece stays where it is until it is written.
    pub(crate) async fn push_shared(&mut self, bytes: Bytes) -> Result<(), Close> {
        if bytes.len() > SMALL {
            self.pending.share(bytes);
        } else {
            self.pending.copy(&bytes);
        }
        if self.pending.len < COALESCE { Ok(()) } else { self.flush().await }
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Close> {
        if self.pending.len == 0 && !self.unflushed { Ok(()) } else { self.write(&[]).await }
    }

    /// Sends what is pending and closes this direction; the other one stays open.
    pub(crate) async fn finish(&mut self) -> Result<(), Close> {
        self.flush().await?;
        self.io.shutdown().await.map_err(|error| self.peer.gone(error))
    }

    /// Writes what is pending, and `last` behind it.
    async fn write(&mut self, last: &[u8]) -> Result<(), Close> {
        let Self { io, peer, pending, written, unflushed, stall } = self;
        let within = *stall;
        if *written > pending.len {
            // An earlier write was given up in the middle of a large piece. What follows would be taken for the rest of it.
            return Err(peer.gone(io::ErrorKind::BrokenPipe.into()));
        }
        while *written < pending.len + last.len() {
            let write = poll_fn(|context| {
                let mut slices = [IoSlice::new(&[]); GATHER];
                let count = pending.gather(*written, last, &mut slices);
                Pin::new(&mut *io).poll_write_vectored(context, slices.get(..count).unwrap_or_default())
            });
            *unflushed = true;
            match timeout(within, write).await {
                Err(_) => return Err(Close::WriteStalled(within.as_secs())),
                Ok(Err(error)) => return Err(peer.gone(error)),
                Ok(Ok(0)) => return Err(peer.gone(io::ErrorKind::WriteZero.into())),
                Ok(Ok(len)) => *written += len,
            }
        }
        pending.clear();
        *written = 0;
        // A TLS session may have taken what it could not send yet; a plain socket has nothing to do here.
        match timeout(within, io.flush()).await {
            Err(_) => return Err(Close::WriteStalled(within.as_secs())),
            Ok(flushed) => flushed.map_err(|error| peer.gone(error))?,
        }
        *unflushed = false;
        Ok(())
    }
}

/// What waits to be written: small pieces one behind the other, and large ones between them.
#[derive(Debug, Default)]
struct Pieces {
    small: BytesMut,
    /// Each with how many bytes of `small` stand in front of it.
    large: Vec<(usize, Bytes)>,
    /// Bytes in all.
    len: usize,
}

impl Pieces {
    fn copy(&mut self, bytes: &[u8]) {
        self.small.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    fn share(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        self.large.push((self.small.len(), bytes));
    }

    /// Nothing of it is kept: a connection may be idle from here on.
    fn clear(&mut self) {
        *self = Self::default();
    }

    /// Points `slices` at what is left behind the first `skip` bytes; how many of them.
    fn gather<'a>(&'a self, mut skip: usize, last: &'a [u8], slices: &mut [IoSlice<'a>]) -> usize {
        let mut from = 0;
        let between = self.large.iter().flat_map(|(at, large)| {
            let small = self.small.get(std::mem::replace(&mut from, *at)..*at).unwrap_or_default();
            [small, large]
        });
        let behind = self.large.last().map_or(0, |(at, _)| *at);
        let rest = [self.small.get(behind..).unwrap_or_default(), last];
        let mut left = between.chain(rest).filter_map(|piece| {
            let unwritten = piece.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(piece.len());
            (!unwritten.is_empty()).then(|| IoSlice::new(unwritten))
        });
        let mut count = 0;
        for slice in slices {
            let Some(next) = left.next() else { break };
            *slice = next;
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn small_pieces_leave_together_and_order_is_kept_around_a_large_one() {
        let (mut far, near) = tokio::io::duplex(1 << 20);
        let mut outbound = Outbound::new(near, Peer::Broker, Duration::from_secs(5));
        outbound.push(b"ab").await.unwrap();
        outbound.push(b"cd").await.unwrap();
        assert_eq!(outbound.pending.len, 4);
        outbound.push(&vec![b'x'; COALESCE]).await.unwrap();
        outbound.push(b"ef").await.unwrap();
        outbound.finish().await.unwrap();
        let mut all = Vec::new();
        far.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, [b"abcd".to_vec(), vec![b'x'; COALESCE], b"ef".to_vec()].concat());
    }

    #[tokio::test]
    async fn what_is_shared_and_what_is_copied_leave_in_order_however_little_is_taken_at_once() {
        let (mut far, near) = tokio::io::duplex(7);
        let mut outbound = Outbound::new(near, Peer::Broker, Duration::from_secs(5));
        let pieces: Vec<Vec<u8>> =
            (0..3 * GATHER).map(|index| vec![u8::try_from(index).unwrap(); 1 + index % 2 * 1_100]).collect();
        let expected = pieces.concat();
        let reads = tokio::spawn(async move {
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            all
        });
        for piece in pieces {
            outbound.push_shared(piece.into()).await.unwrap();
        }
        outbound.finish().await.unwrap();
        drop(outbound);
        assert_eq!(reads.await.unwrap(), expected);
    }

    #[tokio::test]
    async fn a_write_that_was_given_up_is_taken_up_where_it_stopped_and_never_in_the_middle_of_a_large_piece()
    {
        let (mut far, near) = tokio::io::duplex(4);
        let mut outbound = Outbound::new(near, Peer::Broker, Duration::from_secs(5));
        outbound.push(b"abcdef").await.unwrap();
        let brief = Duration::from_millis(10);
        assert!(timeout(brief, outbound.flush()).await.is_err());
        let mut first = [0; 4];
        far.read_exact(&mut first).await.unwrap();
        outbound.flush().await.unwrap();
        let mut rest = [0; 2];
        far.read_exact(&mut rest).await.unwrap();
        assert_eq!([&first[..], &rest].concat(), b"abcdef");
        assert!(timeout(brief, outbound.push(&[b'x'; 2 * SMALL])).await.is_err());
        assert!(matches!(outbound.push(&[b'y'; 2 * SMALL]).await, Err(Close::BrokerGone(_))));
    }

    #[test]
    fn one_call_points_at_all_that_is_left() {
        let mut pieces = Pieces::default();
        pieces.copy(b"ab");
        pieces.share(Bytes::from_static(b"CDE"));
        pieces.copy(b"f");
        for skip in 0..=8 {
            let mut slices = [IoSlice::new(&[]); GATHER];
            let count = pieces.gather(skip, b"GH", &mut slices);
            let left: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
            assert_eq!(left, &b"abCDEfGH"[skip..]);
        }
        let mut two = [IoSlice::new(&[]); 2];
        assert_eq!(pieces.gather(0, b"GH", &mut two), 2);
        assert_eq!([&*two[0], &*two[1]].concat(), b"abCDE");
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_given_up() {
        let (_far, near) = tokio::io::duplex(16);
        let mut outbound = Outbound::new(near, Peer::Partner, Duration::from_millis(20));
        let stalled = outbound.push(&vec![0; COALESCE]).await;
        assert!(matches!(stalled, Err(Close::WriteStalled(_))));
    }
}
