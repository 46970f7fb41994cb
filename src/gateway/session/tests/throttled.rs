//! Connections that are held back for a limit of their zone.

use std::ops::RangeInclusive;

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    FetchRequest, FetchResponse, OffsetCommitRequest, OffsetCommitResponse, ProduceResponse,
    SaslHandshakeRequest,
};
use kafka_protocol::protocol::Decodable;

use tokio::task::JoinSet;

use super::streaming::answer;
use super::*;
use crate::gateway::api::{fetch, offset_commit, produce as produce_api};
use crate::zone::{Demand, Limit, TrafficControl};

fn no_limit() -> TrafficControl {
    TrafficControl::default()
}

/// The fixture's zone under these limits, at this node alone.
fn limited(traffic_control: TrafficControl) -> (Shared, watch::Sender<Arc<GatewayView>>) {
    let (shared, views) = shared(Limits { idle: Duration::from_secs(10), ..impatient() });
    limit(&shared, traffic_control);
    (shared, views)
}

fn limit(shared: &Shared, traffic_control: TrafficControl) {
    let mut zone = zone("acme", &[("orders", "backing-orders")]);
    Arc::make_mut(&mut zone.zone).traffic_control = traffic_control;
    shared.traffic.follow(&served(2, vec![zone]), std::time::Instant::now());
}

async fn relayed(traffic_control: TrafficControl, script: impl AsyncFnOnce(&mut Ends)) -> Close {
    let (shared, views) = limited(traffic_control);
    relay_with(shared, views, None, 1 << 20, script).await
}

/// The body of the next answer.
async fn told<M: Decodable>(from: &mut DuplexStream, id: i32, header: usize, version: i16) -> M {
    let frame = frame(from).await;
    assert_eq!(response_id(&frame), id);
    M::decode(&mut Bytes::from(frame).slice(header..), version).unwrap()
}

/// When the next request reaches the broker, in milliseconds from `begun`.
async fn arrives(ends: &mut Ends, id: i32, begun: Instant, within: RangeInclusive<u128>) {
    assert_eq!(request_id(&frame(&mut ends.broker).await), id);
    let after = begun.elapsed().as_millis();
    assert!(within.contains(&after), "request {id} after {after} ms, not within {within:?}");
}

#[tokio::test]
async fn a_produce_is_answered_at_once_with_the_time_and_the_next_request_waits() {
    let limits = TrafficControl { max_produce_rate: Some(10_000), ..no_limit() };
    let close = relayed(limits, async |ends: &mut Ends| {
        let begun = Instant::now();
        // A burst of 10 000, and 8 000 more: 0.8 s.
        ends.partner.write_all(&[produce(1, -1, "orders", 18_000), heartbeat(2)].concat()).await.unwrap();
        arrives(ends, 1, begun, 0..=400).await;
        let response = ProduceResponse::default().with_throttle_time_ms(3);
        let shape = &produce_api::RESPONSE;
        ends.broker.write_all(&answer(shape, 9, 1, &response)).await.unwrap();
        let told: ProduceResponse = told(&mut ends.partner, 1, 5, 9).await;
        assert!((400..=900).contains(&told.throttle_time_ms), "{}", told.throttle_time_ms);
        assert!(begun.elapsed() < Duration::from_millis(500), "the answer was held");
        arrives(ends, 2, begun, 700..=1500).await;
        ends.broker.write_all(&heartbeat_answer(2)).await.unwrap();
        assert_eq!(response_id(&frame(&mut ends.partner).await), 2);
    })
    .await;
    assert_eq!(close.label(), "partner_done");
}

#[tokio::test]
async fn records_that_want_no_answer_pass_however_fast_they_come() {
    let limits = TrafficControl { max_produce_rate: Some(10_000), ..no_limit() };
    let close = relayed(limits, async |ends: &mut Ends| {
        let begun = Instant::now();
        let all = [1, 2, 3].map(|id| produce(id, 0, "orders", 8_000));
        ends.partner.write_all(&all.concat()).await.unwrap();
        ends.partner.shutdown().await.unwrap();
        arrives(ends, 1, begun, 0..=400).await;
        arrives(ends, 2, begun, 0..=400).await;
        arrives(ends, 3, begun, 500..=1500).await;
    })
    .await;
    assert_eq!(close.label(), "partner_done");
}

/// A Fetch of the fixture's topic by name, and the broker's answer to it.
fn fetch(id: i32) -> Vec<u8> {
    let partition = FetchPartition::default().with_partition(0).with_partition_max_bytes(8 << 20);
    let topic = FetchTopic::default().with_topic(TopicName("orders".into())).with_partitions(vec![partition]);
    let fetch = FetchRequest::default().with_max_bytes(50 << 20).with_session_epoch(-1);
    request(1, 11, false, id, &fetch.with_topics(vec![topic]))
}

fn fetched(id: i32, len: usize) -> Vec<u8> {
    let partition = PartitionData::default().with_records(Some(Bytes::from(vec![0xee; len])));
    let topic = FetchableTopicResponse::default().with_topic(TopicName("backing-orders".into()));
    let response = FetchResponse::default().with_responses(vec![topic.with_partitions(vec![partition])]);
    answer(&fetch::RESPONSE, 11, id, &response)
}

#[tokio::test]
async fn a_fetch_passes_in_full_with_the_time_and_the_next_request_waits() {
    let limits = TrafficControl { max_consume_rate: Some(100_000), ..no_limit() };
    // One that is held as a whole, and one that passes as it arrives.
    for (burst, len) in [(90_000, 60_000), (0, 180_000)] {
        let close = relayed(limits, async |ends: &mut Ends| {
            if burst > 0 {
                ends.partner.write_all(&fetch(0)).await.unwrap();
                frame(&mut ends.broker).await;
                ends.broker.write_all(&fetched(0, burst)).await.unwrap();
                let within: FetchResponse = told(&mut ends.partner, 0, 4, 11).await;
                assert_eq!(within.throttle_time_ms, 0, "within the burst");
            }
            ends.partner.write_all(&fetch(1)).await.unwrap();
            let got = frame(&mut ends.broker).await;
            let asked = FetchRequest::decode(&mut Bytes::from(got).slice(14..), 11).unwrap();
            assert_eq!(asked.max_bytes, 100_000, "not more than a second's worth");
            let begun = Instant::now();
            ends.broker.write_all(&fetched(1, len)).await.unwrap();
            let got: FetchResponse = told(&mut ends.partner, 1, 4, 11).await;
            assert!((50..=900).contains(&got.throttle_time_ms), "{}", got.throttle_time_ms);
            assert_eq!(got.responses[0].topic.as_str(), "orders");
            let records = got.responses[0].partitions[0].records.clone().unwrap();
            assert_eq!(records, vec![0xee; len]);
            ends.partner.write_all(&heartbeat(2)).await.unwrap();
            let wait = u128::try_from(got.throttle_time_ms).unwrap();
            arrives(ends, 2, begun, wait - 20..=wait + 700).await;
        })
        .await;
        assert_eq!(close.label(), "partner_done");
    }
}

#[tokio::test]
async fn a_fetch_waits_until_the_one_before_it_is_answered_and_paid_for() {
    let limits = TrafficControl { max_consume_rate: Some(100_000), ..no_limit() };
    let close = relayed(limits, async |ends: &mut Ends| {
        // The last byte comes late, but the frame has not been waited for all the time.
        let second = fetch(2);
        let (front, last) = second.split_at(second.len() - 1);
        ends.partner.write_all(&[&fetch(1)[..], front].concat()).await.unwrap();
        assert_eq!(request_id(&frame(&mut ends.broker).await), 1);
        let early = timeout(Duration::from_millis(400), ends.broker.read_i32()).await;
        assert!(early.is_err(), "it is not known yet what the first one takes");
        let begun = Instant::now();
        ends.broker.write_all(&fetched(1, 160_000)).await.unwrap();
        let first: FetchResponse = told(&mut ends.partner, 1, 4, 11).await;
        assert!((300..=700).contains(&first.throttle_time_ms), "{}", first.throttle_time_ms);
        ends.partner.write_all(&[last, &heartbeat(3)].concat()).await.unwrap();
        arrives(ends, 2, begun, 400..=1_500).await;
        // Only a Fetch waits for an answer.
        arrives(ends, 3, begun, 400..=1_500).await;
        ends.broker.write_all(&[fetched(2, 10), heartbeat_answer(3)].concat()).await.unwrap();
        let second: FetchResponse = told(&mut ends.partner, 2, 4, 11).await;
        assert!(second.throttle_time_ms < 10, "{}", second.throttle_time_ms);
        assert_eq!(response_id(&frame(&mut ends.partner).await), 3);
    })
    .await;
    assert_eq!(close.label(), "partner_done");
    // Where nothing is limited, all are asked for at once.
    let close = relayed(no_limit(), async |ends: &mut Ends| {
        ends.partner.write_all(&[fetch(1), fetch(2)].concat()).await.unwrap();
        for id in [1, 2] {
            assert_eq!(request_id(&frame(&mut ends.broker).await), id);
        }
    })
    .await;
    assert_eq!(close.label(), "partner_done");
}

fn commit(id: i32) -> Vec<u8> {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(7);
    let topic = OffsetCommitRequestTopic::default().with_name(TopicName("orders".into()));
    let commit = OffsetCommitRequest::default()
        .with_group_id(GroupId("g".into()))
        .with_topics(vec![topic.with_partitions(vec![partition])]);
    request(8, 7, false, id, &commit)
}

#[tokio::test]
async fn a_commit_far_beyond_the_limit_is_answered_with_an_error_to_retry_on_and_never_sent() {
    // One in ten seconds; the burst is one.
    let limits = TrafficControl { limit_commit_offset: Some(6), ..no_limit() };
    let close = relayed(limits, async |ends: &mut Ends| {
        let begun = Instant::now();
        ends.partner.write_all(&commit(1)).await.unwrap();
        arrives(ends, 1, begun, 0..=400).await;
        let response = answer(&offset_commit::RESPONSE, 7, 1, &OffsetCommitResponse::default());
        ends.broker.write_all(&response).await.unwrap();
        let good: OffsetCommitResponse = told(&mut ends.partner, 1, 4, 7).await;
        assert_eq!(good.throttle_time_ms, 0);
        ends.partner.write_all(&[commit(2), heartbeat(3)].concat()).await.unwrap();
        let held: OffsetCommitResponse = told(&mut ends.partner, 2, 4, 7).await;
        assert_eq!(held.topics[0].partitions[0].error_code, 14, "COORDINATOR_LOAD_IN_PROGRESS");
        assert_eq!(held.topics[0].name.as_str(), "orders");
        assert!((2_500..=3_000).contains(&held.throttle_time_ms), "{}", held.throttle_time_ms);
        arrives(ends, 3, begun, 2_700..=4_000).await;
    })
    .await;
    assert_eq!(close.label(), "partner_done");
}

#[tokio::test]
async fn a_commit_a_little_beyond_the_limit_passes_and_the_next_request_waits() {
    let limits = TrafficControl { limit_commit_offset: Some(60), ..no_limit() };
    let close = relayed(limits, async |ends: &mut Ends| {
        let begun = Instant::now();
        // A burst of five, and one more: a second.
        let all: Vec<_> = (1..=6).map(commit).chain([heartbeat(7)]).flatten().collect();
        ends.partner.write_all(&all).await.unwrap();
        for id in 1..=6 {
            arrives(ends, id, begun, 0..=500).await;
        }
        arrives(ends, 7, begun, 800..=1_700).await;
    })
    .await;
    assert_eq!(close.label(), "partner_done");
}

#[tokio::test]
async fn requests_beyond_the_limit_wait_and_a_login_does_not() {
    let limits = TrafficControl { max_request_rate: Some(2), ..no_limit() };
    let close = relayed(limits, async |ends: &mut Ends| {
        let begun = Instant::now();
        let sent: Vec<_> = (1..=3).map(heartbeat).chain([handshake(4)]).flatten().collect();
        ends.partner.write_all(&sent).await.unwrap();
        for id in 1..=3 {
            arrives(ends, id, begun, 0..=400).await;
            ends.broker.write_all(&heartbeat_answer(id)).await.unwrap();
            assert_eq!(response_id(&frame(&mut ends.partner).await), id);
        }
        assert_eq!(response_id(&frame(&mut ends.partner).await), 4);
        assert!(begun.elapsed() < Duration::from_millis(400), "the login waited");
    })
    .await;
    assert_eq!(close.label(), "partner_done");
}

fn handshake(id: i32) -> Vec<u8> {
    request(17, 1, false, id, &SaslHandshakeRequest::default().with_mechanism("PLAIN".into()))
}

/// Owes more than can be waited for, and then something happens.
async fn while_held(then: impl AsyncFnOnce(&mut Ends)) -> (Close, Duration) {
    let limits = TrafficControl { max_produce_rate: Some(10), ..no_limit() };
    let mut begun = Instant::now();
    let close = relayed(limits, async |ends: &mut Ends| {
        ends.partner.write_all(&[produce(1, 0, "orders", 10_000), heartbeat(2)].concat()).await.unwrap();
        frame(&mut ends.broker).await;
        let early = timeout(Duration::from_millis(200), ends.broker.read_i32()).await;
        assert!(early.is_err(), "it is not held back");
        begun = Instant::now();
        then(ends).await;
    })
    .await;
    (close, begun.elapsed())
}

#[tokio::test]
async fn who_is_held_back_goes_at_once_when_the_zone_or_the_gateway_does() {
    let gone = async |ends: &mut Ends| {
        ends.views.send_replace(Arc::new(view(&served(3, vec![zone("new", &[])]), &clusters(&[]))));
        assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
    };
    let (close, after) = while_held(gone).await;
    assert_eq!(close.label(), "revoked");
    assert!(after < Duration::from_millis(400), "{after:?}");
    let shutdown = async |ends: &mut Ends| {
        ends.cancel.cancel();
        // What had been read already is served.
        assert_eq!(request_id(&frame(&mut ends.broker).await), 2);
        ends.broker.write_all(&heartbeat_answer(2)).await.unwrap();
        assert_eq!(response_id(&frame(&mut ends.partner).await), 2);
        assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
    };
    let (close, after) = while_held(shutdown).await;
    assert_eq!(close.label(), "shutdown");
    assert!(after < Duration::from_millis(800), "{after:?}");
}

#[tokio::test]
async fn a_limit_that_is_taken_away_frees_who_is_held_back() {
    let (shared, _views) = limited(TrafficControl { max_produce_rate: Some(10), ..no_limit() });
    let login = login(&shared, "acme-app");
    let pace = traffic::admit(&shared, &login).await.unwrap();
    pace.charge(Limit::Produce, 10_000, &shared.metrics);
    assert!(pace.left().unwrap() > Duration::from_secs(14));
    // Told less: another node's share may become this one's meanwhile.
    assert!((4_900..=5_000).contains(&pace.throttle_time().unwrap()));
    limit(&shared, TrafficControl { max_produce_rate: Some(5_000), ..no_limit() });
    assert!(pace.left().unwrap() < Duration::from_secs(1), "at the new pace");
    limit(&shared, no_limit());
    assert_eq!(pace.left(), None);
}

#[tokio::test]
async fn a_connection_that_comes_again_finds_what_the_last_one_left() {
    let (shared, _views) = limited(TrafficControl { max_produce_rate: Some(1_000), ..no_limit() });
    let login = login(&shared, "acme-app");
    for round in [0, 1] {
        let pace = traffic::admit(&shared, &login).await.unwrap();
        pace.charge(Limit::Produce, 2_000, &shared.metrics);
        assert!(pace.left().unwrap() > Duration::from_millis(900 + 1_900 * round), "a fresh bucket");
    }
    // One second and three, which both left behind.
    let held_back = shared.usage.take()[&login.zone.name].total().throttled_ms;
    assert!((3_900..=4_000).contains(&held_back), "{held_back}");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_turned_away_late_and_one_that_goes_makes_room() {
    let limits = TrafficControl { max_connections: Some(2), ..no_limit() };
    let (shared, _views) = limited(limits);
    let login = login(&shared, "acme-app");
    let enter = || traffic::admit(&shared, &login);
    let (first, _second) = (enter().await.unwrap(), enter().await.unwrap());
    let begun = Instant::now();
    let close = enter().await.unwrap_err();
    assert_eq!(close.label(), "connection_limit");
    assert!(begun.elapsed() >= Duration::from_millis(900), "a loop of connections costs too much");
    let demands = shared.traffic.demands(std::time::Instant::now());
    let of = |limit| demands[&login.zone.name][&limit];
    assert_eq!(of(Limit::Connections), Demand { used: 2, held: true });
    drop(first);
    enter().await.unwrap();
}

#[tokio::test]
async fn connections_that_come_too_fast_wait_and_are_turned_away_when_there_are_too_many() {
    let (shared, _views) = limited(TrafficControl { max_connection_rate: Some(2), ..no_limit() });
    let login = login(&shared, "acme-app");
    let (shared, begun) = (Arc::new(shared), Instant::now());
    let enter = || {
        let (shared, login) = (Arc::clone(&shared), login.clone());
        async move {
            let entered = traffic::admit(&shared, &login).await;
            (begun.elapsed(), entered.map(drop).map_err(|close| close.label()))
        }
    };
    let all = (0..20).map(|_| enter()).collect::<JoinSet<_>>().join_all().await;
    let entered: Vec<_> = all.iter().filter(|(_, entered)| entered.is_ok()).map(|(at, _)| *at).collect();
    // Two at once, then two in a second, for the five seconds that one may wait.
    assert!((11..=13).contains(&entered.len()), "{entered:?}");
    assert!(entered.iter().filter(|at| at.as_millis() < 300).count() == 2, "{entered:?}");
    let refused = all.iter().filter(|(_, entered)| *entered == Err("connection_rate")).count();
    assert_eq!(refused + entered.len(), 20);
    // Those that were turned away are not paid for.
    assert!(enter().await.1.is_ok());
}
