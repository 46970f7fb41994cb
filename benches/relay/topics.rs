//! The topics of the benchmark, under the names that each peer has for them.

use bytes::Bytes;

use super::requests::{By, Topic, accepted, batch, produce};
use super::support::kafka::Cluster;
use super::wire::{Address, Client};

pub(crate) const PARTITIONS: i32 = 6;
pub(crate) const WIDE_PARTITIONS: i32 = 10;
const SMALL_TOPICS: usize = 20;
const WIDE_TOPICS: usize = 100;
/// Of the topic that is only read: more than a fetch takes of a partition.
const FILLED_RECORDS: usize = 16 << 10;
const WIDE_RECORDS: usize = 7;

/// Alias and backing topic.
pub(crate) type Pair = (String, String);

/// As one peer calls them.
pub(crate) struct Topics {
    pub(crate) written: Topic,
    pub(crate) filled: Topic,
    /// Of one partition each, written.
    pub(crate) small: Vec<Topic>,
    /// Of ten partitions each, read.
    pub(crate) wide: Vec<Topic>,
}

impl Topics {
    /// With the ids that this peer tells. `names` are those of [`create`], in their order; behind a stub there is the first only.
    pub(crate) fn known_to(address: &Address, names: &[String]) -> Self {
        let mut topics = known_to(address, names).into_iter();
        let written = topics.next().unwrap();
        let filled = topics.next().unwrap_or_else(|| written.clone());
        Self { written, filled, small: topics.by_ref().take(SMALL_TOPICS).collect(), wide: topics.collect() }
    }
}

/// Topics with the ids that this peer tells.
pub(crate) fn known_to(address: &Address, names: &[String]) -> Vec<Topic> {
    let ids = Client::connect(address).topic_ids(names);
    names.iter().zip(ids).map(|(name, id)| Topic { name: name.clone(), id }).collect()
}

/// Of a topic that is written: what comes goes soon, since the data lies in memory.
pub(crate) const SHORT: [(&str, &str); 3] =
    [("retention.bytes", "33554432"), ("segment.bytes", "16777216"), ("file.delete.delay.ms", "1000")];

/// The one that is written, the one that is read, the small ones, the wide ones.
pub(crate) fn create(cluster: &Cluster) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let mut add = |alias: &str, partitions, config: &[_]| {
        let backing = format!("bench.{alias}.v1");
        cluster.create_topic_with(&backing, partitions, config);
        pairs.push((alias.to_owned(), backing));
    };
    add("orders", PARTITIONS, &SHORT);
    add("readings", PARTITIONS, &[]);
    (0..SMALL_TOPICS).for_each(|index| add(&format!("small-{index:03}"), 1, &SHORT));
    (0..WIDE_TOPICS).for_each(|index| add(&format!("wide-{index:03}"), WIDE_PARTITIONS, &[]));

    let address = Address::open(cluster.bootstrap());
    let names: Vec<String> = pairs.iter().map(|(_, backing)| backing.clone()).collect();
    let topics = Topics::known_to(&address, &names);
    let mut client = Client::connect(&address);
    let large = batch(512);
    for _ in 0..FILLED_RECORDS / 512 {
        fill(&mut client, &topics.filled, PARTITIONS, &large);
    }
    let small = batch(WIDE_RECORDS);
    topics.wide.iter().for_each(|topic| fill(&mut client, topic, WIDE_PARTITIONS, &small));
    pairs
}

/// Puts this batch into each of the first partitions.
pub(crate) fn fill(client: &mut Client, topic: &Topic, partitions: i32, batch: &Bytes) {
    let request = produce(By::Name, std::slice::from_ref(topic), partitions, batch);
    assert!(accepted(&client.call(By::Name.produce(), &request)), "filling {}", topic.name);
}
