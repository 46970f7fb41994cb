//! What was issued or taken back counts on every node when the command that did it returns, or it says on which one it does not.

use std::process::{Command, Output};

use super::*;
use crate::life::installation::Installation;

/// As many as it takes for a gateway that is a moment behind to show.
const ROUNDS: u32 = 20;

/// What a command printed for programs and said to people.
fn answered(output: &Output) -> (Value, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    (serde_json::from_slice(&output.stdout).unwrap_or_default(), said)
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

/// On which of the gateways a login succeeds, each asked once.
fn let_in(installation: &Installation, partner: &Partner) -> [bool; 2] {
    installation.gateways.each_ref().map(|gateway| {
        Wire::log_in((gateway.address, installation.port), &partner.username, &partner.secret).is_some()
    })
}

#[test]
fn a_credential_counts_on_every_node_when_the_answer_comes_and_a_node_that_hangs_is_named() {
    let cluster = Cluster::private(1);
    cluster.create_topic("orders", 1);
    let installation = Installation::start(&cluster, &["orders"]);
    let cli = |arguments: &[&str]| answered(&installation.controller.cli(arguments));
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        let begun = Instant::now();
        let partner = installation.controller.partner("acme");
        took.push(begun.elapsed());
        assert_eq!(let_in(&installation, &partner), [true; 2], "issued, round {round}");
        let (_, said) = cli(&["credentials", "revoke", &partner.username]);
        assert_eq!(let_in(&installation, &partner), [false; 2], "revoked, round {round}: {said}");
        assert!(said.contains("served: every live node serves it"), "{said}");
    }
    took.sort();
    eprintln!("issued and served: median {:.0?}, longest {:.0?}", took[took.len() / 2], took[took.len() - 1]);

    let [stopped, running] = &installation.gateways;
    signal(stopped.pid(), "-STOP");
    let begun = Instant::now();
    let (issued, said) = cli(&["credentials", "issue", "acme", "-o", "json"]);
    let after = begun.elapsed();
    signal(stopped.pid(), "-CONT");
    assert!(after < Duration::from_secs(8), "{after:?}");
    assert_eq!(
        (&issued["served"], &issued["distribution"]["reason"]),
        (&false.into(), &"Distributing".into())
    );
    assert_eq!(issued["distribution"]["behind"], serde_json::json!([stopped.node()]), "{issued:#}");
    assert!(said.contains(&format!("warning: not served by {} yet", stopped.node())), "{said}");
    let text = |field: &str| issued[field].as_str().unwrap().to_owned();
    let (username, secret) = (text("username"), text("secret"));
    assert!(Wire::log_in((running.address, installation.port), &username, &secret).is_some());
}
