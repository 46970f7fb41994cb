//! How far back a partner may read, as clients see it.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::client::{Client, Connection};
use crate::support::gateway::{InProcess, zone};
use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Product, Setup, manifest};
use partner_zones::policy::ServedZone;
use partner_zones::zone::Replay;

const HOUR: Duration = Duration::from_hours(1);

/// Produces that many records directly, as old as that.
fn produce(topic: &str, partition: &str, count: usize, age: Duration) {
    produce_to(Cluster::shared(), topic, partition, count, age);
}

fn produce_to(cluster: &Cluster, topic: &str, partition: &str, count: usize, age: Duration) {
    let then = (SystemTime::now() - age).duration_since(UNIX_EPOCH).unwrap();
    let (then, count) = (then.as_millis().to_string(), count.to_string());
    let direct = Connection::plaintext(cluster.bootstrap());
    let arguments = ["produce", "--topic", topic, "--partition", partition, "--count", &count];
    let made = [&arguments[..], &["--timestamp", &then, "--value", "v{i}"]].concat();
    assert_eq!(Client::Librdkafka.run(&direct, &made).errors(), []);
}

/// Zone `acme`, which shares this topic as `orders`.
fn sharing(backing: &str, replay: Option<Replay>) -> ServedZone {
    let mut served = zone("acme", &[("orders", backing, "READ")]);
    let mut changed = (*served.zone).clone();
    changed.topics[0].replay = replay;
    served.zone = changed.into();
    served
}

/// The first `count` offsets that come from `from` on in partition 0, or all that come for a while where none should; and the errors.
fn read(client: Client, connection: &Connection, from: &str, count: usize) -> (Vec<i64>, Vec<String>) {
    let (max, idle) = (count.to_string(), if count == 0 { "4000" } else { "90000" });
    let mut arguments =
        vec!["assign", "--topic", "orders", "--partition", "0", "--from", from, "--idle", idle];
    if count > 0 {
        arguments.extend(["--max", &max]);
    }
    let read = client.run(connection, &arguments);
    let offsets = read.records().iter().map(|record| record.offset).collect();
    (offsets, read.errors().into_iter().map(|error| error.error).collect())
}

#[test]
fn a_window_of_an_age_moves_with_time_and_what_it_leaves_is_out_of_range() {
    let topic = unique("replay.age");
    Cluster::shared().create_topic(&topic, 1);
    produce(&topic, "0", 10, HOUR);
    produce(&topic, "0", 5, Duration::ZERO);
    let gateway = InProcess::start(Cluster::shared());
    let serve = |age| assert!(gateway.serve([sharing(&topic, Some(Replay::MaxAge(age)))]).is_empty());
    serve(Duration::from_mins(10));
    let connection = gateway.connection("acme");
    for client in Client::ALL {
        assert_eq!(read(client, &connection, "earliest", 5), ((10..15).collect(), vec![]), "{client:?}");
        assert_eq!(read(client, &connection, "12", 3), ((12..15).collect(), vec![]), "{client:?}");
        // A client that is told to go on somewhere goes where the topic begins for it.
        assert_eq!(read(client, &connection, "3", 5), ((10..15).collect(), vec![]), "{client:?}");
    }
    // A group that has stopped before the window goes on where the window begins, as `auto.offset.reset` says.
    for (client, protocol) in [(Client::Java, "consumer"), (Client::Librdkafka, "eager")] {
        let group = unique("readers");
        let consume = ["consume", "--group", &group, "--protocol", protocol, "--topic", "orders", "--commit"];
        serve(2 * HOUR);
        let first = client.run(&connection, &[&consume[..], &["--max", "3"]].concat());
        let first: Vec<_> = first.records().iter().map(|record| record.offset).collect();
        assert_eq!(first, [0, 1, 2], "{client:?}");
        serve(Duration::from_mins(10));
        let rest = client.run(&connection, &[&consume[..], &["--max", "5", "--idle", "90000"]].concat());
        assert_eq!(rest.errors(), []);
        let rest: Vec<_> = rest.records().iter().map(|record| record.offset).collect();
        assert_eq!(rest, [10, 11, 12, 13, 14], "{client:?}");
    }
    // It moves on while a consumer waits, which sees what is new and nothing else.
    serve(Duration::from_secs(4));
    thread::sleep(Duration::from_secs(8));
    for client in Client::ALL {
        assert_eq!(read(client, &connection, "earliest", 0), (vec![], vec![]), "{client:?}");
    }
    let follow = ["assign", "--topic", "orders", "--partition", "0", "--until-stdin-closes"];
    let mut following = Client::Java.start(&connection, &follow);
    thread::sleep(Duration::from_secs(6));
    produce(&topic, "0", 2, Duration::ZERO);
    following.wait_for("what is new", |events| (events.records().len() == 2).then_some(()));
    let seen = following.stop();
    assert_eq!(seen.errors(), []);
    assert_eq!(seen.records().iter().map(|record| record.offset).collect::<Vec<_>>(), [15, 16]);
}

#[test]
fn a_window_that_comes_and_goes_applies_to_consumers_that_are_there() {
    let topic = unique("replay.change");
    Cluster::shared().create_topic(&topic, 1);
    produce(&topic, "0", 10, HOUR);
    let gateway = InProcess::start(Cluster::shared());
    assert!(gateway.serve([sharing(&topic, None)]).is_empty());
    let connection = gateway.connection("acme");
    let follow = ["assign", "--topic", "orders", "--partition", "0", "--until-stdin-closes"];
    for client in Client::ALL {
        assert!(gateway.serve([sharing(&topic, None)]).is_empty());
        let mut following = client.start(&connection, &follow);
        following.wait_for("all there is", |events| (events.records().len() >= 10).then_some(()));
        let before = following.events().records().len();
        assert!(gateway.serve([sharing(&topic, Some(Replay::MaxAge(Duration::from_mins(10))))]).is_empty());
        assert!(read(client, &connection, "earliest", 0).0.iter().all(|offset| *offset >= 10));
        produce(&topic, "0", 1, Duration::ZERO);
        following.wait_for("what is new", |events| (events.records().len() == before + 1).then_some(()));
        assert_eq!(following.stop().errors(), [], "{client:?}");
    }
}

#[test]
fn what_was_there_before_the_share_began_is_never_seen_and_what_came_later_is_always() {
    let (topic, later) = (unique("replay.latest"), unique("replay.later"));
    // Its own: the state is one for a cluster.
    let cluster = Cluster::private(1);
    cluster.create_topic(&topic, 2);
    // Times do not matter: these say that they are to come.
    produce_to(&cluster, &topic, "0", 7, Duration::ZERO);
    let files = |replay: &str| {
        let topics = [("orders", topic.as_str(), "READ"), ("later", later.as_str(), "READ")];
        manifest("acme", &topics).replace("permission: READ", &format!("permission: READ\n      {replay}"))
    };
    let mut product =
        Product::start(&cluster, Setup::KAFKA, &[("zone.yaml", &files("replay: {from: latest}"))]);
    // Its second topic is not there yet; the first is served all the same.
    product.wait_for_status("acme", "FAILED");
    let connection = product.partner("acme").connection();
    for client in Client::ALL {
        assert_eq!(read(client, &connection, "earliest", 0), (vec![], vec![]), "{client:?}");
    }
    // With times of long ago: what counts is when they came.
    produce_to(&cluster, &topic, "0", 3, 24 * HOUR);
    cluster.create_topic(&later, 1);
    produce_to(&cluster, &later, "0", 2, 24 * HOUR);
    product.wait_for_status("acme", "READY");
    product.restart();
    product.wait_for_status("acme", "READY");
    for client in Client::ALL {
        assert_eq!(read(client, &connection, "earliest", 3), (vec![7, 8, 9], vec![]), "{client:?}");
        assert_eq!(read(client, &connection, "2", 3), (vec![7, 8, 9], vec![]), "{client:?}");
        let arguments = ["assign", "--topic", "later", "--partition", "0", "--max", "2", "--idle", "90000"];
        let all = client.run(&connection, &arguments);
        assert_eq!(all.records().len(), 2, "all of a topic that was made after the share began: {client:?}");
    }
    // Shared in full and then from now on again: it is another share.
    product.commit("in full", &[("zone.yaml", Some(&files("")))]);
    let is_narrow = |zone: Option<&serde_json::Value>| {
        zone.is_some_and(|zone| {
            zone["status"]["phase"] == "READY" && zone["spec"]["topics"][0].get("replay").is_some()
        })
    };
    product.wait_for_zone("acme", |zone| zone.is_some() && !is_narrow(zone));
    product.wait_for_status("acme", "READY");
    assert_eq!(read(Client::Librdkafka, &connection, "earliest", 10).0.len(), 10);
    product.commit("from now on", &[("zone.yaml", Some(&files("replay: {from: latest}")))]);
    product.wait_for_zone("acme", is_narrow);
    assert_eq!(read(Client::Librdkafka, &connection, "earliest", 0), (vec![], vec![]));
}
