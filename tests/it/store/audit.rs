//! The audit log is read backwards, and never much of it at once.

use partner_zones::store::Store;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::json;

use super::{Installation, Node, PATIENCE};

/// Writes events with these numbers, each this long.
fn write(installation: &Installation, numbers: std::ops::Range<u64>, length: usize) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &installation.bootstrap).create().unwrap();
    for number in numbers {
        let event = json!({"type": "test", "number": number, "data": "x".repeat(length)}).to_string();
        let topic = installation.topic("audit");
        let record = BaseRecord::<str, str>::to(&topic).partition(0).key("k").payload(&event);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

/// The numbers of each stretch, from the end to the beginning.
async fn stretches(node: &Node) -> Vec<Vec<u64>> {
    let (mut stretches, mut before) = (Vec::new(), None);
    loop {
        let stretch = node.store.read_audit(before).await.unwrap();
        let numbered = stretch.events.iter().filter(|(_, event)| event["type"] == "test");
        stretches.push(numbered.map(|(_, event)| event["number"].as_u64().unwrap()).collect());
        let Some(older) = stretch.older else { return stretches };
        assert!(before.is_none_or(|before| older < before), "it goes on backwards");
        before = Some(older);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_is_read_in_stretches_that_are_the_whole_together() {
    let installation = Installation::new();
    let node = installation.leader("controller-1").await;
    write(&installation, 0..1_200, 100);
    // What is no event is passed over.
    super::send(
        &ClientConfig::new().set("bootstrap.servers", &installation.bootstrap).create().unwrap(),
        &installation.topic("audit"),
        "k",
        Some("no JSON"),
    );
    let read = stretches(&node).await;
    assert_eq!(read.iter().map(Vec::len).collect::<Vec<_>>(), [999, 201]);
    assert_eq!(read.concat(), (0..1_200).rev().collect::<Vec<_>>());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_events_make_a_stretch_shorter() {
    let installation = Installation::new();
    let node = installation.leader("controller-1").await;
    write(&installation, 0..25, 300_000);
    let read = stretches(&node).await;
    assert_eq!(read.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5], "three megabytes at a time");
    assert_eq!(read.concat(), (0..25).rev().collect::<Vec<_>>());
    node.stop().await;
}
