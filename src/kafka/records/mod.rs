//! The record batches within Produce and Fetch (magic 2), and an editor of their headers.
//!
//! `kafka-protocol` turns records into maps and back: headers of one key twice, keys that are not UTF-8, batches without records
//! and the kind of timestamp are lost on the way. So the walk is ours: a batch that nothing changes in stays the bytes that it
//! was, and of one that changes, nothing does but what was asked for, its length and its checksum. Compression is left to crates.

mod batch;
mod build;
mod codec;
mod count;
mod edit;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod record;
#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, reason = "the tests use more of it"))]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use self::batch::{Batch, Batches, batches};
pub use self::build::{NewRecord, build};
pub use self::codec::Codec;
pub use self::count::{Counted, Counting, count};
pub use self::edit::{AddedHeader, Edited, HeaderEdits, Unreadable, edit, fits};
pub use self::record::{Header, Reader, Record};

/// Why records cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecordsError {
    #[error("a batch is malformed: {0}")]
    Malformed(&'static str),
    /// Whoever edits a batch gives it a new checksum: damage from before would pass as sound.
    #[error("a batch does not have the checksum that it says")]
    Checksum,
    /// Kafka before 0.11. Such message sets have no headers, and batches within batches.
    #[error("the records have the old format, magic {0}")]
    OldFormat(u8),
    #[error("a batch has an unknown format, magic {0}")]
    UnknownFormat(u8),
    #[error("a batch is compressed in an unknown way, number {0}")]
    UnknownCodec(u8),
    #[error("a batch does not decompress from {0}")]
    Compression(Codec),
    /// It alone is more than [`Room`] has for one.
    #[error("a batch has more bytes, decompressed or edited, than are held")]
    TooLarge,
    /// Those before it took the room that there was.
    #[error("the batches together have more bytes, decompressed or edited, than are held")]
    Exhausted,
}

impl RecordsError {
    /// One of a closed set, for metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Checksum => "checksum",
            Self::OldFormat(_) | Self::UnknownFormat(_) => "format",
            Self::UnknownCodec(_) => "codec",
            Self::Compression(_) => "compression",
            Self::TooLarge | Self::Exhausted => "too_large",
        }
    }
}

/// The bytes that may be held, decompressed and edited, for one request or response. Compressed bytes say nothing of how many they
/// become. What comes to nothing takes of it too, so that it bounds the work on a request, whatever is in it.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    batch: usize,
    left: usize,
}

impl Room {
    /// For one batch, and for all of them.
    pub fn new(batch: usize, all: usize) -> Self {
        Self { batch, left: all }
    }

    /// How often a batch may have its compressed size: gzip cannot go above it, and what does is hardly data.
    const RATIO: usize = 1024;
    /// What a batch may have however few bytes it is compressed to.
    const FLOOR: usize = 16 << 20;

    /// What a compressed batch takes at least: a decoder and an encoder are made for each, however few bytes it has.
    const EACH: usize = 4 << 10;

    /// What so many compressed bytes may become, and the error if they become more.
    fn decompressed(&self, compressed: usize) -> (usize, RecordsError) {
        let alone = self.batch.min(compressed.saturating_mul(Self::RATIO).max(Self::FLOOR));
        if self.left < alone { (self.left, RecordsError::Exhausted) } else { (alone, RecordsError::TooLarge) }
    }

    /// What one edited batch may have.
    fn edited(&self) -> usize {
        self.batch.min(self.left)
    }

    /// Why a batch did not fit.
    fn excess(&self) -> RecordsError {
        if self.left < self.batch { RecordsError::Exhausted } else { RecordsError::TooLarge }
    }

    fn is_gone(&self) -> bool {
        self.left == 0
    }

    fn take(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }
}
