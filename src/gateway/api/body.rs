//! Bodies in and out. The codec walks a body before it decodes it, and neutralises tagged fields that no shape knows.

use std::sync::Mutex;

use bytes::Bytes;
use kafka_protocol::messages;
use kafka_protocol::protocol::{Decodable, Encodable};
use tracing::{debug, warn};

use super::names::{Names, Rounds};
use super::{JoinBodies, MapBody, Outcome, Refusal, Respond};
use crate::gateway::memory::Memory;
use crate::kafka::codec;
use crate::kafka::shape::Shape;
use crate::kafka::stream::Rewritten;

/// A partner's request.
pub(super) fn request<M: Decodable>(shape: &'static Shape, version: i16, body: Bytes) -> Result<M, Refusal> {
    codec::decode_lenient(shape, version, body).map_err(|error| {
        debug!(%error, "a partner's request does not parse");
        Refusal::MalformedRequest
    })
}

/// A broker's response.
pub(super) fn response<M: Decodable>(shape: &'static Shape, version: i16, body: Bytes) -> Result<M, Refusal> {
    codec::decode_lenient(shape, version, body).map_err(|error| {
        warn!(%error, "a broker's response does not parse; the partner's connection ends");
        Refusal::MalformedResponse
    })
}

pub(super) fn encode<M: Encodable>(message: &M, version: i16) -> Result<Bytes, Refusal> {
    codec::encode(message, version).map_err(|error| {
        warn!(%error, "a message could not be written; the partner's connection ends");
        Refusal::Unencodable
    })
}

/// Answers with this response.
pub(super) fn answer<M: Encodable>(message: &M, version: i16) -> Result<Outcome, Refusal> {
    Ok(Outcome::Answer(encode(message, version)?))
}

/// Where a response has its topics, and a topic its name.
pub(super) struct Topics<R, D> {
    pub(super) of: fn(&mut R) -> &mut Vec<D>,
    pub(super) name: fn(&mut D) -> &mut messages::TopicName,
}

/// Sends a request for each of `rounds`, and one response back: the topics of all of them under their aliases, each as `edit`
/// leaves it, and `refused`.
pub(super) fn forward_rounds<T, Q, R, D>(
    rounds: Rounds<T>,
    request: impl Fn(Vec<T>) -> Q,
    shape: &'static Shape,
    version: i16,
    topics: &Topics<R, D>,
    edit: impl Fn(&mut D) + Send + 'static,
    refused: Vec<D>,
) -> Result<Outcome, Refusal>
where
    Q: Encodable,
    R: Decodable + Encodable + 'static,
    D: Send + 'static,
{
    let &Topics { of, name } = topics;
    let mut bodies = Vec::new();
    let mut ways_back = Vec::new();
    for (names, asked) in rounds.into_rounds() {
        bodies.push(encode(&request(asked), version)?);
        ways_back.push(names);
    }
    let join: JoinBodies = Box::new(move |body, more| {
        let shown = |body, names: &Names| {
            let mut message: R = response(shape, version, body)?;
            of(&mut message).retain_mut(|topic| names.rename_back(name(topic)));
            of(&mut message).iter_mut().for_each(&edit);
            Ok(message)
        };
        let mut ways_back = ways_back.iter();
        let first = ways_back.next().ok_or(Refusal::MalformedResponse)?;
        let mut joined = shown(body, first)?;
        for (body, names) in more.into_iter().zip(ways_back) {
            of(&mut joined).append(of(&mut shown(body, names)?));
        }
        of(&mut joined).extend(refused);
        encode(&joined, version)
    });
    Ok(Outcome::ForwardEach { bodies, join })
}

/// Sends `request` on, and its response back as `map` leaves it.
pub(super) fn forward<Q: Encodable, R: Decodable + Encodable>(
    request: &Q,
    shape: &'static Shape,
    version: i16,
    map: impl FnOnce(&mut R) + Send + 'static,
) -> Result<Outcome, Refusal> {
    forward_and_note(request, shape, version, |message, _| map(message))
}

/// As [`forward`], for what the connection must remember of a response.
pub(super) fn forward_and_note<Q: Encodable, R: Decodable + Encodable>(
    request: &Q,
    shape: &'static Shape,
    version: i16,
    map: impl FnOnce(&mut R, &Mutex<Memory>) + Send + 'static,
) -> Result<Outcome, Refusal> {
    let back: MapBody = Box::new(move |body, memory| {
        let mut message: R = response(shape, version, body)?;
        map(&mut message, memory);
        encode(&message, version).map(Rewritten::from)
    });
    Ok(Outcome::Forward { body: encode(request, version)?.into(), respond: Respond::Whole(back) })
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::MetadataRequest;

    use super::super::metadata;
    use super::*;

    /// What librdkafka 2.12 sends: a null list in four bytes instead of one. Brokers read it the same way.
    #[test]
    fn librdkafkas_request_for_all_topics_is_read_as_a_broker_does() {
        let body = Bytes::from_static(&[0, 0, 0, 0, 1, 0, 0]);
        let request: MetadataRequest = request(&metadata::REQUEST, 13, body).unwrap();
        assert_eq!(request.topics, None);
    }
}
