//! A partition as the brokers have it.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::records::RecordBatchDecoder;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

/// A record, as far as anybody here looks at it.
pub(crate) struct Logged {
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

/// The committed records of a partition, from the first to the last; `None` if there is no such topic. Panics if its end is not
/// reached within `patience`.
pub(crate) fn records(
    bootstrap: &str,
    topic: &str,
    partition: i32,
    patience: Duration,
) -> Option<Vec<Logged>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "_partner-zones.test")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("topic.metadata.propagation.max.ms", "1000")
        .create()
        .unwrap();
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    consumer.assign(&partitions).unwrap();
    let (mut records, deadline) = (Vec::new(), Instant::now() + patience);
    let mut trouble = None;
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => records.push(Logged {
                offset: message.offset(),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
            }),
            Some(Err(KafkaError::PartitionEOF(_))) => return Some(records),
            Some(Err(error)) if is_missing(&error) => return None,
            // A broker that is slow to answer. The client goes on by itself, and what it has not read is not taken for nothing.
            Some(Err(error)) => trouble = Some(error),
            None => {}
        }
    }
    panic!("{topic}-{partition} has no end: {trouble:?}")
}

fn is_missing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    matches!(error.rdkafka_error_code(), Some(UnknownPartition | UnknownTopic | UnknownTopicOrPartition))
}

/// By which brokers know a record that a producer sends again: they count anew with each of its epochs, which only the producer
/// itself begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    producer: i64,
    epoch: i16,
    sequence: i32,
}

/// By offset and value.
type Writers = BTreeMap<(i64, Vec<u8>), Written>;

/// Who wrote what is in a partition, from the brokers' own files: clients are not shown it. One that is behind lacks the end.
fn writers(folder: &Path, topic: &str, partition: i32) -> Writers {
    let mut writers = Writers::new();
    let folders = (1..=3).map(|broker| folder.join(format!("data-{broker}/{topic}-{partition}")));
    let files = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    for path in files.map(|file| file.path()).filter(|path| path.extension() == Some(OsStr::new("log"))) {
        let mut segment = Bytes::from(fs::read(path).unwrap());
        while let Ok(batch) = RecordBatchDecoder::decode(&mut segment) {
            for record in batch.records {
                let (producer, epoch, sequence) =
                    (record.producer_id, record.producer_epoch, record.sequence);
                let value = record.value.unwrap_or_default().to_vec();
                writers.insert((record.offset, value), Written { producer, epoch, sequence });
            }
        }
    }
    writers
}

/// What a partition has of a client that numbers its records from 0.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Those that are there again since the client itself has sent them as new ones, in another epoch.
    pub(crate) renewed: Vec<(u64, [Written; 2])>,
    /// Everything else that is not as it was sent: each once, in order.
    pub(crate) wrong: Vec<String>,
}

/// Holds the records of a partition, in a cluster with its data in `folder`, against the `sent` ones.
pub(crate) fn held(
    records: &[Logged],
    sent: u64,
    number: impl Fn(&str) -> Option<u64>,
    (folder, topic, partition): (&Path, &str, i32),
) -> Held {
    let writers = LazyCell::new(|| writers(folder, topic, partition));
    let held = compare(records, sent, number, |at| writers.get(&(at.offset, at.value.clone()?)).copied());
    if !held.renewed.is_empty() {
        eprintln!("{topic}-{partition}: the client itself has sent as new ones {:?}", held.renewed);
    }
    held
}

fn compare(
    records: &[Logged],
    sent: u64,
    number: impl Fn(&str) -> Option<u64>,
    writer: impl Fn(&Logged) -> Option<Written>,
) -> Held {
    let mut held = Held::default();
    // The last copy of each.
    let mut copies: Vec<&Logged> = Vec::new();
    for record in records {
        let text = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default());
        let next = copies.len() as u64;
        match number(&text) {
            Some(number) if number == next => copies.push(record),
            Some(number) if number < next => {
                let before = std::mem::replace(&mut copies[usize::try_from(number).unwrap()], record);
                let both = [before, record].map(&writer);
                match both {
                    [Some(first), Some(again)]
                        if first.producer == again.producer && first.epoch < again.epoch =>
                    {
                        held.renewed.push((number, [first, again]));
                    }
                    _ => held.wrong.push(format!(
                        "{text} is there twice, at {} and {}, of {both:?}",
                        before.offset, record.offset
                    )),
                }
            }
            _ => {
                held.wrong.push(format!("{text} comes at {} instead of number {next}", record.offset));
                return held;
            }
        }
    }
    if copies.len() as u64 != sent {
        held.wrong.push(format!("{} of {sent} are there", copies.len()));
    }
    held
}

#[test]
fn a_record_that_is_there_twice_is_wrong_unless_its_client_has_sent_it_as_a_new_one() {
    let log = |numbers: &[(u64, i16)]| {
        let logged = |(offset, (number, _)): (i64, &(u64, i16))| Logged {
            offset,
            key: None,
            value: Some(number.to_string().into_bytes()),
        };
        let records: Vec<_> = (0..).zip(numbers).map(logged).collect();
        let epochs: Vec<_> = numbers.iter().map(|(_, epoch)| *epoch).collect();
        compare(
            &records,
            3,
            |text| text.parse().ok(),
            |at| {
                let epoch = *epochs.get(usize::try_from(at.offset).unwrap())?;
                Some(Written { producer: 7, epoch, sequence: 0 })
            },
        )
    };
    assert_eq!(log(&[(0, 0), (1, 0), (2, 0)]), Held::default());
    assert_eq!(log(&[(0, 0), (1, 0), (1, 1), (2, 1)]).renewed.len(), 1);
    assert_eq!(log(&[(0, 0), (1, 0), (1, 1), (2, 1)]).wrong, [""; 0]);
    for wrong in [
        &[(0, 0), (1, 0), (1, 0), (2, 0)][..],
        &[(0, 1), (1, 1), (1, 0), (2, 1)],
        &[(0, 0), (2, 0), (1, 0)],
        &[(0, 0), (1, 0)],
        &[(0, 0), (1, 0), (2, 0), (3, 0)],
    ] {
        assert_eq!(log(wrong).wrong.len(), 1, "{wrong:?}: {:?}", log(wrong));
    }
}
