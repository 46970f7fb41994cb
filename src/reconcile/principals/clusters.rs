//! Reads and writes the backing clusters. A look lists everything of a cluster at once; what is written goes in batches, and is
//! read back on every broker.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Password, Seen, Setup, View, ZoneSteps, logins, readback};
use crate::kafka::admin::{Acl, AclDeletion, Admin, AdminError, ScramChange};
use crate::kafka::client::UpstreamSecurity;
use crate::kafka::sasl::{Credentials, Mechanism};
use crate::policy::principal::{self, Generation, MasterKeys};
use crate::sasl::ScramHash;
use crate::store::{Store, StoreError};
use crate::zone::{ClusterName, ZoneName};

/// What one request may take. A list of hundreds of thousands of ACLs takes seconds.
const REQUEST: Duration = Duration::from_secs(30);

/// How a cluster is reached.
#[derive(Debug, Clone)]
pub struct Target {
    /// `host:port,…`
    pub bootstrap: String,
    /// The control plane's own login.
    pub security: UpstreamSecurity,
}

/// The clusters whose zones have principals.
#[derive(Debug, Clone)]
pub struct Clusters {
    pub setup: Setup,
    pub targets: BTreeMap<ClusterName, Target>,
}

/// Zones for which something could not be done, and why.
pub type Failures = BTreeMap<ZoneName, String>;

/// Which half of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Widening,
    Narrowing,
}

impl Clusters {
    /// Whether any cluster has principals: without, there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Looks at every cluster. One that cannot be asked says why, and keeps no other from being looked at.
    pub async fn look(&self) -> View {
        let mut view = View::default();
        for (name, target) in &self.targets {
            view.clusters.insert(name.clone(), target.look().await.map_err(|error| error.to_string()));
        }
        view
    }

    /// Gives what these steps give: credentials first, since they carry our mark, then ACLs. A zone that is missing something
    /// afterwards is among the failures.
    ///
    /// # Errors
    /// This process does not lead any more. Before every cluster it is asked again.
    pub async fn widen(&self, store: &dyn Store, steps: &[ZoneSteps]) -> Result<Failures, StoreError> {
        self.write(store, steps, Half::Widening).await
    }

    /// Takes what these steps take: ACLs first, the credentials with our mark last.
    ///
    /// # Errors
    /// As [`widen`](Self::widen).
    pub async fn narrow(&self, store: &dyn Store, steps: &[ZoneSteps]) -> Result<Failures, StoreError> {
        self.write(store, steps, Half::Narrowing).await
    }

    async fn write(
        &self,
        store: &dyn Store,
        steps: &[ZoneSteps],
        half: Half,
    ) -> Result<Failures, StoreError> {
        let mut failures = Failures::new();
        for (name, target) in &self.targets {
            let Some(keys) = self.setup.keys.get(name) else { continue };
            let of_cluster: Vec<&ZoneSteps> = steps
                .iter()
                .filter(|step| step.cluster == *name)
                .filter(|step| match half {
                    Half::Widening => step.is_widening(),
                    Half::Narrowing => step.is_narrowing(),
                })
                .collect();
            if of_cluster.is_empty() {
                continue;
            }
            store.confirm_leadership().await?;
            match target.write(&of_cluster, keys, half).await {
                Ok(refused) => failures.extend(refused),
                Err(error) => {
                    let cause = format!("cluster `{name}`: {error}");
                    failures.extend(of_cluster.iter().map(|step| (step.zone.clone(), cause.clone())));
                }
            }
        }
        Ok(failures)
    }
}

fn puts(step: &ZoneSteps, keys: &MasterKeys) -> Vec<ScramChange> {
    let put = |(&hash, password): (&ScramHash, &Password)| {
        Some(ScramChange::Put {
            user: principal::user(&step.zone),
            hash,
            rounds: password.rounds,
            password: keys.get(&password.key)?.password(step.id, Generation::FIRST),
        })
    };
    step.put.iter().filter_map(put).collect()
}

fn deletions(step: &ZoneSteps) -> Vec<ScramChange> {
    step.seen.keys().map(|&hash| ScramChange::Delete { user: principal::user(&step.zone), hash }).collect()
}

/// All of a zone that goes, in one piece; else exactly what is too much.
fn acl_deletions(step: &ZoneSteps) -> Vec<AclDeletion> {
    if step.release && !step.delete.is_empty() {
        let principal = super::rules::principal(&step.zone).into();
        return vec![AclDeletion::AllAllowed { principal, about: step.delete.len() }];
    }
    step.delete.iter().cloned().map(AclDeletion::One).collect()
}

impl Target {
    async fn look(&self) -> Result<Seen, AdminError> {
        let mut admin = Admin::connect(&self.bootstrap, &self.security, REQUEST).await?;
        Self::see(&mut admin).await
    }

    pub(super) async fn see(admin: &mut Admin) -> Result<Seen, AdminError> {
        // In this order: who may not ask is told so here, and by Kafka 4.4 never answered there.
        let acls = admin.acls().await?;
        let users = admin.scram_users().await?;
        Ok(Seen::new(admin.cluster_id(), users, acls))
    }

    async fn write(
        &self,
        steps: &[&ZoneSteps],
        keys: &MasterKeys,
        half: Half,
    ) -> Result<Failures, AdminError> {
        let mut admin = Admin::connect(&self.bootstrap, &self.security, REQUEST).await?;
        if let Some(step) = steps.iter().find(|step| step.cluster_id != admin.cluster_id()) {
            // Between the look and now: nothing of what was seen is true of this one.
            let (was, is) = (step.cluster_id.clone(), admin.cluster_id().to_owned());
            return Err(AdminError::AnotherCluster { was, is });
        }
        let mut failures = match half {
            Half::Widening => {
                let acls: Vec<Acl> = steps.iter().flat_map(|step| step.create.iter().cloned()).collect();
                let puts: Vec<ScramChange> = steps.iter().flat_map(|step| puts(step, keys)).collect();
                let mut failures = users(&mut admin, &puts).await?;
                let principals = acls.iter().map(|acl| &*acl.principal);
                failures.extend(told(principals, admin.create_acls(&acls).await?));
                failures
            }
            Half::Narrowing => {
                let acls: Vec<AclDeletion> = steps.iter().flat_map(|step| acl_deletions(step)).collect();
                let gone = steps.iter().filter(|step| step.release).flat_map(|step| deletions(step));
                let gone: Vec<ScramChange> = gone.collect();
                let principals = acls.iter().map(AclDeletion::principal);
                let mut failures = told(principals, admin.delete_acls(&acls).await?);
                failures.extend(users(&mut admin, &gone).await?);
                failures
            }
        };
        let written: Vec<&ZoneSteps> =
            steps.iter().filter(|step| !failures.contains_key(&step.zone)).copied().collect();
        let late = readback::on_every_broker(&mut admin, &self.security, &written, half).await;
        failures.extend(counted(late, half)?);
        if half == Half::Widening {
            let given = written.iter().filter(|step| !failures.contains_key(&step.zone));
            let principals = given.filter_map(|step| Some((step.zone.clone(), login(step, keys)?)));
            let principals = principals.collect();
            failures.extend(logins::on_every_broker(&mut admin, &self.security, &principals).await?);
        }
        Ok(failures)
    }
}

/// How gateways will log in as this zone, where that is not known to be good: these steps write the password, or bring it into force.
fn login(step: &ZoneSteps, keys: &MasterKeys) -> Option<Credentials> {
    let slots = step.slots.as_ref()?;
    if step.proves().is_none() && !step.put.contains_key(&slots.in_force) {
        return None;
    }
    let password = keys.get(slots.key_in_force())?.password(step.id, Generation::FIRST);
    Some(Credentials::new(Mechanism::of_scram(slots.in_force), principal::user(&step.zone), password))
}

/// What was given counts once every broker knows it. What was taken away is gone once the cluster accepted that: there is nothing
/// left to try again, and a broker that lags follows by itself.
fn counted(late: Result<Failures, AdminError>, half: Half) -> Result<Failures, AdminError> {
    if half == Half::Widening {
        return late;
    }
    let cause = match &late {
        Ok(late) => late.values().next().cloned(),
        Err(error) => Some(error.to_string()),
    };
    if let Some(cause) = cause {
        tracing::warn!(
            zones = late.map_or(0, |late| late.len()),
            "rights were taken away on the cluster, and not every broker is known to refuse them yet: {cause}"
        );
    }
    Ok(Failures::new())
}

async fn users(admin: &mut Admin, changes: &[ScramChange]) -> Result<Failures, AdminError> {
    let refused = admin.alter_scram_users(changes).await?;
    Ok(refused
        .into_iter()
        .filter_map(|(user, error)| Some((principal::zone_of(&user)?, error.to_string())))
        .collect())
}

fn told<'a>(principals: impl Iterator<Item = &'a str>, outcomes: Vec<Result<(), AdminError>>) -> Failures {
    let failed =
        principals.zip(outcomes).filter_map(|(principal, outcome)| Some((principal, outcome.err()?)));
    failed
        .filter_map(|(principal, error)| Some((super::rules::zone_of(principal)?, error.to_string())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_lags_fails_what_is_given_and_not_what_is_taken_away() {
        let late = || Failures::from([(ZoneName::try_from("acme").unwrap(), "broker 3 is late".to_owned())]);
        let gone = || Err(AdminError::NoBroker("b1: refused".to_owned()));
        assert_eq!(counted(Ok(late()), Half::Widening).unwrap(), late());
        assert!(counted(gone(), Half::Widening).is_err());
        assert_eq!(counted(Ok(late()), Half::Narrowing).unwrap(), Failures::new());
        assert_eq!(counted(gone(), Half::Narrowing).unwrap(), Failures::new());
    }
}
