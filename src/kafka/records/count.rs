//! Records counted by the headers of their batches, while they pass.

use super::batch::{CONTROL, COUNT_AT, COVERED_FROM, HEADER, LENGTH_AT, MAGIC_AT, OVERHEAD, i32_at};

/// What records fields hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// As they are on the wire.
    pub bytes: u64,
    /// As the batches' headers say.
    pub records: u64,
}

/// Counts records fields that come piece by piece, and holds no more of them than a batch's header.
///
/// Every byte counts. Records do once their batch is there to its end. Those of a broker's own batches, such as the end of a
/// transaction, do not, and those of formats before Kafka 0.11 are not known. Behind a length that no batch has, or a format that nobody
/// knows, no batch is looked for any more.
#[derive(Debug)]
pub struct Counting {
    counted: Counted,
    at: At,
    header: [u8; HEADER],
}

/// Where in a field its next byte stands.
#[derive(Debug, Clone, Copy)]
enum At {
    /// In a header, of which so many bytes are here.
    Header(usize),
    /// In a batch, so many bytes before its end.
    Batch {
        left: usize,
        records: u32,
    },
    Lost,
}

/// Bytes that a batch of any format begins with, to its magic.
const FRONT: usize = MAGIC_AT + 1;

impl Default for Counting {
    fn default() -> Self {
        Self { counted: Counted::default(), at: At::Header(0), header: [0; HEADER] }
    }
}

impl Counting {
    /// The next byte is the first one of a field.
    pub fn begin(&mut self) {
        self.at = At::Header(0);
    }

    /// Bytes of the field, behind those before.
    pub fn push(&mut self, piece: &[u8]) {
        self.counted.bytes =
            self.counted.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let mut rest = piece;
        while !rest.is_empty() {
            let read = self.read(rest);
            rest = rest.get(read..).unwrap_or_default();
        }
    }

    /// A whole field.
    pub fn field(&mut self, records: &[u8]) {
        self.begin();
        self.push(records);
    }

    /// What was counted since this was asked last.
    pub fn take(&mut self) -> Counted {
        std::mem::take(&mut self.counted)
    }

    /// Reads from the front of what is not empty: how many bytes, at least one.
    fn read(&mut self, rest: &[u8]) -> usize {
        match self.at {
            At::Lost => rest.len(),
            At::Batch { left, records } => {
                let read = left.min(rest.len());
                self.at = self.behind(left - read, records);
                read
            }
            At::Header(here) => {
                let wanted = if here < FRONT { FRONT } else { HEADER };
                let read = (wanted - here).min(rest.len());
                let place = self.header.get_mut(here..here + read).unwrap_or_default();
                place.copy_from_slice(rest.get(..read).unwrap_or_default());
                self.at = if here + read == wanted { self.decide(wanted) } else { At::Header(here + read) };
                read
            }
        }
    }

    /// What follows so many bytes of a header.
    fn decide(&mut self, here: usize) -> At {
        let header = &self.header;
        let length = i32_at(header, LENGTH_AT).and_then(|length| usize::try_from(length).ok());
        let left = length.and_then(|length| (OVERHEAD + length).checked_sub(here));
        match (header.get(MAGIC_AT), left) {
            (Some(2), _) if here < HEADER => At::Header(here),
            (Some(2), Some(left)) => {
                let attributes = header.get(COVERED_FROM..).and_then(|rest| rest.first_chunk()).copied();
                let is_control = u16::from_be_bytes(attributes.unwrap_or_default()) & CONTROL != 0;
                let records = i32_at(header, COUNT_AT).filter(|_| !is_control);
                let records = records.and_then(|records| u32::try_from(records).ok());
                self.behind(left, records.unwrap_or(0))
            }
            (Some(0 | 1), Some(left)) => self.behind(left, 0),
            _ => At::Lost,
        }
    }

    fn behind(&mut self, left: usize, records: u32) -> At {
        if left > 0 {
            return At::Batch { left, records };
        }
        self.counted.records = self.counted.records.saturating_add(records.into());
        At::Header(0)
    }
}

/// What there is in one whole field.
pub fn count(records: &[u8]) -> Counted {
    let mut counting = Counting::default();
    counting.field(records);
    counting.take()
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;
    use proptest::prelude::*;

    use super::super::sample::{self, SampleBatch};
    use super::super::{Codec, NewRecord, batches, build};
    use super::*;

    /// A field in pieces of these sizes, over and over.
    fn in_pieces(counting: &mut Counting, mut field: &[u8], sizes: &[usize]) -> Counted {
        counting.begin();
        let (mut sizes, mut counted) = (sizes.iter().cycle(), Counted::default());
        while !field.is_empty() {
            let (piece, rest) = field.split_at((*sizes.next().unwrap()).min(field.len()));
            counting.push(piece);
            let more = counting.take();
            counted.bytes += more.bytes;
            counted.records += more.records;
            field = rest;
        }
        counted
    }

    fn expected(field: &[u8]) -> Counted {
        let data = batches(field).map_while(Result::ok).filter(|batch| !batch.is_control());
        Counted { bytes: field.len() as u64, records: data.map(|batch| u64::from(batch.records())).sum() }
    }

    fn five(codec: Codec) -> Vec<u8> {
        build(&vec![NewRecord::default(); 5], codec, 1).unwrap().to_vec()
    }

    /// One message of the format before 0.11, whose length counts from behind itself.
    fn old(magic: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![0; 8];
        out.put_i32(i32::try_from(5 + body.len()).unwrap());
        out.put_slice(&[1, 2, 3, 4, magic]);
        out.put_slice(body);
        out
    }

    #[test]
    fn records_count_in_every_codec_once_their_batch_is_whole() {
        for codec in sample::CODECS {
            let field = [five(codec), five(codec)].concat();
            assert_eq!(count(&field), Counted { bytes: field.len() as u64, records: 10 }, "{codec}");
            let cut = &field[..field.len() - 1];
            assert_eq!(count(cut), Counted { bytes: cut.len() as u64, records: 5 }, "{codec}");
        }
        assert_eq!(count(&[]), Counted::default());
    }

    #[test]
    fn what_was_cut_short_in_one_field_says_nothing_of_the_next() {
        let mut counting = Counting::default();
        let field = five(Codec::None);
        for cut in [1, 16, 17, 60, 61, field.len() - 1] {
            assert_eq!(in_pieces(&mut counting, &field[..cut], &[7]).records, 0);
            assert_eq!(in_pieces(&mut counting, &field, &[7]).records, 5, "{cut}");
        }
    }

    #[test]
    fn a_brokers_own_batches_and_old_messages_are_bytes_without_records() {
        let mut control = sample::batches(1).remove(0);
        control.control = true;
        let control = control.bytes();
        let field = [five(Codec::None), control, old(0, b""), old(1, &[7; 40]), five(Codec::Lz4)].concat();
        assert_eq!(count(&field), Counted { bytes: field.len() as u64, records: 10 });
    }

    #[test]
    fn behind_a_length_that_no_batch_has_nothing_is_looked_for() {
        let with = |at: usize, bytes: &[u8]| {
            let mut field = five(Codec::None);
            field[at..at + bytes.len()].copy_from_slice(bytes);
            [five(Codec::None), field, five(Codec::None)].concat()
        };
        let lengths = [-1, i32::MIN, 0, 48].map(|length: i32| with(8, &length.to_be_bytes()));
        for field in lengths.into_iter().chain([with(16, &[3]), with(16, &[255])]) {
            assert_eq!(count(&field), Counted { bytes: field.len() as u64, records: 5 });
        }
        let endless = with(8, &i32::MAX.to_be_bytes());
        assert_eq!(count(&endless).records, 5);
        // A number that is none is no record.
        assert_eq!(count(&with(57, &[0xff; 4])).records, 10);
    }

    proptest! {
        #[test]
        fn a_field_counts_the_same_however_it_is_cut(
            seeds in proptest::collection::vec(0_u64..1 << 32, 1..4),
            sizes in proptest::collection::vec(1_usize..200, 1..6),
            cut: proptest::sample::Index,
        ) {
            let mut counting = Counting::default();
            for seed in seeds {
                let whole: Vec<u8> = sample::batches(seed).iter().flat_map(SampleBatch::bytes).collect();
                let field = &whole[..=cut.index(whole.len())];
                prop_assert_eq!(in_pieces(&mut counting, field, &sizes), expected(field));
                prop_assert_eq!(count(&whole), expected(&whole));
            }
        }

        #[test]
        fn any_bytes_count_the_same_however_they_are_cut(
            seed in 0_u64..1 << 32,
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8),
            sizes in proptest::collection::vec(1_usize..200, 1..6),
        ) {
            let mut field: Vec<u8> = sample::batches(seed).iter().flat_map(SampleBatch::bytes).collect();
            for (at, byte) in changes {
                let at = at.index(field.len().min(80));
                field[at] = byte;
            }
            let whole = count(&field);
            prop_assert_eq!(whole.bytes, field.len() as u64);
            prop_assert_eq!(in_pieces(&mut Counting::default(), &field, &sizes), whole);
        }
    }
}
