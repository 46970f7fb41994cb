//! Zones whose last try failed, and when the next one is due: one zone's failure never blocks another's.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::backing::BackingFailure;
use super::source::jittered;
use crate::zone::ZoneName;

/// The first wait after a failure; it doubles up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);

/// How long to wait after so many failures in a row.
pub(super) fn backoff(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    jittered(SHORTEST.saturating_mul(doubled).min(LONGEST))
}

/// The zones that failed. A success forgets a zone, and so do new files.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// The files that the tries were made with.
    tree: String,
    zones: BTreeMap<ZoneName, Attempt>,
}

#[derive(Debug)]
struct Attempt {
    failures: u32,
    /// `None`: not before the files change.
    due: Option<Instant>,
    message: String,
}

impl Attempts {
    /// A run with these files begins. With new ones every zone is tried, whatever came of the old ones.
    pub(super) fn begin(&mut self, tree: &str) {
        if self.tree != tree {
            tree.clone_into(&mut self.tree);
            self.zones.clear();
        }
    }

    /// Tries everything again at once: somebody asked for it.
    pub(super) fn all_are_due(&mut self, now: Instant) {
        for attempt in self.zones.values_mut() {
            attempt.due = Some(now);
        }
    }

    /// Zones that are not to be tried yet, with what their last try ended with.
    pub(super) fn waiting(&self, now: Instant) -> BTreeMap<ZoneName, String> {
        let waits = |attempt: &Attempt| attempt.due.is_none_or(|due| due > now);
        self.zones
            .iter()
            .filter(|(_, attempt)| waits(attempt))
            .map(|(zone, attempt)| (zone.clone(), attempt.message.clone()))
            .collect()
    }

    pub(super) fn failed(&mut self, zone: &ZoneName, failure: &BackingFailure, now: Instant) {
        let failures = self.zones.get(zone).map_or(0, |attempt| attempt.failures).saturating_add(1);
        let due = (!failure.is_terminal).then(|| now + backoff(failures));
        self.zones.insert(zone.clone(), Attempt { failures, due, message: failure.message.clone() });
    }

    pub(super) fn succeeded(&mut self, zone: &ZoneName) {
        self.zones.remove(zone);
    }

    /// What failed, whether it waits or not.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&ZoneName, &str)> {
        self.zones.iter().map(|(zone, attempt)| (zone, attempt.message.as_str()))
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.zones.values().filter_map(|attempt| attempt.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ZoneName {
        ZoneName::try_from(text).unwrap()
    }

    fn failure(is_terminal: bool) -> BackingFailure {
        BackingFailure { message: "no permission".to_owned(), is_terminal }
    }

    #[test]
    fn waits_double_up_to_five_minutes() {
        for (failures, seconds) in [(1, 1.0), (2, 2.0), (5, 16.0), (9, 256.0), (10, 300.0), (1_000, 300.0)] {
            let wait = backoff(failures).as_secs_f64();
            assert!((seconds * 0.9..=seconds * 1.1).contains(&wait), "{failures}: {wait}");
        }
    }

    #[test]
    fn a_zone_waits_alone_longer_each_time_and_a_success_forgets_it() {
        let (mut attempts, now, acme) = (Attempts::default(), Instant::now(), name("acme"));
        attempts.begin("t1");
        for _ in 0..4 {
            attempts.failed(&acme, &failure(false), now);
        }
        assert!(attempts.waiting(now).into_keys().eq([acme.clone()]));
        let due = attempts.next_due().unwrap();
        assert!((7..10).contains(&(due - now).as_secs()), "{:?}", due - now);
        assert!(attempts.waiting(due).is_empty());
        attempts.begin("t1");
        assert_eq!(attempts.failures().count(), 1, "the same files change nothing");
        attempts.succeeded(&acme);
        assert_eq!((attempts.failures().count(), attempts.next_due()), (0, None));
    }

    #[test]
    fn what_no_retry_helps_waits_for_new_files_or_a_persons_word() {
        let (mut attempts, now, acme) = (Attempts::default(), Instant::now(), name("acme"));
        attempts.begin("t1");
        attempts.failed(&acme, &failure(true), now);
        let much_later = now + Duration::from_hours(24);
        assert_eq!((attempts.waiting(much_later).len(), attempts.next_due()), (1, None));
        attempts.all_are_due(now);
        assert!(attempts.waiting(now).is_empty());
        attempts.failed(&acme, &failure(true), now);
        attempts.begin("t2");
        assert!(attempts.waiting(now).is_empty());
    }
}
