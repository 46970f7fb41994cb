//! The topics of the backing clusters, to pick from, and with whom each is shared.
//!
//! The leader asks the clusters; the other nodes pass the question on to it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State as Shared};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Api;
use super::access::Seen;
use super::auth::Caller;
use super::credentials::rfc3339;
use super::problem::Problem;
use super::query::{Query, page_token};
use crate::store::Leadership;
use crate::zone::{ClusterName, SharedTopic, ZoneName};

/// Topics of a part, where nobody says how many.
const DEFAULT_LIMIT: usize = 100;

/// Of those with whom one topic is shared, the first are shown; all are counted.
const MAX_SHARES: usize = 100;

/// A part ends before its limit when it has become this long: it has to pass from the leader to another node.
const MAX_BYTES: usize = 512 * 1024;

/// What a cluster said of its topics.
#[derive(Debug)]
pub struct ClusterTopics {
    pub at: OffsetDateTime,
    /// The first ones by name, with the number of their partitions.
    pub partitions: BTreeMap<String, usize>,
    /// There are more.
    pub is_partial: bool,
}

/// Why there is nothing to say of a cluster's topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoTopics {
    /// These are the clusters that there are.
    UnknownCluster(Vec<ClusterName>),
    /// It does not answer. The log says why.
    Unreachable,
}

pub type TopicsFuture<'a> = Pin<Box<dyn Future<Output = Result<Arc<ClusterTopics>, NoTopics>> + Send + 'a>>;

/// Whoever can ask the backing clusters.
pub trait Topics: Send + Sync + std::fmt::Debug {
    /// What the cluster says, or said some seconds ago.
    fn of<'a>(&'a self, cluster: &'a ClusterName) -> TopicsFuture<'a>;
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    topic: String,
}

type Shares<'a> = BTreeMap<&'a str, Vec<(&'a ZoneName, &'a SharedTopic)>>;

/// Not for picking: the brokers' own topics and ours.
fn is_internal(topic: &str) -> bool {
    topic.starts_with("__") || topic.starts_with("_partner-zones.")
}

pub(super) async fn list(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    mut query: Query,
) -> Result<Json<Value>, Problem> {
    let (cluster, search) = (query.one("cluster")?, query.search()?);
    let (limit, after) = (query.limit()?.unwrap_or(DEFAULT_LIMIT), query.page_token::<Place>()?);
    query.end()?;
    let cluster = match cluster {
        None => api.config.default_cluster.clone(),
        Some(name) => ClusterName::try_from(name.as_str())
            .map_err(|wrong| Problem::bad_request(format!("`cluster` {wrong}")))?,
    };
    let state = api.state()?;
    let topics = api.topics_of(&caller, &cluster).await?;
    let is_seen = |topic: &str| !is_internal(topic) && caller.sees_topic(topic);
    let fits = |topic: &str| is_seen(topic) && search.as_ref().is_none_or(|search| search.is_in(topic));
    let found: Vec<_> = topics.partitions.iter().filter(|(topic, _)| fits(topic)).collect();
    let shown =
        after.map_or(0, |place| found.partition_point(|(topic, _)| topic.as_str() <= place.topic.as_str()));
    let page: Vec<_> = found.iter().skip(shown).take(limit).copied().collect();
    let shares = shares(&api, caller.zones(&state), &cluster, page.iter().map(|(topic, _)| topic.as_str()));
    let (mut items, mut bytes, mut last) = (Vec::new(), 0, None);
    for (topic, partitions) in page {
        let item = item(&cluster, topic, *partitions, shares.get(topic.as_str()));
        bytes += item.to_string().len();
        items.push(item);
        last = Some(topic);
        if bytes >= MAX_BYTES {
            break;
        }
    }
    let next = last
        .filter(|_| shown + items.len() < found.len())
        .map(|topic| page_token(&Place { topic: topic.clone() }));
    Ok(Json(json!({
        "cluster": cluster.as_str(),
        "items": items,
        "total": found.len(),
        "nextPageToken": next,
        "observedAt": rfc3339(topics.at),
        "isPartial": topics.is_partial,
    })))
}

impl Api {
    async fn topics_of(&self, caller: &Caller, cluster: &ClusterName) -> Result<Arc<ClusterTopics>, Problem> {
        let is_leading = *self.config.store.leadership().borrow() == Leadership::Leading;
        let Some(topics) = self.config.topics.as_ref().filter(|_| is_leading) else {
            let detail =
                "only the node that leads asks the clusters, and it cannot be reached; try again in a moment";
            return Err(Problem::unavailable(detail));
        };
        topics.of(cluster).await.map_err(|none| match none {
            NoTopics::UnknownCluster(_) if !caller.sees_all() => {
                Problem::not_found(format!("there is no cluster `{cluster}`"))
            }
            NoTopics::UnknownCluster(known) => {
                let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
                Problem::not_found(format!("there is no cluster `{cluster}`; there are {}", known.join(", ")))
            }
            NoTopics::Unreachable => Problem::unavailable(format!(
                "cluster `{cluster}` does not tell its topics; the log of the node that leads says why"
            )),
        })
    }
}

/// With whom these topics are shared.
fn shares<'a>(
    api: &Api,
    seen: impl Iterator<Item = Seen<'a>>,
    cluster: &ClusterName,
    topics: impl Iterator<Item = &'a str>,
) -> Shares<'a> {
    let mut shares: Shares<'a> = topics.map(|topic| (topic, Vec::new())).collect();
    for (record, sight) in seen.filter(|(record, _)| api.cluster_of(record) == cluster) {
        for topic in record.zone.topics.iter().filter(|topic| sight.has(topic)) {
            if let Some(of_topic) = shares.get_mut(topic.backing.as_str()) {
                of_topic.push((&record.zone.name, topic));
            }
        }
    }
    shares
}

fn item(
    cluster: &ClusterName,
    topic: &str,
    partitions: usize,
    shares: Option<&Vec<(&ZoneName, &SharedTopic)>>,
) -> Value {
    let share = |(zone, topic): &(&ZoneName, &SharedTopic)| {
        json!({
            "zone": zone.as_str(),
            "alias": topic.alias.as_str(),
            "permission": topic.permission.as_str(),
        })
    };
    json!({
        "cluster": cluster.as_str(),
        "name": topic,
        "partitions": partitions,
        "sharedWith": shares.into_iter().flatten().take(MAX_SHARES).map(share).collect::<Vec<_>>(),
        "shares": shares.map_or(0, Vec::len),
    })
}
