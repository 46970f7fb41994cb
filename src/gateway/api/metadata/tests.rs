use kafka_protocol::messages::metadata_response::{MetadataResponseBroker, MetadataResponsePartition};
use kafka_protocol::messages::{BrokerId, TopicName as WireName};

use super::*;
use crate::gateway::addresses::cluster_id;
use crate::gateway::api::fixture::{Partner, Produce, Read, Write, real_id, topic};

fn ask(names: &[&str]) -> MetadataRequest {
    let topics = names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic(name))));
    MetadataRequest::default().with_topics(Some(topics.collect()))
}

fn asked_for(request: &MetadataRequest) -> Vec<String> {
    request.topics.iter().flatten().map(|topic| topic.name.as_ref().unwrap().to_string()).collect()
}

/// What a broker answers: every topic asked for exists, led by broker 2 and replicated on 2 and 9, but `missing…`.
fn reply(version: i16, names: &[String]) -> MetadataResponse {
    let broker = |id| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(id))
            .with_host("10.0.0.1".into())
            .with_port(9092)
    };
    let topics = names.iter().rev().map(|name| {
        let missing = name.starts_with("missing");
        let partition = MetadataResponsePartition::default()
            .with_leader_id(BrokerId(2))
            .with_replica_nodes(vec![BrokerId(2), BrokerId(9)])
            .with_isr_nodes(vec![BrokerId(2), BrokerId(9)]);
        MetadataResponseTopic::default()
            .with_name(Some(topic(name)))
            .with_error_code(if missing { 3 } else { 0 })
            .with_is_internal(version >= 1)
            .with_topic_id(if version < 10 || missing { Uuid::nil() } else { real_id(name) })
            .with_partitions(if missing { Vec::new() } else { vec![partition] })
    });
    let response = MetadataResponse::default()
        .with_brokers(vec![broker(2), broker(9)])
        .with_topics(topics.collect())
        .with_controller_id(BrokerId(9));
    if version >= 2 { response.with_cluster_id(Some("the-real-one".into())) } else { response }
}

fn seen(response: &MetadataResponse) -> Vec<(String, i16)> {
    let name =
        |name: &Option<WireName>| name.as_ref().map_or_else(|| "null".to_owned(), |name| name.to_string());
    response.topics.iter().map(|topic| (name(&topic.name), topic.error_code)).collect()
}

fn expect<const N: usize>(topics: [(&str, i16); N]) -> Vec<(String, i16)> {
    topics.map(|(name, code)| (name.to_owned(), code)).into()
}

fn exchange(partner: &Partner, version: i16, request: &MetadataRequest) -> MetadataResponse {
    let (sent, awaited) = partner.send(3, version, request).forwarded::<MetadataRequest>();
    assert!(sent.topics.is_some(), "never every topic of the cluster");
    assert_eq!(sent.allow_auto_topic_creation, version < 4);
    partner.receive(awaited, &reply(version, &asked_for(&sent)))
}

#[test]
fn a_list_of_all_is_the_zones_aliases_at_every_version() {
    let partner =
        Partner::of(&[("a", "b", Read), ("b", "a", Produce), ("gone", "missing", Read), ("b2", "a", Read)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let all = if version == 0 { Some(Vec::new()) } else { None };
        let response = exchange(&partner, version, &MetadataRequest::default().with_topics(all));
        assert_eq!(seen(&response), expect([("a", 0), ("b", 0), ("b2", 0)]), "v{version}");
        assert!(response.topics.iter().all(|topic| !topic.is_internal));
        for topic in &response.topics {
            let known = partner.view.by_alias(topic.name.as_ref().unwrap()).unwrap();
            let id = if version < 10 { Uuid::nil() } else { known.ids.unwrap().synthetic };
            assert_eq!(topic.topic_id, id);
        }
    }
}

#[test]
fn brokers_have_advertised_addresses_and_one_that_is_not_live_is_down() {
    let partner = Partner::of(&[("a", "x", Read)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let response = exchange(&partner, version, &ask(&["a"]));
        let brokers: Vec<_> =
            response.brokers.iter().map(|b| (*b.node_id, b.host.to_string(), b.port)).collect();
        assert_eq!(brokers, [(2, "gw.example.com".to_owned(), 19_102)]);
        assert_eq!(response.controller_id, BrokerId(if version >= 1 { 2 } else { -1 }));
        let own = cluster_id(partner.view.id);
        assert_eq!(response.cluster_id.map(|id| id.to_string()), (version >= 2).then_some(own));
        let partition = &response.topics[0].partitions[0];
        assert_eq!((&partition.leader_id, &partition.isr_nodes), (&BrokerId(2), &vec![BrokerId(2)]));
        assert_eq!(partition.replica_nodes, [BrokerId(2), BrokerId(9)]);
        assert_eq!(partition.offline_replicas, if version >= 5 { vec![BrokerId(9)] } else { Vec::new() });
    }
}

#[test]
fn a_leader_that_is_not_shown_is_not_available() {
    let partner = Partner::of(&[("a", "x", Read)]);
    let (sent, awaited) = partner.send(3, 9, &ask(&["a"])).forwarded::<MetadataRequest>();
    let mut response = reply(9, &asked_for(&sent));
    response.topics[0].partitions[0].leader_id = BrokerId(9);
    let response: MetadataResponse = partner.receive(awaited, &response);
    let partition = &response.topics[0].partitions[0];
    assert_eq!((partition.leader_id, partition.error_code), (BrokerId(-1), 5));
}

#[test]
fn unknown_and_forbidden_names_look_the_same_at_every_version() {
    // `x` is real and not shared under that name, `nothing` does not exist anywhere.
    let partner = Partner::of(&[("a", "x", Read)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let response = exchange(&partner, version, &ask(&["x", "a", "nothing", "x"]));
        assert_eq!(seen(&response), expect([("a", 0), ("x", 29), ("nothing", 29)]), "v{version}");
        let [_, forbidden, unknown] = &response.topics[..] else { panic!("three topics") };
        assert_eq!(forbidden.clone().with_name(None), unknown.clone().with_name(None));
    }
}

#[test]
fn two_aliases_of_one_topic_are_asked_once_and_both_shown_with_ids_of_their_own() {
    let partner = Partner::of(&[("in", "t", Write), ("out", "t", Read)]);
    let (sent, awaited) = partner.send(3, 12, &ask(&["out", "in"])).forwarded::<MetadataRequest>();
    assert_eq!(asked_for(&sent), ["t"]);
    let response: MetadataResponse = partner.receive(awaited, &reply(12, &asked_for(&sent)));
    assert_eq!(seen(&response), expect([("out", 0), ("in", 0)]));
    assert_ne!(response.topics[0].topic_id, response.topics[1].topic_id);
}

#[test]
fn by_id_the_synthetic_one_is_known_and_the_real_one_is_not() {
    let partner = Partner::of(&[("a", "x", Read)]);
    let synthetic = partner.view.by_alias("a").unwrap().ids.unwrap().synthetic;
    for version in BY_ID..=VERSIONS.last {
        // Java puts an empty name beside an id.
        for (name, shown) in [(None, "null"), (Some(topic("")), ""), (Some(topic("a")), "null")] {
            let by = |id| MetadataRequestTopic::default().with_name(name.clone()).with_topic_id(id);
            let request = MetadataRequest::default().with_topics(Some(vec![by(synthetic), by(real_id("x"))]));
            let response = exchange(&partner, version, &request);
            assert_eq!(seen(&response), expect([("a", 0), (shown, 100)]));
            assert_eq!(response.topics[1].topic_id, real_id("x"));
        }
    }
}

#[test]
fn versions_10_and_11_have_ids_in_requests_but_do_not_take_them() {
    let partner = Partner::of(&[("a", "x", Read)]);
    let synthetic = partner.view.by_alias("a").unwrap().ids.unwrap().synthetic;
    for version in 10..BY_ID {
        let by_id = MetadataRequestTopic::default().with_name(None).with_topic_id(synthetic);
        let response =
            exchange(&partner, version, &MetadataRequest::default().with_topics(Some(vec![by_id])));
        assert_eq!(seen(&response), expect([("", 42)]));
    }
}

#[test]
fn no_topics_still_shows_the_brokers_and_an_old_broker_is_never_asked_for_all() {
    for (partner, names) in
        [(Partner::of(&[]), &[][..]), (Partner::of(&[("a", "x", Read)]), &["nothing"][..])]
    {
        for version in VERSIONS.first..=VERSIONS.last {
            let sent = partner.send(3, version, &ask(names));
            let response: MetadataResponse = if version == 0 {
                sent.answered()
            } else {
                let (sent, awaited) = sent.forwarded::<MetadataRequest>();
                assert_eq!(sent.topics, Some(Vec::new()));
                partner.receive(awaited, &reply(version, &[]))
            };
            assert_eq!(response.topics.len(), names.len(), "v{version}");
            assert!(response.brokers.iter().any(|b| *b.node_id == 2 && b.port == 19_102));
        }
    }
}

#[test]
fn an_old_request_never_creates_the_backing_topic() {
    let partner = Partner::of(&[("gone", "missing", Write), ("a", "x", Read)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let (sent, awaited) = partner.send(3, version, &ask(&["gone", "a"])).forwarded::<MetadataRequest>();
        assert_eq!(asked_for(&sent).contains(&"missing".to_owned()), version >= 4);
        let mut seen = seen(&partner.receive(awaited, &reply(version, &asked_for(&sent))));
        seen.sort();
        assert_eq!(seen, expect([("a", 0), ("gone", 3)]));
    }
}

#[test]
fn a_topic_that_this_gateway_does_not_know_yet_has_no_id_and_a_recreated_one_its_new_one() {
    let partner = Partner::of(&[("new", "missing", Read), ("a", "x", Read)]);
    let (sent, awaited) = partner.send(3, 12, &ask(&["new", "a"])).forwarded::<MetadataRequest>();
    let mut response = reply(12, &asked_for(&sent));
    for topic in &mut response.topics {
        topic.topic_id = Uuid::from_u128(77);
    }
    let response: MetadataResponse = partner.receive(awaited, &response);
    assert!(response.topics[0].topic_id.is_nil());
    let known = partner.view.by_alias("a").unwrap();
    let fresh = crate::policy::topic_id::synthetic(partner.view.id, &known.alias, Uuid::from_u128(77));
    assert_eq!(response.topics[1].topic_id, fresh);
    assert_ne!(fresh, known.ids.unwrap().synthetic);
}

#[test]
fn operations_are_the_permissions_and_only_if_asked_for() {
    let partner = Partner::of(&[("r", "x", Read), ("w", "y", Write), ("p", "z", Produce)]);
    for version in 8..=VERSIONS.last {
        let mut request = ask(&["r", "w", "p", "nothing"]).with_include_topic_authorized_operations(true);
        request.include_cluster_authorized_operations = version <= 10;
        let (sent, awaited) = partner.send(3, version, &request).forwarded::<MetadataRequest>();
        assert!(!sent.include_topic_authorized_operations && !sent.include_cluster_authorized_operations);
        let response: MetadataResponse = partner.receive(awaited, &reply(version, &asked_for(&sent)));
        let bits: Vec<i32> = response.topics.iter().map(|topic| topic.topic_authorized_operations).collect();
        let common = 1 << 8 | 1 << 10;
        assert_eq!(bits, [common | 1 << 3, common | 1 << 3 | 1 << 4, common | 1 << 4, i32::MIN]);
        assert_eq!(response.cluster_authorized_operations, if version <= 10 { 0 } else { i32::MIN });
    }
}

#[test]
fn a_topic_that_nobody_asked_for_is_not_shown() {
    let partner = Partner::of(&[("a", "x", Read), ("b", "y", Read)]);
    let (_, awaited) = partner.send(3, 9, &ask(&["a"])).forwarded::<MetadataRequest>();
    let names = ["x", "y", "secret"].map(str::to_owned);
    assert_eq!(seen(&partner.receive(awaited, &reply(9, &names))), expect([("a", 0)]));
}

#[test]
fn a_request_is_not_kept_for_the_names_that_were_refused() {
    let partner = Partner::of(&[("a", "x", Read)]);
    for version in VERSIONS.first..=VERSIONS.last {
        assert!(!partner.keeps_request(3, version, &ask(&["hidden", "a"])), "v{version}");
    }
}
