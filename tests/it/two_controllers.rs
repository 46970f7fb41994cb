//! Several nodes on one state: one writes, the others forward to it, and its death costs nothing.

use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::kafka::Cluster;
use crate::support::product::{Product, Setup, manifest};
use crate::support::scenarios;

const TAKE_OVER: Duration = Duration::from_secs(90);

/// Zones as a node's API lists them, with their phases.
fn zones(node: &Product, key: &str) -> Vec<(String, String)> {
    let output = node.cli_as(key, &["get", "zones", "-o", "json"]);
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let text = |zone: &serde_json::Value, at: &str| {
        zone.pointer(at).and_then(|v| v.as_str()).unwrap_or("").to_owned()
    };
    listed["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|zone| (text(zone, "/metadata/name"), text(zone, "/status/phase")))
        .collect()
}

fn await_zones(node: &Product, key: &str, wanted: &[&str]) {
    let started = Instant::now();
    let wanted: Vec<_> = wanted.iter().map(|name| ((*name).to_owned(), "READY".to_owned())).collect();
    while zones(node, key) != wanted {
        assert!(started.elapsed() < TAKE_OVER, "{:?}\n{}", zones(node, key), node.transcript());
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn of_two_controllers_one_writes_the_other_forwards_and_takes_over() {
    let cluster = Cluster::private(3);
    for topic in ["sales.orders", "sales.invoices"] {
        cluster.create_topic(topic, 1);
    }
    let first = manifest("acme", &[("orders", "sales.orders", "WRITE")]);
    let mut one = Product::start(&cluster, Setup::KAFKA, &[("acme.yaml", &first)]);
    let mut two = one.start_beside(&cluster, Setup::KAFKA);
    // Whoever led the empty store wrote the first admin key.
    let key = [&one, &two].iter().map(|node| node.admin_key()).find(|key| !key.is_empty()).unwrap();
    for node in [&one, &two] {
        await_zones(node, &key, &["acme"]);
    }

    // Both issue: one of them forwards to the other. Both gateways know both credentials.
    for node in [&one, &two] {
        let issued = node.cli_as(&key, &["credentials", "issue", "acme", "-o", "json"]);
        assert!(issued.status.success(), "{}", String::from_utf8_lossy(&issued.stderr));
    }
    let listed = one.cli_as(&key, &["credentials", "list", "acme", "-o", "name"]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), 2);

    // The leader dies without a word; the other one carries the next commit.
    let (dead, alive) = if one.admin_key().is_empty() { (&mut two, &one) } else { (&mut one, &two) };
    dead.kill();
    let second = manifest("beta", &[("invoices", "sales.invoices", "WRITE")]);
    alive.commit("Add a partner", &[("beta.yaml", Some(&second))]);
    await_zones(alive, &key, &["acme", "beta"]);
    let issued = alive.cli_as(&key, &["credentials", "issue", "beta", "-o", "json"]);
    assert!(issued.status.success(), "{}", String::from_utf8_lossy(&issued.stderr));
    let issued: serde_json::Value = serde_json::from_slice(&issued.stdout).unwrap();
    let text = |field: &str| issued[field].as_str().unwrap();
    let connection = crate::support::client::Connection::sasl(
        &format!("127.0.0.1:{}", alive.port),
        "PLAIN",
        text("username"),
        text("secret"),
    );
    scenarios::listings_show_exactly(Client::Librdkafka, &connection, &["invoices"]);
}
