use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, NodeEndpoint, PartitionData};

use super::*;
use crate::gateway::api::fixture::{self, Partner, Produce, Read, Write, real_id, topic};
use crate::kafka::codec;
use crate::kafka::records::{Codec, NewRecord, build};
use crate::zone::Volume;

/// A topic in the words of a version: its name, or the id that `alias` is known by; an unknown one has an id of its own.
fn named(partner: &Partner, version: i16, alias: &str) -> (messages::TopicName, Uuid) {
    if version < BY_ID {
        return (topic(alias), Uuid::nil());
    }
    let ids = partner.view.by_alias(alias).and_then(|topic| topic.ids);
    (topic(""), ids.map_or_else(|| real_id(alias), |ids| ids.synthetic))
}

pub(super) fn ask(
    partner: &Partner,
    version: i16,
    session: (i32, i32),
    topics: &[(&str, &[i32])],
) -> FetchRequest {
    let of = |(alias, partitions): &(&str, &[i32])| {
        let (name, id) = named(partner, version, alias);
        let partition = |&index: &i32| FetchPartition::default().with_partition(index).with_fetch_offset(5);
        FetchTopic::default()
            .with_topic(name)
            .with_topic_id(id)
            .with_partitions(partitions.iter().map(partition).collect())
    };
    FetchRequest::default()
        .with_session_id(session.0)
        .with_session_epoch(session.1)
        .with_topics(topics.iter().map(of).collect())
}

fn forget(
    partner: &Partner,
    version: i16,
    request: FetchRequest,
    alias: &str,
    partitions: &[i32],
) -> FetchRequest {
    let (name, id) = named(partner, version, alias);
    let forgotten =
        ForgottenTopic::default().with_topic(name).with_topic_id(id).with_partitions(partitions.to_vec());
    request.with_forgotten_topics_data(vec![forgotten])
}

/// A broker's answer about these backing topics, with ten bytes of records for each partition.
pub(super) fn answer(version: i16, session: i32, topics: &[(&str, &[i32])]) -> FetchResponse {
    let of = |(backing, partitions): &(&str, &[i32])| {
        let partition = |&index: &i32| {
            PartitionData::default()
                .with_partition_index(index)
                .with_high_watermark(9)
                .with_records(Some(Bytes::from_static(b"0123456789")))
        };
        let topic =
            FetchableTopicResponse::default().with_partitions(partitions.iter().map(partition).collect());
        if version < BY_ID {
            topic.with_topic(fixture::topic(backing))
        } else {
            topic.with_topic_id(real_id(backing))
        }
    };
    FetchResponse::default().with_session_id(session).with_responses(topics.iter().map(of).collect())
}

/// (alias, [(partition, error)]) of a response, ids resolved by the partner's own table.
pub(super) fn seen(partner: &Partner, response: &FetchResponse) -> Vec<(String, Vec<(i32, i16)>)> {
    let of = |t: &FetchableTopicResponse| {
        let known = partner.view.by_synthetic_id(t.topic_id).map(|topic| topic.alias.to_string());
        let name =
            if t.topic_id.is_nil() { t.topic.to_string() } else { known.unwrap_or_else(|| "?".to_owned()) };
        (name, t.partitions.iter().map(|p| (p.partition_index, p.error_code)).collect())
    };
    response.responses.iter().map(of).collect()
}

fn topics<const N: usize>(topics: [(&str, &[(i32, i16)]); N]) -> Vec<(String, Vec<(i32, i16)>)> {
    topics.map(|(name, partitions)| (name.to_owned(), partitions.to_vec())).into()
}

/// Backing names or ids in a forwarded request.
fn sent_topics(version: i16, request: &FetchRequest) -> Vec<String> {
    let of = |t: &FetchTopic| if version < BY_ID { t.topic.to_string() } else { t.topic_id.to_string() };
    request.topics.iter().map(of).collect()
}

fn backing(version: i16, name: &str) -> String {
    if version < BY_ID { name.to_owned() } else { real_id(name).to_string() }
}

/// Opens session 77 at the broker with these topics; `got` is what the broker answers for.
fn open(partner: &Partner, version: i16, wanted: &[(&str, &[i32])], got: &[(&str, &[i32])]) -> FetchResponse {
    let (_, awaited) =
        partner.send(1, version, &ask(partner, version, (0, 0), wanted)).forwarded::<FetchRequest>();
    partner.receive(awaited, &answer(version, 77, got))
}

pub(super) fn error_code(partner: &Partner, version: i16, request: &FetchRequest) -> i16 {
    partner.send(1, version, request).answered::<FetchResponse>().error_code
}

#[test]
fn swapped_aliases_are_read_from_where_they_should_at_every_version() {
    let partner = Partner::of(&[("a", "b", Read), ("b", "a", Write)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let request = ask(&partner, version, (0, -1), &[("a", &[0]), ("b", &[1])]);
        let (sent, awaited) = partner.send(1, version, &request).forwarded::<FetchRequest>();
        assert_eq!(sent_topics(version, &sent), [backing(version, "b"), backing(version, "a")]);
        let response: FetchResponse =
            partner.receive(awaited, &answer(version, 0, &[("a", &[1]), ("b", &[0])]));
        assert_eq!(seen(&partner, &response), topics([("b", &[(1, 0)]), ("a", &[(0, 0)])]), "v{version}");
        assert_eq!(response.responses[0].partitions[0].records, Some(Bytes::from_static(b"0123456789")));
    }
}

#[test]
fn what_may_not_be_read_is_taken_out_and_answered_at_every_version() {
    // `x` is the name of a shared topic's backing topic, `in` is write only.
    let zone = [("t", "x", Read), ("in", "y", Produce)];
    let partner = Partner::of(&zone);
    for version in VERSIONS.first..=VERSIONS.last {
        let wanted: &[(&str, &[i32])] = &[("x", &[0]), ("in", &[0, 1]), ("t", &[0])];
        let request = ask(&partner, version, (0, -1), wanted);
        let (sent, awaited) = partner.send(1, version, &request).forwarded::<FetchRequest>();
        assert_eq!(sent_topics(version, &sent), [backing(version, "x")]);
        let response: FetchResponse = partner.receive(awaited, &answer(version, 0, &[("x", &[0])]));
        let mut seen = seen(&partner, &response);
        seen.sort();
        let (unknown, code) = if version < BY_ID { ("x", 29) } else { ("?", 100) };
        let refused = [("in", &[(0, 29), (1, 29)][..]), ("t", &[(0, 0)]), (unknown, &[(0, code)])];
        let mut expected = topics(refused);
        expected.sort();
        assert_eq!(seen, expected, "v{version}");
    }
}

#[test]
fn a_partner_is_a_consumer_whatever_it_says() {
    let partner = Partner::of(&[("a", "x", Read)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let mut request = ask(&partner, version, (0, -1), &[("a", &[0])])
            .with_max_bytes(i32::MAX)
            .with_max_wait_ms(i32::MAX);
        if version <= 14 {
            request.replica_id = BrokerId(3);
        } else {
            request.replica_state =
                ReplicaState::default().with_replica_id(BrokerId(3)).with_replica_epoch(4);
        }
        if version >= 12 {
            request.cluster_id = Some("real".into());
        }
        if version >= 17 {
            request.topics[0].partitions[0].replica_directory_id = real_id("directory");
        }
        if version >= 18 {
            request.topics[0].partitions[0].high_watermark = 0;
        }
        let (sent, _) = partner.send(1, version, &request).forwarded::<FetchRequest>();
        assert_eq!((sent.replica_id, sent.replica_state), (BrokerId(-1), ReplicaState::default()));
        assert_eq!((sent.cluster_id, sent.max_bytes, sent.max_wait_ms), (None, MAX_BYTES, MAX_WAIT));
        let partition = &sent.topics[0].partitions[0];
        assert_eq!((partition.replica_directory_id, partition.high_watermark), (Uuid::nil(), i64::MAX));
        assert_eq!(partition.fetch_offset, 5);
    }
}

#[test]
fn new_leaders_stand_at_their_advertised_addresses() {
    let partner = Partner::of(&[("a", "x", Read)]);
    for version in 16..=VERSIONS.last {
        let request = ask(&partner, version, (0, -1), &[("a", &[0])]);
        let (_, awaited) = partner.send(1, version, &request).forwarded::<FetchRequest>();
        let endpoint = |id| {
            NodeEndpoint::default().with_node_id(BrokerId(id)).with_host("10.0.0.1".into()).with_port(9092)
        };
        let response = answer(version, 0, &[("x", &[0])]).with_node_endpoints(vec![endpoint(3), endpoint(8)]);
        let response: FetchResponse = partner.receive(awaited, &response);
        let endpoints: Vec<_> =
            response.node_endpoints.iter().map(|e| (*e.node_id, e.host.to_string(), e.port)).collect();
        assert_eq!(endpoints, [(3, "gw.example.com".to_owned(), 19_103)]);
    }
}

#[test]
fn an_error_is_repeated_in_every_response_of_a_session_until_the_partition_is_forgotten() {
    let partner = Partner::of(&[("a", "x", Read), ("in", "y", Produce)]);
    for version in [7, 12, 13, 18] {
        let opened = open(&partner, version, &[("a", &[0]), ("in", &[0, 1])], &[("x", &[0])]);
        assert_eq!(opened.session_id, 77);
        assert_eq!(seen(&partner, &opened), topics([("a", &[(0, 0)]), ("in", &[(0, 29), (1, 29)])]));
        for (epoch, forgets, left) in
            [(1, None, &[(0, 29), (1, 29)][..]), (2, Some(0), &[(1, 29)]), (3, Some(1), &[])]
        {
            let mut request = ask(&partner, version, (77, epoch), &[]);
            if let Some(partition) = forgets {
                request = forget(&partner, version, request, "in", &[partition]);
            }
            let (sent, awaited) = partner.send(1, version, &request).forwarded::<FetchRequest>();
            assert_eq!((sent.session_id, sent.session_epoch), (77, epoch));
            assert!(sent.topics.is_empty() && sent.forgotten_topics_data.is_empty());
            // An incremental response has only what is new; it is mapped by what the session knows.
            let response: FetchResponse = partner.receive(awaited, &answer(version, 77, &[("x", &[0])]));
            let mut expected = topics([("a", &[(0, 0)])]);
            if !left.is_empty() {
                expected.extend(topics([("in", left)]));
            }
            assert_eq!(seen(&partner, &response), expected, "v{version}");
        }
    }
}

#[test]
fn what_the_broker_has_is_forgotten_there_under_its_own_name() {
    let partner = Partner::of(&[("a", "x", Read), ("b", "y", Read)]);
    for version in [7, 13] {
        open(&partner, version, &[("a", &[0, 1]), ("b", &[0])], &[]);
        let request = forget(&partner, version, ask(&partner, version, (77, 1), &[]), "a", &[0, 1]);
        let (sent, awaited) = partner.send(1, version, &request).forwarded::<FetchRequest>();
        let [forgotten] = &sent.forgotten_topics_data[..] else { panic!("one topic") };
        let name = if version < BY_ID { forgotten.topic.to_string() } else { forgotten.topic_id.to_string() };
        assert_eq!((name, &forgotten.partitions), (backing(version, "x"), &vec![0, 1]));
        // It is out of the session: were the broker to speak of it, nobody would be told.
        let response: FetchResponse =
            partner.receive(awaited, &answer(version, 77, &[("x", &[0]), ("y", &[0])]));
        assert_eq!(seen(&partner, &response), topics([("b", &[(0, 0)])]));
    }
}

#[test]
fn two_aliases_of_one_topic_take_turns_outside_of_sessions_at_every_version() {
    let partner = Partner::of(&[("one", "t", Read), ("other", "u", Read), ("two", "t", Write)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let mut served = Vec::new();
        for wanted in [&[("one", &[0][..]), ("two", &[0, 1]), ("other", &[7])][..]; 4] {
            let request = ask(&partner, version, (0, 0), wanted).with_max_wait_ms(500);
            let (sent, awaited) = partner.send(1, version, &request).forwarded::<FetchRequest>();
            assert_eq!(sent_topics(version, &sent), [backing(version, "t"), backing(version, "u")]);
            assert_eq!((sent.session_id, sent.session_epoch, sent.max_wait_ms), (0, -1, 100), "v{version}");
            let partitions: Vec<i32> = sent.topics[0].partitions.iter().map(|p| p.partition).collect();
            let response: FetchResponse =
                partner.receive(awaited, &answer(version, 0, &[("t", &partitions), ("u", &[7])]));
            let full = |p: &PartitionData| p.records.as_ref().is_some_and(|records| !records.is_empty());
            let named = seen(&partner, &response).into_iter().zip(&response.responses);
            served.push(
                named.filter(|(_, t)| full(&t.partitions[0])).map(|((name, _), _)| name).collect::<Vec<_>>(),
            );
            let mut all = seen(&partner, &response);
            all.sort();
            let every = [("one", &[(0, 0)][..]), ("other", &[(7, 0)]), ("two", &[(0, 0), (1, 0)])];
            assert_eq!(all, topics(every), "v{version}");
        }
        assert_eq!(served[0], served[2]);
        assert_eq!(served[1], served[3]);
        assert_ne!(served[0], served[1]);
    }
}

#[test]
fn a_second_alias_ends_the_session_and_may_take_the_firsts_place() {
    let partner = Partner::of(&[("one", "t", Read), ("two", "t", Read)]);
    open(&partner, 13, &[("one", &[0])], &[("t", &[0])]);
    assert_eq!(error_code(&partner, 13, &ask(&partner, 13, (77, 1), &[("two", &[0])])), 70);
    open(&partner, 13, &[("one", &[0])], &[("t", &[0])]);
    let request = forget(&partner, 13, ask(&partner, 13, (77, 1), &[("two", &[0])]), "one", &[0]);
    let (sent, awaited) = partner.send(1, 13, &request).forwarded::<FetchRequest>();
    assert_eq!((sent.topics.len(), sent.forgotten_topics_data.len()), (1, 1));
    let response: FetchResponse = partner.receive(awaited, &answer(13, 77, &[("t", &[0])]));
    assert_eq!(seen(&partner, &response), topics([("two", &[(0, 0)])]));
}

#[test]
fn a_session_from_elsewhere_does_not_exist_and_cannot_be_closed() {
    let partner = Partner::of(&[("a", "x", Read)]);
    for version in SESSIONS..=VERSIONS.last {
        assert_eq!(error_code(&partner, version, &ask(&partner, version, (4242, 1), &[])), 70);
        for epoch in [0, -1] {
            let request = ask(&partner, version, (4242, epoch), &[("a", &[0])]);
            let (sent, _) = partner.send(1, version, &request).forwarded::<FetchRequest>();
            assert_eq!((sent.session_id, sent.session_epoch), (0, epoch));
        }
    }
}

#[test]
fn a_session_of_this_connection_is_closed_at_the_broker_when_the_client_says_so() {
    let partner = Partner::of(&[("a", "x", Read)]);
    open(&partner, 13, &[("a", &[0])], &[("x", &[0])]);
    let (sent, _) = partner.send(1, 13, &ask(&partner, 13, (77, -1), &[])).forwarded::<FetchRequest>();
    assert_eq!((sent.session_id, sent.session_epoch), (77, -1));
    assert_eq!(error_code(&partner, 13, &ask(&partner, 13, (77, 1), &[])), 70);
}

#[test]
fn a_change_that_affects_the_session_ends_it_and_the_broker_is_told_with_the_next() {
    let zone = [("a", "x", Read), ("in", "y", Produce)];
    let changes: [(&str, &[(&str, &str, _)]); 4] = [
        ("alias gone", &[("in", "y", Produce)]),
        ("read lost", &[("a", "x", Produce), ("in", "y", Produce)]),
        ("another topic", &[("a", "z", Read), ("in", "y", Produce)]),
        ("a refused one allowed", &[("a", "x", Read), ("in", "y", Write)]),
    ];
    for (what, changed) in changes {
        let mut partner = Partner::of(&zone);
        open(&partner, 13, &[("a", &[0]), ("in", &[0])], &[("x", &[0])]);
        partner.view = fixture::view(changed);
        assert_eq!(error_code(&partner, 13, &ask(&partner, 13, (77, 1), &[])), 70, "{what}");
        assert_eq!(error_code(&partner, 13, &ask(&partner, 13, (77, 2), &[])), 70, "{what}");
        let (sent, _) = partner.send(1, 13, &ask(&partner, 13, (0, 0), &[])).forwarded::<FetchRequest>();
        assert_eq!(sent.session_id, 77, "{what}");
        let (sent, _) = partner.send(1, 13, &ask(&partner, 13, (0, 0), &[])).forwarded::<FetchRequest>();
        assert_eq!(sent.session_id, 0, "{what}");
    }
}

#[test]
fn a_change_that_does_not_affect_the_session_lets_it_be() {
    let mut partner = Partner::of(&[("a", "x", Read), ("in", "y", Produce)]);
    open(&partner, 13, &[("a", &[0]), ("in", &[0])], &[("x", &[0])]);
    partner.view = fixture::view(&[("new", "n", Read), ("a", "x", Read), ("in", "y", Produce)]);
    let (_, awaited) = partner.send(1, 13, &ask(&partner, 13, (77, 1), &[])).forwarded::<FetchRequest>();
    let response: FetchResponse = partner.receive(awaited, &answer(13, 77, &[("x", &[0])]));
    assert_eq!(seen(&partner, &response), topics([("a", &[(0, 0)]), ("in", &[(0, 29)])]));
}

#[test]
fn a_session_that_the_broker_closed_is_gone_here_too() {
    for (session, code, lives) in [(0, 0, false), (0, 70, false), (0, 71, true), (77, 0, true)] {
        let partner = Partner::of(&[("a", "x", Read)]);
        open(&partner, 13, &[("a", &[0])], &[("x", &[0])]);
        let (_, awaited) = partner.send(1, 13, &ask(&partner, 13, (77, 1), &[])).forwarded::<FetchRequest>();
        let _: FetchResponse = partner.receive(awaited, &answer(13, session, &[]).with_error_code(code));
        let sent = partner.send(1, 13, &ask(&partner, 13, (77, 2), &[]));
        assert_eq!(matches!(sent.outcome, Outcome::Forward { .. }), lives, "session {session}, error {code}");
    }
}

#[test]
fn slow_down_stays_an_empty_answer() {
    let partner = Partner::of(&[("a", "x", Read), ("in", "y", Produce)]);
    let request = ask(&partner, 13, (0, 0), &[("a", &[0]), ("in", &[0])]);
    let (_, awaited) = partner.send(1, 13, &request).forwarded::<FetchRequest>();
    let response: FetchResponse = partner.receive(awaited, &answer(13, 0, &[]).with_throttle_time_ms(500));
    assert!(response.responses.is_empty());
}

#[test]
fn a_body_may_pass_as_it_arrives_where_ids_change_or_one_name() {
    let partner = Partner::of(&[("a", "x", Read), ("b", "z", Read), ("in", "y", Produce)]);
    let cases: [(i16, &[&str], bool); 8] = [
        (4, &["a"], true),
        (12, &["a"], true),
        (12, &["a", "b"], false),
        (13, &["a"], true),
        (13, &["a", "b"], true),
        (18, &["a"], true),
        (12, &["in"], false),
        (13, &["a", "in"], false),
    ];
    for (version, wanted, streams) in cases {
        let asked: Vec<(&str, &[i32])> = wanted.iter().map(|alias| (*alias, &[0][..])).collect();
        let sent = partner.send(1, version, &ask(&partner, version, (0, 0), &asked));
        let Outcome::Forward { body, respond: Respond::Fetch(reply) } = sent.outcome else {
            // Nothing of it is for the broker.
            assert!(!streams);
            continue;
        };
        assert_eq!(reply.streams(), streams, "{wanted:?} v{version}");
        let limit = {
            let body = body.pieces().flatten().collect();
            codec::decode::<FetchRequest>(&REQUEST, version, body).unwrap().max_bytes
        };
        assert!(streams || limit <= MAX_HELD_BYTES, "{limit} bytes would be held");
        assert_eq!(reply.shown_name("x").is_some(), wanted.contains(&"a"));
        assert_eq!(reply.shown_name("y"), None);
        if !streams || version < BY_ID {
            continue;
        }
        assert_eq!(
            reply.shown_id(real_id("x")),
            Some(partner.view.by_alias("a").unwrap().ids.unwrap().synthetic)
        );
        assert_eq!(reply.shown_id(real_id("y")), None);
        let body = codec::encode(&answer(version, 77, &[("x", &[0])]), version).unwrap();
        reply.begin(body[..Reply::HEAD].try_into().unwrap(), &partner.memory);
        let (_, awaited) =
            partner.send(1, version, &ask(&partner, version, (77, 1), &[])).forwarded::<FetchRequest>();
        let response: FetchResponse = partner.receive(awaited, &answer(version, 77, &[("x", &[0])]));
        assert_eq!(seen(&partner, &response), topics([("a", &[(0, 0)])]));
    }
}

#[test]
fn a_session_that_names_too_many_partitions_ends() {
    let partner = Partner::of(&[]);
    let many: Vec<i32> = (0..100_001).collect();
    assert_eq!(error_code(&partner, 13, &ask(&partner, 13, (0, 0), &[("x", &many)])), 70);
}

#[test]
fn a_session_remembers_no_more_of_what_is_refused_than_it_must() {
    let partner = Partner::of(&[("a", "backing-a", Read)]);
    let version = 12;
    let open = |name: &str| {
        let request = ask(&partner, version, (0, 0), &[("a", &[0])]);
        let partition = FetchPartition::default().with_partition(0);
        let extra = FetchTopic::default().with_topic(topic(name)).with_partitions(vec![partition]);
        let topics = [request.topics.clone(), vec![extra]].concat();
        partner.send(1, version, &request.with_topics(topics))
    };
    assert!(matches!(open(&"n".repeat(249)).outcome, Outcome::Forward { .. }));
    assert!(matches!(open(&"n".repeat(250)).outcome, Outcome::Answer(_)), "no topic has such a name");

    let view = fixture::view(&[]);
    let named = |n: usize| Shown::Name(topic(&format!("hidden-{n}")));
    let mut session = Session::new(&view);
    for n in 0..5_000 {
        assert_eq!(session.ask(&named(n), std::iter::empty()), Ok(None));
    }
    assert!(session.answered_here().is_empty(), "nothing was asked of these topics");
    let overfull = (0..5_000).find(|&n| session.ask(&named(n), std::iter::once(0)).is_err());
    assert_eq!(overfull, Some(2_000));
    assert_eq!(session.ask(&named(7), std::iter::once(1)), Ok(None), "known ones may still change");
}

#[test]
fn a_session_is_copied_for_few_requests_that_do_not_wait_for_their_responses() {
    let partner = Partner::of(&[("a", "x", Read)]);
    open(&partner, 13, &[("a", &[0])], &[("x", &[0])]);
    for epoch in 1..100 {
        let sent = partner.send(1, 13, &ask(&partner, 13, (77, epoch), &[]));
        let (_, awaited) = sent.forwarded::<FetchRequest>();
        let _: FetchResponse = partner.receive(awaited, &answer(13, 77, &[]));
    }
    let mut under_way = Vec::new();
    let refused = (100..200).find_map(|epoch| {
        let sent = partner.send(1, 13, &ask(&partner, 13, (77, epoch), &[]));
        if matches!(sent.outcome, Outcome::Answer(_)) {
            return Some(sent.answered::<FetchResponse>().error_code);
        }
        under_way.push(sent);
        None
    });
    assert_eq!((refused, under_way.len()), (Some(70), STATES_LIMIT));
}

#[test]
fn what_comes_is_counted_by_the_alias_that_it_was_asked_under_at_every_version() {
    // `b` and `also` are one topic.
    let partner =
        Partner::of(&[("a", "t", Read), ("b", "u", Read), ("also", "u", Read), ("out", "w", Produce)]);
    let batch = |records| build(&vec![NewRecord::default(); records], Codec::Lz4, 1).unwrap();
    let filled = |version, session, topics: &[(&str, &[i32])]| {
        let mut response = answer(version, session, topics);
        for (topic, records) in response.responses.iter_mut().zip(1..) {
            topic.partitions.iter_mut().for_each(|partition| partition.records = Some(batch(records)));
        }
        response
    };
    let consumed = || -> Vec<_> {
        let usage = partner.usage();
        let total = usage.total().consumed;
        let by_alias: Vec<_> = usage
            .topics
            .into_iter()
            .map(|(alias, usage)| (alias, usage.consumed))
            .filter(|(_, volume)| *volume != Volume::default())
            .collect();
        assert_eq!(by_alias.iter().map(|(_, volume)| volume.bytes).sum::<u64>(), total.bytes);
        by_alias
    };
    let of = |alias: &str, batches: u64, records| {
        let bytes = batches * u64::try_from(batch(records).len()).unwrap();
        (alias.to_owned(), Volume { bytes, records: batches * u64::try_from(records).unwrap() })
    };
    for version in VERSIONS.first..=VERSIONS.last {
        let single = |asked: &[(&str, &[i32])], told: &[(&str, &[i32])]| {
            let request = ask(&partner, version, (0, -1), asked);
            let (_, awaited) = partner.send(1, version, &request).forwarded::<FetchRequest>();
            let _: FetchResponse = partner.receive(awaited, &filled(version, 0, told));
            consumed()
        };
        let both = single(&[("a", &[0, 1]), ("also", &[0])], &[("t", &[0, 1]), ("u", &[0])]);
        assert_eq!(both, [of("a", 2, 1), of("also", 1, 2)], "v{version}");
        // Decoded, since something is answered here.
        let local = single(&[("a", &[0]), ("out", &[0])], &[("t", &[0])]);
        assert_eq!(local, [of("a", 1, 1)], "v{version}");
        // One alias has its turn, and the other one the next.
        let turns: Vec<_> =
            (0..2).flat_map(|_| single(&[("b", &[0]), ("also", &[0])], &[("u", &[0])])).collect();
        let mut aliases: Vec<_> = turns.into_iter().map(|(alias, _)| alias).collect();
        aliases.sort_unstable();
        assert_eq!(aliases, ["also", "b"], "v{version}");
        if version < SESSIONS {
            continue;
        }
        let _ = open(&partner, version, &[("b", &[0])], &[]);
        consumed();
        let (_, awaited) =
            partner.send(1, version, &ask(&partner, version, (77, 1), &[])).forwarded::<FetchRequest>();
        let _: FetchResponse = partner.receive(awaited, &filled(version, 77, &[("u", &[0])]));
        assert_eq!(consumed(), [of("b", 1, 1)], "v{version}: the request named nothing");
    }
}
