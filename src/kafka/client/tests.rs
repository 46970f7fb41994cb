use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiVersionsResponse, MetadataRequest, MetadataResponse, SaslAuthenticateResponse, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Encodable, StrBytes};
use tokio::net::TcpListener;

use super::*;
use crate::kafka::control_shapes::METADATA_RESPONSE;
use crate::kafka::sasl::Mechanism;
use crate::secret::Secret;

const WITHIN: Duration = Duration::from_secs(5);

/// A broker that answers each request with the next of these (response header, body), whatever was asked.
async fn broker(answers: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for answer in answers {
            let len = stream.read_i32().await.unwrap();
            let mut frame = vec![0; usize::try_from(len).unwrap()];
            stream.read_exact(&mut frame).await.unwrap();
            let (header, _) = RequestHeader::read(&frame, frame.len(), |_, _| false).unwrap().unwrap();
            let mut out = Vec::new();
            ResponseHeader::V0.put(&mut out, header.correlation_id, answer.len()).unwrap();
            out.extend(answer);
            stream.write_all(&out).await.unwrap();
        }
    });
    address
}

fn encoded(message: &impl Encodable, version: i16) -> Vec<u8> {
    codec::encode(message, version).unwrap().to_vec()
}

fn versions(ranges: &[(i16, i16, i16)]) -> Vec<u8> {
    let keys = ranges.iter().map(|&(key, first, last)| {
        ApiVersion::default().with_api_key(key).with_min_version(first).with_max_version(last)
    });
    encoded(&ApiVersionsResponse::default().with_api_keys(keys.collect()), 0)
}

fn sasl(mechanism: Mechanism) -> UpstreamSecurity {
    let login = Credentials::new(mechanism, "gateway".into(), Secret::new("pw".into()));
    UpstreamSecurity { tls: None, sasl: Some(login) }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_vanished_peer_is_given_up_in_two_minutes_on_a_silent_line_and_on_a_busy_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    configure(&stream).unwrap();
    let socket = SockRef::from(&stream);
    assert!(socket.keepalive().unwrap() && stream.nodelay().unwrap());
    let minutes = Duration::from_mins(2);
    assert!(socket.tcp_keepalive_time().unwrap() + socket.tcp_keepalive_interval().unwrap() <= minutes);
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(minutes));
}

#[tokio::test]
async fn a_connection_knows_the_brokers_versions_and_sends_typed_requests() {
    let metadata = MetadataResponse::default().with_cluster_id(Some(StrBytes::from_static_str("abc")));
    let address = broker(vec![versions(&[(3, 0, 12), (18, 0, 4)]), encoded(&metadata, 8)]).await;
    let mut connection =
        Connection::connect(&address, &UpstreamSecurity::default(), "test", WITHIN).await.unwrap();
    assert_eq!(connection.broker_versions().get(&3), Some(&Versions::new(0, 12)));
    assert_eq!(connection.common_version(3, Versions::new(4, 8)), Some(8));
    assert_eq!(connection.common_version(3, Versions::new(13, 13)), None);
    assert_eq!(connection.common_version(99, Versions::ALL), None);
    let answer = connection.request(&MetadataRequest::default(), 8, &METADATA_RESPONSE).await.unwrap();
    assert_eq!(answer.cluster_id.as_deref(), Some("abc"));
}

#[tokio::test]
async fn a_hostile_answer_is_an_error_and_not_an_allocation() {
    let address = broker(vec![vec![0, 0, 0x7f, 0xff, 0xff, 0xff]]).await;
    let error =
        Connection::connect(&address, &UpstreamSecurity::default(), "test", WITHIN).await.unwrap_err();
    assert!(matches!(error, ClientError::Decode(_)), "{error}");
}

#[tokio::test]
async fn a_listener_without_sasl_or_without_the_mechanism_is_told_apart() {
    let address = broker(vec![versions(&[(3, 0, 12)])]).await;
    let error = Connection::connect(&address, &sasl(Mechanism::Plain), "test", WITHIN).await.unwrap_err();
    assert!(matches!(error, ClientError::NoSasl), "{error}");

    let offer = SaslHandshakeResponse::default()
        .with_error_code(33)
        .with_mechanisms(vec![StrBytes::from_static_str("PLAIN")]);
    let address = broker(vec![versions(&[(17, 0, 1), (36, 0, 2)]), encoded(&offer, 1)]).await;
    let error =
        Connection::connect(&address, &sasl(Mechanism::ScramSha256), "test", WITHIN).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the broker does not offer SCRAM-SHA-256, only PLAIN; change sasl.mechanism"
    );
}

#[tokio::test]
async fn a_refused_login_says_so_and_never_the_password() {
    let refusal = SaslAuthenticateResponse::default()
        .with_error_code(58)
        .with_error_message(Some(StrBytes::from_static_str("Authentication failed")));
    let accepted = encoded(&SaslHandshakeResponse::default(), 1);
    let address = broker(vec![versions(&[(17, 0, 1), (36, 0, 1)]), accepted, encoded(&refusal, 1)]).await;
    let error = Connection::connect(&address, &sasl(Mechanism::Plain), "test", WITHIN).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the broker refused the login (error code 58): Authentication failed; check sasl.username and sasl.password"
    );
}

#[tokio::test]
async fn a_broker_that_accepts_and_says_nothing_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let within = Duration::from_millis(100);
    let error =
        Connection::connect(&address, &UpstreamSecurity::default(), "test", within).await.unwrap_err();
    assert!(matches!(error, ClientError::TimedOut(_)), "{error}");
    drop(listener);
    let error =
        Connection::connect(&address, &UpstreamSecurity::default(), "test", WITHIN).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable(_)), "{error}");
}

#[test]
fn a_broker_with_an_ipv6_address_gets_brackets() {
    assert_eq!(host_port("::1", 9092), "[::1]:9092");
    assert_eq!(host_port("broker-1", 9092), "broker-1:9092");
}
