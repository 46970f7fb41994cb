//! What a run would do, as a value. Pure: the same input gives the same plan, byte for byte.
//!
//! The command line prints it, the daemon applies it. Zones whose files cannot be read keep their last applied form and
//! do not appear.

mod change;
mod claims;
mod form;
mod hold;
mod impact;
mod input;
mod json;
mod notes;
mod notice;
mod origin;
mod tally;
mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

pub use change::{Action, Address, Change, Fate, Origin};
pub use form::Form;
pub use hold::{Hold, Holding, SelfHeal};
pub use impact::{Connected, Impact};
pub use input::{Desired, MissingTopics, Observed, Terms};
pub(super) use json::lifted as lifted_json;
pub use notice::{Notice, NoticeKind};
pub use tally::spent;

use self::zones::{is_meant, of_zones};
use super::guard::Guard;
use super::{digest, identity};
use crate::manifest::Finding;
use crate::manifest::suppress::Suppressed;
use crate::zone::{Asked, Revision, Scope, ZoneName};

/// How many changes of which kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub add: usize,
    /// Updates and moves.
    pub change: usize,
    pub delete: usize,
    /// How many of them are drift.
    pub drift: usize,
    pub findings: usize,
}

/// The zones in force, for comparison: how many, and a digest of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    pub zones: usize,
    pub digest: String,
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub mode: Mode,
    pub revision: Revision,
    /// What the origin of changes was told by, where it was asked for.
    pub base: Option<Revision>,
    /// The one zone that is planned, where it was asked for.
    pub only: Option<ZoneName>,
    /// `sha256:…`, over the files' tree, the names of the zones in force, and the changes: two plans with one digest list the same
    /// changes of the same files. Which of them wait is no part of it (the guards' verdict, suspensions and other holds), nor are
    /// `only`, the revision, findings and impacts: those are judged anew whenever the plan is made. One made offline has none of a
    /// live one.
    pub digest: String,
    /// What the digest is over, beside the changes: the files' tree, and the zones in force.
    pub tree: String,
    pub in_force: InForce,
    /// By address.
    pub changes: Vec<Change>,
    /// What partners will notice. It is of the moment, and no part of the digest.
    impacts: BTreeMap<Address, Impact>,
    /// Of the files and of live state, sorted by place.
    pub findings: Vec<Finding>,
    /// What comments in the files silenced.
    pub suppressed: Vec<Suppressed>,
    pub guard: Guard,
    fates: BTreeMap<ZoneName, Fate>,
    /// All zones that are held back: by a guard, since they wait for another, or for one of `holds`.
    held: BTreeSet<ZoneName>,
    /// Zones whose changes wait for another reason.
    holds: BTreeMap<ZoneName, Hold>,
    /// What is suspended, changes or not.
    pub suspended: BTreeMap<Scope, Asked>,
    /// What everybody must know before the rest.
    pub notices: Vec<Notice>,
}

/// Whether live state took part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Live,
    /// What is in force is not known. The files were checked, and compared with those of a base, if there is one.
    Offline,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Offline => "offline",
        }
    }
}

/// Compares what the files want with what is in force.
pub fn plan(desired: &Desired, observed: &Observed, terms: &Terms<'_>) -> Plan {
    let loaded = desired.loaded.as_ref();
    let origin = match terms.base {
        None if observed.revision.as_ref() == Some(&desired.revision) => Origin::Drift,
        _ => Origin::Change,
    };
    let (mut changes, fates) = of_zones(loaded, observed, terms.only, origin);
    let backing = terms.backing.iter().filter(|it| is_meant(terms.only, it.address.zone()));
    changes.extend(backing.map(|it| Change { source: origin::asked_for_at(loaded, it), ..it.clone() }));
    if let Some(base) = terms.base {
        let mut of_base = of_zones(&base.loaded, observed, terms.only, origin).0;
        of_base.extend_from_slice(terms.backing_of_base);
        origin::settle(&mut changes, &of_base);
    }
    changes.sort_by(|a, b| a.address.cmp(&b.address));
    let digest = digest::plan(&desired.tree, observed, &changes);
    let draft = Draft { mode: Mode::Live, digest, changes, fates };
    draft.judged(desired, observed, terms)
}

/// Compares what the files want with what the base's files want, and knows nothing of what is in force: no plan to apply, and
/// no pass of the live checks. Without a base there is nothing to compare, so there are findings alone.
pub fn plan_offline(desired: &Desired, terms: &Terms<'_>) -> Plan {
    let before = &terms.base.unwrap_or(desired).loaded;
    let zones = before.zones.iter().chain(&before.misplaced);
    let zones = zones.map(|(name, it)| (name.clone(), Arc::clone(&it.zone))).collect();
    let assumed = Observed { zones, ..Observed::default() };
    let (changes, fates) = of_zones(&desired.loaded, &assumed, terms.only, Origin::Change);
    let digest = digest::offline(&desired.tree, &changes);
    let draft = Draft { mode: Mode::Offline, digest, changes, fates };
    draft.judged(desired, &assumed, terms)
}

/// A plan without a verdict.
struct Draft {
    mode: Mode,
    digest: String,
    changes: Vec<Change>,
    fates: BTreeMap<ZoneName, Fate>,
}

impl Draft {
    fn judged(self, desired: &Desired, observed: &Observed, terms: &Terms<'_>) -> Plan {
        let Self { mode, digest, changes, fates } = self;
        let loaded = desired.loaded.as_ref();
        let (mut findings, suppressed) = notes::findings(desired, observed, &fates, terms.topics);
        let mut tally = tally::of(&changes, &fates, observed, loaded);
        tally.strange_clusters =
            terms.clusters.map(|now| identity::strange(&observed.clusters, now)).unwrap_or_default();
        // Only a plan of live state can be applied, so only its digest is one to type.
        let expected = if mode == Mode::Live { digest.as_str() } else { "DIGEST" };
        let allowances = terms.allowances.iter().cloned().map(|it| it.without(&observed.spent));
        let guard = Guard::judge(&tally, terms.limits, &allowances.collect::<Vec<_>>(), expected);
        let default = Holding::default();
        let holding = terms.holding.unwrap_or(&default);
        let hold = |(name, origin): (&ZoneName, Origin)| {
            Some((name.clone(), holding.of(&observed.suspended, name, origin)?))
        };
        let holds: BTreeMap<ZoneName, Hold> =
            origin::of_zones(&changes).into_iter().filter_map(hold).collect();
        let mut held = tally::held(&changes, &fates, &guard);
        held.extend(holds.keys().cloned());
        let taken = claims::taken(loaded, observed, &fates, &held);
        findings.extend(taken.values().cloned());
        findings.extend(terms.doubts.iter().cloned());
        findings.sort();
        held.extend(taken.into_keys());
        Plan {
            mode,
            revision: desired.revision.clone(),
            base: terms.base.map(|base| base.revision.clone()),
            only: terms.only.cloned(),
            digest,
            tree: desired.tree.clone(),
            in_force: InForce { zones: observed.zones.len(), digest: digest::names(observed) },
            impacts: terms.connected.map(|connected| impact::of(&changes, connected)).unwrap_or_default(),
            changes,
            findings,
            suppressed,
            guard,
            fates,
            held,
            holds,
            suspended: observed.suspended.clone(),
            notices: notice::of(mode, observed, terms.notices),
        }
    }
}

impl Plan {
    /// Zones to act on, without those that are held back.
    pub fn applicable(&self) -> impl Iterator<Item = (&ZoneName, Fate)> {
        self.fates.iter().map(|(name, fate)| (name, *fate)).filter(|(name, _)| !self.held.contains(*name))
    }

    /// The changes that belong to a zone.
    pub fn changes_of(&self, zone: &ZoneName) -> &[Change] {
        let from = self.changes.partition_point(|change| change.address.zone() < zone);
        let (_, rest) = self.changes.split_at(from);
        rest.split_at(rest.partition_point(|change| change.address.zone() == zone)).0
    }

    /// Whether this change is held back: by a guard, or for an error of its zone.
    pub fn is_held(&self, change: &Change) -> bool {
        self.held.contains(change.address.zone())
    }

    /// The changes that are not held back.
    pub fn going_ahead(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| !self.is_held(change))
    }

    /// Those of them that partners who are connected now will notice.
    pub fn noticed(&self) -> impl Iterator<Item = (&Change, &Impact)> {
        self.going_ahead().filter_map(|change| Some((change, self.impact(change)?)))
    }

    /// Why a zone's changes wait, where that is neither a guard nor an error of its own.
    pub fn hold_of(&self, zone: &ZoneName) -> Option<&Hold> {
        self.holds.get(zone)
    }

    pub fn holds(&self) -> &BTreeMap<ZoneName, Hold> {
        &self.holds
    }

    /// How many zones are created, updated and deleted, without those that are held back.
    pub fn tally_applied(&self) -> [usize; 3] {
        let count = |wanted: Fate| self.applicable().filter(|(_, fate)| *fate == wanted).count();
        [count(Fate::Create), count(Fate::Update), count(Fate::Delete)]
    }

    /// Zones that are not as the revision in force asks, and to which nothing else is to be done.
    pub fn drifted(&self) -> impl Iterator<Item = &ZoneName> {
        origin::of_zones(&self.changes)
            .into_iter()
            .filter(|(_, origin)| *origin == Origin::Drift)
            .map(|(zone, _)| zone)
    }

    /// What partners who are connected now will notice of a change; `None` if nobody does, or if it is not known.
    pub fn impact(&self, change: &Change) -> Option<&Impact> {
        self.impacts.get(&change.address)
    }

    /// Whether applying it makes the state what this revision asks for, in full.
    pub fn is_complete(&self) -> bool {
        let is_whole = self.mode == Mode::Live && self.only.is_none();
        is_whole
            && self.holds.is_empty()
            && !self.guard.is_refusing()
            && !self.findings.iter().any(Finding::is_error)
    }

    pub fn summary(&self) -> Summary {
        let mut summary = Summary { findings: self.findings.len(), ..Summary::default() };
        for change in &self.changes {
            match change.action {
                Action::Create => summary.add += 1,
                Action::Update | Action::Move => summary.change += 1,
                Action::Delete => summary.delete += 1,
            }
            summary.drift += usize::from(change.origin == Origin::Drift);
        }
        summary
    }

    /// The form that CONTRACTS and `schema/plan.json` describe.
    pub fn to_json(&self) -> Value {
        json::render(self)
    }

    /// The same form with as much of its lists as can be kept, and whether that is all.
    pub fn to_bounded_json(&self) -> (Value, bool) {
        json::render_bounded(self)
    }
}

#[cfg(test)]
mod tests;
