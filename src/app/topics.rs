//! Backing clusters → the API: which topics there are, asked when somebody wants to know.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::api::{ClusterTopics, NoTopics, Topics, TopicsFuture};
use crate::kafka::topics;
use crate::reconcile::identity::Address;
use crate::zone::ClusterName;

/// An answer is good for so long, and so is none.
const FRESH: Duration = Duration::from_secs(5);
/// Time for one broker to answer.
const WITHIN: Duration = Duration::from_secs(4);
/// For all that is asked of a cluster. Shorter than a request to the API may take.
const OF_A_CLUSTER: Duration = Duration::from_secs(10);
/// Topics of a cluster that are held and shown.
const MAX_TOPICS: usize = 100_000;

type Answer = Result<Arc<ClusterTopics>, NoTopics>;

/// Asks each cluster one question at a time: who comes meanwhile waits for its answer.
#[derive(Debug)]
pub(super) struct AskedTopics(BTreeMap<ClusterName, OfCluster>);

#[derive(Debug)]
struct OfCluster {
    address: Address,
    last: Mutex<Option<(Instant, Answer)>>,
}

impl AskedTopics {
    pub(super) fn new(clusters: Vec<Address>) -> Self {
        let cluster =
            |address: Address| (address.name.clone(), OfCluster { address, last: Mutex::default() });
        Self(clusters.into_iter().map(cluster).collect())
    }
}

impl Topics for AskedTopics {
    fn of<'a>(&'a self, cluster: &'a ClusterName) -> TopicsFuture<'a> {
        Box::pin(async move {
            let Some(cluster) = self.0.get(cluster) else {
                return Err(NoTopics::UnknownCluster(self.0.keys().cloned().collect()));
            };
            let mut last = cluster.last.lock().await;
            if let Some((at, answer)) = &*last
                && at.elapsed() < FRESH
            {
                return answer.clone();
            }
            let answer = ask(&cluster.address).await;
            *last = Some((Instant::now(), answer.clone()));
            answer
        })
    }
}

async fn ask(Address { name, bootstrap_servers, security }: &Address) -> Answer {
    let asking = timeout(OF_A_CLUSTER, topics::partitions(bootstrap_servers, security, WITHIN));
    let mut partitions = match asking.await {
        Ok(Ok(partitions)) => partitions,
        Ok(Err(error)) => {
            tracing::warn!(cluster = %name, %error, "the cluster does not tell its topics");
            return Err(NoTopics::Unreachable);
        }
        Err(_) => {
            tracing::warn!(cluster = %name, within = ?OF_A_CLUSTER, "the cluster does not tell its topics in time");
            return Err(NoTopics::Unreachable);
        }
    };
    let is_partial = partitions.len() > MAX_TOPICS;
    while partitions.len() > MAX_TOPICS {
        partitions.pop_last();
    }
    Ok(Arc::new(ClusterTopics { at: OffsetDateTime::now_utc(), partitions, is_partial }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::client::UpstreamSecurity;

    #[tokio::test]
    async fn a_cluster_that_does_not_answer_is_not_asked_by_everybody_and_an_unknown_one_is_named_so() {
        let nowhere = Address {
            name: "home".try_into().unwrap(),
            bootstrap_servers: "127.0.0.1:1".to_owned(),
            security: UpstreamSecurity::default(),
        };
        let (home, west) = (nowhere.name.clone(), "west".try_into().unwrap());
        let topics = AskedTopics::new(vec![nowhere]);
        assert_eq!(topics.of(&west).await.err(), Some(NoTopics::UnknownCluster(vec![home.clone()])));
        assert_eq!(topics.of(&home).await.err(), Some(NoTopics::Unreachable));
        let asked = async || topics.0[&home].last.lock().await.as_ref().unwrap().0;
        let first = asked().await;
        assert_eq!(topics.of(&home).await.err(), Some(NoTopics::Unreachable));
        assert_eq!(asked().await, first, "no one asks again so soon");
    }
}
