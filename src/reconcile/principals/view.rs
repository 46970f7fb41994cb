//! What the backing clusters hold under our names, as far as they could be asked.

use std::collections::{BTreeMap, BTreeSet};

use super::rules;
use crate::kafka::admin::{Acl, Effect, Operation, Pattern, ResourceKind, ScramUser};
use crate::policy::principal;
use crate::zone::{ClusterName, ZoneName};

/// Every cluster whose zones have principals, with what it holds or why it could not be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    pub clusters: BTreeMap<ClusterName, Result<Seen, String>>,
}

impl View {
    /// As if nothing had been made for these zones.
    pub(super) fn without(&self, zones: &BTreeSet<ZoneName>) -> Self {
        let mut view = self.clone();
        for seen in view.clusters.values_mut().flatten() {
            seen.users.retain(|zone, _| !zones.contains(zone));
            seen.allowed.retain(|zone, _| !zones.contains(zone));
        }
        view
    }
}

/// What one cluster holds that concerns us. All of it is under our prefix, whoever made it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    pub cluster_id: String,
    pub(super) users: BTreeMap<ZoneName, ScramUser>,
    /// What principals of ours are allowed.
    pub(super) allowed: BTreeMap<ZoneName, BTreeSet<Acl>>,
    /// What they are denied: never by us.
    pub(super) denied: BTreeMap<ZoneName, BTreeSet<Acl>>,
    /// What everybody may do with data, and so our principals too.
    pub(super) everybody: BTreeSet<Acl>,
}

impl Seen {
    /// Picks out of a cluster's users and ACLs what concerns us.
    pub fn new(cluster_id: &str, users: BTreeMap<String, ScramUser>, acls: BTreeSet<Acl>) -> Self {
        let mut seen = Self { cluster_id: cluster_id.to_owned(), ..Self::default() };
        seen.users = users
            .into_iter()
            .filter_map(|(user, rounds)| Some((principal::zone_of(&user)?, rounds)))
            .filter(|(_, rounds)| !rounds.is_empty())
            .collect();
        for acl in acls {
            match (rules::zone_of(&acl.principal), acl.effect) {
                (Some(zone), Effect::Deny) => seen.denied.entry(zone).or_default().insert(acl).then_some(()),
                (Some(zone), _) => seen.allowed.entry(zone).or_default().insert(acl).then_some(()),
                (None, Effect::Allow) if &*acl.principal == "User:*" && is_about_data(&acl) => {
                    seen.everybody.insert(acl).then_some(())
                }
                (None, _) => None,
            };
        }
        seen
    }

    /// Everything of a zone's principal that allows something.
    pub(super) fn allowed(&self, zone: &ZoneName) -> BTreeSet<Acl> {
        self.allowed.get(zone).cloned().unwrap_or_default()
    }

    /// The zones of which there is anything.
    pub(super) fn zones(&self) -> BTreeSet<&ZoneName> {
        self.users.keys().chain(self.allowed.keys()).collect()
    }
}

/// Whether a rule opens topics, groups or transactional ids, beyond their description.
fn is_about_data(acl: &Acl) -> bool {
    let kind = matches!(
        acl.resource.kind,
        ResourceKind::Topic | ResourceKind::Group | ResourceKind::TransactionalId
    );
    kind && !matches!(acl.operation, Operation::Describe | Operation::DescribeConfigs)
        && matches!(acl.resource.pattern, Pattern::Literal | Pattern::Prefixed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::admin::Resource;
    use crate::sasl::ScramHash;

    #[test]
    fn of_a_cluster_only_our_names_count_and_what_is_open_to_everybody() {
        let acl = |principal: &str, effect: Effect, operation: Operation| Acl {
            principal: principal.into(),
            resource: Resource { kind: ResourceKind::Topic, pattern: Pattern::Literal, name: "t".into() },
            operation,
            effect,
            host: "*".into(),
        };
        let users = ["admin", "partner-zones.acme", "partner-zones.gone"].map(|name| {
            let rounds = if name.ends_with("gone") { vec![] } else { vec![(ScramHash::Sha256, 5000)] };
            (name.to_owned(), rounds.into_iter().collect())
        });
        let acls = [
            acl("User:admin", Effect::Allow, Operation::All),
            acl("User:partner-zones.acme", Effect::Allow, Operation::Read),
            acl("User:partner-zones.acme", Effect::Deny, Operation::Write),
            acl("User:*", Effect::Allow, Operation::Read),
            acl("User:*", Effect::Allow, Operation::Describe),
            acl("User:*", Effect::Deny, Operation::Read),
        ];
        let seen = Seen::new("id", users.into(), acls.clone().into());
        let names = |zones: Vec<&ZoneName>| zones.into_iter().map(ZoneName::to_string).collect::<Vec<_>>();
        assert_eq!(names(seen.zones().into_iter().collect()), ["acme"]);
        assert_eq!(names(seen.users.keys().collect()), ["acme"], "a user without credentials is none");
        assert_eq!((seen.allowed.len(), seen.denied.len()), (1, 1));
        assert_eq!(seen.everybody, BTreeSet::from([acls[3].clone()]));
    }
}
