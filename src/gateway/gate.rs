//! How many connections there may be: in all, of strangers, and of one address before it has logged in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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

/// A connection that nobody has logged in to yet, counted until dropped.
#[derive(Debug)]
pub(crate) struct Admission {
    gate: Arc<Gate>,
    address: IpAddr,
    /// What it is counted against; none while a balancer has not said yet whose it is.
    counted: Option<IpAddr>,
}

impl Admission {
    /// Where it came from.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// What of that counts as one, see [`network`].
    pub(crate) fn network(&self) -> IpAddr {
        network(self.address)
    }

    /// The connection, now that it is known that it came from there; none if too many did.
    pub(crate) fn from(mut self, client: IpAddr) -> Option<Self> {
        self.address = client;
        let network = network(client);
        let is_free = self.gate.unknown().count(network, self.gate.per_address);
        self.counted = is_free.then_some(network);
        self.counted.map(|_| self)
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
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<(OwnedSemaphorePermit, Admission)> {
        let (place, admission) = self.admit_balanced(address)?;
        Some((place, admission.from(address)?))
    }

    /// As [`Self::admit`], of somebody behind the balancer that has this address: whose network it is comes later.
    pub(crate) fn admit_balanced(
        self: &Arc<Self>,
        balancer: IpAddr,
    ) -> Option<(OwnedSemaphorePermit, Admission)> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let mut unknown = self.unknown();
        if unknown.all >= self.strangers {
            return None;
        }
        unknown.all += 1;
        Some((place, Admission { gate: Arc::clone(self), address: balancer, counted: None }))
    }

    fn unknown(&self) -> MutexGuard<'_, Strangers> {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Strangers {
    /// One more of this network, unless it has so many.
    fn count(&mut self, network: IpAddr, most: usize) -> bool {
        let count = self.by_network.get(&network).copied().unwrap_or_default();
        let is_free = count < most;
        if is_free {
            self.by_network.insert(network, count + 1);
        }
        is_free
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut unknown = self.gate.unknown();
        unknown.all -= 1;
        let Some(network) = self.counted else { return };
        if let Some(count) = unknown.by_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                unknown.by_network.remove(&network);
            }
        }
    }
}

/// What one subscriber has: an IPv4 address, or the 2^64 addresses of an IPv6 network, any of which its machines may use.
pub(crate) fn network(address: IpAddr) -> IpAddr {
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
        assert!(gate.unknown().by_network.is_empty());
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

    #[test]
    fn behind_a_balancer_each_client_counts_by_itself() {
        let gate = Arc::new(Gate::new(10, 1));
        let balanced = || gate.admit_balanced(IpAddr::from([10, 0, 0, 1])).unwrap();
        let [(_one, first), (_two, second), (_three, third)] = [(); 3].map(|()| balanced());
        let [near, far] = [IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])];
        let first = first.from(near).unwrap();
        assert_eq!(first.address(), near);
        assert!(second.from(near).is_none());
        let _third = third.from(far).unwrap();
        assert_eq!(gate.unknown().all, 2);
        drop(first);
        assert!(gate.admit(near).is_some());
    }
}
