//! What a partner used, as an operator asks for it: on real Kafka, with processes that are stopped, restarted and killed.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::life::installation::{GatewayProcess, Installation};
use crate::support::client::Client;
use crate::support::kafka::Cluster;

const ZONE: &str = "acme";
/// What a gateway has counted is written within 15 s.
const WITHIN: Duration = Duration::from_secs(45);

fn cli(installation: &Installation, arguments: &[&str]) -> String {
    let output = installation.controller.cli(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn records(usage: &Value, way: &str) -> u64 {
    usage["total"][way]["records"].as_u64().unwrap_or_else(|| panic!("{usage:#}"))
}

/// What the controller and each gateway say.
fn told(installation: &Installation) -> Vec<Value> {
    let gateways = installation.gateways.iter().map(GatewayProcess::url);
    let urls = std::iter::once(installation.controller.url()).chain(gateways);
    let said = urls.map(|url| {
        // A node that has just started may not have read everything yet.
        let output = installation.controller.cli(&["get", "usage", ZONE, "-o", "json", "--url", &url]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    });
    said.collect()
}

/// Waits until all say the same, and that so many records were produced.
fn await_produced(installation: &Installation, wanted: u64) -> Value {
    let begun = Instant::now();
    loop {
        let all = told(installation);
        let first = &all[0];
        if all.iter().all(|one| one == first) && first["total"]["produced"]["records"] == wanted {
            return first.clone();
        }
        let transcript = installation.controller.transcript();
        assert!(begun.elapsed() < WITHIN, "not {wanted}: {all:#?}\n{transcript}");
        thread::sleep(Duration::from_millis(300));
    }
}

fn produce(installation: &Installation, count: u64) {
    let number = count.to_string();
    let arguments = ["produce", "--topic", "orders", "--count", &number, "--size", "100", "--key", "{i}"];
    let events = Client::Librdkafka.run(&installation.partner.connection(), &arguments);
    assert_eq!(events.acked().len() as u64, count, "{:?}", events.errors());
}

fn consume(installation: &Installation, count: u64) {
    let max = count.to_string();
    let arguments = ["assign", "--topic", "orders", "--partition", "0", "--max", &max];
    let events = Client::Librdkafka.run(&installation.partner.connection(), &arguments);
    assert_eq!(events.records().len() as u64, count, "{:?}", events.errors());
}

/// What a bill is made of.
fn volumes(usage: &Value) -> [Value; 3] {
    [usage["total"]["produced"].clone(), usage["total"]["consumed"].clone(), usage["topics"].clone()]
}

#[test]
fn totals_outlive_every_process_are_exact_after_a_restart_and_never_more_than_the_truth() {
    let cluster = Cluster::private(1);
    cluster.create_topic("orders", 1);
    let mut installation = Installation::start(&cluster, &["orders"]);
    installation.balancer.take_turns();
    produce(&installation, 40);
    consume(&installation, 40);

    // At once: the last figures are written while a gateway ends.
    for gateway in &mut installation.gateways {
        gateway.restart();
    }
    installation.await_ready();
    let first = await_produced(&installation, 40);
    assert!(records(&first, "consumed") >= 40, "{first:#}");
    assert_eq!(first["topics"][0]["name"], "orders");
    assert_eq!(first["topics"][0]["produced"], first["total"]["produced"]);
    assert_eq!(first["credentials"][0]["name"], installation.partner.username.as_str());
    let requests = first["total"]["requests"].as_u64().unwrap();
    assert!(requests > 0 && first["total"]["connections"].as_u64().unwrap() > 0, "{first:#}");

    // What was written is there whatever is killed, and what was not is lost, at most.
    produce(&installation, 25);
    let before = await_produced(&installation, 65);
    for gateway in &mut installation.gateways {
        gateway.kill();
        gateway.run();
    }
    installation.await_ready();
    assert_eq!(volumes(&await_produced(&installation, 65)), volumes(&before));
    produce(&installation, 10);
    for gateway in &mut installation.gateways {
        gateway.kill();
        gateway.run();
    }
    installation.await_ready();
    let begun = Instant::now();
    let last = loop {
        let all = told(&installation);
        if all.iter().all(|one| *one == all[0] && one.is_object()) {
            break all[0].clone();
        }
        assert!(begun.elapsed() < WITHIN, "{all:#?}");
        thread::sleep(Duration::from_millis(300));
    };
    assert!((65..=75).contains(&records(&last, "produced")), "{last:#}");
    installation.controller.restart();
    let produced = records(&last, "produced");
    assert_eq!(volumes(&await_produced(&installation, produced)), volumes(&last));

    shown(&installation, &last);
}

/// The same figures in every form.
fn shown(installation: &Installation, usage: &Value) {
    let (month, produced) = (usage["month"].as_str().unwrap(), &usage["total"]["produced"]);
    let statement = cli(installation, &["get", "usage", "--month", month, "-o", "csv"]);
    let row = format!("\r\n{month},{ZONE},total,,{},{},", produced["bytes"], produced["records"]);
    assert!(statement.contains(&row), "{row}\n{statement}");
    assert_eq!(cli(installation, &["get", "usage", ZONE, "-o", "csv"]), statement, "there is one zone");
    let zone: Value = serde_json::from_str(&cli(installation, &["get", "zone", ZONE, "-o", "json"])).unwrap();
    assert_eq!(&zone["status"]["usage"]["produced"], produced);
    for (arguments, wanted) in [
        (&["get", "zones", "-o", "wide"][..], "PRODUCED"),
        (&["get", "zone", ZONE, "-o", "wide"], "CREDENTIAL"),
        (&["get", "usage"], "kB"),
    ] {
        let text = cli(installation, arguments);
        assert!(text.contains(wanted) && text.contains(ZONE), "{arguments:?}:\n{text}");
    }
    for (arguments, wanted) in [
        (&["get", "usage", "nobody"][..], "there is no zone of this name"),
        (&["get", "usage", "--month", "November"], "a month is a year and a month"),
        (&["get", "zones", "-o", "csv"], "get usage -o csv"),
    ] {
        let output = installation.controller.cli(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(wanted), "{arguments:?}: {said}");
    }
}
