//! What a run would do, as a value. Pure: the same input gives the same plan, byte for byte.
//!
//! The command line prints it, the daemon applies it. Zones whose files cannot be read keep their last applied form and
//! do not appear.

mod claims;
mod json;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::diff::{diff, nameless};
use super::digest;
use super::guard::{Guard, Limits, Tally};
use super::source::Commit;
use crate::manifest::finding::printable;
use crate::manifest::suppress::{Suppressed, silence};
use crate::manifest::{Code, Finding, Loaded, LoadedZone, Location};
use crate::store::State;
use crate::zone::{ClusterName, PartnerZone, Revision, TopicName, ZoneName};

/// What the files of one revision want.
#[derive(Debug, Clone)]
pub struct Desired {
    pub revision: Revision,
    /// [`super::source::Snapshot::tree`].
    pub tree: String,
    pub commit: Option<Commit>,
    pub loaded: Arc<Loaded>,
}

/// What is in force.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The revision that the state reflects in full.
    pub revision: Option<Revision>,
    pub zones: BTreeMap<ZoneName, Arc<PartnerZone>>,
}

impl Observed {
    pub fn of(state: &State) -> Self {
        let zones =
            state.zones.iter().map(|(name, record)| (name.clone(), Arc::new(record.zone.clone()))).collect();
        Self { revision: state.revision.clone(), zones }
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Create,
    Update,
    Delete,
    /// An alias got another name, and nothing else about it changed.
    Move,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Move => "move",
        }
    }
}

/// What a change is about: `zone/N` or `zone/N/topic/ALIAS`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    pub zone: ZoneName,
    pub alias: Option<TopicName>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zone/{}", self.zone)?;
        self.alias.as_ref().map_or(Ok(()), |alias| write!(f, "/topic/{alias}"))
    }
}

/// Why something is to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The files changed.
    Change,
    /// This revision was applied already, and the state is no longer what it asks for.
    Drift,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub address: Address,
    pub action: Action,
    /// In manifest spelling; a zone's own form is without its topics.
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// Where it is asked for; a deleted topic points to its zone, a deleted zone nowhere.
    pub source: Option<Location>,
    pub origin: Origin,
}

/// What becomes of a zone as a whole: the unit that is applied and that guards count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    Create,
    Update,
    Delete,
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

#[derive(Debug, Clone)]
pub struct Plan {
    pub revision: Revision,
    /// `sha256:…`; two plans with one digest do the same.
    pub digest: String,
    /// By zone; the zone's own change first, then its topics by alias.
    pub changes: Vec<Change>,
    /// Of the files and of live state, sorted by place.
    pub findings: Vec<Finding>,
    /// What comments in the files silenced.
    pub suppressed: Vec<Suppressed>,
    pub guard: Guard,
    fates: BTreeMap<ZoneName, Fate>,
    /// Zones that wait although no guard holds them back.
    waiting: BTreeSet<ZoneName>,
}

/// Compares what the files want with what is in force. Without `missing`, nothing is said about backing topics.
pub fn plan(desired: &Desired, observed: &Observed, limits: Limits, topics: Option<&MissingTopics>) -> Plan {
    let loaded = desired.loaded.as_ref();
    let origin =
        if observed.revision.as_ref() == Some(&desired.revision) { Origin::Drift } else { Origin::Change };
    let wanted = loaded.zones.keys().chain(loaded.misplaced.keys());
    let names: BTreeSet<&ZoneName> = wanted.chain(observed.zones.keys()).collect();
    let (mut changes, mut fates) = (Vec::new(), BTreeMap::new());
    for name in names {
        let before = observed.zones.get(name);
        let after = loaded.wanted(name, before.map(Arc::as_ref));
        let stays = after.is_none() && loaded.unreadable.zones.contains_key(name);
        let differences = diff(before.map(Arc::as_ref), after.map(|it| it.zone.as_ref()));
        if stays || differences.is_empty() {
            continue;
        }
        fates.insert(name.clone(), fate(before.is_some(), after.is_some()));
        changes.extend(differences.into_iter().map(|it| Change {
            source: after.map(|zone| position(zone, it.alias.as_ref())),
            address: Address { zone: name.clone(), alias: it.alias },
            action: it.action,
            before: it.before,
            after: it.after,
            origin,
        }));
    }
    let mut findings = renamed_zones(loaded, observed, &fates);
    findings.extend(topics.into_iter().flat_map(|topics| missing_topics(loaded, topics)));
    let mut silenced = silence(&loaded.suppressions, findings);
    let mut findings = loaded.findings.clone();
    findings.append(&mut silenced.kept);
    // Where a cluster was not asked, a comment about its topics is not known to be needless.
    if topics.is_some_and(|topics| topics.not_asked.is_empty()) {
        findings.append(&mut silenced.unused);
    }
    findings.extend(topics.into_iter().flat_map(clusters_not_asked));
    let guard = Guard::judge(tally(&fates, observed, loaded), limits);
    let taken = claims::taken(loaded, observed, &fates, &guard);
    findings.extend(taken.values().cloned());
    findings.sort();
    Plan {
        revision: desired.revision.clone(),
        digest: digest::plan(&desired.tree, observed, &changes),
        guard,
        waiting: taken.into_keys().collect(),
        changes,
        findings,
        suppressed: [loaded.suppressed.as_slice(), &silenced.suppressed].concat(),
        fates,
    }
}

fn fate(existed: bool, is_wanted: bool) -> Fate {
    match (existed, is_wanted) {
        (false, _) => Fate::Create,
        (true, true) => Fate::Update,
        (true, false) => Fate::Delete,
    }
}

fn position(zone: &LoadedZone, alias: Option<&TopicName>) -> Location {
    alias.and_then(|alias| zone.topics.get(alias)).unwrap_or(&zone.source).clone()
}

fn tally(fates: &BTreeMap<ZoneName, Fate>, observed: &Observed, loaded: &Loaded) -> Tally {
    let count = |wanted: Fate| fates.values().filter(|fate| **fate == wanted).count();
    let unreadable = loaded.unreadable.zones.len().saturating_add(loaded.unreadable.nameless_files.len());
    Tally {
        existing: observed.zones.len(),
        creations: count(Fate::Create),
        updates: count(Fate::Update),
        deletions: count(Fate::Delete),
        // A file that could not be used counts even if it were without a finding.
        errors: loaded.findings.iter().filter(|finding| finding.is_error()).count().max(unreadable),
    }
}

/// A zone's name is its identity: another name is another zone.
fn renamed_zones(loaded: &Loaded, observed: &Observed, fates: &BTreeMap<ZoneName, Fate>) -> Vec<Finding> {
    let with = |wanted: Fate| fates.iter().filter(move |(_, fate)| **fate == wanted).map(|(name, _)| name);
    let mut deleted: BTreeMap<String, Vec<&ZoneName>> = BTreeMap::new();
    for name in with(Fate::Delete) {
        if let Some(zone) = observed.zones.get(name) {
            deleted.entry(nameless(zone)).or_default().push(name);
        }
    }
    with(Fate::Create)
        .filter_map(|name| {
            let created = loaded.zones.get(name)?;
            let old = deleted.get_mut(&nameless(&created.zone))?.pop()?;
            let message =
                format!("zone `{old}` becomes `{name}`, which is a new zone: its consumer groups start anew");
            let finding = Finding::new(Code::ZoneRenamed, message).at(created.source.clone());
            Some(finding.help("issue new credentials for it, or keep the name and change spec.displayName"))
        })
        .collect()
}

fn missing_topics(loaded: &Loaded, missing: &MissingTopics) -> Vec<Finding> {
    let mut findings = Vec::new();
    for zone in loaded.zones.values() {
        let cluster = zone.zone.underlying_cluster.as_ref().unwrap_or(&missing.home);
        let Some(topics) = missing.by_cluster.get(cluster) else { continue };
        for topic in zone.zone.topics.iter().filter(|topic| topics.contains(&topic.backing)) {
            let message = format!("backing topic `{}` does not exist on cluster `{cluster}`", topic.backing);
            findings.push(
                Finding::new(Code::BackingTopicMissing, message)
                    .at(position(zone, Some(&topic.alias)))
                    .help("create the topic or correct its name; until then the zone is FAILED and its other topics are served"),
            );
        }
    }
    findings
}

fn clusters_not_asked(topics: &MissingTopics) -> impl Iterator<Item = Finding> {
    topics.not_asked.iter().map(|(cluster, cause)| {
        let message = format!(
            "whether the backing topics on cluster `{cluster}` exist was not checked: {}",
            printable(cause)
        );
        Finding::new(Code::ClusterNotAsked, message).help("check that the cluster can be reached from here")
    })
}

impl Plan {
    /// Zones to act on, without those that are held back.
    pub fn applicable(&self) -> impl Iterator<Item = (&ZoneName, Fate)> {
        self.fates
            .iter()
            .map(|(name, fate)| (name, *fate))
            .filter(|(name, fate)| self.guard.allows(*fate) && !self.waiting.contains(*name))
    }

    /// Whether this change is held back: by a guard, or for an error of its zone.
    pub fn is_held(&self, change: &Change) -> bool {
        let zone = &change.address.zone;
        self.waiting.contains(zone) || self.fates.get(zone).is_some_and(|fate| !self.guard.allows(*fate))
    }

    /// Whether applying it makes the state what this revision asks for, in full.
    pub fn is_complete(&self) -> bool {
        !self.guard.is_refusing() && !self.findings.iter().any(Finding::is_error)
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
