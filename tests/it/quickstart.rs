//! `reconciler quickstart` as a newcomer runs it: the binary, an empty folder, and then what it says to try.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::client::{Client, Connection};
use crate::support::process::Process;
use crate::support::product::free_ports;
use crate::support::reconciler::{get, reconciler};

const PATIENCE: Duration = Duration::from_mins(2);

struct Quickstart {
    folder: tempfile::TempDir,
    port: String,
    http: String,
}

impl Quickstart {
    fn new() -> Self {
        // Three brokers with ids from 1, eight above the bootstrap port.
        let folder = tempfile::tempdir().unwrap();
        Self { folder, port: free_ports(12).to_string(), http: free_ports(1).to_string() }
    }

    fn start(&self, more: &[&str]) -> Process {
        let ports = ["--port", &self.port, "--http-port", &self.http];
        reconciler(self.folder.path(), &[&["quickstart", "--dir", "demo"], &ports[..], more].concat())
    }

    /// The demo Kafka has it switched on, so clients ask here.
    fn telemetry_requests(&self) -> u64 {
        let (_, metrics) = get(&format!("127.0.0.1:{}", self.http), "/metrics").unwrap();
        let counted = metrics.lines().find(|line| line.contains("api=\"GetTelemetrySubscriptions\""));
        counted.expect("librdkafka asks").rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.folder.path().join("demo").join(below)
    }

    /// The partner's own files, read as librdkafka would.
    fn partner(&self, zone: &str) -> Connection {
        let text = fs::read_to_string(self.path(&format!("partners/{zone}/kcat.conf"))).unwrap();
        let value = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(&format!("{name}=")))
                .unwrap_or_else(|| panic!("no {name}"))
        };
        Connection::sasl(
            value("bootstrap.servers"),
            value("sasl.mechanism"),
            value("sasl.username"),
            value("sasl.password"),
        )
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).permissions().mode() & 0o777
}

#[test]
fn the_check_passes_twice_in_one_folder_and_leaves_what_it_promises() {
    let quickstart = Quickstart::new();
    let mut first = quickstart.start(&["--exit-after-check"]);
    assert!(first.wait(PATIENCE).success(), "{}", first.transcript());
    let said = first.stdout().join("\n");
    for wanted in [
        "The partner of zone acme-logistics",
        "addresses, orders, shipments",
        "outside the zone, is refused: ",
    ] {
        assert!(said.contains(wanted), "{wanted:?} is not in:\n{said}");
    }
    assert_eq!(first.stdout().last().map(String::as_str), Some("quickstart: ok"));
    for private in [
        "api-key",
        "reconciler.yaml",
        "partners/acme-logistics/client.properties",
        "partners/sensor-works/kcat.conf",
    ] {
        assert_eq!(mode(&quickstart.path(private)), 0o600, "{private}");
    }
    assert!(
        quickstart.path("zones.git/HEAD").exists()
            && quickstart.path("zones/zones/acme-logistics.yaml").exists()
    );

    let before = fs::read(quickstart.path("partners/acme-logistics/kcat.conf")).unwrap();
    let mut second = quickstart.start(&["--exit-after-check"]);
    assert!(second.wait(PATIENCE).success(), "{}", second.transcript());
    assert!(second.stdout().join("\n").contains("credentials issued anew"));
    assert_ne!(fs::read(quickstart.path("partners/acme-logistics/kcat.conf")).unwrap(), before);
}

#[test]
fn the_printed_exercise_works_and_an_interrupt_ends_it_cleanly() {
    let quickstart = Quickstart::new();
    let mut running = quickstart.start(&[]);
    running.wait_for_line("Ctrl-C ends it.", PATIENCE);
    let partner = quickstart.partner("acme-logistics");
    let file = quickstart.path("zones/zones/acme-logistics.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let lines = "    - name: payments\n      backingTopic: finance.payments.v1\n      permission: READ\n";
    fs::write(&file, text.replace("  topics:\n", &format!("  topics:\n{lines}"))).unwrap();
    for arguments in [&["commit", "-qam", "Share payments"][..], &["push", "-q"]] {
        let status =
            Command::new("git").arg("-C").arg(quickstart.path("zones")).args(arguments).status().unwrap();
        assert!(status.success(), "git {arguments:?}");
    }
    for client in Client::ALL {
        let started = std::time::Instant::now();
        loop {
            let read = client
                .run(&partner, &["assign", "--topic", "payments", "--partition", "0", "--idle", "3000"]);
            if !read.records().is_empty() {
                break;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{client:?}: {:?}\n{}",
                read.errors(),
                running.transcript()
            );
        }
    }
    assert!(
        quickstart.telemetry_requests() < 50,
        "a client asks whether its telemetry is wanted, without a pause"
    );
    running.interrupt();
    assert!(running.wait(PATIENCE).success(), "{}", running.transcript());
}

#[test]
fn a_port_in_use_and_a_foreign_folder_are_said_in_one_line() {
    let quickstart = Quickstart::new();
    let _taken = std::net::TcpListener::bind(format!("127.0.0.1:{}", quickstart.http)).unwrap();
    let mut process = quickstart.start(&["--exit-after-check"]);
    assert_eq!(process.wait(PATIENCE).code(), Some(2), "{}", process.transcript());
    assert!(process.transcript().contains("--http-port"), "{}", process.transcript());

    let foreign = Quickstart::new();
    fs::create_dir(foreign.path("")).unwrap();
    fs::write(foreign.path("thesis.txt"), "mine").unwrap();
    let mut process = foreign.start(&["--exit-after-check"]);
    assert_eq!(process.wait(PATIENCE).code(), Some(2));
    assert!(process.transcript().contains("choose another folder with --dir"), "{}", process.transcript());
}
