//! Fetch (1): records of readable aliases.
//!
//! Fetch sessions stay the broker's own. This side remembers, per session that was created on this connection, which alias
//! stands for which backing topic and what it took out of the requests; a session id from elsewhere is unknown.

mod hide;
mod reply;
mod session;
mod shapes;
mod turns;
mod windows;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchTopic, ReplicaState};
use kafka_protocol::messages::{self, BrokerId, FetchRequest, FetchResponse};
use uuid::Uuid;

pub(crate) use self::hide::Hidden;
use self::reply::Kind;
pub(crate) use self::reply::Reply;
pub(crate) use self::session::Session;
use self::session::{Shown, Unfit};
pub(crate) use self::shapes::{REQUEST, RESPONSE, VERSIONS};
use super::names;
use super::{Exchange, Outcome, Refusal, Respond, body};
use crate::gateway::memory::Memory;
use crate::policy::Topic;
use crate::zone::TopicName;

/// The most a partner may ask for at once, in bytes: a broker's own default for `fetch.max.bytes`. A single batch that is
/// larger still comes whole (KIP-74).
pub(crate) const MAX_BYTES: i32 = 55 * 1024 * 1024;

/// The longest a partner may have a broker wait for records, in milliseconds: far below every idle timeout on the way, and a
/// partner that is gone is noticed when the answer comes at the latest.
const MAX_WAIT: i32 = 60_000;

/// The same for a response that has to be held as a whole, because names in it change its length or headers are taken out of its
/// records. The partner asks again for what did not fit.
const MAX_HELD_BYTES: i32 = 8 * 1024 * 1024;

/// The first version with sessions, and the first that addresses topics by id.
const SESSIONS: i16 = 7;
const BY_ID: i16 = 13;

/// The most states of one session at a time. Clients wait for a session's response before they send its next request; whoever
/// does not makes a copy of the session with each.
const STATES_LIMIT: usize = 4;

/// The epoch of a fetch outside of any session.
const NO_SESSION: i32 = -1;

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: FetchRequest = body::request(&REQUEST, version, body)?;
    as_consumer(&mut request);
    request.max_bytes = request.max_bytes.min(exchange.quota.fetch_bytes);
    let mut memory = Memory::lock(exchange.memory);
    let (used, meter) = (memory.used.clone(), memory.meter());
    let (session, kind) = if request.session_epoch <= 0 {
        request.session_id = close_previous(&mut memory, version, request.session_id);
        let waiting = turns::waiting(exchange.view, version, &request.topics, memory.turn);
        if !waiting.is_empty() {
            memory.turn = memory.turn.wrapping_add(1);
            request.max_wait_ms = request.max_wait_ms.min(turns::MAX_WAIT_MS);
        }
        if !waiting.is_empty() || windows::are_in(exchange.view, version, &request.topics) {
            request.session_epoch = NO_SESSION;
        }
        let mut session = Session::new(exchange.view);
        if ask(&mut session, &waiting, exchange, &mut request).is_err() {
            return gone(version);
        }
        let kind = if request.session_epoch == 0 { Kind::Opens } else { Kind::Single };
        (Arc::new(session), kind)
    } else {
        let id = request.session_id;
        let Some(known) = memory.sessions.get_mut(&id) else { return gone(version) };
        let mut changes = |session: &mut Session| {
            !windows::are_in(exchange.view, version, &request.topics)
                && session.still_right(exchange.view)
                && ask(session, &HashSet::new(), exchange, &mut request).is_ok()
        };
        if known.states() >= STATES_LIMIT || !changes(Arc::make_mut(known)) {
            memory.sessions.remove(&id);
            memory.abandoned = Some(id);
            return gone(version);
        }
        (Arc::clone(known), Kind::Continues(id))
    };
    // A request that changes nothing in its session names no topic, and that is most of them.
    if let Some(used) = used.filter(|_| !request.topics.is_empty()) {
        used.note(session.aliases());
    }
    if !session.passes(version) {
        request.max_bytes = request.max_bytes.min(MAX_HELD_BYTES);
    }
    let reply = Reply::new(version, session, kind, Arc::clone(exchange.brokers), meter);
    let respond = Respond::Fetch(Box::new(reply));
    Ok(Outcome::Forward { body: body::encode(&request, version)?.into(), respond })
}

/// A partner is a consumer: a replica would see beyond the high watermark, and move it.
fn as_consumer(request: &mut FetchRequest) {
    request.replica_id = BrokerId(-1);
    request.replica_state = ReplicaState::default();
    request.cluster_id = None;
    request.max_bytes = request.max_bytes.min(MAX_BYTES);
    request.max_wait_ms = request.max_wait_ms.min(MAX_WAIT);
    for partition in request.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.replica_directory_id = Uuid::nil();
        partition.high_watermark = i64::MAX;
    }
}

/// The session that a full fetch replaces: the one it names if it is this connection's, else one that was ended here.
fn close_previous(memory: &mut Memory, version: i16, id: i32) -> i32 {
    if version < SESSIONS {
        return 0;
    }
    if memory.abandoned == Some(id) || memory.sessions.remove(&id).is_some() {
        memory.abandoned = memory.abandoned.filter(|abandoned| *abandoned != id);
        return id;
    }
    memory.abandoned.take().unwrap_or(0)
}

/// Takes a request's changes into the session, and leaves in the request what is the broker's to know.
fn ask(
    session: &mut Session,
    waiting: &HashSet<TopicName>,
    exchange: &Exchange<'_>,
    request: &mut FetchRequest,
) -> Result<(), Unfit> {
    let version = exchange.version;
    // In this order a client can replace one alias of a topic by another in one request.
    request.forgotten_topics_data.retain_mut(|forgotten| {
        let shown = Shown::of(version, &forgotten.topic, forgotten.topic_id);
        match session.forget(&shown, &forgotten.partitions) {
            Some(topic) => towards_broker(&topic, version, &mut forgotten.topic, &mut forgotten.topic_id),
            None => false,
        }
    });
    let mut topics = Vec::with_capacity(request.topics.len());
    for mut fetched in std::mem::take(&mut request.topics) {
        let shown = Shown::of(version, &fetched.topic, fetched.topic_id);
        if session.has_to_wait(&shown, waiting) {
            session.answer_here(&shown, 0, numbers(&fetched))?;
            continue;
        }
        let shut = windows::take_shut(exchange, session, &shown, &mut fetched);
        if (shut.is_empty() || !fetched.partitions.is_empty())
            && let Some(topic) = session.ask(&shown, numbers(&fetched))?
            && towards_broker(&topic, version, &mut fetched.topic, &mut fetched.topic_id)
        {
            topics.push(fetched);
        }
        for (partition, error) in shut {
            // As a broker does, which has something to say at once.
            request.max_wait_ms = 0;
            session.answer_here(&shown, error.code(), std::iter::once(partition))?;
        }
    }
    request.topics = topics;
    Ok(())
}

fn numbers(topic: &FetchTopic) -> impl Iterator<Item = i32> {
    topic.partitions.iter().map(|partition| partition.partition)
}

/// Puts the broker's name or id of a topic in place. False if it has none; then nobody could have asked by it.
fn towards_broker(topic: &Topic, version: i16, name: &mut messages::TopicName, id: &mut Uuid) -> bool {
    if version < BY_ID {
        *name = names::wire(&topic.backing);
        return true;
    }
    topic.ids.map(|ids| *id = ids.real).is_some()
}

/// The session does not exist here, or no longer: clients build a new one.
fn gone(version: i16) -> Result<Outcome, Refusal> {
    body::answer(
        &FetchResponse::default().with_error_code(ResponseError::FetchSessionIdNotFound.code()),
        version,
    )
}
