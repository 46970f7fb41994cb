//! Headers taken out of records and put into them.

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, Bytes};

use super::batch::{Batch, COVERED_FROM, CRC_AT, HEADER, LENGTH_AT, batches};
use super::record::{Reader, Record, put_varint, varint_len};
use super::{Codec, RecordsError, Room};

/// What is done to the headers of each record.
#[derive(Clone, Copy)]
pub struct HeaderEdits<'e> {
    /// Whether headers of this key are taken out.
    pub removes: &'e (dyn Fn(&[u8]) -> bool + Sync),
    /// Put behind those that stay, in this order.
    pub adds: &'e [AddedHeader],
}

impl fmt::Debug for HeaderEdits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderEdits").field("adds", &self.adds).finish_non_exhaustive()
    }
}

/// A header that is put into every record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedHeader {
    pub key: Bytes,
    pub value: Bytes,
    /// Left out where a header of this key stays.
    pub only_if_absent: bool,
}

/// A records field with its headers edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// All whole batches: the very bytes that came, if nothing was to be changed.
    pub records: Bytes,
    /// Bytes of the field that they were.
    pub read: usize,
    /// How many of them were changed.
    pub changed: usize,
    /// Bytes at the end that are no whole batch, and are not among `records`: nobody can say what they hold.
    pub cut: usize,
}

/// A batch that could not be read, with those in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub cause: RecordsError,
    pub before: Edited,
}

/// Edits the headers of every record of a records field.
///
/// Batches stay as many as they are, with their offsets, timestamps, producers and codecs. Those of brokers themselves, such as the
/// end of a transaction, and those without records are left alone. `room` gets smaller by what this took, and where a batch cannot be
/// read by what that took. Once it is gone, no batch is looked into any more.
///
/// # Errors
/// With what is wrong with the first batch that cannot be read; nothing of it and behind it is among what comes back.
pub fn edit(records: &Bytes, edits: &HeaderEdits<'_>, room: &mut Room) -> Result<Edited, Unreadable> {
    let mut out = Output { records, copied: None, read: 0, changed: 0 };
    let mut all = batches(records);
    for batch in &mut all {
        let edited = batch.and_then(|batch| Ok((batch, edit_batch(&batch, edits, room)?)));
        match edited {
            Ok((batch, edited)) => out.push(&batch, edited),
            Err(cause) => return Err(Unreadable { cause, before: out.finish(0) }),
        }
    }
    Ok(out.finish(all.unread()))
}

/// The batches so far: of what came, as long as none is changed.
struct Output<'a> {
    records: &'a Bytes,
    copied: Option<Vec<u8>>,
    read: usize,
    changed: usize,
}

impl Output<'_> {
    fn push(&mut self, batch: &Batch<'_>, edited: Option<Vec<u8>>) {
        if let Some(edited) = edited {
            self.changed += 1;
            let before = self.records.get(..self.read).unwrap_or_default();
            self.copied.get_or_insert_with(|| before.to_vec()).extend_from_slice(&edited);
        } else if let Some(copied) = &mut self.copied {
            copied.extend_from_slice(batch.bytes());
        }
        self.read += batch.bytes().len();
    }

    fn finish(self, cut: usize) -> Edited {
        let records = match self.copied {
            Some(copied) => copied.into(),
            None => self.records.slice(..self.read),
        };
        Edited { records, read: self.read, changed: self.changed, cut }
    }
}

/// `None`: it stays as it is.
fn edit_batch(
    batch: &Batch<'_>,
    edits: &HeaderEdits<'_>,
    room: &mut Room,
) -> Result<Option<Vec<u8>>, RecordsError> {
    if is_left_alone(batch) {
        return Ok(None);
    }
    let plain = opened(batch, room)?;
    let mut rewriter = Rewriter { edits, limit: room.edited(), excess: room.excess(), present: Vec::new() };
    let mut edited = None;
    let written = rewriter.records(&plain, batch.records(), &mut edited);
    room.take(least(batch).max(plain.len()).max(edited.as_ref().map_or(0, Vec::len)));
    written?;
    let Some(edited) = edited else { return Ok(None) };
    drop(plain);
    let compressed = batch.codec()?.compress(&edited, batch.payload())?;
    rebuilt(batch, &compressed).map(Some)
}

/// Whether nothing is done to a batch, whatever is to be done to others.
fn is_left_alone(batch: &Batch<'_>) -> bool {
    batch.is_control() || (batch.records() == 0 && batch.payload().is_empty())
}

/// Its records, decompressed. If they do not come out, that took all the room that they could have had: nobody knows how far it got.
fn opened<'a>(batch: &Batch<'a>, room: &mut Room) -> Result<Cow<'a, [u8]>, RecordsError> {
    if room.is_gone() {
        return Err(room.excess());
    }
    batch.decompressed(room).inspect_err(|cause| {
        if matches!(cause, RecordsError::Compression(_) | RecordsError::TooLarge | RecordsError::Exhausted) {
            let (limit, _) = room.decompressed(batch.payload().len());
            room.take(limit);
        }
    })
}

/// What a batch takes of the room, however few bytes it becomes. Bytes that are set aside take a little of it: to fill them with zeros is
/// quick.
fn least(batch: &Batch<'_>) -> usize {
    const ZEROS: usize = 64;
    match batch.codec() {
        Ok(Codec::None) => 0,
        Ok(codec) => Room::EACH.max(codec.set_aside(batch.payload()) / ZEROS),
        Err(_) => Room::EACH,
    }
}

/// What a record counts for at least in [`fits`]: headers may be added to each.
const RECORD: usize = 128;

/// Whether all whole batches of a records field can be decompressed within this room, which gets smaller by what they take. Looking
/// takes no longer than that.
pub fn fits(records: &[u8], room: &mut Room) -> bool {
    batches(records).all(|batch| batch.and_then(|batch| look(&batch, room)).is_ok())
}

fn look(batch: &Batch<'_>, room: &mut Room) -> Result<(), RecordsError> {
    if is_left_alone(batch) {
        return Ok(());
    }
    if least(batch) > room.left {
        return Err(room.excess());
    }
    let plain = opened(batch, room)?;
    let records = usize::try_from(batch.records()).unwrap_or(usize::MAX);
    let taken = least(batch).max(plain.len()).max(records.saturating_mul(RECORD));
    if taken > room.left {
        return Err(room.excess());
    }
    room.take(taken);
    Ok(())
}

/// The batch with another payload: nothing of its header changes but length and checksum.
fn rebuilt(batch: &Batch<'_>, payload: &[u8]) -> Result<Vec<u8>, RecordsError> {
    let header = batch.bytes().get(..HEADER).unwrap_or_default();
    let mut out = Vec::with_capacity(header.len() + payload.len());
    out.extend_from_slice(header);
    out.extend_from_slice(payload);
    let length = i32::try_from(out.len() - (LENGTH_AT + 4)).map_err(|_| RecordsError::TooLarge)?;
    put_at(&mut out, LENGTH_AT, length.to_be_bytes());
    let crc = crc32c::crc32c(out.get(COVERED_FROM..).unwrap_or_default());
    put_at(&mut out, CRC_AT, crc.to_be_bytes());
    Ok(out)
}

pub(super) fn put_at(out: &mut [u8], at: usize, bytes: [u8; 4]) {
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&bytes);
    }
}

/// Writes decompressed records anew, from the first one on that changes.
struct Rewriter<'e> {
    edits: &'e HeaderEdits<'e>,
    limit: usize,
    excess: RecordsError,
    /// For each header to be added, whether the record at hand has one of its key that stays.
    present: Vec<bool>,
}

/// The headers of one record as they will be.
struct Fate {
    changes: bool,
    count: usize,
    bytes: usize,
}

impl Rewriter<'_> {
    /// Writes to `out`, from the first record on that changes. What it has written stays there, if it does not come to the end.
    fn records(&mut self, plain: &[u8], count: u32, out: &mut Option<Vec<u8>>) -> Result<(), RecordsError> {
        let mut reader = Reader::new(plain);
        for _ in 0..count {
            let start = plain.len() - reader.unread();
            let record = reader.record()?;
            let fate = self.fate(&record)?;
            let end = plain.len() - reader.unread();
            if fate.changes {
                let before = plain.get(..start).unwrap_or_default();
                let out = out.get_or_insert_with(|| before.to_vec());
                self.write(&record, &fate, out)?;
            } else if let Some(out) = out.as_mut() {
                out.extend_from_slice(plain.get(start..end).unwrap_or_default());
            }
            if out.as_ref().is_some_and(|out| out.len() > self.limit) {
                return Err(self.excess);
            }
        }
        match reader.unread() {
            0 => Ok(()),
            _ => Err(RecordsError::Malformed("there are bytes behind its last record")),
        }
    }

    fn fate(&mut self, record: &Record<'_>) -> Result<Fate, RecordsError> {
        let adds = self.edits.adds;
        self.present.clear();
        self.present.resize(adds.len(), false);
        let mut fate = Fate { changes: false, count: 0, bytes: 0 };
        for header in record.headers() {
            let header = header?;
            if (self.edits.removes)(header.key) {
                fate.changes = true;
                continue;
            }
            fate.count += 1;
            fate.bytes += header.bytes.len();
            for (present, added) in self.present.iter_mut().zip(adds) {
                *present |= added.key == header.key;
            }
        }
        for added in missing(adds, &self.present) {
            fate.changes = true;
            fate.count += 1;
            fate.bytes += added.encoded_len()?;
        }
        Ok(fate)
    }

    fn write(&self, record: &Record<'_>, fate: &Fate, out: &mut Vec<u8>) -> Result<(), RecordsError> {
        let count = length(fate.count)?;
        let len = record.front.len() + varint_len(count) + fate.bytes;
        if len > self.limit {
            return Err(self.excess);
        }
        put_varint(out, length(len)?);
        out.extend_from_slice(record.front);
        put_varint(out, count);
        for header in record.headers() {
            let header = header?;
            if !(self.edits.removes)(header.key) {
                out.extend_from_slice(header.bytes);
            }
        }
        for added in missing(self.edits.adds, &self.present) {
            for part in [&added.key, &added.value] {
                put_varint(out, length(part.len())?);
                out.put_slice(part);
            }
        }
        Ok(())
    }
}

/// What is to be added to a record that has headers of these keys.
fn missing<'a>(adds: &'a [AddedHeader], present: &'a [bool]) -> impl Iterator<Item = &'a AddedHeader> {
    let absent = |(added, present): &(&AddedHeader, &bool)| !(added.only_if_absent && **present);
    adds.iter().zip(present).filter(absent).map(|(added, _)| added)
}

pub(super) fn length(len: usize) -> Result<i32, RecordsError> {
    i32::try_from(len).map_err(|_| RecordsError::TooLarge)
}

impl AddedHeader {
    fn encoded_len(&self) -> Result<usize, RecordsError> {
        let part = |part: &Bytes| Ok(varint_len(length(part.len())?) + part.len());
        Ok(part(&self.key)? + part(&self.value)?)
    }
}
