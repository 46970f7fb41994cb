//! What zones' own principals cost a real cluster: users, ACLs, the reading back and a login for each zone on every broker. A controller
//! and a gateway in processes of their own, the state on the same cluster.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::kafka::{ADMIN, Cluster};
use crate::support::product::{Product, manifest};
use crate::support::reconciler::get_as;

/// Backing topics that the zones share.
const TOPICS: usize = 100;
/// Topics of each zone.
const OF_A_ZONE: usize = 3;
/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_mins(30);
const LOOKS: u64 = 10;
const POLL: Duration = Duration::from_millis(200);

/// Prints what each step takes on clusters of so many brokers.
pub(crate) fn run(zones: usize, brokers: &[usize]) {
    println!(
        "\n{:<34} {:>9} {:>17} {:>14} {:>14}",
        "principals", "s", "controller CPU s", "gateway CPU s", "brokers CPU s"
    );
    for brokers in brokers {
        Site::start(*brokers).measure(zones);
    }
}

struct Site {
    cluster: Cluster,
    brokers: usize,
    controller: Product,
    gateway: Product,
}

impl Site {
    fn start(brokers: usize) -> Self {
        let cluster = Cluster::private(brokers);
        for topic in 0..TOPICS {
            cluster.create_topic(&backing(topic), 1);
        }
        let first = [("first.yaml", manifest("first", &[("orders", &backing(0), "READ")]))];
        let first = first.each_ref().map(|(name, text)| (*name, text.as_str()));
        let sections = |port: u16| {
            format!(
                "gateway: {{listen: 127.0.0.1, advertisedHost: 127.0.0.1, bootstrapPort: {port}, brokerPortBase: {port}}}\n\
                 clusters: {{default: {{bootstrapServers: '{}', isolation: principal, properties: {{security.protocol: SASL_PLAINTEXT, \
                 sasl.mechanism: SCRAM-SHA-512, sasl.username: {}, sasl.password: {}}}}}}}\n\
                 masterKey: a key of this benchmark, thirty-two bytes and more\nstore: kafka\n",
                cluster.sasl_bootstrap(),
                ADMIN.user,
                ADMIN.password,
            )
        };
        let controller = Product::start_as("controller", &first, |port, _| sections(port));
        let gateway = Product::start_as("gateway", &first, |port, _| sections(port));
        controller.wait_for_status("first", "READY");
        Self { cluster, brokers, controller, gateway }
    }

    fn measure(mut self, zones: usize) {
        let text = |zone: usize| {
            let topics: Vec<_> = (0..OF_A_ZONE)
                .map(|topic| (format!("topic-{topic}"), backing((zone + topic) % TOPICS)))
                .collect();
            let topics: Vec<_> =
                topics.iter().map(|(alias, backing)| (&**alias, &**backing, "READ")).collect();
            manifest(&name(zone), &topics)
        };
        let files: Vec<_> = (0..zones).map(|zone| (format!("{}.yaml", name(zone)), text(zone))).collect();
        let files: Vec<_> = files.iter().map(|(file, text)| (file.as_str(), Some(text.as_str()))).collect();

        let before = self.spent();
        self.controller.commit("All of them", &files);
        let begun = Instant::now();
        self.await_ready(zones - 1);
        self.print(&format!("{zones} zones, first READY"), begun, before);
        let line = self.controller.transcript();
        let line =
            line.lines().rev().find(|line| line.contains("principals were written")).unwrap_or_default();
        println!("  {line}");

        self.controller.stop();
        let begun = Instant::now();
        let (_, gateway, brokers) = self.spent();
        self.controller.restart();
        while self.last_run()["outcome"].is_null() {
            assert!(begun.elapsed() < PATIENCE, "{}", self.controller.transcript());
            thread::sleep(POLL);
        }
        self.print("started anew, nothing to do", begun, (0.0, gateway, brokers));

        // It looks at the cluster with every poll of the source, here every second.
        let (before, looks, begun) = (self.spent(), self.looks(), Instant::now());
        while self.looks() < looks + LOOKS {
            assert!(begun.elapsed() < PATIENCE, "{}", self.controller.transcript());
            thread::sleep(POLL);
        }
        self.print(&format!("{} looks, nothing to do", self.looks() - looks), begun, before);
        assert_eq!(self.last_run()["failed"], Value::Array(vec![]), "{}", self.controller.transcript());

        let before = self.spent();
        let file = format!("{}.yaml", name(zones));
        self.controller.commit("One more", &[(&file, Some(&text(zones)))]);
        let begun = Instant::now();
        self.await_ready(zones);
        self.print("one zone more, READY", begun, before);
    }

    fn await_ready(&self, zone: usize) {
        let (begun, path) = (Instant::now(), format!("/api/v1/zones/{}", name(zone)));
        while self.ask(&path)["status"]["phase"] != "READY" {
            assert!(begun.elapsed() < PATIENCE, "{:#}\n{}", self.ask(&path), self.controller.transcript());
            thread::sleep(POLL);
        }
    }

    fn last_run(&self) -> Value {
        self.ask("/api/v1/controller")["runs"][0].clone()
    }

    /// Runs like the last one.
    fn looks(&self) -> u64 {
        self.last_run()["count"].as_u64().unwrap_or_default()
    }

    fn ask(&self, path: &str) -> Value {
        let url = self.controller.url();
        let answer = get_as(&self.controller.admin_key(), url.trim_start_matches("http://"), path);
        answer.and_then(|(_, body)| serde_json::from_str(&body).ok()).unwrap_or_default()
    }

    /// Seconds of processor time so far: of the controller, of the gateway, and of all brokers together.
    fn spent(&self) -> (f64, f64, f64) {
        let broker = |number: usize| {
            let file = self.cluster.folder().join(format!("broker-{number}.pid"));
            cpu(fs::read_to_string(file).unwrap().trim())
        };
        let of = |pid: Option<u32>| pid.map_or(0.0, |pid| cpu(&pid.to_string()));
        let brokers = (1..=self.brokers).map(broker).sum();
        (of(self.controller.running()), of(self.gateway.running()), brokers)
    }

    fn print(&self, what: &str, begun: Instant, before: (f64, f64, f64)) {
        let (took, after) = (begun.elapsed().as_secs_f64(), self.spent());
        println!(
            "{:<34} {took:>9.1} {:>17.1} {:>14.1} {:>14.1}",
            format!("{what}, {} brokers", self.brokers),
            after.0 - before.0,
            after.1 - before.1,
            after.2 - before.2,
        );
    }
}

fn name(zone: usize) -> String {
    format!("partner-{zone:05}")
}

fn backing(topic: usize) -> String {
    format!("domain.topic-{topic:02}.v1")
}

/// What a process has used, in seconds.
fn cpu(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    fields.map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}
