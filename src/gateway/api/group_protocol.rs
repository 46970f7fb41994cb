//! Topic names inside the bytes that a classic group's members hand each other.
//!
//! The broker reads them too: with aliases in them it would let the committed offsets of a living group expire. So they
//! are backing names there, and aliases here.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::gateway::memory::Membership;
use crate::kafka::consumer_protocol;
use crate::policy::{Topic, ZoneView};
use crate::zone::{Operation, TopicName};

/// The only protocol type whose bytes are known.
pub(super) const CONSUMER: &str = "consumer";

/// The name the broker knows. None for what is no alias: the broker would answer for it, so it is never sent.
///
/// An alias without READ is sent all the same: Kafka lets such a topic be subscribed to and assigned, and the Fetch then
/// tells the partner what is missing. Left out here, the consumer would wait for ever without a word.
fn backing(view: &ZoneView, alias: &str) -> Option<String> {
    Some(view.by_alias(alias)?.backing.as_str().to_owned())
}

/// The alias that stands for a backing topic: the first in manifest order that the receiving member subscribed to, and
/// among those one it may read before one it may not.
fn alias(view: &ZoneView, subscribed: &HashSet<TopicName>, backing: &str) -> Option<String> {
    let rank =
        |topic: &&Topic| (!subscribed.contains(&topic.alias), !topic.permission.allows(Operation::Read));
    let topic = view.by_backing(backing).min_by_key(rank)?;
    Some(topic.alias.as_str().to_owned())
}

/// Maps with `map`, which has nothing to say about bytes that do not parse: they pass, as they pass a broker.
fn map(bytes: &mut Bytes, map: impl FnOnce(&[u8]) -> Option<Bytes>) {
    if let Some(mapped) = map(bytes) {
        *bytes = mapped;
    }
}

pub(super) fn subscription_in(view: &ZoneView, bytes: &mut Bytes) {
    map(bytes, |bytes| consumer_protocol::map_subscription(bytes, |name| backing(view, name)));
}

pub(super) fn subscription_out(view: &ZoneView, subscribed: &HashSet<TopicName>, bytes: &mut Bytes) {
    map(bytes, |bytes| consumer_protocol::map_subscription(bytes, |name| alias(view, subscribed, name)));
}

pub(super) fn assignment_in(view: &ZoneView, bytes: &mut Bytes) {
    map(bytes, |bytes| consumer_protocol::map_assignment(bytes, |name| backing(view, name)));
}

pub(super) fn assignment_out(view: &ZoneView, subscribed: &HashSet<TopicName>, bytes: &mut Bytes) {
    map(bytes, |bytes| consumer_protocol::map_assignment(bytes, |name| alias(view, subscribed, name)));
}

/// What a member says about itself when it joins with these subscriptions, one per assignor it offers.
pub(super) fn membership<'a>(
    view: &ZoneView,
    protocol_type: &str,
    subscriptions: impl Iterator<Item = &'a Bytes>,
) -> Membership {
    if protocol_type != CONSUMER {
        return Membership::Other;
    }
    let names = subscriptions.filter_map(|bytes| consumer_protocol::names_in_subscription(bytes)).flatten();
    let aliases = names.filter_map(|name| Some(view.by_alias(&name)?.alias.clone()));
    Membership::Consumer(Arc::new(aliases.collect()))
}
