//! What the target under `fuzz/` feeds.

#![allow(clippy::unwrap_used, reason = "for tests and fuzzing only")]

use bytes::Bytes;

use super::{AddedHeader, Counting, HeaderEdits, Room, count, edit, sample};

/// A records field. Half of the inputs get the checksums that their batches ought to have, so that what is behind them is reached.
///
/// # Panics
/// When what was edited cannot be edited again, or is more than there is room for; or counts otherwise in pieces than as a whole.
pub fn edits(data: &[u8]) {
    const MOST: usize = 1 << 20;
    let Some((&how, data)) = data.split_first() else { return };
    let mut counting = Counting::default();
    data.chunks(usize::from(how) + 1).for_each(|piece| counting.push(piece));
    assert_eq!(counting.take(), count(data));
    let mut records = data.to_vec();
    if how & 1 == 0 {
        sealed(&mut records);
    }
    let adds = [AddedHeader { key: "zone".into(), value: "acme".into(), only_if_absent: how & 2 == 0 }];
    let removes = |key: &[u8]| key.starts_with(b"internal-");
    let edits = HeaderEdits { removes: &removes, adds: if how & 4 == 0 { &adds } else { &[] } };
    let room = Room::new(MOST, 2 * MOST);
    let edited = match edit(&Bytes::from(records), &edits, &mut { room }) {
        Ok(edited) => edited,
        Err(unreadable) => unreadable.before,
    };
    // A batch may be all header, and compression of what cannot be compressed adds to it.
    assert!(edited.records.len() <= data.len() + 5 * MOST);
    let again = edit(
        &edited.records,
        &HeaderEdits { removes: &removes, adds: &[] },
        &mut Room::new(2 * MOST, 64 * MOST),
    );
    let again = again.unwrap();
    assert_eq!((again.changed, again.cut), (0, 0), "a header that was to be removed is left");
}

fn sealed(mut records: &mut [u8]) {
    while let Some(len) = records.get(8..12).map(|len| i32::from_be_bytes(len.try_into().unwrap())) {
        let end = usize::try_from(len).unwrap_or(0).saturating_add(12);
        if end < 61 || end > records.len() {
            return;
        }
        let (batch, rest) = std::mem::take(&mut records).split_at_mut(end);
        sample::seal(batch);
        records = rest;
    }
}

/// Inputs as clients send them.
pub fn seeds() -> Vec<Vec<u8>> {
    let batches =
        |seed| sample::batches(seed).iter().flat_map(sample::SampleBatch::bytes).collect::<Vec<_>>();
    (0..60_u8).map(|how| [vec![how], batches(u64::from(how))].concat()).collect()
}
