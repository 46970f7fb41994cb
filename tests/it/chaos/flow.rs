//! A verifiable producer and a verifiable consumer, both librdkafka, on a topic of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientConfig, Message as _};

use super::ledger::{Counts, Ledger, PARTITIONS};
use crate::support::kafka::Cluster;
use crate::support::log::{self, Logged};

/// Between records of one partition.
const INTERVAL: Duration = Duration::from_millis(60);
/// For what was sent to be acknowledged and read, when nothing is wrong any more.
const PATIENCE: Duration = Duration::from_mins(3);

/// Who is the measure: with the brokers' own addresses, and the same faults on the way to them.
pub(super) const DIRECT: &str = "direct";

/// Who sends and reads, and where.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// What the flow's records are signed with.
    pub(super) owner: String,
    pub(super) bootstrap: String,
    pub(super) user: String,
    pub(super) password: String,
    /// As this client calls it.
    pub(super) topic: String,
}

/// A running pair. Dropping it ends both threads, and looks at nothing.
pub(super) struct Flow {
    pub(super) account: Account,
    pub(super) ledger: Arc<Ledger>,
    producing: Arc<AtomicBool>,
    consuming: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// The client's callbacks.
struct Said(Arc<Ledger>);

impl ClientContext for Said {
    fn error(&self, error: KafkaError, reason: &str) {
        complain_of(&self.0, &error, reason);
    }
}

impl ConsumerContext for Said {}

impl ProducerContext for Said {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, partition: usize) {
        match result {
            Ok(_) => self.0.acknowledge(partition),
            // Its time never ends, so this is a refusal.
            Err((error, record)) => {
                let text = String::from_utf8_lossy(record.payload().unwrap_or_default()).into_owned();
                self.0.complain(format!("{text} was not acknowledged: {error}"));
            }
        }
    }
}

/// librdkafka's words for a connection that is gone before the login has an answer; a login that is refused has others.
const LOST: &str = "Local: Broker transport failure";

/// Brokers that are away are what is tested; a client that is turned away is not.
fn complain_of(ledger: &Ledger, error: &KafkaError, reason: &str) {
    use RDKafkaErrorCode::{
        Authentication, ClusterAuthorizationFailed, Fatal, GroupAuthorizationFailed,
        SaslAuthenticationFailed, TopicAuthorizationFailed,
    };
    let turned_away = matches!(
        error.rdkafka_error_code(),
        Some(
            Authentication
                | ClusterAuthorizationFailed
                | Fatal
                | GroupAuthorizationFailed
                | SaslAuthenticationFailed
                | TopicAuthorizationFailed
        )
    );
    if turned_away && !reason.contains(LOST) {
        ledger.complain(format!("{error}: {reason}"));
    }
}

impl Flow {
    pub(super) fn start(account: Account) -> Self {
        let ledger = Arc::new(Ledger::new(&account.owner));
        let [producing, consuming] = [(); 2].map(|()| Arc::new(AtomicBool::new(true)));
        let threads = vec![
            {
                let (account, ledger) = (account.clone(), Arc::clone(&ledger));
                let (go_on, wait) = (Arc::clone(&producing), Arc::clone(&consuming));
                thread::spawn(move || produce(&account, &ledger, &go_on, &wait))
            },
            {
                let (account, ledger, go_on) = (account.clone(), Arc::clone(&ledger), Arc::clone(&consuming));
                thread::spawn(move || consume(&account, &ledger, &go_on))
            },
        ];
        Self { account, ledger, producing, consuming, threads }
    }

    /// Whether it is with the brokers themselves.
    pub(super) fn is_direct(&self) -> bool {
        self.account.owner == DIRECT
    }

    /// Ends the producer, waits until everything is acknowledged and read, and compares that with the log, which holds `topic` as
    /// brokers call it. Gives what it counted, and everything that is wrong.
    pub(super) fn settle(self, cluster: &Cluster, topic: &str) -> (Counts, Vec<String>) {
        self.producing.store(false, Ordering::Relaxed);
        let begun = Instant::now();
        let whole = || {
            let sent = self.ledger.sent();
            self.ledger.marks().iter().zip(sent).all(|(marks, sent)| *marks == (sent, sent))
        };
        while !whole() && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(50));
        }
        let (sent, owner) = (self.ledger.sent(), &self.account.owner);
        let mut wrong = self.ledger.complaints();
        if !whole() {
            wrong.push(format!("{owner}: of {sent:?} sent, {:?} (acknowledged, read)", self.ledger.marks()));
        }
        for (partition, sent) in sent.into_iter().enumerate() {
            let records = log(cluster.bootstrap(), topic, partition);
            let number = |text: &str| self.ledger.number(partition, text).map(|number| number as u64);
            // What the client itself sent as new is counted where it is read.
            let place = (cluster.folder(), topic, i32::try_from(partition).unwrap());
            let held = log::held(&records, sent, number, place);
            wrong
                .extend(held.wrong.into_iter().map(|what| format!("{owner}, partition {partition}: {what}")));
        }
        (self.ledger.counts(), wrong)
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        for flag in [&self.producing, &self.consuming] {
            flag.store(false, Ordering::Relaxed);
        }
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

fn config(account: &Account) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in [
        ("bootstrap.servers", account.bootstrap.as_str()),
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", &account.user),
        ("sasl.password", &account.password),
        // A silent broker is given up after this: a minute, the default, would be most of a run.
        ("socket.timeout.ms", "10000"),
        ("socket.connection.setup.timeout.ms", "5000"),
        ("reconnect.backoff.max.ms", "1000"),
        ("log_level", "0"),
    ] {
        config.set(name, value);
    }
    config
}

/// Sends for as long as it is to go on, and waits for what is on its way after that.
fn produce(account: &Account, ledger: &Arc<Ledger>, go_on: &AtomicBool, wait: &AtomicBool) {
    let mut config = config(account);
    // A record is sent until it is acknowledged, however long that takes.
    config.set("enable.idempotence", "true").set("message.timeout.ms", "0").set("linger.ms", "0");
    config.set("request.timeout.ms", "5000");
    let producer: BaseProducer<Said> = config.create_with_context(Said(Arc::clone(ledger))).unwrap();
    while go_on.load(Ordering::Relaxed) {
        for partition in 0..PARTITIONS {
            let text = ledger.next(partition);
            let to = i32::try_from(partition).unwrap();
            let record = BaseRecord::<(), _, _>::with_opaque_to(&account.topic, partition);
            if let Err((error, _)) = producer.send(record.partition(to).payload(&text)) {
                ledger.complain(format!("{text} was not taken: {error}"));
                return;
            }
        }
        let next = Instant::now() + INTERVAL;
        while let Some(rest) = next.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero()) {
            producer.poll(rest);
        }
    }
    while producer.in_flight_count() > 0 && wait.load(Ordering::Relaxed) {
        producer.poll(Duration::from_millis(50));
    }
}

fn consume(account: &Account, ledger: &Arc<Ledger>, go_on: &AtomicBool) {
    let mut config = config(account);
    config.set("group.id", format!("readers-{}", account.owner)).set("auto.offset.reset", "earliest");
    config.set("auto.commit.interval.ms", "500").set("session.timeout.ms", "10000");
    let consumer: BaseConsumer<Said> = config.create_with_context(Said(Arc::clone(ledger))).unwrap();
    consumer.subscribe(&[&account.topic]).unwrap();
    while go_on.load(Ordering::Relaxed) {
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(record)) => {
                let text = String::from_utf8_lossy(record.payload().unwrap_or_default());
                ledger.read(usize::try_from(record.partition()).unwrap(), record.offset(), &text);
            }
            // The client has said it in its callback, with the reason.
            Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Authentication) => {}
            Some(Err(error)) => complain_of(ledger, &error, "the consumer"),
        }
    }
}

/// All records of a partition, as the brokers have them.
fn log(bootstrap: &str, topic: &str, partition: usize) -> Vec<Logged> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        // Brokers that have just started again may not know of it yet.
        if let Some(records) = log::records(bootstrap, topic, i32::try_from(partition).unwrap(), PATIENCE) {
            return records;
        }
    }
    panic!("{topic}-{partition} is not there")
}
