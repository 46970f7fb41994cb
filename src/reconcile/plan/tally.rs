//! What guards count in a plan, and which zones their verdict holds back.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Change, Fate, Observed};
use crate::manifest::Loaded;
use crate::reconcile::guard::{Count, Deed, Guard, Tally};
use crate::zone::ZoneName;

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
    let mut topics = Count { existing: staying.map(|(_, zone)| zone.topics.len()).sum(), ..Count::default() };
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
    Tally {
        zones,
        topics,
        // A file that could not be used counts even if it were without a finding.
        errors: loaded.findings.iter().filter(|finding| finding.is_error()).count().max(unreadable),
        strange_clusters: Vec::new(),
    }
}

/// The zones that a guard holds back.
pub(super) fn held(
    changes: &[Change],
    fates: &BTreeMap<ZoneName, Fate>,
    guard: &Guard,
) -> BTreeSet<ZoneName> {
    let narrowed: BTreeSet<&ZoneName> = changes
        .iter()
        .filter(|change| change.action == Action::Delete && change.address.alias().is_some())
        .map(|change| change.address.zone())
        .collect();
    let touched: BTreeSet<&ZoneName> = changes.iter().map(|change| change.address.zone()).collect();
    let deed = |name: &ZoneName| match fates.get(name) {
        Some(Fate::Create) => Deed::Create,
        Some(Fate::Delete) => Deed::Delete,
        Some(Fate::Update) if narrowed.contains(name) => Deed::Narrow,
        Some(Fate::Update) => Deed::Update,
        None => Deed::Keep,
    };
    touched.into_iter().filter(|name| !guard.allows(deed(name))).cloned().collect()
}
