//! What is in force, from a running server or from the state topic, and which backing topics are missing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::client::{Client, Server};
use super::super::{Context, Failure};
use crate::api::state::{ObservedState, Planning};
use crate::app::config::{Cluster, Config, StoreKind};
use crate::app::storage;
use crate::kafka::topics;
use crate::manifest::Loaded;
use crate::reconcile::plan::{Connected, MissingTopics, Notice, NoticeKind};
use crate::store::kafka::{KafkaOptions, KafkaStore, Role};
use crate::store::{Heartbeat, Nodes, State, Store};
use crate::zone::{ClusterName, Outcome, TopicName};

/// Time for the state topic to be read to its end.
const STATE_WITHIN: Duration = Duration::from_secs(30);
/// Time for one broker to say which topics it lacks.
const TOPICS_WITHIN: Duration = Duration::from_secs(10);

/// A node says every two seconds who is connected to it.
const HEARTBEAT_WITHIN: Duration = Duration::from_millis(2_500);

/// What is known of the running system.
pub(in crate::cli) struct Live {
    pub(in crate::cli) state: State,
    /// Part of every zone's id. `None`: the server does not tell it, and so nothing can be said of the zones' principals.
    pub(super) home_cluster_id: Option<String>,
    /// How the server plans that told the state; `None` where it does not tell, or the state was read from its topic: then it is as the
    /// configuration here has it.
    pub(super) planning: Option<Planning>,
    /// `None` if no node could be heard: then nothing is said of what partners will notice.
    pub(super) connected: Option<Connected>,
    /// What the server says of itself that a plan has to repeat.
    pub(super) notices: Vec<Notice>,
}

/// What is in force. Without it there is no plan: unknown is not empty.
pub(in crate::cli) async fn observed(
    server: &Server,
    context: &Context,
    config: &Config,
) -> Result<Live, Failure> {
    if server.named(context)?.is_some() {
        let client = Client::new(server, context)?;
        let answer = client.get(&["state"]).await?;
        let state: ObservedState = serde_json::from_value(answer).map_err(|error| {
            Failure::unreachable(format!("the server's state is not understood: {error}"))
                .next("use the server's version of this program")
        })?;
        let mut live = told(state)?;
        live.connected = connected(&client).await;
        live.notices.extend(failing(&client).await);
        return Ok(live);
    }
    if config.store == StoreKind::Memory {
        return Err(Failure::usage("with `store: memory` only the running process knows the state")
            .next("name its admin address with --url, and an API key with --api-key"));
    }
    let options = storage::options(config, Role::Gateway)
        .map_err(|error| Failure::usage(error).next("or name a running server with --url"))?;
    from_topic(options).await
}

/// What a server tells by its state alone.
fn told(state: ObservedState) -> Result<Live, Failure> {
    let planning = state.planning.clone();
    let untold = planning.is_none().then(|| {
        let message = "the server is of an earlier version, which does not tell its guards, selfHeal and principals: guards and \
             selfHeal are those of the configuration here, principals and ACLs are missing below, and the controller's plan may \
             have another verdict and digest";
        Notice::new(NoticeKind::NotAsked, message)
    });
    Ok(Live {
        state: in_time(state.into_state().map_err(Failure::unreachable)?),
        home_cluster_id: planning.as_ref().map(|server| server.home_cluster_id.clone()),
        planning,
        connected: None,
        notices: untold.into_iter().collect(),
    })
}

/// Who is connected, as the server's nodes say. A server that does not tell has its plan all the same.
async fn connected(client: &Client) -> Option<Connected> {
    let answer = client.get(&["nodes"]).await.ok()?;
    let nodes = answer.get("items")?.as_array()?.iter();
    let nodes = nodes.filter_map(|node| serde_json::from_value::<Heartbeat>(node.clone()).ok());
    let nodes: Nodes = nodes.map(|node| (node.node.clone(), node)).collect();
    (!nodes.is_empty()).then(|| Connected::of(&nodes))
}

/// A rollback whose time is over does not hold any more, whether a controller has noticed or not.
fn in_time(mut state: State) -> State {
    let now = OffsetDateTime::now_utc();
    state.controls.rollback = state.controls.rollback.take().filter(|rollback| now < rollback.until);
    state
}

/// Why nothing of what is merged is applied, if the controller's last run failed: a history that it refuses, a repository that
/// it cannot reach.
async fn failing(client: &Client) -> Option<Notice> {
    let answer = client.get(&["controller"]).await.ok()?;
    let last = answer.get("runs")?.get(0)?;
    let text = |name: &str| last.get(name).and_then(Value::as_str);
    let message = text("message").filter(|_| text("outcome") == Some(Outcome::Failed.as_str()))?;
    Some(Notice::new(NoticeKind::NotFollowed, format!("the controller's last run failed: {message}")))
}

async fn from_topic(options: KafkaOptions) -> Result<Live, Failure> {
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let unknown = |cause: &dyn std::fmt::Display| {
        Failure::unreachable(format!("what is in force is not known: {cause}"))
            .next("check `clusters` in the configuration, or ask a running server with --url")
    };
    let reading = async {
        let store =
            KafkaStore::open(options, &tasks, cancel.clone()).await.map_err(|error| unknown(&error))?;
        let mut state = store.state();
        let state = state.wait_for(Option::is_some).await.map_err(|error| unknown(&error))?.clone();
        let state = state.ok_or_else(|| unknown(&"the store ended"))?;
        let mut nodes = store.nodes();
        let heard = nodes.wait_for(|nodes| !nodes.is_empty());
        let connected = match tokio::time::timeout(HEARTBEAT_WITHIN, heard).await {
            Ok(Ok(nodes)) => Some(Connected::of(&nodes)),
            Ok(Err(_)) | Err(_) => None,
        };
        Ok(Live {
            state: in_time(State::clone(&state)),
            home_cluster_id: Some(store.cluster_id().to_owned()),
            planning: None,
            connected,
            notices: Vec::new(),
        })
    };
    let live = tokio::time::timeout(STATE_WITHIN, reading).await;
    cancel.cancel();
    tasks.close();
    tasks.wait().await;
    live.unwrap_or_else(|_| Err(unknown(&format!("the state topic was not read within {STATE_WITHIN:?}"))))
}

/// Asks every cluster that zones use for the backing topics it lacks. What cannot be asked is said and left open: it
/// decides about warnings only.
pub(super) async fn missing_topics(loaded: &Loaded, config: &Config) -> Option<MissingTopics> {
    let home = config.clusters.first()?;
    let mut wanted: BTreeMap<&ClusterName, BTreeSet<String>> = BTreeMap::new();
    for zone in loaded.zones.values().map(|zone| &zone.zone) {
        let topics = wanted.entry(zone.underlying_cluster.as_ref().unwrap_or(&home.name)).or_default();
        topics.extend(zone.topics.iter().map(|topic| topic.backing.to_string()));
    }
    let mut missing =
        MissingTopics { home: home.name.clone(), by_cluster: BTreeMap::new(), not_asked: BTreeMap::new() };
    for cluster in &config.clusters {
        let Some(topics) = wanted.get(&cluster.name) else { continue };
        match ask(cluster, topics).await {
            Ok(names) => {
                missing.by_cluster.insert(cluster.name.clone(), names);
            }
            Err(cause) => {
                missing.not_asked.insert(cluster.name.clone(), cause);
            }
        }
    }
    Some(missing)
}

async fn ask(cluster: &Cluster, wanted: &BTreeSet<String>) -> Result<BTreeSet<TopicName>, String> {
    let missing =
        topics::missing_topics(&cluster.bootstrap_servers, &cluster.security, wanted, TOPICS_WITHIN).await;
    let missing = missing.map_err(|error| error.to_string())?;
    Ok(missing.iter().filter_map(|name| TopicName::try_from(name.as_str()).ok()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live(answer: Value) -> Live {
        told(serde_json::from_value(answer).unwrap()).unwrap()
    }

    #[test]
    fn a_server_that_does_not_tell_how_it_plans_is_understood_and_the_plan_says_so() {
        let earlier = live(json!({"sequence": 7, "revision": null, "zones": []}));
        assert_eq!((earlier.state.sequence.0, earlier.planning, earlier.home_cluster_id), (7, None, None));
        let [Notice { kind: NoticeKind::NotAsked, message }] = earlier.notices.as_slice() else {
            panic!("{:?}", earlier.notices)
        };
        assert!(message.contains("does not tell its guards"), "{message}");

        let guards = json!({"maxDeletePercent": 5, "maxUpdatePercent": 6, "floor": 7});
        let planning = json!({"homeClusterId": "c1", "guards": guards, "selfHeal": "off", "principals": []});
        let now = live(json!({"sequence": 7, "revision": null, "zones": [], "planning": planning}));
        assert_eq!(now.planning.unwrap().guards.max_delete_percent, 5);
        assert_eq!((now.home_cluster_id.as_deref(), now.notices), (Some("c1"), vec![]));
    }
}
