//! What one connection owes.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{sleep, timeout};

use super::super::fixture::{LOCAL, SECRET, impatient, served, shared, zone};
use super::super::sasl::plain;
use super::super::shared::Shared;
use super::super::view::Login;
use super::*;
use crate::zone::Limit;

/// A zone under these limits at this node alone, and a connection of its partner.
async fn limited(limits: TrafficControl) -> (Shared, Login, Pace) {
    let (shared, _views) = shared(impatient());
    limit(&shared, limits);
    let message = format!("\0acme-app\0{SECRET}");
    let login =
        plain::authenticate(&shared.view(), LOCAL, message.as_bytes(), OffsetDateTime::now_utc()).unwrap();
    let pace = admit(&shared, &login).await.unwrap();
    (shared, login, pace)
}

fn limit(shared: &Shared, limits: TrafficControl) {
    let mut zone = zone("acme", &[("orders", "backing-orders")]);
    Arc::make_mut(&mut zone.zone).traffic_control = limits;
    shared.traffic.follow(&served(2, vec![zone]), Instant::now());
}

/// For how many milliseconds it was to be held back.
fn throttled(shared: &Shared, login: &Login, pace: Pace) -> u64 {
    // A connection leaves its figures behind.
    drop(pace);
    shared.usage.take()[&login.zone.name].total().throttled_ms
}

#[tokio::test]
async fn waits_that_are_waited_for_together_count_once() {
    let limits = TrafficControl {
        max_produce_rate: Some(1_000),
        max_request_rate: Some(1),
        ..TrafficControl::default()
    };
    let (shared, login, pace) = limited(limits).await;
    // A second of each is free.
    pace.charge(Limit::Produce, 3_000, &shared.metrics);
    pace.charge(Limit::Requests, 2, &shared.metrics);
    pace.charge(Limit::Produce, 1_000, &shared.metrics);
    let left = pace.left().unwrap();
    assert!(left > Duration::from_millis(2_500) && left <= Duration::from_secs(3), "{left:?}");
    let held_back = throttled(&shared, &login, pace);
    assert!((2_900..=3_200).contains(&held_back), "{held_back} ms, and not 2 s, 1 s and 3 s");
}

#[tokio::test]
async fn what_was_waited_for_counts_as_well_as_what_comes_later() {
    let limits = TrafficControl { max_produce_rate: Some(10_000), ..TrafficControl::default() };
    let (shared, login, pace) = limited(limits).await;
    pace.charge(Limit::Produce, 13_000, &shared.metrics);
    sleep(Duration::from_millis(400)).await;
    assert_eq!(pace.left(), None);
    pace.charge(Limit::Produce, 10_000, &shared.metrics);
    let held_back = throttled(&shared, &login, pace);
    assert!((600..=1_300).contains(&held_back), "{held_back} ms, and not one of the two alone");
}

#[tokio::test]
async fn a_fetch_waits_for_one_under_way_only_where_what_comes_is_limited() {
    let limits = TrafficControl { max_consume_rate: Some(1_000), ..TrafficControl::default() };
    let (shared, _login, pace) = limited(limits).await;
    assert!(!pace.owes_fetch());
    pace.fetch_sent();
    pace.fetch_sent();
    let soon = Duration::from_millis(50);
    assert!(timeout(soon, pace.fetch_is_answered()).await.is_err());
    pace.fetch_answered(500, &shared.metrics);
    assert!(timeout(soon, pace.fetch_is_answered()).await.is_err(), "there is another one");
    let answer = async { pace.fetch_answered(2_500, &shared.metrics) };
    let (waited, ()) = tokio::join!(timeout(soon, pace.fetch_is_answered()), answer);
    assert!(waited.is_ok(), "it is told at once");
    assert!(pace.left().unwrap() > Duration::from_millis(1_300), "and what came is charged by then");

    pace.fetch_sent();
    assert!(pace.owes_fetch());
    limit(&shared, TrafficControl { max_produce_rate: Some(1_000), ..TrafficControl::default() });
    assert!(!pace.owes_fetch());
    limit(&shared, TrafficControl::default());
    assert!(timeout(soon, pace.fetch_is_answered()).await.is_ok());
}
