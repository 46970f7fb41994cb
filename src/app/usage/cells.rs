//! What this process counts of each zone and month, and what of it the store has.
//!
//! A cell writes all that it counted under a source of its own, again and again: the last record counts. A source that was not
//! written for an hour is added up by the leader and ends, so a cell that could not write for half of that goes on under another one.
//! A write that nobody has acknowledged may have been made all the same. It is written again as it was, with nothing added, until it is
//! certain: so it is never more than one interval's figures that are lost with a source that is given up, and none count twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use crate::store::Place;
use crate::zone::{Month, Usage, ZoneName};

/// A source that had no acknowledged write for so long is never written again: half of what the leader waits for.
pub(super) const GIVEN_UP_AFTER: Duration = Duration::from_mins(30);

/// On both clocks: one stands still while the machine sleeps, the other jumps. Whichever says more is believed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) steady: Instant,
    pub(super) wall: OffsetDateTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), wall: OffsetDateTime::now_utc() }
    }

    fn until(self, now: Self) -> Duration {
        let on_the_wall = Duration::try_from(now.wall - self.wall).unwrap_or_default();
        now.steady.saturating_duration_since(self.steady).max(on_the_wall)
    }
}

#[derive(Debug)]
pub(super) struct Cells {
    node: String,
    cells: BTreeMap<(ZoneName, Month), Cell>,
}

#[derive(Debug)]
struct Cell {
    place: Place,
    /// What the store has for certain.
    written: Arc<Usage>,
    /// What was sent and not acknowledged, `written` included.
    sent: Option<Arc<Usage>>,
    /// Counted since.
    counted: Usage,
    /// When the last write that was acknowledged was begun; or the source.
    alive: Moment,
}

impl Cell {
    fn new(place: Place, now: Moment) -> Self {
        Self { place, written: Arc::default(), sent: None, counted: Usage::default(), alive: now }
    }

    fn is_due(&self) -> bool {
        self.sent.is_some() || self.counted != Usage::default()
    }

    fn is_in_doubt(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| *sent != self.written)
    }

    fn due(&mut self) -> (Place, Arc<Usage>) {
        let sent = self.sent.get_or_insert_with(|| {
            let mut usage = Usage::clone(&self.written);
            usage.add(&std::mem::take(&mut self.counted));
            Arc::new(usage)
        });
        (self.place.clone(), Arc::clone(sent))
    }

    /// Under a new source, with what is certain not to be written. The first record of one that follows on a store that was away
    /// says nothing: only once it is acknowledged there is something to lose by.
    fn follow(&mut self, node: &str, now: Moment) {
        let Place { zone, month, .. } = self.place.clone();
        let counted = std::mem::take(&mut self.counted);
        *self = Self {
            counted,
            sent: Some(Arc::default()),
            ..Self::new(Place::of_new_source(zone, month, node), now)
        };
    }
}

impl Cells {
    pub(super) fn new(node: String) -> Self {
        Self { node, cells: BTreeMap::new() }
    }

    /// Adds what was counted, as of this month.
    pub(super) fn count(&mut self, counted: BTreeMap<ZoneName, Usage>, month: Month, now: Moment) {
        for (zone, usage) in counted {
            let cell = self.cells.entry((zone.clone(), month));
            let cell = cell.or_insert_with(|| Cell::new(Place::of_new_source(zone, month, &self.node), now));
            cell.counted.add(&usage);
        }
    }

    /// What is to be written now.
    pub(super) fn due(&mut self, now: Moment) -> Vec<(Place, Arc<Usage>)> {
        let is_alive = |cell: &Cell| cell.alive.until(now) < GIVEN_UP_AFTER;
        let zones = self.cells.values().filter(|cell| !is_alive(cell) && cell.is_in_doubt()).count();
        if zones > 0 {
            tracing::warn!(
                zones,
                "the store was away for long: it may not have one interval's usage of these zones, which is not counted again"
            );
        }
        self.cells.retain(|_, cell| is_alive(cell) || cell.counted != Usage::default());
        for cell in self.cells.values_mut().filter(|cell| !is_alive(cell)) {
            cell.follow(&self.node, now);
        }
        self.cells.values_mut().filter(|cell| cell.is_due()).map(Cell::due).collect()
    }

    /// This was written, by a write that was begun at this moment.
    pub(super) fn acknowledge(&mut self, place: &Place, usage: Arc<Usage>, begun: Moment) {
        let cell = self.cells.get_mut(&(place.zone.clone(), place.month));
        if let Some(cell) = cell.filter(|cell| cell.place == *place) {
            cell.written = usage;
            cell.sent = None;
            cell.alive = begun;
        }
    }
}
