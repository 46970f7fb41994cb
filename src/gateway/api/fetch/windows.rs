//! Fetches of topics of which older records may not be read (`topics[].replay`): as of a broker that keeps them no longer.
//!
//! They stay outside of fetch sessions, whose requests do not say how far the partner is. So each names the offsets that it asks
//! for, and what lies before the window is answered here. A batch that begins before the window and ends in it passes as it is, as
//! it does from a broker; clients skip what they have not asked for.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::FetchTopic;

use super::session::{Session, Shown};
use crate::gateway::api::Exchange;
use crate::gateway::api::names::authorise;
use crate::policy::ZoneView;
use crate::zone::Operation;

/// Whether a request names such a topic.
pub(super) fn are_in(view: &ZoneView, version: i16, topics: &[FetchTopic]) -> bool {
    let has_window = |topic: &FetchTopic| {
        let shown = Shown::of(version, &topic.topic, topic.topic_id);
        authorise(view, shown.key(), Operation::Read).is_ok_and(|topic| topic.window.is_some())
    };
    !topics.is_empty() && view.has_windows() && topics.iter().any(has_window)
}

/// Takes the partitions out that may not be read from where the partner asks, each with its answer.
pub(super) fn take_shut(
    exchange: &Exchange<'_>,
    session: &mut Session,
    shown: &Shown,
    fetched: &mut FetchTopic,
) -> Vec<(i32, ResponseError)> {
    let mut shut = Vec::new();
    let known = authorise(exchange.view, shown.key(), Operation::Read).ok();
    let Some(topic) = known.filter(|topic| topic.window.is_some()) else { return shut };
    fetched.partitions.retain(|partition| {
        let number = partition.partition;
        let error = match exchange.starts.first_offset(exchange.view, topic, number) {
            Ok(Some(first)) if partition.fetch_offset >= first => {
                session.open_from(topic, number, first);
                return true;
            }
            Ok(Some(_)) => ResponseError::OffsetOutOfRange,
            Ok(None) => return true,
            Err(error) => error,
        };
        shut.push((number, error));
        false
    });
    shut
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use kafka_protocol::messages::{FetchRequest, FetchResponse};
    use uuid::Uuid;

    use super::super::VERSIONS;
    use super::super::tests::{answer, ask, error_code, seen};
    use crate::gateway::api::fixture::{self, Partner, Read};
    use crate::gateway::replay::Starts;
    use crate::zone::{ClusterName, Replay, ReplayStart, ReplayStarts, SharedTopic, TopicName, sample};

    const AGE: Duration = Duration::from_mins(1);
    const NOT_LEADER: i16 = 6;
    const OUT_OF_RANGE: i16 = 1;
    const NO_SUCH_SESSION: i16 = 70;

    fn partner(replay: Replay, starts: Option<ReplayStarts>) -> Partner {
        let topic = SharedTopic { replay: Some(replay), ..sample::topic("a", "t", Read) };
        let zone = sample::zone("acme", vec![topic, sample::topic("b", "u", Read)]);
        let mut partner = Partner::in_zone(fixture::view_of(zone, starts.map(Arc::new)));
        let cluster = ClusterName::try_from(fixture::CLUSTER).unwrap();
        partner.starts = Starts::of(&cluster, "t", AGE, &[(0, 5), (1, 6)]);
        partner
    }

    /// Every fetch here asks for offset 5.
    #[test]
    fn what_lies_before_the_window_is_out_of_range_and_the_log_begins_with_it_at_every_version() {
        let partner = partner(Replay::MaxAge(AGE), None);
        for version in VERSIONS.first..=VERSIONS.last {
            let request = ask(&partner, version, (0, 0), &[("a", &[0, 1, 2]), ("b", &[0])]);
            let (sent, awaited) = partner.send(1, version, &request).forwarded::<FetchRequest>();
            let partitions: Vec<Vec<i32>> = sent
                .topics
                .iter()
                .map(|topic| topic.partitions.iter().map(|partition| partition.partition).collect())
                .collect();
            assert_eq!((partitions, sent.session_epoch, sent.max_wait_ms), (vec![vec![0], vec![0]], -1, 0));
            let mut reply = answer(version, 0, &[("t", &[0]), ("u", &[0])]);
            reply.responses[0].partitions[0].log_start_offset = 2;
            let shown: FetchResponse = partner.receive(awaited, &reply);
            let expected = [
                ("a".to_owned(), vec![(0, 0)]),
                ("b".to_owned(), vec![(0, 0)]),
                ("a".to_owned(), vec![(1, OUT_OF_RANGE), (2, NOT_LEADER)]),
            ];
            assert_eq!(seen(&partner, &shown), expected, "v{version}");
            if version >= 5 {
                assert_eq!(shown.responses[0].partitions[0].log_start_offset, 5, "v{version}");
            }
        }
    }

    #[test]
    fn a_session_does_not_take_a_topic_with_a_window() {
        let partner = partner(Replay::MaxAge(AGE), None);
        let request = ask(&partner, 12, (0, 0), &[("b", &[0])]);
        let (sent, awaited) = partner.send(1, 12, &request).forwarded::<FetchRequest>();
        assert_eq!(sent.session_epoch, 0);
        let _: FetchResponse = partner.receive(awaited, &answer(12, 77, &[("u", &[0])]));
        assert_eq!(error_code(&partner, 12, &ask(&partner, 12, (77, 1), &[("a", &[0])])), NO_SUCH_SESSION);
    }

    #[test]
    fn a_topic_that_is_shared_from_now_on_is_shut_until_it_is_known_when_that_was() {
        let request = |partner: &Partner| ask(partner, 12, (0, 0), &[("a", &[0, 1])]);
        let unknown = partner(Replay::FromLatest, None);
        let (sent, _) = unknown.send(1, 12, &request(&unknown)).forwarded::<FetchRequest>();
        assert!(sent.topics.is_empty());
        let [alias, backing] = ["a", "t"].map(|name| TopicName::try_from(name).unwrap());
        let of = |topic_id: Uuid| {
            let start = ReplayStart { backing: backing.clone(), topic_id: Some(topic_id), offsets: vec![6] };
            partner(Replay::FromLatest, Some([(alias.clone(), start)].into()))
        };
        let passed = |partner: &Partner| {
            let (sent, _) = partner.send(1, 12, &request(partner)).forwarded::<FetchRequest>();
            let partitions = sent.topics.iter().flat_map(|topic| &topic.partitions);
            partitions.map(|partition| partition.partition).collect::<Vec<_>>()
        };
        assert_eq!(passed(&of(fixture::real_id("t"))), [1], "partition 1 came later");
        assert_eq!(passed(&of(Uuid::nil())), [0, 1], "the topic was made anew");
    }
}
