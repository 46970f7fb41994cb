//! One record after the other in a decompressed batch, without a copy.

use bytes::BufMut;

use super::RecordsError;

/// A record as it lies in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// From its attributes to its value, without its length.
    pub(super) front: &'a [u8],
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// How many headers it says it has.
    count: u32,
    headers: &'a [u8],
}

/// A header; its key need not be UTF-8, and there can be several of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
    /// Both, with their lengths.
    pub(super) bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// Its headers, which are read on the way.
    pub fn headers(&self) -> Headers<'a> {
        Headers { reader: Reader::new(self.headers), left: self.count }
    }
}

/// See [`Record::headers`]. Ends with an error where the bytes and the number of headers do not agree.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    reader: Reader<'a>,
    left: u32,
}

impl<'a> Iterator for Headers<'a> {
    type Item = Result<Header<'a>, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            let surplus = !std::mem::take(&mut self.reader.rest).is_empty();
            return surplus.then_some(Err(RecordsError::Malformed("a record has bytes behind its headers")));
        }
        self.left -= 1;
        let header = self.reader.header();
        if header.is_err() {
            (self.left, self.reader.rest) = (0, &[]);
        }
        Some(header)
    }
}

const SHORT: RecordsError = RecordsError::Malformed("a length in a record reaches beyond its end");

/// Reads the pieces of records.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The records of a batch, decompressed.
    pub fn new(records: &'a [u8]) -> Self {
        Self { rest: records }
    }

    /// How many bytes have not been read.
    pub fn unread(&self) -> usize {
        self.rest.len()
    }

    /// The next record.
    pub fn record(&mut self) -> Result<Record<'a>, RecordsError> {
        let len = usize::try_from(self.varint()?).map_err(|_| SHORT)?;
        let body = self.take(len)?;
        let mut inner = Reader { rest: body };
        inner.take(1)?;
        inner.number(70)?;
        inner.varint()?;
        let key = inner.nullable()?;
        let value = inner.nullable()?;
        let front = body.get(..body.len() - inner.rest.len()).unwrap_or_default();
        let count = inner.varint()?;
        let count = u32::try_from(count)
            .map_err(|_| RecordsError::Malformed("a record has a negative number of headers"))?;
        Ok(Record { front, key, value, count, headers: inner.rest })
    }

    fn header(&mut self) -> Result<Header<'a>, RecordsError> {
        let before = self.rest;
        let len = usize::try_from(self.varint()?).map_err(|_| SHORT)?;
        let key = self.take(len)?;
        let value = self.nullable()?;
        let bytes = before.get(..before.len() - self.rest.len()).unwrap_or_default();
        Ok(Header { key, value, bytes })
    }

    /// Any negative length is null, as for Kafka.
    fn nullable(&mut self) -> Result<Option<&'a [u8]>, RecordsError> {
        match usize::try_from(self.varint()?) {
            Ok(len) => self.take(len).map(Some),
            Err(_) => Ok(None),
        }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], RecordsError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<i32, RecordsError> {
        let zigzag = self.number(35)?;
        let zigzag =
            u32::try_from(zigzag).map_err(|_| RecordsError::Malformed("a number has more than 32 bits"))?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    /// Seven bits a byte, at most so many. Longer spellings of a number than needed are taken, as Kafka takes them.
    fn number(&mut self, bits: u32) -> Result<u64, RecordsError> {
        let mut value = 0_u64;
        for shift in (0..bits).step_by(7) {
            let [byte] = *self.take(1)?.first_chunk().ok_or(SHORT)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(RecordsError::Malformed("a number does not end"))
    }
}

/// Appends a length or a count as records have it (zigzag).
pub(super) fn put_varint(out: &mut impl BufMut, value: i32) {
    crate::kafka::primitive::put_varint(out, zigzag(value));
}

/// How many bytes [`put_varint`] writes.
pub(super) fn varint_len(value: i32) -> usize {
    crate::kafka::primitive::varint_len(zigzag(value))
}

fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}
