//! Test support: random batches, and what an edit of them must give, both made in the most naive way.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "for tests and fuzzing only")]

use bytes::BufMut;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use super::{AddedHeader, Codec};

pub(crate) const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

type Pair = (Vec<u8>, Option<Vec<u8>>);

#[derive(Debug, Clone)]
pub(crate) struct SampleRecord {
    /// Attributes, timestamp, offset, key and value, as they lie there.
    front: Vec<u8>,
    pub(crate) headers: Vec<Pair>,
}

#[derive(Debug, Clone)]
pub(crate) struct SampleBatch {
    pub(crate) codec: Codec,
    pub(crate) control: bool,
    /// All of the header's other fields.
    random: [u8; HEADER],
    pub(crate) records: Vec<SampleRecord>,
}

const HEADER: usize = 61;
/// Keys are drawn from few, so that some are there twice; one of them is not UTF-8.
pub(crate) const KEYS: [&[u8]; 5] = [b"trace", b"internal-a", b"internal-\xff", b"", "gr\u{fc}n".as_bytes()];

/// The same seed gives the same batches.
pub(crate) fn batches(seed: u64) -> Vec<SampleBatch> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..random.random_range(1..4)).map(|_| batch(&mut random)).collect()
}

fn batch(random: &mut StdRng) -> SampleBatch {
    let mut header = [0; HEADER];
    random.fill_bytes(&mut header);
    // What `kafka-protocol` adds up: offsets, times and sequence numbers that there could be.
    (&mut header[..]).put_i64(random.random_range(0..1 << 40));
    (&mut header[27..]).put_i64(random.random_range(0..1 << 41));
    (&mut header[53..]).put_i32(random.random_range(0..1 << 20));
    let records = (0..random.random_range(0..20)).map(|_| record(random)).collect();
    let codec = CODECS[random.random_range(0..CODECS.len())];
    SampleBatch { codec, control: random.random_bool(0.1), random: header, records }
}

fn record(random: &mut StdRng) -> SampleRecord {
    let mut front = vec![random.random()];
    put_number(&mut front, random.random_range(-(1 << 40)..1 << 40));
    put_number(&mut front, random.random_range(0..1 << 20));
    for longest in [20, 3000] {
        put_bytes(&mut front, some(random, longest).as_deref());
    }
    let headers = (0..random.random_range(0..5))
        .map(|_| (KEYS[random.random_range(0..KEYS.len())].to_vec(), some(random, 9)));
    SampleRecord { front, headers: headers.collect() }
}

fn some(random: &mut StdRng, longest: usize) -> Option<Vec<u8>> {
    let byte: u8 = random.random();
    let len = random.random_range(0..longest);
    random
        .random_bool(0.8)
        .then(|| (0..len).map(|_| if random.random_bool(0.9) { byte } else { random.random() }).collect())
}

fn put_number(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    loop {
        let low = (rest & 0x7f) as u8;
        rest >>= 7;
        if rest == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_number(out, bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap()));
    out.extend_from_slice(bytes.unwrap_or_default());
}

impl SampleBatch {
    /// Its records, decompressed.
    pub(crate) fn plain(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        for record in &self.records {
            let mut body = record.front.clone();
            put_number(&mut body, i64::try_from(record.headers.len()).unwrap());
            for (key, value) in &record.headers {
                put_bytes(&mut body, Some(key));
                put_bytes(&mut body, value.as_deref());
            }
            put_bytes(&mut plain, Some(&body));
        }
        plain
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let payload = self.codec.compress(&self.plain(), &[]).unwrap().into_owned();
        self.around(if self.records.is_empty() { &[] } else { &payload })
    }

    /// A batch with this payload.
    pub(crate) fn around(&self, payload: &[u8]) -> Vec<u8> {
        let mut out = self.random.to_vec();
        out.extend_from_slice(payload);
        (&mut out[8..]).put_i32(i32::try_from(HEADER - 12 + payload.len()).unwrap());
        out[16] = 2;
        let timestamp_type_and_transaction = u16::from(self.random[22]) & 0b1_1000;
        let control = u16::from(self.control) << 5;
        (&mut out[21..]).put_u16(self.codec.number() | control | timestamp_type_and_transaction);
        (&mut out[57..]).put_i32(i32::try_from(self.records.len()).unwrap());
        seal(&mut out);
        out
    }

    /// What it must become, and whether anything of it changes.
    pub(crate) fn edited(&self, removes: impl Fn(&[u8]) -> bool, adds: &[AddedHeader]) -> (Self, bool) {
        let mut edited = self.clone();
        if self.control {
            return (edited, false);
        }
        for record in &mut edited.records {
            record.headers.retain(|(key, _)| !removes(key));
            let stays = record.headers.clone();
            for added in adds {
                if !(added.only_if_absent && stays.iter().any(|(key, _)| *key == added.key)) {
                    record.headers.push((added.key.to_vec(), Some(added.value.to_vec())));
                }
            }
        }
        let changed = edited.plain() != self.plain()
            || self.records.iter().any(|record| record.headers.iter().any(|(key, _)| removes(key)));
        (edited, changed)
    }
}

/// Gives a batch the checksum of what it holds now.
pub(crate) fn seal(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[21..]);
    (&mut batch[17..]).put_u32(crc);
}
