//! What is read over REST of a running product: topics to pick from, the audit log, the last plan, and word of changes.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::kafka::Cluster;
use crate::support::product::{Product, Setup, manifest, sections};
use crate::support::reconciler::get_as;

const PATIENCE: Duration = Duration::from_secs(30);

fn address(product: &Product) -> String {
    product.url().trim_start_matches("http://").to_owned()
}

fn get(product: &Product, path: &str) -> (u16, Value) {
    let (status, body) = get_as(&product.admin_key(), &address(product), path).expect("an answer");
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

fn topics_say_with_whom_they_are_shared(product: &Product) {
    let (status, list) = get(product, "/api/v1/topics?cluster=default");
    assert_eq!(status, 200, "{list}");
    let shared = json!([{"zone": "acme", "alias": "orders", "permission": "READ"}]);
    let topic = |name: &str, partitions: usize, shared: &Value, shares: usize| {
        json!({
            "cluster": "default", "name": name, "partitions": partitions, "sharedWith": shared, "shares": shares,
        })
    };
    let wanted = json!([topic("sales.orders", 6, &shared, 1), topic("sales.returns", 2, &json!([]), 0)]);
    assert_eq!(list["items"], wanted, "neither Kafka's own topics nor ours");
    let (status, problem) = get(product, "/api/v1/topics?cluster=west");
    assert!(status == 503 && problem["detail"].as_str().unwrap().contains("`west`"), "{problem}");
    assert_eq!(get(product, "/api/v1/topics?cluster=east").0, 404);
}

fn the_log_tells_of_a_zone(product: &Product) {
    product.partner("acme");
    let begun = Instant::now();
    let kinds = loop {
        let (status, list) = get(product, "/api/v1/audit?zone=acme&limit=2");
        assert_eq!(status, 200, "{list}");
        let items = list["items"].as_array().unwrap();
        let kinds: Vec<_> = items.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
        if kinds.len() == 2 || begun.elapsed() > PATIENCE {
            break kinds;
        }
    };
    assert_eq!(kinds, ["partner-zones.credential.issued", "partner-zones.zone.created"]);
    let (_, created) = get(product, "/api/v1/audit?type=zone.created");
    let event = &created["items"][0];
    assert_eq!((&event["specversion"], &event["subject"]), (&json!("1.0"), &json!("zone/acme")));
}

fn the_last_plan_is_the_controllers(product: &Product) {
    let (_, controller) = get(product, "/api/v1/controller");
    let (status, plan) = get(product, "/api/v1/plan");
    assert_eq!((status, &plan["leading"], &plan["isWhole"]), (200, &json!(true), &json!(true)), "{plan}");
    assert_eq!(plan["plan"]["digest"], controller["source"]["planDigest"]);
    assert_eq!((&plan["plan"]["mode"], &plan["run"]["plan"]), (&json!("live"), &plan["plan"]["digest"]));
}

/// The sequence in the next event that is not `last`.
fn hear(stream: &mut impl BufRead, last: u64) -> u64 {
    let begun = Instant::now();
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0 && begun.elapsed() < PATIENCE, "it ends");
        let data = line.strip_prefix("data: ").map(|data| serde_json::from_str::<Value>(data).unwrap());
        match data.and_then(|data| data["sequence"].as_u64()) {
            Some(sequence) if sequence != last => return sequence,
            _ => {}
        }
    }
}

fn a_commit_is_heard_of(product: &Product) {
    let (address, key) = (address(product), product.admin_key());
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n")
        .unwrap();
    let mut stream = BufReader::new(stream);
    let now = hear(&mut stream, 0);
    let beta = manifest("beta", &[("returns", "sales.returns", "READ")]);
    product.commit("Share with another", &[("beta.yaml", Some(&beta))]);
    let zones = |list: Value| list["total"].as_u64().unwrap();
    let mut heard = now;
    while zones(get(product, "/api/v1/zones?search=BETA&limit=1").1) == 0 {
        heard = hear(&mut stream, heard);
    }
    assert!(heard > now);
}

#[test]
fn lists_of_a_running_product_are_those_of_its_clusters_its_log_and_its_controller() {
    let cluster = Cluster::private(1);
    cluster.create_topic("sales.orders", 6);
    cluster.create_topic("sales.returns", 2);
    let acme = manifest("acme", &[("orders", "sales.orders", "READ")]);
    let mut product = Product::start_with(&[("acme.yaml", &acme)], |port, folder| {
        // A second cluster, which is away.
        let west = format!(
            "    isolation: shared\n  west:\n    bootstrapServers: \"127.0.0.1:1\"\n    brokerPortBase: {}\n    \
             isolation: shared\nstore:",
            port + 4
        );
        sections(&cluster, Setup::KAFKA, port, folder).replace("    isolation: shared\nstore:", &west)
    });
    product.wait_for_status("acme", "READY");
    topics_say_with_whom_they_are_shared(&product);
    the_log_tells_of_a_zone(&product);
    the_last_plan_is_the_controllers(&product);
    a_commit_is_heard_of(&product);
    product.stop();
}
