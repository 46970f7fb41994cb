//! Access ends on every node whoever leads, and whether anybody does.

use std::fs;
use std::process::Command;

use super::*;
use crate::life::installation::{GatewayProcess, Installation};
use crate::support::process::Process;
use crate::support::product::free_ports;
use crate::support::reconciler::{await_ok, reconciler};

/// Until another controller leads, and a zone with its credentials has been asked for.
const TAKEN_OVER: Duration = Duration::from_mins(1);

/// A second controller of an installation, which stands by.
struct StandBy {
    folder: tempfile::TempDir,
    process: Process,
    http: u16,
    /// Of the first controller; it is good everywhere.
    admin_key: String,
}

impl StandBy {
    fn start(installation: &Installation) -> Self {
        let (folder, http) = (tempfile::tempdir().unwrap(), free_ports(1));
        let first = fs::read_to_string(installation.controller.config()).unwrap();
        let own = |line: &&str| !line.starts_with("http:") && !line.starts_with("dataDir:");
        let shared: Vec<&str> = first.lines().filter(own).collect();
        let path = folder.path().display();
        let text = format!(
            "{}\nhttp: {{admin: '127.0.0.1:{http}', bootstrapKeyFile: {path}/api-key}}\nnode: {{id: stand-by}}\n\
             dataDir: {path}/data\n",
            shared.join("\n")
        );
        fs::write(folder.path().join("reconciler.yaml"), text).unwrap();
        let mut process = reconciler(folder.path(), &["run", "--role", "controller"]);
        await_ok(&mut process, &format!("127.0.0.1:{http}"), "/healthz", TAKEN_OVER);
        Self { folder, process, http, admin_key: installation.controller.admin_key() }
    }

    fn cli(&self, arguments: &[&str]) -> std::process::Output {
        Command::new(env!("CARGO_BIN_EXE_reconciler"))
            .current_dir(self.folder.path())
            .args(arguments)
            .args(["--url", &format!("http://127.0.0.1:{}", self.http)])
            .env("RECONCILER_API_KEY", &self.admin_key)
            .output()
            .unwrap()
    }
}

/// The same partner, at this gateway alone.
fn at(gateway: &GatewayProcess, installation: &Installation, partner: &Partner) -> Busy {
    Busy::at((gateway.address, installation.port), partner)
}

#[test]
fn a_revocation_right_after_a_change_of_leaders_and_an_expiry_without_any_cut_connections_on_every_node() {
    let cluster = Cluster::private(1);
    cluster.create_topic("orders", 1);
    let mut installation = Installation::start(&cluster, &["orders"]);
    let mut second = StandBy::start(&installation);
    let issued = |arguments: &[&str]| -> Partner {
        let output = installation.controller.cli(&[&["credentials", "issue"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |field: &str| value[field].as_str().unwrap().to_owned();
        Partner { bootstrap: text("bootstrapServers"), username: text("username"), secret: text("secret") }
    };
    let revoked = issued(&["acme", "-o", "json"]);
    // Long enough for two controllers to die before that.
    let life = Duration::from_mins(2);
    let expiry = Instant::now() + life;
    let expiring = issued(&["acme", "--expires", "120s", "-o", "json"]);
    let busy = |partner: &Partner| -> Vec<Busy> {
        installation.gateways.iter().map(|gateway| at(gateway, &installation, partner)).collect()
    };
    let (by_revocation, by_expiry) = (busy(&revoked), busy(&expiring));

    installation.controller.kill();
    let begun = Instant::now();
    loop {
        let taken = second.cli(&["credentials", "revoke", &revoked.username]);
        if taken.status.success() {
            break;
        }
        let said = String::from_utf8_lossy(&taken.stderr);
        assert!(begun.elapsed() < TAKEN_OVER, "{said}\n{}", second.process.transcript());
        thread::sleep(Duration::from_millis(100));
    }
    eprintln!("another controller leads after {:.1?}", begun.elapsed());
    let due = Instant::now();
    for connections in by_revocation {
        connections.are_cut(due, "revoked at the new leader");
    }

    second.process.kill();
    assert!(expiry > Instant::now(), "too slow a machine to see anything before its time");
    assert!(by_expiry.iter().all(Busy::are_all_there), "too early");
    for connections in by_expiry {
        connections.are_cut(expiry, "expired with nobody leading");
    }
    assert!(!is_let_in(&expiring));
    assert!(is_let_in(&installation.partner), "the others are served with nobody leading");
}
