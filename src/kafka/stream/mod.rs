//! Editing a message while it passes: sans I/O, in place, with the memory of one chunk.
//!
//! An editor is given the bytes that have arrived and are not passed on yet, and says how many of them may go now. What it
//! has not understood it does not release, and what is left behind is less than one atom of the message.
//!
//! In every direction a tagged field that we do not know, and one that names brokers, keeps its size and becomes a field
//! that nobody knows, filled with zeros.

mod ids;
mod one_topic;
mod rewrite;

use thiserror::Error;

pub use self::ids::ResponseIdSwap;
pub use self::one_topic::{OneTopicHead, OneTopicTail, TopicRef};
pub use self::rewrite::{Instead, Rewritten, rewrite, topics_only};
use super::records::Counting;
use super::shape::{Entity, Field, Shape, Type};
use super::unknown_tags;
use super::walker::{Event, Limits, WalkError, Walker};

/// Why a message cannot go on its way; the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StreamError {
    #[error(transparent)]
    Layout(#[from] WalkError),
    /// The other side must not see it, and it has not been passed on.
    #[error("the message names a topic id that is not part of this exchange")]
    UnknownTopicId,
    #[error("the message names a topic that is not part of this exchange")]
    UnknownTopic,
    /// This message has to be treated as a whole.
    #[error("the message holds {0}, which cannot be edited while it passes")]
    NotStreamable(&'static str),
    #[error("a name in the message is not utf-8")]
    Name,
}

/// What both editors do with a body, apart from the values that name something.
#[derive(Debug)]
struct Editor {
    walker: Walker,
    /// Bytes of a tagged field that are still to be blanked.
    blank: usize,
    /// The records among what has passed.
    counting: Counting,
    complete: bool,
}

impl Editor {
    fn new(walker: Walker) -> Self {
        Self { walker, blank: 0, counting: Counting::default(), complete: false }
    }

    fn of(shape: &'static Shape, version: i16, body_len: usize) -> Self {
        Self::new(Walker::new(shape, version, body_len, Limits::default()))
    }

    /// Edits what it can of `chunk`, and answers how many bytes of its front may pass. `entity` sees the values that
    /// name something, and what is counted of the records in front of them.
    fn edit(
        &mut self,
        chunk: &mut [u8],
        mut entity: impl FnMut(&'static Field, Option<&mut [u8]>, &mut Counting) -> Result<(), StreamError>,
    ) -> Result<usize, StreamError> {
        let mut ready = 0;
        loop {
            let unread = chunk.get_mut(ready..).unwrap_or_default();
            let event = self.walker.next(unread)?;
            let len = event.len();
            let covered = unread.get_mut(..len).unwrap_or_default();
            match event {
                Event::More { .. } => return Ok(ready),
                Event::End => {
                    self.complete = true;
                    return Ok(ready);
                }
                _ if self.blank > 0 => {
                    let blanked = self.blank.min(len);
                    covered.iter_mut().take(blanked).for_each(|byte| *byte = 0);
                    self.blank -= blanked;
                }
                Event::Tagged { field, following, size, .. }
                    if field.is_none_or(|field| names_brokers(&field.kind)) =>
                {
                    unknown_tags::neutralise_number(covered, following);
                    self.blank = size;
                }
                Event::Entity { field, value, .. } => {
                    entity(field, value.and_then(|value| covered.get_mut(value)), &mut self.counting)?;
                }
                Event::Records { .. } => self.counting.begin(),
                Event::Payload { .. } => self.counting.push(covered),
                Event::Pass { .. } | Event::Array { .. } | Event::Tagged { .. } => {}
            }
            ready += len;
        }
    }
}

fn names_brokers(kind: &Type) -> bool {
    match kind {
        Type::Array(element) => names_brokers(element),
        Type::Struct(fields) => {
            fields.iter().any(|field| field.entity == Some(Entity::Host) || names_brokers(&field.kind))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
