//! Logins as another zone, and how long refusals take: what is somebody's is refused as what is nobody's, in the same words and
//! in the same time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    DescribeGroupsRequest, FindCoordinatorRequest, GroupId, MetadataRequest, OffsetFetchRequest,
};
use partner_zones::gateway::Limits;
use partner_zones::policy::ServedZone;
use partner_zones::policy::verifier::{Salts, verifiers};

use super::names::{text, topic};
use super::victim::once_ready;
use crate::support::gateway::{InProcess, SECRET, zone};
use crate::support::kafka::{Cluster, unique};
use crate::support::wire::{Wire, bytes, request, string, typed};

/// The victim's; the attacker's is [`SECRET`].
const VICTIMS_SECRET: &str = "known-to-the-victim";

/// The victim's zone, with every verifier of its secret.
fn victim(backing: &str) -> ServedZone {
    let mut acme = zone("acme", &[("orders", backing, "WRITE")]);
    let mut credential = (*acme.credentials[0]).clone();
    let salts = Salts { plain: [1; 16], sha256: [2; 16], sha512: [3; 16] };
    let all = verifiers(VICTIMS_SECRET, &salts, 4096);
    (credential.plain, credential.scram) = (all.plain, all.scram);
    acme.credentials = vec![Arc::new(credential)];
    acme
}

struct War {
    gateway: InProcess,
    /// The victim's key id, and one like it that nobody has.
    key_ids: [String; 2],
}

fn at_war(cluster: &Cluster) -> War {
    let backing = unique("backing");
    cluster.create_topic(&backing, 1);
    // What a refusal waits for is no part of what is measured.
    let limits = Limits {
        failed_login_delay: Duration::ZERO,
        longest_login_delay: Duration::ZERO,
        ..Limits::default()
    };
    let gateway = InProcess::start_limited(cluster, limits);
    let acme = victim(&backing);
    let key_id = acme.credentials[0].key_id.to_string();
    let nobodys = key_id.chars().rev().filter(char::is_ascii_alphanumeric).collect::<String>();
    let nobodys = format!("pz{}", &nobodys[..16]);
    assert!(key_id != nobodys && key_id.len() == nobodys.len(), "{key_id} {nobodys}");
    gateway.serve([acme, zone("other", &[("mine", &backing, "READ")])]);
    War { gateway, key_ids: [key_id, nobodys] }
}

/// The answers to a handshake for this mechanism and to these tokens, until the connection ends.
fn answers(wire: &mut Wire, mechanism: &str, tokens: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let handshake = request(17, 1, &string(mechanism));
    let tokens = tokens.iter().map(|token| request(36, 1, &bytes(token)));
    let questions = std::iter::once(handshake).chain(tokens);
    questions.map_while(|question| wire.ask(&question)).collect()
}

/// What a new connection is told about a PLAIN token.
fn plain(port: u16, token: &[u8]) -> Vec<Vec<u8>> {
    answers(&mut Wire::connect(port), "PLAIN", &[token.to_vec()])
}

#[test]
fn a_neighbours_logins_are_refused_as_nobodys_are() {
    let War { gateway, key_ids: [key_id, nobodys] } = at_war(Cluster::shared());
    let port = gateway.broker_port(1);
    let token = |user: &str| format!("\0{user}\0{SECRET}").into_bytes();
    let expected = plain(port, &token("nobody"));
    assert_eq!(expected.len(), 2, "the handshake, and the refusal");
    assert_eq!(expected[1][4..6], 58_i16.to_be_bytes());
    // By the victim's names, in other spellings, as itself but for the victim, and with what a verifier would hold.
    let tokens = [
        token("acme"),
        token(&key_id),
        token(&nobodys),
        token("ACME"),
        token("acme:other"),
        token("acme "),
        token(&format!("acme{}", "x".repeat(1_500))),
        format!("acme\0other\0{SECRET}").into_bytes(),
        format!("other\0acme\0{SECRET}").into_bytes(),
        format!("\0acme\0other\0{SECRET}").into_bytes(),
        b"\0acme\0".to_vec(),
        Vec::new(),
    ];
    for token in tokens {
        for port in [port, gateway.broker_port(0)] {
            assert_eq!(plain(port, &token), expected, "{}", token.escape_ascii());
        }
    }
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let [known, unknown] = [&key_id, &nobodys].map(|user| scram(port, mechanism, user));
        assert_eq!(known, unknown, "{mechanism}");
    }
}

/// What somebody without the secret is asked and told: the length of the salt, the rounds, whether the salt stays, and the
/// refusal.
fn scram(port: u16, mechanism: &str, user: &str) -> (usize, String, bool, Vec<u8>) {
    let attempt = || {
        let mut wire = Wire::connect(port);
        let first = format!("n,,n={user},r=abc");
        let asked = answers(&mut wire, mechanism, &[first.into_bytes()]).remove(1);
        // Behind the correlation id, no error, no words: the token.
        let text = String::from_utf8(asked[12..asked.len() - 8].to_vec()).unwrap();
        let parts: Vec<_> = text.split(',').map(str::to_owned).collect();
        let last = format!("c=biws,{},p={}", parts[0], "A".repeat(43) + "=");
        let refused = wire.ask(&request(36, 1, &bytes(last.as_bytes()))).unwrap();
        (parts[1].clone(), parts[2].clone(), refused)
    };
    let [(salt, rounds, refused), (again, _, _)] = [(); 2].map(|()| attempt());
    (salt.len(), rounds, salt == again, refused)
}

#[test]
fn nobody_becomes_a_neighbour_on_a_connection_that_is_open_already() {
    let War { gateway, key_ids: [key_id, _] } = at_war(Cluster::shared());
    let port = gateway.broker_port(1);
    let stolen = format!("\0acme\0{VICTIMS_SECRET}").into_bytes();
    let guessed = format!("\0acme\0{SECRET}").into_bytes();
    for token in [&stolen, &guessed] {
        let mut other = Wire::logged_in(port, "other", SECRET);
        let told = answers(&mut other, "PLAIN", std::slice::from_ref(token));
        assert_eq!(told[1][4..6], 58_i16.to_be_bytes(), "refused");
        assert_eq!(other.ask(&typed(&MetadataRequest::default(), 12)), None, "and ended");
    }
    // With another mechanism, which would be another login.
    let mut other = Wire::logged_in(port, "other", SECRET);
    let told = answers(&mut other, "SCRAM-SHA-256", &[format!("n,,n={key_id},r=abc").into_bytes()]);
    assert_eq!(told.len(), 2, "asked for the proof, as anybody");
    // In the middle of it, nothing else is served.
    assert_eq!(other.ask(&typed(&MetadataRequest::default(), 12)), None);
    Wire::logged_in(port, "acme", VICTIMS_SECRET);
}

/// The medians of what two things take, in turn, so that whatever else the machine does concerns both.
fn medians(mut first: impl FnMut(), mut second: impl FnMut()) -> [Duration; 2] {
    const ROUNDS: usize = 200;
    let mut took = [Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS)];
    for _ in 0..ROUNDS {
        let [one, other] = &mut took;
        for (took, ask) in [(one, &mut first as &mut dyn FnMut()), (other, &mut second)] {
            let begun = Instant::now();
            ask();
            took.push(begun.elapsed());
        }
    }
    took.map(|mut all| {
        all.sort();
        all[ROUNDS / 2]
    })
}

/// Far from what would tell anything over a network: this finds another way through the gateway, not some nanoseconds.
fn take_the_same(what: &str, first: impl FnMut(), second: impl FnMut()) {
    let [one, other] = medians(first, second);
    let [less, more] = [one.min(other), one.max(other)];
    assert!(
        more < less * 3 + Duration::from_millis(1),
        "{what}: {one:?} if it is somebody's, {other:?} if not"
    );
}

#[test]
fn a_refusal_takes_as_long_for_what_is_a_neighbours_as_for_what_is_nobodys() {
    // One broker, which coordinates whatever there is.
    let cluster = Cluster::private(1);
    let War { gateway, key_ids: [key_id, nobodys] } = at_war(&cluster);
    let port = gateway.broker_port(1);
    let login = |user: &str| drop(plain(port, format!("\0{user}\0{SECRET}").as_bytes()));
    take_the_same("PLAIN by account", || login("acme"), || login("emca"));
    take_the_same("PLAIN by key id", || login(&key_id), || login(&nobodys));
    let login = |user: &str| {
        let first = format!("n,,n={user},r=abc").into_bytes();
        drop(answers(&mut Wire::connect(port), "SCRAM-SHA-512", &[first]));
    };
    take_the_same("SCRAM", || login(&key_id), || login(&nobodys));

    let mut acme = Wire::logged_in(port, "acme", VICTIMS_SECRET);
    await_group(&mut acme, "ledgers");
    let [mut one, mut two] = [(); 2].map(|()| Wire::logged_in(port, "other", SECRET));
    for (what, [theirs, nobodys], question) in questions() {
        if what == "DescribeGroups" {
            await_group(&mut one, theirs);
            await_group(&mut two, nobodys);
        }
        for (wire, name) in [(&mut one, theirs), (&mut two, nobodys)] {
            assert!(wire.ask(&question(name)).is_some(), "{what}");
        }
        let ask = |wire: &mut Wire, name: &str| drop(wire.ask(&question(name)).unwrap());
        take_the_same(what, || ask(&mut one, theirs), || ask(&mut two, nobodys));
    }
}

/// Waits until the group's coordinator has loaded what there is of it.
fn await_group(wire: &mut Wire, name: &str) {
    let describe = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(name))]);
    let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(name)]);
    once_ready(|| wire.call(&find, 4).coordinators[0].error_code);
    once_ready(|| wire.call(&describe, 5).groups[0].error_code);
}

/// What is asked for by a name: the victim's, and one that nobody has.
type Question = (&'static str, [&'static str; 2], fn(&str) -> Vec<u8>);

fn questions() -> [Question; 4] {
    const GROUPS: [&str; 2] = ["acme:ledgers", "emca:sregdel"];
    [
        ("Metadata", ["orders", "sredro"], |name| {
            let asked = MetadataRequestTopic::default().with_name(Some(topic(name)));
            typed(&MetadataRequest::default().with_topics(Some(vec![asked])), 12)
        }),
        ("FindCoordinator", GROUPS, |name| {
            typed(&FindCoordinatorRequest::default().with_coordinator_keys(vec![text(name)]), 4)
        }),
        ("DescribeGroups", GROUPS, |name| {
            typed(&DescribeGroupsRequest::default().with_groups(vec![GroupId(text(name))]), 5)
        }),
        ("OffsetFetch", GROUPS, |name| {
            let group = OffsetFetchRequestGroup::default().with_group_id(GroupId(text(name)));
            typed(&OffsetFetchRequest::default().with_groups(vec![group.with_topics(None)]), 8)
        }),
    ]
}
