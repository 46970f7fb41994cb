//! What is refused although the files ask for it. Pure.
//!
//! Guards count zones. A guard refuses all deletions of a run, or all updates of existing zones, never a part of them: an
//! arbitrary part would be a state that nobody asked for. Creations always go ahead. What was refused is asked for again
//! in every later run, and is refused again, until the files, or the limits in the configuration, change.

use super::plan::Fate;

/// `guards` of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest part of the existing zones that one run may delete, in percent.
    pub max_delete_percent: u8,
    /// The same for updates.
    pub max_update_percent: u8,
    /// Percentages count from this many existing zones on.
    pub floor: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_delete_percent: 30, max_update_percent: 30, floor: 10 }
    }
}

/// What a guard holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guarded {
    Deletes,
    Updates,
}

/// A person's word that this many are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    pub what: Guarded,
    pub count: usize,
    pub reason: String,
}

/// What one run would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Zones in force now.
    pub existing: usize,
    pub creations: usize,
    pub updates: usize,
    pub deletions: usize,
    /// Errors in files: a zone that is missing may be in one of them.
    pub errors: usize,
}

/// The guards' verdict on one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guard {
    deletions: Vec<String>,
    updates: Vec<String>,
}

impl Guard {
    pub fn judge(tally: Tally, limits: Limits) -> Self {
        let Tally { existing, creations, updates, deletions, errors } = tally;
        let mut guard = Self::default();
        if deletions > 0 && errors > 0 {
            guard.deletions.push(format!(
                "no zone is deleted while files have errors ({}, {} in the files): a missing zone may be in a broken file; \
                 correct the files first",
                count(deletions, "deletion"),
                count(errors, "error"),
            ));
        }
        if deletions > 0 && creations == 0 && deletions >= existing {
            guard.deletions.push(format!(
                "every zone ({existing}) would be deleted, and the last one never is: check source.path and the branch"
            ));
        }
        let over = |number: usize, percent: u8| {
            existing >= limits.floor
                && number.saturating_mul(100) > existing.saturating_mul(usize::from(percent))
        };
        if over(deletions, limits.max_delete_percent) {
            guard.deletions.push(beyond(
                "deleted",
                deletions,
                existing,
                limits.max_delete_percent,
                "maxDeletePercent",
            ));
        }
        if over(updates, limits.max_update_percent) {
            guard.updates.push(beyond(
                "updated",
                updates,
                existing,
                limits.max_update_percent,
                "maxUpdatePercent",
            ));
        }
        guard
    }

    /// Whether something is refused.
    pub fn is_refusing(&self) -> bool {
        self.reasons().next().is_some()
    }

    pub fn reasons(&self) -> impl Iterator<Item = &str> {
        self.deletions.iter().chain(&self.updates).map(String::as_str)
    }

    pub fn allows(&self, fate: Fate) -> bool {
        match fate {
            Fate::Create => true,
            Fate::Update => self.updates.is_empty(),
            Fate::Delete => self.deletions.is_empty(),
        }
    }
}

fn beyond(done: &str, number: usize, existing: usize, limit: u8, key: &str) -> String {
    // For people: the comparison itself is exact.
    let percent = number.saturating_mul(100).checked_div(existing).unwrap_or_default();
    format!(
        "{number} of {existing} zones would be {done} ({percent} %), over the limit of {limit} % (guards.{key})"
    )
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judge(existing: usize, creations: usize, updates: usize, deletions: usize) -> Guard {
        Guard::judge(Tally { existing, creations, updates, deletions, errors: 0 }, Limits::default())
    }

    #[test]
    fn thirty_percent_pass_and_one_more_does_not() {
        assert!(judge(10, 0, 0, 3).allows(Fate::Delete));
        let refused = judge(10, 0, 0, 4);
        assert!(!refused.allows(Fate::Delete));
        assert_eq!(
            refused.reasons().collect::<Vec<_>>(),
            ["4 of 10 zones would be deleted (40 %), over the limit of 30 % (guards.maxDeletePercent)"]
        );
        // 30.01 % is over, although it is shown as 30.
        assert!(!judge(9_997, 0, 0, 3_000).allows(Fate::Delete));
        assert!(!judge(100, 0, 31, 0).allows(Fate::Update));
        assert!(judge(100, 0, 30, 0).allows(Fate::Update));
    }

    #[test]
    fn below_the_floor_percentages_do_not_count_but_the_last_zone_stays() {
        assert!(judge(9, 0, 9, 8).allows(Fate::Delete));
        assert!(judge(9, 0, 9, 8).allows(Fate::Update));
        assert!(!judge(9, 0, 0, 9).allows(Fate::Delete));
        assert!(!judge(1, 0, 0, 1).allows(Fate::Delete));
    }

    #[test]
    fn renaming_everything_does_not_get_past_the_deletion_guard() {
        let guard = judge(10, 10, 0, 10);
        assert!(!guard.allows(Fate::Delete) && guard.allows(Fate::Create));
    }

    #[test]
    fn deletions_and_updates_are_refused_apart() {
        let guard = judge(10, 1, 4, 1);
        assert!(guard.allows(Fate::Delete) && !guard.allows(Fate::Update));
        let guard = judge(10, 1, 1, 4);
        assert!(!guard.allows(Fate::Delete) && guard.allows(Fate::Update));
    }

    #[test]
    fn an_error_in_any_file_refuses_deletions_only() {
        let tally = Tally { existing: 5, creations: 1, updates: 1, deletions: 1, errors: 1 };
        let guard = Guard::judge(tally, Limits::default());
        assert!(!guard.allows(Fate::Delete) && guard.allows(Fate::Update) && guard.allows(Fate::Create));
        let nothing_to_delete = Guard::judge(Tally { deletions: 0, ..tally }, Limits::default());
        assert!(!nothing_to_delete.is_refusing());
    }

    proptest! {
        #[test]
        fn a_run_never_leaves_nothing_and_never_deletes_too_much(
            existing in 0..400_usize, creations in 0..50_usize, updates in 0..400_usize, deletions in 0..400_usize,
            errors in 0..3_usize, percent in 0..=100_u8, floor in 0..20_usize,
        ) {
            let deletions = deletions.min(existing);
            let limits = Limits { max_delete_percent: percent, max_update_percent: percent, floor };
            let guard = Guard::judge(Tally { existing, creations, updates, deletions, errors }, limits);
            if guard.allows(Fate::Delete) && deletions > 0 {
                prop_assert!(existing - deletions + creations > 0);
                prop_assert_eq!(errors, 0);
                prop_assert!(existing < floor || deletions * 100 <= existing * usize::from(percent));
            }
            prop_assert_eq!(guard.is_refusing(), !(guard.allows(Fate::Delete) && guard.allows(Fate::Update)));
        }
    }
}
