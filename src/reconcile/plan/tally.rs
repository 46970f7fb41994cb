//! What guards count in a plan, and which zones their verdict holds back.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Change, Fate, Observed, Plan, origin};
use crate::manifest::Loaded;
use crate::reconcile::guard::{Allowed, AllowedBy, Count, Deed, Guard, Tally};
use crate::zone::{Spent, ZoneName};

pub(super) fn of(
    changes: &[Change],
    fates: &BTreeMap<ZoneName, Fate>,
    observed: &Observed,
    loaded: &Loaded,
) -> Tally {
    let of_fate = |wanted: Fate| fates.values().filter(|fate| **fate == wanted).count();
    let unreadable = loaded.unreadable.zones.len().saturating_add(loaded.unreadable.nameless_files.len());
    let zones = Count {
        existing: observed.zones.len(),
        creations: of_fate(Fate::Create),
        updates: of_fate(Fate::Update),
        deletions: of_fate(Fate::Delete),
    };
    let stays = |name: &ZoneName| fates.get(name) != Some(&Fate::Delete);
    let staying = observed.zones.iter().filter(|(name, _)| stays(name));
    let existing = staying.map(|(_, zone)| zone.topics.len()).sum();
    let topics = Count { existing, ..topics(changes, fates) };
    Tally {
        zones,
        topics,
        // A file that could not be used counts even if it were without a finding.
        errors: loaded.findings.iter().filter(|finding| finding.is_error()).count().max(unreadable),
        strange_clusters: Vec::new(),
    }
}

/// Of the topics of zones that are there and stay.
fn topics<'a>(changes: impl IntoIterator<Item = &'a Change>, fates: &BTreeMap<ZoneName, Fate>) -> Count {
    let mut topics = Count::default();
    for change in changes {
        let is_update = fates.get(change.address.zone()) == Some(&Fate::Update);
        if change.address.alias().is_none() || !is_update {
            continue;
        }
        match change.action {
            Action::Create => topics.creations += 1,
            Action::Update | Action::Move => topics.updates += 1,
            Action::Delete => topics.deletions += 1,
        }
    }
    topics
}

/// What was made use of the trailers that let something of this plan pass, once it is applied. What waits is not counted: it needs
/// them again.
pub fn spent(plan: &Plan, before: &BTreeMap<String, Spent>) -> BTreeMap<String, Spent> {
    let topics = topics(plan.going_ahead(), &plan.fates);
    let [_, updates, deletions] = plan.tally_applied();
    let mut spent = BTreeMap::new();
    for lifted in plan.guard.lifted() {
        let AllowedBy::Trailer { commit, .. } = &lifted.allowance.by else { continue };
        let so_far = before.get(commit).copied().unwrap_or_default();
        let of_commit = spent.entry(commit.clone()).or_insert(so_far);
        match lifted.allowance.what {
            Allowed::Deletes => of_commit.deletions = so_far.deletions + deletions + topics.deletions,
            Allowed::Updates => of_commit.updates = so_far.updates + updates.max(topics.updates),
        }
    }
    spent
}

/// The zones that a guard holds back.
pub(super) fn held(
    changes: &[Change],
    fates: &BTreeMap<ZoneName, Fate>,
    guard: &Guard,
) -> BTreeSet<ZoneName> {
    let is_narrowed = |changes: &[Change]| {
        changes.iter().any(|it| it.action == Action::Delete && it.address.alias().is_some())
    };
    let deed = |name: &ZoneName, changes: &[Change]| match fates.get(name) {
        Some(Fate::Create) => Deed::Create,
        Some(Fate::Delete) => Deed::Delete,
        Some(Fate::Update) if is_narrowed(changes) => Deed::Narrow,
        Some(Fate::Update) => Deed::Update,
        None => Deed::Keep,
    };
    origin::by_zone(changes)
        .filter(|(name, changes)| !guard.allows(deed(name, changes)))
        .map(|(name, _)| name.clone())
        .collect()
}
