//! One log-in name, one zone: also towards zones that stay as they were, whatever their files say now.

use std::collections::BTreeMap;

use super::{Fate, Observed, position};
use crate::manifest::{Code, Finding, Loaded};
use crate::reconcile::guard::Guard;
use crate::zone::{ServiceAccount, ZoneName};

/// Zones that cannot get their service account, each with the zone that keeps it: that one's file cannot be used, or its own
/// change is held back. A zone that has to wait keeps its account too.
pub(super) fn taken(
    loaded: &Loaded,
    observed: &Observed,
    fates: &BTreeMap<ZoneName, Fate>,
    guard: &Guard,
) -> BTreeMap<ZoneName, Finding> {
    let mut taken = BTreeMap::new();
    loop {
        let changes = |name: &ZoneName| {
            !taken.contains_key(name) && fates.get(name).is_some_and(|fate| guard.allows(*fate))
        };
        let kept: BTreeMap<&ServiceAccount, &ZoneName> = observed
            .zones
            .iter()
            .filter(|(name, _)| !changes(name))
            .map(|(name, zone)| (&zone.authentication.service_account, name))
            .collect();
        let clash = |name: &ZoneName| {
            let wanted = loaded.wanted(name, observed.zones.get(name).map(AsRef::as_ref))?;
            let account = &wanted.zone.authentication.service_account;
            let owner = kept.get(account)?;
            let message =
                format!("the service account `{account}` is that of zone `{owner}`, which keeps it for now");
            let finding = Finding::error(Code::DuplicateServiceAccount, message)
                .help(format!("give this zone another account, or make zone `{owner}` give it up first"));
            Some((name.clone(), finding.at(position(wanted, None))))
        };
        let more: Vec<_> = fates.keys().filter(|name| changes(name)).filter_map(clash).collect();
        if more.is_empty() {
            return taken;
        }
        taken.extend(more);
    }
}
