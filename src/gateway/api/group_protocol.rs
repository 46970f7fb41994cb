//! Topic names inside the bytes that a classic group's members hand each other.
//!
//! The broker reads them too: with aliases in them it would let the committed offsets of a living group expire. So they
//! are backing names there, and aliases here.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

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

/// What stands for a backing topic: the first alias in manifest order that the receiving member subscribed to, and among
/// those one it may read before one it may not.
pub(super) fn shown_as<'v>(
    view: &'v ZoneView,
    subscribed: &HashSet<TopicName>,
    backing: &str,
) -> Option<&'v Topic> {
    let rank =
        |topic: &&Topic| (!subscribed.contains(&topic.alias), !topic.permission.allows(Operation::Read));
    view.by_backing(backing).min_by_key(rank)
}

fn alias(view: &ZoneView, subscribed: &HashSet<TopicName>, backing: &str) -> Option<String> {
    Some(shown_as(view, subscribed, backing)?.alias.as_str().to_owned())
}

/// The bytes with their names mapped. Those that do not parse could hold names that a broker reads and we do not: in a
/// group with members of the new protocol it answers for them. They are refused as a broker refuses them there. Bytes
/// that are not there hold no names (a leader writes none for a member that gets nothing).
fn into_backing(bytes: &mut Bytes, map: impl FnOnce(&[u8]) -> Option<Bytes>) -> Result<(), ResponseError> {
    if !bytes.is_empty() {
        *bytes = map(bytes).ok_or(ResponseError::InconsistentGroupProtocol)?;
    }
    Ok(())
}

/// As [`into_backing`] the other way; what does not parse was put there by somebody else, under real names.
fn into_aliases(bytes: &mut Bytes, map: impl FnOnce(&[u8]) -> Option<Bytes>) {
    *bytes = map(bytes).unwrap_or_default();
}

pub(super) fn subscription_in(view: &ZoneView, bytes: &mut Bytes) -> Result<(), ResponseError> {
    into_backing(bytes, |bytes| consumer_protocol::map_subscription(bytes, |name| backing(view, name)))
}

pub(super) fn subscription_out(view: &ZoneView, subscribed: &HashSet<TopicName>, bytes: &mut Bytes) {
    into_aliases(bytes, |bytes| {
        consumer_protocol::map_subscription(bytes, |name| alias(view, subscribed, name))
    });
}

pub(super) fn assignment_in(view: &ZoneView, bytes: &mut Bytes) -> Result<(), ResponseError> {
    into_backing(bytes, |bytes| consumer_protocol::map_assignment(bytes, |name| backing(view, name)))
}

pub(super) fn assignment_out(view: &ZoneView, subscribed: &HashSet<TopicName>, bytes: &mut Bytes) {
    into_aliases(bytes, |bytes| {
        consumer_protocol::map_assignment(bytes, |name| alias(view, subscribed, name))
    });
}

/// Of a member that is not known as a consumer. It may have become one over another connection, so that an assignment with
/// a real name of the zone's in it is mapped all the same; anything else is the member's own business.
pub(super) fn unknown_out(view: &ZoneView, bytes: &mut Bytes) {
    let names = consumer_protocol::names_in_assignment(bytes).unwrap_or_default();
    if names.iter().any(|name| view.by_backing(name).next().is_some()) {
        assignment_out(view, &HashSet::new(), bytes);
    }
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
