//! `reconciler zone test` as an operator types it, against the whole product on real Kafka: what works, and what does not, is said.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::certificates::Authority;
use crate::support::client::{Client, Connection};
use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Product, Setup, manifest};
use crate::support::reconciler::reconciler;

/// Exit code and everything that was printed.
fn ended(output: &Output) -> (i32, String) {
    let text = [&output.stdout[..], &output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
}

fn tried(product: &Product, zone: &str, flags: &[&str]) -> (i32, String) {
    ended(&product.cli(&[&["zone", "test", zone], flags].concat()))
}

fn credentials(product: &Product, zone: &str) -> Vec<String> {
    let output = product.cli(&["credentials", "list", zone, "-o", "name"]);
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A topic with a record, one without, and one to write to.
fn topics() -> [(&'static str, String, &'static str); 3] {
    let cluster = Cluster::shared();
    let topics = [
        ("orders", unique("orders"), "READ"),
        ("empty", unique("empty"), "READ"),
        ("invoices", unique("invoices"), "WRITE"),
    ];
    for (_, backing, _) in &topics {
        cluster.create_topic(backing, 3);
    }
    let direct = Connection::plaintext(cluster.bootstrap());
    let record = ["produce", "--topic", &topics[0].1, "--partition", "2", "--value", "twelve bytes"];
    assert_eq!(Client::Librdkafka.run(&direct, &record).acked().len(), 1);
    topics
}

fn zone(name: &str, topics: &[(&str, String, &str)], mode: &str) -> String {
    let topics: Vec<_> =
        topics.iter().map(|(alias, backing, may)| (*alias, backing.as_str(), *may)).collect();
    manifest(name, &topics).replace("type: PLAIN", &format!("type: {mode}"))
}

fn holds(said: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(said.contains(wanted), "`{wanted}` is not in:\n{said}");
    }
}

/// The partner's own files and flags give the same as a credential that is issued, and none is issued for them.
fn with_a_credential_of_its_own(product: &Product, folder: &Path) {
    let issued = |form: &str| {
        let output = product.cli(&["credentials", "issue", "beta", "-o", form]);
        assert!(output.status.success());
        let file = folder.join(form);
        fs::write(&file, &output.stdout).unwrap();
        file.to_str().unwrap().to_owned()
    };
    for form in ["properties", "kcat"] {
        let (code, said) = tried(product, "beta", &["--command-config", &issued(form)]);
        assert_eq!(code, 0, "{form}: {said}");
        holds(&said, &["ok      log-in", "by SCRAM-SHA-512"]);
        assert!(!said.contains("issued for this test"), "{said}");
    }
    let partner = product.partner("beta");
    let (right, wrong) = (folder.join("right"), folder.join("wrong"));
    fs::write(&right, format!("{}\n", partner.secret)).unwrap();
    fs::write(&wrong, "guessed").unwrap();
    let with = |file: &Path| {
        let flags = ["--username", &partner.username, "--password-file", file.to_str().unwrap()];
        tried(product, "beta", &flags)
    };
    let (code, said) = with(&right);
    assert_eq!(code, 0, "{said}");
    let (code, said) = with(&wrong);
    assert_eq!(code, 1, "{said}");
    holds(
        &said,
        &[
            "ok      TCP",
            "failed  log-in",
            "the log-in was refused",
            "next: compare name and secret",
            "skipped metadata: nobody is logged in",
            "skipped fetch orders",
            "beta: 1 of ",
        ],
    );
    assert!(!said.contains("guessed") && !said.contains(&partner.secret), "{said}");
    assert_eq!(credentials(product, "beta").len(), 3, "those of this test, and no other");
}

/// A partner's key sees the zone without what is behind it, and issues nothing: with a login of the partner's own that is enough.
fn a_partner_tries_its_zone_by_itself(product: &Product, folder: &Path) {
    let made = product.cli(&["api-key", "create", "--role", "partner", "--zone", "beta"]);
    assert!(made.status.success(), "{made:?}");
    let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let issued = product.cli(&["credentials", "issue", "beta", "-o", "kcat"]);
    assert!(issued.status.success(), "{issued:?}");
    let file = folder.join("of-the-partner");
    fs::write(&file, &issued.stdout).unwrap();
    let login = ["--command-config", file.to_str().unwrap(), "--api-key", &key];
    let (code, said) = tried(product, "beta", &login);
    assert_eq!(code, 0, "{said}");
    holds(&said, &["ok      zone beta: READY", "ok      fetch orders: a record", "beta: all "]);
    let (code, said) = tried(product, "beta", &["--api-key", &key]);
    assert_eq!(code, 2, "{said}");
    holds(&said, &["a partner's key", "--command-config FILE", "the role `admin`"]);
}

fn what_cannot_be_reached_is_said(product: &Product) {
    let (code, said) = tried(product, "acme", &["--bootstrap", "kafka.partners.invalid:19092"]);
    assert_eq!(code, 1, "{said}");
    holds(
        &said,
        &["failed  DNS kafka.partners.invalid: the name does not resolve", "skipped TCP", "skipped log-in"],
    );

    // Taken and given back: nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (code, said) = tried(product, "acme", &["--bootstrap", &closed]);
    assert_eq!(code, 1, "{said}");
    holds(
        &said,
        &["ok      DNS 127.0.0.1", "failed  TCP", "connection refused", "next: start a gateway there"],
    );

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let started = Instant::now();
    let (code, said) = tried(product, "acme", &["--bootstrap", &address, "--timeout", "500ms"]);
    assert_eq!(code, 1, "{said}");
    holds(&said, &["ok      TCP", "failed  log-in", "no answer within 500ms", "skipped topic orders"]);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(credentials(product, "acme"), Vec::<String>::new(), "revoked behind every failure");

    let (code, said) = tried(product, "nobody", &[]);
    assert_eq!(code, 2, "{said}");
    holds(&said, &["there is no zone of this name"]);
}

fn a_topic_that_is_missing_is_said(product: &Product) {
    let (code, said) = tried(product, "gamma", &["-o", "json"]);
    assert_eq!(code, 1, "{said}");
    let output = product.cli(&["zone", "test", "gamma", "-o", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |step: &str, subject: &str| {
        let steps = document["steps"].as_array().unwrap();
        let found = steps.iter().find(|it| it["step"] == step && it["subject"] == subject);
        found.unwrap_or_else(|| panic!("no {step} {subject} in {document:#}")).clone()
    };
    assert_eq!((&document["ok"], &document["zone"]), (&false.into(), &"gamma".into()));
    assert_eq!(of("zone", "gamma")["status"], "failed", "its status says the same");
    let missing = of("topic", "gone");
    assert_eq!(missing["status"], "failed");
    assert!(missing["next"].as_str().unwrap().contains("create `"), "{missing:#}");
    assert_eq!(of("fetch", "gone")["status"], "skipped");
    assert_eq!(of("fetch", "orders")["status"], "ok", "the others are tried all the same");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("secret"));
}

fn an_interrupted_test_takes_its_credential_back(product: &Product) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, folder) = (silent.local_addr().unwrap().to_string(), tempfile::tempdir().unwrap());
    let (config, key) = (product.config(), product.admin_key());
    let arguments = ["zone", "test", "acme", "--bootstrap", &address, "--timeout", "5m", "--api-key", &key];
    let arguments = [&["--config", config.to_str().unwrap()][..], &arguments].concat();
    let mut process = reconciler(folder.path(), &arguments);
    process.wait_for_line("TCP", Duration::from_secs(30));
    assert_eq!(credentials(product, "acme").len(), 1, "it is in use");
    process.interrupt();
    let status = process.wait(Duration::from_secs(30));
    assert_eq!(status.code(), Some(1), "{}", process.transcript());
    holds(&process.transcript(), &["which was issued for this test, is revoked", "the test was interrupted"]);
    assert_eq!(credentials(product, "acme"), Vec::<String>::new());
}

#[test]
fn a_zone_is_tried_step_by_step_and_what_fails_is_said_with_the_next_step() {
    let topics = topics();
    let gone = ("gone", unique("gone"), "READ");
    let product = Product::start(
        Cluster::shared(),
        Setup::MEMORY,
        &[
            ("acme.yaml", &zone("acme", &topics, "PLAIN")),
            ("beta.yaml", &zone("beta", &topics, "SCRAM")),
            ("gamma.yaml", &zone("gamma", &[topics[0].clone(), gone], "PLAIN")),
        ],
    );
    product.wait_for_status("acme", "READY");
    product.wait_for_status("beta", "READY");
    product.wait_for_status("gamma", "FAILED");
    let port = product.port;
    for (zone, mechanism) in [("acme", "PLAIN"), ("beta", "SCRAM-SHA-512")] {
        let (code, said) = tried(&product, zone, &[]);
        assert_eq!(code, 0, "{said}\n{}", product.transcript());
        holds(
            &said,
            &[
                &format!("ok      zone {zone}: READY"),
                "ok      DNS 127.0.0.1: 127.0.0.1",
                &format!("ok      TCP 127.0.0.1:{port}: connected"),
                &format!("ok      log-in 127.0.0.1:{port}: as pz"),
                &format!("by {mechanism}"),
                "ok      metadata: 3 broker(s), 3 alias(es)",
                &format!("ok      broker 3 at 127.0.0.1:{}: reached and logged in", port + 3),
                "ok      topic orders: to read, 3 partition(s), each with a leader",
                "ok      fetch orders: a record of 12 bytes from partition 2 (offsets 0 to 0)",
                "ok      fetch empty: no records yet",
                "ok      topic invoices: to read and write",
                "ok      produce invoices: allowed",
                "which was issued for this test, is revoked",
                &format!("{zone}: all "),
            ],
        );
        assert!(!said.contains("TLS"), "there is none: {said}");
        assert_eq!(credentials(&product, zone), Vec::<String>::new());
    }
    // Of what was tried above, nothing was written.
    holds(&tried(&product, "beta", &[]).1, &["ok      fetch invoices: no records yet"]);

    let folder = tempfile::tempdir().unwrap();
    with_a_credential_of_its_own(&product, folder.path());
    a_partner_tries_its_zone_by_itself(&product, folder.path());
    what_cannot_be_reached_is_said(&product);
    a_topic_that_is_missing_is_said(&product);
    an_interrupted_test_takes_its_credential_back(&product);
}

/// The rest of a configuration, for a gateway that partners are told is `host`.
fn sections(host: &str, port: u16, more: &str) -> String {
    format!(
        "gateway:\n  listen: 127.0.0.1\n  advertisedHost: {host}\n  bootstrapPort: {port}\n{more}store: memory\nclusters: {{default: \
         {{bootstrapServers: \"{}\", brokerPortBase: {port}, isolation: shared}}}}\n",
        Cluster::shared().bootstrap()
    )
}

#[test]
fn a_zone_under_tls_is_tried_with_its_certificate_and_one_that_is_not_trusted_is_named() {
    let (authority, another) = (Authority::new(), Authority::new());
    authority.issue("gateway", &["kafka.partners.test", "127.0.0.1"]);
    let identity = authority.issue_client("initech", "initech", |_| {});
    let topics = topics();
    let zones =
        [("acme.yaml", zone("acme", &topics, "SCRAM")), ("initech.yaml", zone("initech", &topics, "MTLS"))];
    let zones: Vec<_> = zones.iter().map(|(file, text)| (*file, text.as_str())).collect();
    let product = Product::start_with(&zones, |port, _| {
        let file = |name: &str| authority.file(name).display().to_string();
        let tls = format!(
            "  tls:\n    certificateFile: {}\n    keyFile: {}\n    clientCaFile: {}\n    clientAuth: requested\n    \
             principalMappingRules: 'RULE:^CN=([a-z]+),O=Partners$/$1-account/'\n",
            file("gateway.crt"),
            file("gateway.key"),
            file("ca.pem"),
        );
        sections("127.0.0.1", port, &tls)
    });
    product.wait_for_status("acme", "READY");
    product.wait_for_status("initech", "READY");
    let (ca, other) = (authority.certificate(), another.certificate());
    let (ca, other) = (ca.to_str().unwrap(), other.to_str().unwrap());
    let (code, said) = tried(&product, "acme", &["--ca", ca]);
    assert_eq!(code, 0, "{said}\n{}", product.transcript());
    holds(
        &said,
        &[
            "TLS 1.3, certificate for kafka.partners.test, 127.0.0.1, by CN=",
            "days left), alone",
            "by SCRAM-SHA-512",
            "ok      fetch orders: a record of 12 bytes",
        ],
    );
    let (code, said) = tried(&product, "acme", &["--ca", other]);
    assert_eq!(code, 1, "{said}");
    holds(
        &said,
        &[
            "ok      TCP",
            "failed  TLS",
            "it shows a certificate for kafka.partners.test",
            "next: the certificate's authority is not trusted here",
            "skipped log-in",
            "skipped fetch orders",
        ],
    );
    assert_eq!(credentials(&product, "acme"), Vec::<String>::new());
    // By a name that the certificate does not have.
    let (code, said) =
        tried(&product, "acme", &["--ca", ca, "--bootstrap", &format!("localhost:{}", product.port)]);
    assert_eq!(code, 1, "{said}");
    holds(&said, &["failed  TLS", "next: have gateway.tls.certificateFile name the host"]);

    let (code, said) = tried(&product, "initech", &["--ca", ca]);
    assert_eq!(code, 2, "{said}");
    holds(&said, &["the zone takes certificates (MTLS)", "--certificate FILE and --key FILE"]);
    let [certificate, key] =
        ["crt", "key"].map(|ending| identity.with_extension(ending).display().to_string());
    let (code, said) =
        tried(&product, "initech", &["--ca", ca, "--certificate", &certificate, "--key", &key]);
    assert_eq!(code, 0, "{said}\n{}", product.transcript());
    holds(&said, &["by the client certificate", "ok      fetch orders: a record of 12 bytes"]);
    let foreign = another.issue_client("initech", "initech", |_| {});
    let [certificate, key] =
        ["crt", "key"].map(|ending| foreign.with_extension(ending).display().to_string());
    let (code, said) =
        tried(&product, "initech", &["--ca", ca, "--certificate", &certificate, "--key", &key]);
    assert_eq!(code, 1, "{said}");
    holds(&said, &["next: the gateway wants a client certificate that it trusts", "skipped fetch orders"]);
}

#[test]
fn a_name_that_gateways_tell_and_nobody_resolves_is_traced_to_its_setting() {
    let text = zone("acme", &topics(), "PLAIN");
    let host = "kafka.partners.invalid";
    let product = Product::start_with(&[("acme.yaml", &text)], |port, _| sections(host, port, ""));
    product.wait_for_status("acme", "READY");
    let (code, said) = tried(&product, "acme", &[]);
    assert_eq!(code, 1, "{said}");
    holds(
        &said,
        &["failed  DNS kafka.partners.invalid: the name does not resolve", "gateway.advertisedHost"],
    );
    // The first address is right, and those that it leads to are not.
    let (code, said) = tried(&product, "acme", &["--bootstrap", &format!("127.0.0.1:{}", product.port)]);
    assert_eq!(code, 1, "{said}");
    holds(
        &said,
        &[
            "ok      log-in",
            "failed  broker 1 at kafka.partners.invalid:",
            "the name does not resolve",
            "gateway.advertisedHost",
            "skipped fetch orders: no leader of its partitions can be reached",
            "ok      produce invoices",
        ],
    );
}
