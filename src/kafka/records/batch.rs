//! A batch's header, and one batch after the other.

use std::borrow::Cow;

#[cfg(doc)]
use super::Reader;
use super::{Codec, RecordsError, Room};

/// Bytes in front of what `batchLength` counts, and of a header in all.
pub(super) const OVERHEAD: usize = 12;
pub(super) const HEADER: usize = 61;
/// Where the checksum stands, and what it covers from on.
pub(super) const CRC_AT: usize = 17;
pub(super) const COVERED_FROM: usize = 21;
/// Where the length stands.
pub(super) const LENGTH_AT: usize = 8;
pub(super) const MAGIC_AT: usize = 16;
pub(super) const COUNT_AT: usize = 57;

const CODEC: u16 = 0b111;
pub(super) const CONTROL: u16 = 1 << 5;

/// A whole batch of magic 2. What is asked here is read from its header, without decompression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch<'a> {
    bytes: &'a [u8],
    attributes: u16,
    records: u32,
}

impl<'a> Batch<'a> {
    /// Its bytes, header and all.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many records it says it has.
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Whether it is a broker's own, such as the end of a transaction, and not data.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// How its records are compressed.
    pub fn codec(&self) -> Result<Codec, RecordsError> {
        Codec::numbered(self.attributes & CODEC)
    }

    /// Its records, as they are compressed.
    pub(super) fn payload(&self) -> &'a [u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }

    /// Its records, decompressed: [`Reader`] reads them.
    ///
    /// # Errors
    /// If it is damaged, or becomes larger than there is room for.
    pub fn decompressed(&self, room: &Room) -> Result<Cow<'a, [u8]>, RecordsError> {
        self.check()?;
        let payload = self.payload();
        let (limit, excess) = room.decompressed(payload.len());
        self.codec()?.decompress(payload, limit, excess)
    }

    fn check(&self) -> Result<(), RecordsError> {
        let stored = self.bytes.get(CRC_AT..).and_then(|rest| rest.first_chunk()).copied();
        let covered = self.bytes.get(COVERED_FROM..).unwrap_or_default();
        let sound = stored.map(u32::from_be_bytes) == Some(crc32c::crc32c(covered));
        if sound { Ok(()) } else { Err(RecordsError::Checksum) }
    }

    /// From the front of what is not empty. `None`: it ends before the batch does.
    fn read(bytes: &'a [u8]) -> Result<Option<Self>, RecordsError> {
        let (Some(length), Some(&magic)) = (i32_at(bytes, LENGTH_AT), bytes.get(MAGIC_AT)) else {
            return Ok(None);
        };
        match magic {
            2 => {}
            0 | 1 => return Err(RecordsError::OldFormat(magic)),
            other => return Err(RecordsError::UnknownFormat(other)),
        }
        let length = usize::try_from(length).ok().filter(|length| *length >= HEADER - OVERHEAD);
        let length = length.ok_or(RecordsError::Malformed("its length is less than that of a header"))?;
        let Some(bytes) = bytes.get(..OVERHEAD + length) else { return Ok(None) };
        let attributes = bytes.get(COVERED_FROM..).and_then(|rest| rest.first_chunk()).copied();
        let records = i32_at(bytes, COUNT_AT).and_then(|count| u32::try_from(count).ok());
        let records = records.ok_or(RecordsError::Malformed("its number of records is negative"))?;
        Ok(Some(Self { bytes, attributes: u16::from_be_bytes(attributes.unwrap_or_default()), records }))
    }
}

pub(super) fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    bytes.get(at..)?.first_chunk().map(|chunk| i32::from_be_bytes(*chunk))
}

/// The batches of a records field. Ends at the first one that cannot be read, and before one that is not there to its end.
pub fn batches(records: &[u8]) -> Batches<'_> {
    Batches { rest: records, failed: false }
}

/// See [`batches`].
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    rest: &'a [u8],
    failed: bool,
}

impl Batches<'_> {
    /// Bytes that have not been read: once there is no batch any more, those of one that is not there to its end. A broker cuts
    /// where a fetch wants no more bytes.
    pub fn unread(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let read = Batch::read(self.rest).transpose()?;
        match &read {
            Ok(batch) => self.rest = self.rest.get(batch.bytes.len()..).unwrap_or_default(),
            Err(_) => self.failed = true,
        }
        Some(read)
    }
}
