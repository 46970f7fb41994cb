use std::cell::Cell;
use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{FetchResponse, ProduceRequest};
use kafka_protocol::protocol::StrBytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::kafka::codec;
use crate::kafka::records::{Counted, count, sample as batches};
use crate::kafka::sample::{self, FETCH_RESPONSE, PRODUCE_REQUEST};

/// The other id of a topic; its own inverse.
fn swapped(id: Uuid) -> Uuid {
    Uuid::from_u128(!id.as_u128())
}

/// Feeds `body` to an editor in pieces of `piece` bytes; answers all that was released, and the error if there was one.
fn relay(
    body: &[u8],
    piece: usize,
    mut push: impl FnMut(&mut [u8]) -> Result<usize, StreamError>,
) -> (Vec<u8>, Option<StreamError>) {
    let (mut out, mut held) = (Vec::new(), Vec::new());
    for part in body.chunks(piece) {
        held.extend_from_slice(part);
        match push(&mut held) {
            Ok(ready) => out.extend(held.drain(..ready)),
            Err(error) => return (out, Some(error)),
        }
    }
    (out, None)
}

fn fetch(body: &[u8], version: i16, piece: usize) -> Vec<u8> {
    let mut editor = ResponseIdSwap::new(&FETCH_RESPONSE, version, body.len());
    let (out, error) = relay(body, piece, |chunk| editor.push(chunk, |id| Some(swapped(id)), |_, _| {}));
    assert_eq!((error, editor.is_complete(), out.len()), (None, true, body.len()));
    out
}

fn decode_fetch(body: &[u8], version: i16) -> FetchResponse {
    codec::decode(&FETCH_RESPONSE, version, Bytes::copy_from_slice(body)).unwrap()
}

fn fetch_with_topics(version: i16, seed: u64) -> (Vec<u8>, FetchResponse) {
    (seed..seed + 100)
        .map(|seed| sample::body(&FETCH_RESPONSE, version, seed))
        .map(|body| (decode_fetch(&body, version), body))
        .find(|(message, _)| !message.responses.is_empty())
        .map(|(message, body)| (body, message))
        .unwrap()
}

#[test]
fn node_endpoints_become_a_field_that_nobody_knows() {
    let (body, before) = (0..100)
        .map(|seed| sample::body(&FETCH_RESPONSE, 16, seed))
        .map(|body| (body.clone(), decode_fetch(&body, 16)))
        .find(|(_, message)| !message.node_endpoints.is_empty())
        .unwrap();
    let after = decode_fetch(&fetch(&body, 16, 7), 16);
    assert!(after.node_endpoints.is_empty());
    let (tags, contents): (Vec<i32>, Vec<Bytes>) = after.unknown_tagged_fields.into_iter().unzip();
    assert_eq!(tags, [127]);
    assert!(contents[0].iter().all(|byte| *byte == 0));
    let host = before.node_endpoints[0].host.as_bytes().to_vec();
    let out = fetch(&body, 16, body.len());
    assert!(!out.windows(host.len().max(4)).any(|window| window == host), "a broker's host went out");
}

#[test]
fn a_topic_id_that_was_not_asked_for_ends_the_response_before_it_is_seen() {
    for piece in [1, 3, 17, 100_000] {
        let (body, message) = fetch_with_topics(13, 1);
        let forbidden = message.responses.last().unwrap().topic_id;
        let ids = |id| (id != forbidden).then(|| swapped(id));
        let mut editor = ResponseIdSwap::new(&FETCH_RESPONSE, 13, body.len());
        let (out, error) = relay(&body, piece, |chunk| editor.push(chunk, ids, |_, _| {}));
        assert_eq!(error, Some(StreamError::UnknownTopicId));
        assert!(!out.windows(16).any(|window| window == forbidden.as_bytes()));
    }
}

#[test]
fn a_response_that_names_topics_is_not_streamed() {
    let (body, _) = fetch_with_topics(12, 1);
    let mut editor = ResponseIdSwap::new(&FETCH_RESPONSE, 12, body.len());
    let (_, error) = relay(&body, 64, |chunk| editor.push(chunk, Some, |_, _| {}));
    assert_eq!(error, Some(StreamError::NotStreamable("topic")));
}

/// A request about one topic, with an unknown tagged field at its end where the version has room for one.
fn produce(version: i16, seed: u64) -> (Bytes, ProduceRequest) {
    let mut message = (seed..seed + 100)
        .map(|seed| Bytes::from(sample::body(&PRODUCE_REQUEST, version, seed)))
        .map(|body| codec::decode::<ProduceRequest>(&PRODUCE_REQUEST, version, body).unwrap())
        .find(|message| !message.topic_data.is_empty())
        .unwrap();
    message.topic_data.truncate(1);
    if version >= PRODUCE_REQUEST.flexible_since {
        message.unknown_tagged_fields.insert(5, Bytes::from_static(b"not ours"));
    }
    (codec::encode(&message, version).unwrap(), message)
}

/// Streams a request to the broker in pieces, its topic renamed.
fn stream(body: &[u8], version: i16, piece: usize, topic: &TopicRef) -> (Vec<u8>, OneTopicHead, Vec<i32>) {
    let mut arrived = 0;
    let (head, mut tail) = loop {
        arrived = (arrived + piece).min(body.len());
        if let Some(read) =
            OneTopicHead::read(&PRODUCE_REQUEST, version, body.len(), &body[..arrived]).unwrap()
        {
            break read;
        }
        assert!(arrived < body.len());
    };
    let id = head.transactional_id.as_ref().map(|id| format!("zone:{id}"));
    let mut out = head.mapped(&body[..arrived], id.as_deref(), topic).unwrap().to_vec();
    let (rest, error) = relay(&body[head.len..], piece, |chunk| tail.push(chunk));
    assert_eq!((error, tail.is_complete()), (None, true));
    out.extend(rest);
    (out, head, tail.partitions().to_vec())
}

#[test]
fn a_head_tells_what_there_is_to_decide_and_waits_for_no_record() {
    let (body, message) = produce(9, 4);
    let (head, _) = OneTopicHead::read(&PRODUCE_REQUEST, 9, body.len(), &body).unwrap().unwrap();
    assert_eq!(head.acks, message.acks);
    assert_eq!(head.transactional_id.as_deref(), message.transactional_id.as_deref().map(|id| &**id));
    assert_eq!(
        (head.topics, &head.topic),
        (1, &Some(TopicRef::Name(message.topic_data[0].name.to_string())))
    );
    assert!(OneTopicHead::read(&PRODUCE_REQUEST, 9, body.len(), &body[..head.len]).unwrap().is_some());
    assert!(OneTopicHead::read(&PRODUCE_REQUEST, 9, body.len(), &body[..head.len - 1]).unwrap().is_none());
    assert!(matches!(
        head.mapped(&body, None, &TopicRef::Id(Uuid::from_u128(1))),
        Err(StreamError::NotStreamable(_))
    ));
}

#[test]
fn a_request_about_no_topic_or_several_says_so() {
    let (_, mut message) = produce(9, 4);
    let one = message.topic_data.clone();
    for topics in [0, 2] {
        message.topic_data = one.iter().cycle().take(topics).cloned().collect();
        let body = codec::encode(&message, 9).unwrap();
        let (head, _) = OneTopicHead::read(&PRODUCE_REQUEST, 9, body.len(), &body).unwrap().unwrap();
        assert_eq!((head.topics, head.topic.is_some()), (u32::try_from(topics).unwrap(), topics > 0));
    }
}

#[test]
fn a_second_topic_is_never_passed_unmapped() {
    let (_, mut message) = produce(9, 4);
    message.topic_data.push(message.topic_data[0].clone());
    let body = codec::encode(&message, 9).unwrap();
    let (head, mut tail) = OneTopicHead::read(&PRODUCE_REQUEST, 9, body.len(), &body).unwrap().unwrap();
    let (_, error) = relay(&body[head.len..], 10, |chunk| tail.push(chunk));
    assert_eq!(error, Some(StreamError::NotStreamable("name")));
}

/// A sequence of batches, often cut short.
fn records(seed: u64, cut: usize) -> Bytes {
    let all: Vec<u8> = batches::batches(seed).iter().flat_map(batches::SampleBatch::bytes).collect();
    let whole = seed.is_multiple_of(3);
    Bytes::copy_from_slice(&all[..if whole { all.len() } else { cut % all.len() }])
}

fn add(counts: &mut BTreeMap<TopicRef, Counted>, topic: TopicRef, counted: Counted) {
    let sum = counts.entry(topic).or_default();
    (sum.bytes, sum.records) = (sum.bytes + counted.bytes, sum.records + counted.records);
}

proptest! {
    #[test]
    fn records_are_counted_by_topic_however_a_message_comes(seed in 0_u64..1 << 32, piece in 1_usize..300, cut: usize) {
        for version in [12, 13, 16] {
            let (_, mut message) = fetch_with_topics(version, seed);
            message.node_endpoints.clear();
            let mut expected = BTreeMap::new();
            for (number, topic) in (seed..).zip(&mut message.responses) {
                let known = if version < 13 { TopicRef::Name(topic.topic.to_string()) } else { TopicRef::Id(topic.topic_id) };
                for (index, partition) in (0..).zip(&mut topic.partitions) {
                    partition.records = Some(records(number + index, cut));
                    add(&mut expected, known.clone(), count(partition.records.as_ref().unwrap()));
                }
            }
            expected.retain(|_, counted| counted.bytes > 0);
            let body = codec::encode(&message, version).unwrap();
            let mut whole = BTreeMap::new();
            let at = Cell::new(None);
            let rewritten = rewrite(&FETCH_RESPONSE, version, &body, |_, value| {
                let value = value.unwrap();
                at.set(Some(if version < 13 {
                    TopicRef::Name(String::from_utf8(value.to_vec()).unwrap())
                } else {
                    TopicRef::Id(Uuid::from_slice(value).unwrap())
                }));
                Ok(Instead::Same)
            }, |counted| {
                let topic = at.take().unwrap();
                add(&mut whole, topic.clone(), counted);
                at.set(Some(topic));
            });
            if rewritten.is_ok() {
                prop_assert_eq!(&whole, &expected, "as a whole, v{}", version);
            }
            let mut streamed = BTreeMap::new();
            let mut came = |topic: &TopicRef, counted| add(&mut streamed, topic.clone(), counted);
            if version >= 13 {
                let mut editor = ResponseIdSwap::new(&FETCH_RESPONSE, version, body.len());
                let (_, error) = relay(&body, piece, |chunk| editor.push(chunk, |id| Some(swapped(id)), &mut came));
                prop_assert_eq!(error, None);
            } else {
                message.responses.truncate(1);
                let body = codec::encode(&message, version).unwrap();
                let (head, tail) = OneTopicHead::read(&FETCH_RESPONSE, version, body.len(), &body).unwrap().unwrap();
                let topic = head.topic.clone().unwrap();
                expected.clear();
                for partition in &message.responses[0].partitions {
                    add(&mut expected, topic.clone(), count(partition.records.as_ref().unwrap()));
                }
                expected.retain(|_, counted| counted.bytes > 0);
                let mut editor = ResponseIdSwap::behind(topic, tail);
                let (_, error) = relay(&body[head.len..], piece, |chunk| editor.push(chunk, Some, &mut came));
                prop_assert_eq!(error, None);
            }
            prop_assert_eq!(streamed, expected, "v{}, cut into {}", version, piece);
        }
    }

    #[test]
    fn records_of_a_produce_are_counted_however_it_comes(seed in 0_u64..1 << 32, piece in 1_usize..300, cut: usize) {
        let (_, mut message) = produce(9, seed);
        let mut expected = Counted::default();
        for (number, partition) in (seed..).zip(&mut message.topic_data[0].partition_data) {
            partition.records = Some(records(number, cut));
            let more = count(partition.records.as_ref().unwrap());
            (expected.bytes, expected.records) = (expected.bytes + more.bytes, expected.records + more.records);
        }
        let body = codec::encode(&message, 9).unwrap();
        let (head, mut tail) = OneTopicHead::read(&PRODUCE_REQUEST, 9, body.len(), &body).unwrap().unwrap();
        let (_, error) = relay(&body[head.len..], piece, |chunk| tail.push(chunk));
        prop_assert_eq!((error, tail.take_counted()), (None, expected));
        prop_assert_eq!(tail.take_counted(), Counted::default());
    }

    #[test]
    fn a_streamed_fetch_is_the_one_decoded_edited_and_encoded(seed in 0_u64..1 << 32, version in 13_i16..=18, piece in 1_usize..64) {
        let (body, mut expected) = fetch_with_topics(version, seed);
        let out = fetch(&body, version, body.len());
        prop_assert_eq!(&fetch(&body, version, piece), &out, "cut into {}", piece);
        for topic in &mut expected.responses {
            topic.topic_id = swapped(topic.topic_id);
        }
        let mut after = decode_fetch(&out, version);
        if !expected.node_endpoints.is_empty() {
            expected.node_endpoints.clear();
            prop_assert_eq!(after.unknown_tagged_fields.len(), 1);
            after.unknown_tagged_fields.clear();
        }
        prop_assert_eq!(after, expected);
    }

    #[test]
    fn a_streamed_produce_is_the_one_decoded_renamed_and_encoded(seed in 0_u64..1 << 32, version in 3_i16..=13, piece in 1_usize..64, name in "[a-z]{1,200}") {
        let (body, mut expected) = produce(version, seed);
        let topic = if version >= 13 { TopicRef::Id(Uuid::from_u128(7)) } else { TopicRef::Name(name.clone()) };
        let (out, head, partitions) = stream(&body, version, piece, &topic);
        prop_assert_eq!(head.acks, expected.acks);
        let indexes: Vec<i32> = expected.topic_data[0].partition_data.iter().map(|partition| partition.index).collect();
        prop_assert_eq!(partitions, indexes);
        if version >= 13 {
            expected.topic_data[0].topic_id = Uuid::from_u128(7);
        } else {
            expected.topic_data[0].name = StrBytes::from_string(name).into();
        }
        expected.transactional_id =
            expected.transactional_id.map(|id| StrBytes::from_string(format!("zone:{}", *id)).into());
        if let Some(content) = expected.unknown_tagged_fields.remove(&5) {
            expected.unknown_tagged_fields.insert(127, Bytes::from(vec![0; content.len()]));
        }
        prop_assert_eq!(BytesMut::from(&out[..]), codec::encode(&expected, version).unwrap());
    }

    #[test]
    fn mutated_bytes_never_panic_and_are_never_released_after_an_error(
        seed in 0_u64..1 << 32,
        at: proptest::sample::Index,
        byte: u8,
        piece in 1_usize..64,
    ) {
        let (mut body, _) = fetch_with_topics(16, seed);
        let at = at.index(body.len());
        body[at] = byte;
        let mut editor = ResponseIdSwap::new(&FETCH_RESPONSE, 16, body.len());
        let (out, error) = relay(&body, piece, |chunk| editor.push(chunk, |id| Some(swapped(id)), |_, _| {}));
        prop_assert_eq!(error.is_none(), editor.is_complete());
        prop_assert!(out.len() <= body.len());

        let (body, _) = produce(9, seed);
        let mut body = body.to_vec();
        let at = at % body.len();
        body[at] = byte;
        if let Ok(Some((head, mut tail))) = OneTopicHead::read(&PRODUCE_REQUEST, 9, body.len(), &body) {
            let (_, error) = relay(&body[head.len..], piece, |chunk| tail.push(chunk));
            prop_assert_eq!(error.is_none(), tail.is_complete() || head.len == body.len());
        }
    }
}
