//! Two zones on one broker, and what one of them tries with the names that it should not know of the other's things: requests
//! by hand, as no client writes them.

mod administration;
mod groups;
mod logins;
mod names;
mod topics;
mod transactions;
mod victim;

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::messages::{
    ApiVersionsRequest, ConsumerGroupDescribeRequest, DescribeTransactionsRequest, FindCoordinatorRequest,
    HeartbeatRequest, ListGroupsRequest, ListTransactionsRequest, MetadataRequest,
};
use partner_zones::policy::ServedZone;
use partner_zones::zone::{ConsumerGroup, GroupName};
use uuid::Uuid;

use self::names::{Member, Names, text};
use self::victim::{Victim, id_of, once_ready};
use crate::support::gateway::{InProcess, SECRET, zone};
use crate::support::kafka::Cluster;
use crate::support::wire::{Wire, request, string, typed};

/// The attacker's only topic.
const OWN: &str = "mine";
/// Topics that are in no zone: the brokers' own, the product's own, somebody's.
const INTERNAL: [&str; 4] = ["__consumer_offsets", "__transaction_state", "_partner-zones.state", "payments"];
/// SaslHandshake, ApiVersions and SaslAuthenticate, which name nothing but whoever logs in; that is [`logins`]. InitProducerId
/// makes something new whenever it is asked.
const TRIED_ELSEWHERE: [i16; 4] = [17, 18, 22, 36];

/// How the zone's things are called; what is drawn by brokers comes when it is at work.
fn names() -> Names {
    let nobody = || Member { id: String::new(), epoch: 0 };
    Names {
        prefix: "acme:".to_owned(),
        classic: "ledgers".to_owned(),
        modern: "auditors".to_owned(),
        kept: ["billing", "partner.billing"].map(str::to_owned),
        members: [nobody(), nobody()],
        transaction: "payroll".to_owned(),
        producer: -1,
        producer_epoch: -1,
        topics: ["invoices", "erp.books"].map(str::to_owned),
        ids: [Uuid::nil(); 2],
        internal: INTERNAL.map(str::to_owned).to_vec(),
        internal_ids: Vec::new(),
        account: "acme".to_owned(),
        fetch_session: 0,
    }
}

fn acme(names: &Names) -> ServedZone {
    let [alias, backing] = &names.topics;
    let mut acme = zone("acme", &[(alias, backing, "WRITE")]);
    let [name, backing_group] = names.kept.each_ref().map(|name| GroupName::try_from(name.as_str()).unwrap());
    Arc::make_mut(&mut acme.zone).consumer_groups.push(ConsumerGroup { name, backing_group });
    acme
}

/// Everything that can be tried with a name, and changes nothing for whoever tries it.
fn attacks(names: &Names) -> Vec<Vec<u8>> {
    let groups = groups::attacks(names, OWN);
    let transactions = transactions::attacks(names, OWN);
    [groups, transactions, topics::attacks(names), administration::attacks(names)].concat()
}

/// Questions that name nobody, or somebody by a pattern or a number.
fn listings(names: &Names) -> Vec<Vec<u8>> {
    let all = ListTransactionsRequest::default().with_duration_filter(-1);
    let pattern = |pattern: &str| all.clone().with_transactional_id_pattern(Some(text(pattern)));
    let other = format!("{}.*", names.prefix);
    vec![
        typed(&MetadataRequest::default().with_topics(None), 13),
        typed(&ListGroupsRequest::default(), 5),
        typed(&all, 2),
        typed(&pattern(".*"), 2),
        typed(&pattern(&other), 2),
        typed(&pattern(&format!("x|{other}")), 2),
        typed(&all.clone().with_producer_id_filters(vec![names.producer()]), 2),
        typed(&all.with_state_filters(vec!["Ongoing".into()]), 2),
    ]
}

/// The first to look for a coordinator makes the broker's topics for them.
fn make_coordinators(wire: &mut Wire) {
    for kind in [0, 1] {
        let find = FindCoordinatorRequest::default().with_key_type(kind);
        let find = find.with_coordinator_keys(vec!["any".into()]);
        assert_eq!(once_ready(|| wire.call(&find, 4).coordinators[0].error_code), 0);
    }
}

/// Asks as whoever tries, until a name that is nobody's is answered for good.
fn await_coordinators(wire: &mut Wire, names: &Names) {
    for group in names.groups() {
        let beat = HeartbeatRequest::default().with_group_id(group.clone()).with_member_id("x".into());
        once_ready(|| wire.call(&beat, 4).error_code);
        let describe = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group]);
        once_ready(|| wire.call(&describe, 1).groups[0].error_code);
    }
    for id in names.transactional_ids() {
        let describe = DescribeTransactionsRequest::default().with_transactional_ids(vec![id]);
        once_ready(|| wire.call(&describe, 0).transaction_states[0].error_code);
    }
}

fn shown_as(frame: &[u8]) -> String {
    frame.escape_ascii().to_string()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// What the answer tells that was not in the question.
fn told<'a>(question: &[u8], answer: &[u8], secrets: &'a [Vec<u8>]) -> Option<&'a Vec<u8>> {
    secrets.iter().find(|secret| contains(answer, secret) && !contains(question, secret))
}

/// `bytes` with each of `these` as the one of `those` at its place, all at once.
fn replaced(bytes: &[u8], these: &[Vec<u8>], those: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let found = these.iter().zip(those).filter(|(this, _)| rest.starts_with(this));
        let longest = found.max_by_key(|(this, _)| this.len());
        let (taken, put) =
            longest.map_or((1, std::slice::from_ref(first)), |(this, that)| (this.len(), that));
        out.extend_from_slice(put);
        rest = &rest[taken..];
    }
    out
}

/// The victim's names, with a gateway in front of a cluster that has its topics and the attacker's.
fn at_war(cluster: &Cluster) -> (InProcess, Victim) {
    let mut names = names();
    for topic in [&names.topics[1], "others.backing", INTERNAL[2], INTERNAL[3]] {
        cluster.create_topic(topic, 1);
    }
    let gateway = InProcess::start(cluster);
    gateway.serve([acme(&names), zone("other", &[(OWN, "others.backing", "WRITE")])]);
    let mut acme = Wire::logged_in(gateway.broker_port(1), "acme", SECRET);
    make_coordinators(&mut acme);
    let mut broker = Wire::connect(port_of(cluster));
    names.ids = [id_of(&mut acme, &names.topics[0]), id_of(&mut broker, &names.topics[1])];
    names.internal_ids = names.internal.iter().map(|name| id_of(&mut broker, name)).collect();
    (gateway, Victim::at_work(acme, names))
}

fn port_of(cluster: &Cluster) -> u16 {
    cluster.bootstrap().rsplit(':').next().unwrap().parse().unwrap()
}

/// What no answer to the attacker may hold: the names of the victim and of its own things behind the gateway, and whatever
/// else the cluster says of itself to those who may ask it.
fn secrets(cluster: &Cluster, shown: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let port = port_of(cluster);
    let id = Wire::connect(port).call(&MetadataRequest::default(), 12).cluster_id.unwrap();
    let own = [b"other:".to_vec(), b"others.backing".to_vec()];
    let of_the_cluster =
        [u32::from(port).to_be_bytes().to_vec(), id.as_bytes().to_vec(), b"ANONYMOUS".to_vec()];
    [shown, &own, &of_the_cluster].concat()
}

/// Which APIs the frames are of.
fn keys(frames: &[Vec<u8>]) -> BTreeSet<i16> {
    frames.iter().map(|frame| i16::from_be_bytes([frame[4], frame[5]])).collect()
}

#[test]
fn a_neighbours_names_lead_nowhere_and_leave_it_as_it_was() {
    let cluster = Cluster::private(1);
    let (gateway, victim) = at_war(&cluster);
    let port = gateway.broker_port(1);
    let names = victim.names.clone();
    let nothing = names.of_nothing();

    let [mut attacker, mut other] = [(); 2].map(|()| Wire::logged_in(port, "other", SECRET));
    await_coordinators(&mut attacker, &names);
    await_coordinators(&mut other, &nothing);
    let [shown, nowhere] = [&names, &nothing].map(Names::as_written);
    let secrets = secrets(&cluster, &shown);
    let mut findings = Vec::new();
    let questions = |names: &Names| [listings(names), attacks(names)].concat();
    let attacks = questions(&names);
    let advertised = attacker.call(&ApiVersionsRequest::default(), 0).api_keys;
    let advertised: BTreeSet<i16> = advertised.iter().map(|range| range.api_key).collect();
    assert_eq!(&keys(&attacks) | &TRIED_ELSEWHERE.into(), advertised, "each API that is served is tried");
    assert!(attacks.len() > 700, "{}", attacks.len());
    for (attack, control) in attacks.iter().zip(&questions(&nothing)) {
        let answer = attacker.ask(attack).unwrap_or_else(|| panic!("no answer to {}", shown_as(attack)));
        if let Some(secret) = told(attack, &answer, &secrets) {
            findings.push(format!("{} shows {}", shown_as(attack), shown_as(secret)));
        }
        // What is somebody else's is answered as what is nobody's.
        let [answer, expected] =
            [replaced(&answer, &shown, &nowhere), other.ask(control).expect("an answer")];
        if answer != expected {
            let [attack, answer, expected] = [attack, &answer, &expected].map(|bytes| shown_as(bytes));
            findings.push(format!("{attack}\n  is told {answer}\n  not     {expected}"));
        }
        strangers_get_no_answer(port, attack);
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    what_is_not_served_gets_no_answer(port, &advertised);
    what_is_begun_anew_is_the_attackers_own(&mut attacker, &names);
    victim.goes_on_as_it_was();
}

/// Brokers' own APIs, markers of transactions and fetches of followers among them.
fn what_is_not_served_gets_no_answer(port: u16, advertised: &BTreeSet<i16>) {
    for key in (0..120).filter(|key| !advertised.contains(key)) {
        assert_eq!(Wire::logged_in(port, "other", SECRET).ask(&request(key, 0, b"")), None, "API {key}");
    }
}

/// Before a login, and in the middle of one.
fn strangers_get_no_answer(port: u16, attack: &[u8]) {
    assert_eq!(Wire::connect(port).ask(attack), None);
    let mut stranger = Wire::connect(port);
    assert!(stranger.ask(&request(17, 1, &string("PLAIN"))).is_some());
    assert_eq!(stranger.ask(attack), None);
}

/// Who says to be the same producer becomes another one, or nobody; a session that is begun anew is another one.
fn what_is_begun_anew_is_the_attackers_own(attacker: &mut Wire, names: &Names) {
    for init in transactions::successors(names) {
        let answer = attacker.call(&init, 5);
        assert_ne!(answer.producer_id, names.producer(), "{init:?}");
    }
    let opened = attacker.call(&topics::in_session(names, 0), 17);
    assert_eq!((opened.error_code, opened.responses.len()), (0, 0));
    assert_ne!(opened.session_id, names.fetch_session);
}
