//! Another master key takes the place of the one before, in an installation as an operator runs it: a controller and two gateways
//! behind a balancer, while a partner connects all the time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::MetadataRequest;
use partner_zones::kafka::admin::Admin;
use partner_zones::kafka::client::{Connection, UpstreamSecurity};
use partner_zones::policy::principal::{self, Generation, MasterKey};
use partner_zones::sasl::ScramHash;
use partner_zones::secret::Secret;
use partner_zones::zone::{ZoneId, ZoneName};
use serde_json::Value;

use super::{ADMIN, Cluster, Product, WITHIN, manifest, security_of};
use crate::life::installation::GatewayProcess;
use crate::support::balancer::Balancer;
use crate::support::product::Partner;
use crate::support::wire::{Wire, typed};

const ZONE: &str = "acme";
const PATIENCE: Duration = Duration::from_secs(90);
/// What a partner may notice of a gateway that restarts.
const RETRY: Duration = Duration::from_secs(15);

/// Where the brokers, the keys and the partner's door are.
pub(super) struct Site<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) folder: &'a Path,
    pub(super) port: u16,
}

impl Site<'_> {
    fn key_file(&self, letter: &str) -> String {
        self.folder.join(letter).display().to_string()
    }

    /// The configuration of a node that has these keys. Nothing is said of isolation: a master key is enough.
    pub(super) fn sections(&self, listen: &str, keys: &[&str]) -> String {
        let mut text = format!(
            "gateway: {{listen: {listen}, advertisedHost: 127.0.0.1, bootstrapPort: {port}, brokerPortBase: {port}, \
             drainDelay: 1s}}\n\
             clusters: {{default: {{bootstrapServers: '{bootstrap}', properties: {{security.protocol: SASL_PLAINTEXT, \
             sasl.mechanism: SCRAM-SHA-512, sasl.username: {user}, sasl.password: {password}}}}}}}\nstore: kafka\n",
            port = self.port,
            bootstrap = self.cluster.sasl_bootstrap(),
            user = ADMIN.user,
            password = ADMIN.password,
        );
        for (setting, key) in ["masterKeyFile", "previousMasterKeyFile"].iter().zip(keys) {
            writeln!(text, "{setting}: {}", self.key_file(key)).unwrap();
        }
        text
    }

    pub(super) fn gateway(&self, host: [u8; 4], keys: &[&str]) -> GatewayProcess {
        GatewayProcess::start(host, &self.sections(&address(host), keys))
    }

    /// Which key each of the principals' passwords is made of, as the cluster shows it.
    fn all_slots(&self) -> BTreeMap<ZoneName, MadeOf> {
        on_runtime(async {
            let mut admin =
                Admin::connect(self.cluster.bootstrap(), &UpstreamSecurity::default(), WITHIN).await.unwrap();
            let users = admin.scram_users().await.unwrap();
            let of_zone = |(user, credentials): (String, BTreeMap<ScramHash, i32>)| {
                let zone = principal::zone_of(&user)?;
                let id = ZoneId::derive(admin.cluster_id(), &zone);
                let of = |(hash, rounds): (ScramHash, i32)| {
                    let made = |letter: &&str| {
                        i32::try_from(key(letter).rounds(id, Generation::FIRST, hash)) == Ok(rounds)
                    };
                    (hash, ["a", "b"].into_iter().find(made).unwrap_or("?"))
                };
                Some((zone, credentials.into_iter().map(of).collect()))
            };
            users.into_iter().filter_map(of_zone).collect()
        })
    }

    /// The same of the one zone.
    fn slots(&self) -> MadeOf {
        self.all_slots().remove(&zone_name()).unwrap_or_default()
    }

    /// Whether the cluster lets the zone's principal in with the password of this key.
    fn lets_in(&self, letter: &str, mechanism: &str) -> bool {
        on_runtime(async {
            let admin =
                Admin::connect(self.cluster.bootstrap(), &UpstreamSecurity::default(), WITHIN).await.unwrap();
            let id = ZoneId::derive(admin.cluster_id(), &zone_name());
            let password = key(letter).password(id, Generation::FIRST);
            let security = security_of(mechanism, "partner-zones.acme", password.expose());
            let first = self.cluster.sasl_bootstrap().split(',').next().unwrap();
            Connection::connect(first, &security, "test", WITHIN).await.is_ok()
        })
    }

    /// Waits until the passwords of every zone are made of these keys.
    pub(super) fn await_slots(&self, sha256: &'static str, sha512: &'static str, log: &dyn Fn() -> String) {
        let wanted = MadeOf::from([(ScramHash::Sha256, sha256), (ScramHash::Sha512, sha512)]);
        let begun = Instant::now();
        loop {
            let slots = self.all_slots();
            if !slots.is_empty() && slots.values().all(|slots| *slots == wanted) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{slots:?} instead of {wanted:?}:\n{}", log());
            thread::sleep(Duration::from_millis(200));
        }
    }
}

/// By the mechanism's hash the letter of the key, `?` of another one.
type MadeOf = BTreeMap<ScramHash, &'static str>;

fn zone_name() -> ZoneName {
    ZoneName::try_from(ZONE).unwrap()
}

fn key(letter: &str) -> MasterKey {
    MasterKey::new(&Secret::new(letter.repeat(40))).unwrap()
}

pub(super) fn address([a, b, c, d]: [u8; 4]) -> String {
    format!("{a}.{b}.{c}.{d}")
}

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Asks a broker something, over a connection that is logged in here: the broker has let the gateway in, or there is no answer.
pub(super) fn is_served(wire: &mut Wire) -> bool {
    wire.ask(&typed(&MetadataRequest::default().with_topics(None), 9)).is_some()
}

/// A partner who connects again and again.
#[derive(Default)]
struct Visitor {
    done: AtomicBool,
    /// A gateway restarts: a connection may meet its end, and is made again.
    restarting: AtomicBool,
    connected: AtomicU32,
}

impl Visitor {
    fn run(&self, port: u16, partner: &Partner) {
        while !self.done.load(Ordering::Relaxed) {
            let begun = Instant::now();
            loop {
                let was_quiet = !self.restarting.load(Ordering::Relaxed);
                let address = ([127, 0, 0, 1], port);
                let wire = Wire::log_in(address, &partner.username, &partner.secret);
                if wire.is_some_and(|mut wire| is_served(&mut wire)) {
                    break;
                }
                let is_quiet = was_quiet && !self.restarting.load(Ordering::Relaxed);
                assert!(!is_quiet && begun.elapsed() < RETRY, "a partner was not served");
            }
            self.connected.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn restarts(&self, restart: impl FnOnce()) {
        self.restarting.store(true, Ordering::Relaxed);
        restart();
        self.restarting.store(false, Ordering::Relaxed);
    }

    /// Waits until it has connected some more times.
    fn goes_on(&self) {
        let (before, begun) = (self.connected.load(Ordering::Relaxed), Instant::now());
        while self.connected.load(Ordering::Relaxed) < before + 10 {
            assert!(begun.elapsed() < PATIENCE, "the partner does not connect any more");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Ends the visitor's loop, on a panic too: the scope would wait for it for ever.
struct Goodbye<'a>(&'a Visitor);

impl Drop for Goodbye<'_> {
    fn drop(&mut self) {
        self.0.done.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_master_key_is_replaced_while_a_partner_connects_all_the_time_in_whatever_order_nodes_restart() {
    let (cluster, folder) = (Cluster::private(1), tempfile::tempdir().unwrap());
    cluster.create_topic("orders-v1", 1);
    for letter in ["a", "b"] {
        fs::write(folder.path().join(letter), letter.repeat(40)).unwrap();
    }
    let site = |port| Site { cluster: &cluster, folder: folder.path(), port };
    let zones = [("acme.yaml", manifest(ZONE, &[("orders", "orders-v1", "WRITE")]))];
    let zones = zones.each_ref().map(|(name, text)| (*name, text.as_str()));
    let mut controller =
        Product::start_as("controller", &zones, |port, _| site(port).sections("127.0.0.1", &["a"]));
    let site = site(controller.port);
    let hosts = [[127, 0, 0, 2], [127, 0, 0, 3]];
    let [mut one, mut two] = [site.gateway(hosts[0], &["b", "a"]), site.gateway(hosts[1], &["a"])];
    Balancer::start(site.port..=site.port + 3, hosts);
    controller.wait_for_status(ZONE, "READY");
    site.await_slots("a", "a", &|| controller.transcript());
    let partner = controller.partner(ZONE);
    // The balancer asks them in turn: both know the credential, and keep a connection.
    let mut kept = [(); 2].map(|()| Wire::logged_in(site.port, &partner.username, &partner.secret));
    assert!(kept.iter_mut().all(is_served));

    let visitor = Visitor::default();
    thread::scope(|scope| {
        let _goodbye = Goodbye(&visitor);
        scope.spawn(|| visitor.run(site.port, &partner));
        visitor.goes_on();
        // The controller first, which is too early: one gateway could not log in with the new password.
        controller.configure(&site.sections("127.0.0.1", &["b", "a"]));
        controller.restart();
        controller.wait_for_line("does not have the master key");
        visitor.goes_on();
        assert_eq!(site.slots().into_values().collect::<Vec<_>>(), ["a", "a"]);
        visitor.restarts(|| two.restart_with(&site.sections(&address(hosts[1]), &["b", "a"])));
        // Somewhere on the way.
        thread::sleep(Duration::from_millis(rand::random_range(0..1_500)));
        controller.kill();
        controller.restart();
        site.await_slots("b", "a", &|| controller.transcript());
        controller.wait_for_status(ZONE, "READY");
        visitor.goes_on();
        // One was on the gateway that was not restarted, and nobody cut it off.
        assert!(kept.iter_mut().any(is_served));

        // The old key is good for as long as a node has it.
        assert!(site.lets_in("a", "SCRAM-SHA-512") && site.lets_in("b", "SCRAM-SHA-256"));
        controller.configure(&site.sections("127.0.0.1", &["b"]));
        controller.restart();
        controller.wait_for_line("still has the master key");
        for (gateway, host) in [(&mut one, hosts[0]), (&mut two, hosts[1])] {
            visitor.restarts(|| gateway.restart_with(&site.sections(&address(host), &["b"])));
        }
        site.await_slots("b", "b", &|| controller.transcript());
        visitor.goes_on();
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            assert!(site.lets_in("b", mechanism) && !site.lets_in("a", mechanism), "{mechanism}");
        }
    });
    controller.wait_for_status(ZONE, "READY");
    let is_shut = |lock: &Value| lock["type"] == "SecondLock" && lock["reason"] == "OwnPrincipal";
    let has_asked = |zone: &Value| zone["status"]["conditions"].as_array().unwrap().iter().any(is_shut);
    controller.wait_for_zone(ZONE, |zone| zone.is_some_and(has_asked));
}
