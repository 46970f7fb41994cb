//! One limit over several nodes.

use std::thread::sleep;
use std::time::Duration;

use partner_zones::zone::TrafficControl;

use super::{assert_near, flood, limited, no_limit, produce, rate, settle};
use crate::support::client::{Client, Running};
use crate::support::gateway::InProcess;
use crate::support::heartbeats::Heartbeats;
use crate::support::kafka::{Cluster, unique};

#[test]
fn nodes_keep_one_limit_together_and_follow_the_demand() {
    const LIMIT: f64 = 600_000.0;
    let cluster = Cluster::shared();
    let backing = unique("limited");
    cluster.create_topic(&backing, 3);
    let nodes = [(); 3].map(|()| InProcess::start(cluster));
    let limits = TrafficControl { max_produce_rate: Some(600_000), ..no_limit() };
    for node in &nodes {
        node.serve([limited("acme", &backing, limits)]);
    }
    Heartbeats::between(&nodes, |heartbeats| {
        let [one, two, three] = [0, 1, 2].map(|at: usize| nodes[at].connection("acme"));
        let over = |seconds| Duration::from_secs(seconds);
        let measured = |clients: [&Running; 3], seconds| {
            std::thread::scope(|scope| {
                let all = clients.map(|it| scope.spawn(move || rate(it, "acked", over(seconds))));
                all.map(|it| it.join().unwrap())
            })
        };
        // Two that take what they get, and one that needs a twelfth: librdkafka's driver would not keep to the interval.
        let mut a = flood(Client::Java, &one);
        let mut b = flood(Client::Librdkafka, &two);
        let mut c = produce(Client::Java, &three, &["--count", "100000", "--interval", "200"]);
        for client in [&mut a, &mut b, &mut c] {
            settle(client, "acked");
        }
        sleep(over(6));
        let [of_a, of_b, of_c] = measured([&a, &b, &c], 15);
        eprintln!("{:.3} {:.3} {:.3}", of_a / LIMIT, of_b / LIMIT, of_c / LIMIT);
        assert_near("three nodes, uneven", of_a + of_b + of_c, LIMIT, 0.7..1.25);
        assert!((40_000.0..60_000.0).contains(&of_c), "who needs little gets it: {of_c}");
        assert!(of_a > 0.35 * LIMIT && of_b > 0.35 * LIMIT, "{of_a} {of_b}");
        // One goes: the others have its part within seconds.
        a.kill();
        sleep(over(8));
        let [of_b, of_c, _] = measured([&b, &c, &c], 12);
        assert_near("two nodes, uneven", of_b + of_c, LIMIT, 0.7..1.25);
        // One is cut off: it keeps to a third.
        heartbeats.cut_off.lock().unwrap().push(1);
        sleep(over(4));
        let [of_b, _, _] = measured([&b, &c, &c], 12);
        assert_near("a node that is cut off", of_b, LIMIT / 3.0, 0.7..1.25);
        heartbeats.cut_off.lock().unwrap().clear();
        sleep(over(6));
        let [of_b, of_c, _] = measured([&b, &c, &c], 12);
        assert_near("back again", of_b + of_c, LIMIT, 0.7..1.25);
        assert_eq!((b.events().errors(), c.events().errors()), (vec![], vec![]));
        b.kill();
        c.kill();
    });
}
