//! Steps and doubts as a plan shows them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::compare::troubles;
use super::{Obstacle, Records, Setup, View, Zone, ZoneSteps, rules};
use crate::kafka::admin::{Acl, Resource};
use crate::manifest::{Code, Finding, Loaded};
use crate::policy::principal;
use crate::reconcile::plan::{Action, Address, Change, Form, Origin};
use crate::sasl::{Mechanism, ScramHash};
use crate::zone::{ClusterName, KeyName, Slots, ZoneName};

/// Rules that one finding names at most.
const NAMED: usize = 3;

/// The lines of these steps. Where each is asked for is for the plan to say, which knows the files.
pub fn changes(
    setup: &Setup,
    view: &View,
    records: &Records,
    zones: &[Zone<'_>],
    steps: &[ZoneSteps],
) -> Vec<Change> {
    let by_name: BTreeMap<&ZoneName, &Zone<'_>> = zones.iter().map(|zone| (zone.name, zone)).collect();
    let mut lines = Vec::new();
    for step in steps {
        let before = by_name.get(&step.zone).and_then(|zone| zone.before);
        let before = before.filter(|form| setup.cluster_of(form) == &step.cluster).map(rules::acls);
        let allowed = match view.clusters.get(&step.cluster) {
            Some(Ok(seen)) => seen.allowed(&step.zone),
            _ => BTreeSet::new(),
        };
        let is_recorded = records.contains_key(&(step.cluster.clone(), step.zone.clone()));
        let side = Side { step, is_recorded, before, allowed };
        lines.extend(side.principal());
        lines.extend(side.acls());
    }
    lines
}

struct Side<'a> {
    step: &'a ZoneSteps,
    is_recorded: bool,
    /// The ACLs of the form in force; none if it has no principal on this cluster.
    before: Option<BTreeSet<Acl>>,
    /// What the cluster has.
    allowed: BTreeSet<Acl>,
}

impl Side<'_> {
    fn principal(&self) -> Option<Change> {
        let step = self.step;
        if step.put.is_empty() && step.proves().is_none() && !step.release {
            return None;
        }
        let user = principal::user(&step.zone);
        // That gateways change places between the two passwords is all that there may be to see.
        let changes_places = step.known.is_some() && step.proves().is_some();
        let form = |credentials: BTreeMap<&str, &str>, slots: Option<&Slots>| {
            let (cluster, in_force) = (step.cluster.as_str(), slots.map(|slots| mechanism(slots.in_force)));
            if changes_places {
                json!({ "cluster": cluster, "user": user, "credentials": credentials, "inForce": in_force })
            } else {
                json!({ "cluster": cluster, "user": user, "credentials": credentials })
            }
        };
        let now = |hash: &ScramHash| match step.put.get(hash) {
            None => "as made here",
            Some(password) if self.is_of_another_key(*hash, &password.key) => "of another master key",
            Some(_) => "not as made here",
        };
        let seen: BTreeMap<&str, &str> = step.seen.keys().map(|hash| (mechanism(*hash), now(hash))).collect();
        let wanted = ScramHash::ALL.into_iter().map(|hash| (mechanism(hash), "as made here")).collect();
        let before = (!seen.is_empty()).then(|| form(seen, step.known.as_ref()));
        let after = (!step.release).then(|| form(wanted, step.slots.as_ref()));
        let origin = match (step.release, step.proves()) {
            (true, _) => self.origin_of_release(),
            // Another master key, or what was begun and not proved: nobody took anything away.
            (false, Some(_)) => Origin::Change,
            (false, None) => self.origin(self.is_recorded),
        };
        line(Address::Principal(step.zone.clone()), before, after, origin)
    }

    fn is_of_another_key(&self, hash: ScramHash, key: &KeyName) -> bool {
        self.step.known.as_ref().is_some_and(|known| known.key(hash) != key)
    }

    /// A principal that the state knows was made before: what is missing of it, somebody took away.
    fn origin(&self, was_made: bool) -> Origin {
        if was_made && self.before.is_some() { Origin::Drift } else { Origin::Change }
    }

    fn origin_of_release(&self) -> Origin {
        if self.before.is_some() { Origin::Change } else { Origin::Drift }
    }

    /// One line for each thing, with all that may be done with it.
    fn acls(&self) -> Vec<Change> {
        let touched: BTreeSet<&Resource> =
            self.step.create.iter().chain(&self.step.delete).map(|acl| &acl.resource).collect();
        let after: BTreeSet<Acl> = self
            .allowed
            .iter()
            .chain(&self.step.create)
            .filter(|acl| !self.step.delete.contains(*acl))
            .cloned()
            .collect();
        let about = |acls: &BTreeSet<Acl>, resource: &Resource| -> BTreeSet<Acl> {
            acls.iter().filter(|acl| acl.resource == *resource).cloned().collect()
        };
        let of_resource = |resource: &Resource| {
            let (is, will) = (about(&self.allowed, resource), about(&after, resource));
            let was = self.before.as_ref().map(|before| about(before, resource));
            let origin = if self.step.release {
                self.origin_of_release()
            } else {
                // The form in force wants the same of it: then it is not the file that changed.
                self.origin(self.is_recorded && was.as_ref() == Some(&will))
            };
            let address = Address::Acl {
                zone: self.step.zone.clone(),
                cluster: self.step.cluster.clone(),
                name: format!("{}/{resource}", rules::principal(&self.step.zone)),
            };
            line(address, rights(&is), rights(&will), origin)
        };
        touched.into_iter().filter_map(of_resource).collect()
    }
}

/// What is neither before nor after, such as a user that is gone already, needs no line.
fn line(address: Address, before: Option<Value>, after: Option<Value>, origin: Origin) -> Option<Change> {
    let action = match (&before, &after) {
        (None, Some(_)) => Action::Create,
        (Some(_), None) => Action::Delete,
        (Some(_), Some(_)) => Action::Update,
        (None, None) => return None,
    };
    let (before, after) = (before.map(Form::from), after.map(Form::from));
    Some(Change { address, action, before, after, source: None, origin })
}

fn mechanism(hash: ScramHash) -> &'static str {
    Mechanism::of_scram(hash).name()
}

/// What one principal may do with one thing.
fn rights(acls: &BTreeSet<Acl>) -> Option<Value> {
    let first = acls.first()?;
    let operation = |acl: &Acl| match &*acl.host {
        "*" => acl.operation.to_string(),
        host => format!("{} from {host}", acl.operation),
    };
    Some(json!({
        "principal": &*first.principal,
        "resourceType": first.resource.kind.to_string(),
        "patternType": first.resource.pattern.to_string(),
        "name": &*first.resource.name,
        "operations": acls.iter().map(operation).collect::<Vec<_>>(),
    }))
}

/// What there is to say about the clusters: obstacles of zones, clusters that cannot be judged, and what others allow or deny.
/// `pending` are the zones that would change.
pub fn findings(
    setup: &Setup,
    view: &View,
    records: &Records,
    loaded: &Loaded,
    obstacles: &BTreeMap<ZoneName, Obstacle>,
    pending: impl Fn(&ZoneName) -> bool,
) -> Vec<Finding> {
    let place = |zone: &ZoneName| loaded.zones.get(zone).map(|zone| zone.source.clone());
    let error = |obstacle: &Obstacle, zone: Option<&ZoneName>| {
        let finding = Finding::new(obstacle.code, &*obstacle.message).help(&*obstacle.help);
        match zone.and_then(place) {
            Some(at) => finding.at(at),
            None => finding,
        }
    };
    // Once for each cluster, and beside it for each zone that has to wait.
    let mut findings: Vec<Finding> =
        troubles(setup, view, records).values().map(|trouble| error(trouble, None)).collect();
    let waits = |zone: &ZoneName, it: &Obstacle| it.code == Code::PrincipalTaken || pending(zone);
    findings.extend(
        obstacles.iter().filter(|(zone, it)| waits(zone, it)).map(|(zone, it)| error(it, Some(zone))),
    );
    for (cluster, seen) in &view.clusters {
        let Ok(seen) = seen else { continue };
        for (zone, acls) in seen.denied.iter().filter(|(zone, _)| loaded.zones.contains_key(*zone)) {
            let message = format!("cluster `{cluster}` denies `{}` {}", principal::user(zone), named(acls));
            let finding = Finding::new(Code::PrincipalDenied, message)
                .help("a denial wins over what the zone allows; it was not made here and stays: delete it if the zone is to work");
            findings.push(match place(zone) {
                Some(at) => finding.at(at),
                None => finding,
            });
        }
        if !seen.everybody.is_empty() {
            let message = format!("cluster `{cluster}` allows everybody {}", named(&seen.everybody));
            findings.push(Finding::new(Code::EverybodyAllowed, message).help(
                "zones' principals may do that too, so the cluster keeps them less apart than it could: delete these ACLs of `User:*`",
            ));
        }
    }
    findings
}

/// What became of principals on clusters where zones have none any more: nothing. `has_principals` tells the other clusters.
pub fn left_behind(records: &Records, has_principals: impl Fn(&ClusterName) -> bool) -> Vec<Finding> {
    let mut left: BTreeMap<&ClusterName, usize> = BTreeMap::new();
    for (cluster, _) in records.keys().filter(|(cluster, _)| !has_principals(cluster)) {
        *left.entry(cluster).or_default() += 1;
    }
    let finding = |(cluster, zones): (&ClusterName, usize)| {
        let message = format!(
            "no principals are made on cluster `{cluster}` any more, and those of {zones} zones were: their users and ACLs stay, \
             and are not watched"
        );
        let help = format!(
            "set `clusters.{cluster}` back to `isolation: principal` without `principals.source: files`, or delete the users `{}*` and their ACLs",
            principal::PREFIX
        );
        Finding::new(Code::PrincipalsLeft, message).help(&*help)
    };
    left.into_iter().map(finding).collect()
}

fn named(acls: &BTreeSet<Acl>) -> String {
    let mut text: Vec<String> = acls
        .iter()
        .take(NAMED)
        .map(|acl| format!("{} on {}", acl.operation, crate::manifest::quote(&acl.resource.to_string())))
        .collect();
    if acls.len() > NAMED {
        text.push(format!("and {} more", acls.len() - NAMED));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests;
