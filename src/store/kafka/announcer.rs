//! Records that are no part of the state: heartbeats and audit events.

use std::time::Duration;

use rdkafka::producer::{FutureProducer, FutureRecord};

use super::connection::{Connection, Reports};
use super::{Names, PARTITION};
use crate::store::{Heartbeat, StoreError};

/// A heartbeat that takes longer says nothing any more.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// An audit event is tried for as long as its caller can reasonably wait.
const AUDIT: Duration = Duration::from_secs(15);

pub(super) struct Announcer {
    producer: FutureProducer<Reports>,
    reports: Reports,
    status: String,
    audit: String,
}

impl Announcer {
    pub(super) fn new(connection: &Connection, names: &Names) -> Result<Self, StoreError> {
        let reports = Reports::default();
        let ours = [
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("linger.ms", "0"),
            ("message.timeout.ms", "15000"),
        ];
        let producer = connection.client(&ours, reports.clone())?;
        Ok(Self { producer, reports, status: names.status.clone(), audit: names.audit.clone() })
    }

    pub(super) async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), StoreError> {
        let what = |error| StoreError::Unreachable(format!("a heartbeat cannot be written: {error}"));
        let payload = serde_json::to_vec(heartbeat).map_err(what)?;
        self.send(&self.status, &heartbeat.node, &payload, HEARTBEAT).await
    }

    /// A node's heartbeat that says nothing is its last one.
    pub(super) async fn leave(&self, node: &str) -> Result<(), StoreError> {
        self.send(&self.status, node, &[], HEARTBEAT).await
    }

    /// Events of one subject stay in order; one without goes under an empty key.
    pub(super) async fn audit(&self, event: &serde_json::Value) -> Result<(), StoreError> {
        let subject = event.get("subject").and_then(serde_json::Value::as_str).unwrap_or_default();
        let what = |error| StoreError::Unreachable(format!("an audit event cannot be written: {error}"));
        let payload = serde_json::to_vec(event).map_err(what)?;
        self.send(&self.audit, subject, &payload, AUDIT).await
    }

    async fn send(
        &self,
        topic: &str,
        key: &str,
        payload: &[u8],
        patience: Duration,
    ) -> Result<(), StoreError> {
        let what = format!("writing to topic `{topic}`");
        let record = FutureRecord::to(topic).partition(PARTITION).key(key).payload(payload);
        match tokio::time::timeout(patience, self.producer.send(record, patience)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(self.reports.unreachable(&what, &error)),
            Err(_) => {
                Err(StoreError::Unreachable(format!("{what}: no answer within {} s", patience.as_secs())))
            }
        }
    }
}
