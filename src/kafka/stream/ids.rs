//! Fetch responses on their way to the client.

use uuid::Uuid;

use super::{Editor, StreamError};
use crate::kafka::shape::{Entity, Shape};

/// Swaps the topic ids of a Fetch response (v13 and later) in place.
#[derive(Debug)]
pub struct ResponseIdSwap<F> {
    editor: Editor,
    ids: F,
}

impl<F: FnMut(Uuid) -> Option<Uuid>> ResponseIdSwap<F> {
    /// For a body of `body_len` bytes. `ids` gives the id that the client knows a topic by; `None` ends the response.
    pub fn new(shape: &'static Shape, version: i16, body_len: usize, ids: F) -> Self {
        Self { editor: Editor::of(shape, version, body_len), ids }
    }

    /// Edits the front of `chunk`, which starts with the first byte that has not been passed on yet, and answers how many
    /// bytes of it may pass now. The others are to be presented again, with more behind them.
    pub fn push(&mut self, chunk: &mut [u8]) -> Result<usize, StreamError> {
        let ids = &mut self.ids;
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
