//! Certificates in an installation of several nodes: every gateway follows the zone's file, without a restart.

use super::*;
use crate::life::installation::GatewayProcess;
use crate::support::balancer::Balancer;

const HOSTS: [[u8; 4]; 2] = [[127, 0, 0, 2], [127, 0, 0, 3]];

/// A controller and two gateways, each in a process of its own, with a balancer in front.
struct Site {
    /// Of the gateways' certificate.
    authority: Authority,
    controller: Product,
    _gateways: [GatewayProcess; 2],
}

impl Site {
    fn start(cluster: &Cluster, zone: &str) -> Self {
        let authority = Authority::new();
        authority.issue("gateway", &["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
        let sections = |port: u16, listen: &str| {
            let file = |name: &str| authority.file(name).display().to_string();
            format!(
                "gateway:\n  listen: {listen}\n  advertisedHost: 127.0.0.1\n  bootstrapPort: {port}\n  brokerPortBase: {port}\n  \
                 tls:\n    certificateFile: {}\n    keyFile: {}\n    principalMappingRules: '{RULES}'\n\
                 store: kafka\nclusters: {{default: {{bootstrapServers: '{}', isolation: shared}}}}\n",
                file("gateway.crt"),
                file("gateway.key"),
                cluster.bootstrap(),
            )
        };
        let controller =
            Product::start_as("controller", &[("acme.yaml", zone)], |port, _| sections(port, "127.0.0.1"));
        let port = controller.port;
        let gateway =
            |host: [u8; 4]| GatewayProcess::start(host, &sections(port, &IpAddr::from(host).to_string()));
        let gateways = HOSTS.map(gateway);
        Balancer::start(port..=port + 3, HOSTS);
        controller.wait_for_status("acme", "READY");
        Self { authority, controller, _gateways: gateways }
    }

    fn config(&self, identity: &Path) -> Arc<ClientConfig> {
        config(&self.authority, identity)
    }

    /// At which gateways a client is served.
    fn lets_in(&self, client: &Arc<ClientConfig>) -> [bool; 2] {
        HOSTS.map(|host| connect((host, self.controller.port), client).is_some())
    }

    /// A connection to each gateway that does nothing.
    fn idle(&self, client: &Arc<ClientConfig>) -> [JoinHandle<Instant>; 2] {
        HOSTS.map(|host| idle((host, self.controller.port), client))
    }

    fn commit(&self, message: &str, zone: &str) -> Instant {
        self.controller.commit(message, &[("acme.yaml", Some(zone))]);
        Instant::now()
    }
}

#[test]
fn every_gateway_takes_a_certificate_and_takes_it_no_more_as_the_zones_file_says() {
    let cluster = Cluster::private(1);
    cluster.create_topic("orders-v1", 1);
    let topics = [("orders", "orders-v1", "WRITE")];
    let (first, next) = (Authority::new(), Authority::new());
    let site = Site::start(&cluster, &mtls("acme", &topics, &first, ""));
    let [lost, kept] = ["lost", "kept"].map(|name| site.config(&first.issue_client(name, "acme", |_| {})));
    assert_eq!((site.lets_in(&lost), site.lets_in(&kept)), ([true; 2], [true; 2]));
    // A real client, whose connections the balancer gives to both.
    let identity = ClientTls {
        authority: site.authority.certificate(),
        old: false,
        hosts: "/etc/hosts".into(),
        identity: Some(first.file("kept")),
    };
    let bootstrap = format!("127.0.0.1:{}", site.controller.port);
    let connection = Connection { bootstrap, login: None, tls: Some(identity) };
    for value in ["one", "two"] {
        let options = ["produce", "--topic", "orders", "--value", value];
        let events = Client::Librdkafka.run(&connection, &options);
        assert_eq!((events.errors(), events.acked().len()), (vec![], 1));
    }

    let (of_lost, of_kept) = (site.idle(&lost), site.idle(&kept));
    let revoked = format!("    revoked: [{}]\n", print_of(&first, "lost"));
    let at = site.commit("A laptop is lost", &mtls("acme", &topics, &first, &revoked));
    for (connection, host) in of_lost.into_iter().zip(HOSTS) {
        cut(connection, at, &format!("revoked, at {host:?}"));
    }
    assert_eq!((site.lets_in(&lost), site.lets_in(&kept)), ([false; 2], [true; 2]));
    assert!(of_kept.iter().all(|connection| !connection.is_finished()), "what concerns others cuts nobody");

    let new = site.config(&next.issue_client("new", "acme", |_| {}));
    assert_eq!(site.lets_in(&new), [false; 2], "an authority of nobody's");
    let at = site.commit("The partner has another authority", &mtls("acme", &topics, &next, ""));
    for (connection, host) in of_kept.into_iter().zip(HOSTS) {
        cut(connection, at, &format!("another authority, at {host:?}"));
    }
    assert_eq!((site.lets_in(&kept), site.lets_in(&new)), ([false; 2], [true; 2]));
    site.controller.wait_for_status("acme", "READY");
    assert_eq!(site.lets_in(&lost), [false; 2]);
}
