//! How far partners' consumers are behind, as the leading controller asks real Kafka.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{GroupId, OffsetCommitRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use partner_zones::kafka::client::UpstreamSecurity;
use partner_zones::policy::ServedZone;
use partner_zones::reconcile::identity::Address;
use partner_zones::reconcile::lag::{LagReader, Lags};
use partner_zones::zone::{ClusterName, ConsumerGroup};
use prometheus_client::registry::Registry;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Runtime;

use crate::support::client::{Client, Connection};
use crate::support::gateway::{InProcess, zone};
use crate::support::kafka::{Cluster, GATEWAY, unique};
use crate::support::product::{Product, Setup, manifest};
use crate::support::wire::Wire;

/// A broker that is gone hands its groups and partitions on when its session ends.
const SETTLE: Duration = Duration::from_mins(1);

/// The control plane's part that asks, with metrics of its own.
struct Asking {
    reader: LagReader,
    registry: Registry,
    runtime: Runtime,
}

impl Asking {
    fn of(clusters: Vec<Address>) -> Self {
        let mut registry = Registry::default();
        let reader = LagReader::new(clusters, &mut registry);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { reader, registry, runtime }
    }

    fn plainly(cluster: &Cluster) -> Self {
        Self::of(vec![address("default", cluster.bootstrap(), UpstreamSecurity::default())])
    }

    fn measure(&mut self, zones: &[ServedZone]) -> Lags {
        let zones = zones.iter().map(|served| served.zone.clone());
        let lags = self.runtime.block_on(self.reader.measure(zones));
        self.reader.show(&lags);
        lags
    }

    fn failures(&self, cluster: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let count = format!("partner_zones_lag_failures_total{{cluster=\"{cluster}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&*count)).unwrap().parse().unwrap()
    }
}

fn address(name: &str, bootstrap: &str, security: UpstreamSecurity) -> Address {
    Address { name: ClusterName::try_from(name).unwrap(), bootstrap_servers: bootstrap.to_owned(), security }
}

/// (group, topic, lag, partitions), by name, and whether that is not all.
type Shown = (Vec<(String, String, u64, u32)>, bool);

fn shown(lags: &Lags, zone: &ServedZone) -> Shown {
    let lag = &lags[&zone.zone.name];
    let groups = lag.groups.iter();
    let mut groups: Vec<_> =
        groups.map(|it| (it.group.clone(), it.topic.clone(), it.lag, it.partitions)).collect();
    groups.sort();
    (groups, lag.is_partial)
}

fn whole(groups: &[(&str, &str, u64, u32)]) -> Shown {
    let group = |&(group, topic, lag, partitions): &(&str, &str, u64, u32)| {
        (group.to_owned(), topic.to_owned(), lag, partitions)
    };
    (groups.iter().map(group).collect(), false)
}

fn produce(cluster: &Cluster, topic: &str, partition: &str, count: usize) {
    let direct = Connection::plaintext(cluster.bootstrap());
    let count = count.to_string();
    let arguments =
        ["produce", "--topic", topic, "--partition", partition, "--count", &count, "--value", "v{i}"];
    assert_eq!(Client::Librdkafka.run(&direct, &arguments).errors(), []);
}

/// Reads and commits that many records as the only member of a group.
fn consume(client: Client, connection: &Connection, protocol: &str, group: &str, topic: &str, max: &str) {
    let arguments = ["consume", "--group", group, "--protocol", protocol, "--topic", topic, "--commit"];
    let read = client.run(connection, &[&arguments[..], &["--max", max, "--idle", "20000"]].concat());
    assert_eq!((read.records().len().to_string().as_str(), read.errors()), (max, vec![]));
}

/// Commits for a group directly, without being a member of it.
fn commit(cluster: &Cluster, group: &str, topic: &str, offsets: &[i64]) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap())
        .set("group.id", group)
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for (partition, &offset) in (0..).zip(offsets) {
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
    }
    consumer.commit(&list, CommitMode::Sync).unwrap();
}

#[test]
fn lag_is_exact_for_groups_of_both_protocols_and_each_is_its_own_zones_alone() {
    let cluster = Cluster::shared();
    let (orders, bills, secret) = (unique("lag.orders"), unique("lag.bills"), unique("lag.secret"));
    cluster.create_topic(&orders, 3);
    cluster.create_topic(&bills, 1);
    cluster.create_topic(&secret, 1);
    produce(cluster, &orders, "0", 10);
    produce(cluster, &bills, "0", 6);
    let backing_group = unique("partner.billing");
    let mut one = zone(&unique("lag-one"), &[("orders", &orders, "READ"), ("bills", &bills, "WRITE")]);
    let mut with_group = (*one.zone).clone();
    with_group.consumer_groups = vec![ConsumerGroup {
        name: "billing".try_into().unwrap(),
        backing_group: backing_group.as_str().try_into().unwrap(),
    }];
    one.zone = with_group.into();
    let two = zone(&unique("lag-two"), &[("sales", &orders, "READ"), ("orders", &bills, "READ")]);
    let zones = [one, two];
    let [one, two] = &zones;
    let gateway = InProcess::start(cluster);
    assert!(gateway.serve(zones.clone()).is_empty());
    let connection = |zone: &ServedZone| gateway.connection(zone.zone.name.as_str());
    let mut asking = Asking::plainly(cluster);
    let mut lags = || asking.measure(&zones);
    assert_eq!(shown(&lags(), one), whole(&[]));

    // Groups of one name, on two topics and by two protocols.
    consume(Client::Librdkafka, &connection(one), "eager", "readers", "orders", "5");
    consume(Client::Java, &connection(two), "consumer", "readers", "orders", "2");
    let half = lags();
    assert_eq!(shown(&half, one), whole(&[("readers", "orders", 5, 1)]));
    assert_eq!(shown(&half, two), whole(&[("readers", "orders", 4, 1)]));

    // A group that was there before, which reads something else too.
    commit(cluster, &backing_group, &orders, &[3, 0, 0]);
    commit(cluster, &backing_group, &secret, &[0]);
    let billing = ("billing", "orders", 7, 3);
    assert_eq!(shown(&lags(), one), whole(&[billing, ("readers", "orders", 5, 1)]));

    // All of it, on every partition that has records.
    produce(cluster, &orders, "1", 4);
    consume(Client::Librdkafka, &connection(one), "eager", "readers", "orders", "9");
    consume(Client::Java, &connection(two), "consumer", "readers", "orders", "4");
    let none = lags();
    let billing = ("billing", "orders", 11, 3);
    assert_eq!(shown(&none, one), whole(&[billing, ("readers", "orders", 0, 2)]));
    assert_eq!(shown(&none, two), whole(&[("readers", "orders", 0, 1)]));
    produce(cluster, &orders, "1", 3);
    let grown = lags();
    let billing = ("billing", "orders", 14, 3);
    assert_eq!(shown(&grown, one), whole(&[billing, ("readers", "orders", 3, 2)]));
    assert_eq!(shown(&grown, two), whole(&[("readers", "orders", 0, 1)]));
    assert_eq!(asking.failures("default"), 0);
}

#[test]
fn a_broker_or_a_cluster_that_does_not_answer_leaves_out_what_it_has_and_no_more() {
    let cluster = Cluster::private(3);
    cluster.create_topic("orders-v1", 3);
    (0..3).for_each(|partition| produce(&cluster, "orders-v1", &partition.to_string(), 10));
    let acme = zone("acme", &[("orders", "orders-v1", "READ")]);
    let mut elsewhere = zone("elsewhere", &[("orders", "orders-v1", "READ")]);
    let mut moved = (*elsewhere.zone).clone();
    moved.underlying_cluster = Some("other".try_into().unwrap());
    elsewhere.zone = moved.into();
    let groups: Vec<_> = (10..30).map(|n| format!("g{n}")).collect();
    for group in &groups {
        commit(&cluster, &format!("acme:{group}"), "orders-v1", &[1, 2, 3]);
    }
    let complete: Vec<_> = groups.iter().map(|group| (group.as_str(), "orders", 24, 3)).collect();
    let clusters = [("default", cluster.bootstrap()), ("other", "127.0.0.1:1")];
    let clusters = clusters.map(|(name, servers)| address(name, servers, UpstreamSecurity::default()));
    let mut asking = Asking::of(clusters.into());
    let zones = [acme.clone(), elsewhere.clone()];
    let lags = asking.measure(&zones);
    assert_eq!(shown(&lags, &acme), whole(&complete));
    assert!(!lags.contains_key(&elsewhere.zone.name), "nothing is known of it");
    assert_eq!((asking.failures("default"), asking.failures("other")), (0, 1));

    cluster.broker(3).pause();
    let begun = Instant::now();
    let lags = asking.measure(&zones);
    assert!(begun.elapsed() < Duration::from_secs(20));
    let (known, is_partial) = shown(&lags, &acme);
    assert!(is_partial, "{known:?}");
    assert!((1..groups.len()).contains(&known.len()), "{known:?}");
    assert!(known.iter().all(|(_, _, lag, partitions)| *lag < 24 && *partitions == 2), "{known:?}");
    assert_eq!((asking.failures("default"), asking.failures("other")), (1, 2));

    // What it had is others' as soon as they notice.
    let deadline = Instant::now() + SETTLE;
    loop {
        let found = shown(&asking.measure(&zones), &acme);
        if found == whole(&complete) {
            break;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        thread::sleep(Duration::from_millis(500));
    }
    cluster.broker(3).resume();
}

#[test]
fn without_rights_on_groups_nothing_is_shown_and_it_is_counted() {
    let cluster = Cluster::private(1);
    cluster.create_topic("orders-v1", 1);
    produce(&cluster, "orders-v1", "0", 10);
    commit(&cluster, "acme:readers", "orders-v1", &[4]);
    let properties = [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", GATEWAY.user),
        ("sasl.password", GATEWAY.password),
    ];
    let properties: BTreeMap<String, String> =
        properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let security = UpstreamSecurity::from_properties(&properties).unwrap();
    let mut asking = Asking::of(vec![address("default", cluster.sasl_bootstrap(), security)]);
    let zones = [zone("acme", &[("orders", "orders-v1", "READ")])];
    let allow = |resource: &[&str]| {
        let principal = format!("User:{}", GATEWAY.user);
        let rights = ["--add", "--allow-principal", &principal, "--operation", "Describe"];
        cluster.tool("org.apache.kafka.tools.AclCommand", &[&rights[..], resource].concat());
    };
    allow(&["--topic", "orders-v1"]);
    assert_eq!(asking.measure(&zones), Lags::new());
    assert_eq!(asking.failures("default"), 1);
    // It sees that there is a group.
    allow(&["--cluster"]);
    assert_eq!(shown(&asking.measure(&zones), &zones[0]), (vec![], true));
    assert_eq!(asking.failures("default"), 2);
    allow(&["--group", "acme:", "--resource-pattern-type", "prefixed"]);
    assert_eq!(shown(&asking.measure(&zones), &zones[0]), whole(&[("readers", "orders", 6, 1)]));
    assert_eq!(asking.failures("default"), 2);
}

#[test]
fn ten_thousand_zones_with_a_group_each_are_asked_within_the_time_of_one_cluster() {
    let cluster = Cluster::private(1);
    cluster.create_topic("orders-v1", 4);
    produce(&cluster, "orders-v1", "0", 10);
    let sample = zone("z", &[("orders", "orders-v1", "READ")]);
    let zones: Vec<_> = (0..10_000)
        .map(|n| {
            let mut served = sample.clone();
            let mut named = (*sample.zone).clone();
            named.name = format!("z{n}").as_str().try_into().unwrap();
            served.zone = named.into();
            served
        })
        .collect();
    // Makes the topic of offsets, and waits until it can be written.
    commit(&cluster, "first", "orders-v1", &[0]);
    let mut wire = Wire::connect(cluster.bootstrap().rsplit_once(':').unwrap().1.parse().unwrap());
    for zone in &zones {
        let partition =
            |at| OffsetCommitRequestPartition::default().with_partition_index(at).with_committed_offset(0);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(StrBytes::from_static_str("orders-v1")))
            .with_partitions((0..4).map(partition).collect());
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(StrBytes::from_string(format!("{}:g", zone.zone.name))))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        let answer = wire.call(&request, 8);
        assert!(answer.topics[0].partitions.iter().all(|partition| partition.error_code == 0));
    }
    let mut asking = Asking::plainly(&cluster);
    let begun = Instant::now();
    let lags = asking.measure(&zones);
    eprintln!("10 000 zones with a group of 4 partitions each: {:?}", begun.elapsed());
    assert_eq!(lags.len(), zones.len());
    for zone in &zones {
        assert_eq!(shown(&lags, zone), whole(&[("g", "orders", 10, 4)]));
    }
    assert_eq!(asking.failures("default"), 0);
}

#[test]
fn the_leader_shows_the_lag_of_the_zones_that_there_are() {
    let backing = unique("lag.shown");
    let cluster = Cluster::private(1);
    cluster.create_topic(&backing, 1);
    produce(&cluster, &backing, "0", 10);
    let zone = unique("lag-shown");
    let text = manifest(&zone, &[("orders", &backing, "READ")]);
    let mut product = Product::start(&cluster, Setup::KAFKA, &[("zone.yaml", &text)]);
    product.wait_for_status(&zone, "READY");
    consume(Client::Librdkafka, &product.partner(&zone).connection(), "eager", "readers", "orders", "4");
    // Whoever comes to lead asks at once, and then every minute.
    product.restart();
    let series = format!("partner_zones_zone_consumer_lag_records{{zone=\"{zone}\"}} 6\n");
    let wait = |product: &Product, is_there| {
        let deadline = Instant::now() + Duration::from_secs(90);
        while product.metrics().contains(&series) != is_there {
            assert!(Instant::now() < deadline, "{}\n{}", product.metrics(), product.transcript());
            thread::sleep(Duration::from_millis(200));
        }
    };
    wait(&product, true);
    assert!(!product.metrics().contains("readers"), "groups are named by partners");
    product.commit("Another zone", &[("zone.yaml", Some(&text.replace(&zone, "lag-another")))]);
    wait(&product, false);
}
