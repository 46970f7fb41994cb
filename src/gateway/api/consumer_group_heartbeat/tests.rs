use kafka_protocol::messages::consumer_group_describe_response::{DescribedGroup, Member as Described};
use kafka_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use kafka_protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, GroupId};

use super::super::fixture::{Awaited, Partner, Produce, Read, Sent, Write, real_id, topic, view};
use super::*;

type Request = ConsumerGroupHeartbeatRequest;
type Response = ConsumerGroupHeartbeatResponse;

/// A heartbeat that says nothing new.
fn partial(epoch: i32) -> Request {
    Request::default()
        .with_group_id(GroupId("g".into()))
        .with_member_id("m".into())
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_topic_partitions(None)
}

fn joining(names: &[&str]) -> Request {
    let names = names.iter().map(|name| topic(name)).collect();
    partial(0)
        .with_rebalance_timeout_ms(300_000)
        .with_subscribed_topic_names(Some(names))
        .with_topic_partitions(Some(Vec::new()))
}

fn by_pattern(pattern: &'static str) -> Request {
    joining(&[]).with_subscribed_topic_regex(Some(pattern.into()))
}

fn owned(id: Uuid, partitions: &[i32]) -> Owned {
    Owned::default().with_topic_id(id).with_partitions(partitions.to_vec())
}

fn accepted(assigned: &[(&str, &[i32])]) -> Response {
    let of = |(backing, partitions): &(&str, &[i32])| {
        TopicPartitions::default().with_topic_id(real_id(backing)).with_partitions(partitions.to_vec())
    };
    let assignment = Assignment::default().with_topic_partitions(assigned.iter().map(of).collect());
    Response::default()
        .with_member_id(Some("m".into()))
        .with_member_epoch(3)
        .with_heartbeat_interval_ms(5_000)
        .with_assignment(Some(assignment))
}

fn unchanged() -> Response {
    accepted(&[]).with_assignment(None)
}

fn send(partner: &Partner, request: &Request) -> Sent {
    partner.send(68, 1, request)
}

fn forwarded(partner: &Partner, request: &Request) -> (Request, Awaited) {
    send(partner, request).forwarded()
}

fn error(partner: &Partner, request: &Request) -> i16 {
    send(partner, request).answered::<Response>().error_code
}

/// The heartbeat as the broker gets it, which then answers with `response`.
fn exchange(partner: &Partner, request: &Request, response: &Response) -> (Request, Response) {
    let (sent, awaited) = forwarded(partner, request);
    (sent, partner.receive(awaited, response))
}

fn names(request: &Request) -> Option<Vec<String>> {
    Some(request.subscribed_topic_names.as_ref()?.iter().map(|name| name.to_string()).collect())
}

fn told(backing: &[&str]) -> Vec<String> {
    backing.iter().map(|&name| name.to_owned()).collect()
}

/// What the member is given: (alias, partitions).
fn given(partner: &Partner, response: &Response) -> Vec<(String, Vec<i32>)> {
    let topics = &response.assignment.as_ref().unwrap().topic_partitions;
    let alias = |id| partner.view.by_synthetic_id(id).unwrap().alias.to_string();
    topics.iter().map(|topic| (alias(topic.topic_id), topic.partitions.clone())).collect()
}

fn synthetic(partner: &Partner, alias: &str) -> Uuid {
    partner.view.by_alias(alias).unwrap().ids.unwrap().synthetic
}

#[test]
fn a_member_subscribes_to_backing_topics_and_is_assigned_aliases_at_every_version() {
    let partner = Partner::of(&[("a", "b", Read), ("b", "a", Write), ("in", "t", Produce)]);
    for version in VERSIONS.first..=VERSIONS.last {
        let request = joining(&["b", "in", "secret", "a", "b"]);
        let (sent, awaited) = partner.send(68, version, &request).forwarded::<Request>();
        assert_eq!(sent.group_id.as_str(), "acme:g");
        assert_eq!((sent.member_id.as_str(), sent.rebalance_timeout_ms), ("m", 300_000));
        assert_eq!(names(&sent), Some(told(&["b", "a", "t"])), "v{version}");
        assert_eq!(sent.topic_partitions, Some(Vec::new()));
        let response = accepted(&[("a", &[0, 1]), ("b", &[2]), ("not-shared", &[9])]);
        let response: Response = partner.receive(awaited, &response);
        assert_eq!(given(&partner, &response), [("b".to_owned(), vec![0, 1]), ("a".to_owned(), vec![2])]);
        assert_eq!((response.member_epoch, response.heartbeat_interval_ms), (3, 5_000));
    }
}

#[test]
fn what_a_member_owns_goes_out_under_real_ids_and_nothing_else_does() {
    let partner = Partner::of(&[("one", "t", Read), ("two", "t", Write), ("a", "b", Read)]);
    exchange(&partner, &joining(&["one", "a"]), &accepted(&[]));
    let request = partial(3).with_topic_partitions(Some(vec![
        owned(synthetic(&partner, "two"), &[3, 1]),
        owned(synthetic(&partner, "a"), &[0]),
        owned(synthetic(&partner, "one"), &[1, 2]),
        owned(real_id("b"), &[7]),
        owned(Uuid::from_u128(5), &[8]),
    ]));
    let (sent, _) = forwarded(&partner, &request);
    let expected = vec![owned(real_id("t"), &[1, 2, 3]), owned(real_id("b"), &[0])];
    assert_eq!(sent.topic_partitions, Some(expected));
    assert_eq!(names(&sent), None, "unchanged");
}

#[test]
fn two_aliases_of_one_topic_are_one_there_and_the_first_subscribed_one_here() {
    let partner = Partner::of(&[("one", "t", Read), ("two", "t", Write)]);
    for (asked, shown) in [(&["two"][..], "two"), (&["two", "one"], "one")] {
        let (sent, response) = exchange(&partner, &joining(asked), &accepted(&[("t", &[4])]));
        assert_eq!(names(&sent), Some(told(&["t"])));
        assert_eq!(given(&partner, &response), [(shown.to_owned(), vec![4])]);
    }
}

#[test]
fn a_pattern_is_evaluated_here_over_what_may_be_read() {
    let topics =
        [("eu.orders", "o", Read), ("eu.in", "i", Produce), ("us.orders", "u", Write), ("x", "eu.x", Read)];
    let partner = Partner::of(&topics);
    for (pattern, expected) in [
        ("eu\\..*", &["o"][..]),
        (".*", &["o", "u", "eu.x"]),
        ("orders", &[]),
        (r"\Qeu.\E.*|x", &["o", "eu.x"]),
    ] {
        let (sent, _) = forwarded(&partner, &by_pattern(pattern));
        assert_eq!(
            (names(&sent), sent.subscribed_topic_regex),
            (Some(told(expected)), Some("".into())),
            "{pattern}"
        );
    }
    let both = joining(&["us.orders"]).with_subscribed_topic_regex(Some("eu.*".into()));
    assert_eq!(names(&forwarded(&partner, &both).0), Some(told(&["o", "u"])));
    for pattern in ["(", "(?=x)", r"(a)\1"] {
        let answer: Response = send(&partner, &by_pattern(pattern)).answered();
        assert_eq!(answer.error_code, 128);
        assert!(answer.error_message.unwrap().contains("RE2"), "{pattern}");
    }
}

#[test]
fn a_pattern_is_shown_over_the_connection_that_heard_it() {
    let partner = Partner::of(&[("a", "b", Read)]);
    exchange(&partner, &by_pattern("a.*"), &accepted(&[("b", &[0])]));
    let ask = ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId("g".into())]);
    let (_, awaited) = partner.send(69, 1, &ask).forwarded::<ConsumerGroupDescribeRequest>();
    let member = |id: &'static str| Described::default().with_member_id(id.into());
    let group = DescribedGroup::default()
        .with_group_id(GroupId("acme:g".into()))
        .with_members(vec![member("m"), member("another")]);
    let response = ConsumerGroupDescribeResponse::default().with_groups(vec![group]);
    let response: ConsumerGroupDescribeResponse = partner.receive(awaited, &response);
    let patterns: Vec<_> =
        response.groups[0].members.iter().map(|member| member.subscribed_topic_regex.as_deref()).collect();
    assert_eq!(patterns, [Some("a.*"), None]);
}

#[test]
fn what_was_said_before_stands_until_something_else_is_said() {
    let partner = Partner::of(&[("a", "b", Read), ("c", "d", Read), ("e", "f", Read)]);
    exchange(&partner, &by_pattern("a|c"), &accepted(&[("b", &[0])]));
    assert_eq!(names(&exchange(&partner, &partial(3), &unchanged()).0), None);
    let also = partial(3).with_subscribed_topic_names(Some(vec![topic("e")]));
    assert_eq!(names(&exchange(&partner, &also, &unchanged()).0), Some(told(&["b", "d", "f"])));
    let no_pattern = partial(3).with_subscribed_topic_regex(Some("".into()));
    // `a` is still assigned, and no longer subscribed to: its partitions must be given back, so everything is said anew.
    assert_eq!(error(&partner, &no_pattern), 16);
    let complete = joining(&["e"]).with_subscribed_topic_regex(Some("".into())).with_member_epoch(3);
    let (sent, response) = exchange(&partner, &complete, &accepted(&[("f", &[1])]));
    assert_eq!(names(&sent), Some(told(&["f"])));
    assert_eq!(given(&partner, &response), [("e".to_owned(), vec![1])]);
}

#[test]
fn a_member_that_this_connection_does_not_know_is_asked_for_everything() {
    let partner = Partner::of(&[("a", "b", Read)]);
    assert_eq!(error(&partner, &partial(3)), 16);
    let mut complete =
        joining(&["a"]).with_topic_partitions(Some(vec![owned(synthetic(&partner, "a"), &[0])]));
    complete.member_epoch = 3;
    let (sent, response) = exchange(&partner, &complete, &accepted(&[("b", &[0])]));
    assert_eq!((sent.member_epoch, names(&sent)), (3, Some(told(&["b"]))));
    assert_eq!(given(&partner, &response), [("a".to_owned(), vec![0])]);
    assert_eq!(names(&exchange(&partner, &partial(3), &unchanged()).0), None);
    // Another member, another group.
    assert_eq!(error(&partner, &partial(3).with_member_id("n".into())), 16);
    assert_eq!(error(&partner, &partial(3).with_group_id(GroupId("h".into()))), 16);
}

#[test]
fn a_client_that_repeats_itself_instead_is_fenced_and_joins_anew() {
    let partner = Partner::of(&[("a", "b", Read)]);
    assert_eq!([16, 110], [error(&partner, &partial(3)), error(&partner, &partial(3))]);
    exchange(&partner, &joining(&["a"]), &accepted(&[("b", &[0])]));
    forwarded(&partner, &partial(3));
}

#[test]
fn what_the_broker_refused_is_not_remembered() {
    let partner = Partner::of(&[("a", "b", Read), ("c", "d", Read)]);
    let refused = Response::default().with_error_code(110).with_error_message(Some("acme:g b".into()));
    let (_, response) = exchange(&partner, &joining(&["a"]), &refused);
    assert_eq!((response.error_code, response.error_message), (110, None));
    assert_eq!(error(&partner, &partial(3)), 16);
    exchange(&partner, &joining(&["a"]), &accepted(&[]));
    exchange(&partner, &partial(3).with_subscribed_topic_names(Some(vec![topic("c")])), &refused);
    let again = partial(3).with_subscribed_topic_names(Some(vec![topic("c")]));
    assert_eq!(names(&forwarded(&partner, &again).0), Some(told(&["d"])));
}

#[test]
fn a_new_alias_reaches_the_broker_with_the_next_heartbeat() {
    let mut partner = Partner::of(&[("a", "b", Read)]);
    exchange(
        &partner,
        &by_pattern(".*").with_subscribed_topic_names(Some(vec![topic("later")])),
        &accepted(&[("b", &[0])]),
    );
    partner.view = view(&[("a", "b", Read), ("new", "n", Read), ("later", "l", Produce)]);
    assert_eq!(names(&exchange(&partner, &partial(3), &unchanged()).0), Some(told(&["b", "n", "l"])));
    assert_eq!(names(&exchange(&partner, &partial(3), &unchanged()).0), None, "it knows now");
    partner.view = view(&[("a", "b", Read), ("new", "n", Read), ("later", "l", Produce)]);
    assert_eq!(names(&exchange(&partner, &partial(3), &unchanged()).0), None, "nothing changed");
}

#[test]
fn a_renamed_or_dropped_alias_or_a_topic_made_again_is_told_to_the_member() {
    for after in [&[("uno", "b", Read)][..], &[], &[("a", "missing", Read)]] {
        let mut partner = Partner::of(&[("a", "b", Read)]);
        exchange(&partner, &by_pattern(".*"), &accepted(&[("b", &[0])]));
        let of_before = owned(synthetic(&partner, "a"), &[0]);
        partner.view = view(after);
        assert_eq!(error(&partner, &partial(3)), 16);
        let mut complete = by_pattern(".*").with_topic_partitions(Some(vec![of_before]));
        complete.member_epoch = 3;
        let (sent, response) = exchange(&partner, &complete, &accepted(&[("b", &[0])]));
        let backing: Vec<_> = after.iter().map(|(_, backing, _)| *backing).collect();
        assert_eq!((names(&sent), sent.topic_partitions), (Some(told(&backing)), Some(Vec::new())));
        let aliases: Vec<_> = given(&partner, &response).into_iter().map(|(alias, _)| alias).collect();
        let expected: &[&str] =
            if after.first().is_some_and(|topic| topic.0 == "uno") { &["uno"] } else { &[] };
        assert_eq!(aliases, expected);
        forwarded(&partner, &partial(3));
    }
}

#[test]
fn a_topic_that_was_assigned_before_its_id_was_known_here_is_shown_once_it_is() {
    let mut partner = Partner::of(&[("a", "missing", Read)]);
    let (_, response) = exchange(&partner, &joining(&["a"]), &accepted(&[("made", &[0])]));
    assert_eq!(given(&partner, &response), []);
    forwarded(&partner, &partial(3));
    partner.view = view(&[("a", "made", Read)]);
    assert_eq!(error(&partner, &partial(3)), 16);
}

#[test]
fn a_member_that_leaves_is_forgotten() {
    let partner = Partner::of(&[("a", "b", Read)]);
    for epoch in [-1, -2] {
        exchange(&partner, &joining(&["a"]), &accepted(&[("b", &[0])]));
        let (sent, response) =
            exchange(&partner, &partial(epoch), &Response::default().with_member_epoch(epoch));
        assert_eq!((sent.member_epoch, names(&sent), response.member_epoch), (epoch, None, epoch));
        assert_eq!(error(&partner, &partial(3)), 16);
    }
}

#[test]
fn a_member_without_an_id_is_known_by_the_one_the_broker_gives_it() {
    let partner = Partner::of(&[("a", "b", Read)]);
    let nameless = joining(&["a"]).with_member_id("".into());
    let (_, awaited) = partner.send(68, 0, &nameless).forwarded::<Request>();
    partner.receive::<Response, _>(awaited, &accepted(&[]));
    partner.send(68, 0, &partial(3)).forwarded::<Request>();
}

#[test]
fn a_heartbeat_without_a_group_or_a_subscription_fails_as_in_kafka() {
    let partner = Partner::of(&[("a", "b", Read)]);
    assert_eq!(error(&partner, &joining(&["a"]).with_group_id(GroupId::default())), 42);
    // The broker refuses a first heartbeat that subscribes to nothing at all; it must not be made a valid one.
    assert_eq!(names(&forwarded(&partner, &partial(0)).0), None);
}

#[test]
fn names_that_mean_nothing_are_remembered_up_to_a_bound() {
    let mut partner = Partner::of(&[("a", "b", Read)]);
    let nonsense: Vec<String> = (0..5_000).map(|i| format!("n-{i}")).collect();
    let mut all: Vec<&str> = nonsense.iter().map(String::as_str).collect();
    all.push("a");
    let (sent, _) = exchange(&partner, &joining(&all), &accepted(&[]));
    assert_eq!(names(&sent), Some(told(&["b"])));
    partner.view = view(&[("n-7", "seven", Read), ("n-4999", "last", Read), ("a", "b", Read)]);
    assert_eq!(names(&forwarded(&partner, &partial(3)).0), Some(told(&["seven", "b"])));
}
