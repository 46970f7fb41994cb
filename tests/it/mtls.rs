//! Partners that log in by certificate (`type: MTLS`), on one port with others, as nobody but themselves, and until theirs is taken
//! back: real clients, and a TLS client of our own where a connection has to hold still or to be resumed.

mod beside;
mod nodes;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kafka_protocol::messages::MetadataRequest;
use partner_zones::kafka::tls::{authorities, certificates, private_key, provider};
use partner_zones::policy::certificate::fingerprint;
use rcgen::ExtendedKeyUsagePurpose;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};
use time::OffsetDateTime;
use time::ext::NumericalDuration as _;

use crate::support::certificates::Authority;
use crate::support::client::{Client, ClientTls, Connection};
use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Product, manifest};
use crate::support::scenarios::{self, Site};
use crate::support::wire::typed;

const DOMAIN: &str = "partners.test";
const RULES: &str = "RULE:^CN=([a-z]+),O=Partners$/$1-account/, DEFAULT";

/// Promised are 5 s; the rest is for a machine that has other things to do.
const WITHIN: Duration = Duration::from_secs(15);

/// A gateway under TLS, which asks for certificates once a zone wants them.
struct Entrance {
    authority: Authority,
    product: Product,
}

impl Entrance {
    fn start(cluster: &Cluster, zones: &[(&str, &str)]) -> Self {
        Self::start_with(cluster, zones, None)
    }

    /// With an authority of its own for clients it wants a certificate of everybody.
    fn start_with(cluster: &Cluster, zones: &[(&str, &str)], clients: Option<&Authority>) -> Self {
        let authority = Authority::new();
        authority.issue("gateway", &[&format!("*.{DOMAIN}"), "127.0.0.1"]);
        std::fs::write(authority.file("revoked"), "# none\n").unwrap();
        let line = |zone: &str| {
            let brokers = [1, 2, 3].map(|id| format!(" b{id}-{zone}.{DOMAIN}"));
            format!("127.0.0.1 {zone}.{DOMAIN}{}\n", brokers.concat())
        };
        let hosts = ["acme", "globex", "initech"].map(line).concat();
        std::fs::write(authority.file("hosts"), format!("127.0.0.1 localhost\n{hosts}")).unwrap();
        let clients = clients.map_or(String::new(), |clients| {
            let file = authority.file("clients");
            std::fs::copy(clients.certificate(), &file).unwrap();
            format!("    clientCaFile: {}\n", file.display())
        });
        let product = Product::start_with(zones, |port, _| {
            let file = |name: &str| authority.file(name).display().to_string();
            format!(
                "gateway:\n  listen: 127.0.0.1\n  advertisedHost: 127.0.0.1\n  bootstrapPort: {port}\n  sni: {{domain: {DOMAIN}}}\n  \
                 tls:\n    certificateFile: {}\n    keyFile: {}\n    revokedFile: {}\n{clients}    principalMappingRules: '{RULES}'\n\
                 store: memory\nclusters: {{default: {{bootstrapServers: \"{}\", brokerPortBase: {port}, isolation: shared}}}}\n",
                file("gateway.crt"),
                file("gateway.key"),
                file("revoked"),
                cluster.bootstrap(),
            )
        });
        Self { authority, product }
    }

    /// With this certificate and nothing else, by port.
    fn by_port(&self, identity: &Path, old: bool) -> Connection {
        let tls = ClientTls {
            authority: self.authority.certificate(),
            old,
            hosts: self.authority.file("hosts"),
            identity: Some(identity.to_owned()),
        };
        Connection { bootstrap: format!("127.0.0.1:{}", self.product.port), login: None, tls: Some(tls) }
    }

    fn by_host(&self, zone: &str, identity: &Path, old: bool) -> Connection {
        let bootstrap = format!("{zone}.{DOMAIN}:{}", self.product.port);
        Connection { bootstrap, ..self.by_port(identity, old) }
    }

    fn config(&self, identity: &Path) -> Arc<ClientConfig> {
        config(&self.authority, identity)
    }

    fn connect(&self, config: &Arc<ClientConfig>) -> Option<(Stream, HandshakeKind)> {
        connect(([127, 0, 0, 1], self.product.port), config)
    }

    fn idle(&self, config: &Arc<ClientConfig>) -> JoinHandle<Instant> {
        idle(([127, 0, 0, 1], self.product.port), config)
    }
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A client of our own, which resumes its sessions. It trusts this authority.
fn config(authority: &Authority, identity: &Path) -> Arc<ClientConfig> {
    let [certificate, key] = ["crt", "key"].map(|ending| identity.with_extension(ending));
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authorities(&authority.certificate()).unwrap())
        .with_client_auth_cert(certificates(&certificate).unwrap(), private_key(&key).unwrap());
    Arc::new(config.unwrap())
}

/// A connection to this address on which nothing is said yet.
fn open(address: ([u8; 4], u16), config: &Arc<ClientConfig>) -> Stream {
    let name = ServerName::IpAddress(IpAddr::from(address.0).into());
    let session = ClientConnection::new(Arc::clone(config), name).unwrap();
    let socket = TcpStream::connect(SocketAddr::from(address)).unwrap();
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    StreamOwned::new(session, socket)
}

/// The answer to a request, without its length; none if the connection is cut instead.
fn ask(stream: &mut Stream, request: &[u8]) -> Option<Vec<u8>> {
    stream.write_all(request).ok()?;
    let mut len = [0; 4];
    stream.read_exact(&mut len).ok()?;
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(len)).unwrap()];
    stream.read_exact(&mut answer).ok()?;
    Some(answer)
}

/// A connection to this address that has been served a request; none if it is not.
fn connect(address: ([u8; 4], u16), config: &Arc<ClientConfig>) -> Option<(Stream, HandshakeKind)> {
    let mut stream = open(address, config);
    ask(&mut stream, &typed(&MetadataRequest::default().with_topics(None), 9))?;
    let kind = stream.conn.handshake_kind().unwrap();
    Some((stream, kind))
}

/// A connection that does nothing more, and when it is cut.
fn idle(address: ([u8; 4], u16), config: &Arc<ClientConfig>) -> JoinHandle<Instant> {
    watched(connect(address, config).expect("it is let in").0)
}

/// When a connection is cut that does nothing more.
fn watched(mut stream: Stream) -> JoinHandle<Instant> {
    stream.sock.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
    thread::spawn(move || {
        let _ = stream.read(&mut [0; 1]);
        Instant::now()
    })
}

/// A certificate's fingerprint, as a zone's list has it.
fn print_of(authority: &Authority, name: &str) -> String {
    fingerprint(&certificates(&authority.file(&format!("{name}.crt"))).unwrap()[0]).to_string()
}

/// A zone for certificates of this authority.
fn mtls(zone: &str, topics: &[(&str, &str, &str)], authority: &Authority, more: &str) -> String {
    let pem = std::fs::read_to_string(authority.certificate()).unwrap();
    let lines: Vec<_> = pem.lines().map(|line| format!("      {}\n", line.trim())).collect();
    let more = lines.concat() + more;
    manifest(zone, topics).replace("type: PLAIN\n", &format!("type: MTLS\n    ca: |\n{more}"))
}

const ASK: [&str; 3] = ["list-topics", "--timeout", "5000"];

fn is_refused(client: Client, connection: &Connection) -> bool {
    !client.run(connection, &ASK).errors().is_empty()
}

fn cut(connection: JoinHandle<Instant>, due: Instant, why: &str) {
    let after = connection.join().unwrap().saturating_duration_since(due);
    eprintln!("{why}: cut after {after:.1?}");
    assert!(after < WITHIN, "{why}: cut after {after:?}");
}

#[test]
fn partners_log_in_by_certificate_beside_others_and_as_nobody_but_themselves() {
    let cluster = Cluster::shared();
    let topics: Vec<(String, String)> =
        (0..4).map(|number| (format!("orders-{number}"), unique("certified"))).collect();
    for (_, backing) in &topics {
        cluster.create_topic(backing, 1);
    }
    let shared: Vec<_> = topics.iter().map(|(alias, backing)| (&**alias, &**backing, "WRITE")).collect();
    let (acmes, globexs) = (Authority::new(), Authority::new());
    let mut entrance = Entrance::start(
        cluster,
        &[
            ("acme.yaml", &mtls("acme", &shared, &acmes, "")),
            ("globex.yaml", &mtls("globex", &shared[..1], &globexs, "")),
            ("initech.yaml", &manifest("initech", &shared[..1])),
        ],
    );
    for zone in ["acme", "globex", "initech"] {
        let status = entrance.product.wait_for_status(zone, "READY")["status"].clone();
        let protocol = if zone == "initech" { "SASL_SSL" } else { "SSL" };
        assert_eq!(status["securityProtocol"], protocol);
    }
    let acme = acmes.issue_client("acme", "acme", |_| {});
    for (number, client, old, by_host) in [
        (0, Client::Java, false, false),
        (1, Client::Java, true, true),
        (2, Client::Librdkafka, true, false),
        (3, Client::Librdkafka, false, true),
    ] {
        let connection =
            if by_host { entrance.by_host("acme", &acme, old) } else { entrance.by_port(&acme, old) };
        let site = Site { client, connection: &connection, topic: &topics[number].0 };
        scenarios::a_group_goes_on_where_it_stopped(site, &unique("readers"), || {});
    }
    the_printed_file_is_what_clients_need(&entrance, &acme);
    others_come_in_by_sasl(&entrance, &acme);
    strangers_are_refused(&mut entrance, &acmes, &globexs);
}

/// As the partner fills it in, with the authority that it was handed.
fn the_printed_file_is_what_clients_need(entrance: &Entrance, acme: &Path) {
    let connection = entrance.by_host("acme", acme, false);
    let authority = entrance.authority.certificate();
    let file = |ending: &str| acme.with_extension(ending).display().to_string();
    let java =
        entrance.product.client_file("acme", "properties").replace("KEY_AND_CERTIFICATE_FILE", &file("pem"))
            + &format!("ssl.truststore.type=PEM\nssl.truststore.location={}\n", authority.display());
    let librdkafka = entrance.product.client_file("acme", "kcat").replace("CERTIFICATE_FILE", &file("crt"));
    let librdkafka =
        librdkafka.replace("KEY_FILE", &file("key")) + &format!("ssl.ca.location={}\n", authority.display());
    for (client, text) in [(Client::Java, java), (Client::Librdkafka, librdkafka)] {
        let events = client.start_with(&text, &connection, &["list-topics"]).finish();
        assert_eq!((events.errors(), events.topics().len()), (vec![], 4), "{text}");
    }
}

/// Without a certificate, and with one of another zone, which says nothing beside a login by SASL.
fn others_come_in_by_sasl(entrance: &Entrance, acme: &Path) {
    let issued = entrance.product.cli(&["credentials", "issue", "acme"]);
    let told = String::from_utf8_lossy(&issued.stderr);
    assert!(!issued.status.success() && told.contains("the zone takes certificates (MTLS)"), "{told}");
    let initech = entrance.product.partner("initech");
    for client in Client::ALL {
        for identity in [None, Some(acme.to_owned())] {
            let tls = ClientTls { identity, ..entrance.by_port(acme, false).tls.unwrap() };
            let connection = Connection { tls: Some(tls), ..initech.connection() };
            assert!(!is_refused(client, &connection), "{client:?}\n{}", entrance.product.transcript());
        }
    }
}

fn strangers_are_refused(entrance: &mut Entrance, acmes: &Authority, globexs: &Authority) {
    let now = OffsetDateTime::now_utc();
    let strangers = Authority::new();
    let good = acmes.issue_client("good", "acme", |_| {});
    let with = |identity: &Path| entrance.by_port(identity, false);
    let usage = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let cases: Vec<(&str, Connection, &str)> = vec![
        (
            "the same subject by another zone's authority",
            with(&globexs.issue_client("twin", "acme", |_| {})),
            "none of the authorities that count for zone acme",
        ),
        ("another zone's host", entrance.by_host("globex", &good, false), "is open to this host name"),
        ("a subject of nobody", with(&acmes.issue_client("who", "who", |_| {})), "`CN=who,O=Partners`"),
        (
            "an authority of nobody",
            with(&strangers.issue_client("stranger", "acme", |_| {})),
            "is not signed by an authority",
        ),
        (
            "an expired one",
            with(&acmes.issue_client("old", "acme", |params| params.not_after = now - 1.hours())),
            "is not valid at this time",
        ),
        (
            "one of tomorrow",
            with(&acmes.issue_client("early", "acme", |params| params.not_before = now + 24.hours())),
            "is not valid at this time",
        ),
        (
            "a server's",
            with(&acmes.issue_client("server", "acme", |params| params.extended_key_usages = usage)),
            "is not for clients",
        ),
        ("one that signed itself", with(&self_signed(&strangers)), "is not signed by an authority"),
    ];
    // All at once: each asks again until its time is over.
    let asking: Vec<_> =
        cases.iter().map(|(_, connection, _)| Client::Librdkafka.start(connection, &ASK)).collect();
    for (asking, (what, _, line)) in asking.into_iter().zip(&cases) {
        assert!(!asking.finish().errors().is_empty(), "{what}");
        entrance.product.wait_for_line(line);
    }
    let twin = entrance.by_port(&globexs.file("twin"), false);
    assert!(is_refused(Client::Java, &twin));
    let none = Connection { tls: Some(ClientTls { identity: None, ..twin.tls.clone().unwrap() }), ..twin };
    assert!(is_refused(Client::Librdkafka, &none), "nobody comes in without any login");
    let metrics = entrance.product.metrics();
    assert!(metrics.contains("gateway_closed_total{reason=\"certificate\"}"), "{metrics}");
}

fn self_signed(folder: &Authority) -> PathBuf {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::OrganizationName, "Partners");
    params.distinguished_name.push(rcgen::DnType::CommonName, "acme");
    let key = rcgen::KeyPair::generate().unwrap();
    std::fs::write(folder.file("self.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(folder.file("self.key"), key.serialize_pem()).unwrap();
    folder.file("self")
}

#[test]
fn a_certificate_that_is_taken_back_ends_its_connections_and_comes_in_no_more() {
    let backing = unique("certified");
    Cluster::shared().create_topic(&backing, 1);
    let topics = [("orders", backing.as_str(), "WRITE")];
    let (first, next) = (Authority::new(), Authority::new());
    let entrance = Entrance::start(Cluster::shared(), &[("acme.yaml", &mtls("acme", &topics, &first, ""))]);
    let product = &entrance.product;
    product.wait_for_status("acme", "READY");
    let config =
        |authority: &Authority, name: &str| entrance.config(&authority.issue_client(name, "acme", |_| {}));
    let commit = |message: &str, text: &str| {
        product.commit(message, &[("acme.yaml", Some(text))]);
        Instant::now()
    };
    let [lost, kept, listed] = ["lost", "kept", "listed"].map(|name| config(&first, name));
    let ends = OffsetDateTime::now_utc() + 20.seconds();
    let brief = first.issue_client("brief", "acme", |params| params.not_after = ends);
    let due = Instant::now() + Duration::from_secs(20);
    let [of_lost, of_kept, of_listed] = [&lost, &kept, &listed].map(|config| entrance.idle(config));
    let of_brief = entrance.idle(&entrance.config(&brief));
    assert_eq!(entrance.connect(&lost).unwrap().1, HandshakeKind::Resumed);

    // By the zone's own list, of resumed sessions too.
    let revoked = format!("    revoked: [{}]\n", print_of(&first, "lost"));
    let at = commit("A laptop is lost", &mtls("acme", &topics, &first, &revoked));
    cut(of_lost, at, "revoked in the zone");
    assert!(entrance.connect(&lost).is_none());
    assert_eq!(entrance.connect(&kept).unwrap().1, HandshakeKind::Resumed);

    // By the gateway's list, without a commit.
    std::fs::write(entrance.authority.file("revoked"), print_of(&first, "listed") + "\n").unwrap();
    cut(of_listed, Instant::now(), "revoked at the gateway");
    assert!(entrance.connect(&listed).is_none());

    cut(of_brief, due, "the certificate's end");
    // The line is written after the connection is cut.
    let patience = Instant::now() + WITHIN;
    while !product.transcript().contains("\"reason\":\"expired\"") {
        assert!(Instant::now() < patience, "{}", product.transcript());
        thread::sleep(Duration::from_millis(50));
    }
    assert!(entrance.connect(&entrance.config(&brief)).is_none());

    // By another authority.
    assert!(!of_kept.is_finished());
    let at = commit("The partner has another authority", &mtls("acme", &topics, &next, ""));
    cut(of_kept, at, "another authority");
    assert!(entrance.connect(&kept).is_none());
    let new = config(&next, "new");
    let of_new = entrance.idle(&new);

    // And by a zone that is closed.
    let over = (OffsetDateTime::now_utc() - 1.minutes()).replace_nanosecond(0).unwrap();
    let over = over.format(&time::format_description::well_known::Rfc3339).unwrap();
    let closed = mtls("acme", &topics, &next, "") + &format!("  access: {{validUntil: '{over}'}}\n");
    let at = commit("The share is over", &closed);
    cut(of_new, at, "a closed zone");
    assert!(entrance.connect(&new).is_none());
}
