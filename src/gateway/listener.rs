//! The ports partners connect to: one to start from, one for every broker.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::close::Close;
use super::gate::{Admission, Gate};
use super::shared::{Port, Shared};
use super::view::GatewayView;
use super::workers::Workers;
use super::{proxied, session, tls};
use crate::kafka::client::configure;

/// A port that cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {cause}; stop what uses the port or change {setting}")]
pub struct ListenError {
    pub address: SocketAddr,
    pub cause: io::Error,
    /// The configuration key that decides this port.
    pub setting: &'static str,
}

/// How long a broker's port that could not be opened is left alone.
const RETRY: Duration = Duration::from_secs(5);

/// Opens a listening socket. `SO_REUSEADDR` lets a restart take over addresses whose old connections are still fading.
pub(crate) fn bind(address: SocketAddr, setting: &'static str) -> Result<TcpListener, ListenError> {
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(1024)
    };
    open().map_err(|cause| ListenError { address, cause, setting })
}

/// Keeps the set of open broker ports equal to the brokers that live.
pub(crate) struct Listeners {
    pub(crate) shared: Arc<Shared>,
    pub(crate) gate: Arc<Gate>,
    /// For the listeners themselves; the connections are the workers'.
    pub(crate) tasks: TaskTracker,
    pub(crate) workers: Arc<Workers>,
    pub(crate) cancel: CancellationToken,
    /// Ports that could not be opened, with the reason, by port.
    pub(crate) blocked: watch::Sender<BTreeMap<u16, Blocked>>,
}

/// A broker that partners cannot reach through this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocked {
    pub(crate) port: Port,
    pub(crate) reason: String,
}

impl Listeners {
    /// Starts accepting on one open socket; cancelling `cancel` closes it. Connections outlive their listener.
    pub(crate) fn accept(&self, listener: TcpListener, port: Port, cancel: CancellationToken) {
        let (shared, gate) = (Arc::clone(&self.shared), Arc::clone(&self.gate));
        let (workers, all) = (Arc::clone(&self.workers), self.cancel.clone());
        self.tasks.spawn(async move {
            cancel.run_until_cancelled(accept_for_ever(listener, port, shared, gate, workers, all)).await;
        });
    }

    /// Follows the views until cancelled.
    pub(crate) async fn follow(self, mut views: watch::Receiver<Arc<GatewayView>>) {
        let mut open: BTreeMap<u16, (Port, CancellationToken)> = BTreeMap::new();
        loop {
            let wanted = broker_ports(&views.borrow_and_update());
            open.retain(|number, (port, token)| {
                let stays = wanted.get(number) == Some(port);
                if !stays {
                    tracing::info!(port = number, "broker is gone, closing its port");
                    token.cancel();
                }
                stays
            });
            self.open_missing(&wanted, &mut open);
            let retry = if self.blocked.borrow().is_empty() { Duration::MAX } else { RETRY };
            tokio::select! {
                () = self.cancel.cancelled() => return,
                changed = views.changed() => if changed.is_err() {
                    return;
                },
                () = sleep(retry) => {}
            }
        }
    }

    fn open_missing(
        &self,
        wanted: &BTreeMap<u16, Port>,
        open: &mut BTreeMap<u16, (Port, CancellationToken)>,
    ) {
        let mut blocked = BTreeMap::new();
        for (&number, port) in wanted {
            if open.contains_key(&number) {
                continue;
            }
            match bind(SocketAddr::new(self.shared.config.listen, number), "gateway.brokerPortBase") {
                Ok(listener) => {
                    tracing::info!(port = number, "listening for a broker");
                    let token = self.cancel.child_token();
                    self.accept(listener, port.clone(), token.clone());
                    open.insert(number, (port.clone(), token));
                }
                Err(error) => {
                    if !self.blocked.borrow().contains_key(&number) {
                        tracing::error!(%error, "broker cannot be offered to partners");
                    }
                    blocked.insert(number, Blocked { port: port.clone(), reason: error.to_string() });
                }
            }
        }
        self.blocked.send_if_modified(|before| {
            let changed = *before != blocked;
            *before = blocked;
            changed
        });
    }
}

/// Port number → broker, for every live broker whose id fits the port range.
fn broker_ports(view: &GatewayView) -> BTreeMap<u16, Port> {
    let mut ports = BTreeMap::new();
    for (cluster, of) in view.clusters() {
        for &node in of.topology.brokers.keys() {
            if let Some((_, number)) = of.brokers.of(node) {
                ports.insert(number, Port::Broker { cluster: cluster.clone(), node });
            }
        }
    }
    ports
}

async fn accept_for_ever(
    listener: TcpListener,
    port: Port,
    shared: Arc<Shared>,
    gate: Arc<Gate>,
    workers: Arc<Workers>,
    cancel: CancellationToken,
) {
    const SHORTEST: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_secs(2);
    let mut pause = SHORTEST;
    loop {
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most often "too many open files", which ends when connections do. Trying at once would only burn the CPU.
                tracing::warn!(%error, "cannot accept a connection; raise the limit of open files if this goes on");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST);
                continue;
            }
        };
        pause = SHORTEST;
        shared.metrics.accepted.inc();
        let balancer = shared.config.is_balancer(peer.ip()).then_some(peer);
        let admitted =
            if balancer.is_some() { gate.admit_balanced(peer.ip()) } else { gate.admit(peer.ip()) };
        let Some((place, admission)) = admitted else {
            shared.metrics.closed(Close::Crowded.label());
            continue;
        };
        // It goes to another event loop than the one that has just accepted it.
        let socket = match configure(&socket).and_then(|()| socket.into_std()) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::debug!(%peer, %error, "connection is gone already");
                continue;
            }
        };
        let span = tracing::info_span!("connection", %peer, client = tracing::field::Empty);
        let (shared, port, cancel) = (Arc::clone(&shared), port.clone(), cancel.clone());
        let arrival = Arrival { socket, balancer, place, admission };
        let served = async move { serve(&shared, arrival, &port, &cancel).await };
        workers.spawn(served.instrument(span));
    }
}

/// An accepted connection.
struct Arrival {
    socket: std::net::TcpStream,
    /// Who has to say first where it comes from.
    balancer: Option<SocketAddr>,
    place: OwnedSemaphorePermit,
    admission: Admission,
}

async fn serve(shared: &Shared, arrival: Arrival, port: &Port, cancel: &CancellationToken) {
    let Arrival { socket, balancer, place, admission } = arrival;
    shared.metrics.connections.inc();
    let entering = async {
        let mut socket = TcpStream::from_std(socket).map_err(Close::PartnerGone)?;
        let admission = match balancer {
            Some(balancer) => {
                let within = shared.config.limits.proxy_header_within;
                let client = proxied::source(&mut socket, balancer, within).await?;
                tracing::Span::current().record("client", tracing::field::display(client));
                admission.from(client.ip()).ok_or(Close::Crowded)?
            }
            None => admission,
        };
        let (socket, port) = tls::enter(shared, socket, port).await?;
        Ok((socket, port, admission))
    };
    let entered = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Close::Shutdown),
        // Boxed: its state goes when it is done, and the connection stays.
        entered = Box::pin(entering) => entered,
    };
    let close = match entered {
        Ok((socket, port, admission)) => {
            Box::pin(session::serve(shared, socket, &port, admission, cancel)).await
        }
        Err(close) => close,
    };
    shared.metrics.connections.dec();
    shared.metrics.closed(close.label());
    if close.is_remarkable() {
        tracing::warn!(reason = close.label(), "connection closed: {close}");
    } else {
        tracing::debug!(reason = close.label(), "connection closed: {close}");
    }
    drop(place);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_names_the_address_and_the_setting() {
        let first = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "gateway.bootstrapPort").unwrap();
        let taken = first.local_addr().unwrap();
        let error = bind(taken, "gateway.bootstrapPort").unwrap_err().to_string();
        assert!(error.contains(&taken.to_string()) && error.contains("gateway.bootstrapPort"), "{error}");
    }
}
