use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{ListGroupsRequest, ListGroupsResponse, ListOffsetsRequest};

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

/// A byte at a time, for as long as the other side writes.
async fn read_slowly(partner: &mut (impl AsyncRead + Unpin)) {
    let slowly = async {
        while partner.read_u8().await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    // Far longer than the deadline, far shorter than such a reader needs.
    let _ = timeout(Duration::from_secs(3), slowly).await;
}

#[tokio::test]
async fn an_answer_that_is_held_is_not_read_at_leisure_wherever_it_comes_from() {
    let topics = |prefix: &str| (0..100).map(|n| format!("{prefix}-{n:05}")).collect::<Vec<_>>();
    let hidden = topics("hidden").into_iter().map(|name| {
        ListOffsetsTopic::default()
            .with_name(TopicName(name.into()))
            .with_partitions(vec![ListOffsetsPartition::default()])
    });
    let given_here = request(2, 1, false, 1, &ListOffsetsRequest::default().with_topics(hidden.collect()));
    for asked in [given_here, request(16, 0, false, 1, &ListGroupsRequest::default())] {
        let limits = Limits { small_frame: 1 << 10, idle: Duration::from_secs(10), ..impatient() };
        let close = relay(limits, 256, async |ends: &mut Ends| {
            let (mut broker_in, mut broker_out) = split(&mut ends.broker);
            let (mut partner_in, mut partner_out) = split(&mut ends.partner);
            let broker = async {
                if broker_in.read_i32().await.is_ok() {
                    let groups = topics("acme:group")
                        .into_iter()
                        .map(|id| ListedGroup::default().with_group_id(GroupId(id.into())));
                    let response = ListGroupsResponse::default().with_groups(groups.collect());
                    let body = codec::encode(&response, 0).unwrap();
                    let mut answer = BytesMut::new();
                    ResponseHeader::V0.put(&mut answer, 1, body.len()).unwrap();
                    answer.put_slice(&body);
                    broker_out.write_all(&answer).await.unwrap();
                }
                std::future::pending::<()>().await;
            };
            let partner = async {
                partner_out.write_all(&asked).await.unwrap();
                read_slowly(&mut partner_in).await;
            };
            tokio::select! {
                () = broker => {}
                () = partner => {}
            }
        })
        .await;
        assert_eq!(close.label(), "slow_reader");
    }
}
