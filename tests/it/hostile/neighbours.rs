//! Two zones on one broker, and what one of them tries with the names that it should not know of the other's things: requests
//! by hand, as no client writes them.

mod groups;
mod names;
mod topics;
mod transactions;
mod victim;

use std::sync::Arc;

use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, DescribeTransactionsRequest, FindCoordinatorRequest, HeartbeatRequest,
    ListGroupsRequest, ListTransactionsRequest, MetadataRequest,
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
    [groups::attacks(names, OWN), transactions::attacks(names, OWN), topics::attacks(names)].concat()
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

#[test]
fn a_neighbours_names_lead_nowhere_and_leave_it_as_it_was() {
    let cluster = Cluster::private(1);
    let mut names = names();
    cluster.create_topic(&names.topics[1], 1);
    cluster.create_topic("others.backing", 1);
    let gateway = InProcess::start(&cluster);
    gateway.serve([acme(&names), zone("other", &[(OWN, "others.backing", "WRITE")])]);
    let port = gateway.broker_port(1);
    let mut acme = Wire::logged_in(port, "acme", SECRET);
    let broker = cluster.bootstrap().rsplit(':').next().unwrap().parse().unwrap();
    names.ids = [id_of(&mut acme, &names.topics[0]), id_of(&mut Wire::connect(broker), &names.topics[1])];
    make_coordinators(&mut acme);
    let victim = Victim::at_work(acme, names);
    let names = victim.names.clone();
    let nothing = names.of_nothing();

    let [mut attacker, mut other] = [(); 2].map(|()| Wire::logged_in(port, "other", SECRET));
    await_coordinators(&mut attacker, &names);
    await_coordinators(&mut other, &nothing);
    let [shown, nowhere] = [&names, &nothing].map(Names::as_written);
    let secrets = [&shown[..], &[b"other:".to_vec(), b"others.backing".to_vec()]].concat();
    let mut findings = Vec::new();
    let questions = |names: &Names| [listings(names), attacks(names)].concat();
    let attacks = questions(&names);
    assert!(attacks.len() > 200, "{}", attacks.len());
    for (attack, control) in attacks.iter().zip(&questions(&nothing)) {
        let answer = attacker.ask(attack).expect("an answer");
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
    what_is_begun_anew_is_the_attackers_own(&mut attacker, &names);
    victim.goes_on_as_it_was();
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
