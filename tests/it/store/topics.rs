//! The store's topics: made right by a controller, refused when wrong.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use partner_zones::store::StoreError;
use partner_zones::store::kafka::Role;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::{Installation, PATIENCE, open};
use crate::support::kafka::Cluster;

pub(super) async fn settings(installation: &Installation, topic: &str) -> BTreeMap<String, String> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &installation.bootstrap).create().unwrap();
    let name = installation.topic(topic);
    let described =
        admin.describe_configs([&ResourceSpecifier::Topic(&name)], &AdminOptions::new()).await.unwrap();
    let resource = described.into_iter().next().unwrap().unwrap();
    resource.entries.into_iter().filter_map(|e| Some((e.name, e.value?))).collect()
}

pub(super) fn all_topics(installation: &Installation) -> Vec<(String, Vec<usize>)> {
    let client: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", &installation.bootstrap).create().unwrap();
    let metadata = client.fetch_metadata(None, PATIENCE).unwrap();
    let ours =
        metadata.topics().iter().filter(|t| t.name().starts_with(&format!("{}.", installation.prefix)));
    let mut topics: Vec<_> = ours
        .map(|t| (t.name().to_owned(), t.partitions().iter().map(|p| p.replicas().len()).collect()))
        .collect();
    topics.sort();
    topics
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_makes_the_topics_as_they_must_be() {
    let installation = Installation::new();
    let node = installation.controller("controller-1").await;
    let expected = ["audit", "state", "status", "usage"].map(|name| (installation.topic(name), vec![3]));
    assert_eq!(all_topics(&installation), expected, "one partition each, on all three brokers");

    let state = settings(&installation, "state").await;
    assert_eq!((state["cleanup.policy"].as_str(), state["min.insync.replicas"].as_str()), ("compact", "2"));
    let status = settings(&installation, "status").await;
    assert_eq!((status["cleanup.policy"].as_str(), status["retention.ms"].as_str()), ("delete", "3600000"));
    let audit = settings(&installation, "audit").await;
    assert_eq!((audit["cleanup.policy"].as_str(), audit["retention.ms"].as_str()), ("delete", "-1"));
    let usage = settings(&installation, "usage").await;
    assert_eq!((usage["cleanup.policy"].as_str(), usage["min.insync.replicas"].as_str()), ("compact", "2"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_makes_no_topic_and_says_who_does() {
    let installation = Installation::new();
    let refused = installation.try_open(Role::Gateway, "gateway-1").await.err().expect("nothing is set up");
    assert!(matches!(refused, StoreError::NotSetUp(_)), "{refused:?}");
    assert!(refused.to_string().contains("start a controller"), "{refused}");
    assert_eq!(all_topics(&installation), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_topic_that_would_evaporate_is_refused_by_every_role() {
    let installation = Installation::new();
    installation.controller("controller-1").await.stop().await;
    let cluster = Cluster::shared();
    let state = installation.topic("state");
    for (wrong, key) in
        [(vec![], "cleanup.policy"), (vec![("cleanup.policy", "compact,delete")], "cleanup.policy")]
    {
        cluster.delete_topic(&state);
        await_absence(&installation, &state);
        cluster.create_topic_with(&state, 1, &wrong);
        for role in [Role::Controller, Role::Gateway] {
            let refused = installation.try_open(role, "n").await.err().expect("the topic is wrong");
            assert!(matches!(refused, StoreError::Unfit(_)), "{refused:?}");
            let text = refused.to_string();
            assert!(text.contains(&state) && text.contains(key) && text.contains("kafka-configs"), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_topic_of_two_partitions_is_refused() {
    let installation = Installation::new();
    Cluster::shared().create_topic_with(&installation.topic("state"), 2, &[("cleanup.policy", "compact")]);
    let refused = installation.try_open(Role::Controller, "n").await.err().expect("the topic is wrong");
    assert!(refused.to_string().contains("2 partitions"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_copies_than_the_configuration_wants_are_refused() {
    let installation = Installation::new();
    let mut options = installation.options(Role::Controller, "controller-1");
    options.replication = Some(1);
    open(options.clone()).await.unwrap().stop().await;
    options.replication = Some(3);
    let refused = open(options).await.err().expect("one copy is not three");
    assert!(refused.to_string().contains("stateReplicationFactor"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_cluster_is_an_error_with_its_reason_and_soon() {
    let mut installation = Installation::new();
    installation.bootstrap = "127.0.0.1:9".to_owned();
    let start = Instant::now();
    let refused = installation.try_open(Role::Gateway, "n").await.err().expect("nobody listens there");
    assert!(matches!(refused, StoreError::Unreachable(_)), "{refused:?}");
    assert!(refused.to_string().contains("refused"), "{refused}");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

pub(super) fn await_absence(installation: &Installation, topic: &str) {
    let deadline = Instant::now() + PATIENCE;
    while all_topics(installation).iter().any(|(name, _)| name == topic) {
        assert!(Instant::now() < deadline, "{topic} is still there");
        std::thread::sleep(Duration::from_millis(100));
    }
}
