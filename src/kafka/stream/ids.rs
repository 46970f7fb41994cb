//! Fetch responses on their way to the client.

use uuid::Uuid;

use super::{Editor, OneTopicTail, StreamError, TopicRef};
use crate::kafka::records::{Counted, Counting};
use crate::kafka::shape::{Entity, Shape};

/// Swaps the topic ids of a Fetch response (v13 and later) in place.
#[derive(Debug)]
pub struct ResponseIdSwap {
    editor: Editor,
    /// Whose records come next, as the broker calls it.
    topic: Option<TopicRef>,
}

impl ResponseIdSwap {
    /// For a body of `body_len` bytes.
    pub fn new(shape: &'static Shape, version: i16, body_len: usize) -> Self {
        Self { editor: Editor::of(shape, version, body_len), topic: None }
    }

    /// For what follows the name of a response's only topic: there are no ids in it.
    pub fn behind(topic: TopicRef, tail: OneTopicTail) -> Self {
        Self { editor: tail.into_editor(), topic: Some(topic) }
    }

    /// Edits the front of `chunk`, which starts with the first byte that has not been passed on yet, and answers how many
    /// bytes of it may pass now. The others are to be presented again, with more behind them. `ids` gives the id that the
    /// client knows a topic by; `None` ends the response. `came` hears which records are among them, by the broker's topic.
    pub fn push(
        &mut self,
        chunk: &mut [u8],
        ids: impl Fn(Uuid) -> Option<Uuid>,
        mut came: impl FnMut(&TopicRef, Counted),
    ) -> Result<usize, StreamError> {
        let Self { editor, topic } = self;
        let ready = editor.edit(chunk, |field, value, counting| match (field.entity, value) {
            (Some(Entity::TopicId), Some(value)) => {
                let id = Uuid::from_slice(value).map_err(|_| StreamError::UnknownTopicId)?;
                let shown = ids(id).ok_or(StreamError::UnknownTopicId)?;
                value.copy_from_slice(shown.as_bytes());
                tell(topic.as_ref(), counting, &mut came);
                *topic = Some(TopicRef::Id(id));
                Ok(())
            }
            _ => Err(StreamError::NotStreamable(field.name)),
        })?;
        tell(topic.as_ref(), &mut editor.counting, &mut came);
        Ok(ready)
    }

    /// Whether the body has been seen to its end.
    pub fn is_complete(&self) -> bool {
        self.editor.complete
    }
}

fn tell(topic: Option<&TopicRef>, counting: &mut Counting, came: &mut impl FnMut(&TopicRef, Counted)) {
    let counted = counting.take();
    if let Some(topic) = topic.filter(|_| counted != Counted::default()) {
        came(topic, counted);
    }
}
