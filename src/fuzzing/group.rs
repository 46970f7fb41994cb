//! What consumers hand each other through a group: whatever is rewritten reads as what it was, under other names.

use crate::kafka::consumer_protocol::{map_assignment, map_subscription, names_in_subscription};

pub(super) fn run(data: &[u8]) {
    if let Some(mapped) = map_subscription(data, |name| Some(format!("x{name}"))) {
        let mut before: Vec<String> = Vec::new();
        for name in names_in_subscription(data).expect("it was mapped") {
            let name = format!("x{name}");
            if !before.contains(&name) {
                before.push(name);
            }
        }
        assert_eq!(names_in_subscription(&mapped), Some(before));
        let back = map_subscription(&mapped, |name| name.strip_prefix('x').map(str::to_owned));
        let merged = map_subscription(data, |name| Some(name.to_owned()));
        assert_eq!(back, merged);
    }
    if let Some(mapped) = map_assignment(data, |name| Some(format!("x{name}"))) {
        let back = map_assignment(&mapped, |name| name.strip_prefix('x').map(str::to_owned));
        assert_eq!(back, map_assignment(data, |name| Some(name.to_owned())));
    }
    assert!(
        map_subscription(data, |_| None).is_none_or(|empty| names_in_subscription(&empty) == Some(vec![]))
    );
}

/// A subscription and an assignment of each version: two topics, user data, owned partitions, generation, rack.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let partitions = b"\0\0\0\x01\0\x02in\0\0\0\x02\0\0\0\0\0\0\0\x01";
    let of = |version: u8| {
        let subscription =
            [&[0, version][..], b"\0\0\0\x02\0\x02in\0\x03out\0\0\0\x01u", partitions, b"\0\0\0\x05\0\x01r"];
        let assignment = [&[0, version][..], partitions, b"\0\0\0\x01u"];
        [subscription.concat(), assignment.concat()]
    };
    (0..=4).flat_map(of).collect()
}
