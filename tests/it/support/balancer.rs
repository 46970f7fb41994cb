//! A load balancer as small as one can be: TCP, the next backend that takes the connection, both directions until both end.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

/// Its threads live as long as the process.
#[derive(Debug)]
pub(crate) struct Balancer {
    backends: [[u8; 4]; 2],
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    turn: usize,
    /// The backend that gets every connection; none: they take turns.
    only: Option<usize>,
    /// The clients that are, or were, connected.
    clients: Vec<Weak<TcpStream>>,
}

impl Balancer {
    /// Serves these ports of 127.0.0.1 from the same ports of the backends.
    pub(crate) fn start(ports: impl Iterator<Item = u16>, backends: [[u8; 4]; 2]) -> Arc<Self> {
        let balancer = Arc::new(Self { backends, state: Mutex::default() });
        for port in ports {
            let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
            let balancer = Arc::clone(&balancer);
            thread::spawn(move || {
                listener.incoming().flatten().for_each(|client| balancer.serve(client, port));
            });
        }
        balancer
    }

    /// Ends all connections, and gives new ones to this backend alone.
    pub(crate) fn move_to(&self, backend: usize) {
        let mut state = self.state.lock().unwrap();
        state.only = Some(backend);
        for client in state.clients.drain(..).filter_map(|client| client.upgrade()) {
            client.shutdown(Shutdown::Both).ok();
        }
    }

    /// New connections go to each in turn again.
    pub(crate) fn take_turns(&self) {
        self.state.lock().unwrap().only = None;
    }

    fn serve(&self, client: TcpStream, port: u16) {
        let mut state = self.state.lock().unwrap();
        let count = self.backends.len();
        let first = state.turn;
        state.turn += 1;
        let candidates = state.only.map_or(first..first + count, |only| only..only + 1);
        let backend = candidates.into_iter().find_map(|candidate| {
            let address = SocketAddr::from((self.backends[candidate % count], port));
            TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()
        });
        // Nobody there: the client is hung up on.
        let Some(backend) = backend else { return };
        let (client, backend) = (Arc::new(client), Arc::new(backend));
        state.clients.push(Arc::downgrade(&client));
        relay(Arc::clone(&client), Arc::clone(&backend));
        relay(backend, client);
    }
}

/// One direction.
fn relay(from: Arc<TcpStream>, to: Arc<TcpStream>) {
    to.set_nodelay(true).unwrap();
    thread::spawn(move || {
        let ended = std::io::copy(&mut &*from, &mut &*to).is_ok();
        to.shutdown(if ended { Shutdown::Write } else { Shutdown::Both }).ok();
    });
}
