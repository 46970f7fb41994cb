//! Another master key in a large installation: three brokers that end sessions after seconds, many zones, and partners who write and
//! read all the time.

use super::rotation::{Site, address};
use super::*;
use crate::life::installation::GatewayProcess;
use crate::life::rolling::Pair;
use crate::support::balancer::Balancer;
use crate::support::reconciler::get;

const ZONES: usize = 20;
/// A session with a broker is renewed many times while the key changes.
const REAUTHENTICATION: &str = "connections.max.reauth.ms=4000";
const HOSTS: [[u8; 4]; 2] = [[127, 0, 0, 2], [127, 0, 0, 3]];
/// Longer than a session lasts.
const A_WHILE: Duration = Duration::from_secs(6);

/// Shows that no broker refused a gateway: a session that could not be renewed, or a login.
fn nothing_was_refused(gateways: &[GatewayProcess; 2]) {
    for gateway in gateways {
        let metrics = get(gateway.url().trim_start_matches("http://"), "/metrics").unwrap().1;
        for reason in ["renewal", "authentication_failed", "expired", "revoked"] {
            let line = format!("gateway_closed_total{{reason=\"{reason}\"}}");
            let closed =
                metrics.lines().find_map(|text| text.strip_prefix(line.as_str())?.trim().parse::<u64>().ok());
            assert_eq!(closed.unwrap_or_default(), 0, "{reason} at {}", gateway.node());
        }
    }
}

#[test]
fn a_master_key_is_replaced_under_many_zones_while_sessions_with_three_brokers_end_and_nothing_is_lost() {
    let (cluster, folder) = (Cluster::private_with(3, &[REAUTHENTICATION]), tempfile::tempdir().unwrap());
    let topics = Client::ALL.map(|client| format!("of-{}", client.name()));
    for topic in &topics {
        cluster.create_topic(topic, 1);
    }
    for letter in ["a", "b"] {
        std::fs::write(folder.path().join(letter), letter.repeat(40)).unwrap();
    }
    let aliases: Vec<_> = topics.iter().map(|topic| (&**topic, &**topic, "WRITE")).collect();
    let zones: Vec<(String, String)> = (0..ZONES)
        .map(|number| format!("partner-{number:02}"))
        .map(|zone| (format!("{zone}.yaml"), manifest(&zone, &aliases)))
        .collect();
    let zones: Vec<_> = zones.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let site = |port| Site { cluster: &cluster, folder: folder.path(), port };
    let mut controller =
        Product::start_as("controller", &zones, |port, _| site(port).sections("127.0.0.1", &["a"]));
    let site = site(controller.port);
    let mut gateways = HOSTS.map(|host| site.gateway(host, &["a"]));
    Balancer::start(site.port..=site.port + 3, HOSTS);
    let all_ready = |controller: &Product| {
        for (name, _) in &zones {
            controller.wait_for_status(name.trim_end_matches(".yaml"), "READY");
        }
    };
    all_ready(&controller);
    site.await_slots("a", "a", &|| controller.transcript());

    let partner = controller.partner("partner-07");
    let mut pairs: Vec<Pair> = Client::ALL
        .into_iter()
        .zip(&topics)
        .map(|(client, topic)| Pair::start(client, &partner.connection(), topic))
        .collect();
    pairs.iter_mut().for_each(Pair::goes_on);
    for keys in [&["b", "a"][..], &["b"]] {
        for (gateway, host) in gateways.iter_mut().zip(HOSTS) {
            gateway.restart_with(&site.sections(&address(host), keys));
            pairs.iter_mut().for_each(Pair::goes_on);
        }
        controller.configure(&site.sections("127.0.0.1", keys));
        controller.restart();
        let begun = Instant::now();
        site.await_slots("b", if keys.len() == 2 { "a" } else { "b" }, &|| controller.transcript());
        eprintln!("{ZONES} zones have the passwords of {keys:?} after {:.1?}", begun.elapsed());
        // Sessions of before are renewed with what is in force now.
        std::thread::sleep(A_WHILE);
        pairs.iter_mut().for_each(Pair::goes_on);
        nothing_was_refused(&gateways);
    }
    for pair in pairs {
        pair.settle(&cluster);
    }
    all_ready(&controller);
    for number in [0, 13, ZONES - 1] {
        let connection = controller.partner(&format!("partner-{number:02}")).connection();
        let events = Client::Librdkafka.run(&connection, &["produce", "--topic", &topics[0], "--value", "x"]);
        assert_eq!((events.errors(), events.acked().len()), (vec![], 1));
    }
}
