use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseTopics;

use super::*;
use crate::gateway::api::fixture::{Partner, Produce, Read, Write, topic};

/// Names with partitions.
type Topics<'a> = &'a [(&'a str, &'a [i32])];
type Wanted<'a> = Option<Topics<'a>>;

/// A request in the form of its version: below 8 only the first group counts.
fn ask(version: i16, groups: &[(&str, Wanted<'_>)]) -> OffsetFetchRequest {
    let group = |(name, topics): &(&str, Wanted<'_>)| {
        let topics = topics.map(|topics| {
            let of = |(name, partitions): &(&str, &[i32])| {
                OffsetFetchRequestTopics::default()
                    .with_name(topic(name))
                    .with_partition_indexes(partitions.to_vec())
            };
            topics.iter().map(of).collect()
        });
        OffsetFetchRequestGroup::default()
            .with_group_id(GroupId((*name).to_owned().into()))
            .with_topics(topics)
    };
    let mut groups: Vec<_> = groups.iter().map(group).collect();
    let mut request = OffsetFetchRequest::default();
    if version < BATCHED {
        split_single(&mut request, groups.remove(0));
    } else {
        request.groups = groups;
    }
    request
}

/// The request's groups, whatever its version.
fn groups_of(version: i16, mut request: OffsetFetchRequest) -> Vec<OffsetFetchRequestGroup> {
    if version < BATCHED { vec![single_request(&mut request)] } else { request.groups }
}

/// A broker's answer for one group: these topics with partitions, committed at 100 + partition.
fn answer(version: i16, groups: &[(&str, Topics<'_>)]) -> OffsetFetchResponse {
    let group = |(name, topics): &(&str, Topics<'_>)| {
        let of = |(name, partitions): &(&str, &[i32])| {
            let partition = |&index: &i32| {
                OffsetFetchResponsePartitions::default()
                    .with_partition_index(index)
                    .with_committed_offset(100 + i64::from(index))
                    .with_metadata(Some("".into()))
            };
            group::topic(topic(name), partitions.iter().map(partition).collect())
        };
        OffsetFetchResponseGroup::default()
            .with_group_id(GroupId((*name).to_owned().into()))
            .with_topics(topics.iter().map(of).collect())
    };
    with_groups(OffsetFetchResponse::default(), version, groups.iter().map(group).collect())
}

/// Topics with (partition, offset, error).
type SeenTopics = Vec<(String, Vec<(i32, i64, i16)>)>;
type Seen = Vec<(String, SeenTopics)>;

fn seen(version: i16, mut response: OffsetFetchResponse) -> Seen {
    let groups = if version < BATCHED { vec![single_response(&mut response)] } else { response.groups };
    let topic = |topic: &OffsetFetchResponseTopics| {
        let of = |p: &OffsetFetchResponsePartitions| (p.partition_index, p.committed_offset, p.error_code);
        (topic.name.to_string(), topic.partitions.iter().map(of).collect())
    };
    let group = |group: &OffsetFetchResponseGroup| {
        (group.group_id.to_string(), group.topics.iter().map(topic).collect())
    };
    groups.iter().map(group).collect()
}

fn topics(seen: Seen) -> SeenTopics {
    seen.into_iter().next().unwrap().1
}

#[test]
fn aliases_of_one_topic_are_asked_once_and_each_gets_what_it_asked_for_at_every_version() {
    let partner = Partner::of(&[("a", "t", Read), ("b", "t", Write), ("t", "a", Read)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let wanted: Wanted<'_> = Some(&[("b", &[1, 2]), ("a", &[0, 1]), ("t", &[5])]);
        let (sent, awaited) = partner.send(9, version, &ask(version, &[("g", wanted)])).forwarded();
        let groups = groups_of(version, sent);
        assert_eq!(
            groups,
            groups_of(version, ask(version, &[("acme:g", Some(&[("a", &[5]), ("t", &[0, 1, 2])]))]))
        );
        let response = answer(version, &[("acme:g", &[("t", &[2, 1, 0]), ("a", &[5])])]);
        let seen = seen(version, partner.receive(awaited, &response));
        let group = if version < BATCHED { "" } else { "g" };
        assert_eq!(seen[0].0, group, "v{version}");
        let expected = [
            ("b".to_owned(), vec![(2, 102, 0), (1, 101, 0)]),
            ("a".to_owned(), vec![(1, 101, 0), (0, 100, 0)]),
            ("t".to_owned(), vec![(5, 105, 0)]),
        ];
        assert_eq!(topics(seen), expected, "v{version}");
    }
}

#[test]
fn all_offsets_are_shown_under_every_readable_alias_and_nothing_else() {
    let partner = Partner::of(&[("a", "t", Read), ("b", "t", Write), ("in", "t", Produce), ("c", "u", Read)]);
    for version in 2..=VERSIONS.last {
        let (sent, awaited) = partner.send(9, version, &ask(version, &[("g", None)])).forwarded();
        assert_eq!(groups_of(version, sent)[0].topics, None);
        let response = answer(version, &[("acme:g", &[("t", &[0]), ("no-longer-shared", &[1])])]);
        let seen = topics(seen(version, partner.receive(awaited, &response)));
        assert_eq!(seen, [("a".to_owned(), vec![(0, 100, 0)]), ("b".to_owned(), vec![(0, 100, 0)])]);
    }
}

#[test]
fn what_may_not_be_read_is_refused_here_at_every_version() {
    let partner = Partner::of(&[("a", "t", Read), ("in", "u", Produce)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let wanted: Wanted<'_> = Some(&[("t", &[0]), ("in", &[1]), ("a", &[2])]);
        let (_, awaited) =
            partner.send(9, version, &ask(version, &[("g", wanted)])).forwarded::<OffsetFetchRequest>();
        let response = answer(version, &[("acme:g", &[("t", &[2])])]);
        let merged = topics(seen(version, partner.receive(awaited, &response)));
        let expected = [("a", vec![(2, 102, 0)]), ("t", vec![(0, -1, 29)]), ("in", vec![(1, -1, 29)])];
        assert_eq!(merged, expected.map(|(name, partitions)| (name.to_owned(), partitions)));
        let nothing: Wanted<'_> = Some(&[("t", &[0])]);
        let local = partner.send(9, version, &ask(version, &[("g", nothing)])).answered();
        assert_eq!(topics(seen(version, local)), [("t".to_owned(), vec![(0, -1, 29)])]);
    }
}

#[test]
fn groups_in_a_batch_are_matched_by_name_and_an_impossible_one_is_answered_here() {
    let partner = Partner::of(&[("a", "t", Read)]);
    let long = "g".repeat(32_767);
    let wanted: Wanted<'_> = Some(&[("a", &[0])]);
    let request = ask(8, &[("one", wanted), (&long, wanted), ("two", None)]);
    let (sent, awaited) = partner.send(9, 8, &request).forwarded::<OffsetFetchRequest>();
    assert_eq!(sent.groups.len(), 2);
    let response =
        answer(8, &[("acme:two", &[("t", &[7])]), ("other:one", &[]), ("acme:one", &[("t", &[0])])]);
    let response: OffsetFetchResponse = partner.receive(awaited, &response);
    let codes: Vec<_> =
        response.groups.iter().map(|group| (group.group_id.len(), group.error_code)).collect();
    assert_eq!(codes, [(3, 0), (3, 0), (long.len(), 24)]);
    let seen = seen(8, response);
    assert_eq!(seen[0], ("two".to_owned(), vec![("a".to_owned(), vec![(7, 107, 0)])]));
    assert_eq!(seen[1], ("one".to_owned(), vec![("a".to_owned(), vec![(0, 100, 0)])]));
}

#[test]
fn an_impossible_group_has_its_error_where_the_version_has_room() {
    let partner = Partner::of(&[("a", "t", Read)]);
    let long = "g".repeat(32_767);
    for version in VERSIONS.first..=VERSIONS.last {
        let wanted: Wanted<'_> = Some(&[("a", &[0])]);
        let mut answer: OffsetFetchResponse =
            partner.send(9, version, &ask(version, &[(&long, wanted)])).answered();
        let group = if version < BATCHED { single_response(&mut answer) } else { answer.groups.remove(0) };
        let partition = group.topics.first().map(|topic| topic.partitions[0].error_code);
        let expected = if version == 1 { (0, Some(24)) } else { (24, None) };
        assert_eq!((group.error_code, partition), expected, "v{version}");
    }
}

#[test]
fn what_is_asked_for_again_and_again_is_answered_once_at_every_version() {
    let partner = Partner::of(&[("a", "t", Read)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let repeated: Vec<(&str, &[i32])> =
            [("a", &[1, 0][..]), ("hidden", &[4]), ("a", &[1]), ("hidden", &[4, 3]), ("a", &[2, 1])]
                .repeat(50);
        let wanted: Wanted<'_> = Some(&repeated);
        let (sent, awaited) = partner.send(9, version, &ask(version, &[("g", wanted); 20])).forwarded();
        let once: Wanted<'_> = Some(&[("t", &[0, 1, 2])]);
        assert_eq!(groups_of(version, sent), groups_of(version, ask(version, &[("acme:g", once)])));
        let response = answer(version, &[("acme:g", &[("t", &[0, 1, 2])])]);
        let seen = seen(version, partner.receive(awaited, &response));
        assert_eq!(seen.len(), 1, "v{version}");
        let expected = [
            ("a".to_owned(), vec![(0, 100, 0), (1, 101, 0), (2, 102, 0)]),
            ("hidden".to_owned(), vec![(3, -1, 29), (4, -1, 29)]),
        ];
        assert_eq!(topics(seen), expected, "v{version}");
    }
}

#[test]
fn a_group_that_is_asked_for_everything_is_asked_for_that_once() {
    let partner = Partner::of(&[("a", "t", Read)]);
    let wanted: Wanted<'_> = Some(&[("a", &[0])]);
    for groups in [[("g", None), ("g", wanted)], [("g", wanted), ("g", None)], [("g", None), ("g", None)]] {
        let (sent, _) = partner.send(9, 8, &ask(8, &groups)).forwarded::<OffsetFetchRequest>();
        assert_eq!(sent, ask(8, &[("acme:g", None)]));
    }
}

#[test]
fn a_request_is_not_kept_for_the_names_that_it_was_refused_for() {
    let partner = Partner::of(&[("a", "t", Read)]);
    let long = "g".repeat(32_767);
    let wanted: Wanted<'_> = Some(&[("hidden", &[0]), ("a", &[0])]);
    for version in [1, 7, 8, VERSIONS.last] {
        assert!(!partner.keeps_request(9, version, &ask(version, &[("g", wanted), (&long, wanted)])));
    }
}
