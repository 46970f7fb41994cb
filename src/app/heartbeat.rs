//! Gateway → store: every two seconds, and whenever something changes, what this node serves.

mod traffic;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::gateway::{Handle, Report};
use crate::store::{Heartbeat, Store};
use crate::zone::Sequence;

/// A node is gone after ten seconds, so four may be lost.
const INTERVAL: Duration = Duration::from_secs(2);

/// At most one heartbeat in this time, however fast things change.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// Sends heartbeats for as long as it runs; `serves` follows whether partners are served.
pub(super) async fn run(
    node: String,
    gateway: Arc<Handle>,
    store: Arc<dyn Store>,
    serves: watch::Sender<bool>,
) {
    let mut reports = gateway.reports();
    let mut tick = interval(INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_lost = false;
    loop {
        let soon = Instant::now() + SHORTEST_INTERVAL;
        let report = reports.borrow_and_update().clone();
        serves.send_if_modified(|serves| {
            std::mem::replace(serves, report.serving.is_some()) != report.serving.is_some()
        });
        // A node that serves nothing yet is not alive to the others: no zone waits for it.
        if let Some(serving) = report.serving {
            let sent = store.heartbeat(heartbeat(&node, serving, &report, &gateway)).await;
            if let Err(error) = &sent
                && !was_lost
            {
                tracing::warn!(%error, "heartbeats cannot be sent; partners are served all the same");
            }
            was_lost = sent.is_err();
        }
        tokio::select! {
            _ = tick.tick() => {}
            changed = reports.changed() => {
                if changed.is_err() {
                    return;
                }
                sleep_until(soon).await;
            }
        }
    }
}

fn heartbeat(node: &str, serving: Sequence, report: &Report, gateway: &Handle) -> Heartbeat {
    let addresses = gateway.bootstrap_addresses();
    let (usage, usage_is_partial) = usage::shown(gateway.usage());
    Heartbeat {
        node: node.to_owned(),
        serving: serving.0,
        bootstrap: addresses.into_iter().map(|(cluster, address)| (cluster.to_string(), address)).collect(),
        tls: gateway.is_secured(),
        zone_domain: gateway.zone_domain(),
        problems: report.problems.iter().map(|(zone, problem)| (zone.to_string(), problem.clone())).collect(),
        connections: gateway.connections(),
        master_keys: gateway.master_keys().into_iter().map(|name| name.to_string()).collect(),
        usage,
        credentials: usage::of_credentials(gateway.credentials()),
        failed_logins: gateway.failed_logins(),
        traffic: traffic::shown(gateway.demands()),
        usage_is_partial,
        at: OffsetDateTime::now_utc(),
    }
}
