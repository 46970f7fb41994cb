//! The ports partners connect to: one to start from, one for every broker.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::close::Close;
use super::shared::{Port, Shared};
use super::view::GatewayView;
use super::workers::Workers;
use super::{session, tls};
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
        let Some((place, admission)) = gate.admit(peer.ip()) else {
            shared.metrics.closed("too_many_connections");
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
        let span = tracing::info_span!("connection", %peer);
        let (shared, port, cancel) = (Arc::clone(&shared), port.clone(), cancel.clone());
        let served = async move { serve(&shared, socket, &port, place, admission, &cancel).await };
        workers.spawn(served.instrument(span));
    }
}

async fn serve(
    shared: &Shared,
    socket: std::net::TcpStream,
    port: &Port,
    place: OwnedSemaphorePermit,
    admission: Admission,
    cancel: &CancellationToken,
) {
    shared.metrics.connections.inc();
    let entering = async {
        let socket = TcpStream::from_std(socket).map_err(Close::PartnerGone)?;
        tls::enter(shared, socket, port).await
    };
    let entered = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Close::Shutdown),
        // Boxed: its state goes when it is done, and the connection stays.
        entered = Box::pin(entering) => entered,
    };
    let close = match entered {
        Ok((socket, port)) => Box::pin(session::serve(shared, socket, &port, admission, cancel)).await,
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

/// How many connections there may be.
#[derive(Debug)]
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    /// Half of the places: what strangers take is not taken from partners.
    strangers: usize,
    per_address: usize,
    unknown: Mutex<Strangers>,
}

/// Connections that nobody has logged in to yet.
#[derive(Debug, Default)]
struct Strangers {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// A connection that nobody has logged in to yet, counted against its network until dropped.
#[derive(Debug)]
pub(crate) struct Admission {
    gate: Arc<Gate>,
    address: IpAddr,
    network: IpAddr,
}

impl Admission {
    /// Where it came from.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// What of that counts as one, see [`network`].
    pub(crate) fn network(&self) -> IpAddr {
        self.network
    }
}

impl Gate {
    pub(crate) fn new(connections: usize, unauthenticated_per_address: usize) -> Self {
        let connections = connections.min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(connections)),
            strangers: connections.div_ceil(2),
            per_address: unauthenticated_per_address,
            unknown: Mutex::default(),
        }
    }

    /// A place for the connection's life, and one among the strangers, all and those of its network, until it has logged in.
    fn admit(self: &Arc<Self>, address: IpAddr) -> Option<(OwnedSemaphorePermit, Admission)> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let network = network(address);
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        let count = unknown.by_network.get(&network).copied().unwrap_or_default();
        if unknown.all >= self.strangers || count >= self.per_address {
            return None;
        }
        unknown.all += 1;
        unknown.by_network.insert(network, count + 1);
        Some((place, Admission { gate: Arc::clone(self), address, network }))
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut unknown = self.gate.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        unknown.all -= 1;
        if let Some(count) = unknown.by_network.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                unknown.by_network.remove(&self.network);
            }
        }
    }
}

/// What one subscriber has: an IPv4 address, or the 2^64 addresses of an IPv6 network, any of which its machines may use.
fn network(address: IpAddr) -> IpAddr {
    const NETWORK: u128 = !0 << 64;
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_only_so_many_connections_before_it_logs_in() {
        let gate = Arc::new(Gate::new(10, 2));
        let (one, two) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let (_place, first) = gate.admit(one).unwrap();
        let _second = gate.admit(one).unwrap();
        assert!(gate.admit(one).is_none());
        assert!(gate.admit(two).is_some());
        drop(first);
        assert!(gate.admit(one).is_some());
    }

    #[test]
    fn places_are_given_back_and_nothing_is_remembered_of_an_address() {
        let gate = Arc::new(Gate::new(1, 5));
        let admitted = gate.admit(IpAddr::from([127, 0, 0, 1])).unwrap();
        assert!(gate.admit(IpAddr::from([127, 0, 0, 2])).is_none());
        drop(admitted);
        assert!(gate.unknown.lock().unwrap().by_network.is_empty());
        assert!(gate.admit(IpAddr::from([127, 0, 0, 2])).is_some());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let gate = Arc::new(Gate::new(10, 1));
        let admit = |text: &str| gate.admit(text.parse().unwrap());
        let _first = admit("2001:db8:0:1::1").unwrap();
        assert!(admit("2001:db8:0:1:ffff::2").is_none());
        let _second = admit("2001:db8:0:2::1").unwrap();
        let _mapped = admit("::ffff:192.0.2.1").unwrap();
        assert!(admit("192.0.2.1").is_none());
        assert!(admit("::ffff:192.0.2.2").is_some(), "in no network with the other one");
    }

    #[test]
    fn strangers_leave_half_of_the_places_to_partners() {
        let gate = Arc::new(Gate::new(4, 4));
        let admit = |last: u8| gate.admit(IpAddr::from([127, 0, 0, last]));
        let (_place, first) = admit(1).unwrap();
        let _second = admit(2).unwrap();
        assert!(admit(3).is_none());
        drop(first);
        assert!(admit(3).is_some(), "the first has logged in");
    }

    #[tokio::test]
    async fn a_port_in_use_names_the_address_and_the_setting() {
        let first = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "gateway.bootstrapPort").unwrap();
        let taken = first.local_addr().unwrap();
        let error = bind(taken, "gateway.bootstrapPort").unwrap_err().to_string();
        assert!(error.contains(&taken.to_string()) && error.contains("gateway.bootstrapPort"), "{error}");
    }
}
