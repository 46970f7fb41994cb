//! Messages about one topic on their way (a Produce request, a Fetch response that names its topic): first the head, which
//! decides, then the records.

use bytes::BytesMut;
use uuid::Uuid;

use super::rewrite::put_text;
use super::{Editor, StreamError};
use crate::kafka::primitive::{read_i16, read_i32};
use crate::kafka::records::Counted;
use crate::kafka::shape::{Entity, Field, Shape};
use crate::kafka::walker::{Event, Limits, Walker};

/// How a request says which topic it means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TopicRef {
    Name(String),
    Id(Uuid),
}

/// What a message says before its first record: enough to decide, when it is about one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTopicHead {
    pub transactional_id: Option<String>,
    /// Of a Produce request; 0: no response will come.
    pub acks: i16,
    /// How many topics the message is about. Only one about one can be streamed; others are for the whole-body way.
    pub topics: u32,
    /// The first of them; `None` only if there are none.
    pub topic: Option<TopicRef>,
    /// Bytes of the body that the head takes, its first topic included.
    pub len: usize,
    after_transactional_id: usize,
    before_topic: usize,
    flexible: bool,
}

impl OneTopicHead {
    /// Reads the head from the front of a body of `body_len` bytes, of which `unread` has arrived. `None`: more is needed,
    /// never more than two strings and a few numbers.
    pub fn read(
        shape: &'static Shape,
        version: i16,
        body_len: usize,
        unread: &[u8],
    ) -> Result<Option<(Self, OneTopicTail)>, StreamError> {
        let mut walker = Walker::new(shape, version, body_len, Limits::default());
        let mut head = Self {
            transactional_id: None,
            // Any value but 0, until the request's own is read, which stands in front of its topics in every version.
            acks: -1,
            topics: 0,
            topic: None,
            len: 0,
            after_transactional_id: 0,
            before_topic: 0,
            flexible: shape.is_flexible(version),
        };
        loop {
            let rest = unread.get(head.len..).unwrap_or_default();
            let event = walker.next(rest)?;
            head.before_topic = head.len;
            head.len += event.len();
            let decided = match event {
                Event::More { .. } => return Ok(None),
                Event::Array { count, .. } => {
                    head.topics = count.unwrap_or(0);
                    head.topics == 0
                }
                Event::Entity { field, value, .. } => {
                    head.take(field, value.and_then(|value| rest.get(value)))?;
                    if field.entity == Some(Entity::TransactionalId) {
                        head.after_transactional_id = head.len;
                    }
                    head.topic.is_some()
                }
                _ => false,
            };
            if decided {
                return Ok(Some((
                    head,
                    OneTopicTail { editor: Editor::new(walker), partitions: Vec::new() },
                )));
            }
        }
    }

    /// The head with another name or id for its topic, and another transactional id where there is one, to be sent instead
    /// of the first [`Self::len`] bytes, which `unread` starts with. What it is longer or shorter by, the frame is.
    pub fn mapped(
        &self,
        unread: &[u8],
        transactional_id: Option<&str>,
        topic: &TopicRef,
    ) -> Result<BytesMut, StreamError> {
        let mut out = BytesMut::with_capacity(self.len + 64);
        // It is the first field of all.
        let mapped = match transactional_id {
            Some(id) => {
                put_text(&mut out, id, self.flexible)?;
                self.after_transactional_id
            }
            None => 0,
        };
        out.extend_from_slice(unread.get(mapped..self.before_topic).unwrap_or_default());
        match (&self.topic, topic) {
            (Some(TopicRef::Name(_)), TopicRef::Name(name)) => {
                put_text(&mut out, name, self.flexible)?;
                Ok(out)
            }
            (Some(TopicRef::Id(_)), TopicRef::Id(id)) => {
                out.extend_from_slice(id.as_bytes());
                Ok(out)
            }
            _ => Err(StreamError::NotStreamable("a topic in another form")),
        }
    }

    fn take(&mut self, field: &'static Field, value: Option<&[u8]>) -> Result<(), StreamError> {
        let text =
            |value: &[u8]| std::str::from_utf8(value).map(str::to_owned).map_err(|_| StreamError::Name);
        match (field.entity, value) {
            (Some(Entity::TransactionalId), id) => self.transactional_id = id.map(text).transpose()?,
            (Some(Entity::Acks), Some(value)) => self.acks = read_i16(value).unwrap_or(-1),
            (Some(Entity::TopicName), Some(value)) => self.topic = Some(TopicRef::Name(text(value)?)),
            (Some(Entity::TopicId), Some(value)) => {
                self.topic = Uuid::from_slice(value).ok().map(TopicRef::Id);
            }
            _ => return Err(StreamError::NotStreamable(field.name)),
        }
        Ok(())
    }
}

/// What follows the head: partitions and their records. Passes unchanged, or is read and dropped when a request is
/// denied.
#[derive(Debug)]
pub struct OneTopicTail {
    editor: Editor,
    partitions: Vec<i32>,
}

impl OneTopicTail {
    /// As [`super::ResponseIdSwap::push`]: checks the front of `chunk` and answers how many bytes of it may pass now.
    pub fn push(&mut self, chunk: &mut [u8]) -> Result<usize, StreamError> {
        let partitions = &mut self.partitions;
        self.editor.edit(chunk, |field, value, _| match (field.entity, value) {
            (Some(Entity::PartitionIndex), Some(value)) => {
                partitions.extend(read_i32(value));
                Ok(())
            }
            _ => Err(StreamError::NotStreamable(field.name)),
        })
    }

    pub(super) fn into_editor(self) -> Editor {
        self.editor
    }

    /// The records that have passed since this was asked last.
    pub fn take_counted(&mut self) -> Counted {
        self.editor.counting.take()
    }

    /// The partitions seen so far, in the request's order.
    pub fn partitions(&self) -> &[i32] {
        &self.partitions
    }

    /// Whether the body has been seen to its end.
    pub fn is_complete(&self) -> bool {
        self.editor.complete
    }
}
