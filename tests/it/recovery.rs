//! The store's topics are lost, one or all, with partners at work: nobody is cut off, nothing is taken for deleted, and a backup puts
//! everything back as it was.

use std::fs;
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use serde_json::Value;
use uuid::Uuid;

use crate::life::installation::Installation;
use crate::support::client::Client;
use crate::support::kafka::Cluster;
use crate::support::product::{Partner, Product, Setup, manifest};
use crate::support::wire::{Wire, request};

const WITHIN: Duration = Duration::from_mins(1);
const TOPICS: [&str; 3] = ["_partner-zones.state", "_partner-zones.status", "_partner-zones.audit"];

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < WITHIN, "{what}");
        thread::sleep(Duration::from_millis(200));
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn is_let_in(partner: &Partner) -> bool {
    Client::Librdkafka.run(&partner.connection(), &["list-topics", "--timeout", "5000"]).errors().is_empty()
}

/// The id of topic `orders`, as this partner is shown it.
fn shown_id(port: u16, partner: &Partner) -> Uuid {
    let mut wire = Wire::logged_in(port, &partner.username, &partner.secret);
    let name = TopicName(StrBytes::from_static_str("orders"));
    let topic = MetadataRequestTopic::default().with_name(Some(name));
    let answer = wire.call(&MetadataRequest::default().with_topics(Some(vec![topic])), 12);
    assert_eq!(answer.topics[0].error_code, 0);
    answer.topics[0].topic_id
}

/// What a topic is set to; `None` if there is no such topic.
fn setting(cluster: &Cluster, topic: &str, key: &str) -> Option<String> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap()).create().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = AdminOptions::new();
    let described =
        runtime.block_on(admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options)).unwrap();
    described.into_iter().next()?.ok()?.get(key)?.value.clone()
}

#[test]
fn a_backup_puts_zones_ids_credentials_and_keys_back_after_all_topics_were_lost() {
    let cluster = Cluster::private(1);
    cluster.create_topic("orders-v1", 1);
    let zone = manifest("acme", &[("orders", "orders-v1", "WRITE")]);
    let mut product = Product::start(&cluster, Setup::KAFKA, &[("a.yaml", &zone)]);
    product.wait_for_status("acme", "READY");
    let partner = product.partner("acme");
    let id = |product: &Product| product.zone("acme").unwrap()["metadata"]["id"].clone();
    let (zone_id, topic_id) = (id(&product), shown_id(product.port, &partner));
    let viewer = product.cli(&["api-key", "create", "--role", "viewer"]);
    assert!(viewer.status.success(), "{}", said(&viewer));

    // From the topic, with the configuration's login: as when no controller runs.
    product.stop();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let file = file.to_str().unwrap();
    let exported = product.cli(&["state", "export", file]);
    assert!(exported.status.success(), "{}", said(&exported));
    let backup = fs::read_to_string(file).unwrap();
    for secret in [partner.secret.as_str(), product.admin_key().splitn(3, '_').last().unwrap()] {
        assert!(!backup.contains(secret), "a secret is in the backup");
    }
    let refused = product.cli(&["state", "import", file]);
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    assert!(said(&refused).contains("it holds 1 credentials"), "{}", said(&refused));

    // Lost; and a controller has already begun anew from the source.
    for topic in TOPICS {
        cluster.delete_topic(topic);
    }
    wait_for("the topics are gone", || {
        TOPICS.iter().all(|topic| setting(&cluster, topic, "retention.ms").is_none())
    });
    product.restart();
    product.wait_for_status("acme", "READY");
    assert!(!is_let_in(&partner), "what is lost is not good");

    let imported = product.cli(&["state", "import", file, "--reason", "the topics were deleted"]);
    assert!(imported.status.success(), "{}\n{}", said(&imported), product.transcript());
    assert!(said(&imported).contains("1 credentials and 1 API keys are back"), "{}", said(&imported));
    wait_for("the old credential works", || is_let_in(&partner));
    assert_eq!((id(&product), shown_id(product.port, &partner)), (zone_id, topic_id));
    // The controller that was fenced leads again, over what was restored.
    wait_for("the controller leads", || product.cli(&["credentials", "issue", "acme"]).status.success());
    let listed = product.cli(&["credentials", "list", "acme", "-o", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed:#}");
}

#[test]
fn no_lost_topic_cuts_a_partner_off_and_a_running_gateway_is_the_backup() {
    let cluster = Cluster::private(1);
    cluster.create_topic("orders", 1);
    let installation = Installation::start(&cluster, &["orders"]);
    let topic_id = shown_id(installation.port, &installation.partner);
    let mut idle = installation.idle(1);
    let metadata_of_nothing = request(3, 1, &0_i32.to_be_bytes());

    // Heartbeats and the audit log come back by themselves.
    for (topic, retention) in [(TOPICS[1], "3600000"), (TOPICS[2], "-1")] {
        cluster.delete_topic(topic);
        wait_for(topic, || setting(&cluster, topic, "retention.ms").as_deref() == Some(retention));
    }
    installation.await_ready();
    let issues = || installation.controller.cli(&["credentials", "issue", "acme"]).status.success();
    wait_for("what is audited can be written again", issues);

    // The state does not, and is not taken for empty.
    cluster.delete_topic(TOPICS[0]);
    wait_for("the controller steps down", || !installation.controller.is_ready());
    assert!(idle.ask(&metadata_of_nothing).is_some(), "cut off");
    assert_eq!(shown_id(installation.port, &installation.partner), topic_id);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let file = file.to_str().unwrap();
    let gateway = installation.gateways[0].url();
    let exported = installation.controller.cli(&["state", "export", file, "--url", &gateway]);
    assert!(exported.status.success(), "{}", said(&exported));
    let imported = installation.controller.cli(&["state", "import", file, "--reason", "deleted by mistake"]);
    assert!(imported.status.success(), "{}", said(&imported));
    assert_eq!(setting(&cluster, TOPICS[0], "cleanup.policy").as_deref(), Some("compact"));

    wait_for("the controller writes again", issues);
    installation.await_ready();
    assert!(idle.ask(&metadata_of_nothing).is_some(), "nobody was cut off");
    assert_eq!(shown_id(installation.port, &installation.partner), topic_id);
}
