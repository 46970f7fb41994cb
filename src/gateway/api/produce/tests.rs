use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{BatchIndexAndErrorMessage, NodeEndpoint};
use kafka_protocol::messages::{BrokerId, TransactionalId};

use super::*;
use crate::gateway::api::fixture::{Partner, Produce, Read, Write, real_id, topic};
use crate::gateway::api::invariants;
use crate::kafka::records::{Codec, NewRecord, build};
use crate::kafka::{codec, sample};
use crate::zone::Volume;

/// How the partner calls an alias at this version; an unknown one gets an id of its own.
fn shown(partner: &Partner, version: i16, alias: &str) -> TopicProduceData {
    let ids = partner.view.by_alias(alias).and_then(|topic| topic.ids);
    let id = ids.map_or_else(|| real_id(alias), |ids| ids.synthetic);
    let partition =
        PartitionProduceData::default().with_index(3).with_records(Some(Bytes::from_static(b"records")));
    let data = TopicProduceData::default().with_partition_data(vec![partition]);
    if version < BY_ID { data.with_name(topic(alias)) } else { data.with_topic_id(id) }
}

fn ask(partner: &Partner, version: i16, acks: i16, aliases: &[&str]) -> ProduceRequest {
    let topics = aliases.iter().map(|alias| shown(partner, version, alias)).collect();
    ProduceRequest::default().with_transactional_id(None).with_acks(acks).with_topic_data(topics)
}

/// What a broker says to what it got, last topic first, with words of its own.
fn reply(version: i16, request: &ProduceRequest) -> ProduceResponse {
    let topics = request.topic_data.iter().rev().map(|data| {
        let mut partition = PartitionProduceResponse::default().with_index(3).with_base_offset(100);
        if version >= 8 {
            let error =
                BatchIndexAndErrorMessage::default().with_batch_index_error_message(Some("backing".into()));
            partition = partition.with_error_message(Some("backing".into())).with_record_errors(vec![error]);
        }
        TopicProduceResponse::default()
            .with_name(data.name.clone())
            .with_topic_id(data.topic_id)
            .with_partition_responses(vec![partition])
    });
    let response = ProduceResponse::default().with_responses(topics.collect());
    if version < 10 {
        return response;
    }
    let endpoint =
        |id| NodeEndpoint::default().with_node_id(BrokerId(id)).with_host("10.1.2.3".into()).with_port(1);
    response.with_node_endpoints(vec![endpoint(2), endpoint(9)])
}

/// (name or id, error, base offset) of each topic.
fn seen(version: i16, response: &ProduceResponse) -> Vec<(String, i16, i64)> {
    let of = |t: &TopicProduceResponse| {
        let name = if version < BY_ID { t.name.to_string() } else { t.topic_id.to_string() };
        (name, t.partition_responses[0].error_code, t.partition_responses[0].base_offset)
    };
    response.responses.iter().map(of).collect()
}

fn called(partner: &Partner, version: i16, alias: &str) -> String {
    let data = shown(partner, version, alias);
    if version < BY_ID { data.name.to_string() } else { data.topic_id.to_string() }
}

#[test]
fn swapped_aliases_go_where_they_should_and_come_back_at_every_version() {
    let partner = Partner::of(&[("a", "b", Write), ("b", "a", Produce)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let request = ask(&partner, version, -1, &["a", "b"]);
        let (sent, awaited) = partner.send(0, version, &request).forwarded::<ProduceRequest>();
        if version < BY_ID {
            assert_eq!(sent.topic_data.iter().map(|t| t.name.to_string()).collect::<Vec<_>>(), ["b", "a"]);
        } else {
            let ids: Vec<Uuid> = sent.topic_data.iter().map(|t| t.topic_id).collect();
            assert_eq!(ids, [real_id("b"), real_id("a")]);
        }
        assert_eq!(sent.topic_data[0].partition_data, request.topic_data[0].partition_data);
        let response: ProduceResponse = partner.receive(awaited, &reply(version, &sent));
        let expected = ["b", "a"].map(|alias| (called(&partner, version, alias), 0, 100));
        assert_eq!(seen(version, &response), expected, "v{version}");
    }
}

#[test]
fn the_brokers_words_and_addresses_are_not_shown() {
    let partner = Partner::of(&[("a", "backing", Write)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let (sent, awaited) = partner.send(0, version, &ask(&partner, version, 1, &["a"])).forwarded();
        let response: ProduceResponse = partner.receive(awaited, &reply(version, &sent));
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!(partition.error_message, None);
        assert!(partition.record_errors.iter().all(|error| error.batch_index_error_message.is_none()));
        assert_eq!(partition.record_errors.len(), usize::from(version >= 8));
        let endpoints: Vec<_> =
            response.node_endpoints.iter().map(|e| (*e.node_id, e.host.to_string(), e.port)).collect();
        let expected = [(2, "gw.example.com".to_owned(), 19_102)];
        assert_eq!(endpoints, if version < 10 { &[][..] } else { &expected[..] });
    }
}

#[test]
fn what_may_not_pass_is_taken_out_and_answered_at_every_version() {
    // `secret` is the name of a real topic that is not shared.
    let partner = Partner::of(&[("ro", "x", Read), ("w", "y", Write)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let request = ask(&partner, version, 1, &["ro", "secret", "w"]);
        let (sent, awaited) = partner.send(0, version, &request).forwarded::<ProduceRequest>();
        assert_eq!(sent.topic_data.len(), 1);
        let response: ProduceResponse = partner.receive(awaited, &reply(version, &sent));
        let unknown = if version < BY_ID { 29 } else { 100 };
        let expected = [("w", 0, 100), ("ro", 29, -1), ("secret", unknown, -1)];
        let expected = expected.map(|(alias, code, offset)| (called(&partner, version, alias), code, offset));
        assert_eq!(seen(version, &response), expected, "v{version}");
    }
}

#[test]
fn a_real_topic_id_is_unknown_even_if_its_topic_is_shared() {
    let partner = Partner::of(&[("w", "y", Write)]);
    let data = shown(&partner, 13, "w").with_topic_id(real_id("y"));
    let request =
        ProduceRequest::default().with_acks(1).with_topic_data(vec![data]).with_transactional_id(None);
    let answer: ProduceResponse = partner.send(0, 13, &request).answered();
    assert_eq!(seen(13, &answer), [(real_id("y").to_string(), 100, -1)]);
}

#[test]
fn an_alias_may_have_the_name_of_a_real_topic_that_is_not_shared() {
    let partner = Partner::of(&[("payroll", "orders", Write)]);
    let (sent, awaited) =
        partner.send(0, 9, &ask(&partner, 9, 1, &["payroll"])).forwarded::<ProduceRequest>();
    assert_eq!(sent.topic_data[0].name.as_str(), "orders");
    let mut leaked = reply(9, &sent);
    leaked.responses.push(leaked.responses[0].clone().with_name(topic("payroll")));
    let response: ProduceResponse = partner.receive(awaited, &leaked);
    assert_eq!(seen(9, &response), [("payroll".to_owned(), 0, 100)]);
}

#[test]
fn without_acks_what_is_allowed_passes_and_a_denial_closes() {
    let partner = Partner::of(&[("ro", "x", Read), ("w", "y", Write)]);
    for (aliases, passes, closes) in [(&["w"][..], 1, false), (&["ro", "w"], 1, true), (&["ro"], 0, true)] {
        let sent = partner.send(0, 9, &ask(&partner, 9, 0, aliases));
        let Outcome::ForwardUnanswered { body, then_close } = sent.outcome else { panic!("answered") };
        let forwarded = body.map(|body| codec::decode::<ProduceRequest>(&REQUEST, 9, body).unwrap());
        assert_eq!(forwarded.map_or(0, |request| request.topic_data.len()), passes);
        assert_eq!(then_close, closes, "{aliases:?}");
    }
}

#[test]
fn a_transactional_producer_writes_in_a_transaction_of_the_zones_own_at_every_version() {
    let partner = Partner::of(&[("w", "y", Write), ("ro", "x", Read)]);
    let within = |id: &str| Some(TransactionalId(id.to_owned().into()));
    for version in VERSIONS.first..=VERSIONS.last {
        let request = ask(&partner, version, -1, &["w", "ro"]).with_transactional_id(within("t"));
        let (sent, awaited) = partner.send(0, version, &request).forwarded::<ProduceRequest>();
        assert_eq!((sent.transactional_id.clone(), sent.topic_data.len()), (within("acme:t"), 1));
        let response: ProduceResponse = partner.receive(awaited, &reply(version, &sent));
        let expected = [("w", 0, 100), ("ro", 29, -1)];
        let expected = expected.map(|(alias, code, at)| (called(&partner, version, alias), code, at));
        assert_eq!(seen(version, &response), expected, "v{version}");
    }
}

#[test]
fn a_transactional_id_that_cannot_be_is_refused_for_every_partition() {
    let partner = Partner::of(&[("w", "y", Write)]);
    for version in VERSIONS.first..=VERSIONS.last {
        for (id, code) in [(String::new(), 42), ("t".repeat(32_767), 53)] {
            let request =
                ask(&partner, version, 1, &["w"]).with_transactional_id(Some(TransactionalId(id.into())));
            let answer: ProduceResponse = partner.send(0, version, &request).answered();
            assert_eq!(seen(version, &answer), [(called(&partner, version, "w"), code, -1)]);
        }
    }
}

#[test]
fn a_request_that_passed_as_it_arrived_gets_the_same_answers() {
    let partner = Partner::of(&[("w", "y", Write), ("ro", "x", Read)]);
    let denied = |id, key| authorise(&partner.view, id, key).err().map(|error| error.code());
    assert_eq!(denied(None, Key::Name("ro")), Some(29));
    assert_eq!(denied(None, Key::Id(real_id("y"))), Some(100));
    assert_eq!(denied(Some(""), Key::Name("w")), Some(42));
    let Ok(Admitted { transactional_id: Some(id), topic: known }) =
        authorise(&partner.view, Some("t"), Key::Name("w"))
    else {
        panic!("not admitted")
    };
    assert_eq!(id.as_str(), "acme:t");
    let respond = respond_to_one(9, &partner.view, known, &partner.brokers);
    let mut sent = ask(&partner, 9, 1, &["w"]);
    sent.topic_data[0].name = topic("y");
    let body = codec::encode(&reply(9, &sent), 9).unwrap();
    let body = respond.whole(body, Vec::new(), &partner.memory).unwrap().pieces().flatten().collect();
    let response: ProduceResponse = codec::decode(&RESPONSE, 9, body).unwrap();
    assert_eq!(seen(9, &response), [("w".to_owned(), 0, 100)]);
    let refused =
        refused_response(9, Key::Name("ro"), &[3, 4], ResponseError::TopicAuthorizationFailed).unwrap();
    let refused: ProduceResponse = codec::decode(&RESPONSE, 9, refused).unwrap();
    assert_eq!(seen(9, &refused), [("ro".to_owned(), 29, -1)]);
    assert_eq!(refused.responses[0].partition_responses.len(), 2);
}

/// Both ways to treat a message must come to the same.
#[test]
fn what_is_only_renamed_is_what_it_would_be_if_it_were_decoded() {
    let partner = invariants::partner();
    let Partner { view, brokers, .. } = &partner;
    let (theirs, ours) = (invariants::theirs(&partner), invariants::ours(&partner));
    let (mut requests, mut responses) = (0, 0);
    for version in VERSIONS.first..=VERSIONS.last {
        let exchange = partner.exchange(version);
        for seed in 0..400 {
            let body = Bytes::from(sample::body_of(&theirs, &REQUEST, version, seed));
            let Some(Outcome::Forward { body: sent, .. }) = renamed(&exchange, &body) else { continue };
            let Ok(Outcome::Forward { body: expected, .. }) = decoded(&exchange, body) else {
                panic!("v{version}: forwarded by one only")
            };
            let [sent, expected] = [sent, expected].map(|body| body.pieces().flatten().collect());
            let read = |body| codec::decode::<ProduceRequest>(&REQUEST, version, body).unwrap();
            assert_eq!(read(sent), read(expected), "v{version}");
            requests += 1;
        }
        let mut names = Names::new(view);
        for topic in view.topics() {
            let _ = names.admit(view, Key::Name(topic.alias.as_str()), Operation::Write);
        }
        for seed in 0..400 {
            let body = Bytes::from(sample::body_of(&ours, &RESPONSE, version, seed));
            let Ok(shown) = renamed_back(version, &names, &body) else { continue };
            let expected = decoded_back(version, &names, brokers, Vec::new(), body).unwrap();
            let shown: Bytes = shown.pieces().flatten().collect();
            let read = |body| codec::decode::<ProduceResponse>(&RESPONSE, version, body).unwrap();
            assert_eq!(read(shown), read(expected), "v{version}");
            responses += 1;
        }
    }
    assert!(requests > 50 && responses > 50, "{requests} requests and {responses} responses were compared");
}

/// What is counted as produced, by alias.
fn produced(partner: &Partner) -> Vec<(String, Volume)> {
    let usage = partner.usage();
    let total = usage.total().produced;
    let by_alias = usage.topics.iter().filter(|(_, usage)| usage.produced != Volume::default());
    let by_alias: Vec<_> = by_alias.map(|(alias, usage)| (alias.clone(), usage.produced)).collect();
    let mut sum = Volume::default();
    for (_, volume) in &by_alias {
        sum.add(volume);
    }
    assert_eq!(sum, total, "of topics and of credentials");
    by_alias
}

#[test]
fn what_goes_on_is_counted_by_alias_and_what_is_refused_is_not_at_every_version() {
    // Two aliases of one topic, and one that may not be produced to.
    let partner =
        Partner::of(&[("w", "y", Write), ("w2", "z", Produce), ("also", "y", Write), ("ro", "x", Read)]);
    let batch = |records| build(&vec![NewRecord::default(); records], Codec::Zstd, 1).unwrap();
    let of = |alias: &str, batch: &Bytes, records| {
        (alias.to_owned(), Volume { bytes: u64::try_from(batch.len()).unwrap(), records })
    };
    for version in VERSIONS.first..=VERSIONS.last {
        let with = |aliases: &[&str], acks| {
            let mut request = ask(&partner, version, acks, aliases);
            for (topic, records) in request.topic_data.iter_mut().zip(1..) {
                topic.partition_data[0].records = Some(batch(records));
            }
            request
        };
        let (one, two, three) = (batch(1), batch(2), batch(3));
        // As a whole, in place.
        partner.send(0, version, &with(&["w", "w2"], 1)).forwarded::<ProduceRequest>();
        assert_eq!(produced(&partner), [of("w", &one, 1), of("w2", &two, 2)], "v{version}");
        // Decoded: something is taken out of it, or no answer comes.
        partner.send(0, version, &with(&["ro", "w2", "w"], 1)).forwarded::<ProduceRequest>();
        assert_eq!(produced(&partner), [of("w", &three, 3), of("w2", &two, 2)], "v{version}");
        partner.send(0, version, &with(&["also", "w"], 1)).forwarded::<ProduceRequest>();
        assert_eq!(produced(&partner), [of("also", &one, 1)], "v{version}: the second alias is refused");
        let sent = partner.send(0, version, &with(&["w", "ro"], 0)).outcome;
        assert!(matches!(sent, Outcome::ForwardUnanswered { body: Some(_), .. }));
        assert_eq!(produced(&partner), [of("w", &one, 1)], "v{version}");
        partner.send(0, version, &with(&["ro"], 1)).answered::<ProduceResponse>();
        assert_eq!(produced(&partner), [], "v{version}");
    }
}
