//! Large bodies pass although the process may hold nothing.

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{FetchRequest, FetchResponse, ProduceResponse};
use kafka_protocol::protocol::Decodable;
use uuid::Uuid;

use super::*;
use crate::gateway::fixture::present;
use crate::gateway::topology::TopicState;
use crate::kafka::shape::Shape;

const LARGE: usize = 1 << 20;

/// Not a byte of a large frame may be held as a whole.
fn nothing_held() -> Limits {
    Limits { buffered: 0, ..impatient() }
}

/// A request's body, decoded. `header` is what its header takes: 10 bytes, the client id, and a byte of tags if flexible.
fn body<M: Decodable>(frame: Vec<u8>, header: usize, version: i16) -> M {
    let mut body = Bytes::from(frame).slice(header..);
    let message = M::decode(&mut body, version).unwrap();
    assert!(body.is_empty());
    message
}

const REQUEST_HEADER: usize = 10 + 4 + 1;
const RESPONSE_HEADER: usize = 4 + 1;

pub(super) fn answer<M: Encodable>(shape: &Shape, version: i16, id: i32, message: &M) -> Vec<u8> {
    let body = codec::encode(message, version).unwrap();
    let mut out = BytesMut::new();
    ResponseHeader::of(shape, version).put(&mut out, id, body.len()).unwrap();
    out.put_slice(&body);
    out.to_vec()
}

#[tokio::test]
async fn a_large_produce_reaches_the_backing_topic_and_what_follows_it_is_intact() {
    let close = relay(nothing_held(), 4096, async |ends: &mut Ends| {
        let sent = [produce(1, -1, "orders", LARGE), heartbeat(2)].concat();
        let (mut partner_in, mut partner_out) = split(&mut ends.partner);
        let sending = async { partner_out.write_all(&sent).await.unwrap() };
        let serving = async {
            let got = frame(&mut ends.broker).await;
            let request: ProduceRequest = body(got, REQUEST_HEADER, 9);
            assert_eq!(request.topic_data[0].name.as_str(), "backing-orders");
            let records = request.topic_data[0].partition_data[0].records.clone().unwrap();
            assert_eq!(records, vec![0xee; LARGE]);
            let topic = TopicProduceResponse::default()
                .with_name(TopicName("backing-orders".into()))
                .with_partition_responses(vec![PartitionProduceResponse::default().with_base_offset(42)]);
            let response = ProduceResponse::default().with_responses(vec![topic]);
            let shape = &crate::gateway::api::produce::RESPONSE;
            ends.broker.write_all(&answer(shape, 9, 1, &response)).await.unwrap();
            assert_eq!(request_id(&frame(&mut ends.broker).await), 2);
            ends.broker.write_all(&heartbeat_answer(2)).await.unwrap();
        };
        let receiving = async {
            let response: ProduceResponse = body(frame(&mut partner_in).await, RESPONSE_HEADER, 9);
            assert_eq!(response.responses[0].name.as_str(), "orders");
            assert_eq!(response.responses[0].partition_responses[0].base_offset, 42);
            assert_eq!(response_id(&frame(&mut partner_in).await), 2);
        };
        tokio::join!(sending, serving, receiving);
    })
    .await;
    assert_eq!(close.label(), "partner_done");
}

#[tokio::test]
async fn a_large_produce_that_is_denied_is_answered_in_its_turn_and_never_sent() {
    let close = relay(nothing_held(), 4096, async |ends: &mut Ends| {
        let sent = [heartbeat(1), produce(2, 1, "not-shared", LARGE), heartbeat(3)].concat();
        let (mut partner_in, mut partner_out) = split(&mut ends.partner);
        let sending = async { partner_out.write_all(&sent).await.unwrap() };
        let serving = async {
            for id in [1, 3] {
                assert_eq!(request_id(&frame(&mut ends.broker).await), id);
                ends.broker.write_all(&heartbeat_answer(id)).await.unwrap();
            }
        };
        let receiving = async {
            assert_eq!(response_id(&frame(&mut partner_in).await), 1);
            let response: ProduceResponse = body(frame(&mut partner_in).await, RESPONSE_HEADER, 9);
            assert_eq!(response.responses[0].name.as_str(), "not-shared");
            assert_eq!(response.responses[0].partition_responses[0].error_code, 29);
            assert_eq!(response_id(&frame(&mut partner_in).await), 3);
        };
        tokio::join!(sending, serving, receiving);
    })
    .await;
    assert_eq!(close.label(), "partner_done");
}

#[tokio::test]
async fn a_large_produce_that_breaks_off_is_owed_nothing() {
    let close = relay(nothing_held(), 8 << 20, async |ends: &mut Ends| {
        let sent = produce(1, 1, "orders", LARGE);
        ends.partner.write_all(&sent[..LARGE / 2]).await.unwrap();
        ends.partner.shutdown().await.unwrap();
        let started = Instant::now();
        assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
        assert!(started.elapsed() < impatient().drain_within, "waited for an answer that cannot come");
    })
    .await;
    assert_eq!(close.label(), "cut_frame");
}

/// The real id of the fixture's topic.
fn real_id() -> Uuid {
    let TopicState::Present(id) = present("backing-orders") else { panic!("not present") };
    id
}

fn fetch_by_id(shown: Uuid) -> FetchRequest {
    let partition = FetchPartition::default().with_partition(0).with_partition_max_bytes(8 << 20);
    let topic = FetchTopic::default().with_topic_id(shown).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_wait_ms(100)
        .with_min_bytes(1)
        .with_max_bytes(8 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

fn fetched(topic_id: Uuid) -> FetchResponse {
    let records = Bytes::from(vec![0xdd; LARGE]);
    let partition = PartitionData::default().with_partition_index(0).with_records(Some(records));
    let topic = FetchableTopicResponse::default().with_topic_id(topic_id).with_partitions(vec![partition]);
    FetchResponse::default().with_responses(vec![topic])
}

#[tokio::test]
async fn a_large_fetch_response_passes_with_the_partners_topic_id() {
    let shape = &crate::gateway::api::fetch::RESPONSE;
    for version in [13, 18] {
        let close = relay(nothing_held(), 4096, async |ends: &mut Ends| {
            let shown = shown_id();
            let asked = request(1, version, true, 1, &fetch_by_id(shown));
            ends.partner.write_all(&[asked, heartbeat(2)].concat()).await.unwrap();
            let request: FetchRequest = body(frame(&mut ends.broker).await, REQUEST_HEADER, version);
            assert_eq!(request.topics[0].topic_id, real_id());
            let answers = [answer(shape, version, 1, &fetched(real_id())), heartbeat_answer(2)].concat();
            let serving = async { ends.broker.write_all(&answers).await.unwrap() };
            let receiving = async {
                let response: FetchResponse = body(frame(&mut ends.partner).await, RESPONSE_HEADER, version);
                assert_eq!(response, fetched(shown));
                assert_eq!(response_id(&frame(&mut ends.partner).await), 2);
            };
            tokio::join!(serving, receiving);
        })
        .await;
        assert_eq!(close.label(), "partner_done");
    }
}

#[tokio::test]
async fn a_topic_that_nobody_fetched_does_not_pass() {
    let shape = &crate::gateway::api::fetch::RESPONSE;
    let close = relay(nothing_held(), 4096, async |ends: &mut Ends| {
        let asked = request(1, 18, true, 1, &fetch_by_id(shown_id()));
        ends.partner.write_all(&asked).await.unwrap();
        frame(&mut ends.broker).await;
        let other = answer(shape, 18, 1, &fetched(Uuid::from_u128(0x0bad)));
        let serving = async {
            // Nobody reads it to its end.
            ends.broker.write_all(&other).await.unwrap();
            std::future::pending::<()>().await;
        };
        let receiving = async {
            let mut got = Vec::new();
            ends.partner.read_to_end(&mut got).await.unwrap();
            assert!(got.len() < 100, "{} bytes of another topic", got.len());
        };
        tokio::select! {
            () = serving => {}
            () = receiving => {}
        }
    })
    .await;
    assert_eq!(close.label(), "bad_answer");
}

/// The id that the fixture's partner is shown.
fn shown_id() -> Uuid {
    let (shared, _views) = shared(impatient());
    login(&shared, "acme-app").zone.by_alias("orders").unwrap().ids.unwrap().synthetic
}
