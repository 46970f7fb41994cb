//! What is wanted of the backing clusters against what they hold. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::slots::{self, Password};
use super::{Records, Seen, Setup, View, rules};
use crate::kafka::admin::Acl;
use crate::manifest::Code;
use crate::policy::principal::{self, MasterKeys};
use crate::sasl::ScramHash;
use crate::zone::{ClusterName, PartnerZone, Principal, Slots, ZoneId, ZoneName};

/// A zone before and after a run.
#[derive(Debug, Clone, Copy)]
pub struct Zone<'a> {
    pub name: &'a ZoneName,
    pub id: ZoneId,
    /// The form in force.
    pub before: Option<&'a PartnerZone>,
    /// The form that will be in force. It is `before` where the zone is held back.
    pub after: Option<&'a PartnerZone>,
}

/// Why a zone cannot be applied as long as its cluster is as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    pub code: Code,
    pub message: String,
    /// The next step.
    pub help: String,
}

/// What is to be done on the clusters, zone by zone.
pub type Steps = Vec<ZoneSteps>;

/// What is to be done for one zone on one cluster. Nobody's rights are taken away before the rest of the zone has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneSteps {
    pub zone: ZoneName,
    pub id: ZoneId,
    pub cluster: ClusterName,
    /// The cluster that was looked at: another one behind the same address is left alone.
    pub cluster_id: String,
    /// The principal is not in the state yet: it is written there first.
    pub claim: bool,
    /// Passwords to write.
    pub put: BTreeMap<ScramHash, Password>,
    /// What the state knows of its passwords.
    pub known: Option<Slots>,
    /// What they are when this is done. Unless it is known already, somebody logs in first, and then the state knows.
    pub slots: Option<Slots>,
    /// The user's rounds as they are now.
    pub seen: BTreeMap<ScramHash, i32>,
    pub create: BTreeSet<Acl>,
    pub delete: BTreeSet<Acl>,
    /// The zone has no principal on this cluster any more: its credentials and its record go too.
    pub release: bool,
}

impl ZoneSteps {
    /// What gives something, and comes before the zone's own change.
    pub fn is_widening(&self) -> bool {
        self.claim || !self.put.is_empty() || !self.create.is_empty() || self.proves().is_some()
    }

    /// The passwords that the state is to know, once somebody has logged in.
    pub fn proves(&self) -> Option<&Slots> {
        self.slots.as_ref().filter(|slots| self.known.as_ref() != Some(slots))
    }

    /// Passwords stay made of what they are.
    pub(super) fn leave_passwords(&mut self) {
        let known = self.known.as_ref();
        self.put.retain(|hash, password| known.is_some_and(|known| *known.key(*hash) == password.key));
        self.slots.clone_from(&self.known);
    }

    /// What takes something, and comes after it.
    pub fn is_narrowing(&self) -> bool {
        self.release || !self.delete.is_empty()
    }
}

/// What stands between these zones, in the form that is wanted, and their clusters.
pub fn obstacles<'a>(
    setup: &Setup,
    view: &View,
    records: &Records,
    wanted: impl IntoIterator<Item = (ZoneId, &'a PartnerZone)>,
) -> BTreeMap<ZoneName, Obstacle> {
    let troubles = troubles(setup, view, records);
    let obstacle = |(id, zone): (ZoneId, &PartnerZone)| {
        let (cluster, keys) = setup.cluster_with_principals(zone)?;
        let found = match (troubles.get(cluster), view.clusters.get(cluster)) {
            (Some(trouble), _) => trouble.clone(),
            (None, Some(Ok(seen))) => {
                let is_recorded = records.contains_key(&(cluster.clone(), zone.name.clone()));
                if is_recorded || owner(seen, keys, &zone.name, id) != Owner::SomebodyElse {
                    return None;
                }
                taken(cluster, &zone.name)
            }
            (None, _) => return None,
        };
        Some((zone.name.clone(), found))
    };
    wanted.into_iter().filter_map(obstacle).collect()
}

/// Clusters on which nothing can be done, and why.
pub(super) fn troubles(setup: &Setup, view: &View, records: &Records) -> BTreeMap<ClusterName, Obstacle> {
    let trouble = |cluster: &ClusterName| {
        let cause = match view.clusters.get(cluster) {
            Some(Ok(seen)) => {
                let known = records
                    .iter()
                    .find(|((name, _), it)| name == cluster && it.cluster_id != seen.cluster_id);
                let Principal { cluster_id: id, .. } = known?.1;
                format!("it is cluster {}, and its principals were made on cluster {id}", seen.cluster_id)
            }
            Some(Err(cause)) => cause.clone(),
            None => "it was not looked at".to_owned(),
        };
        Some(Obstacle {
            code: Code::ClusterNotAdministrable,
            message: format!("cluster `{cluster}` cannot be given the zones' principals: {cause}"),
            help: format!(
                "nothing is changed for its zones meanwhile, and the others go on; correct that, or clusters.{cluster} in the \
                 configuration"
            ),
        })
    };
    setup.keys.keys().filter_map(|cluster| Some((cluster.clone(), trouble(cluster)?))).collect()
}

fn taken(cluster: &ClusterName, zone: &ZoneName) -> Obstacle {
    let user = principal::user(zone);
    Obstacle {
        code: Code::PrincipalTaken,
        message: format!(
            "cluster `{cluster}` has a user or ACLs of `{user}` already, and they were not made here: they are left alone"
        ),
        help: format!(
            "delete the SCRAM user `{user}` and the ACLs of `User:{user}` if nobody needs them, or give the zone another name"
        ),
    }
}

/// Whose a principal is of which the state knows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Nobody,
    Us,
    SomebodyElse,
}

/// By the one mark that a cluster shows: the rounds.
fn owner(seen: &Seen, keys: &MasterKeys, zone: &ZoneName, id: ZoneId) -> Owner {
    let Some(user) = seen.users.get(zone) else {
        return if seen.allowed.contains_key(zone) { Owner::SomebodyElse } else { Owner::Nobody };
    };
    if slots::is_ours(keys, id, user) { Owner::Us } else { Owner::SomebodyElse }
}

/// What becomes of principals that are ours by their rounds, of which neither the state nor a file knows the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// Of a run that was cut short.
    Clear,
    /// The state is new, or a file cannot be read: their zones may be only unknown.
    Keep,
}

/// What brings the clusters to what these zones need. `id_of` gives the id of a zone that is neither before nor after.
///
/// On a cluster that cannot be judged nothing is done, and so for a principal that is somebody else's.
pub fn steps(
    setup: &Setup,
    view: &View,
    records: &Records,
    zones: &[Zone<'_>],
    leftovers: Leftovers,
    id_of: impl Fn(&ZoneName) -> ZoneId,
) -> Steps {
    let troubles = troubles(setup, view, records);
    let by_name: BTreeMap<&ZoneName, &Zone<'_>> = zones.iter().map(|zone| (zone.name, zone)).collect();
    let mut steps = Vec::new();
    for (cluster, seen) in &view.clusters {
        let (Ok(seen), Some(keys)) = (seen, setup.keys.get(cluster)) else { continue };
        if troubles.contains_key(cluster) {
            continue;
        }
        let recorded = records.keys().filter(|(name, _)| name == cluster).map(|(_, zone)| zone);
        let here = zones.iter().filter(|zone| is_on(setup, zone.after, cluster)).map(|zone| zone.name);
        let names: BTreeSet<&ZoneName> = recorded.chain(here).chain(seen.zones()).collect();
        for name in names {
            let zone = by_name.get(name);
            let side = Side {
                cluster,
                seen,
                keys,
                preferred: setup.preferred(cluster),
                name,
                id: zone.map_or_else(|| id_of(name), |zone| zone.id),
                record: records.get(&(cluster.clone(), name.clone())),
            };
            let wanted = zone.and_then(|zone| zone.after).filter(|zone| is_on(setup, Some(zone), cluster));
            let is_unknown = zone.is_none() && side.record.is_none();
            if !(is_unknown && leftovers == Leftovers::Keep) {
                steps.extend(side.steps(wanted));
            }
        }
    }
    steps
}

fn is_on(setup: &Setup, zone: Option<&PartnerZone>, cluster: &ClusterName) -> bool {
    zone.is_some_and(|zone| setup.cluster_of(zone) == cluster)
}

/// A zone and a cluster.
struct Side<'a> {
    cluster: &'a ClusterName,
    seen: &'a Seen,
    keys: &'a MasterKeys,
    preferred: ScramHash,
    name: &'a ZoneName,
    id: ZoneId,
    record: Option<&'a Principal>,
}

impl Side<'_> {
    /// Nothing to do is no steps.
    fn steps(&self, wanted: Option<&PartnerZone>) -> Option<ZoneSteps> {
        let owner = owner(self.seen, self.keys, self.name, self.id);
        let is_ours = self.record.is_some() || owner == Owner::Us;
        let allowed = self.seen.allowed(self.name);
        let user = self.seen.users.get(self.name).cloned().unwrap_or_default();
        let mut steps = ZoneSteps {
            zone: self.name.clone(),
            id: self.id,
            cluster: self.cluster.clone(),
            cluster_id: self.seen.cluster_id.clone(),
            claim: false,
            put: BTreeMap::new(),
            known: self.record.and_then(|record| record.slots.clone()),
            slots: None,
            seen: user,
            create: BTreeSet::new(),
            delete: BTreeSet::new(),
            release: false,
        };
        match wanted {
            Some(zone) if is_ours || owner == Owner::Nobody => {
                let acls = rules::acls(zone);
                steps.claim = self.record.is_none();
                let slots = slots::wanted(self.keys, steps.known.as_ref(), self.preferred);
                steps.put = slots::missing(self.keys, self.id, &slots, &steps.seen);
                steps.slots = Some(slots);
                steps.create = acls.difference(&allowed).cloned().collect();
                steps.delete = allowed.difference(&acls).cloned().collect();
            }
            None if is_ours => {
                steps.delete = allowed;
                steps.release = true;
            }
            _ => return None,
        }
        (steps.is_widening() || steps.is_narrowing()).then_some(steps)
    }
}

#[cfg(test)]
mod tests;
