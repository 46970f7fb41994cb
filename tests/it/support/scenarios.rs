//! What any client must be able to do, wherever it connects. The same scenarios run against Kafka itself, which shows
//! that they are right, and through the gateway, which shows that the gateway is.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Client, Connection, PATIENCE, Running};
use super::events::{ClientError, Events, Partition, Record};

/// A client, where it connects, and the topic it is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) client: Client,
    pub(crate) connection: &'a Connection,
    pub(crate) topic: &'a str,
}

/// The group protocols whose bytes differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Eager,
    Cooperative,
    /// The new one (KIP-848).
    Consumer,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Eager => "eager",
            Self::Cooperative => "cooperative",
            Self::Consumer => "consumer",
        }
    }
}

impl Site<'_> {
    fn run(&self, command: &str, arguments: &[&str]) -> Events {
        self.client.run(self.connection, &[&[command, "--topic", self.topic], arguments].concat())
    }

    fn member(&self, protocol: Protocol, group: &str) -> Running {
        let options = ["--group", group, "--protocol", protocol.name(), "--commit", "--until-stdin-closes"];
        self.start("consume", &options)
    }

    fn start(&self, command: &str, arguments: &[&str]) -> Running {
        self.client.start(self.connection, &[&[command, "--topic", self.topic], arguments].concat())
    }

    /// Everything that is in the topic's partition 0.
    fn all_of_partition_0(&self, records: usize) -> Vec<Record> {
        self.run("assign", &["--partition", "0", "--max", &records.to_string()]).records()
    }
}

/// Every codec under every kind of acknowledgement: keys, values, headers and timestamps arrive as they were sent, at
/// the offsets that were acknowledged. The topic is empty.
pub(crate) fn records_arrive_unchanged(site: Site<'_>) {
    const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
    const ACKS: [&str; 3] = ["0", "1", "all"];
    const TIMESTAMP: i64 = 1_700_000_000_000;
    let produced = site.run(
        "produce",
        &[
            &[
                "--partition",
                "0",
                "--count",
                "3",
                "--acks",
                &ACKS.join(","),
                "--compression",
                &CODECS.join(","),
            ],
            &["--key", "key-{i}", "--value", "{acks}/{compression}/ü", "--size", "2000"][..],
            &["--header", "trace=ä=1", "--header", "trace=", "--header", "nothing"],
            &["--timestamp", &TIMESTAMP.to_string()],
        ]
        .concat(),
    );
    assert_eq!(produced.errors(), []);
    let acked = produced.acked();
    assert_eq!(acked.len(), 45);
    let records = site.all_of_partition_0(45);
    assert_eq!(records.len(), 45);
    for acked in &acked {
        assert_eq!((acked.topic.as_str(), acked.partition), (site.topic, 0));
        if acked.acks == "0" {
            assert_eq!(acked.at(), -1);
            continue;
        }
        let record = records.iter().find(|record| record.offset == acked.at()).unwrap();
        assert_eq!(record.key, Some(format!("key-{}", acked.number).into_bytes()));
        assert!(record.text().starts_with(&format!("{}/{}/ü", acked.acks, acked.compression)));
    }
    let mut seen = BTreeMap::new();
    for record in &records {
        let number = i64::from(record.key.as_ref().unwrap()[4] - b'0');
        assert_eq!((record.topic.as_str(), record.partition), (site.topic, 0));
        assert_eq!((record.timestamp, record.timestamp_type.as_str()), (TIMESTAMP + number, "create"));
        let text = |value: &str| Some(value.as_bytes().to_vec());
        let headers = [("trace", text("ä=1")), ("trace", text("")), ("nothing", None)];
        assert_eq!(record.headers, headers.map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(record.value.as_ref().unwrap().len(), 2000);
        *seen.entry(record.text().trim_end_matches('.').to_owned()).or_insert(0) += 1;
    }
    let combinations = ACKS.iter().flat_map(|acks| CODECS.map(|codec| format!("{acks}/{codec}/ü")));
    assert_eq!(seen, combinations.map(|combination| (combination, 3)).collect());
}

/// A null value (a tombstone) and a null key are not empty ones. The topic is empty.
pub(crate) fn nulls_stay_nulls(site: Site<'_>) {
    let sent: [&[&str]; 4] = [&[], &["--key", "k"], &["--value", "v"], &["--key", "", "--value", ""]];
    for options in sent {
        let produced = site.run("produce", &[&["--partition", "0"], options].concat());
        assert_eq!((produced.acked().len(), produced.errors()), (1, vec![]));
    }
    let records = site.all_of_partition_0(4);
    let pairs: Vec<_> = records.into_iter().map(|record| (record.key, record.value)).collect();
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(pairs, [(None, None), (bytes("k"), None), (None, bytes("v")), (bytes(""), bytes(""))]);
}

/// Three members share the topic's partitions while records keep coming, one leaves, and nothing that was acknowledged
/// stays unread. The topic is empty and has at least three partitions.
pub(crate) fn members_join_and_leave(site: Site<'_>, protocol: Protocol, group: &str, partitions: i32) {
    let mut producer = site.start(
        "produce",
        &["--key", "{i}", "--value", "value-{i}", "--interval", "5", "--until-stdin-closes"],
    );
    let mut members = Vec::new();
    for _ in 0..3 {
        members.push(site.member(protocol, group));
        await_shared(&mut members, site.topic, partitions);
    }
    for member in &mut members {
        member.wait_for("a record of its own", |events| events.records().first().map(|_| ()));
    }
    let before: Vec<usize> = members.iter().map(|member| member.events().revocations()).collect();
    let left = members.pop().unwrap().stop();
    await_shared(&mut members, site.topic, partitions);
    // Only the eager protocol takes from those who stay.
    for (member, before) in members.iter().zip(before) {
        let moved = member.events().revocations() - before;
        assert_eq!(moved > 0, protocol == Protocol::Eager, "{moved} revocations");
    }
    // What comes now goes to those who stayed.
    let so_far = producer.events().acked().len();
    producer.wait_for("more records", |events| (events.acked().len() > so_far + 20).then_some(()));
    let produced = producer.stop();
    all_is_read(members, left.records(), &produced, partitions);
}

/// A group of classic members becomes one of the new protocol, member by member, and the other way round; in between
/// it has both. Records keep coming, and nothing that was acknowledged stays unread. The topic is empty and has at least
/// three partitions.
pub(crate) fn a_group_changes_its_protocol_and_back(site: Site<'_>, group: &str, partitions: i32) {
    use Protocol::Consumer;
    // librdkafka's sticky assignor puts data of its own into assignments, and brokers refuse to upgrade such a group.
    let classic = if site.client == Client::Librdkafka { Protocol::Eager } else { Protocol::Cooperative };
    let mut producer = site.start(
        "produce",
        &["--key", "{i}", "--value", "value-{i}", "--interval", "5", "--until-stdin-closes"],
    );
    let mut members = Vec::new();
    let mut left = Vec::new();
    // Who joins, and then who leaves: the one that has been there for longest.
    for (joins, leaves) in
        [(classic, 0), (classic, 0), (Consumer, 2), (Consumer, 0), (classic, 2), (classic, 0)]
    {
        members.push(site.member(joins, group));
        await_shared(&mut members, site.topic, partitions);
        for member in members.drain(..leaves) {
            left.extend(member.stop().records());
        }
        await_shared(&mut members, site.topic, partitions);
    }
    let so_far = producer.events().acked().len();
    producer.wait_for("more records", |events| (events.acked().len() > so_far + 60).then_some(()));
    all_is_read(members, left, &producer.stop(), partitions);
}

/// The members read to the end of what was produced; together with those that `left` they have read all of it.
fn all_is_read(members: Vec<Running>, left: Vec<Record>, produced: &Events, partitions: i32) {
    assert_eq!(produced.errors(), []);
    let mut everything = left;
    let acked: BTreeSet<_> = produced.acked().iter().map(|acked| (acked.partition, acked.at())).collect();
    for partition in 0..partitions {
        let Some(last) = acked.iter().filter(|(of, _)| *of == partition).map(|(_, offset)| *offset).max()
        else {
            panic!("no record went to partition {partition}");
        };
        // Whoever has the partition by then: on a busy machine a member may be late, and lose what it has to another one.
        let has = |member: &Running| {
            member.events().records().iter().any(|r| (r.partition, r.offset) == (partition, last))
        };
        let deadline = Instant::now() + PATIENCE;
        while !members.iter().any(has) {
            assert!(Instant::now() < deadline, "nobody has read record {last} of partition {partition}");
            thread::sleep(Duration::from_millis(50));
        }
    }
    for member in members {
        let events = member.stop();
        // A commit that a rebalance overtook is repeated by whoever has the partition then.
        let overtaken = ["REBALANCE_IN_PROGRESS", "ILLEGAL_GENERATION", "STALE_MEMBER_EPOCH"];
        let errors = events.errors().into_iter().filter(|error| !overtaken.contains(&error.error.as_str()));
        assert_eq!(errors.collect::<Vec<_>>(), []);
        everything.extend(events.records());
    }
    let read: BTreeSet<_> = everything.iter().map(|record| (record.partition, record.offset)).collect();
    assert_eq!(read, acked);
    for acked in produced.acked() {
        let at = (acked.partition, acked.at());
        let record = everything.iter().find(|record| (record.partition, record.offset) == at).unwrap();
        assert_eq!(record.text(), format!("value-{}", acked.number));
    }
}

/// Waits until every member holds something, and all together hold each partition once.
pub(crate) fn await_shared(members: &mut [Running], topic: &str, partitions: i32) {
    let wanted: Vec<_> =
        (0..partitions).map(|partition| Partition { topic: topic.to_owned(), partition }).collect();
    let (last, others) = members.split_last_mut().unwrap();
    last.wait_for(&format!("partitions of {topic} shared among {} members", others.len() + 1), |events| {
        let mut held: Vec<_> =
            others.iter().map(|member| member.events().assignment().unwrap_or_default()).collect();
        held.push(events.assignment().unwrap_or_default());
        let all_have_some = held.iter().all(|held| !held.is_empty());
        let mut all = held.concat();
        all.sort();
        (all_have_some && all == wanted).then_some(())
    });
}

/// A group goes on where it stopped, over whatever `between` does. The topic is empty.
pub(crate) fn a_group_goes_on_where_it_stopped(site: Site<'_>, group: &str, between: impl FnOnce()) {
    let produced = site.run("produce", &["--partition", "0", "--count", "10", "--value", "{i}"]);
    assert_eq!((produced.acked().len(), produced.errors()), (10, vec![]));
    let first = site.run("consume", &["--group", group, "--max", "4", "--commit"]);
    assert_eq!(first.errors(), []);
    assert_eq!(numbers(&first), ["0", "1", "2", "3"]);
    assert_eq!(first.committed().last().map(|offset| offset.offset), Some(4));
    between();
    let committed = site.client.run(site.connection, &["committed", "--group", group]);
    assert_eq!(committed.errors(), []);
    let offsets = committed.offsets();
    assert_eq!(offsets.len(), 1, "{offsets:?}");
    assert_eq!((offsets[0].topic.as_str(), offsets[0].partition, offsets[0].offset), (site.topic, 0, 4));
    let second = site.run("consume", &["--group", group, "--max", "6", "--commit"]);
    assert_eq!(second.errors(), []);
    assert_eq!(numbers(&second), ["4", "5", "6", "7", "8", "9"]);
}

fn numbers(events: &Events) -> Vec<String> {
    events.records().iter().map(Record::text).collect()
}

/// The client sees these topics and no others.
pub(crate) fn listings_show_exactly(client: Client, connection: &Connection, topics: &[&str]) {
    let listed = client.run(connection, &["list-topics"]);
    assert_eq!(listed.errors(), []);
    let names: Vec<_> = listed.topics().into_iter().map(|topic| topic.name).collect();
    assert_eq!(names, topics);
}

/// Producing fails with this error, and at once: a client that retries until its time is over has been told the wrong
/// thing.
pub(crate) fn produce_is_refused(site: Site<'_>, error: &str) {
    let produced = site.run("produce", &["--value", "refused"]);
    let errors: Vec<_> = produced.errors().into_iter().map(|error| error.error).collect();
    assert_eq!((errors, produced.acked()), (vec![error.to_owned()], vec![]));
}

/// Reading fails with this error.
pub(crate) fn consume_is_refused(site: Site<'_>, group: &str, error: &str) {
    let consumed = site.run("consume", &["--group", group, "--idle", "2000"]);
    let errors: Vec<_> = consumed.errors().into_iter().map(|error| error.error).collect();
    assert!(errors.contains(&error.to_owned()), "{errors:?}");
    assert_eq!(consumed.records(), []);
}

/// Whoever may see neither topic cannot tell which of them exists: not by producing, reading or describing.
pub(crate) fn topics_look_the_same(client: Client, connection: &Connection, one: &str, other: &str) {
    let seen = |topic: &str| -> Vec<Vec<ClientError>> {
        let commands: [&[&str]; 3] = [
            &["produce", "--topic", topic, "--timeout", "10000"],
            &["assign", "--topic", topic, "--partition", "0", "--timeout", "10000"],
            &["describe-topic", "--topic", topic, "--timeout", "10000"],
        ];
        let errors = commands.map(|command| {
            let events = client.run(connection, command);
            assert_eq!((events.acked(), events.records(), events.topics()), (vec![], vec![], vec![]));
            let mut errors = events.errors();
            for error in &mut errors {
                error.message = error.message.replace(topic, "TOPIC");
            }
            errors
        });
        errors.to_vec()
    };
    // At the same time: some clients ask until their time is over.
    let (errors, others) = thread::scope(|scope| {
        let other = scope.spawn(|| seen(other));
        (seen(one), other.join().unwrap())
    });
    assert!(!errors[0].is_empty(), "producing to {one} showed no error");
    assert_eq!(errors, others);
}

/// The addresses of all nodes that the client is told of.
pub(crate) fn node_addresses(client: Client, connection: &Connection) -> Vec<String> {
    let cluster = client.run(connection, &["describe-cluster"]).cluster().unwrap();
    cluster.nodes.iter().map(|node| format!("{}:{}", node.host, node.port)).collect()
}
