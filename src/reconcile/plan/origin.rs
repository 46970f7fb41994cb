//! Why things are touched, and where that was asked for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::zones::position;
use super::{Address, Change, Form, Origin};
use crate::manifest::{Loaded, Location};
use crate::zone::ZoneName;

/// What the base asks for as well was asked for before: it is there for another reason than this change.
pub(super) fn settle(changes: &mut [Change], of_base: &[Change]) {
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
pub(super) fn of_zones(changes: &[Change]) -> BTreeMap<&ZoneName, Origin> {
    let of_zone = |changes: &[Change]| {
        let is_drift = changes.iter().all(|change| change.origin == Origin::Drift);
        if is_drift { Origin::Drift } else { Origin::Change }
    };
    by_zone(changes).map(|(zone, changes)| (zone, of_zone(changes))).collect()
}

/// Changes by the zone that they belong to: they are sorted by address, and those sort by zone.
pub(super) fn by_zone(changes: &[Change]) -> impl Iterator<Item = (&ZoneName, &[Change])> {
    changes
        .chunk_by(|a, b| a.address.zone() == b.address.zone())
        .filter_map(|part| Some((part.first()?.address.zone(), part)))
}

/// Where a change on a backing cluster is asked for: the topic that it is about, else its zone; nowhere if the zone is gone.
pub(super) fn asked_for_at(loaded: &Loaded, change: &Change) -> Option<Location> {
    let zone = loaded.zones.get(change.address.zone())?;
    let topic_of = |form: &Form| {
        let form = form.value();
        let field = |name: &str| form.get(name).and_then(Value::as_str);
        let name = field("name").filter(|_| field("resourceType") == Some("topic"))?;
        zone.zone.topics.iter().find(|topic| topic.backing.as_str() == name)
    };
    let form = change.after.as_ref().or(change.before.as_ref());
    let is_acl = matches!(change.address, Address::Acl { .. });
    let topic = form.filter(|_| is_acl).and_then(topic_of);
    Some(position(zone, topic.map(|topic| &topic.alias)))
}
