//! Which aliases the partners connected now use, for whoever plans to take one away.
//!
//! An alias is noted when a request that names it is mapped, never for each record; it is added up when a heartbeat asks. What
//! an open connection has once used counts until it closes.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use time::OffsetDateTime;

use super::meter::{Left, Meter};
use super::view::{Login, Proof};
use crate::zone::{self, KeyId, LastUse, TopicName, ZoneName};

/// Aliases that are noted of one connection.
const ALIASES: usize = 1_000;

/// A credential that was used this long ago is of no interest any more to whoever asks who is there now.
const REMEMBERED: time::Duration = time::Duration::minutes(10);

/// The connections of one gateway that have logged in, and the credentials that they used.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    connections: Mutex<Vec<Weak<Used>>>,
    credentials: Arc<LastUses>,
    left: Arc<Left>,
}

/// For as long as they are [remembered](REMEMBERED).
type LastUses = Mutex<BTreeMap<KeyId, LastUse>>;

/// What one connection has used.
#[derive(Debug)]
pub(crate) struct Used {
    zone: ZoneName,
    network: IpAddr,
    address: IpAddr,
    /// What it has logged in with last.
    proof: Mutex<Proof>,
    last_uses: Arc<LastUses>,
    /// A hash of the client id in its first request.
    client: OnceLock<u64>,
    aliases: Mutex<BTreeSet<TopicName>>,
    pub(crate) meter: Arc<Meter>,
}

/// How many clients of a zone are connected, and how many of them use which alias.
///
/// A client opens a connection to every broker that it needs: those of one network address with one client id are one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ZoneUsage {
    pub clients: u64,
    pub topics: BTreeMap<TopicName, u64>,
}

impl Usage {
    /// What a connection that has logged in counts on.
    pub(crate) fn meter(&self, login: &Login) -> Arc<Meter> {
        Arc::new(Meter::new(login, Arc::clone(&self.left)))
    }

    /// A connection that is let in. It counts until this is dropped.
    pub(crate) fn enter(&self, login: &Login, network: IpAddr, meter: Arc<Meter>) -> Arc<Used> {
        meter.entered();
        let used = Arc::new(Used::new(login, network, Arc::clone(&self.credentials), meter));
        used.note_use(OffsetDateTime::now_utc());
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if connections.len() == connections.capacity() {
            // Before it grows: those that are gone go, so that it grows with what lives.
            connections.retain(|connection| connection.strong_count() > 0);
        }
        connections.push(Arc::downgrade(&used));
        used
    }

    /// When each credential was used last: now, if a connection is open that has logged in with it.
    pub(crate) fn credentials(&self, now: OffsetDateTime) -> BTreeMap<KeyId, LastUse> {
        let live = self.live();
        let mut credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        for used in &live {
            used.note_use_in(&mut credentials, now);
        }
        credentials.retain(|_, last| now - last.at < REMEMBERED);
        let all = credentials.clone();
        // The last of these connections may end here, which notes its use.
        drop(credentials);
        drop(live);
        all
    }

    fn live(&self) -> Vec<Arc<Used>> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| connection.strong_count() > 0);
        connections.iter().filter_map(Weak::upgrade).collect()
    }

    /// What was counted since this was asked last, by zone.
    pub(crate) fn take(&self) -> BTreeMap<ZoneName, zone::Usage> {
        let live = self.live();
        let mut taken = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        for used in &live {
            used.meter.take_into(&mut taken);
        }
        taken
    }

    /// As of now, by zone.
    pub(crate) fn summary(&self) -> BTreeMap<ZoneName, ZoneUsage> {
        let live = self.live();
        let mut clients: BTreeMap<&ZoneName, BTreeMap<(IpAddr, u64), BTreeSet<TopicName>>> = BTreeMap::new();
        for used in &live {
            let client = (used.network, used.client.get().copied().unwrap_or_default());
            let aliases = used.aliases.lock().unwrap_or_else(PoisonError::into_inner);
            clients.entry(&used.zone).or_default().entry(client).or_default().extend(aliases.iter().cloned());
        }
        clients.into_iter().map(|(zone, clients)| (zone.clone(), ZoneUsage::of(clients.values()))).collect()
    }
}

impl ZoneUsage {
    fn of<'a>(clients: impl Iterator<Item = &'a BTreeSet<TopicName>>) -> Self {
        let mut usage = Self::default();
        for aliases in clients {
            usage.clients += 1;
            for alias in aliases {
                *usage.topics.entry(alias.clone()).or_default() += 1;
            }
        }
        usage
    }
}

impl Used {
    fn new(login: &Login, network: IpAddr, last_uses: Arc<LastUses>, meter: Arc<Meter>) -> Self {
        Self {
            zone: login.zone.name.clone(),
            network,
            address: login.address,
            proof: Mutex::new(login.proof.clone()),
            last_uses,
            client: OnceLock::new(),
            aliases: Mutex::default(),
            meter,
        }
    }

    /// It has logged in again, perhaps with another credential.
    pub(crate) fn renewed(&self, login: &Login) {
        self.note_use(OffsetDateTime::now_utc());
        *self.proof.lock().unwrap_or_else(PoisonError::into_inner) = login.proof.clone();
        self.note_use(OffsetDateTime::now_utc());
        self.meter.renewed(login);
    }

    /// However short a connection is, its login was a use of the credential.
    fn note_use(&self, at: OffsetDateTime) {
        self.note_use_in(&mut self.last_uses.lock().unwrap_or_else(PoisonError::into_inner), at);
    }

    fn note_use_in(&self, uses: &mut BTreeMap<KeyId, LastUse>, at: OffsetDateTime) {
        match &*self.proof.lock().unwrap_or_else(PoisonError::into_inner) {
            Proof::Credential { key_id, .. } => {
                uses.insert(key_id.clone(), LastUse { at, address: self.address });
            }
            // Nothing is kept here of tokens and certificates.
            Proof::Token { .. } | Proof::Certificate(_) => {}
        }
    }

    /// The client id of a request; the first one names the client.
    pub(crate) fn by(&self, client_id: Option<&str>) {
        self.client.get_or_init(|| {
            let mut hasher = DefaultHasher::new();
            client_id.hash(&mut hasher);
            hasher.finish()
        });
    }

    pub(crate) fn note<'a>(&self, aliases: impl IntoIterator<Item = &'a TopicName>) {
        let mut noted = self.aliases.lock().unwrap_or_else(PoisonError::into_inner);
        for alias in aliases {
            self.meter.named(alias);
            if !noted.contains(alias) && noted.len() < ALIASES {
                noted.insert(alias.clone());
            }
        }
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        self.note_use(OffsetDateTime::now_utc());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::fixture::zone as served_zone;
    use super::*;
    use crate::policy::ZoneView;
    use crate::sasl::Mechanism;

    fn alias(name: &str) -> TopicName {
        name.try_into().unwrap()
    }

    const OLD: &str = "pz0123456789abcdef";
    const NEW: &str = "pz0123456789abcdeg";

    fn login(zone: &str, key_id: &str, address: IpAddr) -> Login {
        Login {
            user: key_id.to_owned(),
            zone: Arc::new(ZoneView::new(&served_zone(zone, &[]), &HashMap::new())),
            proof: Proof::Credential { key_id: key_id.try_into().unwrap(), mechanism: Mechanism::Plain },
            beside: None,
            address,
            expires_at: None,
        }
    }

    fn enter(usage: &Usage, login: &Login, network: IpAddr) -> Arc<Used> {
        usage.enter(login, network, usage.meter(login))
    }

    #[test]
    fn figures_of_connections_that_are_open_and_of_those_that_closed_are_taken_once() {
        let usage = Usage::default();
        let here = IpAddr::from([192, 0, 2, 1]);
        let open = ["acme", "beta"].map(|zone| enter(&usage, &login(zone, OLD, here), here));
        drop(enter(&usage, &login("acme", OLD, here), here));
        // Whoever is turned away was held back all the same.
        usage.meter(&login("beta", OLD, here)).throttled(std::time::Duration::from_millis(7));
        for used in &open {
            used.note([&alias("orders")]);
        }
        let taken = usage.take();
        let of = |zone: &str| (taken[zone].total().connections, taken[zone].total().throttled_ms);
        assert_eq!((of("acme"), of("beta"), taken.len()), ((2, 0), (1, 7), 2));
        assert!(taken["acme"].topics["orders"].last_seen.is_some());
        assert_eq!(usage.take(), BTreeMap::new());
        open[1].renewed(&login("beta", NEW, here));
        open[1].meter.requested();
        drop(open);
        let taken = usage.take();
        assert_eq!((taken["beta"].credentials[NEW].requests, taken.len()), (1, 1));
    }

    #[test]
    fn a_credential_is_in_use_while_a_connection_has_it_and_remembered_for_some_minutes() {
        let (usage, start) = (Usage::default(), OffsetDateTime::now_utc());
        let here = IpAddr::from([192, 0, 2, 1]);
        let seen = |minute| -> Vec<(String, i64)> {
            let minutes = |last: LastUse| (last.at - start).whole_minutes();
            let seen = usage.credentials(start + time::Duration::minutes(minute));
            seen.into_iter().map(|(key, last)| (key.to_string(), minutes(last))).collect()
        };
        let connection = enter(&usage, &login("acme", OLD, here), here);
        connection.renewed(&login("acme", NEW, here));
        assert_eq!(seen(3), [(OLD.to_owned(), 0), (NEW.to_owned(), 3)]);
        assert_eq!(seen(11), [(NEW.to_owned(), 11)]);
        drop(connection);
        assert_eq!(seen(9), [(NEW.to_owned(), 0)], "as of its end");
        assert_eq!(seen(12), []);
        // It is not waited for that somebody asks.
        drop(enter(&usage, &login("acme", OLD, here), here));
        assert_eq!(seen(1), [(OLD.to_owned(), 0)]);
    }

    #[test]
    fn connections_of_one_client_are_one_and_those_that_closed_are_none() {
        let usage = Usage::default();
        let (acme, beta): (ZoneName, ZoneName) = ("acme".try_into().unwrap(), "beta".try_into().unwrap());
        let (here, there) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let connect = |zone: &ZoneName, network, client: &str, aliases: &[&str]| {
            let used = enter(&usage, &login(zone.as_str(), OLD, network), network);
            used.by(Some(client));
            used.by(Some("only the first one counts"));
            used.note(&aliases.iter().map(|name| alias(name)).collect::<Vec<_>>());
            used
        };
        let _to_one_broker = connect(&acme, here, "app", &["orders"]);
        let _to_another = connect(&acme, here, "app", &["orders", "bills"]);
        let other = connect(&acme, there, "app", &["orders"]);
        let _third = connect(&beta, here, "app", &[]);
        let summary = usage.summary();
        assert_eq!(summary[&acme].clients, 2);
        assert_eq!(summary[&acme].topics, [(alias("orders"), 2), (alias("bills"), 1)].into());
        assert_eq!(summary[&beta], ZoneUsage { clients: 1, topics: BTreeMap::new() });
        drop(other);
        assert_eq!(usage.summary()[&acme].clients, 1);
    }

    #[test]
    fn what_is_noted_and_what_has_closed_takes_bounded_room() {
        let usage = Usage::default();
        let zone: ZoneName = "acme".try_into().unwrap();
        let network = IpAddr::from([192, 0, 2, 1]);
        let login = login("acme", OLD, network);
        for _ in 0..10_000 {
            drop(enter(&usage, &login, network));
        }
        assert!(usage.connections.lock().unwrap().capacity() < 100);
        let used = enter(&usage, &login, network);
        used.note(&(0..2 * ALIASES).map(|n| alias(&format!("a{n}"))).collect::<Vec<_>>());
        assert_eq!(usage.summary()[&zone].topics.len(), ALIASES);
    }
}
