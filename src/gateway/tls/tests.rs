use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as ClientStream;

use super::super::fixture::{impatient, shared};
use super::*;
use crate::kafka::tls::authorities;
use crate::kafka::tls::fixture::{Authority, Identity};
use crate::zone::{ClusterName, SniDomain, ZoneName};

mod clients;

const DOMAIN: &str = "partners.example.com";

/// A gateway's entrance with a certificate for the domain and below it.
struct Entrance {
    folder: TempDir,
    authority: Authority,
    files: TlsFiles,
    shared: Shared,
}

impl Entrance {
    /// With an authority, nobody comes in without a certificate.
    fn new(client_ca: Option<&Authority>) -> Self {
        Self::asking(
            client_ca,
            if client_ca.is_some() { ClientAuth::Required } else { ClientAuth::Requested },
        )
    }

    fn requesting(client_ca: Option<&Authority>) -> Self {
        Self::asking(client_ca, ClientAuth::Requested)
    }

    fn asking(client_ca: Option<&Authority>, auth: ClientAuth) -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let Identity { certificate, key } = issue(&authority, &folder);
        let ca = client_ca.map(|ca| ca.write(folder.path(), "clients.pem"));
        let clients = ClientCertificates { ca, auth, ..ClientCertificates::default() };
        let files = TlsFiles { certificate, key, clients };
        let (mut shared, _) = shared(impatient());
        shared.config.tls = Some(ServerTls::load(files.clone()).unwrap());
        shared.config.sni = Some(SniDomain::new(DOMAIN, "kafka.partners.example.com").unwrap());
        Self { folder, authority, files, shared }
    }

    /// Lets a client in that does as it is told, on this port.
    async fn meet<T>(
        &self,
        port: &Port,
        client: impl AsyncFnOnce(TcpStream) -> T,
    ) -> (Result<(Socket, Port), Close>, T) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(listener.accept(), TcpStream::connect(listener.local_addr().unwrap()));
        tokio::join!(enter(&self.shared, near.unwrap().0, port), client(far.unwrap()))
    }

    /// What a well-behaved client gets to by this host name.
    async fn by_host(&self, port: &Port, host: &str) -> Port {
        let client = client(&self.authority, None, rustls::DEFAULT_VERSIONS);
        let (entered, connected) = self.meet(port, async |far| connect(client, host, far).await).await;
        connected.unwrap();
        entered.unwrap().1
    }

    async fn refused(&self, client: ClientConfig) -> String {
        let (entered, _) = self.meet(&Port::Bootstrap, async |far| talk(client, far).await).await;
        let close = entered.map(drop).unwrap_err();
        assert_eq!(close.label(), "tls_handshake");
        close.to_string()
    }
}

fn issue(authority: &Authority, folder: &TempDir) -> Identity {
    authority.issue(folder.path(), "gateway", &[&format!("*.{DOMAIN}"), DOMAIN], |_| {})
}

fn client(
    trusted: &Authority,
    identity: Option<&Identity>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> ClientConfig {
    let folder = tempfile::tempdir().unwrap();
    let roots = authorities(&trusted.write(folder.path(), "ca.pem")).unwrap();
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { certificate, key }) => builder
            .with_client_auth_cert(certificates(certificate).unwrap(), private_key(key).unwrap())
            .unwrap(),
    }
}

async fn connect(config: ClientConfig, host: &str, far: TcpStream) -> io::Result<ClientStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, far).await
}

/// Connects and reads, since TLS 1.3 tells a client of its own certificate's fate only then.
async fn talk(config: ClientConfig, far: TcpStream) -> io::Result<usize> {
    connect(config, "acme.partners.example.com", far).await?.read(&mut [0]).await
}

fn zone_port(node: Option<i32>) -> Port {
    Port::Zone { zone: ZoneName::try_from("acme").unwrap(), node }
}

#[tokio::test]
async fn the_host_name_says_which_zone_and_broker_and_anything_else_is_port_mode() {
    let entrance = Entrance::new(None);
    for (host, port) in [
        ("acme.partners.example.com", zone_port(None)),
        ("b3-acme.partners.example.com", zone_port(Some(3))),
        ("kafka.partners.example.com", Port::Bootstrap),
        ("partners.example.com", Port::Bootstrap),
    ] {
        assert_eq!(entrance.by_host(&Port::Bootstrap, host).await, port, "{host}");
    }
    // On a broker's own port the port says it all.
    let broker = Port::Broker { cluster: ClusterName::try_from("default").unwrap(), node: 1 };
    assert_eq!(entrance.by_host(&broker, "acme.partners.example.com").await, broker);
}

#[tokio::test]
async fn bytes_pass_under_both_versions_and_an_end_without_goodbye_is_an_end() {
    let entrance = Entrance::new(None);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = client(&entrance.authority, None, &[version]);
        let host = "acme.partners.example.com";
        let (entered, far) =
            entrance.meet(&Port::Bootstrap, async |far| connect(config, host, far).await).await;
        let (mut near_read, mut near_write) = entered.unwrap().0.into_split();
        let mut far = far.unwrap();
        let sent = vec![7; 300_000];
        let reader = async {
            let mut read = vec![0; sent.len()];
            far.read_exact(&mut read).await.unwrap();
            far.write_all(b"thanks").await.unwrap();
            far.flush().await.unwrap();
            // Only TCP's end: many a client leaves like this.
            let (mut tcp, _) = far.into_inner();
            tcp.shutdown().await.unwrap();
            read
        };
        let writer = async {
            near_write.write_all(&sent).await.unwrap();
            near_write.flush().await.unwrap();
        };
        let (read, ()) = tokio::join!(reader, writer);
        assert_eq!(read, sent);
        let mut rest = Vec::new();
        near_read.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"thanks");
    }
}

#[tokio::test]
async fn what_is_not_tls_is_called_by_its_name() {
    let entrance = Entrance::new(None);
    for (bytes, label, word) in [
        (&[0, 0, 0, 20, 0, 18, 0, 3][..], "plain_on_tls_port", "Kafka client"),
        (b"GET /healthz HTTP/1.1\r\n\r\n", "plain_on_tls_port", "HTTP"),
        (&[0xff, 0xff], "plain_on_tls_port", "neither"),
        (&[0x16, 0x03, 0x01, 0, 4, 9, 0, 0, 0], "tls_handshake", "protocol"),
        (&[], "partner_done", "done"),
    ] {
        let client = async |mut far: TcpStream| {
            far.write_all(bytes).await.unwrap();
            far.shutdown().await.unwrap();
            far
        };
        let close = entrance.meet(&Port::Bootstrap, client).await.0.map(drop).unwrap_err();
        assert_eq!(close.label(), label, "{close}");
        assert!(close.to_string().contains(word), "{close}");
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_or_stops_in_the_middle_is_not_waited_for() {
    let entrance = Entrance::new(None);
    for bytes in [&[][..], &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]] {
        let client = async |mut far: TcpStream| {
            far.write_all(bytes).await.unwrap();
            far
        };
        let close = entrance.meet(&Port::Bootstrap, client).await.0.map(drop).unwrap_err();
        assert_eq!(close.label(), "authentication_timeout");
    }
}

#[tokio::test]
async fn a_handshake_that_fails_says_what_to_tell_the_partner() {
    let (partners, strangers) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let good = partners.issue(folder.path(), "good", &["acme"], |_| {});
    let bad = strangers.issue(folder.path(), "bad", &["acme"], |_| {});
    let entrance = Entrance::new(Some(&partners));
    let showing = |identity| client(&entrance.authority, identity, rustls::DEFAULT_VERSIONS);
    assert!(entrance.refused(showing(None)).await.contains("shows no certificate"));
    assert!(entrance.refused(showing(Some(&bad))).await.contains("not signed by an authority"));
    let untrusting = client(&strangers, Some(&good), rustls::DEFAULT_VERSIONS);
    assert!(entrance.refused(untrusting).await.contains("does not accept this gateway's certificate"));
    let host = "acme.partners.example.com";
    let (entered, _) =
        entrance.meet(&Port::Bootstrap, async |far| connect(showing(Some(&good)), host, far).await).await;
    assert_eq!(entered.unwrap().1, zone_port(None));
}

#[tokio::test]
async fn new_connections_get_the_new_certificate_and_a_broken_one_changes_nothing() {
    let entrance = Entrance::new(None);
    let shown = async || {
        let config = client(&entrance.authority, None, rustls::DEFAULT_VERSIONS);
        let host = "acme.partners.example.com";
        let (_, far) = entrance.meet(&Port::Bootstrap, async |far| connect(config, host, far).await).await;
        far.unwrap().get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let first = shown().await;
    let tls = entrance.shared.config.tls.clone().unwrap();
    let (asked, metrics) = (Arc::new(Notify::new()), Metrics::default());
    let following = tls.clone().follow(Arc::clone(&asked), metrics);
    let script = async {
        issue(&entrance.authority, &entrance.folder);
        asked.notify_one();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        let mut second = shown().await;
        while second == first {
            assert!(tokio::time::Instant::now() < deadline, "the new certificate is not taken");
            second = shown().await;
        }
        // A certificate without its key.
        std::fs::write(&entrance.files.key, "nothing").unwrap();
        assert!(matches!(tls.material.refresh(true), Refreshed::Refused(TlsError::Empty { .. })));
        assert_eq!(shown().await, second);
        // And one that belongs to another key.
        let other = tempfile::tempdir().unwrap();
        let Identity { key, .. } = issue(&entrance.authority, &other);
        std::fs::copy(key, &entrance.files.key).unwrap();
        assert!(matches!(tls.material.refresh(true), Refreshed::Refused(TlsError::Pair { .. })));
        assert_eq!(shown().await, second);
    };
    tokio::select! {
        () = following => panic!("nobody reads the files any more"),
        () = script => {}
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_does_not_keep_its_turn() {
    let entrance = Entrance::new(None);
    let tls = entrance.shared.config.tls.as_ref().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) = tokio::join!(listener.accept(), TcpStream::connect(listener.local_addr().unwrap()));
    let _silent = far.unwrap();
    let brief = Duration::from_millis(20);
    let ended = timeout(TURN, tls.handshake(near.unwrap().0, brief)).await.expect("it still has its turn");
    assert_eq!(ended.map(drop).unwrap_err().label(), "tls_handshake");
    assert_eq!(tls.handshakes.available_permits(), HANDSHAKES);
}
