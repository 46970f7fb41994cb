//! TLS on both sides, host names of zones, and several clusters behind one gateway: the whole product, with clients that nobody
//! here wrote. Their names are resolved by a hosts file of their own.

use std::io::Read as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partner_zones::kafka::tls::{authorities, provider};
use rustls::pki_types::ServerName;

use crate::support::certificates::Authority;
use crate::support::client::{Client, ClientTls, Connection};
use crate::support::events::Record;
use crate::support::kafka::{ADMIN, Cluster, unique};
use crate::support::product::{Partner, Product, manifest};
use crate::support::scenarios::{self, Site};

const DOMAIN: &str = "partners.test";

/// A product whose partners connect under TLS, by port and by host name.
struct Secured {
    authority: Authority,
    product: Product,
}

impl Secured {
    /// `clusters` is given the first port and says the rest of the configuration.
    fn start(zones: &[(&str, String)], clusters: impl FnOnce(u16) -> String) -> Self {
        let authority = Authority::new();
        certify(&authority);
        let names: Vec<&str> = zones.iter().map(|(zone, _)| *zone).collect();
        std::fs::write(authority.file("hosts"), hosts(&names)).unwrap();
        let files: Vec<_> = zones.iter().map(|(zone, text)| (format!("{zone}.yaml"), text)).collect();
        let files: Vec<_> = files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
        let product = Product::start_with(&files, |port, _| {
            format!(
                "gateway:\n  listen: 127.0.0.1\n  advertisedHost: 127.0.0.1\n  bootstrapPort: {port}\n  tls: {{certificateFile: \
                 {certificate}, keyFile: {key}}}\n  sni: {{domain: {DOMAIN}}}\nstore: memory\n{clusters}",
                certificate = authority.file("gateway.crt").display(),
                key = authority.file("gateway.key").display(),
                clusters = clusters(port),
            )
        });
        for zone in names {
            product.wait_for_status(zone, "READY");
        }
        Self { authority, product }
    }

    fn tls(&self, old: bool) -> ClientTls {
        let hosts = self.authority.file("hosts");
        ClientTls { authority: self.authority.certificate(), old, hosts, identity: None }
    }

    /// The partner at the address that its credential came with.
    fn by_host(&self, partner: &Partner, old: bool) -> Connection {
        Connection { tls: Some(self.tls(old)), ..partner.connection() }
    }

    fn by_port(&self, partner: &Partner, port: u16, old: bool) -> Connection {
        Connection { bootstrap: format!("127.0.0.1:{port}"), ..self.by_host(partner, old) }
    }

    /// The certificate that a new connection is shown.
    fn shown_certificate(&self) -> Vec<u8> {
        let config = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(authorities(&self.authority.certificate()).unwrap())
            .with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", self.product.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut stream).unwrap();
        }
        session.peer_certificates().unwrap()[0].to_vec()
    }
}

/// A new certificate for the gateway's host names and its address.
fn certify(authority: &Authority) {
    authority.issue("gateway", &[&format!("*.{DOMAIN}"), "127.0.0.1"]);
}

fn hosts(zones: &[&str]) -> String {
    let of = |zone: &&str| {
        let brokers = (1..=3).map(|id| format!(" b{id}-{zone}.{DOMAIN}"));
        format!("127.0.0.1 {zone}.{DOMAIN}{}\n", brokers.collect::<String>())
    };
    format!("127.0.0.1 localhost\n{}", zones.iter().map(of).collect::<String>())
}

fn one_cluster(cluster: &Cluster) -> impl FnOnce(u16) -> String {
    let bootstrap = cluster.bootstrap().to_owned();
    move |port| {
        format!(
            "clusters: {{default: {{bootstrapServers: \"{bootstrap}\", brokerPortBase: {port}, isolation: shared}}}}\n"
        )
    }
}

fn addresses(client: Client, connection: &Connection) -> Vec<String> {
    let mut addresses = scenarios::node_addresses(client, connection);
    addresses.sort();
    addresses
}

fn errors(client: Client, connection: &Connection) -> Vec<String> {
    let events = client.run(connection, &["list-topics", "--timeout", "5000"]);
    events.errors().into_iter().map(|error| error.error).collect()
}

#[test]
fn clients_work_under_both_versions_of_tls_by_port_and_by_host_name() {
    let cluster = Cluster::shared();
    let topics: Vec<(String, String)> =
        (0..4).map(|number| (format!("orders-{number}"), unique("sales.orders"))).collect();
    for (_, backing) in &topics {
        cluster.create_topic(backing, 1);
    }
    let shared: Vec<_> = topics.iter().map(|(alias, backing)| (&**alias, &**backing, "WRITE")).collect();
    let zones = [("acme", manifest("acme", &shared)), ("globex", manifest("globex", &shared[..1]))];
    let mut secured = Secured::start(&zones, one_cluster(cluster));
    let port = secured.product.port;
    let acme = secured.product.partner("acme");
    assert_eq!(acme.bootstrap, format!("acme.{DOMAIN}:{port}"));
    let by_host = [1, 2, 3].map(|id| format!("b{id}-acme.{DOMAIN}:{port}"));
    let by_port = [1, 2, 3].map(|id| format!("127.0.0.1:{}", port + id));
    for (number, client, old, host) in [
        (0, Client::Java, true, true),
        (1, Client::Java, false, false),
        (2, Client::Librdkafka, true, false),
        (3, Client::Librdkafka, false, true),
    ] {
        let connection = if host { secured.by_host(&acme, old) } else { secured.by_port(&acme, port, old) };
        let site = Site { client, connection: &connection, topic: &topics[number].0 };
        scenarios::a_group_goes_on_where_it_stopped(site, &unique("readers"), || {});
        let wanted = if host { &by_host } else { &by_port };
        assert_eq!(addresses(client, &connection), *wanted, "{client:?}");
    }
    let metrics = secured.product.metrics();
    for version in ["1.2", "1.3"] {
        let line = format!("gateway_handshakes_total{{version=\"{version}\"}}");
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    }
    strangers_are_told_off(&mut secured, &acme);
}

/// Another zone's login under this zone's host, a client without TLS, and one that trusts somebody else.
fn strangers_are_told_off(secured: &mut Secured, acme: &Partner) {
    let globex = secured.product.partner("globex");
    for client in Client::ALL {
        let own = secured.by_host(&globex, false);
        assert_eq!(errors(client, &own), Vec::<String>::new());
        let foreign = Connection { bootstrap: acme.bootstrap.clone(), ..own };
        let told = errors(client, &foreign);
        assert!(told.contains(&"SASL_AUTHENTICATION_FAILED".to_owned()), "{client:?}: {told:?}");
    }
    let by_port = secured.by_port(acme, secured.product.port, false);
    let plain = Connection { tls: None, ..by_port.clone() };
    assert!(!errors(Client::Librdkafka, &plain).is_empty());
    secured.product.wait_for_line("a Kafka client without TLS");
    let other = Authority::new();
    let tls = ClientTls { authority: other.certificate(), ..secured.tls(false) };
    assert!(!errors(Client::Java, &Connection { tls: Some(tls), ..by_port }).is_empty());
    secured.product.wait_for_line("does not accept this gateway's certificate");
    let answer = TcpStream::connect(("127.0.0.1", secured.product.port)).and_then(|mut stream| {
        std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new())
    });
    assert!(!matches!(answer, Ok(1..)), "nothing is said to somebody without TLS");
    secured.product.wait_for_line("an HTTP request on a port with TLS");
}

#[test]
fn certificates_are_replaced_under_load_and_a_broken_one_is_not_taken() {
    let cluster = Cluster::shared();
    let backing = unique("sales.orders");
    cluster.create_topic(&backing, 3);
    let zones = [("acme", manifest("acme", &[("orders", &backing, "WRITE")]))];
    let mut secured = Secured::start(&zones, one_cluster(cluster));
    let acme = secured.product.partner("acme");
    let first = secured.shown_certificate();
    let mut producers = Client::ALL.map(|client| {
        let arguments =
            ["produce", "--topic", "orders", "--value", "{i}", "--interval", "5", "--until-stdin-closes"];
        client.start(&secured.by_host(&acme, false), &arguments)
    });
    let mut more = |what: &str| {
        for producer in &mut producers {
            let before = producer.events().acked().len();
            producer.wait_for(what, |events| (events.acked().len() > before + 50).then_some(()));
        }
    };
    more("records before");
    certify(&secured.authority);
    let second = await_other(&secured, &first);
    more("records over the old connections");

    std::fs::write(secured.authority.file("gateway.crt"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    secured.product.wait_for_line("the new certificate cannot be used");
    assert_eq!(secured.shown_certificate(), second);
    more("records over a broken file");

    certify(&secured.authority);
    hang_up(&secured.product);
    let third = await_other(&secured, &second);
    assert_ne!(third, first);
    let metrics = secured.product.metrics();
    for result in ["replaced", "refused"] {
        assert!(metrics.contains(&format!("certificate_reloads_total{{result=\"{result}\"}}")), "{metrics}");
    }
    for producer in producers {
        let events = producer.stop();
        assert_eq!(events.errors(), []);
    }
}

/// Waits until new connections are shown another certificate.
fn await_other(secured: &Secured, before: &[u8]) -> Vec<u8> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let shown = secured.shown_certificate();
        if shown != before {
            return shown;
        }
        assert!(Instant::now() < deadline, "{}", secured.product.transcript());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn hang_up(product: &Product) {
    assert!(Command::new("kill").args(["-HUP", &product.pid().to_string()]).status().unwrap().success());
}

/// A product in front of a cluster, with these properties and this store.
fn behind(cluster: &str, properties: &str, store: &str, text: &str) -> Product {
    Product::start_with(&[("acme.yaml", text)], |port, folder| {
        std::fs::write(folder.join("password"), ADMIN.password).unwrap();
        let properties =
            properties.replace("PASSWORD", &format!("file:{}", folder.join("password").display()));
        format!(
            "gateway: {{listen: 127.0.0.1, advertisedHost: 127.0.0.1, bootstrapPort: {port}}}\nstore: {store}\nclusters:\n  \
             default: {{bootstrapServers: \"{cluster}\", brokerPortBase: {port}, isolation: shared, properties: {{{properties}}}}}\n"
        )
    })
}

#[test]
fn brokers_under_tls_are_reached_and_verified() {
    let authority = Authority::new();
    authority.issue("broker", &["127.0.0.1"]);
    authority.issue("gateway", &["gateway"]);
    let cluster = Cluster::private_under_tls(authority.folder());
    cluster.create_topic("sales.orders", 1);
    let [ssl, sasl_ssl] = cluster.tls_bootstraps();
    let text = manifest("acme", &[("orders", "sales.orders", "WRITE")]);
    let path = |file: &Path| file.display().to_string();
    let login = format!(
        "security.protocol: SASL_SSL, sasl.mechanism: SCRAM-SHA-512, sasl.username: {}, sasl.password: \"PASSWORD\"",
        ADMIN.user
    );
    let trusted = format!("ssl.ca.location: {}", path(&authority.certificate()));

    // With SASL, and the store on the same listener through librdkafka.
    let product = behind(sasl_ssl, &format!("{login}, {trusted}"), "kafka", &text);
    product.wait_for_status("acme", "READY");
    let connection = product.partner("acme").connection();
    let site = Site { client: Client::Librdkafka, connection: &connection, topic: "orders" };
    scenarios::a_group_goes_on_where_it_stopped(site, "readers", || {});
    drop(product);

    // With a certificate instead of a login.
    let identity = format!(
        "security.protocol: SSL, {trusted}, ssl.certificate.location: {}, ssl.key.location: {}",
        path(&authority.file("gateway.crt")),
        path(&authority.file("gateway.key"))
    );
    let product = behind(ssl, &identity, "memory", &text);
    product.wait_for_status("acme", "READY");
    let connection = product.partner("acme").connection();
    let read =
        Client::Java.run(&connection, &["assign", "--topic", "orders", "--partition", "0", "--max", "10"]);
    assert_eq!(read.records().len(), 10);
    drop(product);

    // An authority that did not sign the broker's certificate; the right one heals it without a restart.
    let other = Authority::new();
    let ca: PathBuf = authority.file("named.pem");
    std::fs::copy(other.certificate(), &ca).unwrap();
    let product = behind(sasl_ssl, &format!("{login}, ssl.ca.location: {}", path(&ca)), "memory", &text);
    let zone = product.wait_for_status("acme", "FAILED");
    let reason = zone["status"]["failedReason"].as_str().unwrap();
    assert!(reason.contains("not trusted here; name the right one with ssl.ca.location"), "{reason}");
    std::fs::copy(authority.certificate(), &ca).unwrap();
    product.wait_for_status("acme", "READY");
}

/// Two clusters with a node of the same id, a zone on each, the same alias: nothing is mixed up, and nobody learns the clusters'
/// names. The second broker set grows while all of it runs.
#[test]
fn two_clusters_behind_one_gateway_keep_apart_and_may_grow() {
    let (east, west) = (Cluster::private(3), Cluster::shared());
    let (orient, occident) = (unique("orient"), unique("occident"));
    east.create_topic(&orient, 1);
    west.create_topic(&occident, 1);
    east.broker(3).stop();
    let zone = |name: &str, cluster: &str, backing: &str| {
        let text = manifest(name, &[("orders", backing, "WRITE")]);
        text.replace("cluster: gateway", &format!("cluster: gateway\n  underlyingCluster: {cluster}"))
    };
    let zones = [
        ("acme", zone("acme", "secret-east", &orient)),
        ("globex", zone("globex", "secret-west", &occident)),
    ];
    let mut secured = Secured::start(&zones, |port| {
        format!(
            "clusters:\n  secret-east: {{bootstrapServers: \"{}\", brokerPortBase: {port}, isolation: shared}}\n  secret-west: \
             {{bootstrapServers: \"{}\", brokerPortBase: {}, isolation: shared}}\n",
            east.bootstrap(),
            west.bootstrap(),
            port + 4,
        )
    });
    let port = secured.product.port;
    let [acme, globex] = ["acme", "globex"].map(|zone| secured.product.partner(zone));
    let ports = |base: u16, ids: &[u16]| ids.iter().map(|id| format!("127.0.0.1:{}", base + id)).collect();
    let of_hosts =
        |zone: &str, ids: &[u16]| ids.iter().map(|id| format!("b{id}-{zone}.{DOMAIN}:{port}")).collect();
    let told: [(_, Connection, Vec<String>, &Cluster, &str); 4] = [
        (Client::Librdkafka, secured.by_port(&acme, port, false), ports(port, &[1, 2]), &east, &orient),
        (Client::Java, secured.by_host(&acme, false), of_hosts("acme", &[1, 2]), &east, &orient),
        (Client::Java, secured.by_port(&globex, port, false), ports(port + 4, &[1, 2, 3]), west, &occident),
        (
            Client::Librdkafka,
            secured.by_host(&globex, false),
            of_hosts("globex", &[1, 2, 3]),
            west,
            &occident,
        ),
    ];
    for (client, connection, wanted, cluster, backing) in &told {
        assert_eq!(addresses(*client, connection), *wanted, "{client:?}");
        let described = client.run(connection, &["describe-cluster"]).cluster();
        assert!(!format!("{described:?}").contains("secret"), "{described:?}");
        produced_arrives(*client, connection, cluster, backing);
    }

    // A broker's own address takes this cluster's zones only.
    let astray = secured.by_port(&globex, port + 1, false);
    assert!(!errors(Client::Librdkafka, &astray).is_empty());
    secured.product.wait_for_line("zone globex lies on cluster secret-west");
    let foreign =
        Connection { bootstrap: format!("b1-acme.{DOMAIN}:{port}"), ..secured.by_host(&globex, false) };
    let refused = errors(Client::Librdkafka, &foreign);
    assert!(refused.contains(&"SASL_AUTHENTICATION_FAILED".to_owned()), "{refused:?}");

    east.broker(3).start();
    let deadline = Instant::now() + Duration::from_secs(40);
    let [by_port, by_host] = [&told[0].1, &told[1].1];
    while addresses(Client::Librdkafka, by_port) != ports(port, &[1, 2, 3]) {
        assert!(Instant::now() < deadline, "{}", secured.product.transcript());
    }
    assert_eq!(addresses(Client::Java, by_host), of_hosts("acme", &[1, 2, 3]));
    let at_three = secured.by_port(&acme, port + 3, false);
    assert_eq!(errors(Client::Librdkafka, &at_three), Vec::<String>::new());
    let at_three = Connection { bootstrap: format!("b3-acme.{DOMAIN}:{port}"), ..by_host.clone() };
    assert_eq!(errors(Client::Java, &at_three), Vec::<String>::new());
}

/// A record produced under the alias `orders` is in this backing topic of this cluster.
fn produced_arrives(client: Client, connection: &Connection, cluster: &Cluster, backing: &str) {
    let value = unique("value");
    let produced = client.run(connection, &["produce", "--topic", "orders", "--value", &value]);
    assert_eq!((produced.acked().len(), produced.errors()), (1, vec![]));
    let offset = produced.acked()[0].at().to_string();
    let direct = Connection::plaintext(cluster.bootstrap());
    let read = Client::Librdkafka
        .run(&direct, &["assign", "--topic", backing, "--partition", "0", "--from", &offset, "--max", "1"]);
    assert_eq!(read.records().first().map(Record::text), Some(value));
}
