//! The network between the product and the brokers, as a test can spoil it: a TCP relay on the address that brokers name, which
//! tells by the process at the other end whom it serves. It needs no rights, where network namespaces would.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread;
use std::time::Duration;

/// Where brokers send whoever asks on their SASL listeners.
pub(super) const HOST: &str = "127.0.0.4";
const BROKERS: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// How long a silent line sleeps before it looks again.
const LOOK: Duration = Duration::from_secs(1);

/// Who connects to brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Party {
    Controller(usize),
    Gateway(usize),
    /// The clients of the test itself, which are the measure.
    Direct,
}

/// What happens to the connections of a party with a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// They end, and new ones end at once.
    Cut,
    /// Nothing arrives any more, in neither direction, and nobody says so.
    Silent,
    /// Everything arrives later.
    Slow(Duration),
}

/// Its threads live as long as the process.
#[derive(Debug, Default)]
pub(super) struct Relay {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    processes: BTreeMap<Party, u32>,
    trouble: BTreeMap<(Party, usize), Trouble>,
    lines: Vec<(Party, usize, Weak<TcpStream>)>,
}

impl Relay {
    /// Serves these ports of [`HOST`], those of broker 1 and its neighbours, from the same ports of the brokers.
    pub(super) fn start(ports: impl Iterator<Item = u16>) -> Arc<Self> {
        let relay = Arc::new(Self::default());
        for (port, broker) in ports.zip(1..) {
            let listener = TcpListener::bind((HOST, port)).unwrap();
            let relay = Arc::clone(&relay);
            thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    relay.serve(client, broker, port);
                }
            });
        }
        relay
    }

    /// Says which process a party is now.
    pub(super) fn know(&self, party: Party, pid: u32) {
        self.state.lock().unwrap().processes.insert(party, pid);
    }

    /// Spoils the lines between a party and a broker.
    pub(super) fn spoil(&self, party: Party, broker: usize, trouble: Trouble) {
        let mut state = self.state.lock().unwrap();
        state.trouble.insert((party, broker), trouble);
        if trouble == Trouble::Cut {
            state.lines.retain(|(whose, to, line)| {
                let Some(line) = line.upgrade() else { return false };
                if (*whose, *to) == (party, broker) {
                    line.shutdown(Shutdown::Both).ok();
                }
                true
            });
        }
        self.changed.notify_all();
    }

    /// All is well again. What was held back on silent lines arrives.
    pub(super) fn heal(&self) {
        self.state.lock().unwrap().trouble.clear();
        self.changed.notify_all();
    }

    fn serve(self: &Arc<Self>, client: TcpStream, broker: usize, port: u16) {
        let party = self.party_at(&client);
        let mut state = self.state.lock().unwrap();
        if state.trouble.get(&(party, broker)) == Some(&Trouble::Cut) {
            return;
        }
        // Nobody there: the client is hung up on.
        let Ok(server) = TcpStream::connect((BROKERS, port)) else { return };
        let ends = [Arc::new(client), Arc::new(server)];
        state.lines.retain(|(_, _, line)| line.strong_count() > 0);
        state.lines.extend(ends.iter().map(|end| (party, broker, Arc::downgrade(end))));
        drop(state);
        let [client, server] = ends;
        for (from, to) in [(Arc::clone(&client), Arc::clone(&server)), (server, client)] {
            let relay = Arc::clone(self);
            thread::spawn(move || {
                relay.copy(&from, &to, (party, broker));
            });
        }
    }

    /// One direction.
    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream, line: (Party, usize)) {
        to.set_nodelay(true).ok();
        let mut bytes = vec![0; 64 << 10];
        loop {
            let read = from.read(&mut bytes);
            let passes = self.wait(line);
            match read {
                Ok(0) => {
                    to.shutdown(Shutdown::Write).ok();
                    return;
                }
                Ok(length) if passes && to.write_all(&bytes[..length]).is_ok() => {}
                _ => break,
            }
        }
        from.shutdown(Shutdown::Both).ok();
        to.shutdown(Shutdown::Both).ok();
    }

    /// Holds what has arrived for as long as the line is bad; `false` if it is cut.
    fn wait(&self, line: (Party, usize)) -> bool {
        let mut state = self.state.lock().unwrap();
        loop {
            match state.trouble.get(&line).copied() {
                None => return true,
                Some(Trouble::Cut) => return false,
                Some(Trouble::Slow(delay)) => {
                    drop(state);
                    thread::sleep(delay);
                    return true;
                }
                Some(Trouble::Silent) => state = self.changed.wait_timeout(state, LOOK).unwrap().0,
            }
        }
    }

    /// Whose connection this is: whoever is no process of the product is the test.
    fn party_at(&self, client: &TcpStream) -> Party {
        let processes = self.state.lock().unwrap().processes.clone();
        let (Ok(peer), Ok(here)) = (client.peer_addr(), client.local_addr()) else { return Party::Direct };
        let Some(link) = inode(peer, here).map(|inode| format!("socket:[{inode}]")) else {
            return Party::Direct;
        };
        let owns = |pid: &u32| {
            let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            files
                .filter_map(|file| fs::read_link(file.path()).ok())
                .any(|file| file.as_os_str() == link.as_str())
        };
        processes.iter().find(|(_, pid)| owns(pid)).map_or(Party::Direct, |(party, _)| *party)
    }
}

/// What the kernel calls the socket from `local` to `remote`.
fn inode(local: SocketAddr, remote: SocketAddr) -> Option<String> {
    let (local, remote) = (hexadecimal(local)?, hexadecimal(remote)?);
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().find_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let ends = (columns.next()?, columns.next()?);
        (ends == (local.as_str(), remote.as_str())).then(|| columns.nth(6)).flatten().map(str::to_owned)
    })
}

/// As `/proc/net/tcp` writes it.
fn hexadecimal(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port()))
}
