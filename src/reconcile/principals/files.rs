//! Clusters on which somebody else makes the zones' users (`principals.source: files`): each zone's login is in a file. Nothing is
//! written there, no user and no ACL. A zone's file is proved by a login on every broker that lives, as soon as it is there and whenever
//! it changes; on the home cluster that login asks as well whether it reaches the state.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::clusters::Target;
use super::logins::{self, Logins};
use crate::kafka::admin::{Admin, AdminError};
use crate::kafka::client::{Connection, UpstreamSecurity};
use crate::kafka::sasl::{Credentials, LoginFileError, LoginFiles};
use crate::reconcile::backing::Zones;
use crate::reconcile::state_access::{self, StateAccess};
use crate::zone::{ClusterName, PartnerZone, ZoneName};

/// How long a login that was good is good for: somebody may change it, or its rights, at any time.
const GOOD: Duration = Duration::from_mins(10);
/// The same for any other: somebody is about to mend it.
const NOT_GOOD: Duration = Duration::from_secs(10);

/// The clusters whose zones' logins are in files.
#[derive(Debug, Clone)]
pub struct FileClusters {
    /// The cluster of zones that name none.
    pub home: ClusterName,
    pub clusters: BTreeMap<ClusterName, FileCluster>,
}

/// How such a cluster is reached, and where the logins are.
#[derive(Debug, Clone)]
pub struct FileCluster {
    pub target: Target,
    pub files: LoginFiles,
}

/// What is known of a zone's login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    NoFile(LoginFileError),
    /// A broker refused it, or could not be asked.
    NotProved {
        user: String,
        cause: String,
    },
    /// Every broker that lives let it in.
    LetIn(LetIn),
}

/// A login that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LetIn {
    pub(super) user: String,
    /// On the home cluster: whether it reaches the state.
    pub(super) access: Option<StateAccess>,
    /// Another zone that is the same user to the cluster.
    pub(super) shared_with: Option<ZoneName>,
}

/// Where the zones of such clusters stand.
pub(super) type Standings = BTreeMap<ZoneName, Standing>;

/// What came of a login.
#[derive(Debug, Clone)]
struct Proof {
    cluster: ClusterName,
    login: Credentials,
    at: Instant,
    outcome: Result<Option<StateAccess>, String>,
}

/// What the logins in files came to.
#[derive(Debug)]
pub(super) struct FileLogins {
    pub(super) clusters: FileClusters,
    proofs: Mutex<BTreeMap<ZoneName, Proof>>,
}

/// The zones of one cluster whose files hold a login.
type Readable = BTreeMap<ZoneName, Credentials>;

impl FileClusters {
    /// The cluster of a zone whose login is in a file.
    pub(super) fn of<'a>(&'a self, zone: &'a PartnerZone) -> Option<(&'a ClusterName, &'a FileCluster)> {
        let cluster = zone.underlying_cluster.as_ref().unwrap_or(&self.home);
        self.clusters.get_key_value(cluster)
    }
}

impl FileLogins {
    pub(super) fn new(clusters: FileClusters) -> Self {
        Self { clusters, proofs: Mutex::default() }
    }

    /// Reads the files of these zones and logs in by those that are not known to be good.
    pub(super) async fn look(&self, wanted: &Zones) -> Standings {
        let mut standings = Standings::new();
        let mut all: BTreeMap<ClusterName, Readable> = BTreeMap::new();
        for (zone, cluster, read) in self.read(wanted).await {
            match read {
                Ok(login) => drop(all.entry(cluster).or_default().insert(zone, login)),
                Err(error) => drop(standings.insert(zone, Standing::NoFile(error))),
            }
        }
        self.proofs().retain(|zone, _| all.values().any(|readable| readable.contains_key(zone)));
        for (name, readable) in &all {
            let Some(cluster) = self.clusters.clusters.get(name) else { continue };
            let due: Readable = readable
                .iter()
                .filter(|(zone, login)| !self.is_known(zone, name, login))
                .map(|(zone, login)| (zone.clone(), login.clone()))
                .collect();
            if !due.is_empty() {
                let proved = cluster.proved(&due, *name == self.clusters.home).await;
                self.remember(name, due, &proved);
            }
            standings.extend(self.standings(readable));
        }
        standings
    }

    async fn read(
        &self,
        wanted: &Zones,
    ) -> Vec<(ZoneName, ClusterName, Result<Credentials, LoginFileError>)> {
        let file = |(zone, (_, form)): (&ZoneName, &(_, Arc<PartnerZone>))| {
            let (cluster, of) = self.clusters.of(form)?;
            Some((zone.clone(), cluster.clone(), of.files.clone()))
        };
        let files: Vec<_> = wanted.iter().filter_map(file).collect();
        let reading = tokio::task::spawn_blocking(move || {
            let read = |(zone, cluster, files): (ZoneName, ClusterName, LoginFiles)| {
                let login = files.read(zone.as_str());
                (zone, cluster, login)
            };
            files.into_iter().map(read).collect()
        });
        // It does not panic, and the process that stops meanwhile needs no answer.
        reading.await.unwrap_or_default()
    }

    fn proofs(&self) -> std::sync::MutexGuard<'_, BTreeMap<ZoneName, Proof>> {
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_known(&self, zone: &ZoneName, cluster: &ClusterName, login: &Credentials) -> bool {
        let proofs = self.proofs();
        let Some(proof) = proofs.get(zone) else { return false };
        let is_good = matches!(proof.outcome, Ok(None | Some(StateAccess::Denied | StateAccess::NoTopic(_))));
        let age = if is_good { GOOD } else { NOT_GOOD };
        proof.cluster == *cluster && proof.login.is_same(login) && proof.at.elapsed() < age
    }

    fn remember(&self, cluster: &ClusterName, due: Readable, proved: &Proved) {
        let mut proofs = self.proofs();
        for (zone, login) in due {
            let outcome = match (&proved.unreachable, proved.refused.get(&zone)) {
                (Some(cause), _) | (None, Some(cause)) => Err(cause.clone()),
                (None, None) => Ok(proved.access.get(&login.username).cloned()),
            };
            proofs.insert(zone, Proof { cluster: cluster.clone(), login, at: Instant::now(), outcome });
        }
    }

    fn standings(&self, readable: &Readable) -> Standings {
        let proofs = self.proofs();
        let other = |zone: &ZoneName, user: &str| {
            let mut others = readable.iter().filter(|(name, login)| *name != zone && login.username == user);
            others.next().map(|(name, _)| name.clone())
        };
        let standing = |zone: &ZoneName| {
            let Proof { login, outcome, .. } = proofs.get(zone)?;
            let user = login.username.clone();
            Some(match outcome {
                Err(cause) => Standing::NotProved { user, cause: cause.clone() },
                Ok(access) => {
                    let shared_with = other(zone, &user);
                    Standing::LetIn(LetIn { user, access: access.clone(), shared_with })
                }
            })
        };
        readable.keys().filter_map(|zone| Some((zone.clone(), standing(zone)?))).collect()
    }
}

/// What a round of logins came to.
#[derive(Debug, Default)]
struct Proved {
    /// Why nobody could be asked.
    unreachable: Option<String>,
    refused: BTreeMap<ZoneName, String>,
    /// By user. The worst that any broker said.
    access: BTreeMap<String, StateAccess>,
}

impl FileCluster {
    async fn proved(&self, due: &Readable, asks_for_state: bool) -> Proved {
        let access: Arc<Mutex<BTreeMap<String, StateAccess>>> = Arc::default();
        match self.log_in(due, asks_for_state, &access).await {
            Ok(refused) => {
                let access = std::mem::take(&mut *access.lock().unwrap_or_else(PoisonError::into_inner));
                Proved { refused, access, ..Proved::default() }
            }
            Err(error) => Proved { unreachable: Some(error.to_string()), ..Proved::default() },
        }
    }

    async fn log_in(
        &self,
        due: &Readable,
        asks_for_state: bool,
        access: &Arc<Mutex<BTreeMap<String, StateAccess>>>,
    ) -> Result<BTreeMap<ZoneName, String>, AdminError> {
        // It tells which brokers live, and does nothing else.
        let mut admin = Admin::connect(&self.target.bootstrap, &self.target.security, logins::LOGIN).await?;
        let login = |broker: String, credentials: Credentials| {
            let (access, user) = (Arc::clone(access), credentials.username.clone());
            let security =
                UpstreamSecurity { tls: self.target.security.tls.clone(), sasl: Some(credentials) };
            async move {
                let mut connection =
                    Connection::connect(&broker, &security, logins::CLIENT_ID, logins::LOGIN).await?;
                if asks_for_state {
                    let told = state_access::ask(&mut connection).await?;
                    let mut all = access.lock().unwrap_or_else(PoisonError::into_inner);
                    let worst = all.entry(user).or_insert_with(|| told.clone());
                    if matches!(told, StateAccess::Allowed { .. }) {
                        *worst = told;
                    }
                }
                Ok(())
            }
        };
        // Nobody made these users a moment ago: who is refused now is asked again at the next look.
        Logins { login, within: Duration::ZERO, pause: logins::PAUSE }.of(&mut admin, due).await
    }
}
