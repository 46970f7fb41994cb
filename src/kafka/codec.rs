//! Typed messages, behind the walker: nothing is decoded that its shape has not accepted to the last byte.

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};
use thiserror::Error;

use super::shape::Shape;
use super::unknown_tags;
use super::walker::{Event, Limits, WalkError, Walker};

/// Why a body did not become a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{name} v{version} does not parse: {cause}")]
pub struct DecodeError {
    pub name: &'static str,
    pub version: i16,
    pub cause: DecodeCause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeCause {
    #[error(transparent)]
    Layout(#[from] WalkError),
    /// The layout is right and a value is not, such as a name that is not UTF-8.
    #[error("a value is not valid, for instance text that is not utf-8")]
    Value,
    /// Shape and codec disagree on where the message ends.
    #[error("the codec left {0} bytes unread")]
    Unread(usize),
}

/// A message holds something that its version cannot carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{name} cannot be written as v{version}")]
pub struct EncodeError {
    pub name: &'static str,
    pub version: i16,
}

/// Decodes a body that `shape` accepts to its last byte.
///
/// Tagged fields that the shape does not know keep their size and lose number and content: what one peer understands and
/// we do not must not reach the other.
pub fn decode<M: Decodable>(shape: &'static Shape, version: i16, body: Bytes) -> Result<M, DecodeError> {
    decode_as(shape, version, body, Surplus::Refused, Limits::default())
}

/// As [`decode`], for what a peer sent: bytes behind the end are dropped. Kafka's own clients and brokers do not look at
/// them. librdkafka writes three too many when it asks for the metadata of all topics (from v9 on, it leaves the room for a
/// count that is null), and its `MockCluster` one behind Metadata (v9 and later).
pub fn decode_lenient<M: Decodable>(
    shape: &'static Shape,
    version: i16,
    body: Bytes,
) -> Result<M, DecodeError> {
    decode_lenient_within(shape, version, body, Limits::default())
}

/// As [`decode_lenient`], for answers to questions of ours that are larger than what a partner may ask for.
pub fn decode_lenient_within<M: Decodable>(
    shape: &'static Shape,
    version: i16,
    body: Bytes,
    limits: Limits,
) -> Result<M, DecodeError> {
    decode_as(shape, version, body, Surplus::Dropped, limits)
}

/// What becomes of bytes behind the end of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Surplus {
    Refused,
    Dropped,
}

fn decode_as<M: Decodable>(
    shape: &'static Shape,
    version: i16,
    body: Bytes,
    surplus: Surplus,
    limits: Limits,
) -> Result<M, DecodeError> {
    let failed = |cause| DecodeError { name: shape.name, version, cause };
    let mut accepted =
        accept_as(shape, version, body, surplus, limits).map_err(|error| failed(error.into()))?;
    let message = M::decode(&mut accepted, version).map_err(|_| failed(DecodeCause::Value))?;
    if accepted.is_empty() { Ok(message) } else { Err(failed(DecodeCause::Unread(accepted.len()))) }
}

/// Accepts a body that `shape` describes to its last byte, without decoding it. Copied only if there is an unknown tagged
/// field to neutralise.
pub fn accept(shape: &'static Shape, version: i16, body: Bytes) -> Result<Bytes, WalkError> {
    accept_as(shape, version, body, Surplus::Refused, Limits::default())
}

fn accept_as(
    shape: &'static Shape,
    version: i16,
    mut body: Bytes,
    surplus: Surplus,
    limits: Limits,
) -> Result<Bytes, WalkError> {
    let mut walker = Walker::new(shape, version, body.len(), limits);
    let mut edited: Option<BytesMut> = None;
    let mut position = 0;
    loop {
        let event = match walker.next(body.get(position..).unwrap_or_default()) {
            Err(WalkError::TrailingBytes) if surplus == Surplus::Dropped => {
                if let Some(copy) = &mut edited {
                    copy.truncate(walker.position());
                }
                body.truncate(walker.position());
                Event::End
            }
            walked => walked?,
        };
        let next = position + event.len();
        match event {
            Event::End => return Ok(edited.map_or(body, BytesMut::freeze)),
            Event::More { .. } => return Err(WalkError::Truncated),
            Event::Tagged { field: None, following, size, .. } => {
                let copy = edited.get_or_insert_with(|| BytesMut::from(&*body));
                if let Some(tagged) = copy.get_mut(position..next + size) {
                    unknown_tags::neutralise(tagged, size, following);
                }
            }
            _ => {}
        }
        position = next;
    }
}

/// Writes a message body.
pub fn encode<M: Encodable>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let failed = |_| EncodeError { name: short_name::<M>(), version };
    let mut out = BytesMut::with_capacity(message.compute_size(version).map_err(failed)?);
    message.encode(&mut out, version).map_err(failed)?;
    Ok(out.freeze())
}

fn short_name<M>() -> &'static str {
    let path = std::any::type_name::<M>();
    path.rsplit("::").next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{FetchResponse, ProduceRequest};

    use super::*;
    use crate::kafka::sample::{self, FETCH_RESPONSE, PRODUCE_REQUEST};

    #[test]
    fn a_hostile_count_is_an_error_where_kafka_protocol_alone_would_abort() {
        let body = Bytes::from_static(&[0xff, 0xff, 0, 1, 0, 0, 0, 9, 0x7f, 0xff, 0xff, 0xff]);
        let error = decode::<ProduceRequest>(&PRODUCE_REQUEST, 3, body).unwrap_err();
        assert_eq!(error.cause, DecodeCause::Layout(WalkError::BeyondEnd));
        assert_eq!(
            error.to_string(),
            "ProduceRequest v3 does not parse: a length reaches beyond the end of the message"
        );
    }

    #[test]
    fn no_overwritten_length_makes_decoding_allocate_what_it_claims() {
        for version in 3..=13 {
            sample::assert_hostile_lengths_are_harmless::<ProduceRequest>(&PRODUCE_REQUEST, version);
        }
        for version in 4..=18 {
            sample::assert_hostile_lengths_are_harmless::<FetchResponse>(&FETCH_RESPONSE, version);
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_an_error() {
        let body = Bytes::from_static(&[0, 1, 0xff, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0]);
        let error = decode::<ProduceRequest>(&PRODUCE_REQUEST, 3, body).unwrap_err();
        assert_eq!(error.cause, DecodeCause::Value);
    }

    #[test]
    fn an_unknown_tagged_field_loses_number_and_content_on_its_way_through() {
        let message = FetchResponse::default()
            .with_session_id(7)
            .with_unknown_tagged_field(3, Bytes::from_static(b"from a newer broker"));
        let read: FetchResponse = decode(&FETCH_RESPONSE, 16, encode(&message, 16).unwrap()).unwrap();
        assert_eq!(read.session_id, 7);
        assert_eq!(
            read.unknown_tagged_fields.into_iter().collect::<Vec<_>>(),
            [(127, Bytes::from(vec![0; 19]))]
        );
    }

    #[test]
    fn a_body_without_unknown_tagged_fields_is_not_copied() {
        let body = Bytes::from(sample::body(&FETCH_RESPONSE, 16, 5));
        let accepted = accept(&FETCH_RESPONSE, 16, body.clone()).unwrap();
        assert_eq!(accepted.as_ptr(), body.as_ptr());
    }

    #[test]
    fn bytes_behind_a_message_are_refused_in_a_request_and_dropped_from_a_response() {
        let message = FetchResponse::default()
            .with_session_id(7)
            .with_unknown_tagged_field(3, Bytes::from_static(b"from a newer broker"));
        for (version, exact) in
            [(16, encode(&message, 16).unwrap()), (7, sample::body(&FETCH_RESPONSE, 7, 5).into())]
        {
            let longer = Bytes::from([&exact[..], &[0, 1]].concat());
            let refused = decode::<FetchResponse>(&FETCH_RESPONSE, version, longer.clone()).unwrap_err();
            assert_eq!(refused.cause, DecodeCause::Layout(WalkError::TrailingBytes));
            let read: FetchResponse = decode_lenient(&FETCH_RESPONSE, version, longer).unwrap();
            assert_eq!(read, decode(&FETCH_RESPONSE, version, exact).unwrap());
        }
    }

    #[test]
    fn a_message_that_its_version_cannot_carry_is_an_error_with_a_name() {
        let error = encode(&FetchResponse::default().with_session_id(7), 4).unwrap_err();
        assert_eq!(error.to_string(), "FetchResponse cannot be written as v4");
    }
}
