//! What there is to say of logins in files: findings, what a zone waits for, and its second lock. Pure.

use std::collections::BTreeMap;

use super::files::{FileClusters, LetIn, Standing, Standings};
use super::rules;
use crate::kafka::admin::{Operation, Resource};
use crate::manifest::{Code, Finding, Loaded, quote};
use crate::reconcile::backing::Zones;
use crate::reconcile::state_access::{self, StateAccess};
use crate::store::State;
use crate::zone::{Condition, ConditionKind, ConditionStatus, LoginLock, PartnerZone, ZoneName};

/// Things that one finding names at most.
const NAMED: usize = 100;

/// Why zones wait for their logins, by zone.
pub(super) fn waiting(standings: &Standings) -> BTreeMap<ZoneName, String> {
    let why = |standing: &Standing| match standing {
        Standing::NoFile(error) => Some(format!("its login: {error}")),
        Standing::NotProved { user, cause } => Some(not_proved(user, cause)),
        Standing::LetIn(_) => None,
    };
    standings.iter().filter_map(|(zone, it)| Some((zone.clone(), why(it)?))).collect()
}

fn not_proved(user: &str, cause: &str) -> String {
    format!("its login as {} is not proved: {cause}", quote(user))
}

/// The second lock of each zone.
pub(super) fn locks(standings: &Standings) -> BTreeMap<ZoneName, LoginLock> {
    standings.iter().map(|(zone, standing)| (zone.clone(), lock(standing))).collect()
}

fn lock(standing: &Standing) -> LoginLock {
    let (status, reason, message) = match standing {
        Standing::NoFile(error) => (ConditionStatus::False, "NoLoginFile", error.to_string()),
        Standing::NotProved { user, cause } => (ConditionStatus::False, "NotProved", not_proved(user, cause)),
        Standing::LetIn(LetIn { user, shared_with: Some(other), .. }) => {
            let message = format!(
                "its file and that of zone `{other}` hold the same user, {}: its cluster does not keep them apart",
                quote(user)
            );
            (ConditionStatus::False, "SharedLogin", message)
        }
        Standing::LetIn(LetIn { user, access: Some(StateAccess::Allowed { topic, operations }), .. }) => {
            (ConditionStatus::False, "ReachesState", reaches(user, topic, operations))
        }
        Standing::LetIn(LetIn { user, access, .. }) => {
            let asked = if access.is_some() { ", and it does not reach the state" } else { "" };
            let message = format!(
                "the gateway logs in to its cluster as {}, the user of the zone's file, whom every broker let in{asked}; what else that \
                 user may do there is not set here",
                quote(user)
            );
            (ConditionStatus::True, "LoginFromFile", message)
        }
    };
    let condition = Condition::new(ConditionKind::SecondLock, status, reason, message);
    LoginLock { condition, is_let_in: matches!(standing, Standing::LetIn(_)) }
}

fn reaches(user: &str, topic: &str, operations: &[Operation]) -> String {
    let operations: Vec<String> = operations.iter().map(ToString::to_string).collect();
    format!("{}, the user of its file, may {} {topic}", quote(user), operations.join(", "))
}

/// What a person should do about the logins.
pub(super) fn findings(
    clusters: &FileClusters,
    standings: &Standings,
    wanted: &Zones,
    loaded: &Loaded,
) -> Vec<Finding> {
    let finding = |(zone, standing): (&ZoneName, &Standing)| {
        let (_, form) = wanted.get(zone)?;
        let (cluster, of) = clusters.of(form)?;
        let found = match standing {
            Standing::NoFile(error) => {
                let message = format!("zone `{zone}` has no login on cluster `{cluster}`: {error}");
                let help = format!(
                    "put there the sasl.username and sasl.password of a user that may do this and no more: {}. Until then the zone \
                     is not served, by nobody else's login either",
                    needed(form)
                );
                Finding::new(Code::LoginFileUnusable, message).help(&*help)
            }
            Standing::NotProved { user, cause } => {
                let message =
                    format!("zone `{zone}` is not proved on cluster `{cluster}` as {}: {cause}", quote(user));
                let help = format!(
                    "correct {} or the user on the cluster; it is tried again",
                    of.files.path(zone.as_str()).display()
                );
                Finding::new(Code::LoginNotProved, message).help(&*help)
            }
            Standing::LetIn(LetIn { user, shared_with: Some(other), .. }) => {
                let message = format!(
                    "zones `{zone}` and `{other}` are the same user on cluster `{cluster}`: {}",
                    quote(user)
                );
                Finding::new(Code::LoginShared, message)
                    .help("give each zone's file a user of its own: the cluster does not keep these apart")
            }
            Standing::LetIn(LetIn {
                user, access: Some(StateAccess::Allowed { topic, operations }), ..
            }) => {
                let message = format!("zone `{zone}`: {}", reaches(user, topic, operations));
                let denial = state_access::denial(&of.target.bootstrap, &format!("User:{user}"));
                Finding::new(Code::LoginReachesState, message).help(&*format!("deny it: {denial}"))
            }
            Standing::LetIn(_) => return None,
        };
        Some(at(found, zone, loaded))
    };
    standings.iter().filter_map(finding).collect()
}

/// Which ACLs the zones need that come or change, since nobody makes them here.
pub fn rights_needed(
    clusters: &FileClusters,
    state: &State,
    wanted: &Zones,
    loaded: &Loaded,
) -> Vec<Finding> {
    let note = |(zone, (_, form)): (&ZoneName, &(_, std::sync::Arc<PartnerZone>))| {
        let (cluster, of) = clusters.of(form)?;
        let before = state.zones.get(zone).map(|record| &record.zone);
        let is_same = |before: &PartnerZone| {
            clusters.of(before).map(|(name, _)| name) == Some(cluster)
                && rules::acls(before) == rules::acls(form)
        };
        if before.is_some_and(|before| is_same(before)) {
            return None;
        }
        let file = of.files.path(zone.as_str());
        let message = format!(
            "the ACLs of zone `{zone}` on cluster `{cluster}` are not made here. The user of {} needs these, and no more: {}",
            file.display(),
            needed(form)
        );
        let found = Finding::new(Code::AclsNotMadeHere, message)
            .help("have them made before this is applied, and those that it does not need any more taken away after it");
        Some(at(found, zone, loaded))
    };
    wanted.iter().filter_map(note).collect()
}

fn at(finding: Finding, zone: &ZoneName, loaded: &Loaded) -> Finding {
    match loaded.zones.get(zone) {
        Some(written) => finding.at(written.source.clone()),
        None => finding,
    }
}

/// The ACLs of a zone's user, by what they are about.
fn needed(zone: &PartnerZone) -> String {
    let mut by_resource: BTreeMap<Resource, Vec<String>> = BTreeMap::new();
    for acl in rules::acls(zone) {
        by_resource.entry(acl.resource).or_default().push(acl.operation.to_string());
    }
    let mut text: Vec<String> = by_resource
        .iter()
        .take(NAMED)
        .map(|(resource, operations)| {
            format!("{} on {}", operations.join(", "), quote(&resource.to_string()))
        })
        .collect();
    if by_resource.len() > NAMED {
        text.push(format!("and the same for {} more", by_resource.len() - NAMED));
    }
    text.join("; ")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::super::Target;
    use super::super::files::FileCluster;
    use super::*;
    use crate::kafka::client::UpstreamSecurity;
    use crate::kafka::sasl::{LoginFileError, LoginFileFault, LoginFiles, Mechanism};
    use crate::store::{ZoneRecord, samples};
    use crate::zone::sample::{topic, zone};
    use crate::zone::{Permission, ZoneId};

    fn name(text: &str) -> ZoneName {
        ZoneName::try_from(text).unwrap()
    }

    fn clusters() -> FileClusters {
        let target = Target { bootstrap: "b:1".to_owned(), security: UpstreamSecurity::default() };
        let files = LoginFiles::new(PathBuf::from("/logins"), Mechanism::Plain);
        let home: crate::zone::ClusterName = "home".try_into().unwrap();
        FileClusters { home: home.clone(), clusters: [(home, FileCluster { target, files })].into() }
    }

    fn wanted(names: &[&str]) -> Zones {
        let one = |text: &&str| {
            let form = zone(text, vec![topic("orders", "orders-v1", Permission::Read)]);
            (name(text), (ZoneId::derive("home", &name(text)), Arc::new(form)))
        };
        names.iter().map(one).collect()
    }

    fn let_in(user: &str) -> LetIn {
        LetIn { user: user.to_owned(), access: Some(StateAccess::Denied), shared_with: None }
    }

    #[test]
    fn each_standing_has_its_finding_its_wait_and_its_lock() {
        let missing =
            LoginFileError { path: PathBuf::from("/logins/a.properties"), fault: LoginFileFault::Missing };
        let allowed = StateAccess::Allowed {
            topic: "_partner-zones.state".to_owned(),
            operations: vec![Operation::Read],
        };
        let standings = Standings::from([
            (name("a"), Standing::NoFile(missing)),
            (name("b"), Standing::NotProved { user: "u".to_owned(), cause: "wrong".to_owned() }),
            (name("c"), Standing::LetIn(LetIn { shared_with: Some(name("d")), ..let_in("u") })),
            (name("d"), Standing::LetIn(LetIn { access: Some(allowed), ..let_in("u2") })),
            (name("e"), Standing::LetIn(let_in("u3"))),
        ]);
        let wanted = wanted(&["a", "b", "c", "d", "e"]);
        let found = findings(&clusters(), &standings, &wanted, &Loaded::default());
        let codes: Vec<&str> = found.iter().map(|it| it.code.as_str()).collect();
        assert_eq!(codes, ["PZ0415", "PZ0416", "PZ0417", "PZ0418"]);
        let help = |at: usize| found[at].help.clone().unwrap();
        assert!(
            help(0).contains("READ, DESCRIBE, DESCRIBE_CONFIGS on `topic/literal/orders-v1`"),
            "{}",
            help(0)
        );
        assert!(help(1).contains("/logins/b.properties"), "{}", help(1));
        assert!(help(3).contains("--bootstrap-server b:1") && help(3).contains("'User:u2'"), "{}", help(3));
        assert_eq!(waiting(&standings).into_keys().collect::<Vec<_>>(), [name("a"), name("b")]);
        let locks = locks(&standings);
        let found: Vec<_> = locks.values().map(|lock| (lock.condition.reason, lock.is_let_in)).collect();
        let wanted = [
            ("NoLoginFile", false),
            ("NotProved", false),
            ("SharedLogin", true),
            ("ReachesState", true),
            ("LoginFromFile", true),
        ];
        assert_eq!(found, wanted);
        assert!(locks.values().all(|lock| lock.condition.kind == ConditionKind::SecondLock));
    }

    #[test]
    fn the_acls_are_told_of_zones_that_come_or_need_others() {
        let (clusters, wanted) = (clusters(), wanted(&["acme"]));
        let told = |state: &State| rights_needed(&clusters, state, &wanted, &Loaded::default());
        let new = told(&State::default());
        assert!(matches!(&new[..], [only] if only.code == Code::AclsNotMadeHere), "{new:?}");
        let with = |permission: Permission| {
            let form = zone("acme", vec![topic("orders", "orders-v1", permission)]);
            let record = ZoneRecord { zone: Arc::new(form), ..samples::zone("acme") };
            State { zones: [(name("acme"), Arc::new(record))].into(), ..State::default() }
        };
        assert_eq!(told(&with(Permission::Read)).len(), 0);
        assert_eq!(told(&with(Permission::Write)).len(), 1);
    }
}
