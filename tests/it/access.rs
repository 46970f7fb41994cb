//! Access that ends: taken away, run out, or for the wrong place; and access that begins. Whatever a connection does then, it is cut.

mod distribution;
mod failover;

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{MetadataRequest, ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::client::Client;
use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Partner, Product, Setup, manifest};
use crate::support::wire::{Wire, long_poll, one_record, typed};

/// Promised are 5 s; the rest is for a machine that has other things to do.
const WITHIN: Duration = Duration::from_secs(10);
/// Until what begins or ends at a time does so. A commit is applied and several clients log in before that.
const SOON: Duration = Duration::from_secs(25);

/// Connections that do nothing, wait for records, and send records of which no answer is wanted.
struct Busy(Vec<JoinHandle<Instant>>);

impl Busy {
    fn log_in(product: &Product, partner: &Partner) -> Self {
        Self::at(([127, 0, 0, 1], product.port), partner)
    }

    /// At the gateway that listens there, broker n being n further on.
    fn at((host, port): ([u8; 4], u16), partner: &Partner) -> Self {
        let at = |broker: u16| {
            let address = (host, port + broker);
            Wire::log_in(address, &partner.username, &partner.secret).expect("the login is refused")
        };
        // Only its leader takes records of which no answer is wanted, and keeps the connection.
        let mut wire = at(0);
        let topic = MetadataRequestTopic::default().with_name(Some(orders()));
        let answer = wire.call(&MetadataRequest::default().with_topics(Some(vec![topic])), 9);
        let leader = answer.topics[0].partitions[0].leader_id.0;
        let leader = u16::try_from(leader).unwrap();
        let idle = wire;
        let mut polling = at(leader);
        assert!(polling.send(&long_poll("orders")));
        let mut producing = at(leader);
        Self(vec![
            thread::spawn(move || end_of(idle)),
            thread::spawn(move || end_of(polling)),
            thread::spawn(move || {
                while producing.send(&unanswered()) {
                    thread::sleep(Duration::from_millis(10));
                }
                Instant::now()
            }),
        ])
    }

    /// Whether all are still connected.
    fn are_all_there(&self) -> bool {
        self.0.iter().all(|connection| !connection.is_finished())
    }

    /// Waits for their end, which is due now.
    fn are_cut(self, due: Instant, why: &str) {
        for (connection, what) in self.0.into_iter().zip(["idle", "long poll", "acks=0"]) {
            let after = connection.join().unwrap().saturating_duration_since(due);
            eprintln!("{why}: {what} is cut after {after:.1?}");
            assert!(after < WITHIN, "{why}: {what} was cut after {after:?}");
        }
    }
}

/// When the other side has closed. Answers that come meanwhile are read away.
fn end_of(mut wire: Wire) -> Instant {
    wire.socket.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
    while wire.answer().is_some() {}
    Instant::now()
}

fn orders() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

fn unanswered() -> Bytes {
    let partition = PartitionProduceData::default().with_records(Some(one_record((-1, -1), -1, false)));
    let topic = TopicProduceData::default().with_name(orders()).with_partition_data(vec![partition]);
    let request = ProduceRequest::default().with_acks(0).with_timeout_ms(5_000).with_topic_data(vec![topic]);
    typed(&request, 9).into()
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0).unwrap().format(&Rfc3339).unwrap()
}

fn is_let_in(partner: &Partner) -> bool {
    Client::Librdkafka.run(&partner.connection(), &["list-topics", "--timeout", "5000"]).errors().is_empty()
}

#[test]
fn connections_end_with_their_access_whatever_they_do_and_a_share_begins_and_ends_by_itself() {
    let backing = unique("orders");
    Cluster::shared().create_topic(&backing, 1);
    let topics = [("orders", backing.as_str(), "WRITE")];
    let product =
        Product::start(Cluster::shared(), Setup::MEMORY, &[("a.yaml", &manifest("revoked", &topics))]);

    let (at, due) = (OffsetDateTime::now_utc() + SOON, Instant::now() + SOON);
    let with = |name: &str, access: &str| manifest(name, &topics) + &format!("  access: {{{access}}}\n");
    let local = with("moved", "allowedCidrs: [127.0.0.0/8, '::1/128']");
    let files = [
        ("b.yaml", with("ended", &format!("validUntil: '{}'", rfc3339(at)))),
        ("c.yaml", with("scheduled", &format!("validFrom: '{}'", rfc3339(at)))),
        ("d.yaml", local),
        (
            "e.yaml",
            manifest("renamed", &[("orders", &backing, "WRITE"), ("bestellungen", &backing, "READ")])
                + &format!("      deprecated: {{until: '{}', replacedBy: orders}}\n", rfc3339(at)),
        ),
    ];
    let changes: Vec<_> = files.iter().map(|(name, text)| (*name, Some(text.as_str()))).collect();
    product.commit("Shares that begin and end", &changes);
    for zone in ["revoked", "ended", "scheduled", "moved", "renamed"] {
        product.wait_for_status(zone, "READY");
    }
    let [revoked, ended, scheduled, moved, renamed] =
        ["revoked", "ended", "scheduled", "moved", "renamed"].map(|zone| product.partner(zone));
    let [by_revocation, by_end, by_place] = [&revoked, &ended, &moved].map(|it| Busy::log_in(&product, it));
    let listed = |partner: &Partner| Client::Librdkafka.run(&partner.connection(), &["list-topics"]).topics();
    assert!(!is_let_in(&scheduled), "it has not begun");
    assert_eq!(listed(&renamed).len(), 2);
    assert!(due > Instant::now(), "too slow a machine to see anything before its time");
    for (busy, what) in [(&by_revocation, "revoked"), (&by_end, "ended"), (&by_place, "moved")] {
        assert!(busy.are_all_there(), "{what} too early");
    }

    let taken = product.cli(&["credentials", "revoke", &revoked.username]);
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    by_revocation.are_cut(Instant::now(), "revoked");
    assert!(!is_let_in(&revoked));

    let elsewhere = with("moved", "allowedCidrs: [10.0.0.0/8]");
    product.commit("From their new office only", &[("d.yaml", Some(&elsewhere))]);
    let applied = Instant::now();
    by_place.are_cut(applied, "from another place");
    assert!(Instant::now() > due || by_end.are_all_there(), "what concerns others cuts nobody");
    assert!(!is_let_in(&moved));

    by_end.are_cut(due, "ended");
    assert!(!is_let_in(&ended));
    let shown = product.wait_for_status("ended", "READY");
    assert_eq!(shown["status"]["conditions"][0]["reason"], "Ended", "{shown:#}");
    let begun = Instant::now();
    while !is_let_in(&scheduled) {
        assert!(begun.elapsed() < WITHIN, "it does not begin");
    }
    assert_eq!(listed(&renamed).len(), 1, "the old name is gone");
}

#[test]
fn a_credential_is_rotated_while_it_is_in_use_and_seen_to_be() {
    let backing = unique("orders");
    Cluster::shared().create_topic(&backing, 1);
    let zone = manifest("acme", &[("orders", &backing, "WRITE")]);
    let product = Product::start(Cluster::shared(), Setup::MEMORY, &[("a.yaml", &zone)]);
    product.wait_for_status("acme", "READY");
    let old = product.partner("acme");
    let busy = Busy::log_in(&product, &old);
    let json = |arguments: &[&str]| -> Value {
        let output = product.cli(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let shown = |key_id: &str| {
        let listed = json(&["credentials", "list", "acme", "-o", "json"]);
        listed["items"].as_array().unwrap().iter().find(|item| item["keyId"] == key_id).unwrap().clone()
    };
    let begun = Instant::now();
    while shown(&old.username)["lastUsedFrom"] != "127.0.0.1" {
        assert!(begun.elapsed() < WITHIN, "{:#}", shown(&old.username));
        thread::sleep(Duration::from_millis(200));
    }

    let overlap = Duration::from_secs(20);
    let begun = Instant::now();
    let rotated = json(&["credentials", "rotate", &old.username, "--overlap", "20s", "-o", "json"]);
    let text = |field: &str| rotated[field].as_str().unwrap().to_owned();
    let new =
        Partner { bootstrap: text("bootstrapServers"), username: text("username"), secret: text("secret") };
    let state = shown(&old.username)["state"].clone();
    let both = [is_let_in(&new), is_let_in(&old), busy.are_all_there()];
    assert!(begun.elapsed() < overlap, "too slow a machine to see anything before its time");
    assert_eq!((state, both), ("ROTATED".into(), [true; 3]), "the old one goes on");
    busy.are_cut(begun + overlap, "rotated");
    assert!(!is_let_in(&old) && is_let_in(&new));
    assert_eq!(
        (&shown(&old.username)["state"], &shown(&new.username)["state"]),
        (&"EXPIRED".into(), &"ACTIVE".into())
    );
}
