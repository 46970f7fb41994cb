//! The workloads: what a client does, timed, against any bootstrap address.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{
    BaseRecord, DefaultProducerContext, FutureProducer, FutureRecord, Producer, ThreadedProducer,
};
use rdkafka::{Offset, TopicPartitionList};

pub(crate) const RECORD_BYTES: usize = 1024;
/// Produce requests timed one by one for the latency row.
const LATENCY_SAMPLES: usize = 400;
const PATIENCE: Duration = Duration::from_mins(2);

/// Where to, and as whom.
pub(crate) struct Target {
    config: ClientConfig,
    topic: &'static str,
}

/// What one run came to.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// Record bytes that passed.
    pub(crate) bytes: usize,
}

pub(crate) type Workload = fn(&Target, usize) -> Figures;

pub(crate) const WORKLOADS: [(&str, Workload); 4] = [
    ("produce acks=all", produce),
    ("consume", consume),
    ("produce latency p50", latency_median),
    ("produce latency p99", latency_tail),
];

impl Target {
    pub(crate) fn direct(bootstrap: &str) -> Self {
        Self::new(bootstrap, super::gateway::BACKING_TOPIC, &[])
    }

    pub(crate) fn new(bootstrap: &str, topic: &'static str, login: &[(&str, &str)]) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap)
            // Nagle and the default batching would be measured instead of the gateway.
            .set("socket.nagle.disable", "true")
            .set("linger.ms", "1")
            .set("batch.size", "131072")
            .set("acks", "all");
        for (name, value) in login {
            config.set(*name, *value);
        }
        Self { config, topic }
    }
}

/// Bytes that no codec and no cache makes smaller.
fn record() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..RECORD_BYTES)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        })
        .collect()
}

fn produce(target: &Target, megabytes: usize) -> Figures {
    let producer: ThreadedProducer<DefaultProducerContext> =
        target.config.clone().set("queue.buffering.max.kbytes", "65536").create().unwrap();
    let payload = record();
    let count = megabytes * 1_000_000 / RECORD_BYTES;
    // Connected and with metadata before the clock starts.
    producer.client().fetch_metadata(Some(target.topic), PATIENCE).unwrap();
    let started = Instant::now();
    for _ in 0..count {
        let mut next = BaseRecord::<(), [u8]>::to(target.topic).payload(&payload);
        while let Err((error, back)) = producer.send(next) {
            assert!(started.elapsed() < PATIENCE, "the queue stays full: {error}");
            next = back;
            std::thread::sleep(Duration::from_micros(500));
        }
    }
    producer.flush(PATIENCE).unwrap();
    throughput(count * RECORD_BYTES, started.elapsed())
}

fn consume(target: &Target, megabytes: usize) -> Figures {
    let consumer: BaseConsumer = target
        .config
        .clone()
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("queued.max.messages.kbytes", "65536")
        .create()
        .unwrap();
    let partitions =
        consumer.fetch_metadata(Some(target.topic), PATIENCE).unwrap().topics()[0].partitions().len();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..i32::try_from(partitions).unwrap() {
        assignment.add_partition_offset(target.topic, partition, Offset::Beginning).unwrap();
    }
    let wanted = megabytes * 1_000_000 / RECORD_BYTES;
    let started = Instant::now();
    consumer.assign(&assignment).unwrap();
    let mut seen = 0;
    while seen < wanted {
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(_)) => seen += 1,
            Some(Err(error)) => panic!("consume: {error}"),
            None => assert!(started.elapsed() < PATIENCE, "only {seen} of {wanted} records came"),
        }
    }
    throughput(wanted * RECORD_BYTES, started.elapsed())
}

fn throughput(bytes: usize, elapsed: Duration) -> Figures {
    Figures { value: bytes as f64 / 1e6 / elapsed.as_secs_f64(), unit: "MB/s", bytes }
}

fn latency_median(target: &Target, _: usize) -> Figures {
    latency(target, 0.5)
}

fn latency_tail(target: &Target, _: usize) -> Figures {
    latency(target, 0.99)
}

/// One record at a time, acknowledged before the next is sent.
fn latency(target: &Target, quantile: f64) -> Figures {
    let producer: FutureProducer = target.config.clone().set("linger.ms", "0").create().unwrap();
    producer.client().fetch_metadata(Some(target.topic), PATIENCE).unwrap();
    let payload = record();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let micros: Vec<f64> = runtime.block_on(async {
        let mut micros = Vec::with_capacity(LATENCY_SAMPLES);
        for _ in 0..LATENCY_SAMPLES {
            let started = Instant::now();
            let record = FutureRecord::<(), [u8]>::to(target.topic).payload(&payload).partition(0);
            producer.send(record, PATIENCE).await.unwrap();
            micros.push(started.elapsed().as_secs_f64() * 1e6);
        }
        micros
    });
    Figures { value: super::quantile(&micros, quantile), unit: "µs", bytes: 0 }
}
