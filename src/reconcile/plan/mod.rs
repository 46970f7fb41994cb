//! What a run would do, as a value. Pure: the same input gives the same plan, byte for byte.
//!
//! The command line prints it, the daemon applies it. Zones whose files cannot be read keep their last applied form and
//! do not appear.

mod change;
mod claims;
mod hold;
mod impact;
mod json;
mod notes;
mod notice;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::sync::Arc;

use serde_json::Value;

pub use change::{Action, Address, Change, Fate, Origin};
pub use hold::{Hold, Holding, SelfHeal};
pub use impact::{Connected, Impact};
pub(super) use json::lifted as lifted_json;
pub use notice::{Notice, NoticeKind};
pub use tally::spent;

use super::diff::{Difference, diff};
use super::digest;
use super::guard::{Allowance, Guard, Limits};
use super::identity::{self, Ids};
use super::source::Commit;
use crate::manifest::suppress::Suppressed;
use crate::manifest::{Finding, Loaded, LoadedZone, Location};
use crate::store::State;
use crate::zone::{
    Asked, ClusterName, Controls, PartnerZone, Revision, Rollback, Scope, Spent, TopicName, ZoneName,
};

/// Fewer are compared faster than a thread is started.
const ZONES_WORTH_A_THREAD: usize = 256;

/// What the files of one revision want.
#[derive(Debug, Clone)]
pub struct Desired {
    pub revision: Revision,
    /// [`super::source::Snapshot::tree`].
    pub tree: String,
    pub commit: Option<Commit>,
    pub loaded: Arc<Loaded>,
}

impl Desired {
    /// What the commits' trailers say that guards may let pass.
    pub fn allowances(&self) -> &[Allowance] {
        self.commit.as_ref().map(|commit| commit.allowances.as_slice()).unwrap_or_default()
    }
}

/// What is in force.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The revision that the state reflects in full.
    pub revision: Option<Revision>,
    pub zones: BTreeMap<ZoneName, Arc<PartnerZone>>,
    /// The clusters' ids, as they were when they were first worked with.
    pub clusters: Ids,
    /// What operators suspended.
    pub suspended: BTreeMap<Scope, Asked>,
    /// The commit that they pinned.
    pub rollback: Option<Rollback>,
    /// What was made use of the commits' trailers already.
    pub spent: BTreeMap<String, Spent>,
}

impl Observed {
    pub fn of(state: &State) -> Self {
        let zones =
            state.zones.iter().map(|(name, record)| (name.clone(), Arc::clone(&record.zone))).collect();
        let Controls { suspended, rollback, .. } = state.controls.clone();
        Self {
            revision: state.revision.clone(),
            zones,
            clusters: state.clusters.clone(),
            suspended,
            rollback,
            spent: state.spent.clone(),
        }
    }
}

/// Backing topics that do not exist, as the clusters said that could be asked.
#[derive(Debug, Clone)]
pub struct MissingTopics {
    /// The cluster of zones that name none.
    pub home: ClusterName,
    pub by_cluster: BTreeMap<ClusterName, BTreeSet<TopicName>>,
    /// Clusters that could not be asked, each with the cause.
    pub not_asked: BTreeMap<ClusterName, String>,
}

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
    /// `sha256:…`; two plans with one digest do the same. One made offline has none of a live one.
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

/// What a plan is made under, beside the files and what is in force.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms<'a> {
    pub limits: Limits,
    pub allowances: &'a [Allowance],
    /// The clusters' ids as they are now, of those that could be asked: with one that is another, nothing is done.
    pub clusters: Option<&'a Ids>,
    /// Without them, nothing is said about backing topics.
    pub topics: Option<&'a MissingTopics>,
    /// What is to change on the backing clusters: principals and ACLs. Held back with the zone that each is for.
    pub backing: &'a [Change],
    /// What there is to say about the backing clusters.
    pub doubts: &'a [Finding],
    /// What holds zones up, beside guards and suspensions.
    pub holding: Option<&'a Holding>,
    /// What another revision wants: a change that it asks for too was there already, and is drift.
    pub base: Option<&'a Desired>,
    /// What that revision would change on the backing clusters.
    pub backing_of_base: &'a [Change],
    /// Who is connected now. Without it, nothing is said about what partners will notice.
    pub connected: Option<&'a Connected>,
    /// Nothing is done to any other zone: neither created, changed nor deleted.
    pub only: Option<&'a ZoneName>,
    /// What everybody must know before the rest, beside what the plan says by itself.
    pub notices: &'a [Notice],
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
    changes.extend(backing.map(|it| Change { source: asked_for_at(loaded, it), ..it.clone() }));
    if let Some(base) = terms.base {
        let mut of_base = of_zones(&base.loaded, observed, terms.only, origin).0;
        of_base.extend_from_slice(terms.backing_of_base);
        settle_origins(&mut changes, &of_base);
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
        let holds: BTreeMap<ZoneName, Hold> = origins(&changes).into_iter().filter_map(hold).collect();
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

fn is_meant(only: Option<&ZoneName>, name: &ZoneName) -> bool {
    only.is_none_or(|only| only == name)
}

/// What the base asks for as well was asked for before: it is there for another reason than this change.
fn settle_origins(changes: &mut [Change], of_base: &[Change]) {
    let of_base: BTreeMap<&Address, &Change> = of_base.iter().map(|it| (&it.address, it)).collect();
    for change in changes {
        let same = of_base.get(&change.address).is_some_and(|it| {
            (it.action, &it.before, &it.after) == (change.action, &change.before, &change.after)
        });
        if same {
            change.origin = Origin::Drift;
        }
    }
}

/// Why each zone is touched: it drifted only if nothing else is to be done to it.
fn origins(changes: &[Change]) -> BTreeMap<&ZoneName, Origin> {
    let mut origins = BTreeMap::new();
    for change in changes {
        let origin = origins.entry(change.address.zone()).or_insert(change.origin);
        if change.origin == Origin::Change {
            *origin = Origin::Change;
        }
    }
    origins
}

/// What is to become of zones and their topics.
fn of_zones(
    loaded: &Loaded,
    observed: &Observed,
    only: Option<&ZoneName>,
    origin: Origin,
) -> (Vec<Change>, BTreeMap<ZoneName, Fate>) {
    let wanted = loaded.zones.keys().chain(loaded.misplaced.keys());
    let names: BTreeSet<&ZoneName> = wanted.chain(observed.zones.keys()).collect();
    let names: Vec<&ZoneName> = names.into_iter().filter(|name| is_meant(only, name)).collect();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = names.len().div_ceil(threads).max(ZONES_WORTH_A_THREAD);
    let of_part = |part: &[&ZoneName]| -> Vec<(ZoneName, Fate, Vec<Change>)> {
        part.iter().filter_map(|name| of_zone(name, loaded, observed, origin)).collect()
    };
    let parts: Vec<_> = std::thread::scope(|scope| {
        let others: Vec<_> = names.chunks(share).skip(1).map(|part| scope.spawn(|| of_part(part))).collect();
        let first = names.chunks(share).next().map(of_part).unwrap_or_default();
        let others = others.into_iter().map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic)));
        std::iter::once(first).chain(others).collect()
    });
    let (mut changes, mut fates) = (Vec::new(), BTreeMap::new());
    for (name, fate, mut of_zone) in parts.into_iter().flatten() {
        fates.insert(name, fate);
        changes.append(&mut of_zone);
    }
    (changes, fates)
}

/// What is to become of a zone; `None` if it stays as it is.
fn of_zone(
    name: &ZoneName,
    loaded: &Loaded,
    observed: &Observed,
    origin: Origin,
) -> Option<(ZoneName, Fate, Vec<Change>)> {
    let before = observed.zones.get(name);
    let after = loaded.wanted(name, before.map(Arc::as_ref));
    let stays = after.is_none() && loaded.unreadable.zones.contains_key(name);
    let differences = diff(before.map(Arc::as_ref), after.map(|it| it.zone.as_ref()));
    if stays || differences.is_empty() {
        return None;
    }
    let change = |it: Difference| Change {
        source: after.map(|zone| position(zone, it.alias.as_ref())),
        address: match it.alias {
            Some(alias) => Address::Topic { zone: name.clone(), alias },
            None => Address::Zone(name.clone()),
        },
        action: it.action,
        before: it.before,
        after: it.after,
        origin,
    };
    let fate = fate(before.is_some(), after.is_some());
    Some((name.clone(), fate, differences.into_iter().map(change).collect()))
}

fn fate(existed: bool, is_wanted: bool) -> Fate {
    match (existed, is_wanted) {
        (false, _) => Fate::Create,
        (true, true) => Fate::Update,
        (true, false) => Fate::Delete,
    }
}

/// Where a change on a backing cluster is asked for: the topic that it is about, else its zone; nowhere if the zone is gone.
fn asked_for_at(loaded: &Loaded, change: &Change) -> Option<Location> {
    let zone = loaded.zones.get(change.address.zone())?;
    let form = change.after.as_ref().or(change.before.as_ref());
    let field = |name: &str| form.and_then(|form| form.get(name)).and_then(Value::as_str);
    let topic = match (&change.address, field("resourceType"), field("name")) {
        (Address::Acl { .. }, Some("topic"), Some(name)) => {
            zone.zone.topics.iter().find(|topic| topic.backing.as_str() == name)
        }
        _ => None,
    };
    Some(position(zone, topic.map(|topic| &topic.alias)))
}

fn position(zone: &LoadedZone, alias: Option<&TopicName>) -> Location {
    alias.and_then(|alias| zone.topics.get(alias)).unwrap_or(&zone.source).clone()
}

impl Plan {
    /// Zones to act on, without those that are held back.
    pub fn applicable(&self) -> impl Iterator<Item = (&ZoneName, Fate)> {
        self.fates.iter().map(|(name, fate)| (name, *fate)).filter(|(name, _)| !self.held.contains(*name))
    }

    /// Whether this change is held back: by a guard, or for an error of its zone.
    pub fn is_held(&self, change: &Change) -> bool {
        self.held.contains(change.address.zone())
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
        origins(&self.changes)
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
}

#[cfg(test)]
mod tests;
