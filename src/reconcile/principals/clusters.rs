//! Reads and writes the backing clusters. A look lists everything of a cluster at once; what is written goes in batches, and is
//! read back on every broker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Password, Seen, Setup, View, ZoneSteps, logins, readback};
use crate::kafka::admin::{Acl, AclDeletion, Admin, AdminError, ScramChange};
use crate::kafka::client::UpstreamSecurity;
use crate::kafka::sasl::{Credentials, Mechanism};
use crate::policy::principal::{self, Generation, MasterKeys};
use crate::sasl::ScramHash;
use crate::store::{Store, StoreError};
use crate::zone::{ClusterName, KeyName, Slots, ZoneId, ZoneName};

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
    /// No cluster has principals that are made here.
    pub fn none(home: ClusterName) -> Self {
        let setup = Setup { home, keys: BTreeMap::new(), preferred: BTreeMap::new() };
        Self { setup, targets: BTreeMap::new() }
    }

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

/// The passwords to write. `login` is how gateways will log in: it is to know the one that it is about.
fn puts(step: &ZoneSteps, keys: &MasterKeys, login: Option<&Credentials>) -> Vec<ScramChange> {
    let put = |(&hash, password): (&ScramHash, &Password)| {
        let is_in_force = |slots: &Slots| slots.in_force == hash && *slots.key_in_force() == password.key;
        let login = login.filter(|_| step.slots.as_ref().is_some_and(is_in_force));
        let made = || credentials(&step.zone, step.id, (hash, &password.key), keys);
        let login = login.cloned().map_or_else(made, Some)?;
        Some(ScramChange::Put { login, hash, rounds: password.rounds })
    };
    step.put.iter().filter_map(put).collect()
}

/// What a zone's principal logs in with by the password that is made of this key; none if the key is not here.
pub(super) fn credentials(
    zone: &ZoneName,
    id: ZoneId,
    (hash, key): (ScramHash, &KeyName),
    keys: &MasterKeys,
) -> Option<Credentials> {
    let password = keys.get(key)?.password(id, Generation::FIRST);
    Some(Credentials::new(Mechanism::of_scram(hash), principal::user(zone), password))
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
        match half {
            Half::Widening => self.give(&mut admin, steps, keys).await,
            Half::Narrowing => self.take(&mut admin, steps).await,
        }
    }

    async fn give(
        &self,
        admin: &mut Admin,
        steps: &[&ZoneSteps],
        keys: &MasterKeys,
    ) -> Result<Failures, AdminError> {
        let begun = Instant::now();
        let logins: BTreeMap<&ZoneName, Credentials> =
            steps.iter().filter_map(|step| Some((&step.zone, login(step, keys)?))).collect();
        let puts: Vec<ScramChange> =
            steps.iter().flat_map(|step| puts(step, keys, logins.get(&step.zone))).collect();
        let mut failures = users(admin, &puts).await?;
        let passwords_after = begun.elapsed();
        let acls: Vec<Acl> = steps.iter().flat_map(|step| step.create.iter().cloned()).collect();
        let principals = acls.iter().map(|acl| &*acl.principal);
        failures.extend(told(principals, admin.create_acls(&acls).await?));
        let acls_after = begun.elapsed();
        let written = without(steps, &failures);
        let late = readback::on_every_broker(admin, &self.security, &written, Half::Widening).await;
        failures.extend(counted(late, Half::Widening)?);
        let read_back_after = begun.elapsed();
        let given = logins.into_iter().filter(|(zone, _)| !failures.contains_key(*zone));
        let principals: BTreeMap<_, _> = given.map(|(zone, login)| (zone.clone(), login)).collect();
        failures.extend(logins::on_every_broker(admin, &self.security, &principals).await?);
        tracing::info!(
            zones = steps.len(),
            failed = failures.len(),
            passwords = puts.len(),
            acls = acls.len(),
            logins = principals.len(),
            ?passwords_after,
            ?acls_after,
            ?read_back_after,
            logged_in_after = ?begun.elapsed(),
            "principals were written"
        );
        Ok(failures)
    }

    async fn take(&self, admin: &mut Admin, steps: &[&ZoneSteps]) -> Result<Failures, AdminError> {
        let acls: Vec<AclDeletion> = steps.iter().flat_map(|step| acl_deletions(step)).collect();
        let gone = steps.iter().filter(|step| step.release).flat_map(|step| deletions(step));
        let gone: Vec<ScramChange> = gone.collect();
        let principals = acls.iter().map(AclDeletion::principal);
        let mut failures = told(principals, admin.delete_acls(&acls).await?);
        failures.extend(users(admin, &gone).await?);
        let written = without(steps, &failures);
        let late = readback::on_every_broker(admin, &self.security, &written, Half::Narrowing).await;
        failures.extend(counted(late, Half::Narrowing)?);
        Ok(failures)
    }
}

fn without<'a>(steps: &[&'a ZoneSteps], failures: &Failures) -> Vec<&'a ZoneSteps> {
    steps.iter().filter(|step| !failures.contains_key(&step.zone)).copied().collect()
}

/// How gateways will log in as this zone, where that is not known to be good: these steps write the password, or bring it into force.
fn login(step: &ZoneSteps, keys: &MasterKeys) -> Option<Credentials> {
    let slots = step.slots.as_ref()?;
    if step.proves().is_none() && !step.put.contains_key(&slots.in_force) {
        return None;
    }
    credentials(&step.zone, step.id, (slots.in_force, slots.key_in_force()), keys)
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
    use std::collections::BTreeSet;

    use super::super::{Leftovers, Records, Zone, steps};
    use super::*;
    use crate::policy::principal::MasterKey;
    use crate::secret::Secret;
    use crate::zone::sample;

    #[test]
    fn whoever_logs_in_with_a_new_password_has_it_salted_already() {
        let keys = MasterKeys::from(MasterKey::new(&Secret::new("k".repeat(32))).unwrap());
        let home = ClusterName::try_from("home").unwrap();
        let setup = Setup {
            home: home.clone(),
            keys: BTreeMap::from([(home.clone(), keys.clone())]),
            preferred: BTreeMap::new(),
        };
        let seen = Seen::new("cluster-1", BTreeMap::new(), BTreeSet::new());
        let view = View { clusters: BTreeMap::from([(home, Ok(seen))]) };
        let zone = sample::zone("acme", Vec::new());
        let id = ZoneId::derive("home", &zone.name);
        let wanted = [Zone { name: &zone.name, id, before: None, after: Some(&zone) }];
        let steps = steps(&setup, &view, &Records::new(), &wanted, Leftovers::Clear, |_| id);
        let login = login(&steps[0], &keys).unwrap();
        let shared = puts(&steps[0], &keys, Some(&login)).into_iter().map(|change| match change {
            ScramChange::Put { login: of_put, hash, .. } => (hash, of_put.shares_salts_with(&login)),
            ScramChange::Delete { .. } => panic!("{change:?}"),
        });
        let wanted = [(ScramHash::Sha256, false), (ScramHash::Sha512, true)];
        assert_eq!(shared.collect::<BTreeMap<_, _>>(), BTreeMap::from(wanted));
    }

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
