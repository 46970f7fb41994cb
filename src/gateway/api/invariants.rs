//! What holds of every exchange, whatever the bytes: the tests feed it bodies made by rules, the fuzzer bodies of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "for tests and fuzzing only"
)]

use std::collections::HashSet;

use bytes::Bytes;
use uuid::Uuid;

use super::fixture::{Partner, Produce, Read, Write};
use super::{Entry, Outcome};
use crate::kafka::codec;
use crate::kafka::sample::Vocabulary;
use crate::kafka::shape::{Entity, Shape};
use crate::kafka::walker::{Event, Limits, Walker};

/// A zone in which names cross: an alias is another's backing topic, one topic has two aliases, and each permission occurs.
pub(super) fn partner() -> Partner {
    Partner::of(&[("a", "b", Read), ("b", "a", Write), ("in", "t", Produce), ("out", "t", Read)])
}

/// The words of the partner: its aliases and what is not its own.
pub(super) fn theirs(partner: &Partner) -> Vocabulary {
    let ids = partner.view.topics().iter().filter_map(|topic| topic.ids).map(|ids| ids.synthetic);
    vocabulary(&["a", "b", "in", "out", "t", "other"], ids)
}

/// The words of the broker: backing topics, shared or not.
pub(super) fn ours(partner: &Partner) -> Vocabulary {
    let ids = partner.view.topics().iter().filter_map(|topic| topic.ids).map(|ids| ids.real);
    vocabulary(&["a", "b", "t", "acme:g", "other"], ids)
}

fn vocabulary(names: &[&str], ids: impl Iterator<Item = Uuid>) -> Vocabulary {
    Vocabulary { names: names.iter().map(|&name| name.to_owned()).collect(), ids: ids.collect() }
}

/// Feeds a body to a row's handler and, if it goes to the broker, another one to the way back. Both may be anything; what
/// leaves here has the right shape and names nothing that the other side must not see.
///
/// # Panics
/// When it does.
pub(super) fn hold(partner: &Partner, entry: &Entry, version: i16, request: &Bytes, response: &Bytes) {
    let memory = &partner.memory;
    let exchange = partner.exchange(version);
    let asked = Names::of(entry.request, version, request);
    let (sent, back) = match (entry.handle)(&exchange, request.clone()) {
        Ok(Outcome::Forward { body, respond }) => {
            let more = vec![response.clone(); respond.parts() - 1];
            let back = respond.whole(response.clone(), more, memory).ok();
            (vec![body.pieces().flatten().collect()], back.map(|body| body.pieces().flatten().collect()))
        }
        Ok(Outcome::ForwardEach { bodies, join }) => {
            let more = vec![response.clone(); bodies.len() - 1];
            (bodies, join(response.clone(), more).ok())
        }
        Ok(Outcome::Answer(body)) => (Vec::new(), Some(body)),
        Ok(Outcome::ForwardUnanswered { body, .. }) => (body.into_iter().collect(), None),
        Ok(Outcome::Edit { .. }) => panic!("nothing is to be done to this zone's records"),
        Err(_) => return,
    };
    let name = entry.name();
    for body in sent {
        let body =
            codec::accept(entry.request, version, body).expect("what goes to the broker has its shape");
        only_the_zones(name, partner, &Names::of(entry.request, version, &body));
    }
    if let Some(body) = back {
        let body =
            codec::accept(entry.response, version, body).expect("what goes to the partner has its shape");
        let told = Names::of(entry.response, version, response);
        only_the_partners(name, partner, [&asked, &told], &Names::of(entry.response, version, &body));
    }
}

/// What a body names.
#[derive(Debug, Default)]
struct Names {
    topics: HashSet<Vec<u8>>,
    ids: HashSet<Uuid>,
    prefixed: Vec<Vec<u8>>,
    hosts: Vec<Vec<u8>>,
}

impl Names {
    /// As far as the body has its shape.
    fn of(shape: &'static Shape, version: i16, body: &[u8]) -> Self {
        let mut names = Self::default();
        let mut walker = Walker::new(shape, version, body.len(), Limits::default());
        let mut rest = body;
        loop {
            let event = match walker.next(rest) {
                Err(_) | Ok(Event::End | Event::More { .. }) => return names,
                Ok(event) => event,
            };
            if let Event::Entity { field, value: Some(value), .. } = &event {
                names.take(field.entity, &rest[value.clone()]);
            }
            rest = &rest[event.len()..];
        }
    }

    fn take(&mut self, entity: Option<Entity>, value: &[u8]) {
        match entity {
            Some(Entity::TopicName) => drop(self.topics.insert(value.to_vec())),
            Some(Entity::TopicId) => drop(self.ids.insert(Uuid::from_slice(value).unwrap())),
            Some(Entity::GroupId | Entity::TransactionalId) => self.prefixed.push(value.to_vec()),
            Some(Entity::Host) => self.hosts.push(value.to_vec()),
            _ => {}
        }
    }
}

fn only_the_zones(api: &str, partner: &Partner, sent: &Names) {
    for name in &sent.topics {
        let shared = partner.view.topics().iter().any(|topic| topic.backing.as_str().as_bytes() == name);
        assert!(shared, "{api}: topic {} goes to the broker", name.escape_ascii());
    }
    for id in sent.ids.iter().filter(|id| !id.is_nil()) {
        let shared = partner.view.topics().iter().any(|topic| topic.ids.is_some_and(|ids| ids.real == *id));
        assert!(shared, "{api}: topic id {id} goes to the broker");
    }
    for name in &sent.prefixed {
        assert!(
            name.starts_with(b"acme:"),
            "{api}: {} goes to the broker without its zone",
            name.escape_ascii()
        );
    }
}

fn only_the_partners(api: &str, partner: &Partner, [asked, told]: [&Names; 2], shown: &Names) {
    for name in &shown.topics {
        let alias = partner.view.topics().iter().any(|topic| topic.alias.as_str().as_bytes() == name);
        let known = alias || name.is_empty() || asked.topics.contains(name);
        assert!(known, "{api}: topic {} is shown to the partner", name.escape_ascii());
    }
    // The broker's ids do not pass; a synthetic one that is new stands for a topic that was created anew.
    for id in shown.ids.iter().filter(|id| !id.is_nil() && !asked.ids.contains(id)) {
        let real = partner.view.topics().iter().any(|topic| topic.ids.is_some_and(|ids| ids.real == *id));
        assert!(!real && !told.ids.contains(id), "{api}: topic id {id} is shown to the partner");
    }
    for host in &shown.hosts {
        let harmless = [&b""[..], b"-", b"gw.example.com"].contains(&&host[..]);
        assert!(harmless, "{api}: {} is shown", host.escape_ascii());
    }
}
