//! Shows that the harness itself can be trusted, on real Kafka and without the gateway: what fails here is not the
//! product's fault.

use std::path::Path;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::support::kafka::{ADMIN, Cluster, GATEWAY, Login, unique};

fn logged_in(cluster: &Cluster, mechanism: &str, login: Login) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", cluster.sasl_bootstrap())
        .set("security.protocol", "SASL_PLAINTEXT")
        .set("sasl.mechanism", mechanism)
        .set("sasl.username", login.user)
        .set("sasl.password", login.password)
        .create()
        .unwrap()
}

fn visible_topics(client: &BaseConsumer) -> Vec<String> {
    let metadata = client.fetch_metadata(None, Duration::from_secs(30)).unwrap();
    metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
}

#[test]
fn brokers_authenticate_with_every_mechanism_and_authorise() {
    let cluster = Cluster::shared();
    let topic = unique("orders");
    cluster.create_topic(&topic, 3);
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        assert!(visible_topics(&logged_in(cluster, mechanism, ADMIN)).contains(&topic), "{mechanism}");
        assert!(!visible_topics(&logged_in(cluster, mechanism, GATEWAY)).contains(&topic), "{mechanism}");
        let stranger = logged_in(cluster, mechanism, Login { user: "gateway", password: "wrong" });
        assert!(stranger.fetch_metadata(None, Duration::from_secs(3)).is_err(), "{mechanism}");
    }
}

#[test]
fn a_created_topic_is_known_to_kafkas_own_tools_until_it_is_deleted() {
    let cluster = Cluster::shared();
    let topic = unique("orders");
    cluster.create_topic_with(&topic, 2, &[("cleanup.policy", "compact")]);
    let described = cluster.tool("TopicCommand", &["--describe", "--topic", &topic]);
    assert!(described.contains("PartitionCount: 2"), "{described}");
    assert!(described.contains("ReplicationFactor: 3"), "{described}");
    assert!(described.contains("cleanup.policy=compact"), "{described}");
    cluster.delete_topic(&topic);
    let topics = cluster.tool("TopicCommand", &["--list"]);
    assert!(!topics.lines().any(|name| name == topic), "{topics}");
}

#[test]
fn a_stopped_or_killed_broker_comes_back_on_its_address() {
    let cluster = Cluster::private(3);
    let address = cluster.bootstrap().split(',').nth(1).unwrap().to_owned();
    let listens = || std::net::TcpStream::connect(&address).is_ok();
    assert!(listens());
    cluster.broker(2).stop();
    assert!(!listens());
    cluster.broker(2).start();
    assert!(listens());
    cluster.broker(2).kill();
    assert!(!listens());
    cluster.broker(2).start();
    assert!(listens());
    assert!(cluster.log(2).contains("Kafka Server started"));
}

#[test]
fn a_private_cluster_leaves_no_process_and_no_data_behind() {
    let cluster = Cluster::private(1);
    let folder = cluster.folder().to_owned();
    let pid = std::fs::read_to_string(folder.join("broker-1.pid")).unwrap();
    let process = Path::new("/proc").join(pid.trim());
    assert!(process.exists());
    drop(cluster);
    assert!(!process.exists());
    assert!(!folder.exists());
}
