use bytes::BytesMut;
use kafka_protocol::messages::consumer_protocol_assignment::TopicPartition as Assigned;
use kafka_protocol::messages::consumer_protocol_subscription::TopicPartition as Owned;
use kafka_protocol::messages::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use kafka_protocol::protocol::{Encodable, StrBytes};
use proptest::prelude::*;

use super::*;

fn name(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn subscription(topics: &[&str], owned: &[(&str, &[i32])]) -> ConsumerProtocolSubscription {
    ConsumerProtocolSubscription::default()
        .with_topics(topics.iter().map(|topic| name(topic)).collect())
        .with_user_data(Some(Bytes::from_static(b"alias-a inside user data")))
        .with_owned_partitions(
            owned
                .iter()
                .map(|(topic, partitions)| {
                    Owned::default().with_topic(name(topic).into()).with_partitions(partitions.to_vec())
                })
                .collect(),
        )
}

fn assignment(assigned: &[(&str, &[i32])]) -> ConsumerProtocolAssignment {
    let topics = assigned.iter().map(|(topic, partitions)| {
        Assigned::default().with_topic(name(topic).into()).with_partitions(partitions.to_vec())
    });
    ConsumerProtocolAssignment::default()
        .with_assigned_partitions(topics.collect())
        .with_user_data(Some(Bytes::from_static(b"untouched")))
}

fn encoded(message: &impl Encodable, version: i16) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(version);
    message.encode(&mut out, version).unwrap();
    out.freeze()
}

/// Two aliases of one topic, and nothing else known.
fn to_backing(alias: &str) -> Option<String> {
    match alias {
        "alias-a" | "alias-b" => Some("orders".to_owned()),
        "alias-c" => Some("payments".to_owned()),
        _ => None,
    }
}

#[test]
fn names_are_mapped_dropped_and_merged_in_the_members_order() {
    for version in 0..=3 {
        let owned: &[(&str, &[i32])] =
            if version == 0 { &[] } else { &[("alias-b", &[2, 0]), ("secret", &[9]), ("alias-a", &[1, 2])] };
        let merged: &[(&str, &[i32])] = if version == 0 { &[] } else { &[("orders", &[2, 0, 1])] };
        let before = encoded(&subscription(&["alias-c", "alias-a", "secret", "alias-b"], owned), version);
        let after = encoded(&subscription(&["payments", "orders"], merged), version);
        assert_eq!(map_subscription(&before, to_backing), Some(after), "v{version}");
        assert_eq!(names_in_subscription(&before).unwrap(), ["alias-c", "alias-a", "secret", "alias-b"]);
    }
}

#[test]
fn an_assignment_unites_the_partitions_of_merged_topics() {
    for version in 0..=3 {
        let before =
            encoded(&assignment(&[("alias-a", &[0]), ("alias-c", &[5]), ("alias-b", &[1, 0])]), version);
        let after = encoded(&assignment(&[("orders", &[0, 1]), ("payments", &[5])]), version);
        assert_eq!(map_assignment(&before, to_backing), Some(after), "v{version}");
    }
}

#[test]
fn a_newer_version_is_read_as_the_highest_known_and_its_tail_is_kept() {
    let mut newer = encoded(&subscription(&["alias-a"], &[("alias-a", &[3])]), 3).to_vec();
    let mut expected = encoded(&subscription(&["orders"], &[("orders", &[3])]), 3).to_vec();
    for bytes in [&mut newer, &mut expected] {
        bytes[1] = 9;
        bytes.extend(b"something new");
    }
    assert_eq!(map_subscription(&newer, to_backing).unwrap(), expected);
}

#[test]
fn version_1_without_owned_partitions_is_tolerated_as_a_broker_does() {
    let mut bytes = encoded(&subscription(&["alias-a"], &[]), 0).to_vec();
    bytes[1] = 1;
    let mut expected = encoded(&subscription(&["orders"], &[]), 0).to_vec();
    expected[1] = 1;
    assert_eq!(map_subscription(&bytes, to_backing).unwrap(), expected);
}

#[test]
fn bytes_of_another_protocol_are_left_to_the_caller() {
    for bytes in [
        &[][..],
        b"\0",
        b"connect",
        &[0, 0, 0x7f, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0, 0, 0, 0],
        &[0, 0, 0xff],
    ] {
        assert_eq!(map_subscription(bytes, to_backing), None, "{bytes:02x?}");
        assert_eq!(map_assignment(bytes, to_backing), None, "{bytes:02x?}");
        assert_eq!(names_in_subscription(bytes), None, "{bytes:02x?}");
    }
}

proptest! {
    #[test]
    fn mapping_there_and_back_is_the_identity(
        topics in proptest::collection::btree_map("[a-z]{1,8}", proptest::collection::btree_set(0..50, 0..5), 0..6),
        version in 1_i16..=3,
    ) {
        let owned: Vec<(String, Vec<i32>)> = topics.into_iter().map(|(t, p)| (t, p.into_iter().collect())).collect();
        let owned: Vec<(&str, &[i32])> = owned.iter().map(|(t, p)| (t.as_str(), p.as_slice())).collect();
        let names: Vec<&str> = owned.iter().map(|(topic, _)| *topic).collect();
        let there = |name: &str| Some(format!("zone.{name}"));
        let back = |name: &str| name.strip_prefix("zone.").map(str::to_owned);
        let bytes = encoded(&subscription(&names, &owned), version);
        prop_assert_eq!(map_subscription(&map_subscription(&bytes, there).unwrap(), back), Some(bytes));
        let bytes = encoded(&assignment(&owned), version);
        prop_assert_eq!(map_assignment(&map_assignment(&bytes, there).unwrap(), back), Some(bytes));
    }

    #[test]
    fn random_and_cut_bytes_never_panic(noise in proptest::collection::vec(any::<u8>(), 0..80), cut in 0_usize..80) {
        let whole = encoded(&subscription(&["alias-a", "x"], &[("alias-a", &[1])]), 3);
        for bytes in [&noise[..], &whole[..cut.min(whole.len())]] {
            let _ = (map_subscription(bytes, to_backing), map_assignment(bytes, to_backing), names_in_subscription(bytes));
        }
    }
}
