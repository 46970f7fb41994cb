//! Administration through the gateway: what Kafka's own tools and admin clients may do they do, and what they may not is
//! refused at once, in Kafka's words.

use std::process::Command;
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::support::client::{Client, Connection};
use crate::support::gateway::{InProcess, zone};
use crate::support::kafka::{Cluster, script, unique};
use crate::support::process::Process;
use crate::support::scenarios;

/// What a tool may take, the start of its JVM on a busy machine included. One that waits for an answer which never comes
/// gives up after a minute or more.
const PATIENCE: Duration = Duration::from_secs(45);
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

/// A zone with `orders`, of three partitions with ten records in the first, and a group that has read four of them.
struct Shop {
    gateway: InProcess,
    backing: String,
    group: String,
}

impl Shop {
    fn open() -> Self {
        let cluster = Cluster::shared();
        let backing = unique("backing");
        cluster.create_topic_with(
            &backing,
            3,
            &[("retention.ms", "-1"), ("leader.replication.throttled.replicas", "0:1")],
        );
        let gateway = InProcess::start(cluster);
        gateway.serve([
            zone("acme", &[("orders", &backing, "WRITE")]),
            zone("other", &[("orders", &backing, "READ")]),
        ]);
        let shop = Self { gateway, backing, group: unique("readers") };
        let produced = Client::Librdkafka
            .run(&shop.connection(), &["produce", "--topic", "orders", "--partition", "0", "--count", "10"]);
        assert_eq!((produced.acked().len(), produced.errors()), (10, vec![]));
        shop.read_four();
        shop
    }

    fn connection(&self) -> Connection {
        self.gateway.connection("acme")
    }

    fn read_four(&self) {
        let arguments = ["consume", "--topic", "orders", "--group", &self.group, "--max", "4", "--commit"];
        let read = Client::Librdkafka.run(&self.connection(), &arguments);
        assert_eq!((read.records().len(), read.errors()), (4, vec![]));
    }

    /// Runs one of Kafka's own tools as the partner, and gives everything it printed: never a name from behind the gateway.
    fn tool(&self, class: &str, arguments: &[&str]) -> String {
        let settings = NamedTempFile::new().unwrap();
        std::fs::write(settings.path(), self.connection().settings(Client::Java)).unwrap();
        let mut command = Command::new(script("kafka.sh"));
        command.args(["tool", class, "--bootstrap-server", &self.gateway.bootstrap(), "--command-config"]);
        command.arg(settings.path()).args(arguments);
        let mut process = Process::start(class, &mut command);
        process.wait(PATIENCE);
        let text = process.lines().iter().map(|line| line.text.clone() + "\n").collect::<String>();
        for hidden in [self.backing.as_str(), "acme:", "throttled"] {
            assert!(!text.contains(hidden), "{class} {arguments:?} shows {hidden}:\n{text}");
        }
        text
    }
}

/// The columns of the line that starts with these words.
fn line<'a>(text: &'a str, start: &[&str]) -> Vec<&'a str> {
    let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.find(|words| words.starts_with(start)).unwrap_or_else(|| panic!("no line {start:?} in\n{text}"))
}

#[test]
fn kafkas_own_tools_do_what_a_partner_may_do() {
    let shop = Shop::open();
    let group = shop.group.as_str();
    assert_eq!(shop.tool("TopicCommand", &["--list"]).trim(), "orders");
    let described = shop.tool("TopicCommand", &["--describe", "--topic", "orders"]);
    let summary = described
        .lines()
        .find(|line| line.contains("PartitionCount: 3"))
        .unwrap_or_else(|| panic!("{described}"));
    assert!(summary.starts_with("Topic: orders") && summary.contains("retention.ms=-1"), "{described}");
    let offsets = shop.tool("GetOffsetShell", &["--topic", "orders"]);
    assert!(offsets.contains("orders:0:10") && offsets.contains("orders:2:0"), "{offsets}");
    let listed = shop.tool(GROUPS, &["--list"]);
    assert!(listed.lines().any(|line| line == group), "{listed}");
    let described = shop.tool(GROUPS, &["--describe", "--group", group]);
    // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG
    assert_eq!(line(&described, &[group, "orders", "0"])[3..6], ["4", "10", "6"], "{described}");
    let reset = shop.tool(
        GROUPS,
        &["--reset-offsets", "--group", group, "--topic", "orders:0", "--to-earliest", "--execute"],
    );
    assert_eq!(line(&reset, &[group, "orders", "0"])[3], "0", "{reset}");
    let deleted = shop.tool(GROUPS, &["--delete-offsets", "--group", group, "--topic", "orders"]);
    assert_eq!(line(&deleted, &["orders", "0"])[2], "Successful", "{deleted}");
    shop.read_four();
    let deleted = shop.tool(GROUPS, &["--delete", "--group", group]);
    assert!(deleted.contains("was successful"), "{deleted}");
    let gone = shop.tool(GROUPS, &["--list"]);
    assert!(!gone.contains(group), "{gone}");
}

#[test]
fn what_a_partner_may_not_do_is_refused_in_kafkas_own_words() {
    let shop = Shop::open();
    let topic = "Topic authorization failed.";
    let cluster = "Cluster authorization failed.";
    let refused: [(&str, &[&str], &str); 5] = [
        ("TopicCommand", &["--create", "--topic", "mine", "--partitions", "1"], topic),
        ("TopicCommand", &["--alter", "--topic", "orders", "--partitions", "9"], topic),
        ("TopicCommand", &["--delete", "--topic", "orders"], topic),
        ("AclCommand", &["--list"], cluster),
        ("LogDirsCommand", &["--describe"], cluster),
    ];
    for (class, arguments, error) in refused {
        let told = shop.tool(class, arguments);
        assert!(told.contains(error), "{class} {arguments:?}:\n{told}");
    }
    scenarios::listings_show_exactly(Client::Librdkafka, &shop.connection(), &["orders"]);
}

#[test]
fn admin_clients_manage_the_zones_own_groups_and_nobody_elses() {
    let shop = Shop::open();
    let (mine, theirs) = (shop.connection(), shop.gateway.connection("other"));
    let group = shop.group.as_str();
    for client in Client::ALL {
        let run = |connection: &Connection, arguments: &[&str]| client.run(connection, arguments);
        let groups = |connection| {
            let listed = run(connection, &["list-groups"]);
            assert_eq!(listed.errors(), []);
            listed.groups()
        };
        assert!(groups(&mine).contains(&group.to_owned()), "{client:?}");
        assert_eq!(groups(&theirs), Vec::<String>::new(), "{client:?}");
        let mut member =
            client.start(&mine, &["consume", "--topic", "orders", "--group", group, "--until-stdin-closes"]);
        member.wait_for("an assignment", |events| events.assignment().filter(|held| held.len() == 3));
        let described = run(&mine, &["describe-group", "--group", group]);
        assert_eq!(described.errors(), []);
        let [shown] = &described.described_groups()[..] else { panic!("{described:?}") };
        let [only] = &shown.members[..] else { panic!("{shown:?}") };
        assert_eq!((shown.state.as_deref(), only.host.as_str()), (Some("STABLE"), "-"), "{client:?}");
        let topics: Vec<_> =
            only.partitions.iter().map(|held| (held.topic.as_str(), held.partition)).collect();
        assert_eq!(topics, [("orders", 0), ("orders", 1), ("orders", 2)], "{client:?}");
        assert_eq!(shown.authorized_operations, ["DELETE", "DESCRIBE", "READ"], "{client:?}");
        // A busy group stays, and so does one of another zone with the same name.
        let busy = run(&mine, &["delete-group", "--group", group]);
        assert_eq!(busy.errors()[0].error, "NON_EMPTY_GROUP", "{client:?}");
        member.stop();
        let elsewhere = run(&theirs, &["delete-group", "--group", group]);
        assert_eq!(elsewhere.errors()[0].error, "GROUP_ID_NOT_FOUND", "{client:?}");
        assert_eq!(run(&mine, &["delete-group", "--group", group]).errors(), [], "{client:?}");
        assert!(!groups(&mine).contains(&group.to_owned()), "{client:?}");
        shop.read_four();
    }
}

#[test]
fn admin_clients_see_settings_and_are_told_what_they_may_not_do() {
    let shop = Shop::open();
    let connection = shop.connection();
    for client in Client::ALL {
        let run = |arguments: &[&str]| client.run(&connection, arguments);
        let settings = run(&["describe-configs", "--topic", "orders"]).configs();
        assert_eq!(settings["retention.ms"], "-1", "{client:?}");
        assert!(
            settings.len() > 20 && !settings.keys().any(|name| name.contains("throttled")),
            "{settings:?}"
        );
        for (command, topic, error) in [
            ("describe-configs", "nowhere", "TOPIC_AUTHORIZATION_FAILED"),
            ("create-topic", "mine", "TOPIC_AUTHORIZATION_FAILED"),
            ("delete-topic", "orders", "TOPIC_AUTHORIZATION_FAILED"),
            ("delete-topic", "nowhere", "TOPIC_AUTHORIZATION_FAILED"),
            ("alter-configs", "orders", "TOPIC_AUTHORIZATION_FAILED"),
            ("create-partitions", "orders", "TOPIC_AUTHORIZATION_FAILED"),
            ("delete-records", "orders", "TOPIC_AUTHORIZATION_FAILED"),
            ("describe-acls", "orders", "CLUSTER_AUTHORIZATION_FAILED"),
        ] {
            // librdkafka shows an empty list to somebody who may not see one, of Kafka itself too.
            if (client, command) == (Client::Librdkafka, "describe-acls") {
                continue;
            }
            let errors = run(&[command, "--topic", topic]).errors();
            let told: Vec<_> = errors.iter().map(|told| told.error.as_str()).collect();
            assert_eq!(told, [error], "{client:?} {command} {topic}");
        }
    }
    let all = ["assign", "--topic", "orders", "--partition", "0", "--max", "10"];
    assert_eq!(Client::Java.run(&connection, &all).records().len(), 10, "nothing was deleted");
}
