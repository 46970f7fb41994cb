//! What the control plane needs, out of the configuration: the daemon and the command line read, check and guard alike.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::config::{self, Cluster, Config, Guards, Isolation, OnHistoryRewrite, Source};
use super::wiring::StartError;
use crate::api::Hints;
use crate::api::state::{self, Planning};
use crate::manifest::Known;
use crate::policy::principal::MasterKeys;
use crate::reconcile::data_plane::DataPlane;
use crate::reconcile::guard::Limits;
use crate::reconcile::identity;
use crate::reconcile::plan::SelfHeal;
use crate::reconcile::principals::{Clusters, FileCluster, FileClusters, OwnPrincipals, Setup, Target};
use crate::reconcile::source::{self, GitConfig};
use crate::reconcile::write_back::{WriteBack, WriteBackConfig};
use crate::store::Store;
use crate::zone::ClusterName;

/// What files are checked against. Without a configuration, which at least names a cluster, nothing is known: a pull
/// request is often checked without.
pub fn known(config: &Config) -> Known {
    if config.clusters.is_empty() {
        return Known::default();
    }
    Known {
        gateway: Some(config.gateway.name.clone()),
        clusters: Some(config.clusters.iter().map(|cluster| cluster.name.clone()).collect()),
        issuers: Some(config.issuers.iter().map(|issuer| issuer.name.clone()).collect()),
        sni: config.gateway.sni.clone(),
    }
}

/// The repository to read. `mirrors` is the folder for its mirror.
pub fn git(source: &Source, mirrors: PathBuf) -> GitConfig {
    GitConfig {
        url: source.url.clone(),
        reference: source.reference.clone(),
        paths: source.paths.clone(),
        exclude: source.exclude.clone(),
        access: source.access.clone(),
        verify: source.verify.clone(),
        limits: source.limits,
        on_history_rewrite: match source.on_history_rewrite {
            OnHistoryRewrite::Refuse => source::OnHistoryRewrite::Refuse,
            OnHistoryRewrite::Accept => source::OnHistoryRewrite::Accept,
        },
        mirrors,
    }
}

/// The daemon's source.
pub(super) fn source(config: &Config) -> Result<source::Source, StartError> {
    Ok(source::Source::git(git(config.source()?, mirrors(config)))?)
}

/// What writes to the daemon's source.
pub(super) fn write_back(
    config: &Config,
    source: source::Source,
    store: &Arc<dyn Store>,
) -> Result<WriteBack, StartError> {
    let mode = config.source()?.write_back;
    let (known, limits) = (known(config), limits(config.guards));
    Ok(WriteBack::new(WriteBackConfig { mode, source, known, limits }, Arc::clone(store)))
}

/// Where a forge may say that this source has changed.
pub(super) fn hints(config: &Config, source: &source::Source) -> Option<Hints> {
    let secret_file = config.source().ok()?.webhook_secret_file.clone()?;
    Some(Hints::new(secret_file, source.changed()))
}

/// The daemon's mirrors under `dataDir`. One process uses them at a time.
pub fn mirrors(config: &Config) -> PathBuf {
    config.data_dir.join("git")
}

/// The clusters whose zones have principals of their own; none where they are shared.
pub fn principals(config: &Config) -> Option<Clusters> {
    let with_keys =
        |cluster: &Cluster| Some((cluster.name.clone(), cluster.isolation.master_keys()?.clone()));
    let keys: BTreeMap<ClusterName, MasterKeys> = config.clusters.iter().filter_map(with_keys).collect();
    let target = |cluster: &Cluster| {
        let (bootstrap, security) = (cluster.bootstrap_servers.clone(), cluster.security.clone());
        (cluster.name.clone(), Target { bootstrap, security })
    };
    let preferred =
        |cluster: &Cluster| Some((cluster.name.clone(), cluster.data_plane.principals_mechanism().scram()?));
    let home = config.clusters.first()?.name.clone();
    let setup = Setup { home, preferred: with_principals(config).filter_map(preferred).collect(), keys };
    let targets = with_principals(config).map(target).collect();
    (!setup.keys.is_empty()).then_some(Clusters { setup, targets })
}

/// The clusters on which the logins of zones' principals are from files; none if there are no such clusters.
pub fn file_clusters(config: &Config) -> Option<FileClusters> {
    let of = |cluster: &Cluster| {
        let (bootstrap, security) = (cluster.bootstrap_servers.clone(), cluster.security.clone());
        let files = cluster.isolation.login_files()?.clone();
        Some((cluster.name.clone(), FileCluster { target: Target { bootstrap, security }, files }))
    };
    let clusters: BTreeMap<ClusterName, FileCluster> = config.clusters.iter().filter_map(of).collect();
    let home = config.clusters.first()?.name.clone();
    (!clusters.is_empty()).then_some(FileClusters { home, clusters })
}

/// What is done on the backing clusters in the name of zones; nothing where all of them share.
pub(super) fn backing(
    config: &Config,
    store: &Arc<dyn Store>,
    home_cluster_id: &str,
) -> Option<OwnPrincipals> {
    let (made, files) = (principals(config), file_clusters(config));
    if made.is_none() && files.is_none() {
        return None;
    }
    let home = config.clusters.first()?.name.clone();
    let made = made.unwrap_or_else(|| Clusters::none(home));
    Some(OwnPrincipals::new(made, files, Arc::clone(store), home_cluster_id.to_owned()))
}

/// The clusters on which zones' principals are made.
pub(super) fn with_principals(config: &Config) -> impl Iterator<Item = &Cluster> {
    config.clusters.iter().filter(|cluster| cluster.isolation.master_keys().is_some())
}

/// The clusters on which zones' logins are from files.
pub(super) fn with_login_files(config: &Config) -> impl Iterator<Item = &Cluster> {
    config.clusters.iter().filter(|cluster| cluster.isolation.login_files().is_some())
}

/// Who the gateways are to the home cluster, if it is one user for all zones there.
pub(super) fn data_plane(config: &Config) -> Result<Option<DataPlane>, StartError> {
    let home = config.home()?;
    let Isolation::Shared { .. } = home.isolation else { return Ok(None) };
    let (bootstrap, gateway) = (home.bootstrap_servers.clone(), home.data_plane.clone());
    Ok(Some(DataPlane::new(home.name.clone(), bootstrap, home.security.clone(), gateway)))
}

/// What the API says of how this process plans.
pub(super) fn planning(config: &Config, home_cluster_id: &str) -> Planning {
    let Guards { max_delete_percent, max_update_percent, floor } = config.guards;
    Planning {
        home_cluster_id: home_cluster_id.to_owned(),
        guards: state::Guards { max_delete_percent, max_update_percent, floor },
        self_heal: match config.self_heal {
            config::SelfHeal::Off => "off",
            config::SelfHeal::Report => "report",
            config::SelfHeal::Correct => "correct",
        }
        .to_owned(),
        principals: with_principals(config).map(|cluster| cluster.name.to_string()).collect(),
    }
}

pub fn limits(guards: Guards) -> Limits {
    Limits {
        max_delete_percent: guards.max_delete_percent,
        max_update_percent: guards.max_update_percent,
        floor: guards.floor,
    }
}

/// The clusters, to be asked who they are.
pub fn addresses(config: &Config) -> Vec<identity::Address> {
    let address = |cluster: &Cluster| identity::Address {
        name: cluster.name.clone(),
        bootstrap_servers: cluster.bootstrap_servers.clone(),
        security: cluster.security.clone(),
    };
    config.clusters.iter().map(address).collect()
}

pub fn self_heal(config: &Config) -> SelfHeal {
    match config.self_heal {
        config::SelfHeal::Off => SelfHeal::Off,
        config::SelfHeal::Report => SelfHeal::Report,
        config::SelfHeal::Correct => SelfHeal::Correct,
    }
}
