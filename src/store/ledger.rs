//! What partners used, as the records of the usage topic have it: of each zone and month the figures of several sources, which add up.
//!
//! A source is one process, for as long as it counts without a longer pause: it writes its own record and no other, with all that
//! it counted so far. So nobody has to lead for it, and a record that is written twice counts once. Sources that are no more are
//! added up by the leader.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use uuid::Uuid;

use super::record::{BASE, Figures, UsageKey, read_lag};
use super::{Change, StoreError};
use crate::zone::usage::Usage;
use crate::zone::{Month, ZoneLag, ZoneName};

/// A record that is larger is none of ours.
const LARGEST: usize = 1024 * 1024;

/// Whose figures, of what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub zone: ZoneName,
    pub month: Month,
    pub source: String,
}

impl Place {
    /// With a source that nobody else has. A node's id alone would be that of its next process too.
    pub fn of_new_source(zone: ZoneName, month: Month, node: &str) -> Self {
        Self { zone, month, source: format!("{node}/{}", Uuid::new_v4()) }
    }

    fn first_of(zone: &ZoneName, month: Month) -> Self {
        Self { zone: zone.clone(), month, source: String::new() }
    }
}

/// Records of one zone and month that become one, or none.
#[derive(Debug, Clone)]
pub struct Fold {
    pub(super) zone: ZoneName,
    pub(super) month: Month,
    /// By source, as they were read: it is a conflict if they are others by now.
    pub(super) from: BTreeMap<String, Arc<[u8]>>,
    /// `None`: they are of no interest any more.
    pub(super) into: Option<Usage>,
}

impl Fold {
    /// How many records it touches.
    pub fn records(&self) -> usize {
        self.from.len() + 1
    }
}

/// What may be folded.
#[derive(Debug, Clone, Copy)]
pub struct Foldable {
    /// A source that was not written for so long is not written again: twice the time after which a process gives a silent one up.
    pub silent: Duration,
    /// The month that it is. Where it lies more than [`Self::MONTHS`] behind, and records of later months say so too, a month is over.
    pub today: Month,
    /// Records that are touched for one zone and month.
    pub most: usize,
}

impl Foldable {
    /// The months that are kept beside the current one.
    pub const MONTHS: u32 = 13;
}

#[derive(Debug, Clone)]
struct Kept {
    value: Arc<[u8]>,
    /// When this process read it. Clocks on the wall jump, and those of nodes differ.
    at: Instant,
}

/// The records of a reading.
#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    figures: BTreeMap<Place, Kept>,
    lags: BTreeMap<ZoneName, Arc<[u8]>>,
}

impl Records {
    pub(super) fn take(&mut self, key: &[u8], value: Option<&[u8]>) {
        match UsageKey::read(key) {
            _ if value.is_some_and(|value| value.len() > LARGEST) => {
                tracing::debug!("a record of usage is too large to be ours");
            }
            Some(UsageKey::Figures(place)) => self.put(place, value),
            Some(UsageKey::Lag(zone)) => match value {
                Some(value) => drop(self.lags.insert(zone, value.into())),
                None => drop(self.lags.remove(&zone)),
            },
            None => tracing::debug!("a record of usage has a key that this version cannot read"),
        }
    }

    fn put(&mut self, place: Place, value: Option<&[u8]>) {
        let Some(value) = value else {
            self.figures.remove(&place);
            return;
        };
        if place.source == BASE
            && let Ok(figures) = Figures::read(value)
        {
            for source in figures.folded {
                self.figures.remove(&Place { source, ..place.clone() });
            }
        }
        self.figures.insert(place, Kept { value: value.into(), at: Instant::now() });
    }

    fn of<'a>(&'a self, zone: &'a ZoneName, month: Month) -> impl Iterator<Item = (&'a Place, &'a Kept)> {
        let first = Place::first_of(zone, month);
        self.figures.range(first..).take_while(move |(place, _)| place.zone == *zone && place.month == month)
    }
}

#[derive(Debug, Default)]
struct Books {
    /// Everything was read once.
    is_whole: bool,
    /// There is something to write to.
    is_there: bool,
    records: Records,
}

/// See the module. What was read stays as it is written, and is understood when somebody asks.
#[derive(Debug)]
pub struct Ledger {
    books: Mutex<Books>,
    /// The offset up to which everything was read.
    position: watch::Sender<i64>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self { books: Mutex::default(), position: watch::Sender::new(0) }
    }

    /// What was used of this zone in this month. `None` as long as the records have not all been read.
    pub fn usage(&self, zone: &ZoneName, month: Month) -> Option<Usage> {
        let values: Vec<_> = {
            let books = self.whole()?;
            books.records.of(zone, month).map(|(_, kept)| Arc::clone(&kept.value)).collect()
        };
        Some(sum(values.iter().map(|value| &**value)))
    }

    /// All zones that were used in this month.
    pub fn zones(&self, month: Month) -> Option<BTreeMap<ZoneName, Usage>> {
        let mut values: BTreeMap<ZoneName, Vec<Arc<[u8]>>> = BTreeMap::new();
        {
            let books = self.whole()?;
            for (place, kept) in books.records.figures.iter().filter(|(place, _)| place.month == month) {
                values.entry(place.zone.clone()).or_default().push(Arc::clone(&kept.value));
            }
        }
        let summed = values.into_iter().map(|(zone, of)| (zone, sum(of.iter().map(|value| &**value))));
        Some(summed.collect())
    }

    /// The months in which this zone was used.
    pub fn months(&self, zone: &ZoneName) -> BTreeSet<Month> {
        let books = self.books();
        let first = Place { zone: zone.clone(), month: Month::FIRST, source: String::new() };
        let of_zone = books.records.figures.range(first..).take_while(|(place, _)| place.zone == *zone);
        of_zone.map(|(place, _)| place.month).collect()
    }

    /// How far the consumers of this zone were behind when the leader looked last; `None` where that is not known.
    pub fn lag(&self, zone: &ZoneName) -> Option<ZoneLag> {
        let value = self.books().records.lags.get(zone).cloned()?;
        understood(&value)
    }

    /// The same of all zones of which it is known.
    pub fn lags(&self) -> BTreeMap<ZoneName, ZoneLag> {
        let values = self.books().records.lags.clone();
        values.into_iter().filter_map(|(zone, value)| Some((zone, understood(&value)?))).collect()
    }

    /// What can be folded now.
    pub fn folds(&self, rules: Foldable) -> Vec<Fold> {
        let chosen = self.whole().map(|books| chosen(&books.records, rules)).unwrap_or_default();
        chosen.into_iter().filter_map(Chosen::fold).collect()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn whole(&self) -> Option<MutexGuard<'_, Books>> {
        Some(self.books()).filter(|books| books.is_whole)
    }
}

/// For the stores.
impl Ledger {
    pub(super) fn take(&self, key: &[u8], value: Option<&[u8]>) {
        self.books().records.take(key, value);
    }

    /// A reading from the start has come to the end: it takes the place of what was there.
    pub(super) fn publish(&self, records: Records) {
        let mut books = self.books();
        books.records = records;
        books.is_whole = true;
    }

    pub(super) fn is_there(&self) -> bool {
        self.books().is_there
    }

    pub(super) fn found(&self, is_there: bool) {
        self.books().is_there = is_there;
    }

    pub(super) fn position(&self) -> &watch::Sender<i64> {
        &self.position
    }

    /// What is folded among these changes; a conflict if the records are others by now.
    pub(super) fn folds_among<'c>(&self, changes: &'c [Change]) -> Result<Vec<&'c Fold>, StoreError> {
        let folds = changes.iter().filter_map(|change| match change {
            Change::FoldUsage(fold) => Some(fold),
            _ => None,
        });
        let conflict = |fold: &Fold| {
            let what = format!("usage of zone `{}` in {} was written", fold.zone, fold.month);
            StoreError::Conflict(what)
        };
        folds.map(|fold| if self.still_holds(fold) { Ok(fold) } else { Err(conflict(fold)) }).collect()
    }

    /// Whether the records are as they were when this was made.
    fn still_holds(&self, fold: &Fold) -> bool {
        let books = self.books();
        let holds = |(source, value): (&String, &Arc<[u8]>)| {
            let place = Place { zone: fold.zone.clone(), month: fold.month, source: source.clone() };
            books.records.figures.get(&place).is_some_and(|kept| kept.value == *value)
        };
        // A base that came to be since would be lost.
        let base = Place { zone: fold.zone.clone(), month: fold.month, source: BASE.to_owned() };
        let has_no_other_base = fold.from.contains_key(BASE) || !books.records.figures.contains_key(&base);
        has_no_other_base && fold.from.iter().all(holds)
    }
}

fn understood(value: &[u8]) -> Option<ZoneLag> {
    let lag = read_lag(value);
    lag.inspect_err(|error| tracing::debug!(error, "a record of lag that this version cannot read")).ok()
}

/// Records that cannot be read count for nothing.
fn sum<'a>(values: impl Iterator<Item = &'a [u8]>) -> Usage {
    let mut usage = Usage::default();
    for value in values {
        match Figures::read(value) {
            Ok(figures) => usage.add(&figures.usage),
            Err(error) => tracing::debug!(error, "a record of usage that this version cannot read"),
        }
    }
    usage
}

/// What is folded of one zone and month, before it is understood.
struct Chosen {
    zone: ZoneName,
    month: Month,
    from: BTreeMap<String, Arc<[u8]>>,
    is_over: bool,
}

fn chosen(records: &Records, rules: Foldable) -> Vec<Chosen> {
    // A clock that is wrong deletes nothing: somebody must have counted in a later month.
    let newest = records.figures.keys().map(|place| place.month).max().unwrap_or(rules.today);
    let today = newest.min(rules.today);
    let is_over = |month: Month| month.months_before(today) > Foldable::MONTHS;
    let mut chosen: Vec<Chosen> = Vec::new();
    for (place, kept) in &records.figures {
        let is_base = place.source == BASE;
        let is_over = is_over(place.month);
        if !(is_base || is_over || kept.at.elapsed() >= rules.silent) {
            continue;
        }
        let is_of_last =
            chosen.last().is_some_and(|last| (&last.zone, last.month) == (&place.zone, place.month));
        if !is_of_last {
            let (zone, month) = (place.zone.clone(), place.month);
            chosen.push(Chosen { zone, month, from: BTreeMap::new(), is_over });
        }
        // The base is never left out where there is one.
        if let Some(last) = chosen.last_mut()
            && (is_base || last.from.len() < rules.most)
        {
            last.from.insert(place.source.clone(), Arc::clone(&kept.value));
        }
    }
    chosen.retain(|it| it.is_over || it.from.keys().any(|source| source != BASE));
    chosen
}

impl Chosen {
    /// Records that cannot be read stay; nothing is added to a base that cannot be.
    fn fold(mut self) -> Option<Fold> {
        let Self { zone, month, .. } = self;
        if self.is_over {
            return Some(Fold { zone, month, from: self.from, into: None });
        }
        let mut into = Usage::default();
        let mut is_base_lost = false;
        self.from.retain(|source, value| {
            let figures = Figures::read(value).ok();
            is_base_lost |= figures.is_none() && source == BASE;
            figures.inspect(|figures| into.add(&figures.usage)).is_some()
        });
        let is_of_use = !is_base_lost && self.from.keys().any(|source| source != BASE);
        is_of_use.then_some(Fold { zone, month, from: self.from, into: Some(into) })
    }
}

#[cfg(test)]
mod tests;
