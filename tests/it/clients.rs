//! The matrix of clients: clients that nobody here wrote × flows, directly against Kafka, which is the oracle, and
//! through the gateway. Both must show the same, and use the same versions of the same APIs: what the gateway holds back
//! stands in [`HELD_BACK`] with its reason. `docs/clients.md` is what this run measured; `UPDATE_DOCS=1` writes it anew.

mod document;
mod flows;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use crate::support::client::{Client, Connection};
use crate::support::kafka::{ADMIN, Cluster, unique};
use crate::support::product::{Product, Setup, manifest};
use crate::support::tap::{Tap, Used};
use document::document;
use flows::{ALIASES, Flow, Observed, PARTITIONS, Site};

const CLIENTS: [Client; 7] = [
    Client::Java,
    Client::Java2,
    Client::Librdkafka,
    Client::KafkaPython,
    Client::FranzGo,
    Client::Sarama,
    Client::Kafkajs,
];
/// More would only wait for the processor.
const AT_ONCE: usize = 3;

/// An API that a client uses otherwise through the gateway than directly, and why.
struct HeldBack {
    api: &'static str,
    /// The newest version used; `None`: not used at all.
    direct: Option<i16>,
    through: Option<i16>,
    reason: &'static str,
}

const CRATE: &str = "the newest that `kafka-protocol` knows";
#[rustfmt::skip]
const HELD_BACK: &[HeldBack] = &[
    held_back("ApiVersions", Some(5), Some(4), "5 tells the cluster and node that the client believes it talks to: not served yet"),
    held_back("DescribeTopicPartitions", Some(0), None, "not served: its cursor is in the order of backing names; Metadata says the same"),
    held_back("ListOffsets", Some(11), Some(10), CRATE),
    held_back("OffsetCommit", Some(10), Some(9), CRATE),
    held_back("OffsetFetch", Some(10), Some(9), CRATE),
    held_back("TxnOffsetCommit", Some(6), Some(5), CRATE),
];

const fn held_back(
    api: &'static str,
    direct: Option<i16>,
    through: Option<i16>,
    reason: &'static str,
) -> HeldBack {
    HeldBack { api, direct, through, reason }
}

/// What one client did.
struct Measured {
    client: Client,
    /// Those that the client offers; the error where one failed.
    flows: Vec<(Flow, Result<(), String>)>,
    direct: BTreeMap<String, i16>,
    through: BTreeMap<String, i16>,
}

#[test]
fn every_client_does_through_the_gateway_what_it_does_directly() {
    let topics = backing_topics();
    let zones: Vec<(String, String)> = topics
        .iter()
        .map(|(client, own)| {
            let shared: Vec<_> = ALIASES
                .iter()
                .zip(&own.behind)
                .map(|(alias, backing)| (*alias, backing.as_str(), "WRITE"))
                .collect();
            (format!("{}.yaml", client.name()), manifest(client.name(), &shared))
        })
        .collect();
    let zones: Vec<_> = zones.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let product = Product::start(Cluster::shared(), Setup::MEMORY, &zones);
    let measured = Mutex::new(Vec::new());
    let waiting = Mutex::new(topics.iter());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((client, own)) = waiting.lock().unwrap().next() else { return };
                    let result = measure(*client, own, &product);
                    measured.lock().unwrap().push(result);
                }
            });
        }
    });
    let mut measured = measured.into_inner().unwrap();
    measured.sort_by_key(|result| CLIENTS.iter().position(|client| *client == result.client));
    let mut problems = held_back_without_reason(&measured);
    for result in &measured {
        for (flow, outcome) in &result.flows {
            if let Err(error) = outcome {
                problems.push(format!("{} {}: {error}", result.client.name(), flow.name()));
            }
        }
    }
    problems.extend(document(&measured));
    drop(product); // what it wrote would hide what is wrong
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The topics of one client: those that it uses directly, and those behind its aliases.
struct Topics {
    direct: [String; 3],
    behind: [String; 3],
}

fn backing_topics() -> Vec<(Client, Topics)> {
    let all: Vec<_> = CLIENTS
        .into_iter()
        .map(|client| {
            let names = |site| ALIASES.map(|alias| unique(&format!("{site}.{}.{alias}", client.name())));
            (client, Topics { direct: names("direct"), behind: names("backing") })
        })
        .collect();
    thread::scope(|scope| {
        for (_, topics) in &all {
            scope.spawn(move || {
                for topic in topics.direct.iter().chain(&topics.behind) {
                    Cluster::shared().create_topic(topic, PARTITIONS);
                }
            });
        }
    });
    all
}

fn measure(client: Client, topics: &Topics, product: &Product) -> Measured {
    let tap = Tap::counting(Cluster::shared().sasl_bootstrap());
    let direct = Site {
        client,
        connection: Connection::sasl(&tap.bootstrap, "PLAIN", ADMIN.user, ADMIN.password),
        topics: topics.direct.clone(),
        prefix: unique(&format!("{}-", client.name())),
        closed: false,
    };
    product.wait_for_status(client.name(), "READY");
    let brokers: Vec<String> = (0..=3).map(|id| format!("127.0.0.1:{}", product.port + id)).collect();
    let gateway_tap = Tap::counting(&brokers.join(","));
    let partner = product.partner(client.name());
    let bootstrap = gateway_tap.bootstrap.split(',').next().unwrap();
    let connection = Connection::sasl(bootstrap, "PLAIN", &partner.username, &partner.secret);
    let through = Site { connection, topics: ALIASES.map(str::to_owned), closed: true, ..direct.clone() };
    let offered = Flow::ALL.into_iter().filter(|flow| flow.offered_by(client));
    let flows = offered.map(|flow| (flow, compared(flow, &direct, &through))).collect();
    Measured { client, flows, direct: newest(tap.used()), through: newest(gateway_tap.used()) }
}

/// A flow at both sites; the error says where it failed or how they differ.
fn compared(flow: Flow, direct: &Site, through: &Site) -> Result<(), String> {
    let run = |site: &Site| -> Result<Observed, String> {
        // What a driver that broke off wrote is printed with the panic.
        catch_unwind(AssertUnwindSafe(|| flow.run(site))).unwrap_or_else(|panic| {
            Err(panic.downcast::<String>().map_or_else(|_| "broke off".to_owned(), |text| *text))
        })
    };
    let oracle = run(direct).map_err(|error| format!("fails directly, too: {error}"))?;
    let seen = run(through)?;
    if seen == oracle { Ok(()) } else { Err(format!("shows {seen:#?}\nand directly {oracle:#?}")) }
}

fn newest(used: Used) -> BTreeMap<String, i16> {
    // In order: the last of each API is its newest.
    used.into_iter().collect()
}

fn held_back_without_reason(measured: &[Measured]) -> Vec<String> {
    let mut used = vec![false; HELD_BACK.len()];
    let mut problems = Vec::new();
    for result in measured {
        for (api, direct, through) in result.differences() {
            let row =
                HELD_BACK.iter().position(|row| (row.api, row.direct, row.through) == (api, direct, through));
            match row {
                Some(row) => used[row] = true,
                None => problems.push(format!(
                    "{} uses {api} {through:?} through the gateway, {direct:?} directly",
                    result.client.name()
                )),
            }
        }
    }
    let stale = HELD_BACK.iter().zip(used).filter(|(_, used)| !used);
    problems.extend(
        stale.map(|(row, _)| format!("no client is held back at {} {:?} any more", row.api, row.direct)),
    );
    problems
}

impl Measured {
    /// API, newest version used directly, newest version used through the gateway, where they differ.
    fn differences(&self) -> Vec<(&str, Option<i16>, Option<i16>)> {
        let mut apis: Vec<&String> = self.direct.keys().chain(self.through.keys()).collect();
        apis.sort();
        apis.dedup();
        apis.into_iter()
            .map(|api| (api.as_str(), self.direct.get(api).copied(), self.through.get(api).copied()))
            .filter(|(_, direct, through)| direct != through)
            .collect()
    }
}
