//! How far the zones' consumers are behind, asked of the backing clusters: which groups there are, what they have committed, and where
//! topics end (`read_uncommitted`: the high watermark).
//!
//! Some requests for each broker, however many zones there are: one lists the groups that it keeps, each of the next asks for many of
//! them, and one for its partitions' ends. Ends are asked for first: what is committed meanwhile is never more than what is
//! behind, so a consumer that keeps up shows 0.

mod metrics;
mod sum;

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use thiserror::Error;
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::metrics::LagMetrics;
use self::sum::{Figures, Sharing};
use super::identity::Address;
use crate::kafka::client::ClientError;
use crate::kafka::groups::{self, Committed, Coordinator, Partitions};
use crate::kafka::offsets::{Answers, OffsetReader};
use crate::zone::{ClusterName, PartnerZone, ZoneLag, ZoneName};

const CLIENT_ID: &str = "partner-zones-controller";
/// For each connection and each request.
const WITHIN: Duration = Duration::from_secs(4);
/// For all that is asked of a cluster.
const OF_A_CLUSTER: Duration = Duration::from_secs(20);
/// Topics whose ends are asked for at once: an answer may tell of 250 000 partitions.
const TOPICS: usize = 4_000;

/// What is known of each zone. One without news is missing.
pub type Lags = BTreeMap<ZoneName, ZoneLag>;

/// Asks the clusters, and shows what they say in the metrics.
#[derive(Debug)]
pub struct LagReader {
    clusters: Vec<Address>,
    metrics: LagMetrics,
    /// What a cluster has already been complained about.
    told: BTreeMap<ClusterName, Discriminant<Problem>>,
}

/// Why a cluster says nothing, or not all.
#[derive(Debug, Error)]
enum Problem {
    #[error("no broker answers: {0}")]
    NoBroker(#[source] ClientError),
    #[error("a broker does not answer, so the groups or partitions that it has are missing: {0}")]
    OneBroker(#[source] ClientError),
    #[error(
        "the user of `properties` may not know of the consumer groups of zone `{0}`; give it DESCRIBE on groups (and on the cluster, or only \
         groups that it may describe are found)"
    )]
    Forbidden(ZoneName),
    #[error("it takes longer than {OF_A_CLUSTER:?}")]
    TimedOut,
}

/// What one cluster says. Without anything known nothing is.
#[derive(Debug, Default)]
struct Told {
    lags: Lags,
    problem: Option<Problem>,
}

impl LagReader {
    pub fn new(clusters: Vec<Address>, registry: &mut Registry) -> Self {
        let metrics = LagMetrics::register(registry, clusters.iter().map(|cluster| &cluster.name));
        Self { clusters, metrics, told: BTreeMap::new() }
    }

    /// The lag of these zones now. Zones of a cluster that does not answer are left out, and no others.
    pub async fn measure(&mut self, zones: impl IntoIterator<Item = Arc<PartnerZone>>) -> Lags {
        let now = OffsetDateTime::now_utc();
        let mut of_clusters: BTreeMap<&ClusterName, (&Address, Vec<Arc<PartnerZone>>)> = BTreeMap::new();
        for zone in zones {
            if let Some(cluster) = Address::of_zone(&zone, &self.clusters) {
                let of_cluster = of_clusters.entry(&cluster.name).or_insert((cluster, Vec::new()));
                of_cluster.1.push(zone.without_ended(now));
            }
        }
        let mut asking = JoinSet::new();
        for (cluster, zones) in of_clusters.into_values() {
            let (cluster, sharing) = (cluster.clone(), Sharing::new(zones));
            asking.spawn(async move {
                let told = timeout(OF_A_CLUSTER, ask(&cluster, &sharing)).await;
                (cluster.name, told.unwrap_or_else(|_| Problem::TimedOut.into()))
            });
        }
        let mut lags = Lags::new();
        for (cluster, told) in asking.join_all().await {
            self.note(&cluster, told.problem.as_ref());
            lags.extend(told.lags);
        }
        lags
    }

    /// Shows these zones in the metrics, and no others.
    pub fn show(&mut self, lags: &Lags) {
        self.metrics.show(lags);
    }

    /// Counts what is wrong each time, and says it once.
    fn note(&mut self, cluster: &ClusterName, problem: Option<&Problem>) {
        let Some(problem) = problem else {
            if self.told.remove(cluster).is_some() {
                tracing::info!(%cluster, "the cluster tells the lag of its consumer groups again");
            }
            return;
        };
        self.metrics.failed(cluster);
        let kind = discriminant(problem);
        if self.told.insert(cluster.clone(), kind) == Some(kind) {
            tracing::debug!(%cluster, %problem, "the lag of consumer groups is still not known in full");
        } else {
            tracing::warn!(%cluster, %problem, "the lag of consumer groups is not known in full");
        }
    }
}

impl From<Problem> for Told {
    fn from(problem: Problem) -> Self {
        Self { lags: Lags::new(), problem: Some(problem) }
    }
}

async fn ask(cluster: &Address, sharing: &Sharing) -> Told {
    let servers: Vec<_> = cluster.bootstrap_servers.split(',').map(str::trim).collect();
    let brokers = groups::brokers(servers.iter().copied(), &cluster.security, CLIENT_ID, WITHIN).await;
    let brokers = match brokers {
        Ok(brokers) => brokers,
        Err(error) => return Problem::NoBroker(error).into(),
    };
    let (mut coordinators, mut problem) = (Vec::new(), None);
    for broker in brokers {
        match list(&broker, cluster, sharing).await {
            Ok(found) => coordinators.push(found),
            Err(error) => {
                tracing::debug!(cluster = %cluster.name, broker, %error, "a broker does not tell its groups");
                problem.get_or_insert(Problem::OneBroker(error));
            }
        }
    }
    if let Some(forbidden) = not_seen(&mut coordinators, sharing).await {
        return forbidden.into();
    }
    let is_partial = problem.is_some();
    let topics = sharing.topics(coordinators.iter().flat_map(|(_, groups)| groups));
    let (ends, is_whole) = ends(cluster, &servers, topics, &mut problem).await;
    let mut figures = Figures::new(sharing, &ends);
    for (coordinator, groups) in &mut coordinators {
        if let Err(found) = commits(coordinator, groups, sharing, &mut figures).await {
            tracing::debug!(cluster = %cluster.name, error = %found, "a broker does not tell all offsets of its groups");
            problem.get_or_insert(found);
        }
    }
    Told { lags: figures.of_zones(is_partial || !is_whole), problem }
}

/// A broker and those of its groups that are the zones'.
type Listed = (Coordinator, Vec<String>);

async fn list(broker: &str, cluster: &Address, sharing: &Sharing) -> Result<Listed, ClientError> {
    let mut coordinator = Coordinator::connect(broker, &cluster.security, CLIENT_ID, WITHIN).await?;
    let mut groups = coordinator.groups(|group| sharing.owner(group).is_some()).await?;
    // Where not all of a zone are asked for, it is the same ones each time.
    groups.sort_unstable();
    Ok((coordinator, groups))
}

/// A list without any group is that of a cluster without groups, or of a login without rights.
async fn not_seen(coordinators: &mut [Listed], sharing: &Sharing) -> Option<Problem> {
    if coordinators.iter().any(|(_, groups)| !groups.is_empty()) {
        return None;
    }
    let (coordinator, _) = coordinators.first_mut()?;
    let (zone, group) = sharing.a_group()?;
    let none = Partitions::new();
    let committed = coordinator.committed(&[(group.as_str(), &none)].into()).await.ok()?;
    (committed.get(&group) == Some(&Committed::Forbidden)).then(|| Problem::Forbidden(zone.clone()))
}

/// Takes what this broker's groups have committed. After an error it is not asked again.
///
/// # Errors
/// Of some of the groups it was not told.
async fn commits(
    coordinator: &mut Coordinator,
    groups: &[String],
    sharing: &Sharing,
    figures: &mut Figures<'_>,
) -> Result<(), Problem> {
    let mut problem = None;
    for request in figures.questions(groups) {
        let mut committed = BTreeMap::new();
        if !matches!(problem, Some(Problem::OneBroker(_))) {
            let asked =
                request.iter().filter_map(|&group| Some((group, figures.partitions(group)?))).collect();
            match coordinator.committed(&asked).await {
                Ok(answer) => committed = answer,
                Err(error) => problem = Some(Problem::OneBroker(error)),
            }
        }
        for group in request {
            let committed = committed.get(group);
            if let (Some(Committed::Forbidden), Some((zone, _))) = (committed, sharing.owner(group)) {
                problem.get_or_insert_with(|| Problem::Forbidden(zone.clone()));
            }
            figures.take(group, committed);
        }
    }
    problem.map_or(Ok(()), Err)
}

/// Where these topics end, as far as it is told, and whether brokers told it of all.
async fn ends(
    cluster: &Address,
    servers: &[&str],
    topics: BTreeSet<String>,
    problem: &mut Option<Problem>,
) -> (Answers, bool) {
    let servers = servers.iter().map(|&server| server.to_owned()).collect();
    let mut reader = OffsetReader::new(servers, cluster.security.clone(), CLIENT_ID, WITHIN);
    let (mut ends, mut is_whole) = (Answers::new(), true);
    let topics: Vec<_> = topics.into_iter().collect();
    for chunk in topics.chunks(TOPICS) {
        match reader.ends(&chunk.iter().cloned().collect()).await {
            Ok(answers) => ends.extend(answers),
            Err(error) => {
                is_whole = false;
                problem.get_or_insert(Problem::OneBroker(error));
            }
        }
    }
    (ends, is_whole)
}
