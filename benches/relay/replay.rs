//! What it costs that a zone's partner may read only so far back (`topics[].replay`).

use std::thread;
use std::time::{Duration, Instant};

use partner_zones::kafka::records::Codec;

use super::gateway::{Gateway, sharing};
use super::headers::batch;
use super::load::{Ready, fetch_again, follow_again};
use super::policies::{Effort, WITHOUT, Zone, compare, print_head};
use super::requests::{Appetite, By, fetch};
use super::support::kafka::Cluster;
use super::topics::{PARTITIONS, Pair, WIDE_PARTITIONS, fill, known_to};
use super::wire::{Address, Client};

const WIDE_TOPICS: usize = 100;
const WIDE_RECORDS: usize = 7;
/// Records of each partition of the topic that is read, by batches of 512.
const FILLED: usize = 8 << 10;
const PATIENCE: Duration = Duration::from_secs(30);

const WINDOWS: [(&str, &str); 2] =
    [("max-age", "replay: {maxAge: 1d}"), ("from-latest", "replay: {from: latest}")];

pub(crate) fn print(cluster: &Cluster, effort: Effort) {
    let topics = create(cluster);
    let aliases: Vec<String> = topics.iter().map(|(alias, _)| alias.clone()).collect();
    let windowed = |(zone, replay): (&'static str, &str)| {
        let text = sharing(zone, &topics);
        (zone, text.replace("permission: WRITE", &format!("permission: WRITE\n      {replay}")))
    };
    let files: Vec<_> =
        WITHOUT.map(|zone| (zone, sharing(zone, &topics))).into_iter().chain(WINDOWS.map(windowed)).collect();
    let gateway = Gateway::serving(cluster.bootstrap(), &files, None);
    // Behind the beginning of every share: all of it may be read in every zone.
    fill_all(cluster, &topics);
    let zones: Vec<_> = files.iter().map(|(zone, _)| Zone::of(&gateway, zone, &aliases)).collect();
    zones.iter().for_each(await_open);
    let zones: Vec<_> = zones.iter().collect();
    print_head("replay");
    for by in [By::Id, By::Name] {
        compare(&format!("fetch 6 × 1 MiB, by {}", by.word()), &gateway, &zones, effort, |zone| {
            Ready::of(4, || fetch_again(Client::connect(&zone.address), by, &zone.topics[0]).0)
        });
        // Topics with a window are fetched outside of sessions, each request in full.
        compare(&format!("follow 1000 × 7 KiB, by {}", by.word()), &gateway, &zones, effort, |zone| {
            Ready::of(2, || {
                let (busy, is_session) = follow_again(Client::connect(&zone.address), by, &zone.topics[1..]);
                assert_eq!(is_session, WITHOUT.contains(&zone.name), "{}", zone.name);
                busy
            })
        });
    }
}

/// The topic that is read, and the wide ones; all of them empty.
fn create(cluster: &Cluster) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let mut add = |alias: String, partitions| {
        let backing = format!("bench.replay.{alias}.v1");
        cluster.create_topic(&backing, partitions);
        pairs.push((alias, backing));
    };
    add("readings".to_owned(), PARTITIONS);
    (0..WIDE_TOPICS).for_each(|index| add(format!("wide-{index:03}"), WIDE_PARTITIONS));
    pairs
}

fn fill_all(cluster: &Cluster, topics: &[Pair]) {
    let address = Address::open(cluster.bootstrap());
    let names: Vec<String> = topics.iter().map(|(_, backing)| backing.clone()).collect();
    let topics = known_to(&address, &names);
    let mut client = Client::connect(&address);
    let (large, small) = (batch(512, Codec::None), batch(WIDE_RECORDS, Codec::None));
    (0..FILLED / 512).for_each(|_| fill(&mut client, &topics[0], PARTITIONS, &large));
    topics[1..].iter().for_each(|topic| fill(&mut client, topic, WIDE_PARTITIONS, &small));
}

/// Waits until it is known where every window begins: so long its partitions have no leader.
fn await_open(zone: &Zone) {
    let appetite = |partitions| Appetite { partitions, partition_bytes: 1, bytes: 1 };
    let mut client = Client::connect(&zone.address);
    let begun = Instant::now();
    let mut shut = |topics, partitions| {
        let request = fetch(By::Id, topics, appetite(partitions), (0, -1));
        let answer = client.call(By::Id.fetch(), &request);
        answer.responses.iter().flat_map(|topic| &topic.partitions).any(|partition| partition.error_code != 0)
    };
    while shut(&zone.topics[..1], PARTITIONS) || shut(&zone.topics[1..], WIDE_PARTITIONS) {
        assert!(begun.elapsed() < PATIENCE, "{}: its windows stay shut", zone.name);
        thread::sleep(Duration::from_millis(200));
    }
}
