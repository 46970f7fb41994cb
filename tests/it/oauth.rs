//! OAUTHBEARER against a real issuer, with clients that fetch their tokens from it themselves.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use bytes::Bytes;
use kafka_protocol::messages::{MetadataRequest, SaslAuthenticateRequest, SaslHandshakeRequest};

use crate::support::client::{Client, Connection};
use crate::support::issuer::Issuer;
use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Product, Setup, free_ports, manifest, sections};
use crate::support::wire::Wire;

/// For what takes a moment: keys that are fetched, a clock that passes a second.
const SOON: Duration = Duration::from_secs(30);
/// What every refused token is told.
const INVALID: &str = r#"{"status":"invalid_token"}"#;

/// A zone whose service account is its name, for tokens; `rest` follows in its `authenticationMode`.
fn zone(name: &str, backing: &str, rest: &str) -> String {
    let plain = format!("type: PLAIN\n    serviceAccount: {name}-account");
    let tokens = format!("type: OAUTHBEARER\n    serviceAccount: {name}{rest}");
    manifest(name, &[("orders", backing, "WRITE")]).replace(&plain, &tokens)
}

/// With this issuer as the first, `main`, and one that is away, `gone`.
fn product(issuer: &Issuer, zones: &[(&str, &str)]) -> Product {
    let url = issuer.url();
    let gone = free_ports(1);
    let oauth = format!(
        "oauth:\n  issuers:\n    main: {{issuer: '{url}', audience: kafka, scopes: kafka, clockSkew: 0s, \
         refreshInterval: 1s, unknownKeyInterval: 1s}}\n    \
         gone: {{issuer: 'http://127.0.0.1:{gone}', audience: kafka}}\n"
    );
    Product::start_with(zones, |port, folder| {
        sections(Cluster::shared(), Setup::MEMORY, port, folder) + &oauth
    })
}

/// Logs in with a token; otherwise what it was told, in the challenge and in the refusal.
fn enter(port: u16, token: &str) -> Result<Wire, [String; 2]> {
    let mut wire = Wire::connect(port);
    present(&mut wire, token)?;
    Ok(wire)
}

/// A login on this connection, the first or another one.
fn present(wire: &mut Wire, token: &str) -> Result<(), [String; 2]> {
    let agreed = wire.call(&SaslHandshakeRequest::default().with_mechanism("OAUTHBEARER".into()), 1);
    assert_eq!(agreed.error_code, 0);
    let say = |text: String| SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(text));
    let told = wire.call(&say(format!("n,,\x01auth=Bearer {token}\x01\x01")), 1);
    if told.error_code == 0 && told.auth_bytes.is_empty() {
        assert!(told.session_lifetime_ms > 0);
        return Ok(());
    }
    let challenge = String::from_utf8(told.auth_bytes.to_vec()).unwrap();
    if told.error_code != 0 {
        return Err([challenge, told.error_message.unwrap().to_string()]);
    }
    let refused = wire.call(&say("\x01".to_owned()), 1);
    assert_eq!(refused.error_code, 58);
    Err([challenge, refused.error_message.unwrap().to_string()])
}

fn aliases(wire: &mut Wire) -> Vec<String> {
    let answer = wire.call(&MetadataRequest::default().with_topics(None), 9);
    answer.topics.into_iter().map(|topic| topic.name.unwrap().to_string()).collect()
}

fn eventually(what: impl fmt::Display, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < SOON, "{what}");
        thread::sleep(Duration::from_millis(200));
    }
}

/// A counter of `/metrics`; 0 until it first counts.
fn counter(product: &Product, name: &str) -> u64 {
    let metrics = product.metrics();
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

/// Where the connections came from that the lines with all of these parts are about.
fn peers(log: &str, parts: &[&str]) -> BTreeSet<String> {
    let lines = log.lines().filter(|line| parts.iter().all(|part| line.contains(part)));
    let peer = |line: &str| Some(line.split_once("\"peer\":\"")?.1.split('"').next()?.to_owned());
    lines.map(|line| peer(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

#[test]
fn clients_outlive_their_tokens_on_the_connections_that_they_have() {
    let good_for = Duration::from_secs(30);
    let backing = unique("orders");
    Cluster::shared().create_topic(&backing, 1);
    let names = Client::ALL.map(Client::name);
    let issuer = Issuer::start(&names, good_for);
    let zones = names.map(|name| (format!("{name}.yaml"), zone(name, &backing, "")));
    let zones: Vec<_> = zones.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let product = product(&issuer, &zones);
    for name in names {
        product.wait_for_status(name, "READY");
    }
    let bootstrap = format!("127.0.0.1:{}", product.port);
    let mut readers = Client::ALL.map(|client| {
        let connection = issuer.connection(&bootstrap, client.name());
        let options = ["assign", "--topic", "orders", "--partition", "0", "--until-stdin-closes"];
        client.start(&connection, &options)
    });
    let direct = Connection::plaintext(Cluster::shared().bootstrap());
    let write = || {
        let options = ["produce", "--topic", &backing, "--partition", "0", "--value", "v"];
        let events = Client::Librdkafka.run(&direct, &options);
        assert_eq!(events.errors().len(), 0);
    };
    write();
    for reader in &mut readers {
        reader.wait_for("the first record", |events| (events.records().len() == 1).then_some(()));
    }
    // Longer than any token lives that they can have by now.
    thread::sleep(good_for + Duration::from_secs(5));
    write();
    for reader in &mut readers {
        reader.wait_for("the second record", |events| (events.records().len() == 2).then_some(()));
    }
    for (reader, name) in readers.into_iter().zip(names) {
        let events = reader.stop();
        assert_eq!(format!("{:?}", events.errors()), "[]", "{name}");
    }
    assert!(counter(&product, "gateway_authentications_total{result=\"renewed\"}") >= 2);
    // One that is not used, such as Java's first, is let go. Those to brokers go on.
    let log = product.transcript();
    let brokers = peers(&log, &["partner connected", "\"port\":\"Broker"]);
    let expired = peers(&log, &["connection closed", "\"reason\":\"expired\""]);
    assert!(brokers.len() >= names.len() && brokers.is_disjoint(&expired), "{log}");
    assert_eq!(counter(&product, "gateway_authentications_total{result=\"failure\"}"), 0);

    // What nobody issued opens nothing, and the client's own words say so.
    let foreign = issuer.connection(&bootstrap, "librdkafka");
    for client in Client::ALL {
        let mut wrong = foreign.clone();
        wrong.login.as_mut().unwrap().password = "wrong".to_owned();
        let events = client.start(&wrong, &["list-topics", "--timeout", "5000"]).finish();
        assert_eq!((events.topics().len(), events.errors().is_empty()), (0, false), "{}", client.name());
    }
}

#[test]
fn a_token_opens_its_own_zone_for_as_long_as_it_and_its_key_are_good() {
    let backing = unique("orders");
    Cluster::shared().create_topic(&backing, 1);
    let mut issuer = Issuer::start(&["acme", "globex", "nobody", "lost"], Duration::from_mins(10));
    let zones = [
        ("a.yaml", zone("acme", &backing, "")),
        ("g.yaml", zone("globex", &backing, "\n    issuer: main")),
        ("l.yaml", zone("lost", &backing, "\n    issuer: gone")),
        ("m.yaml", zone("mistaken", &backing, "\n    issuer: mian")),
    ];
    let zones = zones.each_ref().map(|(file, text)| (*file, text.as_str()));
    let product = product(&issuer, &zones);
    for name in ["acme", "globex"] {
        product.wait_for_status(name, "READY");
    }
    problems_are_told(&product);
    let port = product.port;
    let good = issuer.token("acme");
    let mut acme = enter(port, &good).unwrap();
    assert_eq!(aliases(&mut acme), ["orders"]);

    let refused = [
        issuer.token_for("acme", "scope=kafka&resource=urn:else:600"),
        issuer.token_for("acme", "scope=other"),
        issuer.token("nobody"),
        issuer.token("lost"),
        good.replace('.', "-"),
        format!("{}AAAA", good.trim_end_matches(|letter| letter != '.')),
    ];
    for token in refused {
        assert_eq!(enter(port, &token).unwrap_err(), [INVALID, INVALID], "{token}");
    }
    assert!(counter(&product, "gateway_refused_tokens_total{reason=\"audience\"}") >= 1);

    // A connection ends with its token, and lives on with another one of the same subject.
    let short = || issuer.token_for("acme", "scope=kafka&resource=urn:kafka:6");
    let mut left = enter(port, &short()).unwrap();
    let mut renewed = enter(port, &short()).unwrap();
    let mut moved = enter(port, &short()).unwrap();
    present(&mut renewed, &good).unwrap();
    let changed = "Cannot change principals during re-authentication";
    assert_eq!(present(&mut moved, &issuer.token("globex")).unwrap_err()[1], changed);
    let old = short();
    assert!(left.answer().is_none(), "closed without a word");
    assert!(counter(&product, "gateway_closed_total{reason=\"expired\"}") >= 1, "{}", product.transcript());
    eventually("a token that is over opens nothing", || enter(port, &old).is_err());
    assert_eq!(aliases(&mut renewed), ["orders"]);

    // Keys come and go, and the issuer does.
    issuer.restart("new,old");
    let by_new = issuer.token("acme");
    eventually("an unknown key is asked for", || enter(port, &by_new).is_ok());
    assert!(enter(port, &good).is_ok(), "the old one is still published");
    issuer.restart("new");
    eventually("a key that is no longer published counts no more", || enter(port, &good).is_err());
    let kept = issuer.token("globex");
    issuer.stop();
    product_asks_in_vain(&product);
    assert_eq!(aliases(&mut enter(port, &kept).unwrap()), ["orders"]);
    assert_eq!(product.wait_for_status("acme", "READY")["metadata"]["name"], "acme");

    // The zone is taken to another issuer, and who came by the first one goes.
    let elsewhere = zone("globex", &backing, "\n    issuer: gone");
    let mut connected = enter(port, &kept).unwrap();
    product.commit("Other tokens", &[("g.yaml", Some(&elsewhere))]);
    assert!(connected.answer().is_none());
    assert!(enter(port, &kept).is_err());
}

#[test]
fn the_file_that_is_printed_for_a_zone_of_tokens_is_all_that_clients_need_once_it_is_filled_in() {
    let backing = unique("orders");
    Cluster::shared().create_topic(&backing, 1);
    let issuer = Issuer::start(&["acme"], Duration::from_mins(10));
    let secrets = manifest("secrets", &[("orders", &backing, "READ")]);
    let product = product(&issuer, &[("a.yaml", &zone("acme", &backing, "")), ("s.yaml", &secrets)]);
    product.wait_for_status("acme", "READY");
    let connection = issuer.connection(&format!("127.0.0.1:{}", product.port), "acme");
    let filled_in = |form| {
        let endpoint = format!("{}/token", issuer.url());
        let text = product.client_file("acme", form).replace("TOKEN_ENDPOINT_URL", &endpoint);
        text.replace("CLIENT_ID", "acme").replace("CLIENT_SECRET", "acme")
    };
    for (client, form) in [(Client::Java, "properties"), (Client::Librdkafka, "kcat")] {
        let options = ["produce", "--topic", "orders", "--value", "x"];
        let events = client.start_with(&filled_in(form), &connection, &options).finish();
        assert_eq!((events.errors(), events.acked().len()), (vec![], 1), "{form}");
    }
    let program = filled_in("python") + "\nprint(sorted(producer.list_topics(timeout=20).topics))\n";
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/clients/librdkafka/bin/python");
    let ran = Command::new(python).args(["-c", &program]).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "['orders']\n", "{said}");

    for (arguments, wanted) in
        [(&["zone", "secrets"][..], "credentials issue secrets -o properties"), (&["zones"], "get zone NAME")]
    {
        let refused = product.cli(&[&["get"], arguments, &["-o", "kcat"]].concat());
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(refused.status.code() == Some(2) && told.contains(wanted), "{arguments:?}: {told}");
    }
}

/// What an operator sees of zones that cannot be opened, and of a credential for one that needs none.
fn problems_are_told(product: &Product) {
    let lost = product.wait_for_status("lost", "FAILED");
    assert!(lost.to_string().contains("issuer `gone` has no keys here"), "{lost:#}");
    let mistaken = product.wait_for_status("mistaken", "FAILED");
    let reason = mistaken.to_string();
    assert!(reason.contains("PZ0307 the issuer `mian` is not configured"), "{mistaken:#}");
    let issued = product.cli(&["credentials", "issue", "acme"]);
    let told = String::from_utf8_lossy(&issued.stderr).into_owned();
    assert!(!issued.status.success() && told.contains("tokens with the subject `acme`"), "{told}");
    assert!(told.contains("reconciler get zone acme -o properties"), "{told}");
}

/// Waits until the gateway has asked for keys and got none.
fn product_asks_in_vain(product: &Product) {
    eventually("the keys are asked for", || {
        product
            .transcript()
            .lines()
            .any(|line| line.contains("keys cannot be fetched") && line.contains("main"))
    });
}

#[test]
fn a_zone_for_tokens_is_tried_with_one_and_what_is_wrong_with_another_is_told() {
    let backing = unique("orders");
    Cluster::shared().create_topic(&backing, 1);
    let issuer = Issuer::start(&["acme"], Duration::from_mins(5));
    let product = product(&issuer, &[("acme.yaml", &zone("acme", &backing, ""))]);
    product.wait_for_status("acme", "READY");
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let tried = |token: &str| {
        std::fs::write(path, token).unwrap();
        let output = product.cli(&["zone", "test", "acme", "--token-file", path]);
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let good = issuer.token("acme");
    let (code, said) = tried(&format!("{good}\n"));
    assert_eq!(code, Some(0), "{said}");
    for wanted in
        ["by OAUTHBEARER", "ok      fetch orders: no records yet", "ok      produce orders: allowed"]
    {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    let (code, said) = tried("e30.e30.e30");
    assert_eq!(code, Some(1), "{said}");
    for wanted in
        ["failed  log-in", "the log-in was refused", "next: the token has to be of the zone's issuer"]
    {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert!(!said.contains(&good));
    let output = product.cli(&["zone", "test", "acme"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--token-file FILE"));
}
