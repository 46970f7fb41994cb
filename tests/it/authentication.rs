//! Logins with clients and brokers that nobody here wrote: every mechanism, good and bad, and both kinds of login on a
//! connection that has one (KIP-368).

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use partner_zones::policy::ServedZone;
use partner_zones::policy::verifier::{Salts, verifiers};
use time::OffsetDateTime;

use crate::support::client::{Client, Connection, Running};
use crate::support::gateway::{InProcess, SECRET, zone};
use crate::support::kafka::{Cluster, GATEWAY, unique};
use crate::support::product::{Product, Setup, manifest};

const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// The zone's credential as it is issued today, with all verifiers, ending then.
fn with_all_verifiers(mut zone: ServedZone, expires_at: Option<OffsetDateTime>) -> ServedZone {
    let mut credential = (*zone.credentials[0]).clone();
    let all = verifiers(SECRET, &Salts { plain: [1; 16], sha256: [2; 16], sha512: [3; 16] }, 4096);
    (credential.plain, credential.scram) = (all.plain, all.scram);
    credential.expires_at = expires_at;
    zone.credentials = vec![Arc::new(credential)];
    zone
}

fn key_id(zone: &ServedZone) -> String {
    zone.credentials[0].key_id.to_string()
}

/// Produces one record and gives the errors.
fn produce(client: Client, connection: &Connection) -> Vec<String> {
    let produced =
        client.run(connection, &["produce", "--topic", "orders", "--value", "x", "--timeout", "10000"]);
    let errors: Vec<_> = produced.errors().into_iter().map(|error| error.error).collect();
    assert_eq!(produced.acked().is_empty(), !errors.is_empty(), "{errors:?}");
    errors
}

fn is_refused(client: Client, connection: &Connection) {
    let refused = produce(client, connection);
    let told = refused.contains(&"SASL_AUTHENTICATION_FAILED".to_owned());
    assert!(told, "{client:?} {connection:?} {refused:?}");
}

#[test]
fn every_mechanism_lets_in_whoever_has_the_secret_and_nobody_else() {
    let cluster = Cluster::shared();
    let topic = unique("topic");
    cluster.create_topic(&topic, 1);
    let gateway = InProcess::start(cluster);
    let acme = with_all_verifiers(zone("acme", &[("orders", &topic, "WRITE")]), None);
    let before_scram = zone("older", &[("orders", &topic, "WRITE")]);
    let (key, older) = (key_id(&acme), key_id(&before_scram));
    gateway.serve([acme, before_scram]);
    let connect = |mechanism: &str, user: &str, secret: &str| {
        Connection::sasl(&gateway.bootstrap(), mechanism, user, secret)
    };
    for client in Client::ALL {
        for mechanism in MECHANISMS {
            let no_errors: [&str; 0] = [];
            assert_eq!(
                produce(client, &connect(mechanism, &key, SECRET)),
                no_errors,
                "{client:?} {mechanism}"
            );
            is_refused(client, &connect(mechanism, &key, "wrong"));
        }
        // By the account SCRAM cannot know which credential is meant; older credentials have no verifier for it.
        for user in ["nobody", "acme", &older] {
            is_refused(client, &connect("SCRAM-SHA-512", user, SECRET));
        }
    }
}

#[test]
fn a_zone_for_scram_is_used_with_what_was_issued_until_it_is_revoked_or_ends() {
    let cluster = Cluster::shared();
    let topic = unique("topic");
    cluster.create_topic(&topic, 1);
    let text = manifest("acme", &[("orders", &topic, "WRITE")]).replace("type: PLAIN", "type: SCRAM");
    let product = Product::start(cluster, Setup::MEMORY, &[("acme.yaml", &text)]);
    product.wait_for_status("acme", "READY");

    let issued = product.cli(&["credentials", "issue", "acme", "-o", "properties"]);
    let properties = String::from_utf8(issued.stdout).unwrap();
    assert!(properties.contains("sasl.mechanism=SCRAM-SHA-512\n"), "{properties}");
    assert!(properties.contains("ScramLoginModule"), "{properties}");
    let listed = product.cli(&["credentials", "list", "acme"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("SCRAM-SHA-512,SCRAM-SHA-256"), "{listed}");

    let partner = product.partner("acme");
    let by = |mechanism| Connection::sasl(&partner.bootstrap, mechanism, &partner.username, &partner.secret);
    let start = |client: Client, connection: &Connection| {
        let options = ["--interval", "50", "--until-stdin-closes", "--timeout", "3000"];
        client.start(connection, &[&["produce", "--topic", "orders", "--value", "x"], &options[..]].concat())
    };
    let mut running: Vec<Running> =
        Client::ALL.into_iter().map(|client| start(client, &by("SCRAM-SHA-512"))).collect();
    for client in Client::ALL {
        is_refused(client, &by("PLAIN"));
    }
    for client in &mut running {
        client.wait_for("a record", |events| events.acked().first().map(|_| ()));
    }
    let revoked = product.cli(&["credentials", "revoke", &partner.username]);
    assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
    for mut client in running {
        client.wait_for("an error", |events| events.errors().first().map(|_| ()));
        client.kill();
    }

    let ending = product.cli(&["credentials", "issue", "acme", "--expires", "4s", "-o", "json"]);
    let ending: serde_json::Value = serde_json::from_slice(&ending.stdout).unwrap();
    let text = |field: &str| ending[field].as_str().unwrap().to_owned();
    let ending =
        Connection::sasl(&text("bootstrapServers"), "SCRAM-SHA-256", &text("username"), &text("secret"));
    let mut client = start(Client::Librdkafka, &ending);
    client.wait_for("a record", |events| events.acked().first().map(|_| ()));
    client.wait_for("an error", |events| events.errors().first().map(|_| ()));
    client.kill();
    let late = produce(Client::Java, &ending);
    assert!(late.contains(&"SASL_AUTHENTICATION_FAILED".to_owned()), "{late:?}");
}

/// A client's producer and a member of a group, at work on `orders`.
fn at_work(client: Client, connection: &Connection) -> [Running; 2] {
    let group = unique("group");
    let produce =
        ["produce", "--topic", "orders", "--value", "{i}", "--interval", "20", "--until-stdin-closes"];
    let consume = ["consume", "--topic", "orders", "--group", &group, "--commit", "--until-stdin-closes"];
    [client.start(connection, &produce), client.start(connection, &consume)]
}

/// Waits until each of them has done something.
fn await_work(clients: &mut [Running]) {
    for client in clients {
        client.wait_for("a record", |events| {
            (!events.acked().is_empty() || !events.records().is_empty()).then_some(())
        });
    }
}

/// Lets them work until then, and shows that nobody but themselves ended a connection of theirs.
fn work_undisturbed(gateway: &InProcess, clients: Vec<Running>, until: Instant) {
    let work = |client: &Running| client.events().acked().len() + client.events().records().len();
    sleep(until.saturating_duration_since(Instant::now()));
    let so_far: Vec<usize> = clients.iter().map(work).collect();
    let mut clients = clients;
    for (client, before) in clients.iter_mut().zip(so_far) {
        client.wait_for("more records", |events| {
            (events.acked().len() + events.records().len() > before + 5).then_some(())
        });
    }
    for reason in ["broker_done", "broker_gone", "renewal", "expired", "revoked", "authentication_failed"] {
        let closed = gateway.counter(&format!("gateway_closed_total{{reason=\"{reason}\"}}"));
        assert_eq!(closed, 0, "{reason}");
    }
    for client in clients {
        assert_eq!(client.stop().errors(), []);
    }
}

#[test]
fn clients_log_in_again_in_the_middle_of_their_work_when_their_credential_is_about_to_end() {
    let cluster = Cluster::shared();
    let topic = unique("topic");
    cluster.create_topic(&topic, 1);
    let gateway = InProcess::start(cluster);
    let ending = |seconds| {
        let at = OffsetDateTime::now_utc() + Duration::from_secs(seconds);
        with_all_verifiers(zone("acme", &[("orders", &topic, "WRITE")]), Some(at))
    };
    // The clients' drivers are there before the clock starts: their first use in a checkout builds them.
    gateway.serve([ending(600)]);
    for client in Client::ALL {
        let connection = Connection::sasl(&gateway.bootstrap(), "PLAIN", "acme", SECRET);
        assert_eq!(produce(client, &connection), Vec::<String>::new());
    }
    let first = ending(20);
    let connection = |mechanism| Connection::sasl(&gateway.bootstrap(), mechanism, &key_id(&first), SECRET);
    gateway.serve([first.clone()]);
    let ends = Instant::now() + Duration::from_secs(20);
    let mut clients = Vec::from(at_work(Client::Java, &connection("SCRAM-SHA-512")));
    clients.extend(at_work(Client::Librdkafka, &connection("PLAIN")));
    await_work(&mut clients);
    assert!(Instant::now() + Duration::from_secs(2) < ends, "too slow to start for what is tested here");
    // The same credential, prolonged: who logs in again before the first end never notices it.
    gateway.serve([ending(60)]);
    work_undisturbed(&gateway, clients, ends + Duration::from_secs(2));
    let renewed = gateway.counter("gateway_authentications_total{result=\"renewed\"}");
    assert!(renewed >= 4, "{renewed} logins on live connections");
}

#[test]
fn brokers_that_limit_sessions_are_logged_in_to_again_without_the_partners_noticing() {
    let cluster = Cluster::private_with(1, &["connections.max.reauth.ms=5000"]);
    cluster.create_topic("orders", 1);
    let principal = format!("User:{}", GATEWAY.user);
    for resource in [["--topic", "orders"], ["--group", "*"]] {
        let rights = ["--add", "--allow-principal", &principal, "--force", "--operation", "All"];
        cluster.tool("org.apache.kafka.tools.AclCommand", &[&rights[..], &resource].concat());
    }
    for mechanism in ["SCRAM-SHA-512", "PLAIN"] {
        let gateway = InProcess::start_with_login(&cluster, mechanism);
        gateway.serve([zone("acme", &[("orders", "orders", "WRITE")])]);
        let clients = Client::ALL.into_iter().flat_map(|client| at_work(client, &gateway.connection("acme")));
        let mut clients: Vec<_> = clients.collect();
        await_work(&mut clients);
        work_undisturbed(&gateway, clients, Instant::now() + Duration::from_secs(11));
    }
}
