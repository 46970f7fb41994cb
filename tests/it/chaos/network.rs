//! A network that is really cut. Nodes in network name spaces of their own reach the brokers through a router that can let packets
//! vanish: nobody is told, and unlike on a silent line of the [relay](super::relay) no TCP of the other side acknowledges anything.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

/// What a name of ours begins with; the process's number follows.
const PREFIX: &str = "pz";
/// A block that is never routed (RFC 2544): a network of ours is 256 addresses of it.
const BLOCK: [u8; 2] = [198, 18];

/// Two nodes' networks beside that of the test. Dropping it takes everything away.
#[derive(Debug)]
pub(super) struct Network {
    third: u8,
    pub(super) remotes: [Remote; 2],
}

/// A place for one node: a name space with a link through a router, by which brokers are reached, and one straight to the test, by
/// which everybody else is.
#[derive(Debug)]
pub(super) struct Remote {
    name: String,
    /// The node's own address on the straight link.
    pub(super) address: Ipv4Addr,
}

/// A connection of a node, as its kernel sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    /// As `/proc/net/tcp` numbers them.
    pub(super) state: u8,
}

impl Network {
    pub(super) fn start() -> Self {
        remove(|process| process == std::process::id() || !Path::new(&format!("/proc/{process}")).exists());
        let is_free = |third: &u8| TcpListener::bind((address(*third, 1), 0)).is_err();
        let third = (0..=u8::MAX).find(is_free).expect("a free network");
        let remotes = [0, 1].map(|index| Remote {
            name: format!("{PREFIX}{}x{index}", std::process::id()),
            address: address(third, 64 * index + 34),
        });
        let network = Self { third, remotes };
        for (remote, base) in network.remotes.iter().zip([0, 64]) {
            network.lay(&remote.name, base);
        }
        for host in [network.behind_routers(), network.beside_routers()] {
            ip(&format!("address add {host}/32 dev {}c", network.remotes[0].name));
        }
        network
    }

    /// The links of one node. Each link takes 16 addresses: test to router, router to node, test to node.
    fn lay(&self, name: &str, base: u8) {
        let at = |number: u8| address(self.third, base + number);
        let (node, router) = (format!("{name}n"), format!("{name}r"));
        for space in [&node, &router] {
            ip(&format!("netns add {space}"));
            ip(&format!("-n {space} link set lo up"));
        }
        ip(&format!("link add {name}c type veth peer name north netns {router}"));
        ip(&format!("-n {router} link add south type veth peer name core netns {node}"));
        ip(&format!("link add {name}s type veth peer name side netns {node}"));
        for (space, link, number) in [
            (None, format!("{name}c"), 1),
            (Some(&router), "north".to_owned(), 2),
            (Some(&router), "south".to_owned(), 17),
            (Some(&node), "core".to_owned(), 18),
            (None, format!("{name}s"), 33),
            (Some(&node), "side".to_owned(), 34),
        ] {
            let space = space.map(|space| format!("-n {space} ")).unwrap_or_default();
            ip(&format!("{space}address add {}/28 dev {link}", at(number)));
            ip(&format!("{space}link set {link} up"));
        }
        ip(&format!("route add {}/28 via {}", at(16), at(2)));
        ip(&format!("-n {router} route add {}/32 via {}", self.behind_routers(), at(1)));
        ip(&format!("-n {node} route add {}/32 via {}", self.behind_routers(), at(17)));
        ip(&format!("-n {node} route add {}/32 via {}", self.beside_routers(), at(33)));
        forward(name, "1");
    }

    /// The address of the test that nodes reach through their routers.
    pub(super) fn behind_routers(&self) -> Ipv4Addr {
        address(self.third, 254)
    }

    /// And the one that they reach whatever routers do.
    pub(super) fn beside_routers(&self) -> Ipv4Addr {
        address(self.third, 253)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        remove(|process| process == std::process::id());
    }
}

/// While it lives packets vanish in a router, in both directions.
#[derive(Debug)]
pub(super) struct Cut<'a>(&'a Remote);

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        forward(&self.0.name, "1");
    }
}

impl Remote {
    pub(super) fn cut(&self) -> Cut<'_> {
        forward(&self.name, "0");
        Cut(self)
    }

    /// What a command there begins with; the process is the one that is started.
    pub(super) fn enter(&self) -> [String; 4] {
        ["ip".to_owned(), "netns".to_owned(), "exec".to_owned(), format!("{}n", self.name)]
    }

    /// All TCP connections of the name space, those that nobody holds any more included.
    pub(super) fn links(&self) -> BTreeSet<Link> {
        let [program, arguments @ ..] = self.enter();
        let output = Command::new(program).args(arguments).args(["cat", "/proc/net/tcp"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().skip(1).map(|line| link(line).unwrap()).collect()
    }
}

fn link(line: &str) -> Option<Link> {
    let mut columns = line.split_whitespace().skip(1);
    let (local, remote) = (socket(columns.next()?)?, socket(columns.next()?)?);
    Some(Link { local, remote, state: u8::from_str_radix(columns.next()?, 16).ok()? })
}

/// From the form of `/proc/net/tcp`.
fn socket(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
    Some((address, u16::from_str_radix(port, 16).ok()?).into())
}

fn address(third: u8, last: u8) -> Ipv4Addr {
    Ipv4Addr::new(BLOCK[0], BLOCK[1], third, last)
}

fn forward(name: &str, value: &str) {
    let setting = format!("echo {value} > /proc/sys/net/ipv4/ip_forward");
    run("ip", &["netns", "exec", &format!("{name}r"), "sh", "-c", &setting]);
}

/// `ip` with these words.
fn ip(words: &str) {
    run("ip", &words.split(' ').collect::<Vec<_>>());
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {said}", arguments.join(" "));
}

/// Removes the networks of these processes: a test that was killed leaves its own. A link goes with either end.
fn remove(of: impl Fn(u32) -> bool) {
    for space in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = space.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('x')?.0.parse().ok());
        if process.is_some_and(&of) {
            Command::new("ip").args(["netns", "delete", &name]).output().ok();
        }
    }
}
