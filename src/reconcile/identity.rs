//! Which cluster is behind each address.
//!
//! An address can come to lead to another cluster: a name in DNS, a restored machine, a typing error. There, everything
//! would be missing, and what is ours would be somebody else's. So the state remembers each cluster's id, and with one that
//! is another, nothing is done until a person says what is meant.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::kafka::client::UpstreamSecurity;
use crate::kafka::topics;
use crate::zone::{ClusterName, PartnerZone};

/// Time for one broker to answer.
const WITHIN: Duration = Duration::from_secs(3);

/// Clusters' ids, by the name that the configuration gives each.
pub type Ids = BTreeMap<ClusterName, String>;

/// A cluster to ask.
#[derive(Debug, Clone)]
pub struct Address {
    pub name: ClusterName,
    /// `host:port,…`
    pub bootstrap_servers: String,
    pub security: UpstreamSecurity,
}

impl Address {
    /// The cluster behind a zone. Without a name it is the first.
    pub fn of_zone<'a>(zone: &PartnerZone, clusters: &'a [Self]) -> Option<&'a Self> {
        let is_it = |name: &ClusterName| zone.underlying_cluster.as_ref().is_none_or(|wanted| wanted == name);
        clusters.iter().find(|cluster| is_it(&cluster.name))
    }
}

/// The ids of the clusters as they are now. One that does not answer is left out: what it is, is not known, and nothing is
/// written to it either.
pub async fn ask(clusters: &[Address]) -> Ids {
    let mut asking = JoinSet::new();
    for Address { name, bootstrap_servers, security } in clusters.iter().cloned() {
        asking.spawn(async move {
            match topics::cluster_id(&bootstrap_servers, &security, WITHIN).await {
                Ok(id) => id.map(|id| (name, id)),
                Err(error) => {
                    tracing::debug!(cluster = %name, %error, "the cluster does not say who it is");
                    None
                }
            }
        });
    }
    asking.join_all().await.into_iter().flatten().collect()
}

/// The ids that are not remembered yet.
pub fn new<'a>(remembered: &Ids, now: &'a Ids) -> impl Iterator<Item = (&'a ClusterName, &'a String)> {
    now.iter().filter(|(name, _)| !remembered.contains_key(*name))
}

/// The clusters that are others than they were, each in one sentence with what to do.
pub fn strange(remembered: &Ids, now: &Ids) -> Vec<String> {
    let is_strange = |(name, id): (&ClusterName, &String)| {
        let was = remembered.get(name).filter(|was| *was != id)?;
        Some(format!(
            "cluster `{name}` is another one: its id is `{id}`, and it was `{was}`; nothing is applied. Correct \
             clusters.{name}.bootstrapServers; a cluster that took the old one's place gets a name of its own under `clusters`"
        ))
    };
    now.iter().filter_map(is_strange).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(of: &[(&str, &str)]) -> Ids {
        of.iter().map(|(name, id)| ((*name).try_into().unwrap(), (*id).to_owned())).collect()
    }

    #[test]
    fn another_id_is_strange_and_a_cluster_that_is_new_or_silent_is_not() {
        let remembered = ids(&[("default", "a"), ("silent", "b")]);
        let now = ids(&[("default", "x"), ("later", "c")]);
        let strange = strange(&remembered, &now);
        assert_eq!(strange.len(), 1);
        assert!(
            strange[0].contains("`default` is another one: its id is `x`, and it was `a`"),
            "{strange:?}"
        );
        assert_eq!(new(&remembered, &now).map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["later"]);
    }
}
