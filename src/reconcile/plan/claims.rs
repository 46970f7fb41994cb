//! What belongs to one zone belongs to no other: also towards zones that stay as they were, whatever their files say now.

use std::collections::{BTreeMap, BTreeSet};

use super::zones::position;
use super::{Fate, Observed};
use crate::manifest::{Code, Finding, Loaded};
use crate::zone::{Claim, ZoneName};

/// Zones that cannot get their service account or a backing group, each with the zone that keeps it: that one's file cannot
/// be used, or its own change is held back. A zone that has to wait keeps what it has too.
pub(super) fn taken(
    loaded: &Loaded,
    observed: &Observed,
    fates: &BTreeMap<ZoneName, Fate>,
    held: &BTreeSet<ZoneName>,
) -> BTreeMap<ZoneName, Finding> {
    let mut taken = BTreeMap::new();
    loop {
        let changes =
            |name: &ZoneName| !taken.contains_key(name) && !held.contains(name) && fates.contains_key(name);
        let wanted = |name: &ZoneName| loaded.wanted(name, observed.zones.get(name).map(AsRef::as_ref));
        let asked: BTreeSet<Claim> = fates
            .keys()
            .filter(|name| changes(name))
            .filter_map(wanted)
            .flat_map(|wanted| wanted.zone.claims())
            .collect();
        let kept: BTreeMap<Claim, &ZoneName> = observed
            .zones
            .iter()
            .filter(|(name, _)| !asked.is_empty() && !changes(name))
            .flat_map(|(name, zone)| zone.claims().map(move |claim| (claim, name)))
            .filter(|(claim, _)| asked.contains(claim))
            .collect();
        let clash = |name: &ZoneName| {
            let wanted = wanted(name)?;
            let (claim, owner) =
                wanted.zone.claims().find_map(|claim| Some((claim.clone(), *kept.get(&claim)?)))?;
            let other = match claim {
                Claim::ServiceAccount(_) => "account",
                Claim::BackingGroup(_) => "group",
            };
            let message = format!("{claim} is that of zone `{owner}`, which keeps it for now");
            let finding = Finding::new(Code::StillClaimed, message)
                .help(format!("give this zone another {other}, or make zone `{owner}` give it up first"));
            Some((name.clone(), finding.at(position(wanted, None))))
        };
        let more: Vec<_> = fates.keys().filter(|name| changes(name)).filter_map(clash).collect();
        if more.is_empty() {
            return taken;
        }
        taken.extend(more);
    }
}
