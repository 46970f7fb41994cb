//! A broker with a fresh HAProxy and a fresh gateway in front of it: nobody's figures hold what a process kept of earlier work.

use std::sync::Arc;

use rustls::ClientConfig;

use super::gateway::Gateway;
use super::haproxy::HaProxy;
use super::support::certificates::Authority;
use super::topics::{Pair, Topics};
use super::transport::client_config;
use super::wire::Address;

/// What sites are made from.
pub(crate) struct Plan {
    /// HAProxy's `tune.bufsize`.
    haproxy_buffer: usize,
    authority: Authority,
    client: Arc<ClientConfig>,
}

/// One way to the broker.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) address: Address,
    /// Of its process; the broker's own does not count.
    pub(crate) pid: Option<u32>,
    pub(crate) topics: Topics,
}

pub(crate) struct Site {
    /// None, HAProxy, the gateway.
    pub(crate) peers: [Peer; 3],
    pub(crate) gateway: Gateway,
    _haproxy: HaProxy,
}

impl Plan {
    pub(crate) fn new(haproxy_buffer: usize) -> Self {
        let authority = Authority::new();
        authority.issue("peer", &["127.0.0.1"]);
        let client = client_config(&authority.certificate());
        Self { haproxy_buffer, authority, client }
    }

    /// In front of this broker, which has these topics. With `tls`, HAProxy and the gateway have the same certificate.
    pub(crate) fn start(&self, broker: &str, topics: &[Pair], tls: bool) -> Site {
        let authority = tls.then_some(&self.authority);
        let tls = tls.then(|| Arc::clone(&self.client));
        let haproxy = HaProxy::start(broker, self.haproxy_buffer, authority);
        let gateway = Gateway::start(broker, topics, authority);
        let (aliases, backing): (Vec<_>, Vec<_>) = topics.iter().cloned().unzip();
        let peer = |name, address: Address, pid, names: &[String]| {
            let topics = Topics::known_to(&address, names);
            Peer { name, address, pid, topics }
        };
        let through_haproxy = Address { tls: tls.clone(), ..Address::open(&haproxy.host_port()) };
        let through_gateway = Address { tls, ..gateway.address() };
        let peers = [
            peer("direct", Address::open(broker), None, &backing),
            peer("HAProxy", through_haproxy, Some(haproxy.pid()), &backing),
            peer("gateway", through_gateway, Some(gateway.pid()), &aliases),
        ];
        Site { peers, gateway, _haproxy: haproxy }
    }
}
