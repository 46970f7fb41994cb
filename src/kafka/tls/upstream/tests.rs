use std::path::Path;
use std::time::Duration;

use rcgen::CertificateParams;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::kafka::client::{ClientError, Connection, UpstreamSecurity};
use crate::kafka::tls::fixture::{Authority, Identity};

const WITHIN: Duration = Duration::from_secs(5);

/// What the broker shows, and whether it asks the same authority's certificate of its client.
fn broker_config(identity: &Identity, client_ca: Option<&Path>) -> ServerConfig {
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(authorities(path).unwrap());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (chain, key) = (certificates(&identity.certificate).unwrap(), private_key(&identity.key).unwrap());
    builder.with_single_cert(chain, key).unwrap()
}

/// A broker that answers ApiVersions of version 0 with nothing at all on offer, and no more.
async fn broker(config: ServerConfig) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
        let len = stream.read_i32().await.unwrap();
        let mut frame = vec![0; usize::try_from(len).unwrap()];
        stream.read_exact(&mut frame).await.unwrap();
        let answer = [&10_i32.to_be_bytes(), &frame[4..8], &[0; 6]].concat();
        stream.write_all(&answer).await.unwrap();
        stream.flush().await.unwrap();
        let _ = stream.read(&mut [0]).await;
    });
    port
}

async fn connect(port: u16, files: UpstreamTlsFiles) -> Result<Connection, ClientError> {
    let security = UpstreamSecurity { tls: Some(UpstreamTls::new(files)), sasl: None };
    Connection::connect(&format!("127.0.0.1:{port}"), &security, "test", WITHIN).await
}

fn trusting(ca: &Path) -> UpstreamTlsFiles {
    UpstreamTlsFiles { ca: Some(ca.to_owned()), identity: None, verifies_host: true }
}

/// What comes of a connection to a broker with a certificate for these hosts, spoilt by `edit`.
async fn meeting(
    hosts: &[&str],
    edit: impl FnOnce(&mut CertificateParams),
    verifies_host: bool,
) -> Result<(), String> {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let ca = authority.write(folder.path(), "ca.pem");
    let port = broker(broker_config(&authority.issue(folder.path(), "broker", hosts, edit), None)).await;
    let files = UpstreamTlsFiles { verifies_host, ..trusting(&ca) };
    connect(port, files).await.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_brokers_certificate_must_be_for_its_host_unless_told_otherwise() {
    assert_eq!(meeting(&["127.0.0.1"], |_| {}, true).await, Ok(()));
    let error = meeting(&["broker.example.com"], |_| {}, true).await.unwrap_err();
    assert!(error.contains("for another host") && error.contains("ssl.endpoint.identification"), "{error}");
    assert_eq!(meeting(&["broker.example.com"], |_| {}, false).await, Ok(()));
}

#[tokio::test]
async fn an_expired_certificate_is_refused_with_or_without_a_look_at_its_host() {
    for verifies_host in [true, false] {
        let expired = |params: &mut CertificateParams| {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2020, 2, 1);
        };
        let error = meeting(&["127.0.0.1"], expired, verifies_host).await.unwrap_err();
        assert!(error.contains("has expired; renew it on the broker"), "{error}");
    }
}

#[tokio::test]
async fn a_foreign_authority_is_told_with_the_setting_to_correct() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let identity = authority.issue(folder.path(), "broker", &["127.0.0.1"], |_| {});
    let other = Authority::new().write(folder.path(), "other.pem");
    for verifies_host in [true, false] {
        let port = broker(broker_config(&identity, None)).await;
        let files = UpstreamTlsFiles { verifies_host, ..trusting(&other) };
        let error = connect(port, files).await.unwrap_err().to_string();
        assert!(error.contains("not trusted here; name the right one with ssl.ca.location"), "{error}");
    }
    let missing = folder.path().join("missing.pem");
    let error = connect(1, trusting(&missing)).await.unwrap_err().to_string();
    assert!(error.contains("missing.pem cannot be read"), "{error}");
}

#[tokio::test]
async fn a_broker_that_wants_a_certificate_gets_ours_or_its_refusal_is_explained() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let ca = authority.write(folder.path(), "ca.pem");
    let config = || {
        let identity = authority.issue(folder.path(), "broker", &["127.0.0.1"], |_| {});
        broker_config(&identity, Some(&ca))
    };
    let Identity { certificate, key } = authority.issue(folder.path(), "gateway", &["gateway"], |_| {});
    let files = UpstreamTlsFiles { identity: Some((certificate, key)), ..trusting(&ca) };
    assert!(connect(broker(config()).await, files).await.is_ok());
    let error = connect(broker(config()).await, trusting(&ca)).await.unwrap_err().to_string();
    assert!(error.contains("set ssl.certificate.location and ssl.key.location"), "{error}");
}

#[tokio::test]
async fn a_listener_without_tls_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let ca = authority.write(folder.path(), "ca.pem");
    let plain = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 1]).await.unwrap();
        stream
    };
    let (_stream, connected) = tokio::join!(plain, connect(port, trusting(&ca)));
    let error = connected.unwrap_err().to_string();
    assert!(error.contains("does not speak TLS"), "{error}");
}

#[tokio::test]
async fn a_new_authority_is_taken_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    let ca = old.write(folder.path(), "ca.pem");
    let tls = UpstreamTls::new(trusting(&ca));
    let security = UpstreamSecurity { tls: Some(tls), sasl: None };
    for authority in [&old, &new] {
        authority.write(folder.path(), "ca.pem");
        let identity = authority.issue(folder.path(), "broker", &["127.0.0.1"], |_| {});
        let port = broker(broker_config(&identity, None)).await;
        let address = format!("127.0.0.1:{port}");
        assert!(Connection::connect(&address, &security, "test", WITHIN).await.is_ok());
    }
}
