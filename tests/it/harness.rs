//! Shows that the harness itself can be trusted, on real Kafka and without the gateway: what fails here is not the
//! product's fault.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::client::{Client, Connection};
use crate::support::git::Repository;
use crate::support::kafka::{ADMIN, Cluster, GATEWAY, unique};
use crate::support::process::Process;
use crate::support::reconciler::{await_ok, reconciler};
use crate::support::scenarios::{self, Protocol, Site};

/// Runs `check` for each client against the shared cluster, with a fresh topic of six partitions.
fn with_each_client(check: impl Fn(Site<'_>)) {
    let cluster = Cluster::shared();
    let connection = Connection::plaintext(cluster.bootstrap());
    for client in Client::ALL {
        let topic = unique("orders");
        cluster.create_topic(&topic, 6);
        check(Site { client, connection: &connection, topic: &topic });
    }
}

#[test]
fn records_arrive_unchanged_with_every_codec_and_acknowledgement() {
    with_each_client(scenarios::records_arrive_unchanged);
}

#[test]
fn nulls_stay_nulls() {
    with_each_client(scenarios::nulls_stay_nulls);
}

#[test]
fn members_join_and_leave_an_eager_group() {
    with_each_client(|site| scenarios::members_join_and_leave(site, Protocol::Eager, &unique("group"), 6));
}

#[test]
fn members_join_and_leave_a_cooperative_group() {
    with_each_client(|site| {
        scenarios::members_join_and_leave(site, Protocol::Cooperative, &unique("group"), 6);
    });
}

#[test]
fn a_group_goes_on_where_it_stopped() {
    with_each_client(|site| scenarios::a_group_goes_on_where_it_stopped(site, &unique("group"), || {}));
}

#[test]
fn a_member_that_is_killed_loses_its_partitions_to_the_others() {
    with_each_client(|site| {
        let group = unique("group");
        let options = [
            "--topic",
            site.topic,
            "--group",
            &group,
            "--until-stdin-closes",
            "-X",
            "session.timeout.ms=6000",
        ];
        let start = || site.client.start(site.connection, &[&["consume"], &options[..]].concat());
        let (mut first, mut second) = (start(), start());
        second.wait_for("an assignment", |events| (events.assignment()?.len() == 3).then_some(()));
        first.wait_for("the other half", |events| (events.assignment()?.len() == 3).then_some(()));
        first.kill();
        second.wait_for("everything", |events| (events.assignment()?.len() == 6).then_some(()));
        assert_eq!(second.stop().errors(), []);
    });
}

#[test]
fn what_is_not_granted_is_refused_and_not_shown() {
    // A cluster of its own: elsewhere other tests grant this user something too.
    let cluster = Cluster::private(1);
    let (readable, writable) = (unique("a-readable"), unique("b-writable"));
    let (closed, missing) = (unique("closed"), unique("missing"));
    for topic in [&readable, &writable, &closed] {
        cluster.create_topic(topic, 1);
    }
    for (operation, topic) in [("Read", &readable), ("Write", &writable)] {
        let user = ["--add", "--allow-principal", "User:gateway"];
        cluster.tool("AclCommand", &[&user[..], &["--operation", operation, "--topic", topic]].concat());
    }
    for client in Client::ALL {
        let connection =
            Connection::sasl(cluster.sasl_bootstrap(), "SCRAM-SHA-256", GATEWAY.user, GATEWAY.password);
        let site = |topic| Site { client, connection: &connection, topic };
        scenarios::listings_show_exactly(client, &connection, &[&readable, &writable]);
        scenarios::produce_is_refused(site(&readable), "TOPIC_AUTHORIZATION_FAILED");
        scenarios::consume_is_refused(site(&readable), &unique("group"), "GROUP_AUTHORIZATION_FAILED");
        scenarios::topics_look_the_same(client, &connection, &closed, &missing);
        let nodes = scenarios::node_addresses(client, &connection);
        assert_eq!(nodes, cluster.sasl_bootstrap().split(',').collect::<Vec<_>>());
    }
}

#[test]
fn every_client_authenticates_with_every_mechanism() {
    let cluster = Cluster::shared();
    let topic = unique("orders");
    cluster.create_topic(&topic, 3);
    for client in Client::ALL {
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let as_who =
                |password| Connection::sasl(cluster.sasl_bootstrap(), mechanism, ADMIN.user, password);
            let described =
                client.run(&as_who(ADMIN.password), &["describe-topic", "--topic", &topic]).topics();
            assert_eq!(described.len(), 1, "{client:?} {mechanism}");
            let topic = &described[0];
            let spread =
                topic.partitions.iter().all(|p| p.leader > 0 && p.replicas.len() == 3 && p.isr.len() == 3);
            assert!(spread && topic.partitions.len() == 3 && topic.id.is_some(), "{topic:?}");
            assert!(topic.authorized_operations.contains(&"WRITE".to_owned()), "{topic:?}");
            let produce = ["produce", "--topic", &topic.name, "--value", "x", "--timeout", "10000"];
            let refused = client.run(&as_who("wrong"), &produce);
            let errors = refused.errors();
            let told = errors.iter().any(|error| error.error == "SASL_AUTHENTICATION_FAILED");
            assert!(told && refused.acked().is_empty(), "{client:?} {mechanism} {errors:?}");
        }
    }
}

#[test]
fn a_created_topic_is_known_to_kafkas_own_tools_until_it_is_deleted() {
    let cluster = Cluster::shared();
    let topic = unique("orders");
    cluster.create_topic_with(&topic, 2, &[("cleanup.policy", "compact")]);
    let described = cluster.tool("TopicCommand", &["--describe", "--topic", &topic]);
    assert!(described.contains("PartitionCount: 2"), "{described}");
    assert!(described.contains("ReplicationFactor: 3"), "{described}");
    assert!(described.contains("cleanup.policy=compact"), "{described}");
    cluster.delete_topic(&topic);
    let topics = cluster.tool("TopicCommand", &["--list"]);
    assert!(!topics.lines().any(|name| name == topic), "{topics}");
}

#[test]
fn a_stopped_or_killed_broker_comes_back_on_its_address() {
    let cluster = Cluster::private(3);
    let address = cluster.bootstrap().split(',').nth(1).unwrap().to_owned();
    let listens = || std::net::TcpStream::connect(&address).is_ok();
    assert!(listens());
    cluster.broker(2).stop();
    assert!(!listens());
    cluster.broker(2).start();
    assert!(listens());
    cluster.broker(2).kill();
    assert!(!listens());
    cluster.broker(2).start();
    assert!(listens());
    assert!(cluster.log(2).contains("Kafka Server started"));
}

#[test]
fn a_private_cluster_leaves_no_process_and_no_data_behind() {
    let cluster = Cluster::private(1);
    let folder = cluster.folder().to_owned();
    let pid = std::fs::read_to_string(folder.join("broker-1.pid")).unwrap();
    let process = Path::new("/proc").join(pid.trim());
    assert!(process.exists());
    drop(cluster);
    assert!(!process.exists());
    assert!(!folder.exists());
}

#[test]
fn a_repository_holds_what_was_pushed() {
    let repository = Repository::new();
    repository.write("zones/acme.yaml", "one");
    repository.write("zones/globex.yaml", "two");
    let first = repository.push("add two zones");
    repository.remove("zones/acme.yaml");
    let second = repository.push("drop acme");
    assert_ne!(first, second);
    let listed = repository.git(&["ls-remote", repository.url().to_str().unwrap(), "refs/heads/main"]);
    assert!(listed.starts_with(&second), "{listed}");
    assert_eq!(repository.git(&["ls-tree", "-r", "--name-only", &second]), "zones/globex.yaml");
}

/// The test starts itself once more, as the victim.
#[test]
fn a_test_run_that_is_killed_leaves_nothing_behind() {
    const VICTIM: &str = "HARNESS_TEST_IS_THE_VICTIM";
    if std::env::var_os(VICTIM).is_some() {
        let cluster = Cluster::private(1);
        let broker = std::fs::read_to_string(cluster.folder().join("broker-1.pid")).unwrap();
        let sleep = Process::start("sleep", Command::new("sleep").arg("600"));
        eprintln!("victim {} {} {}", broker.trim(), sleep.pid(), cluster.folder().display());
        thread::sleep(Duration::from_mins(10));
    }
    let myself = ["--exact", "harness::a_test_run_that_is_killed_leaves_nothing_behind", "--nocapture"];
    let mut victim =
        Process::start("myself", Command::new(std::env::current_exe().unwrap()).args(myself).env(VICTIM, ""));
    let line = victim.wait_for_line("victim ", Duration::from_mins(5));
    let words: Vec<_> = line[line.find("victim ").unwrap()..].split_whitespace().collect();
    let [broker, sleep] = [1, 2].map(|word| Running::find(words[word]).expect(&line));
    let folder = Path::new(words[3]);
    assert!(folder.exists(), "{line}");
    victim.kill();
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let left = (broker.is_still_there(), sleep.is_still_there(), folder.exists());
        if left == (false, false, false) {
            return;
        }
        assert!(Instant::now() < deadline, "broker, sleep, folder still there: {left:?} {line}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A process that is not our child, by number. Its start time tells it from a later one with the same number.
struct Running {
    pid: String,
    since: String,
}

impl Running {
    /// `None` for a zombie too: it has ended, and whether its parent ever asks is not up to us.
    fn find(pid: &str) -> Option<Self> {
        let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat")).ok()?;
        // The name, in parentheses, may hold anything. Behind it: the state, and 19 fields later the start.
        let fields: Vec<_> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
        (!matches!(fields[0], "Z" | "X")).then(|| Self { pid: pid.to_owned(), since: fields[19].to_owned() })
    }

    fn is_still_there(&self) -> bool {
        Self::find(&self.pid).is_some_and(|found| found.since == self.since)
    }
}

#[test]
fn a_process_is_waited_for_by_its_output_and_asked_to_end() {
    let mut process =
        Process::start("sh", Command::new("sh").args(["-c", "echo up >&2; echo port 1; exec sleep 60"]));
    assert_eq!(process.wait_for_line("port", Duration::from_secs(10)), "port 1");
    process.wait_for_line("up", Duration::from_secs(10));
    assert!(!process.ended());
    process.terminate();
    assert_eq!(process.wait(Duration::from_secs(10)).signal(), Some(15));
}

#[test]
fn a_server_is_waited_for_until_it_answers_200() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        ["503 Service Unavailable", "200 OK"].map(|status| {
            let (mut stream, _) = listener.accept().unwrap();
            let head =
                BufReader::new(&stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
            let head: Vec<_> = head.collect();
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
            head[0].clone()
        })
    });
    let mut process = Process::start("sleep", Command::new("sleep").arg("60"));
    await_ok(&mut process, &address, "/readyz", Duration::from_secs(10));
    assert_eq!(server.join().unwrap(), ["GET /readyz HTTP/1.1"; 2]);
}

#[test]
fn the_reconciler_runs_as_a_child() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = reconciler(folder.path(), &["--version"]);
    assert!(process.wait(Duration::from_secs(10)).success());
    assert!(process.stdout()[0].starts_with("reconciler "), "{:?}", process.stdout());
}
