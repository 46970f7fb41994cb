//! What fails behind a balancer, and what partners see of it: a connection that has to be made again, or nothing.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::installation::Installation;
use super::rolling::Pair;
use crate::support::balancer::Balancer;
use crate::support::certificates::Authority;
use crate::support::client::{Client, ClientTls, Connection};
use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Product, Setup, free_ports, manifest, sections};
use crate::support::reconciler::{get, reconciler};
use crate::support::scenarios::node_addresses;
use crate::support::wire::Wire;

const WITHIN: Duration = Duration::from_mins(1);
/// Long enough for a process to have done what it must not do.
const A_WHILE: Duration = Duration::from_secs(5);
const DOMAIN: &str = "partners.test";

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < WITHIN, "{what}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn by_host_name_each_gateway_has_the_same_addresses_and_when_one_is_killed_clients_go_on_at_the_other() {
    let cluster = Cluster::private(1);
    let topics = Client::ALL.map(|client| format!("of-{}", client.name()));
    for topic in &topics {
        cluster.create_topic(topic, 1);
    }
    let authority = Authority::new();
    authority.issue("gateway", &[&format!("*.{DOMAIN}")]);
    let hosts = authority.file("hosts");
    fs::write(&hosts, format!("127.0.0.1 localhost acme.{DOMAIN} b1-acme.{DOMAIN}\n")).unwrap();
    let [certificate, key] = ["crt", "key"].map(|ending| authority.file(&format!("gateway.{ending}")));
    let by_host = format!(
        ", tls: {{certificateFile: {}, keyFile: {}}}, sni: {{domain: {DOMAIN}}}",
        certificate.display(),
        key.display()
    );
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut installation = Installation::start_with(&cluster, &names, &by_host);
    let tls = ClientTls { authority: authority.certificate(), old: false, hosts, identity: None };
    let connection = Connection { tls: Some(tls), ..installation.partner.connection() };
    assert_eq!(connection.bootstrap, format!("acme.{DOMAIN}:{}", installation.port));
    for gateway in 0..2 {
        installation.balancer.move_to(gateway);
        for client in Client::ALL {
            let wanted = [format!("b1-acme.{DOMAIN}:{}", installation.port)];
            assert_eq!(node_addresses(client, &connection), wanted, "{client:?} at gateway {gateway}");
        }
    }
    Balancer::take_turns(&installation.balancer);

    let mut pairs: Vec<Pair> = Client::ALL
        .into_iter()
        .zip(&topics)
        .map(|(client, topic)| Pair::start(client, &connection, topic))
        .collect();
    pairs.iter_mut().for_each(Pair::goes_on);
    for gateway in &mut installation.gateways {
        gateway.kill();
        pairs.iter_mut().for_each(Pair::goes_on);
        gateway.run();
    }
    for pair in pairs {
        pair.settle(&cluster);
    }
}

#[test]
fn a_gateway_that_lost_the_store_serves_on_marked_stale_and_one_that_never_had_it_serves_nobody() {
    let (home, west) = (Cluster::private(1), Cluster::shared());
    let backing = unique("orders");
    west.create_topic(&backing, 1);
    let zone = manifest("acme", &[("orders", &backing, "WRITE")])
        .replace("cluster: gateway", "cluster: gateway\n  underlyingCluster: west");
    let product = Product::start_with(&[("a.yaml", &zone)], |port, _| {
        format!(
            "gateway: {{listen: 127.0.0.1, advertisedHost: 127.0.0.1, bootstrapPort: {port}}}\nstore: kafka\nclusters:\n  \
             home: {{bootstrapServers: '{}', brokerPortBase: {port}, isolation: shared}}\n  \
             west: {{bootstrapServers: '{}', brokerPortBase: {}, isolation: shared}}\n",
            home.bootstrap(),
            west.bootstrap(),
            port + 4,
        )
    });
    product.wait_for_status("acme", "READY");
    let partner = product.partner("acme");
    let login = || Wire::logged_in(product.port, &partner.username, &partner.secret);
    drop(login());
    let is_stale = || product.metrics().contains("partner_zones_state_stale 1");
    assert!(!is_stale());

    home.broker(1).kill();
    wait_for("it says that it is stale", is_stale);
    assert!(product.is_ready(), "partners are served");
    login();
    let reads = ["assign", "--topic", "orders", "--partition", "0", "--max", "1"];
    let writes = ["produce", "--topic", "orders", "--value", "a"];
    for work in [&writes[..], &reads[..]] {
        let events = Client::Librdkafka.run(&partner.connection(), work);
        assert_eq!(events.errors(), [], "{work:?}");
    }

    // The same, on addresses of its own and without a past.
    let folder = tempfile::tempdir().unwrap();
    let port = free_ports(10);
    let http = free_ports(1);
    let text = fs::read_to_string(product.config()).unwrap();
    let text = text.lines().filter(|line| !line.starts_with("http:")).collect::<Vec<_>>().join("\n");
    let text = text.replace(&format!("{}", product.port), &port.to_string());
    let text = text.replace(&format!("{}", product.port + 4), &(port + 4).to_string());
    let text = text + &format!("\nhttp: {{admin: '127.0.0.1:{http}'}}\nnode: {{id: late}}\n");
    fs::write(folder.path().join("reconciler.yaml"), text).unwrap();
    let mut late = reconciler(folder.path(), &["run", "--role", "gateway"]);
    late.wait_for_line("the store cannot be opened yet", WITHIN);
    let address = format!("127.0.0.1:{http}");
    let is_ready = || get(&address, "/readyz").is_some_and(|(status, _)| status == 200);
    let begun = Instant::now();
    while begun.elapsed() < A_WHILE {
        assert!(!is_ready(), "it has nothing to serve");
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "and serves nobody");
        thread::sleep(Duration::from_millis(200));
    }
    home.broker(1).start();
    wait_for("the store is back", || !is_stale());
    wait_for("the late one has a state now", is_ready);
    Wire::logged_in(port, &partner.username, &partner.secret);
}

#[test]
fn a_node_that_is_told_to_stop_says_so_before_it_takes_no_more_connections() {
    let cluster = Cluster::shared();
    let backing = unique("orders");
    cluster.create_topic(&backing, 1);
    let zone = manifest("acme", &[("orders", &backing, "WRITE")]);
    let product = Product::start_with(&[("a.yaml", &zone)], |port, folder| {
        let text = sections(cluster, Setup::MEMORY, port, folder);
        text.replace("gateway:\n", "gateway:\n  drainDelay: 5m\n")
    });
    product.wait_for_status("acme", "READY");
    let partner = product.partner("acme");
    product.terminate();
    wait_for("balancers are told", || !product.is_ready());
    // A balancer that has not noticed yet sends somebody.
    drop(Wire::logged_in(product.port, &partner.username, &partner.secret));
    // Who asks twice does not want to wait.
    product.terminate();
    wait_for("it ends", || std::net::TcpStream::connect(("127.0.0.1", product.port)).is_err());
}
