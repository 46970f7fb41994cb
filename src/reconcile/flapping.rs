//! Zones that drift again as soon as they are corrected: somebody else writes them too, and one of the two must stop.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::zone::ZoneName;

/// So many corrections of a zone within [`WINDOW`] are made. The next drift is left, and the zone suspended.
pub(super) const CORRECTIONS: usize = 3;
pub(super) const WINDOW: Duration = Duration::from_mins(10);

/// The corrections of the last minutes.
#[derive(Debug, Default)]
pub(super) struct Flapping {
    corrected: BTreeMap<ZoneName, VecDeque<Instant>>,
}

impl Flapping {
    pub(super) fn corrected(&mut self, zone: &ZoneName, now: Instant) {
        let times = self.corrected.entry(zone.clone()).or_default();
        times.push_back(now);
        while times.len() > CORRECTIONS {
            times.pop_front();
        }
    }

    /// Whether one more correction of it would be one too many.
    pub(super) fn flaps(&mut self, zone: &ZoneName, now: Instant) -> bool {
        self.corrected.retain(|_, times| {
            times.retain(|at| now.saturating_duration_since(*at) < WINDOW);
            !times.is_empty()
        });
        self.corrected.get(zone).is_some_and(|times| times.len() >= CORRECTIONS)
    }

    /// It starts anew: a person, or a new commit, has spoken.
    pub(super) fn forget(&mut self, zone: &ZoneName) {
        self.corrected.remove(zone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_corrections_within_ten_minutes_are_enough_and_each_zone_counts_for_itself() {
        let [acme, beta] = ["acme", "beta"].map(|name| ZoneName::try_from(name).unwrap());
        let (mut flapping, start) = (Flapping::default(), Instant::now());
        let after = |minutes| start + Duration::from_mins(minutes);
        for minute in 0..3 {
            assert!(!flapping.flaps(&acme, after(minute)), "{minute}");
            flapping.corrected(&acme, after(minute));
        }
        assert!(flapping.flaps(&acme, after(3)) && !flapping.flaps(&beta, after(3)));
        assert!(!flapping.flaps(&acme, after(10)), "the first is ten minutes old");
        for minute in 11..14 {
            flapping.corrected(&acme, after(minute));
        }
        assert!(flapping.flaps(&acme, after(14)));
        flapping.forget(&acme);
        assert!(!flapping.flaps(&acme, after(14)));
    }
}
