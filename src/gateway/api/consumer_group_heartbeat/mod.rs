//! ConsumerGroupHeartbeat (68): a member of the new protocol (KIP-848) says what it wants and has, and is told its part.
//!
//! The broker is told backing topics, and never a regular expression: it would look for real names. So a pattern is
//! evaluated here, over the aliases, whenever they change. That takes memory of what a member said before; one that this
//! connection does not know (it moved here from another gateway) is asked to say everything again. Names that are no alias
//! are not sent on: whoever subscribes to them waits, as for a topic that does not exist yet.

mod member;
mod shapes;

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions as Owned;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use self::member::Refused;
use super::{Exchange, Outcome, Refusal, body, group_id, names};
use crate::gateway::memory::Memory;
use crate::policy::ZoneView;

pub(crate) use self::member::Member;
pub(crate) use self::shapes::{REQUEST, RESPONSE, VERSIONS};

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: ConsumerGroupHeartbeatRequest = body::request(&REQUEST, version, body)?;
    let group = request.group_id.to_string();
    match group_id::member_inside(exchange.view, &request.group_id) {
        Ok(inside) => request.group_id = inside,
        // Kafka's word for a heartbeat without a group, other than in the classic protocol.
        Err(_) if group.is_empty() => return refuse(ResponseError::InvalidRequest, None, version),
        Err(error) => return refuse(error, None, version),
    }
    let key = (group.clone(), request.member_id.to_string());
    // A negative epoch leaves the group: there is nothing to remember, and nothing more to say.
    if request.member_epoch < 0 {
        Memory::lock(exchange.memory).members.remove(&key);
        put_inside(exchange.view, &mut request, None);
        return body::forward(
            &request,
            &RESPONSE,
            version,
            |response: &mut ConsumerGroupHeartbeatResponse| {
                response.error_message = None;
                response.assignment = None;
            },
        );
    }
    let before = Memory::lock(exchange.memory).members.get(&key).cloned().unwrap_or_default();
    let mut next = match before.after(exchange.view, &request) {
        Ok(next) => next,
        Err(Refused::Pattern(message)) => {
            return refuse(ResponseError::InvalidRegularExpression, Some(message), version);
        }
        Err(Refused::Incomplete) => {
            let mut asked = before;
            let error = asked.ask();
            Memory::lock(exchange.memory).members.put(&key, asked);
            return refuse(error, None, version);
        }
    };
    let news = next.news(&before, &request);
    let news = news.map(|backing| backing.iter().map(names::wire).collect());
    put_inside(exchange.view, &mut request, news);
    body::forward_and_note(
        &request,
        &RESPONSE,
        version,
        move |response: &mut ConsumerGroupHeartbeatResponse, memory| {
            // In the broker's words, which may name what the partner must not see.
            response.error_message = None;
            if response.error_code != 0 {
                response.assignment = None;
                return;
            }
            show(response, &mut next);
            // Version 0 lets the broker give the member its id.
            let member = response.member_id.as_ref().map_or(key.1, ToString::to_string);
            Memory::lock(memory).members.put(&(group, member), next);
        },
    )
}

fn refuse(error: ResponseError, message: Option<String>, version: i16) -> Result<Outcome, Refusal> {
    let refused = ConsumerGroupHeartbeatResponse::default()
        .with_error_code(error.code())
        .with_error_message(message.map(StrBytes::from_string));
    body::answer(&refused, version)
}

/// Puts what the member subscribes to and owns into the broker's words.
fn put_inside(
    view: &ZoneView,
    request: &mut ConsumerGroupHeartbeatRequest,
    backing: Option<Vec<kafka_protocol::messages::TopicName>>,
) {
    request.subscribed_topic_names = backing;
    // Empty is "none": a broker must never have one of this member, whoever it was before.
    request.subscribed_topic_regex = request.subscribed_topic_regex.take().map(|_| StrBytes::default());
    request.topic_partitions = request.topic_partitions.take().map(|owned| owned_inside(view, &owned));
}

/// Two aliases of one topic are one there. What is not the zone's is left out: the member is about to lose it.
fn owned_inside(view: &ZoneView, owned: &[Owned]) -> Vec<Owned> {
    let mut merged: Vec<Owned> = Vec::new();
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    for topic in owned {
        let Some(ids) = view.by_synthetic_id(topic.topic_id).and_then(|known| known.ids) else { continue };
        let place = *places.entry(ids.real).or_insert_with(|| {
            merged.push(Owned::default().with_topic_id(ids.real));
            merged.len() - 1
        });
        if let Some(one) = merged.get_mut(place) {
            one.partitions.extend(&topic.partitions);
        }
    }
    for topic in &mut merged {
        topic.partitions.sort_unstable();
        topic.partitions.dedup();
    }
    merged
}

/// Shows a new assignment under the member's own aliases.
fn show(response: &mut ConsumerGroupHeartbeatResponse, member: &mut Member) {
    let Some(assignment) = &mut response.assignment else { return };
    let mut shown = HashMap::new();
    assignment.topic_partitions.retain_mut(|topic| {
        let synthetic = member.synthetic(topic.topic_id);
        shown.insert(topic.topic_id, synthetic);
        topic.topic_id = synthetic.unwrap_or_default();
        synthetic.is_some()
    });
    member.assigned(shown);
}

#[cfg(test)]
mod tests;
