//! Where topics stand at the moment from which on they are shared (`replay: {from: latest}`).
//!
//! It is asked of the cluster once, before the zone is committed, and kept with it: a time would do for topics whose records carry the
//! time of their arrival, and be wrong for those that carry the time of what they tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::backing::{BackingFailure, Failures, Zones};
use super::identity::Address;
use crate::kafka::offsets::{Answer, Answers, OffsetReader};
use crate::store::State;
use crate::zone::{ClusterName, PartnerZone, ReplayStart, ReplayStarts, TopicName, ZoneName};

const CLIENT_ID: &str = "partner-zones-controller";
/// For each connection and each request.
const WITHIN: Duration = Duration::from_secs(10);

/// What is to be written down with the zones: of each that is not as the state has it, all of its topics.
pub(super) type Starts = BTreeMap<ZoneName, Arc<ReplayStarts>>;

/// Zones of one cluster.
type OnCluster<'a> = (&'a Address, Vec<(&'a ZoneName, &'a PartnerZone)>);

/// What there is to write down once `after` is in force, and the zones of which the clusters do not say it.
pub(super) async fn begin(after: &Zones, state: &State, clusters: &[Address]) -> (Starts, Failures) {
    let none = ReplayStarts::new();
    let (mut starts, mut failures) = (Starts::new(), Failures::new());
    let mut missing: BTreeMap<&ClusterName, OnCluster<'_>> = BTreeMap::new();
    for (name, (_, zone)) in after {
        let known = state.replays.get(name).map_or(&none, |known| known);
        let kept = zone.starts_kept(known);
        if zone.begin_at_their_ends().all(|topic| kept.contains_key(&topic.alias)) {
            if kept != *known {
                starts.insert(name.clone(), Arc::new(kept));
            }
        } else if let Some(cluster) = Address::of_zone(zone, clusters) {
            missing.entry(&cluster.name).or_insert_with(|| (cluster, Vec::new())).1.push((name, zone));
        }
    }
    for (cluster, zones) in missing.into_values() {
        let topics = zones.iter().flat_map(|(_, zone)| zone.begin_at_their_ends());
        let topics: BTreeSet<String> = topics.map(|topic| topic.backing.to_string()).collect();
        let answers = ask(cluster, &topics).await;
        for (name, zone) in zones {
            let known = state.replays.get(name).map_or(&none, |known| known);
            match completed(zone, zone.starts_kept(known), &answers) {
                Ok(complete) => {
                    starts.insert(name.clone(), Arc::new(complete));
                }
                Err(message) => {
                    let message = format!("cluster `{}`: {message}", cluster.name);
                    failures.insert(name.clone(), BackingFailure { message, is_terminal: false });
                }
            }
        }
    }
    (starts, failures)
}

async fn ask(cluster: &Address, topics: &BTreeSet<String>) -> Result<Answers, String> {
    let servers = cluster.bootstrap_servers.split(',').map(|server| server.trim().to_owned()).collect();
    let mut reader = OffsetReader::new(servers, cluster.security.clone(), CLIENT_ID, WITHIN);
    reader.ends(topics).await.map_err(|error| error.to_string())
}

/// What is known, and of the rest where the topics stand now.
fn completed(
    zone: &PartnerZone,
    mut known: ReplayStarts,
    answers: &Result<Answers, String>,
) -> Result<ReplayStarts, String> {
    for topic in zone.begin_at_their_ends() {
        if !known.contains_key(&topic.alias) {
            let start = start(&topic.backing, answers)?;
            known.insert(topic.alias.clone(), start);
        }
    }
    Ok(known)
}

fn start(backing: &TopicName, answers: &Result<Answers, String>) -> Result<ReplayStart, String> {
    let not_said = |why: &str| {
        format!(
            "where topic `{backing}` stands is not known, which `replay: {{from: latest}}` needs: {why}; it is asked for again"
        )
    };
    let answers = answers.as_ref().map_err(|error| not_said(error))?;
    match answers.get(backing.as_str()) {
        Some(Answer::Known(offsets)) => {
            let of_all = offsets.all().ok_or_else(|| {
                let (missing, all) = (offsets.partitions - offsets.of.len(), offsets.partitions);
                not_said(&format!("{missing} of {all} partitions have no leader that answers"))
            })?;
            Ok(ReplayStart { backing: backing.clone(), topic_id: offsets.topic_id, offsets: of_all })
        }
        // All that it will hold comes from now on.
        Some(Answer::Missing) => {
            Ok(ReplayStart { backing: backing.clone(), topic_id: None, offsets: Vec::new() })
        }
        Some(Answer::Failed(code)) => Err(not_said(&format!("error code {code} of Kafka's"))),
        None => Err(not_said("the cluster does not answer for it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::client::UpstreamSecurity;
    use crate::kafka::offsets::Offsets;
    use crate::zone::{Permission, Replay, SharedTopic, ZoneId, sample};

    fn zone(topics: &[(&str, &str)]) -> PartnerZone {
        let topic = |&(alias, backing): &(&str, &str)| SharedTopic {
            replay: Some(Replay::FromLatest),
            ..sample::topic(alias, backing, Permission::Read)
        };
        sample::zone("acme", topics.iter().map(topic).collect())
    }

    fn known(partitions: usize, of: &[(i32, i64)]) -> Answer {
        Answer::Known(Offsets { topic_id: None, partitions, of: of.iter().copied().collect() })
    }

    #[test]
    fn only_a_whole_answer_counts_and_what_is_known_stays() {
        let answers = Ok([
            ("t".to_owned(), known(2, &[(0, 7), (1, 9)])),
            ("half".to_owned(), known(2, &[(0, 7)])),
            ("absent".to_owned(), Answer::Missing),
            ("secret".to_owned(), Answer::Failed(29)),
        ]
        .into());
        let of = |alias: &str, backing: &str| {
            let found = completed(&zone(&[(alias, backing)]), ReplayStarts::new(), &answers)?;
            Ok::<_, String>(found.into_values().next().unwrap().offsets)
        };
        assert_eq!(of("a", "t"), Ok(vec![7, 9]));
        assert_eq!(of("a", "absent"), Ok(vec![]), "all of it is still to come");
        assert!(of("a", "half").unwrap_err().contains("1 of 2 partitions"));
        assert!(of("a", "secret").unwrap_err().contains("29"));
        assert!(of("a", "nowhere").is_err());
        let before = completed(&zone(&[("a", "t")]), ReplayStarts::new(), &answers).unwrap();
        let later = Ok([("t".to_owned(), known(2, &[(0, 70), (1, 90)]))].into());
        let both = completed(&zone(&[("a", "t"), ("b", "t")]), before, &later).unwrap();
        assert_eq!(both.into_values().map(|start| start.offsets).collect::<Vec<_>>(), [[7, 9], [70, 90]]);
    }

    #[tokio::test]
    async fn what_is_known_is_not_asked_for_and_what_is_over_is_forgotten() {
        let name = ZoneName::try_from("acme").unwrap();
        let after = |zone| Zones::from([(name.clone(), (ZoneId::derive("home", &name), Arc::new(zone)))]);
        let clusters = [Address {
            name: "default".try_into().unwrap(),
            bootstrap_servers: "127.0.0.1:1".to_owned(),
            security: UpstreamSecurity::default(),
        }];
        let start = |alias: &str| {
            let alias = TopicName::try_from(alias).unwrap();
            (alias, ReplayStart { backing: "t".try_into().unwrap(), topic_id: None, offsets: vec![4] })
        };
        let starts = Arc::new(ReplayStarts::from([start("a"), start("b")]));
        let state = State { replays: [(name.clone(), starts)].into(), ..State::default() };
        let same = begin(&after(zone(&[("a", "t"), ("b", "t")])), &state, &clusters).await;
        assert_eq!(same, (Starts::new(), Failures::new()));
        let (less, failures) = begin(&after(zone(&[("b", "t")])), &state, &clusters).await;
        assert_eq!((less[&name].len(), failures), (1, Failures::new()));
        let (none, failures) = begin(&after(zone(&[("c", "t")])), &state, &clusters).await;
        assert!(none.is_empty());
        assert!(failures[&name].message.contains("where topic `t` stands is not known"), "{failures:?}");
    }
}
