//! A load balancer as small as one can be: TCP, the next backend that takes the connection, both directions until both end.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Serves these ports of 127.0.0.1 from the same ports of the backends. Its threads live as long as the process.
pub(super) fn start(ports: impl Iterator<Item = u16>, backends: [[u8; 4]; 2]) {
    let turn = Arc::new(AtomicUsize::new(0));
    for port in ports {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let turn = Arc::clone(&turn);
        thread::spawn(move || {
            for client in listener.incoming() {
                let first = turn.fetch_add(1, Ordering::Relaxed);
                let backend = (0..backends.len()).find_map(|next| {
                    let address = SocketAddr::from((backends[(first + next) % backends.len()], port));
                    TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()
                });
                // Nobody there: the client is hung up on.
                if let (Ok(client), Some(backend)) = (client, backend) {
                    relay(&client, &backend);
                }
            }
        });
    }
}

fn relay(client: &TcpStream, backend: &TcpStream) {
    for (from, to) in [(client, backend), (backend, client)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        to.set_nodelay(true).unwrap();
        thread::spawn(move || {
            if std::io::copy(&mut from, &mut to).is_ok() {
                to.shutdown(Shutdown::Write).ok();
            } else {
                to.shutdown(Shutdown::Both).ok();
            }
        });
    }
}
