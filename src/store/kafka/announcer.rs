//! Records that are no part of the state: heartbeats, audit events and usage.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio_util::task::TaskTracker;

use super::connection::{Connection, Reports};
use super::time_of_day::TimeOfDay;
use super::{Names, PARTITION};
use crate::store::record::{lag_key, lag_value, usage_key, usage_value};
use crate::store::{Heartbeat, Place, StoreError};
use crate::zone::{Usage, ZoneLag, ZoneName};

/// A heartbeat that takes longer says nothing any more.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// An audit event is tried for as long as its caller can reasonably wait.
const AUDIT: Duration = Duration::from_secs(15);
/// Usage is written again and again: what comes later says the same and more.
const USAGE: Duration = Duration::from_secs(10);

pub(super) struct Announcer {
    connection: Connection,
    status: String,
    audit: String,
    usage: String,
    client: Mutex<Client>,
    renewal: Duration,
    tracker: TaskTracker,
}

struct Client {
    producer: FutureProducer<Reports>,
    reports: Reports,
    /// Since when no heartbeat could be sent.
    failing_since: Option<Instant>,
    time_of_day: TimeOfDay,
}

impl Client {
    fn new(connection: &Connection) -> Result<Self, StoreError> {
        let reports = Reports::default();
        let ours = [
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("linger.ms", "0"),
            ("compression.type", "lz4"),
            ("message.timeout.ms", "15000"),
        ];
        let producer = connection.client(&ours, reports.clone())?;
        Ok(Self { producer, reports, failing_since: None, time_of_day: TimeOfDay::now() })
    }
}

impl Announcer {
    pub(super) fn new(
        connection: &Connection,
        names: &Names,
        renewal: Duration,
        tracker: &TaskTracker,
    ) -> Result<Self, StoreError> {
        let client = Mutex::new(Client::new(connection)?);
        let (connection, tracker) = (connection.clone(), tracker.clone());
        let Names { status, audit, usage, .. } = names.clone();
        Ok(Self { connection, status, audit, usage, client, renewal, tracker })
    }

    pub(super) async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), StoreError> {
        let what = |error| StoreError::Unreachable(format!("a heartbeat cannot be written: {error}"));
        let payload = serde_json::to_vec(heartbeat).map_err(what)?;
        let sent = self.send(&self.status, &heartbeat.node, &payload, HEARTBEAT).await;
        self.renew_if_needed(sent.is_ok());
        sent
    }

    /// A producer that cannot send for long may not recover although the brokers have: a new one takes its place. What it still
    /// has to send it sends, or gives up in its time.
    fn renew_if_needed(&self, sent: bool) {
        let mut client = self.client();
        let has_failed = if sent {
            client.failing_since = None;
            false
        } else {
            client.failing_since.get_or_insert_with(Instant::now).elapsed() >= self.renewal
        };
        if !client.time_of_day.was_set_back() && !has_failed {
            return;
        }
        match Client::new(&self.connection) {
            Ok(new) => {
                let old = std::mem::replace(&mut *client, new);
                self.tracker.spawn_blocking(move || drop(old));
                tracing::debug!("heartbeats are sent with a new client");
            }
            Err(error) => tracing::warn!(%error, "heartbeats cannot be sent"),
        }
    }

    fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
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

    pub(super) fn usage_topic(&self) -> &str {
        &self.usage
    }

    pub(super) async fn usage(&self, place: &Place, usage: &Usage) -> Result<(), StoreError> {
        self.send(&self.usage, &usage_key(place), &usage_value(usage, &[])?, USAGE).await
    }

    pub(super) async fn lag(&self, zone: &ZoneName, lag: Option<&ZoneLag>) -> Result<(), StoreError> {
        let value = lag.map(lag_value).transpose()?;
        self.write(&self.usage, &lag_key(zone), value.as_deref(), USAGE).await
    }

    async fn send(
        &self,
        topic: &str,
        key: &str,
        payload: &[u8],
        patience: Duration,
    ) -> Result<(), StoreError> {
        self.write(topic, key, Some(payload), patience).await
    }

    async fn write(
        &self,
        topic: &str,
        key: &str,
        payload: Option<&[u8]>,
        patience: Duration,
    ) -> Result<(), StoreError> {
        let what = format!("writing to topic `{topic}`");
        let mut record = FutureRecord::<str, [u8]>::to(topic).partition(PARTITION).key(key);
        if let Some(payload) = payload {
            record = record.payload(payload);
        }
        let (producer, reports) = {
            let client = self.client();
            (client.producer.clone(), client.reports.clone())
        };
        match tokio::time::timeout(patience, producer.send(record, patience)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(reports.unreachable(&what, &error)),
            Err(_) => {
                Err(StoreError::Unreachable(format!("{what}: no answer within {} s", patience.as_secs())))
            }
        }
    }
}
