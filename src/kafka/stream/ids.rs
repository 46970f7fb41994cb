//! Fetch responses on their way to the client.

use uuid::Uuid;

use super::{Editor, OneTopicTail, StreamError};
use crate::kafka::shape::{Entity, Shape};

/// Swaps the topic ids of a Fetch response (v13 and later) in place.
#[derive(Debug)]
pub struct ResponseIdSwap {
    editor: Editor,
}

impl ResponseIdSwap {
    /// For a body of `body_len` bytes.
    pub fn new(shape: &'static Shape, version: i16, body_len: usize) -> Self {
        Self { editor: Editor::of(shape, version, body_len) }
    }

    /// Edits the front of `chunk`, which starts with the first byte that has not been passed on yet, and answers how many
    /// bytes of it may pass now. The others are to be presented again, with more behind them. `ids` gives the id that the
    /// client knows a topic by; `None` ends the response.
    pub fn push(
        &mut self,
        chunk: &mut [u8],
        ids: impl Fn(Uuid) -> Option<Uuid>,
    ) -> Result<usize, StreamError> {
        self.editor.edit(chunk, |field, value| match (field.entity, value) {
            (Some(Entity::TopicId), Some(value)) => {
                let id = Uuid::from_slice(value).map_err(|_| StreamError::UnknownTopicId)?;
                let shown = ids(id).ok_or(StreamError::UnknownTopicId)?;
                value.copy_from_slice(shown.as_bytes());
                Ok(())
            }
            _ => Err(StreamError::NotStreamable(field.name)),
        })
    }

    /// Whether the body has been seen to its end.
    pub fn is_complete(&self) -> bool {
        self.editor.complete
    }
}

impl From<OneTopicTail> for ResponseIdSwap {
    /// For what follows the name of a response's only topic: there are no ids in it.
    fn from(tail: OneTopicTail) -> Self {
        Self { editor: tail.into_editor() }
    }
}
