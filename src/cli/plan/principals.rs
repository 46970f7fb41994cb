//! The zones' own principals in a plan: what the clusters hold under their names, as far as they can be asked from here.
//!
//! The daemon asks with its own login and knows each principal by the master key. Who plans elsewhere has both in the same
//! configuration, or does without these lines, and the plan says so.

use super::live::Live;
use crate::app::config::Config;
use crate::app::control;
use crate::manifest::Finding;
use crate::reconcile::plan::{Change, Desired, Notice, NoticeKind};
use crate::reconcile::principals::{Clusters, View, doubts, left_behind, planned, rights_needed, wanted};
use crate::zone::ClusterName;

/// What is to change on the clusters, and what there is to say about them.
#[derive(Debug, Default)]
pub(super) struct OnClusters {
    pub(super) changes: Vec<Change>,
    /// What the base would change there.
    pub(super) of_base: Vec<Change>,
    pub(super) doubts: Vec<Finding>,
    pub(super) notices: Vec<Notice>,
}

/// Asks the clusters, and compares them with what the files want.
pub(super) async fn compared(
    live: &Live,
    desired: &Desired,
    base: Option<&Desired>,
    config: &Config,
) -> OnClusters {
    // Without it nobody knows which principals are whose.
    let Some(home) = live.home_cluster_id.as_deref() else { return OnClusters::default() };
    let (clusters, mut notices) = with_principals(live, control::principals(config));
    let mut left =
        left_behind(&live.state.principals, |cluster| has_principals(live, clusters.as_ref(), cluster));
    if let Some(files) = control::file_clusters(config) {
        let wanted = wanted(&desired.loaded, &live.state, home);
        left.extend(rights_needed(&files, &live.state, &wanted, &desired.loaded));
    }
    let Some(mut clusters) = clusters else {
        return OnClusters { notices, doubts: left, ..OnClusters::default() };
    };
    let mut view = clusters.look().await;
    notices.extend(not_seen(&view));
    if live.planning.is_some() {
        // What cannot be reached from here is no trouble of the server's.
        view.clusters.retain(|_, seen| seen.is_ok());
        clusters.setup.keys.retain(|name, _| view.clusters.contains_key(name));
    }
    let lines = |files: &Desired| {
        let wanted = wanted(&files.loaded, &live.state, home);
        let changes = planned(&clusters, &view, &live.state, &wanted, home);
        (changes, doubts(&clusters, &view, &live.state, &wanted, &files.loaded))
    };
    let (changes, mut doubts) = lines(desired);
    doubts.extend(left);
    OnClusters { changes, of_base: base.map(|base| lines(base).0).unwrap_or_default(), doubts, notices }
}

/// The clusters whose zones have principals: as the server has them, where one is asked, else as it is configured here.
fn with_principals(live: &Live, configured: Option<Clusters>) -> (Option<Clusters>, Vec<Notice>) {
    let Some(server) = &live.planning else { return (configured, Vec::new()) };
    let is_wanted = |name: &ClusterName| server.principals.contains(name.as_str());
    let known = configured.map(|mut clusters| {
        clusters.setup.keys.retain(|name, _| is_wanted(name));
        clusters.targets.retain(|name, _| is_wanted(name));
        clusters
    });
    let is_known = |name: &str| {
        known.as_ref().is_some_and(|clusters| clusters.targets.keys().any(|known| known.as_str() == name))
    };
    let missing = server.principals.iter().filter(|name| !is_known(name)).map(|name| {
        not_asked(name, "the configuration here has no `isolation: principal`, login and master key for it")
    });
    let notices = missing.collect();
    (known.filter(|clusters| !clusters.is_empty()), notices)
}

/// Whether the zones of a cluster have principals, as the server has it, where one is asked.
fn has_principals(live: &Live, configured: Option<&Clusters>, cluster: &ClusterName) -> bool {
    match &live.planning {
        Some(server) => server.principals.contains(cluster.as_str()),
        None => configured.is_some_and(|clusters| clusters.setup.keys.contains_key(cluster)),
    }
}

fn not_seen(view: &View) -> Vec<Notice> {
    let failed = view.clusters.iter().filter_map(|(name, seen)| Some((name, seen.as_ref().err()?)));
    failed.map(|(name, cause)| not_asked(name.as_str(), cause)).collect()
}

fn not_asked(cluster: &str, cause: &str) -> Notice {
    let message = format!(
        "cluster `{cluster}` does not say here which principals and ACLs it has: {cause}; what changes there is missing below, \
         and the controller's plan may have another digest"
    );
    Notice::new(NoticeKind::NotAsked, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::state::{Guards, Planning};
    use crate::app::config::{self, Environment};
    use crate::store::State;

    fn live(principals: &[&str]) -> Live {
        let planning = Planning {
            home_cluster_id: "home".to_owned(),
            guards: Guards { max_delete_percent: 30, max_update_percent: 30, floor: 10 },
            self_heal: "correct".to_owned(),
            principals: principals.iter().map(|name| (*name).to_owned()).collect(),
        };
        Live {
            state: State::default(),
            home_cluster_id: Some("home".to_owned()),
            planning: Some(planning),
            connected: None,
            notices: Vec::new(),
        }
    }

    /// As configured here, for the cluster `west` alone.
    fn west() -> Option<Clusters> {
        let text = "masterKey: a key of this test, thirty-two bytes and more\nclusters:\n  default: {bootstrapServers: \"127.0.0.1:1\", isolation: shared}\n  \
             west: {bootstrapServers: \"127.0.0.1:1\", brokerPortBase: 19200, isolation: principal, \
             properties: {security.protocol: SASL_PLAINTEXT, sasl.mechanism: SCRAM-SHA-512, sasl.username: u, sasl.password: p}}\n";
        let config = config::parse("reconciler.yaml", text.as_bytes(), &Environment::default()).unwrap();
        control::principals(&config)
    }

    #[test]
    fn the_server_decides_which_clusters_have_principals_and_one_that_is_not_known_here_is_shouted() {
        let asked = |live: &Live, configured: Option<Clusters>| {
            let (known, notices) = with_principals(live, configured);
            (known.map(|known| known.targets.len()), notices.len())
        };
        assert_eq!(asked(&live(&["west"]), west()), (Some(1), 0));
        assert_eq!(asked(&live(&["west"]), None), (None, 1));
        assert_eq!(asked(&live(&["west", "default"]), west()), (Some(1), 1));
        assert_eq!(asked(&live(&[]), west()), (None, 0), "production does without");
        let from_topic = Live { planning: None, ..live(&[]) };
        assert_eq!(asked(&from_topic, west()), (Some(1), 0));
    }

    #[test]
    fn a_cluster_that_does_not_answer_is_named_with_the_cause() {
        let down = (ClusterName::try_from("west").unwrap(), Err("nobody answers".to_owned()));
        let notices = not_seen(&View { clusters: [down].into() });
        let [Notice { kind: NoticeKind::NotAsked, message }] = notices.as_slice() else {
            panic!("{notices:?}")
        };
        assert!(message.contains("`west`") && message.contains("nobody answers"), "{message}");
    }
}
