//! A port on this machine that leads to one server, for as long as a fetch takes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{CONNECT_TIMEOUT, Call};

/// Ends with all its connections when it is dropped.
pub(in crate::reconcile::source) struct Relay {
    address: SocketAddr,
    _end: DropGuard,
}

impl Relay {
    /// Whoever connects to the relay is connected to `host`. What passes is protected end to end, so another process of
    /// this machine that connects gains what it could have had from the server itself.
    pub(in crate::reconcile::source) fn open(call: &Arc<Call>, host: &str, port: u16) -> io::Result<Self> {
        let runtime = call.runtime()?;
        let failed =
            |error: io::Error| call.unreachable(format!("no port of this machine can be used: {error}"));
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let end = CancellationToken::new();
        let (call, host, ended) = (Arc::clone(call), host.to_owned(), end.clone());
        runtime.spawn(async move {
            ended.run_until_cancelled(serve(listener, &call, &host, port)).await;
        });
        Ok(Self { address, _end: end.drop_guard() })
    }

    pub(in crate::reconcile::source) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// One connection after the other, as libgit2 makes them. A failure is kept in the call; here it only ends the connection.
async fn serve(listener: TcpListener, call: &Call, host: &str, port: u16) {
    while let Ok(Ok((client, _))) = call.step(call.stall(), "nobody connected", listener.accept()).await {
        let connecting = TcpStream::connect((host, port));
        match call.step(CONNECT_TIMEOUT, "no connection could be made", connecting).await {
            Ok(Ok(server)) => {
                let (from_server, to_server) = server.into_split();
                let (from_client, to_client) = client.into_split();
                tokio::select! {
                    _ = inward(call, from_server, to_client) => {}
                    _ = outward(from_client, to_server) => {}
                }
            }
            Ok(Err(error)) => drop(call.unreachable(error.to_string())),
            Err(_) => {}
        }
    }
}

/// Watched: the server is the one that may be silent, slow or endless.
async fn inward(call: &Call, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = call.step(call.stall(), "the server sent nothing", from.read(&mut buffer)).await??;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return to.shutdown().await;
        };
        call.received(read)?;
        to.write_all(bytes).await?;
    }
}

async fn outward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<u64> {
    tokio::io::copy(&mut from, &mut to).await
}
