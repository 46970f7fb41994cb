//! How this process reaches the home cluster: one set of properties, and clients that say what went wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::types::RDKafkaErrorCode;

use crate::store::StoreError;

/// How long a thread waits for something to happen before it looks whether it should end.
pub(super) const POLL: Duration = Duration::from_millis(100);

/// How long one question to a broker may take, where a thread must stay responsive.
pub(super) const QUESTION: Duration = Duration::from_secs(1);

/// librdkafka notices that a broker has vanished by what it has asked. A connection on which it asks nothing it would keep for ever:
/// it has no keepalive that is shorter than hours. It makes a new one when it needs it.
const IDLE: (&str, &str) = ("connections.max.idle.ms", "120000");

/// How to reach the cluster. `Debug` shows no property, since some are secret.
#[derive(Clone)]
pub(super) struct Connection {
    properties: Arc<BTreeMap<String, String>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(mut properties: BTreeMap<String, String>, bootstrap_servers: String) -> Self {
        properties.insert("bootstrap.servers".to_owned(), bootstrap_servers);
        Self { properties: Arc::new(properties) }
    }

    /// A client with the operator's properties, above them ours, and below them [`IDLE`].
    pub(super) fn client<C, T>(&self, ours: &[(&str, &str)], context: C) -> Result<T, StoreError>
    where
        C: ClientContext,
        T: FromClientConfigAndContext<C>,
    {
        let mut config = ClientConfig::new();
        config.set(IDLE.0, IDLE.1);
        for (key, value) in self.properties.iter() {
            config.set(key, value);
        }
        for (key, value) in ours {
            config.set(*key, *value);
        }
        config.create_with_context(context).map_err(|error| StoreError::Unreachable(describe(&error)))
    }

    /// A consumer that is given its partitions, never joins a group and commits nothing. librdkafka wants a group id all the
    /// same; `group` is one below our prefix, so that one rule for the prefix is enough.
    pub(super) fn reader(&self, group: &str, reports: Reports) -> Result<BaseConsumer<Reports>, StoreError> {
        self.client(
            &[
                ("group.id", group),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("isolation.level", "read_committed"),
                ("allow.auto.create.topics", "false"),
                ("enable.partition.eof", "true"),
                // A position that the topic no longer has is a finding, not a reason to start somewhere else.
                ("auto.offset.reset", "error"),
                ("fetch.wait.max.ms", "250"),
            ],
            reports,
        )
    }
}

/// A client's log, and the last problem it reported: librdkafka's calls say "timed out" where this says why.
#[derive(Debug, Clone, Default)]
pub(super) struct Reports {
    last: Arc<Mutex<Option<String>>>,
}

impl Reports {
    /// An error for `what`, with the reason the client reported beside the one the call gave.
    pub(super) fn unreachable(&self, what: &str, error: &KafkaError) -> StoreError {
        let problem = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let problem = problem.map(|p| format!(" ({p})")).unwrap_or_default();
        StoreError::Unreachable(format!("{what}: {}{problem}", describe(error)))
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }
}

impl ConsumerContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    /// What could not be delivered fails its transaction.
    fn delivery(&self, _result: &DeliveryResult<'_>, _opaque: Self::DeliveryOpaque) {}
}

/// The error as text. librdkafka's own text for a refused property holds its value, which may be a password.
pub(super) fn describe(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, _, property, _) => {
            format!(
                "librdkafka refuses the property `{property}` or its value; correct `clusters.*.properties`"
            )
        }
        other => other.to_string(),
    }
}

/// Whether what a reader was to read next is not there any more.
pub(super) fn lost_position(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_property_is_named_and_its_value_is_not() {
        let properties = BTreeMap::from([("sasl.pasword".to_owned(), "hunter2".to_owned())]);
        let connection = Connection::new(properties, "127.0.0.1:1".to_owned());
        let error = connection.reader("g", Reports::default()).err().expect("an unknown property");
        let text = error.to_string();
        assert!(text.contains("`sasl.pasword`") && !text.contains("hunter2"), "{text}");
        assert!(!format!("{connection:?}").contains("hunter2"));
    }
}
