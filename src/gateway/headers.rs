//! A zone's header policy, carried out on records: on what its partner produces, and on what it reads.

use std::sync::Arc;

use bytes::Bytes;

use crate::kafka::records::{self, AddedHeader, Edited, HeaderEdits, RecordsError, Room, Unreadable};
use crate::policy::headers::Produced;
use crate::zone::{Headers, TopicName, ZoneName};

/// The bytes of one batch, decompressed, and of all batches of a request or response. A broker takes frames of 100 MiB, so that
/// what is edited still fits one.
const BATCH: usize = 64 << 20;
const ALL: usize = 96 << 20;

/// What the records of one request or response may take here.
pub fn room() -> Room {
    Room::new(BATCH, ALL)
}

/// The same of one that is itself too large to be edited: every batch of it is too large.
pub(crate) fn no_room() -> Room {
    Room::new(0, 0)
}

/// What is done to the records of one Produce request.
#[derive(Debug)]
pub struct Adding {
    policy: Arc<Headers>,
    added: Vec<AddedHeader>,
    room: Room,
}

impl Adding {
    /// With the templates filled in.
    pub fn new(policy: &Arc<Headers>, request: &Produced<'_>) -> Self {
        let added = policy.filled(request).into_iter().map(|header| AddedHeader {
            key: Bytes::copy_from_slice(header.key.as_bytes()),
            value: header.value.into(),
            only_if_absent: header.only_if_absent,
        });
        Self { added: added.collect(), policy: Arc::clone(policy), room: room() }
    }

    /// For a request that is too large to be edited.
    pub(crate) fn without_room(self) -> Self {
        Self { room: no_room(), ..self }
    }

    /// What the records of the request may take.
    pub fn room(&self) -> Room {
        self.room
    }

    /// The records with their headers. Without any there is nothing to edit: the broker says what it thinks of that.
    ///
    /// # Errors
    /// If any batch cannot be read, or is not there to its end: no record may reach the topic without its headers, and none may be
    /// left out of what its producer counts.
    pub fn edit(&self, records: &Bytes, room: &mut Room) -> Result<Edited, RecordsError> {
        let removes = |key: &[u8]| self.policy.replaces(key);
        let edits = HeaderEdits { removes: &removes, adds: &self.added };
        let edited = records::edit(records, &edits, room).map_err(|unreadable| unreadable.cause)?;
        match edited.cut {
            0 => Ok(edited),
            _ => Err(RecordsError::Malformed("it is not there to its end")),
        }
    }
}

/// Takes the headers out of records that the partner must not see.
///
/// # Errors
/// With those in front of a batch that cannot be read, and what is wrong with it.
pub fn hide(policy: &Headers, records: &Bytes, room: &mut Room) -> Result<Edited, Unreadable> {
    let removes = |key: &[u8]| policy.hides(key);
    records::edit(records, &HeaderEdits { removes: &removes, adds: &[] }, room)
}

/// What became of the records of one request or response.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Batches that were changed.
    pub(crate) changed: usize,
    /// Why the records of partitions were refused.
    pub(crate) refused: Vec<RecordsError>,
    /// Where those were that a partner wanted to read.
    pub(crate) unreadable: Vec<Place>,
}

/// A partition with a batch that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) zone: ZoneName,
    pub(crate) backing: TopicName,
    pub(crate) partition: i32,
    pub(crate) cause: RecordsError,
}
