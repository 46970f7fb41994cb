//! The sockets under the API: bounded in number, and closed when a caller is silent or slow.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::{Listener, ListenerExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use super::Admin;

/// Connections at a time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 512;

/// How long a caller may keep a connection waiting: for a request to begin, for one that has begun to be answered (a trickle
/// does not count as progress), and to take the answer. Longer than a request may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Pause after a failed accept: out of file descriptors passes, spinning does not help.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// Answers on `listener` until `cancel`, then lets open requests finish.
pub async fn serve(listener: TcpListener, admin: Admin, cancel: CancellationToken) -> io::Result<()> {
    let Admin { router, api } = admin;
    let watching = async { tokio::join!(api.watch_transitions(&cancel), api.watch_traffic(&cancel)) };
    let bounded = Bounded { inner: listener, free: Arc::new(Semaphore::new(MAX_CONNECTIONS)) };
    let bounded = bounded.tap_io(|connection: &mut Connection| {
        // Answers are small: waiting for more to send only delays them.
        let _ = connection.stream.set_nodelay(true);
    });
    let serving = axum::serve(bounded, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(cancel.clone().cancelled_owned());
    let (served, _) = tokio::join!(serving.into_future(), watching);
    served
}

struct Bounded {
    inner: TcpListener,
    free: Arc<Semaphore>,
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed, so there is always a permit in the end.
        let permit = Arc::clone(&self.free).acquire_owned().await.ok();
        loop {
            match self.inner.accept().await {
                Ok((stream, peer)) => {
                    return (Connection::new(stream, permit, PATIENCE), peer);
                }
                Err(error) => {
                    tracing::warn!(%error, "the admin API cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

struct Connection<S = TcpStream> {
    stream: S,
    patience: Duration,
    deadline: Pin<Box<Sleep>>,
    /// Nothing has come in since the last answer: what comes next begins a request.
    is_idle: bool,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S> Connection<S> {
    fn new(stream: S, permit: Option<OwnedSemaphorePermit>, patience: Duration) -> Self {
        let deadline = Box::pin(tokio::time::sleep(patience));
        Self { stream, patience, deadline, is_idle: true, _permit: permit }
    }

    fn wait_anew(&mut self) {
        let deadline = Instant::now() + self.patience;
        self.deadline.as_mut().reset(deadline);
    }

    fn out_of_patience<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.deadline.as_mut().poll(cx).map(|()| Err(io::Error::from(io::ErrorKind::TimedOut)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(read) => {
                if std::mem::take(&mut self.is_idle) {
                    self.wait_anew();
                }
                Poll::Ready(read)
            }
            Poll::Pending => self.out_of_patience(cx),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Ready(written) => {
                self.is_idle = true;
                self.wait_anew();
                Poll::Ready(written)
            }
            Poll::Pending => self.out_of_patience(cx),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const SHORT: Duration = Duration::from_secs(1);

    fn connected() -> (Connection<DuplexStream>, DuplexStream) {
        let (here, there) = duplex(16);
        (Connection::new(here, None, SHORT), there)
    }

    #[tokio::test]
    async fn a_trickled_request_is_cut_off_and_a_caller_who_gets_answers_is_not() {
        let (mut connection, mut caller) = connected();
        for _ in 0..3 {
            tokio::time::sleep(SHORT / 2).await;
            caller.write_all(b"request").await.unwrap();
            connection.read_exact(&mut [0; 7]).await.unwrap();
            tokio::time::sleep(SHORT / 2).await;
            connection.write_all(b"answer").await.unwrap();
            caller.read_exact(&mut [0; 6]).await.unwrap();
        }
        let trickle = tokio::spawn(async move {
            while caller.write_all(b"x").await.is_ok() {
                tokio::time::sleep(SHORT / 10).await;
            }
        });
        let begun = Instant::now();
        let error = loop {
            match connection.read_u8().await {
                Ok(_) => assert!(begun.elapsed() <= SHORT * 3, "a trickle keeps it open"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(connection);
        trickle.await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_that_nobody_takes_is_given_up() {
        let (mut connection, _caller) = connected();
        let error = connection.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
