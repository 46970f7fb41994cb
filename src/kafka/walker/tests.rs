use kafka_protocol::messages::{FetchResponse, ProduceRequest};
use proptest::prelude::*;

use super::*;
use crate::kafka::sample::{self, FETCH_RESPONSE, PRODUCE_REQUEST};
use crate::kafka::shape::{Entity, Versions};

static TOPICS: Shape = Shape {
    api_key: 3,
    name: "MetadataRequest",
    versions: Versions::new(0, 9),
    flexible_since: 9,
    fields: &[
        Field::new("topics", Type::Array(&Type::Struct(&[Field::new("name", Type::String)])))
            .nullable_since(1),
        Field::new("extra", Type::Int32).since(9).tagged(2),
    ],
};

/// Every byte of a body with the kind of event that covered it, fed in pieces.
fn trace(
    shape: &'static Shape,
    version: i16,
    body: &[u8],
    piece: usize,
) -> Result<Vec<&'static str>, WalkError> {
    let mut walker = Walker::new(shape, version, body.len(), Limits::default());
    let (mut position, mut arrived, mut kinds) = (0, 0, Vec::new());
    loop {
        let event = walker.next(&body[position..arrived])?;
        let kind = match &event {
            Event::End => break,
            Event::More { needed } => {
                assert!(*needed > arrived - position, "asked for bytes it already has");
                assert!(arrived < body.len(), "asked for more than the body");
                arrived = body.len().min(arrived + piece);
                continue;
            }
            Event::Pass { .. } => "pass",
            Event::Entity { field, .. } => field.name,
            Event::Array { .. } => "array",
            Event::Records { .. } => "records",
            Event::Payload { .. } => "payload",
            Event::Tagged { .. } => "tagged",
        };
        assert!(
            event.len() > 0 && position + event.len() <= arrived,
            "{event:?} covers what has not arrived"
        );
        position += event.len();
        kinds.resize(position, kind);
    }
    assert_eq!(position, body.len());
    Ok(kinds)
}

#[test]
fn what_the_shapes_allow_is_what_kafka_protocol_reads_and_writes() {
    for version in 3..=13 {
        sample::assert_agreement::<ProduceRequest>(&PRODUCE_REQUEST, version);
    }
    for version in 4..=18 {
        sample::assert_agreement::<FetchResponse>(&FETCH_RESPONSE, version);
    }
}

#[test]
fn a_hostile_array_count_is_refused_before_anything_is_allocated() {
    assert_eq!(walk(&TOPICS, 1, &[0x7f, 0xff, 0xff, 0xff]), Err(WalkError::BeyondEnd));
    assert_eq!(walk(&TOPICS, 9, &[0xff, 0xff, 0xff, 0xff, 0x0f]), Err(WalkError::BeyondEnd));
    let mut walker = Walker::new(&TOPICS, 1, usize::MAX, Limits::default());
    assert_eq!(walker.next(&[0x7f, 0xff, 0xff, 0xff]), Err(WalkError::TooManyElements));
    assert!(walker.stack.capacity() < 64);
}

#[test]
fn the_element_budget_holds_over_the_whole_body() {
    let limits = Limits { elements: 2, ..Limits::default() };
    let body = [0, 0, 0, 3, 0, 0, 0, 0, 0, 0];
    assert_eq!(Walker::new(&TOPICS, 1, body.len(), limits).next(&body), Err(WalkError::TooManyElements));
    assert_eq!(walk(&TOPICS, 1, &body), Ok(()));
}

#[test]
fn each_malformation_has_its_own_error() {
    let cases: [(i16, &[u8], WalkError); 15] = [
        (1, &[0xff, 0xff, 0xff, 0xfe], WalkError::NegativeLength),
        (0, &[0xff, 0xff, 0xff, 0xff], WalkError::UnexpectedNull),
        (1, &[0, 0, 0, 1, 0xff, 0xff], WalkError::UnexpectedNull),
        (1, &[0, 0, 0, 1, 0xff, 0xfe], WalkError::NegativeLength),
        (1, &[0, 0, 0, 1, 0, 1], WalkError::BeyondEnd),
        (1, &[0, 0], WalkError::Truncated),
        (1, &[0, 0, 0, 0, 0], WalkError::TrailingBytes),
        (9, &[1], WalkError::Truncated),
        (9, &[0x80, 0x00, 0], WalkError::Varint),
        (9, &[1, 65], WalkError::TooManyTaggedFields),
        (9, &[1, 2, 5, 0, 3, 0], WalkError::TagOrder),
        (9, &[1, 1, 2, 5, 0, 0, 0, 0, 0], WalkError::TagSize),
        (9, &[1, 1, 2, 3, 0, 0, 0], WalkError::Truncated),
        (9, &[1, 1, 7, 9, 0], WalkError::BeyondEnd),
        (10, &[1, 0], WalkError::UnknownVersion),
    ];
    for (version, body, expected) in cases {
        assert_eq!(walk(&TOPICS, version, body), Err(expected), "v{version} {body:02x?}");
    }
    let mut endpoints_too_early = sample::body(&FETCH_RESPONSE, 15, 1);
    *endpoints_too_early.last_mut().unwrap() = 1;
    endpoints_too_early.extend([0, 1, 1]);
    assert_eq!(walk(&FETCH_RESPONSE, 15, &endpoints_too_early), Err(WalkError::TagNotInVersion));
}

#[test]
fn a_string_longer_than_kafkas_own_limit_is_refused_in_compact_form_too() {
    let mut body = vec![2, 0x81, 0x80, 0x02];
    body.extend(std::iter::repeat_n(b'a', 0x8000));
    body.extend([0, 0]);
    assert_eq!(walk(&TOPICS, 9, &body), Err(WalkError::StringTooLong));
}

#[test]
fn an_unknown_tagged_field_is_reported_with_its_size() {
    let body = [1, 2, 2, 4, 0, 0, 0, 1, 9, 3, 7, 7, 7];
    assert_eq!(walk(&TOPICS, 9, &body), Ok(()));
    assert_eq!(
        trace(&TOPICS, 9, &body, usize::MAX / 2).unwrap(),
        [
            "array", "pass", "tagged", "tagged", "pass", "pass", "pass", "pass", "tagged", "tagged", "pass",
            "pass", "pass"
        ]
    );
}

#[test]
fn a_record_set_is_passed_on_as_it_arrives_and_never_waited_for() {
    let body_len = 1_000_000;
    let mut head = vec![0xff, 0xff, 0, 1, 0, 0, 0, 9, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0];
    let size = body_len - head.len() - 4;
    head.extend(u32::try_from(size).unwrap().to_be_bytes());
    let mut walker = Walker::new(&PRODUCE_REQUEST, 3, body_len, Limits::default());
    let mut position = 0;
    loop {
        match walker.next(&head[position..]).unwrap() {
            Event::Records { len, size: found, .. } => {
                assert_eq!(found, Some(size));
                position += len;
                break;
            }
            event => position += event.len(),
        }
    }
    assert_eq!(position, head.len());
    assert_eq!(walker.next(&[]), Ok(Event::More { needed: 1 }));
    assert_eq!(walker.next(&[1, 2, 3]), Ok(Event::Payload { len: 3, left: size - 3 }));
}

#[test]
fn acks_and_partitions_are_shown_while_a_produce_request_arrives() {
    let mut shown = Vec::new();
    for seed in 0..10 {
        let body = sample::body(&PRODUCE_REQUEST, 9, seed);
        let mut walker = Walker::new(&PRODUCE_REQUEST, 9, body.len(), Limits::default());
        let mut position = 0;
        loop {
            let event = walker.next(&body[position..]).unwrap();
            match &event {
                Event::End => break,
                Event::Entity { field, .. } => shown.push(field.entity.unwrap()),
                _ => {}
            }
            position += event.len();
        }
    }
    assert_eq!(shown[..2], [Entity::TransactionalId, Entity::Acks]);
    assert!(shown.contains(&Entity::TopicName) && shown.contains(&Entity::PartitionIndex), "{shown:?}");
}

proptest! {
    #[test]
    fn however_a_body_is_cut_every_byte_is_told_the_same(seed: u64, version in 4_i16..=18, piece in 1_usize..40) {
        let body = sample::body(&FETCH_RESPONSE, version, seed);
        let whole = trace(&FETCH_RESPONSE, version, &body, body.len()).unwrap();
        prop_assert_eq!(trace(&FETCH_RESPONSE, version, &body, piece).unwrap(), whole);
    }

    #[test]
    fn mutated_bytes_end_in_an_error_or_an_end_whatever_the_pieces(
        seed: u64,
        version in 4_i16..=18,
        piece in 1_usize..40,
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut body = sample::body(&FETCH_RESPONSE, version, seed);
        for (index, byte) in edits {
            let at = index.index(body.len());
            body[at] = byte;
        }
        let whole = trace(&FETCH_RESPONSE, version, &body, body.len());
        prop_assert_eq!(&trace(&FETCH_RESPONSE, version, &body, piece), &whole);
        if whole.is_ok() {
            // What the walker accepts must be safe to decode; a value may still be refused (text that is not UTF-8).
            let _ = crate::kafka::codec::decode::<FetchResponse>(&FETCH_RESPONSE, version, body.into());
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), version in 3_i16..=13) {
        let whole = trace(&PRODUCE_REQUEST, version, &bytes, bytes.len().max(1));
        prop_assert_eq!(trace(&PRODUCE_REQUEST, version, &bytes, 1), whole);
    }
}
