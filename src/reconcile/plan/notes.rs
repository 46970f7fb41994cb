//! What is worth saying of a plan beside its changes.

use std::collections::BTreeMap;

use super::{Fate, MissingTopics, Observed, position};
use crate::manifest::{Code, Finding, Loaded, Severity};
use crate::reconcile::diff::nameless;
use crate::reconcile::source::Commit;
use crate::zone::ZoneName;

/// A zone's name is its identity: another name is another zone.
pub(super) fn renamed_zones(
    loaded: &Loaded,
    observed: &Observed,
    fates: &BTreeMap<ZoneName, Fate>,
) -> Vec<Finding> {
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
            let finding = Finding::new(Severity::Note, Code::ZoneRenamed, message).at(created.source.clone());
            Some(finding.help("issue new credentials for it, or keep the name and change spec.displayName"))
        })
        .collect()
}

/// What a commit's message wants to allow and does not.
pub(super) fn unusable_trailers(commit: Option<&Commit>) -> impl Iterator<Item = Finding> {
    let warnings = commit.map(|commit| commit.warnings.as_slice()).unwrap_or_default();
    warnings.iter().map(|warning| Finding::new(Severity::Warning, Code::TrailerUnusable, warning.clone()))
}

pub(super) fn missing_topics(loaded: &Loaded, missing: &MissingTopics) -> Vec<Finding> {
    let mut findings = Vec::new();
    for zone in loaded.zones.values() {
        let cluster = zone.zone.underlying_cluster.as_ref().unwrap_or(&missing.home);
        let Some(topics) = missing.by_cluster.get(cluster) else { continue };
        for topic in zone.zone.topics.iter().filter(|topic| topics.contains(&topic.backing)) {
            let message = format!("backing topic `{}` does not exist on cluster `{cluster}`", topic.backing);
            findings.push(
                Finding::new(Severity::Warning, Code::BackingTopicMissing, message)
                    .at(position(zone, Some(&topic.alias)))
                    .help("create the topic or correct its name; until then the zone is FAILED and its other topics are served"),
            );
        }
    }
    findings
}
