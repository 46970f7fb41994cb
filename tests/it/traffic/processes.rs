//! One limit over several gateways, each a process of its own, which hear of each other over the state's topics.

use std::process::Command;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use super::{assert_near, flood, rate, settle};
use crate::life::installation::GatewayProcess;
use crate::support::client::{Client, Connection, Running};
use crate::support::kafka::Cluster;
use crate::support::product::{Partner, Product, manifest};
use crate::support::reconciler::get_as;

const LIMIT: f64 = 600_000.0;
const HOSTS: [[u8; 4]; 3] = [[127, 0, 0, 2], [127, 0, 0, 3], [127, 0, 0, 9]];

fn over(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

struct Site {
    controller: Product,
    gateways: [GatewayProcess; 3],
    partner: Partner,
}

impl Site {
    /// Partners of each gateway stay with it: it shows its own address.
    fn start(cluster: &Cluster) -> Self {
        cluster.create_topic("orders-v1", 3);
        let zone = manifest("acme", &[("orders", "orders-v1", "WRITE")])
            + "  trafficControlPolicies:\n    maxProduceRate: 600000\n";
        let sections = |port: u16, host: &str| {
            format!(
                "gateway: {{listen: {host}, advertisedHost: {host}, bootstrapPort: {port}, brokerPortBase: {port}}}\n\
                 clusters: {{default: {{bootstrapServers: '{}', isolation: shared}}}}\nstore: kafka\n",
                cluster.bootstrap()
            )
        };
        let controller =
            Product::start_as("controller", &[("acme.yaml", &zone)], |port, _| sections(port, "127.0.0.1"));
        let port = controller.port;
        let gateways = HOSTS.map(|[a, b, c, d]| {
            GatewayProcess::start([a, b, c, d], &sections(port, &format!("{a}.{b}.{c}.{d}")))
        });
        controller.wait_for_status("acme", "READY");
        let partner = controller.partner("acme");
        Self { controller, gateways, partner }
    }

    fn connection(&self, at: usize) -> Connection {
        let [a, b, c, d] = HOSTS[at];
        let bootstrap = format!("{a}.{b}.{c}.{d}:{}", self.controller.port);
        Connection::sasl(&bootstrap, "PLAIN", &self.partner.username, &self.partner.secret)
    }

    fn signal(&self, at: usize, signal: &str) {
        let pid = self.gateways[at].pid().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits until the controller counts with this gateway, or no more; and says how long it took.
    fn await_counted(&self, at: usize, counted: bool) -> Duration {
        let begun = Instant::now();
        let address = self.controller.url().replace("http://", "");
        let node = format!("\"{}\"", self.gateways[at].node());
        loop {
            let nodes = get_as(&self.controller.admin_key(), &address, "/api/v1/nodes");
            if let Some((200, text)) = nodes
                && text.contains(&node) == counted
            {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < over(40), "{node}: counted is not {counted}");
            sleep(Duration::from_millis(100));
        }
    }
}

/// Parts of the limit that each of them gets.
fn measured<const N: usize>(clients: [&Running; N], seconds: u64) -> [f64; N] {
    scope(|scope| {
        let all = clients.map(|client| scope.spawn(move || rate(client, "acked", over(seconds)) / LIMIT));
        all.map(|one| one.join().unwrap())
    })
}

#[test]
fn processes_keep_one_limit_and_one_that_hangs_leaves_its_share_to_the_others_once_it_counts_as_gone() {
    let cluster = Cluster::private(1);
    let site = Site::start(&cluster);
    let clients = [Client::Java, Client::Librdkafka, Client::Java];
    let mut all = [0, 1, 2].map(|at: usize| flood(clients[at], &site.connection(at)));
    for client in &mut all {
        settle(client, "acked");
    }
    sleep(over(6));
    let [a, b, c] = &all;
    let [of_a, of_b, of_c] = measured([a, b, c], 10);
    eprintln!("three processes: {of_a:.3} {of_b:.3} {of_c:.3}");
    assert_near("three processes", of_a + of_b + of_c, 1.0, 0.7..1.25);
    assert!([of_a, of_b, of_c].iter().all(|one| *one > 0.2), "each wants as much as it gets");

    site.signal(2, "-STOP");
    let begun = Instant::now();
    let gone = site.await_counted(2, false);
    // Two heartbeats, and what was held back by the smaller share.
    sleep(over(6));
    let [of_a, of_b] = measured([a, b], 10);
    eprintln!("gone after {gone:?}; the others: {of_a:.3} {of_b:.3}");
    assert_near("the two that are left", of_a + of_b, 1.0, 0.7..1.25);

    site.signal(2, "-CONT");
    site.await_counted(2, true);
    eprintln!("it hung for {:?}", begun.elapsed());
    sleep(over(8));
    let [of_a, of_b, of_c] = measured([a, b, c], 10);
    eprintln!("back again: {of_a:.3} {of_b:.3} {of_c:.3}");
    assert_near("back again", of_a + of_b + of_c, 1.0, 0.7..1.25);
    assert!(of_c > 0.2, "it has its share again: {of_c:.3}");
    for client in all {
        assert_eq!(client.kill().errors(), []);
    }
}
