use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;

use super::*;
use crate::gateway::api::fixture::{Partner, Produce, Read, Write};

fn ask(resources: &[(i8, &str, &[&str])]) -> DescribeConfigsRequest {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let resource = |(kind, name, keys): &(i8, &str, &[&str])| {
        DescribeConfigsResource::default()
            .with_resource_type(*kind)
            .with_resource_name(text(name))
            .with_configuration_keys((!keys.is_empty()).then(|| keys.iter().map(|key| text(key)).collect()))
    };
    DescribeConfigsRequest::default().with_resources(resources.iter().map(resource).collect())
}

fn told(name: &'static str, configs: &[&'static str]) -> DescribeConfigsResult {
    let config = |name: &&'static str| {
        DescribeConfigsResourceResult::default()
            .with_name((*name).into())
            .with_value(Some("1".into()))
            .with_is_sensitive(*name == "segment.bytes")
    };
    DescribeConfigsResult::default()
        .with_resource_type(TOPIC)
        .with_resource_name(name.into())
        .with_error_message(Some("about b".into()))
        .with_configs(configs.iter().map(config).collect())
}

/// (name, error, settings) of each result.
fn seen(response: &DescribeConfigsResponse) -> Vec<(String, i16, Vec<String>)> {
    let of = |result: &DescribeConfigsResult| {
        assert_eq!(result.error_message, None);
        let configs = result.configs.iter().map(|config| config.name.to_string()).collect();
        (result.resource_name.to_string(), result.error_code, configs)
    };
    response.results.iter().map(of).collect()
}

#[test]
fn settings_of_the_zones_topics_are_shown_and_only_those_that_name_nobody_at_every_version() {
    let partner = Partner::of(&[("a", "b", Read), ("in", "t", Produce)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let request = ask(&[(TOPIC, "a", &[]), (TOPIC, "b", &[]), (4, "1", &[]), (32, "g", &[])]);
        let (sent, awaited) = partner.send(32, version, &request).forwarded::<DescribeConfigsRequest>();
        assert_eq!(sent.resources, ask(&[(TOPIC, "b", &[])]).resources);
        let hidden = ["leader.replication.throttled.replicas", "segment.bytes", "confluent.placement"];
        let settings = [&hidden[..], &["retention.ms"]].concat();
        let response = DescribeConfigsResponse::default()
            .with_results(vec![told("b", &settings), told("not-asked-for", &settings)]);
        let shown = seen(&partner.receive(awaited, &response));
        let refused = |name: &str, code| (name.to_owned(), code, vec![]);
        assert_eq!(shown[0], ("a".to_owned(), 0, vec!["retention.ms".to_owned()]), "v{version}");
        assert_eq!(shown[1..], [refused("b", 29), refused("1", 31), refused("g", 30)], "v{version}");
    }
}

#[test]
fn aliases_of_one_topic_are_asked_once_and_each_gets_what_it_asked_for() {
    let partner = Partner::of(&[("one", "t", Read), ("two", "t", Write)]);
    let ms = "retention.ms";
    let request = ask(&[(TOPIC, "two", &["flush.ms"]), (TOPIC, "one", &[ms]), (TOPIC, "one", &[ms])]);
    let (sent, awaited) = partner.send(32, 4, &request).forwarded::<DescribeConfigsRequest>();
    assert_eq!(sent.resources, ask(&[(TOPIC, "t", &["flush.ms", ms])]).resources);
    let response = DescribeConfigsResponse::default().with_results(vec![told("t", &["flush.ms", ms])]);
    let shown = seen(&partner.receive(awaited, &response));
    let of = |name: &str, key: &str| (name.to_owned(), 0, vec![key.to_owned()]);
    assert_eq!(shown, [of("one", ms), of("two", "flush.ms")]);
}

#[test]
fn the_list_of_what_is_shown_is_in_the_order_that_looking_it_up_needs() {
    assert!(SHOWN.is_sorted());
}

#[test]
fn nothing_to_describe_is_answered_here() {
    let answer = Partner::of(&[]).send(32, 4, &ask(&[(TOPIC, "x", &[])])).answered();
    assert_eq!(seen(&answer), [("x".to_owned(), 29, vec![])]);
}

#[test]
fn a_request_is_not_kept_for_the_names_that_were_refused() {
    let partner = Partner::of(&[("a", "b", Read)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let request = ask(&[(TOPIC, "a", &["retention.ms"]), (TOPIC, "hidden", &[]), (4, "1", &[])]);
        assert!(!partner.keeps_request(32, version, &request), "v{version}");
    }
}
