//! What the walker says about bytes, what it refuses, and its limits.

use std::ops::Range;

use thiserror::Error;

use crate::kafka::shape::Field;

/// What one body may ask for, beyond fitting into its own length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Array elements in the whole body, fixed-size numbers aside. A decoded element takes up to some 230 bytes of memory
    /// for one byte on the wire.
    pub elements: u32,
    /// Tagged fields of one struct.
    pub tagged_fields: u32,
    /// Bytes of one unknown tagged field.
    pub tagged_bytes: usize,
    /// Bytes of one value that must be seen whole (group protocol metadata is the only one that gets long).
    pub entity_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { elements: 250_000, tagged_fields: 64, tagged_bytes: 64 * 1024, entity_bytes: 16 * 1024 * 1024 }
    }
}

/// What the next bytes are. The caller advances by the event's length ([`Event::len`]) before it asks again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Nothing can be said before `unread` holds `needed` bytes. Bounded: an atom is waited for, never a body.
    More { needed: usize },
    /// Structure and plain values.
    Pass { len: usize },
    /// A value that names something, whole and with its length prefix; `value` is where it stands in `unread`, `None`
    /// if it is null.
    Entity { field: &'static Field, len: usize, value: Option<Range<usize>> },
    /// The start of an array; `count` is `None` if it is null.
    Array { field: &'static Field, len: usize, count: Option<u32> },
    /// The length prefix of a record set of `size` bytes (`None`: null), which follows as [`Event::Payload`].
    Records { field: &'static Field, len: usize, size: Option<usize> },
    /// Record bytes, as many as there were; `left` are still to come.
    Payload { len: usize, left: usize },
    /// Number and size of a tagged field. A known one follows as ordinary events, an unknown one (`field` is `None`)
    /// as [`Event::Pass`]; `size` bytes in all. `following` more stand after it in the same struct.
    Tagged { field: Option<&'static Field>, tag: u32, len: usize, size: usize, following: u32 },
    /// The body is complete.
    End,
}

impl Event {
    /// How many bytes of `unread` the event covers.
    #[allow(clippy::len_without_is_empty, reason = "an event is not a container")]
    pub fn len(&self) -> usize {
        match *self {
            Self::More { .. } | Self::End => 0,
            Self::Pass { len }
            | Self::Entity { len, .. }
            | Self::Array { len, .. }
            | Self::Records { len, .. }
            | Self::Payload { len, .. }
            | Self::Tagged { len, .. } => len,
        }
    }
}

/// Why a body is not what its shape says. Closed: each may become a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WalkError {
    #[error("a length reaches beyond the end of the message")]
    BeyondEnd,
    #[error("the message ended early")]
    Truncated,
    #[error("bytes are left over after the end of the message")]
    TrailingBytes,
    #[error("a length is negative")]
    NegativeLength,
    #[error("a value is null that must not be")]
    UnexpectedNull,
    #[error("a struct that may be null begins with neither 1 nor -1")]
    Presence,
    #[error("a string is longer than 32767 bytes")]
    StringTooLong,
    #[error("a value is larger than this gateway accepts")]
    EntityTooLarge,
    #[error("the message holds more elements than this gateway accepts")]
    TooManyElements,
    #[error("a varint is overlong or larger than 32 bits")]
    Varint,
    #[error("there are more tagged fields than this gateway accepts")]
    TooManyTaggedFields,
    #[error("a tagged field is larger than this gateway accepts")]
    TaggedFieldTooLarge,
    #[error("tagged fields are not in ascending order")]
    TagOrder,
    #[error("a tagged field does not exist in this version")]
    TagNotInVersion,
    #[error("a tagged field's size differs from its content")]
    TagSize,
    #[error("this version of the message is not known")]
    UnknownVersion,
    #[error("the message nests too deeply")]
    TooDeep,
}
