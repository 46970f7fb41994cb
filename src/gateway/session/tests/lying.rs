//! A broker that lies costs its own connection, and shows the partner nothing.

use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};

use super::*;

/// What the partner gets when it asks this and the broker answers so, and why it ended.
async fn told(asked: Vec<u8>, answer: Vec<u8>) -> (Vec<u8>, Close) {
    let mut got = Vec::new();
    let limits = Limits { response_frame: 8 << 20, buffered: 4 << 20, ..impatient() };
    let close = relay(limits, 1 << 20, async |ends: &mut Ends| {
        ends.partner.write_all(&asked).await.unwrap();
        frame(&mut ends.broker).await;
        ends.broker.write_all(&answer).await.unwrap();
        ends.partner.read_to_end(&mut got).await.unwrap();
    })
    .await;
    (got, close)
}

fn metadata(id: i32) -> Vec<u8> {
    request(3, 1, false, id, &MetadataRequest::default().with_topics(None))
}

/// A frame of these bytes behind the correlation id.
fn answered(id: i32, body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    ResponseHeader::V0.put(&mut out, id, body.len()).unwrap();
    out.put_slice(body);
    out.to_vec()
}

#[tokio::test]
async fn wrong_lengths_counts_and_ids_end_the_connection_before_a_byte_is_shown() {
    let length = |length: i32| [&length.to_be_bytes()[..], &[0; 20]].concat();
    for (answer, label) in [
        (length(-1), "bad_answer"),
        (length(0), "bad_answer"),
        (length(3), "bad_answer"),
        (length(i32::MAX), "bad_answer"),
        // More than may be held, though not more than a frame may be long.
        ([(7_i32 << 20).to_be_bytes(), 1_i32.to_be_bytes()].concat(), "budget_exhausted"),
        (answered(2, &[0; 20]), "bad_answer"),
        (answered(1, &i32::MAX.to_be_bytes()), "refused"),
        (answered(1, &(-7_i32).to_be_bytes()), "refused"),
        (answered(1, &[0, 0]), "refused"),
    ] {
        let (got, close) = told(metadata(1), answer.clone()).await;
        assert_eq!((got, close.label()), (Vec::new(), label), "{answer:?}");
    }
}

#[tokio::test]
async fn what_a_broker_names_unasked_is_not_shown() {
    let named = |name: &'static str| MetadataResponseTopic::default().with_name(Some(TopicName(name.into())));
    let topics = ["backing-orders", "secret", "orders"].map(named).into();
    let body = codec::encode(&MetadataResponse::default().with_topics(topics), 1).unwrap();
    // And bytes behind the end, which clients do not read.
    let (got, close) = told(metadata(1), answered(1, &[&body[..], b"trailing secret"].concat())).await;
    let text = String::from_utf8_lossy(&got);
    assert!(text.contains("orders") && !text.contains("secret") && !text.contains("backing"), "{text:?}");
    assert_eq!(close.label(), "idle");
}
