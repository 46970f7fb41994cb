//! A message that is here as a whole, with other names in it: nothing but the names is copied.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use super::{StreamError, names_brokers};
use crate::kafka::primitive::put_varint;
use crate::kafka::records::{self, Counted};
use crate::kafka::shape::{Entity, Field, Shape};
use crate::kafka::walker::{Event, Limits, WalkError, Walker};

/// A body as it leaves: slices of the one that came, and the new names between them.
#[derive(Debug)]
pub struct Rewritten {
    body: Bytes,
    names: Bytes,
    edits: Vec<Edit>,
    len: usize,
}

/// These bytes of the body become those of the names.
#[derive(Debug)]
struct Edit {
    at: Range<usize>,
    name: Range<usize>,
}

/// What becomes of a value that names something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead<'n> {
    Same,
    Text(Cow<'n, str>),
    Id(Uuid),
}

/// Gives what is named in `body` other names: `instead` answers, for every value that names something (`None`: it is null),
/// what the other side calls it, or an error if this message wants more than new names. One that names brokers does, and so
/// does one with a tagged field that nobody knows. `counted` hears of the records behind the value that `instead` was asked for last.
pub fn rewrite<'n>(
    shape: &'static Shape,
    version: i16,
    body: &Bytes,
    mut instead: impl FnMut(&'static Field, Option<&[u8]>) -> Result<Instead<'n>, StreamError>,
    mut counted: impl FnMut(Counted),
) -> Result<Rewritten, StreamError> {
    let mut walker = Walker::new(shape, version, body.len(), Limits::default());
    let (mut names, mut edits) = (BytesMut::new(), Vec::new());
    let (mut position, mut len) = (0, body.len());
    loop {
        let unread = body.get(position..).unwrap_or_default();
        let event = walker.next(unread)?;
        let next = position + event.len();
        match event {
            Event::End => break,
            Event::More { .. } => return Err(WalkError::Truncated.into()),
            Event::Tagged { field, .. } if field.is_none_or(|field| names_brokers(&field.kind)) => {
                return Err(StreamError::NotStreamable("a tagged field that must not pass"));
            }
            Event::Entity { field, value, .. } => {
                let start = names.len();
                match instead(field, value.and_then(|value| unread.get(value)))? {
                    Instead::Same => {}
                    Instead::Text(text) => put_text(&mut names, &text, shape.is_flexible(version))?,
                    Instead::Id(id) => names.extend_from_slice(id.as_bytes()),
                }
                if names.len() > start {
                    len = len - (next - position) + (names.len() - start);
                    edits.push(Edit { at: position..next, name: start..names.len() });
                }
            }
            Event::Payload { len, .. } => counted(records::count(unread.get(..len).unwrap_or_default())),
            _ => {}
        }
        position = next;
    }
    Ok(Rewritten { body: body.clone(), names: names.freeze(), edits, len })
}

/// What becomes of a value in a message whose topics are all that it names: `name` and `id` answer what the other side calls
/// one, or `None` for one that it must not see.
pub fn topics_only<'n>(
    field: &'static Field,
    value: Option<&[u8]>,
    name: impl FnOnce(&str) -> Option<&'n str>,
    id: impl FnOnce(Uuid) -> Option<Uuid>,
) -> Result<Instead<'n>, StreamError> {
    match (field.entity, value) {
        (_, None) => Ok(Instead::Same),
        (Some(Entity::TopicName), Some(value)) => {
            let known = std::str::from_utf8(value).map_err(|_| StreamError::Name)?;
            Ok(Instead::Text(name(known).ok_or(StreamError::UnknownTopic)?.into()))
        }
        (Some(Entity::TopicId), Some(value)) => {
            let known = Uuid::from_slice(value).map_err(|_| StreamError::UnknownTopicId)?;
            Ok(Instead::Id(id(known).ok_or(StreamError::UnknownTopicId)?))
        }
        _ => Err(StreamError::NotStreamable(field.name)),
    }
}

/// Appends a string as the wire has it.
pub(super) fn put_text(out: &mut BytesMut, text: &str, flexible: bool) -> Result<(), StreamError> {
    let len = i16::try_from(text.len()).map_err(|_| StreamError::Name)?;
    if flexible {
        put_varint(out, u32::from(len.unsigned_abs()) + 1);
    } else {
        out.put_i16(len);
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

impl Rewritten {
    /// Bytes in all.
    #[allow(clippy::len_without_is_empty, reason = "a message is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// All of it, piece by piece.
    pub fn pieces(&self) -> impl Iterator<Item = Bytes> {
        let mut from = 0;
        let edited = self.edits.iter().flat_map(move |edit| {
            let before = std::mem::replace(&mut from, edit.at.end)..edit.at.start;
            [self.body.slice(before), self.names.slice(edit.name.clone())]
        });
        let behind = self.edits.last().map_or(0, |edit| edit.at.end);
        edited.chain([self.body.slice(behind..)])
    }
}

impl From<Bytes> for Rewritten {
    /// A message without anything to replace.
    fn from(body: Bytes) -> Self {
        Self { len: body.len(), body, names: Bytes::new(), edits: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{FetchResponse, TopicName};

    use super::*;
    use crate::kafka::codec;
    use crate::kafka::sample::{self, FETCH_RESPONSE};

    fn decode(version: i16, body: Bytes) -> FetchResponse {
        codec::decode(&FETCH_RESPONSE, version, body).unwrap()
    }

    #[test]
    fn a_message_gets_the_names_and_ids_that_it_would_get_if_it_were_decoded() {
        let ids = |id: Uuid| Some(Uuid::from_u128(!id.as_u128()));
        for version in 4..=17 {
            let mut topics = 0;
            for seed in 0..40 {
                let body = Bytes::from(sample::body(&FETCH_RESPONSE, version, seed));
                let mut expected = decode(version, body.clone());
                if !expected.node_endpoints.is_empty() || !expected.unknown_tagged_fields.is_empty() {
                    continue;
                }
                topics += expected.responses.len();
                for (index, topic) in expected.responses.iter_mut().enumerate() {
                    let longer = "an-alias-that-is-longer".get(index % 7..).unwrap();
                    if version < 13 {
                        topic.topic = TopicName(longer.into());
                    } else {
                        topic.topic_id = ids(topic.topic_id).unwrap();
                    }
                }
                let asked = std::cell::Cell::new(0);
                let name = |_: &str| {
                    let index = asked.replace(asked.get() + 1);
                    "an-alias-that-is-longer".get(index % 7..)
                };
                let renamed = rewrite(
                    &FETCH_RESPONSE,
                    version,
                    &body,
                    |field, value| topics_only(field, value, name, ids),
                    |_| {},
                );
                let Ok(rewritten) = renamed else {
                    continue; // a nested tagged field that nobody knows
                };
                let out: Bytes = rewritten.pieces().flatten().collect();
                assert_eq!(out.len(), rewritten.len(), "v{version}");
                assert_eq!(decode(version, out), expected, "v{version}");
            }
            assert!(topics > 10, "v{version}: hardly anything was compared");
        }
    }

    #[test]
    fn a_topic_that_must_not_be_seen_is_an_error() {
        for (version, error) in [(11, StreamError::UnknownTopic), (13, StreamError::UnknownTopicId)] {
            let body = (0..100)
                .map(|seed| Bytes::from(sample::body(&FETCH_RESPONSE, version, seed)))
                .find(|body| decode(version, body.clone()).responses.len() > 1)
                .unwrap();
            let last = decode(version, body.clone()).responses.pop().unwrap();
            let name = |name: &str| (name != last.topic.as_str()).then_some("shown");
            let id = |id: Uuid| (id != last.topic_id).then(|| Uuid::from_u128(7));
            let outcome = rewrite(
                &FETCH_RESPONSE,
                version,
                &body,
                |field, value| topics_only(field, value, name, id),
                |_| {},
            );
            assert_eq!(outcome.unwrap_err(), error);
        }
    }

    #[test]
    fn a_message_that_names_brokers_is_not_a_matter_of_names_alone() {
        let body = (0..100)
            .map(|seed| Bytes::from(sample::body(&FETCH_RESPONSE, 16, seed)))
            .find(|body| !decode(16, body.clone()).node_endpoints.is_empty())
            .unwrap();
        let outcome = rewrite(&FETCH_RESPONSE, 16, &body, |_, _| Ok(Instead::Same), |_| {});
        assert!(matches!(outcome, Err(StreamError::NotStreamable(_))));
    }
}
