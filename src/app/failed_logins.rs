//! What the gateways say of logins that failed → the audit log: whoever guesses is named there, once in a while.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;

use crate::store::{self, Leadership, Nodes, Store};
use crate::zone::FailedLogins;

/// Between two looks at what the nodes say, which they remember for longer.
const INTERVAL: Duration = Duration::from_secs(5);
/// Between two events about the same node, address and zone.
const WINDOW: time::Duration = time::Duration::minutes(10);

/// Which node, from where, for whose names, since when. Nodes say a number since then.
type Series = (String, IpAddr, Option<String>, OffsetDateTime);

/// When each was told of, and how many there were. In the memory of whoever leads: its successor tells of what goes on once more.
type Told = BTreeMap<Series, (OffsetDateTime, u64)>;

/// Tells of them for as long as this node leads and the store lives.
pub(super) async fn run(node: String, store: Arc<dyn Store>) {
    let mut leadership = store.leadership();
    let mut told = Told::new();
    while leadership.wait_for(|leadership| *leadership == Leadership::Leading).await.is_ok() {
        let (nodes, now) = (store.nodes().borrow().clone(), OffsetDateTime::now_utc());
        for (series, failed) in news(&mut told, &nodes, now) {
            let event = event(&node, &series, &failed, now);
            tracing::warn!(
                address = %failed.address, zone = failed.zone, count = failed.count, gateway = series.0,
                "logins fail again and again; somebody guesses, or a partner's client has an old secret"
            );
            match store.audit(event).await {
                Ok(()) => {
                    told.insert(series, (now, failed.count));
                }
                Err(error) => {
                    tracing::debug!(%error, "failed logins could not be told; it is tried again");
                }
            }
        }
        sleep(INTERVAL).await;
    }
}

/// What has not been told, or has grown since. What no node speaks of any more is forgotten.
fn news(told: &mut Told, nodes: &Nodes, now: OffsetDateTime) -> Vec<(Series, FailedLogins)> {
    let said: BTreeMap<Series, &FailedLogins> = nodes
        .iter()
        .flat_map(|(node, heartbeat)| heartbeat.failed_logins.iter().map(move |failed| (node, failed)))
        .map(|(node, failed)| ((node.clone(), failed.address, failed.zone.clone(), failed.since), failed))
        .collect();
    told.retain(|series, _| said.contains_key(series));
    let is_news = |series: &Series, failed: &FailedLogins| {
        told.get(series).is_none_or(|(at, count)| failed.count > *count && now - *at >= WINDOW)
    };
    said.into_iter()
        .filter(|(series, failed)| is_news(series, failed))
        .map(|(series, failed)| (series, failed.clone()))
        .collect()
}

fn event(node: &str, series: &Series, failed: &FailedLogins, now: OffsetDateTime) -> Value {
    let data = json!({
        "node": series.0,
        "address": failed.address,
        "zone": failed.zone,
        "count": failed.count,
        "since": failed.since.format(&Rfc3339).ok(),
        "last": failed.at.format(&Rfc3339).ok(),
    });
    let subject = format!("address/{}", failed.address);
    store::event(&format!("controller/{node}"), "logins.failed", &subject, now, &data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::store::samples::heartbeat;

    fn failed(last: u8, count: u64) -> FailedLogins {
        let at = OffsetDateTime::UNIX_EPOCH;
        FailedLogins {
            address: [192, 0, 2, last].into(),
            zone: Some("acme".to_owned()),
            count,
            since: at,
            at,
        }
    }

    fn nodes(failed_logins: &[FailedLogins]) -> Nodes {
        let mut node = heartbeat("g1", 1);
        node.failed_logins = failed_logins.to_vec();
        [(node.node.clone(), node)].into()
    }

    #[test]
    fn a_series_is_told_once_and_again_only_if_it_grows_for_a_while() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let mut told = Told::new();
        let mut counts = |nodes: &Nodes, minute: i64| -> Vec<u64> {
            let now = start + time::Duration::minutes(minute);
            let news = news(&mut told, nodes, now);
            let counts = news.iter().map(|(_, failed)| failed.count).collect();
            told.extend(news.into_iter().map(|(series, failed)| (series, (now, failed.count))));
            counts
        };
        assert_eq!(counts(&nodes(&[failed(1, 10), failed(2, 20)]), 0), [10, 20]);
        assert!(counts(&nodes(&[failed(1, 50), failed(2, 20)]), 9).is_empty());
        assert_eq!(counts(&nodes(&[failed(1, 50), failed(2, 20)]), 10), [50]);
        assert!(counts(&nodes(&[]), 11).is_empty());
        assert_eq!(counts(&nodes(&[failed(2, 20)]), 12), [20], "it had ended");
    }

    #[tokio::test]
    async fn whoever_leads_writes_it_to_the_audit_log() {
        let cancel = tokio_util::sync::CancellationToken::new();
        let store = MemoryStore::start(&tokio_util::task::TaskTracker::new(), cancel.clone());
        let mut node = heartbeat("g1", 1);
        node.failed_logins = vec![failed(1, 12)];
        node.at = OffsetDateTime::now_utc();
        store.heartbeat(node).await.unwrap();
        let mut nodes = store.nodes();
        nodes.wait_for(|nodes| !nodes.is_empty()).await.unwrap();
        let told = async {
            while store.audit_events().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = run("c1".to_owned(), Arc::clone(&store) as Arc<dyn Store>) => panic!("it ends"),
            () = told => {}
        }
        let [event] = &store.audit_events()[..] else { panic!("one event") };
        assert_eq!(event["type"], "partner-zones.logins.failed");
        assert_eq!(event["subject"], "address/192.0.2.1");
        assert_eq!((&event["data"]["zone"], &event["data"]["count"]), (&json!("acme"), &json!(12)));
        cancel.cancel();
    }
}
