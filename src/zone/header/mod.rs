//! What is done to the headers of records on their way, as parsed values.

mod key_pattern;
mod template;

use thiserror::Error;

pub use self::key_pattern::KeyPattern;
pub use self::template::{Field, Piece, Template};

/// Why a text is no pattern or template, and where: in bytes of the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct HeaderError {
    pub at: usize,
    pub problem: String,
}

/// What is done to the headers of records on their way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// No key is there twice.
    pub add_on_produce: Vec<AddHeader>,
    pub remove_on_consume: Vec<KeyPattern>,
}

/// A header that every record gets which the partner produces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddHeader {
    pub key: String,
    pub value: Template,
    /// Replaces all headers of the key that a record has; otherwise a record that has one keeps what it has.
    pub override_if_exists: bool,
}
