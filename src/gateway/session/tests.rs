mod hostile;
mod kept;
mod leaving;
mod login;
mod lying;
mod streaming;
mod throttled;

use std::net::IpAddr;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, GroupId, HeartbeatRequest, HeartbeatResponse, ProduceRequest, TopicName,
};
use kafka_protocol::protocol::Encodable;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, split};
use tokio::sync::watch;

use super::super::config::Limits;
use super::super::fixture::{LOCAL, SECRET, clusters, impatient, served, shared, view, zone};
use super::super::sasl;
use super::super::view::{GatewayView, Proof};
use super::*;
use crate::kafka::codec;
use crate::kafka::frame::{RequestHeader, ResponseHeader};

/// Both ends of a relayed connection: the partner's, the broker's, and the sender of views.
struct Ends {
    partner: DuplexStream,
    broker: DuplexStream,
    views: watch::Sender<Arc<GatewayView>>,
    cancel: CancellationToken,
}

/// Who logs in with the fixture's secret.
fn login(shared: &Shared, user: &str) -> Login {
    let message = format!("\0{user}\0{SECRET}");
    sasl::plain::authenticate(&shared.view(), LOCAL, message.as_bytes(), OffsetDateTime::now_utc()).unwrap()
}

/// Relays between two in-process pipes of `pipe` bytes while the script runs at their far ends.
async fn relay(limits: Limits, pipe: usize, script: impl AsyncFnOnce(&mut Ends)) -> Close {
    let (shared, views) = shared(limits);
    relay_with(shared, views, None, pipe, script).await
}

/// The same for the partner of this user name, through wide pipes.
async fn relay_as(
    user: &str,
    shared: Shared,
    views: watch::Sender<Arc<GatewayView>>,
    script: impl AsyncFnOnce(&mut Ends),
) -> Close {
    let login = login(&shared, user);
    relay_login(login, shared, views, None, 4096, script).await
}

/// The same with this shared state, and with this login on the broker's connection.
async fn relay_with(
    shared: Shared,
    views: watch::Sender<Arc<GatewayView>>,
    session: Option<Session>,
    pipe: usize,
    script: impl AsyncFnOnce(&mut Ends),
) -> Close {
    let login = login(&shared, "acme-app");
    relay_login(login, shared, views, session, pipe, script).await
}

async fn relay_login(
    login: Login,
    shared: Shared,
    views: watch::Sender<Arc<GatewayView>>,
    session: Option<Session>,
    pipe: usize,
    script: impl AsyncFnOnce(&mut Ends),
) -> Close {
    let (partner, partner_near) = tokio::io::duplex(pipe);
    let (broker, broker_near) = tokio::io::duplex(pipe);
    let limits = shared.config.limits.clone();
    let cancel = CancellationToken::new();
    let (read, write) = split(partner_near);
    let mut partner_in = Inbound::new(read, Peer::Partner);
    let mut partner_out = Outbound::new(write, Peer::Partner, limits.write_stall);
    let (read, write) = split(broker_near);
    let pace = traffic::admit(&shared, &login).await.unwrap();
    let mut relay = Relay {
        shared: &shared,
        port: &Port::Bootstrap,
        used: shared.usage.enter(&login, IpAddr::from([192, 0, 2, 1]), Arc::clone(pace.meter())),
        seat: &shared.allowances.seat(login.zone.id).unwrap(),
        pace: &pace,
        identity: Identity::new(login),
        session,
        partner_in: &mut partner_in,
        partner_out: &mut partner_out,
        broker_in: Inbound::new(read, Peer::Broker),
        broker_out: Outbound::new(write, Peer::Broker, limits.write_stall),
    };
    let size = size_of_val(&relay.run(&cancel));
    assert!(size <= 3 << 10, "an idle connection holds {size} bytes for what it might do");
    let mut ends = Ends { partner, broker, views, cancel: cancel.clone() };
    let relayed = async {
        let close = relay.run(&cancel).await;
        // Like the real end of a connection: the partner sees it.
        let _ = relay.partner_out.finish().await;
        close
    };
    let scripted = async {
        script(&mut ends).await;
        // The partner leaves; broker and gateway stay.
        let Ends { partner, broker, views, .. } = ends;
        drop(partner);
        (broker, views)
    };
    let (close, _still_there) = tokio::join!(relayed, scripted);
    close
}

fn request<M: Encodable>(key: i16, version: i16, flexible: bool, id: i32, message: &M) -> Vec<u8> {
    let body = codec::encode(message, version).unwrap();
    let header =
        RequestHeader { api_key: key, version, correlation_id: id, client_id: Some("test".to_owned()) };
    let mut out = BytesMut::new();
    header.put(&mut out, flexible, body.len()).unwrap();
    out.put_slice(&body);
    out.to_vec()
}

/// A request that goes to the broker.
fn heartbeat(id: i32) -> Vec<u8> {
    request(12, 0, false, id, &HeartbeatRequest::default().with_group_id(GroupId("g".into())))
}

/// A request that is answered here.
fn api_versions(id: i32) -> Vec<u8> {
    request(18, 0, false, id, &ApiVersionsRequest::default())
}

fn produce(id: i32, acks: i16, topic: &'static str, records: usize) -> Vec<u8> {
    let partition =
        PartitionProduceData::default().with_index(0).with_records(Some(Bytes::from(vec![0xee; records])));
    let topic =
        TopicProduceData::default().with_name(TopicName(topic.into())).with_partition_data(vec![partition]);
    let message =
        ProduceRequest::default().with_acks(acks).with_timeout_ms(1000).with_topic_data(vec![topic]);
    request(0, 9, true, id, &message)
}

fn heartbeat_answer(id: i32) -> Vec<u8> {
    let body = codec::encode(&HeartbeatResponse::default(), 0).unwrap();
    let mut out = BytesMut::new();
    ResponseHeader::V0.put(&mut out, id, body.len()).unwrap();
    out.put_slice(&body);
    out.to_vec()
}

/// Reads one frame: API key or upper half of the correlation id first, whatever the direction.
async fn frame(from: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let len = usize::try_from(from.read_i32().await.unwrap()).unwrap();
    let mut frame = vec![0; len];
    from.read_exact(&mut frame).await.unwrap();
    frame
}

fn response_id(frame: &[u8]) -> i32 {
    i32::from_be_bytes(frame[..4].try_into().unwrap())
}

fn request_id(frame: &[u8]) -> i32 {
    i32::from_be_bytes(frame[4..8].try_into().unwrap())
}

#[tokio::test]
async fn an_answer_given_here_waits_for_earlier_ones_of_the_broker() {
    let close = relay(impatient(), 4096, async |ends: &mut Ends| {
        for bytes in [heartbeat(1), api_versions(2), heartbeat(3)] {
            ends.partner.write_all(&bytes).await.unwrap();
        }
        for id in [1, 3] {
            assert_eq!(request_id(&frame(&mut ends.broker).await), id);
        }
        let early = timeout(Duration::from_millis(100), ends.partner.read_i32()).await;
        assert!(early.is_err(), "answered before the broker did");
        ends.broker.write_all(&[heartbeat_answer(1), heartbeat_answer(3)].concat()).await.unwrap();
        for id in [1, 2, 3] {
            assert_eq!(response_id(&frame(&mut ends.partner).await), id);
        }
    })
    .await;
    assert_eq!(close.label(), "partner_done");
}

#[tokio::test]
async fn a_partner_that_only_stops_sending_still_gets_what_it_is_owed() {
    let close = relay(impatient(), 4096, async |ends: &mut Ends| {
        ends.partner.write_all(&heartbeat(1)).await.unwrap();
        ends.partner.shutdown().await.unwrap();
        assert_eq!(request_id(&frame(&mut ends.broker).await), 1);
        ends.broker.write_all(&heartbeat_answer(1)).await.unwrap();
        assert_eq!(response_id(&frame(&mut ends.partner).await), 1);
        let mut rest = Vec::new();
        ends.broker.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
    })
    .await;
    assert_eq!(close.label(), "partner_done");
}

#[tokio::test]
async fn a_broker_that_closes_has_its_last_answers_delivered() {
    let close = relay(impatient(), 4096, async |ends: &mut Ends| {
        ends.partner.write_all(&[heartbeat(1), api_versions(2), heartbeat(3)].concat()).await.unwrap();
        frame(&mut ends.broker).await;
        ends.broker.write_all(&heartbeat_answer(1)).await.unwrap();
        ends.broker.shutdown().await.unwrap();
        for id in [1, 2] {
            assert_eq!(response_id(&frame(&mut ends.partner).await), id);
        }
        assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
    })
    .await;
    assert_eq!(close.label(), "broker_done");
}

#[tokio::test]
async fn an_unacknowledged_produce_owes_nothing_and_reaches_the_broker_of_a_partner_that_leaves() {
    let close = relay(impatient(), 4096, async |ends: &mut Ends| {
        ends.partner.write_all(&[produce(1, 0, "orders", 10), heartbeat(2)].concat()).await.unwrap();
        assert_eq!(request_id(&frame(&mut ends.broker).await), 1);
        assert_eq!(request_id(&frame(&mut ends.broker).await), 2);
        ends.broker.write_all(&heartbeat_answer(2)).await.unwrap();
        assert_eq!(response_id(&frame(&mut ends.partner).await), 2);
        ends.partner.write_all(&produce(3, 0, "orders", 10)).await.unwrap();
        ends.partner.shutdown().await.unwrap();
        assert_eq!(request_id(&frame(&mut ends.broker).await), 3);
    })
    .await;
    assert_eq!(close.label(), "partner_done");
}

#[tokio::test]
async fn a_denied_unacknowledged_produce_ends_the_connection() {
    let close = relay(impatient(), 4096, async |ends: &mut Ends| {
        ends.partner.write_all(&produce(1, 0, "not-shared", 10)).await.unwrap();
        assert_eq!(ends.broker.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
    })
    .await;
    assert_eq!(close.label(), "denied_unacknowledged");
}

/// The pipes hold far less than what is under way in both directions: whoever waits for one direction before serving the
/// other would never finish.
#[tokio::test]
async fn both_directions_full_at_once_do_not_block_each_other() {
    const ROUNDS: i32 = 300;
    let limits = Limits { in_flight: 4, ..impatient() };
    let close = relay(limits, 64, async |ends: &mut Ends| {
        let (mut partner_in, mut partner_out) = split(&mut ends.partner);
        let (mut broker_in, mut broker_out) = split(&mut ends.broker);
        let sending = async {
            for id in 0..ROUNDS {
                let bytes = if id % 3 == 0 { api_versions(id) } else { heartbeat(id) };
                partner_out.write_all(&bytes).await.unwrap();
            }
        };
        let serving = async {
            for id in (0..ROUNDS).filter(|id| id % 3 != 0) {
                assert_eq!(request_id(&frame(&mut broker_in).await), id);
                // Answered only once the broker has nothing left to read, as brokers do: one request at a time.
                broker_out.write_all(&heartbeat_answer(id)).await.unwrap();
            }
        };
        let receiving = async {
            for id in 0..ROUNDS {
                assert_eq!(response_id(&frame(&mut partner_in).await), id);
            }
        };
        tokio::join!(sending, serving, receiving);
    })
    .await;
    assert_eq!(close.label(), "partner_done");
}

#[tokio::test]
async fn a_zone_that_is_gone_cuts_an_idle_connection_at_once() {
    let close = relay(impatient(), 4096, async |ends: &mut Ends| {
        ends.partner.write_all(&heartbeat(1)).await.unwrap();
        frame(&mut ends.broker).await;
        let unrelated = served(2, vec![zone("acme", &[("orders", "other")]), zone("new", &[])]);
        ends.views.send_replace(Arc::new(view(&unrelated, &clusters(&[]))));
        ends.broker.write_all(&heartbeat_answer(1)).await.unwrap();
        assert_eq!(response_id(&frame(&mut ends.partner).await), 1, "another change cuts nobody");
        ends.views.send_replace(Arc::new(view(&served(3, vec![zone("new", &[])]), &clusters(&[]))));
        let cut = timeout(Duration::from_secs(1), ends.partner.read(&mut [0; 1])).await;
        assert_eq!(cut.unwrap().unwrap(), 0);
    })
    .await;
    assert_eq!(close.label(), "revoked");
}

#[tokio::test]
async fn what_is_not_in_the_table_ends_the_connection() {
    let unknown = {
        let mut bytes = heartbeat(1);
        bytes[4..6].copy_from_slice(&9999_i16.to_be_bytes());
        bytes
    };
    let too_new = {
        let mut bytes = heartbeat(1);
        bytes[4 + 3] = 99;
        bytes
    };
    let malformed = {
        let mut bytes = heartbeat(1);
        bytes.truncate(bytes.len() - 1);
        let len = i32::try_from(bytes.len() - 4).unwrap();
        bytes[..4].copy_from_slice(&len.to_be_bytes());
        bytes
    };
    for (bytes, label) in [
        (unknown, "unknown_request"),
        (too_new, "unknown_request"),
        (malformed, "refused"),
        (vec![0x7f, 0xff, 0xff, 0xff], "bad_frame"),
        (vec![0xff, 0xff, 0xff, 0xff], "bad_frame"),
        (heartbeat(1)[..9].to_vec(), "cut_frame"),
    ] {
        let close = relay(impatient(), 4096, async |ends: &mut Ends| {
            ends.partner.write_all(&bytes).await.unwrap();
            ends.partner.shutdown().await.unwrap();
            assert_eq!(ends.broker.read(&mut [0; 1]).await.unwrap(), 0, "nothing reaches the broker");
        })
        .await;
        assert_eq!(close.label(), label);
    }
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_or_out_of_order_is_not_passed_on() {
    for (ask, id) in [(false, 1), (true, 2)] {
        let close = relay(impatient(), 4096, async |ends: &mut Ends| {
            if ask {
                ends.partner.write_all(&heartbeat(1)).await.unwrap();
                frame(&mut ends.broker).await;
            }
            ends.broker.write_all(&heartbeat_answer(id)).await.unwrap();
            assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
        })
        .await;
        assert_eq!(close.label(), "bad_answer");
    }
}

#[tokio::test]
async fn a_large_frame_waits_for_budget_and_not_for_ever() {
    let limits = Limits { buffered: 1 << 20, control_frame: 4 << 20, ..impatient() };
    let close = relay(limits, 4096, async |ends: &mut Ends| {
        let mut promised = heartbeat(1);
        promised[..4].copy_from_slice(&(2_i32 << 20).to_be_bytes());
        ends.partner.write_all(&promised).await.unwrap();
        assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
    })
    .await;
    assert_eq!(close.label(), "budget_exhausted");
}

#[tokio::test]
async fn idle_and_slow_partners_are_let_go() {
    for (bytes, label) in [(Vec::new(), "idle"), (heartbeat(1)[..9].to_vec(), "slow_frame")] {
        let close = relay(impatient(), 4096, async |ends: &mut Ends| {
            ends.partner.write_all(&bytes).await.unwrap();
            assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
        })
        .await;
        assert_eq!(close.label(), label);
    }
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_put_off_the_end() {
    let started = Instant::now();
    let slow = relay(impatient(), 4096, async |ends: &mut Ends| {
        let (mut partner_in, mut partner_out) = split(&mut ends.partner);
        let trickle = async {
            for byte in produce(1, -1, "orders", 10).into_iter().cycle() {
                if partner_out.write_all(&[byte]).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            () = trickle => {}
            read = partner_in.read_u8() => assert!(read.is_err()),
        }
    })
    .await;
    assert_eq!(slow.label(), "slow_frame");
    assert!(started.elapsed() < 3 * impatient().frame_within, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_broker_may_take_its_time_to_begin_and_not_to_end() {
    let limits = Limits { idle: Duration::from_secs(5), ..impatient() };
    let stalled = relay(limits, 4096, async |ends: &mut Ends| {
        ends.partner.write_all(&heartbeat(1)).await.unwrap();
        frame(&mut ends.broker).await;
        sleep(impatient().write_stall + Duration::from_millis(100)).await;
        ends.partner.write_all(&heartbeat(2)).await.unwrap();
        frame(&mut ends.broker).await;
        let answers = [heartbeat_answer(1), heartbeat_answer(2)].concat();
        ends.broker.write_all(&answers[..answers.len() - 1]).await.unwrap();
        assert_eq!(response_id(&frame(&mut ends.partner).await), 1);
        assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
    })
    .await;
    assert_eq!(stalled.label(), "broker_gone");
}
