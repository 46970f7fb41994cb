use kafka_protocol::messages::ListOffsetsRequest;
use kafka_protocol::messages::list_offsets_request::ListOffsetsTopic;

use super::*;

/// ListOffsets about `names` that are not shared, and about `orders`, which goes to the broker.
fn mostly_refused(id: i32, names: usize) -> Vec<u8> {
    let topic = |name: String| ListOffsetsTopic::default().with_name(TopicName(name.into()));
    let mut topics: Vec<_> = (0..names).map(|n| topic(format!("hidden-{n:05}"))).collect();
    topics.push(topic("orders".to_owned()));
    request(2, 1, false, id, &ListOffsetsRequest::default().with_topics(topics))
}

#[tokio::test]
async fn refused_parts_of_unanswered_requests_hold_the_next_one_back() {
    let limits = Limits { kept: 4096, ..impatient() };
    relay(limits, 1 << 20, async |ends: &mut Ends| {
        for id in 1..=2 {
            ends.partner.write_all(&mostly_refused(id, 150)).await.unwrap();
        }
        assert_eq!(request_id(&frame(&mut ends.broker).await), 1);
        let early = timeout(Duration::from_millis(50), frame(&mut ends.broker)).await;
        assert!(early.is_err(), "the second request passed while the first one's answer is owed");
        let mut answer = BytesMut::new();
        ResponseHeader::V0.put(&mut answer, 1, 4).unwrap();
        answer.put_i32(0);
        ends.broker.write_all(&answer).await.unwrap();
        assert_eq!(response_id(&frame(&mut ends.partner).await), 1);
        assert_eq!(request_id(&frame(&mut ends.broker).await), 2);
    })
    .await;
}

#[tokio::test]
async fn requests_that_pass_whole_do_not_wait_for_each_other() {
    let limits = Limits { kept: 0, ..impatient() };
    relay(limits, 1 << 20, async |ends: &mut Ends| {
        for id in 1..=5 {
            ends.partner.write_all(&heartbeat(id)).await.unwrap();
        }
        for id in 1..=5 {
            assert_eq!(request_id(&frame(&mut ends.broker).await), id);
        }
    })
    .await;
}
