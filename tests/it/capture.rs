//! Takes the frames that `src/gateway/api/captured.rs` proves the shapes on.

use std::fmt::Write;
use std::path::Path;

use crate::support::client::{Client, Connection};
use crate::support::kafka::{ADMIN, Cluster, unique};
use crate::support::scenarios::{self, Protocol, Site};
use crate::support::tap::Tap;

#[test]
#[ignore = "writes tests/frames anew; run it after taking a newer client or broker"]
fn frames_of_real_clients_and_brokers_are_written_down() {
    let cluster = Cluster::shared();
    for client in Client::ALL {
        let tap = Tap::start(cluster.sasl_bootstrap());
        let connection = Connection::sasl(&tap.bootstrap, "SCRAM-SHA-256", ADMIN.user, ADMIN.password);
        let run = |scenario: &dyn Fn(Site<'_>)| {
            let topic = unique("orders");
            cluster.create_topic(&topic, 6);
            scenario(Site { client, connection: &connection, topic: &topic });
            topic
        };
        run(&scenarios::nulls_stay_nulls);
        run(&|site| {
            scenarios::members_join_and_leave(site, Protocol::Eager, &unique("readers"), 6);
        });
        let cooperative = |site: Site<'_>| {
            scenarios::members_join_and_leave(site, Protocol::Cooperative, &unique("readers"), 6);
        };
        let topic = run(&cooperative);
        client.run(&connection, &["produce", "--topic", &topic, "--acks", "0,1,all"]);
        client.run(
            &connection,
            &["consume", "--topic", &topic, "--group", "readers", "--max", "1", "--commit"],
        );
        client.run(&connection, &["committed", "--group", "readers"]);
        let copies = unique("copies");
        cluster.create_topic(&copies, 1);
        let transform = ["--from-topic", &topic, "--group", "readers", "--ends", "commit,abort"];
        client.run(
            &connection,
            &[&["transact", "--transactional-id", "transform", "--topic", &copies], &transform[..]].concat(),
        );
        if client == Client::Java {
            client.run(&connection, &["list-transactions"]);
            client.run(&connection, &["describe-transaction", "--transactional-id", "transform"]);
        }
        client.run(&connection, &["describe-cluster"]);
        client.run(&connection, &["describe-topic", "--topic", &topic]);

        let mut text = String::new();
        for ((api, version, direction), frame) in tap.frames() {
            write!(text, "{api} {version} {direction} ").unwrap();
            for byte in &frame {
                write!(text, "{byte:02x}").unwrap();
            }
            text.push('\n');
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frames");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{}.txt", client.name())), text).unwrap();
    }
}
