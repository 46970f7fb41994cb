//! A batch made here: for what is shown of a policy, and for tests of those who serve it.

use bytes::{BufMut, Bytes};

use super::batch::{COVERED_FROM, CRC_AT, HEADER};
use super::edit::{length, put_at};
use super::record::put_varint;
use super::{Codec, RecordsError};

/// A record to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRecord {
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// A batch as a producer without idempotence writes it, of records that all were made at this time (milliseconds since 1970).
pub fn build(records: &[NewRecord], codec: Codec, timestamp: i64) -> Result<Bytes, RecordsError> {
    let mut plain = Vec::new();
    for (offset, record) in records.iter().enumerate() {
        let mut body = vec![0, 0];
        put_varint(&mut body, length(offset)?);
        put_nullable(&mut body, record.key.as_ref())?;
        put_nullable(&mut body, record.value.as_ref())?;
        put_varint(&mut body, length(record.headers.len())?);
        for (key, value) in &record.headers {
            put_nullable(&mut body, Some(key))?;
            put_nullable(&mut body, value.as_ref())?;
        }
        put_varint(&mut plain, length(body.len())?);
        plain.extend_from_slice(&body);
    }
    let payload = codec.compress(&plain, &[])?;
    let count = length(records.len())?;
    let mut out = Vec::with_capacity(HEADER + payload.len());
    out.put_i64(0);
    out.put_i32(length(HEADER - 12 + payload.len())?);
    out.put_i32(-1);
    out.put_u8(2);
    out.put_u32(0);
    out.put_u16(codec.number());
    out.put_i32(count - 1);
    out.put_i64(timestamp);
    out.put_i64(timestamp);
    out.put_i64(-1);
    out.put_i16(-1);
    out.put_i32(-1);
    out.put_i32(count);
    out.extend_from_slice(&payload);
    let crc = crc32c::crc32c(out.get(COVERED_FROM..).unwrap_or_default());
    put_at(&mut out, CRC_AT, crc.to_be_bytes());
    Ok(out.into())
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&Bytes>) -> Result<(), RecordsError> {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, length(bytes.len())?);
            out.extend_from_slice(bytes);
        }
    }
    Ok(())
}
