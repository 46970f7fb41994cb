//! Our own connection to a broker, on real Kafka: versions, every login, and responses that real brokers write.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use partner_zones::kafka::client::{ClientError, Connection, UpstreamSecurity};
use partner_zones::kafka::control_shapes::{API_VERSIONS_RESPONSE, METADATA_RESPONSE};
use partner_zones::kafka::shape::Versions;
use rdkafka::mocking::MockCluster;

use crate::support::kafka::{ADMIN, Cluster, unique};

const WITHIN: Duration = Duration::from_secs(10);
const METADATA: i16 = 3;

fn sasl(mechanism: &str, password: &str) -> UpstreamSecurity {
    let properties = [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", mechanism),
        ("sasl.username", ADMIN.user),
        ("sasl.password", password),
    ];
    let properties: BTreeMap<String, String> =
        properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    UpstreamSecurity::from_properties(&properties).unwrap()
}

async fn connect(addresses: &str, security: &UpstreamSecurity) -> Result<Connection, ClientError> {
    let first = addresses.split(',').next().unwrap();
    Connection::connect(first, security, "partner-zones-test", WITHIN).await
}

#[tokio::test]
async fn every_mechanism_logs_in_and_the_connection_is_usable() {
    let cluster = Cluster::shared();
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let security = sasl(mechanism, ADMIN.password);
        let mut connection = connect(cluster.sasl_bootstrap(), &security).await.unwrap();
        let version = connection.common_version(METADATA, Versions::new(0, 13)).unwrap();
        let answer = connection
            .request(&MetadataRequest::default().with_topics(Some(vec![])), version, &METADATA_RESPONSE)
            .await
            .unwrap();
        assert_eq!(answer.brokers.len(), 3, "{mechanism}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_by_every_mechanism_and_told_as_such() {
    let cluster = Cluster::shared();
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let error = connect(cluster.sasl_bootstrap(), &sasl(mechanism, "wrong")).await.unwrap_err();
        assert!(matches!(error, ClientError::Authentication { code: 58, .. }), "{mechanism}: {error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
}

#[tokio::test]
async fn the_wrong_kind_of_listener_is_told_apart_from_a_wrong_password() {
    let cluster = Cluster::shared();
    let error = connect(cluster.bootstrap(), &sasl("PLAIN", ADMIN.password)).await.unwrap_err();
    // A plain-text listener answers SaslHandshake with an error, whatever it advertises.
    assert!(!matches!(error, ClientError::Authentication { .. }), "{error}");
    let mut connection = connect(cluster.sasl_bootstrap(), &UpstreamSecurity::default()).await.unwrap();
    let metadata = connection.request(&MetadataRequest::default(), 12, &METADATA_RESPONSE).await;
    assert!(matches!(metadata, Err(ClientError::Closed | ClientError::Lost(_))), "{metadata:?}");
}

#[tokio::test]
async fn what_a_real_broker_writes_is_what_the_shapes_say_at_every_version() {
    let cluster = Cluster::shared();
    let topic = unique("shapes");
    cluster.create_topic(&topic, 6);
    let mut connection = connect(cluster.bootstrap(), &UpstreamSecurity::default()).await.unwrap();
    let served = connection.broker_versions()[&METADATA];
    for version in served.first.max(0)..=served.last.min(13) {
        let name = TopicName(StrBytes::from_string(topic.clone()));
        let named = vec![
            MetadataRequestTopic::default().with_name(Some(name)),
            MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_static_str("nowhere")))),
        ];
        let request =
            MetadataRequest::default().with_topics(Some(named)).with_allow_auto_topic_creation(version < 4);
        let answer = connection.request(&request, version, &METADATA_RESPONSE).await.unwrap();
        let found =
            answer.topics.iter().find(|found| found.name.as_ref().is_some_and(|name| **name == *topic));
        assert_eq!(found.unwrap().partitions.len(), 6, "v{version}");
        assert_eq!(found.unwrap().topic_id.is_nil(), version < 10, "v{version}");
    }
    for version in 0..=4 {
        let request = ApiVersionsRequest::default();
        let request = if version < 3 {
            request
        } else {
            request
                .with_client_software_name(StrBytes::from_static_str("partner-zones"))
                .with_client_software_version(StrBytes::from_static_str("0"))
        };
        let answer = connection.request(&request, version, &API_VERSIONS_RESPONSE).await.unwrap();
        assert_eq!(answer.error_code, 0, "v{version}");
        assert!(answer.api_keys.len() > 40, "v{version}");
    }
}

#[tokio::test]
async fn the_embedded_demo_kafka_which_knows_only_old_versions_is_understood() {
    let mock = MockCluster::new(3).unwrap();
    mock.create_topic("orders", 4, 3).unwrap();
    let mut connection = connect(&mock.bootstrap_servers(), &UpstreamSecurity::default()).await.unwrap();
    let version = connection.common_version(METADATA, Versions::new(0, 13)).unwrap();
    let orders =
        MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_static_str("orders"))));
    let request = MetadataRequest::default().with_topics(Some(vec![orders]));
    let answer = connection.request(&request, version, &METADATA_RESPONSE).await.unwrap();
    assert_eq!((answer.brokers.len(), answer.topics[0].partitions.len()), (3, 4), "v{version}");
    let error = connect(&mock.bootstrap_servers(), &sasl("PLAIN", "x")).await.unwrap_err();
    assert!(matches!(error, ClientError::NoSasl), "{error}");
}
