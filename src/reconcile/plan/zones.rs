//! Zone by zone: what the files want against what is in force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Address, Change, Fate, Observed, Origin};
use crate::manifest::{Loaded, LoadedZone, Location, in_parts};
use crate::reconcile::diff::{Difference, diff};
use crate::zone::{TopicName, ZoneName};

/// Fewer are compared faster than a thread is started.
const ZONES_WORTH_A_THREAD: usize = 256;

/// What is to become of zones and their topics.
pub(super) fn of_zones(
    loaded: &Loaded,
    observed: &Observed,
    only: Option<&ZoneName>,
    origin: Origin,
) -> (Vec<Change>, BTreeMap<ZoneName, Fate>) {
    let wanted = loaded.zones.keys().chain(loaded.misplaced.keys());
    let names: BTreeSet<&ZoneName> = wanted.chain(observed.zones.keys()).collect();
    let names: Vec<&ZoneName> = names.into_iter().filter(|name| is_meant(only, name)).collect();
    let parts = in_parts(&names, ZONES_WORTH_A_THREAD, |part| {
        let (mut changes, mut fates) = (Vec::new(), Vec::new());
        for name in part {
            if let Some((fate, of_zone)) = of_zone(name, loaded, observed, origin) {
                changes.extend(of_zone);
                fates.push(((*name).clone(), fate));
            }
        }
        (changes, fates)
    });
    let (mut changes, mut fates) = (Vec::new(), BTreeMap::new());
    for (mut of_part, fates_of_part) in parts {
        changes.append(&mut of_part);
        fates.extend(fates_of_part);
    }
    (changes, fates)
}

/// What is to become of a zone; `None` if it stays as it is.
fn of_zone(
    name: &ZoneName,
    loaded: &Loaded,
    observed: &Observed,
    origin: Origin,
) -> Option<(Fate, impl Iterator<Item = Change>)> {
    let before = observed.zones.get(name);
    let after = loaded.wanted(name, before.map(Arc::as_ref));
    let stays = after.is_none() && loaded.unreadable.zones.contains_key(name);
    let differences = diff(before.map(Arc::as_ref), after.map(|it| it.zone.as_ref()));
    if stays || differences.is_empty() {
        return None;
    }
    let change = move |it: Difference| Change {
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
    Some((fate, differences.into_iter().map(change)))
}

fn fate(existed: bool, is_wanted: bool) -> Fate {
    match (existed, is_wanted) {
        (false, _) => Fate::Create,
        (true, true) => Fate::Update,
        (true, false) => Fate::Delete,
    }
}

/// Where it is asked for: the alias, if it stands in a file, else its zone.
pub(super) fn position(zone: &LoadedZone, alias: Option<&TopicName>) -> Location {
    alias.and_then(|alias| zone.topics.get(alias)).unwrap_or(&zone.source).clone()
}

/// Whether a zone takes part, where one alone is planned.
pub(super) fn is_meant(only: Option<&ZoneName>, name: &ZoneName) -> bool {
    only.is_none_or(|only| only == name)
}
