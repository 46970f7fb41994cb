//! What it costs that a zone adds headers to records, or removes them (`spec.headers`).

use std::fmt::Write as _;
use std::slice::from_ref;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kafka_protocol::messages::FetchResponse;
use partner_zones::kafka::records::{Codec, NewRecord, batches, build};

use super::gateway::{Gateway, sharing};
use super::load::{Ready, fetch_again, produce_again};
use super::policies::{Effort, WITHOUT, Zone, compare, print_head};
use super::requests::{By, RECORD_BYTES};
use super::support::kafka::Cluster;
use super::topics::{PARTITIONS, Pair, SHORT, fill, known_to};
use super::wire::{Address, Client};

const CODECS: [Codec; 3] = [Codec::None, Codec::Lz4, Codec::Zstd];
const CONNECTIONS: usize = 4;
/// Records of each batch, and of each partition that is read.
const BATCH: usize = 64;
const FILLED: usize = 8 << 10;

/// What each zone has in its file. The records that are read have a header `internal-…` and one that stays.
const POLICIES: [(&str, &str); 3] = [
    ("adds", "addOnProduce:\n      - {key: partner, value: \"{{user}}\", overrideIfExists: true}"),
    ("removes-one", "removeOnConsume:\n      - keyRegex: internal-.*"),
    ("removes-nothing", "removeOnConsume:\n      - keyRegex: secret-.*"),
];

pub(crate) fn print(cluster: &Cluster, effort: Effort) {
    let topics = create(cluster);
    let aliases: Vec<String> = topics.iter().map(|(alias, _)| alias.clone()).collect();
    let files: Vec<_> =
        WITHOUT
            .map(|zone| (zone, sharing(zone, &topics)))
            .into_iter()
            .chain(POLICIES.map(|(zone, policy)| {
                (zone, format!("{}  headers:\n    {policy}\n", sharing(zone, &topics)))
            }))
            .collect();
    let gateway = Gateway::serving(cluster.bootstrap(), &files, None);
    let zones: Vec<_> = files.iter().map(|(zone, _)| Zone::of(&gateway, zone, &aliases)).collect();
    let [without, again, adds, removes_one, removes_nothing] = &zones[..] else { unreachable!("five zones") };
    print_head("headers");
    for codec in CODECS {
        let batch = batch(BATCH, codec);
        let moves = BATCH * RECORD_BYTES * usize::try_from(PARTITIONS).unwrap();
        compare(&format!("produce 6 × 64 KiB, {codec}"), &gateway, &[without, again, adds], effort, |zone| {
            Ready::of(CONNECTIONS, || {
                let client = Client::connect(&zone.address);
                produce_again(client, By::Id, from_ref(&zone.topics[0]), PARTITIONS, &batch).moving(moves)
            })
        });
    }
    for (codec, topic) in CODECS.into_iter().zip(1..) {
        let of = [without, again, removes_one, removes_nothing];
        compare(&format!("fetch 6 × 1 MiB, {codec}"), &gateway, &of, effort, |zone| {
            Ready::of(CONNECTIONS, || {
                let client = Client::connect(&zone.address);
                let (busy, answer) = fetch_again(client, By::Id, &zone.topics[topic]);
                busy.moving(values_in(&answer))
            })
        });
    }
}

/// The topic that is written, and one of each codec that is read.
fn create(cluster: &Cluster) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let mut add = |alias: String, config: &[_]| {
        let backing = format!("bench.headers.{alias}.v1");
        cluster.create_topic_with(&backing, PARTITIONS, config);
        pairs.push((alias, backing));
    };
    add("marked".to_owned(), &SHORT);
    for codec in CODECS {
        add(format!("read-{codec}"), &[]);
    }
    let address = Address::open(cluster.bootstrap());
    let names: Vec<String> = pairs.iter().map(|(_, backing)| backing.clone()).collect();
    let topics = known_to(&address, &names);
    let mut client = Client::connect(&address);
    for (codec, topic) in CODECS.into_iter().zip(&topics[1..]) {
        let batch = batch(BATCH, codec);
        (0..FILLED / BATCH).for_each(|_| fill(&mut client, topic, PARTITIONS, &batch));
    }
    pairs
}

/// Records as they are often written: text that a codec makes a third of.
pub(crate) fn batch(records: usize, codec: Codec) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut number = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut record = |_| {
        let mut value = String::new();
        while value.len() < RECORD_BYTES {
            let (order, amount) = (number(), number() % 10_000);
            write!(value, "{{\"order\":\"{order:016x}\",\"amount\":{amount},\"state\":\"open\"}}").unwrap();
        }
        value.truncate(RECORD_BYTES);
        let headers = vec![
            ("internal-trace".into(), Some("4bf92f3577b34da6".into())),
            ("kind".into(), Some("order".into())),
        ];
        NewRecord { key: Some("key".into()), value: Some(value.into()), headers }
    };
    let records: Vec<_> = (0..records).map(&mut record).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    build(&records, codec, i64::try_from(now).unwrap()).unwrap()
}

/// Bytes of the values in an answer, decompressed.
fn values_in(answer: &FetchResponse) -> usize {
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let records = partitions.filter_map(|partition| partition.records.as_ref());
    records
        .flat_map(|records| batches(records))
        .map(|batch| batch.unwrap().records() as usize * RECORD_BYTES)
        .sum()
}
