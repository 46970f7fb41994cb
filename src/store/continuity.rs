//! Whether what is read from the store goes on from what is known: a state that was lost must never look like one that was
//! emptied.
//!
//! A topic that was deleted, truncated, or kept for too short a time reads like any other, with less in it. So each commit says
//! which store it belongs to, and how much there is.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::State;
use crate::zone::Sequence;

/// A store has an id from its first commit on. A restored one has those of all it goes on from as well. Empty: it was written
/// by a version without them.
pub type Lineage = BTreeSet<Uuid>;

/// What an operator does about a state that was lost.
pub(super) const REMEDY: &str = "this node goes on with what it read last: do not restart it; save that with `reconciler state \
                                 export --url` and put it back with `reconciler state import`";

/// How much of it there is after a commit. Of the kinds alone that every version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) zones: usize,
    pub(super) credentials: usize,
}

impl Tally {
    pub(super) fn of(state: &State) -> Self {
        Self { zones: state.zones.len(), credentials: state.credentials.len() }
    }
}

/// What is wrong with a state in which there is not as much as its last commit says.
pub(super) fn missing(state: &State, told: Tally) -> Option<String> {
    let there = Tally::of(state);
    (there != told).then(|| {
        format!(
            "the state topic has lost records: at commit {} there were {} zones and {} credentials, and it holds {} and {}; restore \
             the topic, or delete it and put a backup back with `reconciler state import`",
            state.sequence, told.zones, told.credentials, there.zones, there.credentials
        )
    })
}

/// Why what was read cannot take the place of what is known.
pub(super) fn broken(known: &State, read: &State) -> Option<String> {
    let is_another = !(known.lineage.is_empty() || read.lineage.is_empty());
    if is_another && known.lineage.is_disjoint(&read.lineage) {
        return Some(format!(
            "the state topic was made anew, and is at its own commit {}; {REMEDY}",
            read.sequence
        ));
    }
    (read.sequence < known.sequence).then(|| {
        format!(
            "the state topic is at commit {} and this node has already read commit {}; {REMEDY}",
            read.sequence, known.sequence
        )
    })
}

/// Why a state in which nothing was ever written is not a new one: a node serves partners from it.
pub(super) fn emptied<'a>(serving: impl Iterator<Item = (&'a str, Sequence)>) -> Option<String> {
    let (node, sequence) =
        serving.max_by_key(|(_, sequence)| *sequence).filter(|(_, at)| *at > Sequence(0))?;
    Some(format!(
        "the state topic is empty, and node `{node}` serves commit {sequence} of it: it was lost; save it from that node with \
         `reconciler state export --url` and put it back with `reconciler state import`. To begin anew, stop that node"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(ids: &[u128], sequence: u64) -> State {
        let lineage = ids.iter().map(|id| Uuid::from_u128(*id)).collect();
        State { lineage, sequence: Sequence(sequence), ..State::default() }
    }

    #[test]
    fn another_store_never_takes_the_place_of_the_one_that_was_read_however_far_it_has_come() {
        let known = state(&[1], 7);
        assert_eq!(broken(&known, &state(&[1], 8)), None);
        assert!(broken(&known, &state(&[1], 6)).unwrap().contains("has already read commit 7"));
        assert!(broken(&known, &state(&[2], 99)).unwrap().contains("made anew"));
        assert_eq!(broken(&known, &state(&[1, 2], 99)), None, "a restored one goes on from both");
        assert_eq!(broken(&state(&[2], 3), &state(&[1, 2], 99)), None);
    }

    #[test]
    fn a_version_without_ids_is_judged_by_its_commits_alone() {
        for (known, read) in [(state(&[], 7), state(&[2], 8)), (state(&[2], 7), state(&[], 8))] {
            assert_eq!(broken(&known, &read), None);
        }
        assert!(broken(&state(&[2], 7), &state(&[], 0)).is_some());
    }

    #[test]
    fn an_empty_state_is_a_new_one_unless_somebody_serves_it() {
        assert_eq!(emptied([("a", Sequence(0))].into_iter()), None);
        let lost = emptied([("a", Sequence(0)), ("b", Sequence(7))].into_iter()).unwrap();
        assert!(lost.contains("node `b` serves commit 7"), "{lost}");
    }
}
