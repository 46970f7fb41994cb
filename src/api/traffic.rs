//! What went to and from each zone in the last day, by quarters of an hour: for pictures.
//!
//! Each node draws it up for itself, from the usage that all nodes write down, since it started: nothing of it is kept. What has to last is
//! the usage of a month ([`super::usage`]).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Extension, State as Shared};
use axum::http::StatusCode;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::Api;
use super::access::Sight;
use super::auth::Caller;
use super::body::Name;
use super::credentials::rfc3339;
use super::problem::Problem;
use super::usage::read;
use crate::zone::{Month, Usage, ZoneName};

/// Seconds of a stretch.
const STRETCH: i64 = 15 * 60;

/// Stretches that are kept: a day.
const STRETCHES: i64 = 96;

/// Between two looks, where a look is quick.
const INTERVAL: Duration = Duration::from_mins(1);

/// Of many zones a look takes its time; it may take a hundredth of all.
const SHARE: u32 = 100;

/// Bytes from the partner and to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Bytes {
    produced: u64,
    consumed: u64,
}

impl Bytes {
    fn of(usage: &Usage) -> Self {
        let total = usage.total();
        Self { produced: total.produced.bytes, consumed: total.consumed.bytes }
    }

    fn since(self, before: Self) -> Self {
        Self {
            produced: self.produced.saturating_sub(before.produced),
            consumed: self.consumed.saturating_sub(before.consumed),
        }
    }

    fn plus(self, more: Self) -> Self {
        Self {
            produced: self.produced.saturating_add(more.produced),
            consumed: self.consumed.saturating_add(more.consumed),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Traffic(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// When the first look was.
    since: Option<OffsetDateTime>,
    month: Option<Month>,
    /// What each zone had used of its month at the last look.
    totals: BTreeMap<ZoneName, Bytes>,
    /// The stretches in which anything went through, by their number since 1970, in order.
    stretches: BTreeMap<ZoneName, VecDeque<(i64, Bytes)>>,
}

impl Seen {
    fn look(&mut self, usage: &BTreeMap<ZoneName, Usage>, month: Month, now: OffsetDateTime) {
        // What was used in a month's last minute is seldom seen here. The usage of that month has it.
        if self.month.replace(month) != Some(month) {
            self.totals.clear();
        }
        let is_first = self.since.is_none();
        self.since.get_or_insert(now);
        let current = stretch(now);
        for (zone, usage) in usage {
            let total = Bytes::of(usage);
            let before = self.totals.insert(zone.clone(), total).unwrap_or_default();
            let more = if is_first { Bytes::default() } else { total.since(before) };
            if more != Bytes::default() {
                add(self.stretches.entry(zone.clone()).or_default(), current, more);
            }
        }
        self.stretches.retain(|_, of_zone| {
            of_zone.retain(|(at, _)| *at > current - STRETCHES);
            !of_zone.is_empty()
        });
    }

    /// Of the last day, with those in which nothing went through.
    fn points(&self, zone: &ZoneName, now: OffsetDateTime) -> Vec<(OffsetDateTime, Bytes)> {
        let of_zone = self.stretches.get(zone);
        let in_stretch = |at: i64| {
            of_zone
                .into_iter()
                .flatten()
                .find(|(known, _)| *known == at)
                .map_or_else(Bytes::default, |(_, bytes)| *bytes)
        };
        let current = stretch(now);
        let point = |at: i64| Some((OffsetDateTime::from_unix_timestamp(at * STRETCH).ok()?, in_stretch(at)));
        (current - STRETCHES + 1..=current).filter_map(point).collect()
    }
}

/// A clock that was set back adds to a stretch that is there already, or to the last one.
fn add(stretches: &mut VecDeque<(i64, Bytes)>, at: i64, more: Bytes) {
    match stretches.back_mut() {
        Some((last, bytes)) if *last >= at => *bytes = bytes.plus(more),
        _ => stretches.push_back((at, more)),
    }
}

fn stretch(at: OffsetDateTime) -> i64 {
    at.unix_timestamp().div_euclid(STRETCH)
}

impl Traffic {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Api {
    /// Looks at what all zones have used until `cancel`.
    pub(super) async fn watch_traffic(&self, cancel: &CancellationToken) {
        loop {
            let (begun, now) = (Instant::now(), OffsetDateTime::now_utc());
            let month = Month::of(now);
            // A node that has not read what was used yet has nothing to look at.
            if let Ok(usage) = read(self, move |store| store.ledger().zones(month)).await {
                self.traffic.seen().look(&usage, month, now);
            }
            let pause = INTERVAL.max(begun.elapsed() * SHARE);
            if cancel.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }
}

pub(super) async fn of_zone(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
) -> Result<Json<Value>, Problem> {
    let state = api.state()?;
    let (record, sight) = caller.find(&state, &name)?;
    if matches!(sight, Sight::Part(_)) {
        let detail = "the zone shares other topics too, and this is told of all of them together; its usage is told by topic";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let now = OffsetDateTime::now_utc();
    let seen = api.traffic.seen();
    let point = |(at, bytes): (OffsetDateTime, Bytes)| json!({ "at": rfc3339(at), "producedBytes": bytes.produced, "consumedBytes": bytes.consumed });
    Ok(Json(json!({
        "zone": record.zone.name.as_str(),
        "since": seen.since.map(rfc3339),
        "everySeconds": STRETCH,
        "points": seen.points(&record.zone.name, now).into_iter().map(point).collect::<Vec<_>>(),
    })))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::zone::usage::{ClientUsage, Volume};

    const START: OffsetDateTime = datetime!(2026-11-29 10:00 UTC);

    fn zone() -> ZoneName {
        ZoneName::try_from("acme").unwrap()
    }

    fn used(produced: u64, consumed: u64) -> BTreeMap<ZoneName, Usage> {
        let volume = |bytes| Volume { bytes, records: 1 };
        let usage =
            ClientUsage { produced: volume(produced), consumed: volume(consumed), ..ClientUsage::default() };
        let usage = Usage { credentials: [("k".to_owned(), usage)].into(), ..Usage::default() };
        [(zone(), usage)].into()
    }

    fn shown(seen: &Seen, now: OffsetDateTime) -> Vec<(i64, u64, u64)> {
        let points = seen.points(&zone(), now);
        assert_eq!(points.len(), 96);
        let minutes = |at: OffsetDateTime| (at - START).whole_minutes();
        let some = points.into_iter().filter(|(_, bytes)| *bytes != Bytes::default());
        some.map(|(at, bytes)| (minutes(at), bytes.produced, bytes.consumed)).collect()
    }

    #[test]
    fn what_is_added_between_two_looks_went_through_then_and_a_day_later_it_is_gone() {
        let mut seen = Seen::default();
        let mut look = |minutes, produced, consumed| {
            let now = START + time::Duration::minutes(minutes);
            seen.look(&used(produced, consumed), Month::of(now), now);
            shown(&seen, now)
        };
        assert_eq!(look(0, 1_000, 50), [], "what was before the first look is not of now");
        assert_eq!(look(1, 1_010, 50), [(0, 10, 0)]);
        assert_eq!(look(14, 1_015, 60), [(0, 15, 10)]);
        assert_eq!(look(16, 1_016, 60), [(0, 15, 10), (15, 1, 0)]);
        assert_eq!(
            look(17, 900, 60),
            [(0, 15, 10), (15, 1, 0)],
            "less than before is not the partner's doing"
        );
        let day = 24 * 60;
        assert_eq!(look(day + 1, 900, 60), [(15, 1, 0)]);
        assert_eq!(look(2 * day, 7, 0), [(2 * day, 7, 0)], "December begins with nothing");
    }

    #[test]
    fn a_zone_that_is_seen_later_began_with_nothing() {
        let mut seen = Seen::default();
        seen.look(&BTreeMap::new(), Month::of(START), START);
        let later = START + time::Duration::minutes(1);
        seen.look(&used(5, 6), Month::of(later), later);
        assert_eq!(shown(&seen, later), [(0, 5, 6)]);
    }
}
