//! The shapes against frames that others wrote: the Java client, librdkafka, and the brokers that answered them.
//!
//! `tests/it/capture.rs` takes the frames anew.

use std::collections::BTreeSet;

use bytes::Bytes;
use kafka_protocol::messages::{FetchResponse, JoinGroupRequest, ProduceRequest};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Entry, Origin, REGISTRY};
use crate::kafka::frame::{RequestHeader, ResponseHeader};
use crate::kafka::shape::Shape;
use crate::kafka::stream::{OneTopicHead, ResponseIdSwap, TopicRef};
use crate::kafka::walker::walk;
use crate::kafka::{codec, consumer_protocol};

const CLIENTS: [(&str, &str); 2] = [
    ("java", include_str!("../../../tests/frames/java.txt")),
    ("librdkafka", include_str!("../../../tests/frames/librdkafka.txt")),
];

struct Captured {
    context: String,
    shape: &'static Shape,
    version: i16,
    body: Bytes,
}

/// The bodies of one direction, of APIs that are served at that version.
fn captured(direction: &str) -> Vec<Captured> {
    let mut found = Vec::new();
    for (client, frames) in CLIENTS {
        for line in frames.lines() {
            let [api, version, of, hex] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let version: i16 = version.parse().unwrap();
            let Some(entry) = REGISTRY.iter().find(|entry| entry.name() == api && of == direction) else {
                continue;
            };
            assert!(entry.versions.contains(version), "{client} speaks {api} v{version}");
            let frame: Vec<u8> = (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect();
            let (shape, body) = body_of(entry, version, direction, &frame);
            let body = Bytes::copy_from_slice(&frame[body..]);
            found.push(Captured { context: format!("{client} {api} v{version} {of}"), shape, version, body });
        }
    }
    assert!(found.len() > 20);
    found
}

fn body_of(entry: &Entry, version: i16, direction: &str, frame: &[u8]) -> (&'static Shape, usize) {
    if direction == "response" {
        let header = ResponseHeader::of(entry.response, version);
        let (_, body) = header.read(frame, frame.len()).unwrap().unwrap();
        return (entry.response, body);
    }
    let flexible = |_, version| entry.request.is_flexible(version);
    let (header, body) = RequestHeader::read(frame, frame.len(), flexible).unwrap().unwrap();
    assert_eq!((header.api_key, header.version), (entry.key(), version));
    (entry.request, body)
}

fn of(direction: &str, name: &str) -> Vec<Captured> {
    let found: Vec<_> =
        captured(direction).into_iter().filter(|captured| captured.shape.name == name).collect();
    assert_eq!(found.len(), CLIENTS.len(), "{name}");
    found
}

#[test]
fn real_frames_are_what_the_shapes_say_to_the_last_byte() {
    for frame in captured("request").into_iter().chain(captured("response")) {
        assert_eq!(walk(frame.shape, frame.version, &frame.body), Ok(()), "{}", frame.context);
        for cut in 0..frame.body.len() {
            walk(frame.shape, frame.version, &frame.body[..cut]).expect_err(&frame.context);
        }
    }
}

#[test]
fn every_api_that_a_broker_answers_has_been_seen_on_a_real_wire() {
    let seen: BTreeSet<&str> = captured("response").iter().map(|frame| frame.shape.name).collect();
    let forwarded = REGISTRY.iter().filter(|row| row.origin == Origin::Broker);
    let mut unseen: Vec<_> =
        forwarded.filter(|row| !seen.contains(row.response.name)).map(Entry::name).collect();
    unseen.sort_unstable();
    // Put to real brokers by `tests/it/oracle.rs`, captured from nobody; OffsetForLeaderEpoch is asked only after a leader
    // has changed.
    let elsewhere = [
        "ConsumerGroupDescribe",
        "ConsumerGroupHeartbeat",
        "DeleteGroups",
        "DescribeConfigs",
        "DescribeGroups",
        "ListGroups",
        "OffsetDelete",
        "OffsetForLeaderEpoch",
    ];
    assert_eq!(unseen, elsewhere);
}

#[test]
fn a_real_produce_request_is_streamed_under_another_topic() {
    for frame in of("request", "ProduceRequest") {
        let (head, mut tail) =
            OneTopicHead::read(frame.shape, frame.version, frame.body.len(), &frame.body).unwrap().unwrap();
        assert_eq!(head.topics, 1, "{}", frame.context);
        let topic = match head.topic {
            Some(TopicRef::Name(_)) => TopicRef::Name("another-topic".to_owned()),
            _ => TopicRef::Id(Uuid::from_u128(1)),
        };
        let mut out = head.mapped(&frame.body, None, &topic).unwrap().to_vec();
        let mut rest = frame.body[head.len..].to_vec();
        assert_eq!(tail.push(&mut rest), Ok(rest.len()));
        assert!(tail.is_complete());
        out.extend(rest);
        let mut expected: ProduceRequest = codec::decode(frame.shape, frame.version, frame.body).unwrap();
        match topic {
            TopicRef::Name(name) => expected.topic_data[0].name = StrBytes::from_string(name).into(),
            TopicRef::Id(id) => expected.topic_data[0].topic_id = id,
        }
        assert_eq!(codec::encode(&expected, frame.version).unwrap(), out, "{}", frame.context);
        assert!(!tail.partitions().is_empty());
    }
}

#[test]
fn a_real_fetch_response_is_streamed_with_other_ids() {
    for frame in of("response", "FetchResponse") {
        let mut out = frame.body.to_vec();
        let ids = |id: Uuid| Some(Uuid::from_u128(!id.as_u128()));
        let mut swap = ResponseIdSwap::new(frame.shape, frame.version, out.len());
        assert_eq!(swap.push(&mut out, ids, |_, _| {}), Ok(out.len()), "{}", frame.context);
        assert!(swap.is_complete());
        let mut expected: FetchResponse = codec::decode(frame.shape, frame.version, frame.body).unwrap();
        assert!(!expected.responses.is_empty(), "{}", frame.context);
        expected.responses.iter_mut().for_each(|topic| topic.topic_id = ids(topic.topic_id).unwrap());
        assert_eq!(codec::encode(&expected, frame.version).unwrap(), out);
    }
}

#[test]
fn a_real_subscription_is_read() {
    for frame in of("request", "JoinGroupRequest") {
        let request: JoinGroupRequest = codec::decode(frame.shape, frame.version, frame.body).unwrap();
        let topics = consumer_protocol::names_in_subscription(&request.protocols[0].metadata).unwrap();
        assert!(topics[0].starts_with("orders-"), "{topics:?}");
    }
}
