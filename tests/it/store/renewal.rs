//! Clients for heartbeats that are replaced by new ones.

use std::sync::Arc;
use std::time::Duration;

use partner_zones::store::Store;
use partner_zones::store::kafka::Role;

use super::loss::heartbeat;
use super::{Installation, Node, open, until};
use crate::support::kafka::Cluster;

const RENEWAL: Duration = Duration::from_secs(1);

async fn node(installation: &Installation, role: Role, name: &str) -> Node {
    let mut options = installation.options(role, name);
    options.timing.renewal = RENEWAL;
    open(options).await.unwrap()
}

/// Speaks until `listener` has heard it.
async fn await_heard(speaker: &Node, listener: &Node, serving: u64) {
    let store = Arc::clone(&speaker.store);
    let speaking = tokio::spawn(async move {
        loop {
            let _ = store.heartbeat(heartbeat(serving)).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let heard = &mut listener.store.nodes();
    until(heard, "a heartbeat", |nodes| nodes.values().any(|node| node.serving == serving)).await;
    speaking.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_are_sent_and_heard_by_the_clients_that_take_the_place_of_those_that_could_not() {
    let cluster = Cluster::private(1);
    let installation = Installation::on(&cluster);
    let listener = node(&installation, Role::Controller, "c1").await;
    let speaker = node(&installation, Role::Gateway, "gateway-1").await;
    await_heard(&speaker, &listener, 1).await;
    // Silence: the reader is replaced, some times over.
    until(&mut listener.store.nodes(), "silence", |nodes| nodes.is_empty()).await;
    tokio::time::sleep(2 * RENEWAL).await;
    await_heard(&speaker, &listener, 2).await;

    tokio::task::block_in_place(|| cluster.broker(1).kill());
    for _ in 0..2 {
        speaker.store.heartbeat(heartbeat(3)).await.expect_err("there is no broker");
    }
    tokio::task::block_in_place(|| cluster.broker(1).start());
    await_heard(&speaker, &listener, 4).await;
    speaker.stop().await;
    listener.stop().await;
}
