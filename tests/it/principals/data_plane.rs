//! What the logins may do that partners' requests go by is asked of the brokers, and said: whether the gateways' own one is kept from the
//! state, where zones have no principals, and whether a principal is kept to its zone.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{ADMIN, Cluster, GATEWAY, Product, manifest};
use crate::support::client::Client;
use crate::support::kafka::Login;

/// The condition is looked at every 15 s while it is not good.
const WITHIN: Duration = Duration::from_mins(1);

fn sections(cluster: &Cluster, port: u16, data_plane: Option<Login>) -> String {
    let data_plane = data_plane.map_or(String::new(), |login| {
        format!(
            ", dataPlane: {{properties: {{sasl.username: {}, sasl.password: {}}}}}",
            login.user, login.password
        )
    });
    format!(
        "gateway: {{listen: 127.0.0.1, advertisedHost: 127.0.0.1, bootstrapPort: {port}, brokerPortBase: {port}}}\n\
         clusters: {{default: {{bootstrapServers: \"{}\", isolation: shared, properties: {{security.protocol: SASL_PLAINTEXT, \
         sasl.mechanism: SCRAM-SHA-512, sasl.username: {}, sasl.password: {}}}{data_plane}}}}}\nstore: kafka\n",
        cluster.sasl_bootstrap(),
        ADMIN.user,
        ADMIN.password,
    )
}

/// Waits until the controller says this of the gateways' login, and gives its words.
fn told(product: &Product, status: &str, reason: &str) -> String {
    let begun = Instant::now();
    loop {
        let output = product.cli(&["get", "controller", "-o", "json"]);
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let all = shown["source"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = all.iter().find(|it| it["type"] == "DataPlaneDenied");
        if let Some(found) = found.filter(|it| it["status"] == status && it["reason"] == reason) {
            return found["message"].as_str().unwrap().to_owned();
        }
        assert!(begun.elapsed() < WITHIN, "{found:?} instead of {reason}:\n{}", product.transcript());
        thread::sleep(Duration::from_millis(500));
    }
}

fn allow(cluster: &Cluster, resources: &[[&str; 2]]) {
    let principal = format!("User:{}", GATEWAY.user);
    for resource in resources {
        let rights = ["--add", "--allow-principal", &principal, "--operation", "All"];
        cluster.tool("AclCommand", &[&rights[..], resource].concat());
    }
}

#[test]
fn the_gateways_own_user_serves_partners_and_is_kept_from_the_state_by_what_the_condition_prints() {
    let cluster = Cluster::private(1);
    cluster.create_topic("orders-v1", 1);
    // As somebody gives rights who does not think of the state.
    allow(&cluster, &[["--topic", "*"], ["--group", "*"]]);
    let text = manifest("acme", &[("orders", "orders-v1", "WRITE")]);
    let mut first_port = 0;
    let mut product = Product::start_with(&[("acme.yaml", &text)], |port, _| {
        first_port = port;
        sections(&cluster, port, None)
    });
    let same = told(&product, "False", "SameUser");
    assert!(same.contains("clusters.default.dataPlane.properties"), "{same}");

    product.configure(&sections(&cluster, first_port, Some(GATEWAY)));
    product.restart();
    let allowed = told(&product, "False", "Allowed");
    let operations = "may READ, WRITE, DELETE, ALTER, ALTER_CONFIGS _partner-zones.state";
    assert!(allowed.contains(operations), "{allowed}");
    product.wait_for_status("acme", "READY");
    let connection = product.partner("acme").connection();
    let produced = || {
        let arguments = ["produce", "--topic", "orders", "--value", "x", "--timeout", "20000"];
        Client::Librdkafka.run(&connection, &arguments).acked().len()
    };
    assert_eq!(produced(), 1, "nothing of it stops anybody");

    let printed = allowed.split("admin.properties ").nth(1).unwrap().split(';').next().unwrap();
    let arguments: Vec<&str> = printed.split(' ').map(|word| word.trim_matches('\'')).collect();
    cluster.tool("AclCommand", &arguments);
    told(&product, "True", "Denied");
    assert_eq!(produced(), 1);
    let metric = "partner_zones_reconcile_condition{condition=\"DataPlaneDenied\"} 1";
    assert!(product.metrics().contains(metric), "{}", product.metrics());
    assert!(!product.transcript().contains(GATEWAY.password) && !allowed.contains(GATEWAY.password));

    // A node that only serves has the store by `properties`, and partners by the other user.
    product.stop();
    let gateway = Product::start_as("gateway", &[], |port, _| sections(&cluster, port, Some(GATEWAY)));
    assert!(gateway.is_ready());
}

#[test]
fn of_a_cluster_without_an_authorizer_it_is_said_that_it_has_none() {
    let cluster = Cluster::private_with(1, &["authorizer.class.name="]);
    let text = manifest("acme", &[("orders", "orders-v1", "WRITE")]);
    let product =
        Product::start_with(&[("acme.yaml", &text)], |port, _| sections(&cluster, port, Some(GATEWAY)));
    let message = told(&product, "False", "NoAuthorizer");
    assert!(message.contains("authorizer.class.name"), "{message}");
}

/// Waits until the zone's second lock is this, and gives what is said of it.
fn locked(product: &Product, status: &str, reason: &str) -> String {
    let lock = |zone: &Value| {
        let all = zone["status"]["conditions"].as_array().unwrap();
        all.iter().find(|it| it["type"] == "SecondLock").cloned().unwrap()
    };
    let is = |zone: Option<&Value>| {
        zone.map(lock).is_some_and(|lock| lock["status"] == status && lock["reason"] == reason)
    };
    lock(&product.wait_for_zone("acme", is).unwrap())["message"].as_str().unwrap().to_owned()
}

#[test]
fn of_a_principal_to_which_its_cluster_leaves_more_open_than_its_zone_it_is_said() {
    let cluster = Cluster::private_with(1, &["allow.everyone.if.no.acl.found=true"]);
    for topic in ["orders-v1", "secrets-v1"] {
        cluster.create_topic(topic, 1);
    }
    let text = manifest("acme", &[("orders", "orders-v1", "WRITE")]);
    let product = Product::start_with(&[("acme.yaml", &text)], |port, _| {
        let sections = sections(&cluster, port, None).replace("isolation: shared", "isolation: principal");
        sections + "masterKey: a key of this test, thirty-two bytes and more\n"
    });
    // Its own user is a super user, so that the state needs no ACL, and has none.
    let message = locked(&product, "False", "ReachesState");
    assert!(
        message.contains("`partner-zones.acme`") && message.contains("_partner-zones.state"),
        "{message}"
    );
    product.wait_for_status("acme", "READY");

    let keep = |topics: &[&str]| {
        let rights = ["--add", "--allow-principal", "User:admin", "--operation", "All"];
        cluster.tool("AclCommand", &[&rights[..], topics].concat());
    };
    keep(&["--topic", "_partner-zones.", "--resource-pattern-type", "prefixed"]);
    let message = locked(&product, "False", "ReachesOthers");
    assert!(message.contains("allow.everyone.if.no.acl.found"), "{message}");
    keep(&["--topic", "*"]);
    locked(&product, "True", "OwnPrincipal");
    let connection = product.partner("acme").connection();
    let produced =
        Client::Librdkafka.run(&connection, &["produce", "--topic", "orders", "--value", "x"]).acked().len();
    assert_eq!(produced, 1);
}
