use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{self as m, DeleteTopicsRequest, DeleteTopicsResponse};
use uuid::Uuid;

use crate::gateway::api::fixture::{Partner, Read, real_id, topic};
use crate::gateway::api::{Origin, Outcome, REGISTRY};
use crate::gateway::offer::ApiRanges;
use crate::kafka::sample;

/// Every key of this folder.
const REFUSED: [i16; 26] =
    [19, 20, 21, 29, 30, 31, 33, 34, 35, 37, 38, 39, 40, 41, 43, 44, 45, 46, 48, 49, 50, 51, 55, 57, 61, 74];

#[test]
fn nothing_of_it_ever_reaches_a_broker_and_all_of_it_is_advertised_whatever_the_broker_serves() {
    let partner = Partner::of(&[("a", "b", Read)]);
    for key in REFUSED {
        let entry = REGISTRY.iter().find(|entry| entry.key() == key).unwrap();
        assert_eq!(entry.origin, Origin::Gateway, "{}", entry.name());
        assert_eq!(entry.served(&ApiRanges::new()), Some(entry.versions), "{}", entry.name());
        for version in entry.versions.first..=entry.versions.last {
            for seed in 0..20 {
                let exchange = partner.exchange(version);
                let body = sample::body(entry.request, version, seed).into();
                let outcome = (entry.handle)(&exchange, body);
                assert!(matches!(outcome, Ok(Outcome::Answer(_))), "{} v{version}", entry.name());
            }
        }
    }
}

#[test]
fn what_is_not_there_is_refused_like_what_is() {
    let partner = Partner::of(&[("a", "b", Read)]);
    let names = ["a", "b", "nowhere"].map(topic).to_vec();
    let request = DeleteTopicsRequest::default().with_topic_names(names);
    let answer: DeleteTopicsResponse = partner.send(20, 5, &request).answered();
    assert!(answer.responses.iter().all(|topic| topic.error_code == 29), "{answer:?}");
}

#[test]
fn an_id_is_refused_under_its_alias_and_a_real_one_is_unknown() {
    let partner = Partner::of(&[("a", "b", Read)]);
    let synthetic = partner.view.by_alias("a").unwrap().ids.unwrap().synthetic;
    let by_id = |id| DeleteTopicState::default().with_name(None).with_topic_id(id);
    let ids = [synthetic, real_id("b"), Uuid::from_u128(7)];
    let request = DeleteTopicsRequest::default().with_topics(ids.map(by_id).to_vec());
    let answer: DeleteTopicsResponse = partner.send(20, 6, &request).answered();
    let seen: Vec<_> = answer.responses.iter().map(|t| (t.name.clone(), t.topic_id, t.error_code)).collect();
    assert_eq!(seen, [(Some(topic("a")), ids[0], 29), (None, ids[1], 100), (None, ids[2], 100)],);
}

/// A client shows its own words where there are none, and an empty line where they are empty.
#[test]
fn a_refusal_leaves_the_words_to_the_client() {
    use m::create_topics_request::CreatableTopic;
    let request =
        m::CreateTopicsRequest::default().with_topics(vec![CreatableTopic::default().with_name(topic("x"))]);
    let answer: m::CreateTopicsResponse = Partner::of(&[]).send(19, 7, &request).answered();
    assert_eq!((answer.topics[0].error_code, answer.topics[0].error_message.clone()), (29, None));
}

#[test]
fn a_configuration_is_refused_in_the_words_of_what_it_belongs_to() {
    use m::incremental_alter_configs_request::AlterConfigsResource;
    let kinds = [(2, 29), (4, 31), (8, 31), (16, 31), (32, 30), (99, 42)];
    let resource = |(kind, _)| AlterConfigsResource::default().with_resource_type(kind);
    let request = m::IncrementalAlterConfigsRequest::default().with_resources(kinds.map(resource).to_vec());
    let answer: m::IncrementalAlterConfigsResponse = Partner::of(&[]).send(44, 1, &request).answered();
    let seen: Vec<_> = answer.responses.iter().map(|r| (r.resource_type, r.error_code)).collect();
    assert_eq!(seen, kinds);
}
