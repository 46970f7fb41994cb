//! What is worth saying of a plan beside its changes.

use std::collections::BTreeMap;

use super::zones::position;
use super::{Desired, Fate, MissingTopics, Observed};
use crate::manifest::finding::printable;
use crate::manifest::suppress::{Suppressed, silence};
use crate::manifest::{Code, Finding, Loaded};
use crate::reconcile::diff::nameless;
use crate::reconcile::source::Commit;
use crate::zone::ZoneName;

/// The findings of the files, of the commit and of live state, and those that comments in the files silenced.
pub(super) fn findings(
    desired: &Desired,
    observed: &Observed,
    fates: &BTreeMap<ZoneName, Fate>,
    topics: Option<&MissingTopics>,
) -> (Vec<Finding>, Vec<Suppressed>) {
    let loaded = desired.loaded.as_ref();
    let mut live = renamed_zones(loaded, observed, fates);
    live.extend(topics.into_iter().flat_map(|topics| missing_topics(loaded, topics)));
    let mut silenced = silence(&loaded.suppressions, live);
    let mut findings = loaded.findings.clone();
    findings.extend(unusable_trailers(desired.commit.as_ref()));
    findings.append(&mut silenced.kept);
    // Where a cluster was not asked, a comment about its topics is not known to be needless.
    if topics.is_some_and(|topics| topics.not_asked.is_empty()) {
        findings.append(&mut silenced.unused);
    }
    findings.extend(topics.into_iter().flat_map(clusters_not_asked));
    (findings, [loaded.suppressed.as_slice(), &silenced.suppressed].concat())
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
    // A first plan creates everything: to write all of it down only to find nothing would be most of its work.
    if deleted.is_empty() {
        return Vec::new();
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

/// What a commit's message wants to allow and does not.
fn unusable_trailers(commit: Option<&Commit>) -> impl Iterator<Item = Finding> {
    let warnings = commit.map(|commit| commit.warnings.as_slice()).unwrap_or_default();
    warnings.iter().map(|warning| Finding::new(Code::TrailerUnusable, warning.clone()))
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
        let cause = printable(cause);
        let message =
            format!("whether the backing topics on cluster `{cluster}` exist was not checked: {cause}");
        Finding::new(Code::ClusterNotAsked, message).help("check that the cluster can be reached from here")
    })
}
