use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{Compression, RecordBatchDecoder};
use proptest::prelude::*;

use super::sample::{self, CODECS, SampleBatch};
use super::*;

const ROOM: Room = Room { batch: 8 << 20, left: 32 << 20 };

fn internal(key: &[u8]) -> bool {
    key.starts_with(b"internal-")
}

fn added(key: &'static [u8], value: &'static [u8], only_if_absent: bool) -> AddedHeader {
    AddedHeader { key: Bytes::from_static(key), value: Bytes::from_static(value), only_if_absent }
}

fn some_adds() -> Vec<AddedHeader> {
    vec![added(b"trace", b"ours", true), added(b"zone", b"acme", false), added(b"internal-a", b"", false)]
}

fn joined(all: &[SampleBatch]) -> Bytes {
    all.iter().flat_map(SampleBatch::bytes).collect()
}

/// A batch of this codec with data in it.
fn one(codec: Codec) -> SampleBatch {
    let mut all = (0..100).flat_map(sample::batches);
    let mut batch = all.find(|batch| !batch.control && batch.records.len() > 3).unwrap();
    batch.codec = codec;
    batch
}

fn error(records: impl Into<Bytes>, room: Room) -> RecordsError {
    edit(&records.into(), &HeaderEdits { removes: &internal, adds: &some_adds() }, &mut { room })
        .expect_err("it is refused")
        .cause
}

proptest! {
    #[test]
    fn an_edited_batch_is_the_one_decoded_edited_and_written_anew(seed: u64, removing: bool, adding: bool) {
        let before = sample::batches(seed);
        let removes: &(dyn Fn(&[u8]) -> bool + Sync) = if removing { &internal } else { &|_| false };
        let adds = if adding { some_adds() } else { Vec::new() };
        let bytes = joined(&before);
        let mut room = ROOM;
        let edited = edit(&bytes, &HeaderEdits { removes, adds: &adds }, &mut room).unwrap();
        let expected: Vec<_> = before.iter().map(|batch| batch.edited(removes, &adds)).collect();
        prop_assert_eq!(edited.changed, expected.iter().filter(|(_, changed)| *changed).count());
        prop_assert_eq!(edited.cut, 0);
        if edited.changed == 0 {
            prop_assert_eq!(edited.records.as_ptr(), bytes.as_ptr(), "copied for nothing");
        }
        let after: Vec<_> = batches(&edited.records).map(Result::unwrap).collect();
        prop_assert_eq!(after.len(), before.len());
        for ((batch, original), (wanted, changed)) in after.iter().zip(batches(&bytes)).zip(expected) {
            let original = original.unwrap();
            if !changed {
                prop_assert_eq!(batch.bytes(), original.bytes());
                continue;
            }
            // Everything in front of the length, the leader epoch and the magic, and all from the attributes to the count.
            for same in [0..8, 12..17, 21..61] {
                prop_assert_eq!(&batch.bytes()[same.clone()], &original.bytes()[same]);
            }
            prop_assert_eq!(batch.decompressed(&ROOM).unwrap().into_owned(), wanted.plain());
        }
    }

    /// As far as that decoder understands records: it has one header of a key, whose key is text, and no empty batches.
    #[test]
    fn kafka_protocol_reads_what_was_edited(seed: u64) {
        let mut before = sample::batches(seed);
        for record in before.iter_mut().flat_map(|batch| &mut batch.records) {
            record.headers.retain(|(key, _)| std::str::from_utf8(key).is_ok());
            record.headers.sort();
            record.headers.dedup_by(|a, b| a.0 == b.0);
        }
        before.retain(|batch| !batch.records.is_empty() && !batch.control);
        let adds = [added(b"zone", b"acme", false)];
        let removes = |key: &[u8]| key == b"trace";
        let edits = HeaderEdits { removes: &removes, adds: &adds };
        let records = edit(&joined(&before), &edits, &mut { ROOM }).unwrap().records;
        let wanted: Vec<_> = before.iter().map(|batch| batch.edited(removes, &adds).0).collect();
        let (mut read, mut reference) = (BytesMut::from(&*records).freeze(), joined(&wanted));
        let decompress = |bytes: &mut Bytes, compression: Compression| {
            let codec = CODECS[compression as usize];
            Ok(Bytes::from(codec.decompress(bytes, 8 << 20, RecordsError::TooLarge).unwrap().into_owned()))
        };
        for _ in &wanted {
            let decoded = RecordBatchDecoder::decode_with_custom_compression(&mut read, Some(decompress)).unwrap();
            let wanted = RecordBatchDecoder::decode_with_custom_compression(&mut reference, Some(decompress)).unwrap();
            prop_assert!(!decoded.records.is_empty());
            prop_assert!(decoded.records.iter().all(|record| !record.headers.is_empty()));
            prop_assert_eq!(decoded.records, wanted.records);
        }
    }

    #[test]
    fn no_overwritten_byte_makes_it_panic_or_hold_more_than_there_is_room_for(
        seed: u64, at: proptest::sample::Index, bytes in proptest::collection::vec(any::<u8>(), 1..6), sealed: bool,
    ) {
        let mut records = sample::batches(seed)[0].bytes();
        let at = at.index(records.len());
        for (place, byte) in records[at..].iter_mut().zip(bytes) {
            *place = byte;
        }
        if sealed {
            sample::seal(&mut records);
        }
        let mut room = Room { batch: 1 << 20, left: 2 << 20 };
        let adds = some_adds();
        if let Ok(edited) = edit(&records.into(), &HeaderEdits { removes: &internal, adds: &adds }, &mut room) {
            prop_assert!(edited.records.len() < 4 << 20);
        }
    }
}

#[test]
fn a_batch_is_counted_without_being_read() {
    let all = sample::batches(7);
    let bytes = joined(&all);
    let counted: Vec<_> =
        batches(&bytes).map(Result::unwrap).map(|it| (it.records(), it.bytes().len())).collect();
    let wanted: Vec<_> =
        all.iter().map(|it| (u32::try_from(it.records.len()).unwrap(), it.bytes().len())).collect();
    assert_eq!(counted, wanted);
}

#[test]
fn what_is_no_whole_batch_is_cut_off_and_said() {
    let whole = one(Codec::Zstd).bytes();
    for keep in [0, 1, 11, 16, 17, 60, whole.len() - 1] {
        let bytes = Bytes::from([&whole[..], &whole[..keep]].concat());
        let edits = HeaderEdits { removes: &internal, adds: &[] };
        let edited = edit(&bytes, &edits, &mut { ROOM }).unwrap();
        assert_eq!((batches(&edited.records).count(), edited.cut), (1, keep));
    }
}

#[test]
fn what_stands_in_front_of_a_batch_that_cannot_be_read_is_edited() {
    let good = one(Codec::Lz4).bytes();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    let bytes = Bytes::from([&good[..], &bad, &good].concat());
    let edits = HeaderEdits { removes: &internal, adds: &some_adds() };
    let refused = edit(&bytes, &edits, &mut { ROOM }).unwrap_err();
    assert_eq!(refused.cause, RecordsError::Checksum);
    assert_eq!(refused.before, edit(&good.clone().into(), &edits, &mut { ROOM }).unwrap());
    assert_eq!(refused.before.read, good.len(), "as it came");
}

#[test]
fn each_kind_of_damage_has_its_error() {
    let batch = one(Codec::None);
    let changed = |at: usize, byte: u8| {
        let mut bytes = batch.bytes();
        bytes[at] = byte;
        if at > 20 {
            sample::seal(&mut bytes);
        }
        bytes
    };
    assert_eq!(error(changed(16, 1), ROOM), RecordsError::OldFormat(1));
    assert_eq!(error(changed(16, 3), ROOM), RecordsError::UnknownFormat(3));
    assert_eq!(error(changed(22, 5), ROOM), RecordsError::UnknownCodec(5));
    assert_eq!(error(changed(22, 4), ROOM), RecordsError::Compression(Codec::Zstd));
    assert_eq!(error(changed(17, 0), ROOM), RecordsError::Checksum);
    for (at, byte) in [(8, 0x80), (57, 0x80), (60, 0), (60, 255)] {
        assert!(matches!(error(changed(at, byte), ROOM), RecordsError::Malformed(_)), "{at}");
    }
    let mut short = changed(16, 2);
    (short[10], short[11]) = (0, 48);
    assert_eq!(error(short, ROOM), RecordsError::Malformed("its length is less than that of a header"));
}

#[test]
fn what_becomes_too_large_is_refused_in_every_codec_however_few_bytes_it_has() {
    let room = |batch, left| Room { batch, left };
    for codec in CODECS {
        let batch = one(codec);
        let zeros = batch.around(&codec.compress(&vec![0; 3 << 20], &[]).unwrap());
        assert_eq!(error(zeros.clone(), room(1 << 20, 8 << 20)), RecordsError::TooLarge, "{codec}");
        assert_eq!(error(zeros, room(8 << 20, 1 << 20)), RecordsError::Exhausted, "{codec}");
    }
    // 1024 times as many bytes is more than anybody's data comes to.
    let zeros = one(Codec::Zstd).around(&Codec::Zstd.compress(&vec![0; 20 << 20], &[]).unwrap());
    assert!(zeros.len() < 16 << 10, "{}", zeros.len());
    assert_eq!(error(zeros, room(64 << 20, 96 << 20)), RecordsError::TooLarge);
}

#[test]
fn records_that_grow_beyond_the_room_are_refused() {
    let batch = one(Codec::None).bytes();
    let long = AddedHeader { key: "k".into(), value: vec![0; 1000].into(), only_if_absent: false };
    let edits = HeaderEdits { removes: &|_| false, adds: &[long] };
    let room = Room { batch: batch.len() + 1500, left: 1 << 20 };
    let refused = edit(&batch.into(), &edits, &mut { room }).unwrap_err();
    assert_eq!(refused.cause, RecordsError::TooLarge);
}

/// How many batches like this one are looked into until there is no room any more.
fn looked_into(batch: Vec<u8>, mut room: Room) -> usize {
    let batch = Bytes::from(batch);
    let edits = HeaderEdits { removes: &internal, adds: &[] };
    let mut next = || edit(&batch, &edits, &mut room).err().map(|unreadable| unreadable.cause);
    (0..1_000).take_while(|_| next() != Some(RecordsError::Exhausted)).count()
}

#[test]
fn what_comes_to_nothing_takes_room_too_and_nothing_is_looked_into_once_it_is_gone() {
    let room = Room { batch: 64 << 20, left: 96 << 20 };
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let broken = one(codec).around(&[0xff; 20]);
        assert_eq!(error(broken.clone(), room), RecordsError::Compression(codec));
        assert_eq!(looked_into(broken, room), 6, "{codec}: as much as each could have become");
        let zeros = one(codec).around(&codec.compress(&vec![0; 1 << 20], &[]).unwrap());
        assert!(matches!(error(zeros.clone(), room), RecordsError::Malformed(_)), "{codec}");
        assert_eq!(looked_into(zeros, room), 96, "{codec}: what each becomes");
    }
    let gone = Room { batch: 64 << 20, left: 0 };
    for codec in CODECS {
        let good = one(codec).bytes();
        assert_eq!(error(good.clone(), gone), RecordsError::Exhausted);
        assert_eq!(error(good, Room::new(0, 0)), RecordsError::TooLarge, "each alone would be");
    }
}

#[test]
fn what_was_written_of_a_batch_that_fails_takes_room() {
    let batch = one(Codec::None);
    let plain = [batch.plain(), vec![0]].concat();
    let bytes = Bytes::from(batch.around(&plain));
    let long = AddedHeader { key: "k".into(), value: vec![0; 1000].into(), only_if_absent: false };
    let mut room = ROOM;
    let edits = HeaderEdits { removes: &internal, adds: &[long] };
    assert!(edit(&bytes, &edits, &mut room).is_err(), "there is a byte behind its last record");
    // Less what was removed of each.
    let least = plain.len() + 900 * batch.records.len();
    assert!(ROOM.left - room.left > least, "{}", ROOM.left - room.left);
}

#[test]
fn a_compressed_batch_takes_some_room_however_small_it_is() {
    let taken = |codec| {
        let records = build(&[NewRecord::default()], codec, 1).unwrap();
        let mut room = ROOM;
        edit(&records, &HeaderEdits { removes: &internal, adds: &[] }, &mut room).unwrap();
        ROOM.left - room.left
    };
    assert_eq!(CODECS.map(taken), [7, Room::EACH, Room::EACH, Room::EACH, Room::EACH]);
}

#[test]
fn a_look_tells_few_bytes_from_those_that_become_many() {
    let fits = |records: &[u8]| fits(records, &mut Room::new(128 << 10, 128 << 10));
    let of = |value: usize, records: usize, codec| {
        let record = NewRecord { value: Some(vec![0; value].into()), ..NewRecord::default() };
        build(&vec![record; records], codec, 1).unwrap()
    };
    for codec in CODECS {
        assert!(fits(&of(100, 10, codec)), "{codec}");
        assert!(!fits(&of(200 << 10, 1, codec)), "{codec}");
        assert!(!fits(&of(1, 2_000, codec)), "{codec}: something may be added to each");
        assert!(!fits(&of(100, 1, codec).repeat(2_000)), "{codec}: all of them count");
        let broken = one(codec).around(&[0xff; 20]);
        assert_eq!(fits(&broken), codec == Codec::None, "{codec}");
    }
    assert!(fits(&[]));
    assert!(fits(&of(200 << 10, 1, Codec::None)[..70]), "what is cut off is not read");
    // Its decoder fills 4 MiB with zeros: of one batch, and not of many.
    let mut blocks = Codec::Lz4.compress(b"some", &[]).unwrap().into_owned();
    assert_eq!(Codec::Lz4.set_aside(&blocks), 64 << 10);
    blocks[5] = 0x70;
    assert!(Codec::Lz4.set_aside(&blocks) >= 4 << 20);
    assert!(Codec::Lz4.set_aside(b"") >= 4 << 20);
    let large = one(Codec::Lz4).around(&[0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73, 0, 0, 0, 0]);
    let mut room = ROOM;
    let _ = edit(&Bytes::from(large), &HeaderEdits { removes: &internal, adds: &[] }, &mut room);
    assert!(ROOM.left - room.left >= 64 << 10, "{}", ROOM.left - room.left);
}

#[test]
fn snappy_sets_nothing_aside_for_a_length_that_it_cannot_have() {
    // It says 16 MiB, and has a byte.
    let block = [0x80, 0x80, 0x80, 0x08, 0xff];
    let framed = [&b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x05"[..], &block].concat();
    for bytes in [&block[..], &framed] {
        // Else it would be too large, which is said before anything is set aside.
        let refused = Codec::Snappy.decompress(bytes, 1 << 20, RecordsError::TooLarge);
        assert_eq!(refused, Err(RecordsError::Compression(Codec::Snappy)));
    }
    for len in [0, 1, 60, 64, 65, 1_000, 70_000] {
        let plain = vec![7; len];
        let raw = Codec::Snappy.compress(&plain, b"a raw block").unwrap();
        assert_eq!(Codec::Snappy.decompress(&raw, len, RecordsError::TooLarge).unwrap(), plain, "{len}");
    }
}

#[test]
fn snappy_keeps_the_framing_that_it_came_with() {
    let plain = vec![7; 100_000];
    let framed = Codec::Snappy.compress(&plain, &[]).unwrap();
    assert!(framed.starts_with(b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01"));
    let raw = Codec::Snappy.compress(&plain, b"a raw block").unwrap();
    assert!(!raw.starts_with(b"\x82"));
    for bytes in [framed, raw] {
        assert_eq!(Codec::Snappy.decompress(&bytes, 100_000, RecordsError::TooLarge).unwrap(), plain);
        assert_eq!(Codec::Snappy.compress(&plain, &bytes).unwrap(), bytes);
        let short = Codec::Snappy.decompress(&bytes, 99_999, RecordsError::TooLarge);
        assert_eq!(short, Err(RecordsError::TooLarge));
    }
}

/// A stream says nothing of its size, and the Java client writes one.
#[test]
fn zstd_is_read_without_a_size_and_whatever_window_it_asks_for() {
    let plain: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut stream = zstd_safe::CCtx::create();
    stream.set_parameter(zstd_safe::CParameter::WindowLog(27)).unwrap();
    let mut compressed = vec![0; plain.len()];
    let mut out = zstd_safe::OutBuffer::around(&mut compressed[..]);
    let mut input = zstd_safe::InBuffer::around(&plain);
    while input.pos < plain.len() {
        stream.compress_stream(&mut out, &mut input).unwrap();
    }
    while stream.end_stream(&mut out).unwrap() > 0 {}
    let len = out.pos();
    compressed.truncate(len);
    assert!(matches!(zstd_safe::get_frame_content_size(&compressed), Ok(None)));
    for limit in [plain.len(), 64 << 20] {
        let read = Codec::Zstd.decompress(&compressed, limit, RecordsError::TooLarge).unwrap();
        assert!(read == plain);
    }
    let short = Codec::Zstd.decompress(&compressed, plain.len() - 1, RecordsError::TooLarge);
    assert_eq!(short, Err(RecordsError::TooLarge));
}

#[test]
fn a_batch_made_here_reads_back() {
    let record = NewRecord {
        key: None,
        value: Some("v".into()),
        headers: vec![("a".into(), None), ("a".into(), Some("2".into()))],
    };
    for codec in CODECS {
        let bytes = build(&[record.clone(), NewRecord::default()], codec, 5).unwrap();
        let batch = batches(&bytes).next().unwrap().unwrap();
        let plain = batch.decompressed(&ROOM).unwrap();
        let mut reader = Reader::new(&plain);
        let read = reader.record().unwrap();
        assert_eq!((read.key, read.value), (None, Some(&b"v"[..])));
        let headers: Vec<_> = read.headers().map(Result::unwrap).map(|it| (it.key, it.value)).collect();
        assert_eq!(headers, [(&b"a"[..], None), (b"a", Some(&b"2"[..]))]);
        assert_eq!((batch.records(), reader.record().unwrap().value, reader.unread()), (2, None, 0));
    }
}
