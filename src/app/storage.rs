//! Opens the store that the configuration asks for.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::{Config, ConfigError, StoreKind};
use super::wiring::Role;
use crate::store::kafka::{self, KafkaOptions, KafkaStore, Names, Timing};
use crate::store::memory::MemoryStore;
use crate::store::{Store, StoreError};

/// Between attempts to open a store that cannot be reached.
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// Stands for the id of the home cluster while nothing that depends on it outlives the process.
const MEMORY_CLUSTER_ID: &str = "memory";

/// An open store, and the id of the cluster that zone ids are derived from.
pub(super) struct Storage {
    pub(super) store: Arc<dyn Store>,
    pub(super) cluster_id: String,
}

/// Opens the store, and tries again for as long as the reason may pass: brokers and the first controller are often started
/// together with this process.
pub(super) async fn open(
    config: &Config,
    role: Role,
    memory_cluster_id: Option<String>,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) -> Result<Storage, OpenError> {
    if config.store == StoreKind::Memory {
        if role != Role::All {
            return Err(OpenError::MemoryIsOneProcess);
        }
        let store = MemoryStore::start(tracker, cancel.clone());
        let cluster_id = memory_cluster_id.unwrap_or_else(|| MEMORY_CLUSTER_ID.to_owned());
        return Ok(Storage { store, cluster_id });
    }
    let in_kafka = if role.controls() { kafka::Role::Controller } else { kafka::Role::Gateway };
    loop {
        // Each attempt's tasks end with it.
        let attempt = cancel.child_token();
        match KafkaStore::open(options(config, in_kafka)?, tracker, attempt.clone()).await {
            Ok(store) => return Ok(Storage { cluster_id: store.cluster_id().to_owned(), store }),
            Err(error @ (StoreError::Unreachable(_) | StoreError::NotSetUp(_))) => {
                attempt.cancel();
                tracing::warn!(%error, retry_after = ?RETRY_AFTER, "the store cannot be opened yet");
                tokio::time::sleep(RETRY_AFTER).await;
            }
            Err(error) => {
                attempt.cancel();
                return Err(error.into());
            }
        }
    }
}

/// How to open the store on the configuration's home cluster.
pub fn options(config: &Config, role: kafka::Role) -> Result<KafkaOptions, ConfigError> {
    let home = config.home()?;
    Ok(KafkaOptions {
        bootstrap_servers: home.bootstrap_servers.clone(),
        properties: home.librdkafka_properties(),
        replication: home.state_replication_factor,
        role,
        node: config.node.clone(),
        advertised_url: config.http.advertised_url.clone(),
        names: Names::default(),
        timing: Timing::default(),
    })
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`store: memory` is one process's own; run it with `--role all`, or set `store: kafka`")]
    MemoryIsOneProcess,
}
