//! Who leaves first, and what still has to arrive.

use super::*;

#[tokio::test]
async fn a_shutdown_delivers_what_is_owed_and_ends_what_does_not_come() {
    for answered in [true, false] {
        let close = relay(impatient(), 4096, async |ends: &mut Ends| {
            ends.partner.write_all(&heartbeat(1)).await.unwrap();
            frame(&mut ends.broker).await;
            ends.cancel.cancel();
            if answered {
                ends.broker.write_all(&heartbeat_answer(1)).await.unwrap();
                assert_eq!(response_id(&frame(&mut ends.partner).await), 1);
            }
            assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
        })
        .await;
        assert_eq!(close.label(), "shutdown");
    }
}

/// Whoever is still served a moment after the process was told to end did not go with the others.
#[tokio::test]
async fn a_process_that_ends_lets_go_of_its_connections_one_after_another() {
    const CONNECTIONS: usize = 10;
    let mut stayed = 0;
    for _ in 0..CONNECTIONS {
        let limits = Limits { leave_within: Duration::from_millis(300), ..impatient() };
        let close = relay(limits, 4096, async |ends: &mut Ends| {
            ends.cancel.cancel();
            ends.partner.write_all(&api_versions(1)).await.unwrap();
            let mut answer = Vec::new();
            timeout(Duration::from_secs(1), ends.partner.read_to_end(&mut answer)).await.unwrap().unwrap();
            stayed += usize::from(!answer.is_empty());
        })
        .await;
        assert_eq!(close.label(), "shutdown");
    }
    assert!(stayed >= CONNECTIONS / 2, "{stayed} of {CONNECTIONS} were served");
}

/// The broker is slow, and so the answer that nobody takes is due before all of the records are read.
#[tokio::test]
async fn records_that_want_no_answer_arrive_even_if_another_answer_cannot_be_given() {
    const FILLING: i32 = 20;
    const REQUESTS: i32 = 44;
    let records = |ids: std::ops::Range<i32>| ids.flat_map(|id| produce(id, 0, "orders", 10_000));
    let close = relay(impatient(), 256 << 10, async |ends: &mut Ends| {
        ends.partner.write_all(&records(0..FILLING).collect::<Vec<_>>()).await.unwrap();
        sleep(Duration::from_millis(50)).await;
        let rest: Vec<u8> = api_versions(-1).into_iter().chain(records(FILLING..REQUESTS)).collect();
        ends.partner.write_all(&rest).await.unwrap();
        ends.partner = tokio::io::duplex(1).0;
        sleep(Duration::from_millis(50)).await;
        for id in 0..REQUESTS {
            assert_eq!(request_id(&frame(&mut ends.broker).await), id);
        }
    })
    .await;
    assert_eq!(close.label(), "partner_gone");
}
