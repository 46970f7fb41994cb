//! Runs of the controller, as values: what one is asked to do, and what came of those that ended.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use time::OffsetDateTime;

use super::{Asker, Revision, Sequence, ZoneName};

/// Runs that are remembered.
pub const RUNS_KEPT: usize = 20;

/// Reasons, zones and the like that a run remembers of each kind.
pub const DETAILS_KEPT: usize = 50;

/// One run that somebody asks for, now, beside those that the source causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyRequest {
    /// To find the run again.
    pub id: String,
    pub by: Asker,
    /// Apply nothing but the plan with this digest.
    pub expect_plan: Option<String>,
    /// Let the plan with that digest delete, or update, this many although a guard would refuse it.
    pub allow_deletes: Option<usize>,
    pub allow_updates: Option<usize>,
    /// Why.
    pub reason: String,
    /// Leave all other zones as they are.
    pub only: Option<ZoneName>,
}

/// How a run ended. In order of gravity: the gravest that holds is the run's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Everything was as it is wanted.
    UpToDate,
    Applied,
    /// Something waits: it is suspended, or its drift is left.
    Held,
    /// Some zones could not be brought to what they should be; the others were.
    PartlyApplied,
    /// A guard holds changes back, or the plan is not the expected one.
    Refused,
    /// Files have errors; what they have right was applied.
    InvalidFiles,
    /// The source or the store could not be used; nothing was done.
    Failed,
}

impl Outcome {
    pub const ALL: [Self; 7] = [
        Self::UpToDate,
        Self::Applied,
        Self::Held,
        Self::PartlyApplied,
        Self::Refused,
        Self::InvalidFiles,
        Self::Failed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::Applied => "Applied",
            Self::Held => "Held",
            Self::PartlyApplied => "PartlyApplied",
            Self::Refused => "Refused",
            Self::InvalidFiles => "InvalidFiles",
            Self::Failed => "Failed",
        }
    }
}

/// Why a zone was left as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// One word in CamelCase, for programs.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// What came of a run, or of several in a row that did the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The request that it answers, if it was asked for.
    pub request: Option<String>,
    pub outcome: Outcome,
    /// For people.
    pub message: String,
    pub revision: Option<Revision>,
    /// Digest of the plan.
    pub plan: Option<String>,
    /// The commit to the store that it made.
    pub sequence: Option<Sequence>,
    /// Zones created, updated and deleted.
    pub applied: [usize; 3],
    /// What guards refuse.
    pub refused: Vec<String>,
    /// Errors in files.
    pub problems: Vec<String>,
    /// What partners who were connected notice of its changes: `zone/acme/topic/orders: 3 connected clients lose …`.
    pub noticed: Vec<String>,
    /// Zones that were left as they were, and why.
    pub held: BTreeMap<ZoneName, Held>,
    /// Zones that could not be brought to what they should be, and why.
    pub failed: BTreeMap<ZoneName, String>,
    pub first_at: OffsetDateTime,
    pub last_at: OffsetDateTime,
    /// Of the last of them.
    pub took: Duration,
    pub count: u64,
}

/// The last runs, the newest first. Runs in a row with one plan and one outcome are one entry.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History(VecDeque<Run>);

impl History {
    pub fn record(&mut self, mut run: Run) {
        run.refused.truncate(DETAILS_KEPT);
        run.problems.truncate(DETAILS_KEPT);
        run.noticed.truncate(DETAILS_KEPT);
        while run.held.len() > DETAILS_KEPT {
            run.held.pop_last();
        }
        while run.failed.len() > DETAILS_KEPT {
            run.failed.pop_last();
        }
        if let Some(last) = self.0.front_mut()
            && last.is_like(&run)
        {
            run.first_at = last.first_at;
            run.count = last.count.saturating_add(1);
            *last = run;
            return;
        }
        self.0.truncate(RUNS_KEPT - 1);
        self.0.push_front(run);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Run> {
        self.0.iter()
    }
}

impl Run {
    /// What somebody asked for, and what changed something, stands for itself.
    fn is_like(&self, other: &Self) -> bool {
        self.request.is_none()
            && other.request.is_none()
            && self.sequence.is_none()
            && other.sequence.is_none()
            && (self.outcome, &self.plan, &self.message) == (other.outcome, &other.plan, &other.message)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    fn run(plan: &str, outcome: Outcome, second: i64) -> Run {
        let at = NOW + time::Duration::seconds(second);
        Run {
            request: None,
            outcome,
            message: String::new(),
            revision: None,
            plan: Some(plan.to_owned()),
            sequence: None,
            applied: [0; 3],
            refused: Vec::new(),
            problems: Vec::new(),
            noticed: Vec::new(),
            held: BTreeMap::new(),
            failed: BTreeMap::new(),
            first_at: at,
            last_at: at,
            took: Duration::from_millis(5),
            count: 1,
        }
    }

    #[test]
    fn runs_that_do_the_same_are_one_entry_with_a_count_and_the_last_ones_are_kept() {
        let mut history = History::default();
        for second in 0..3 {
            history.record(run("a", Outcome::UpToDate, second));
        }
        history.record(run("a", Outcome::Failed, 3));
        let seen: Vec<_> = history.iter().map(|run| (run.outcome, run.count)).collect();
        assert_eq!(seen, [(Outcome::Failed, 1), (Outcome::UpToDate, 3)]);
        let same = history.iter().last().unwrap();
        assert_eq!((same.first_at, same.last_at), (NOW, NOW + time::Duration::seconds(2)));
        for number in 0..100 {
            history.record(run(&number.to_string(), Outcome::UpToDate, 4));
        }
        assert_eq!(history.iter().count(), RUNS_KEPT);
        assert_eq!(history.iter().next().unwrap().plan.as_deref(), Some("99"));
    }

    #[test]
    fn what_was_asked_for_or_changed_something_is_an_entry_of_its_own() {
        let mut history = History::default();
        let asked = |id: &str| Run { request: Some(id.to_owned()), ..run("a", Outcome::UpToDate, 0) };
        let made = |number| Run { sequence: Some(Sequence(number)), ..run("a", Outcome::Applied, 0) };
        for run in [asked("1"), asked("2"), made(1), made(2), run("a", Outcome::Applied, 0)] {
            history.record(run);
        }
        assert_eq!(history.iter().count(), 5);
    }

    #[test]
    fn details_are_bounded() {
        let mut history = History::default();
        let held = Held { reason: "Suspended", message: String::new() };
        let zones = (0..200).map(|n| (ZoneName::try_from(format!("z{n}").as_str()).unwrap(), held.clone()));
        let refused = vec![String::new(); 200];
        history.record(Run { held: zones.collect(), refused, ..run("a", Outcome::Held, 0) });
        let kept = history.iter().next().unwrap();
        assert_eq!((kept.held.len(), kept.refused.len()), (DETAILS_KEPT, DETAILS_KEPT));
    }
}
