//! OffsetDelete (47): a group forgets how far it has read. Offsets belong to the topic: under whichever alias they are
//! deleted, they are gone for every other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::{self, OffsetDeleteRequest, OffsetDeleteResponse};

use super::names::{self, Key, authorise};
use super::{Exchange, Outcome, Refusal, body, group_id};
use crate::kafka::shape::{Entity, Field as F, Shape, Type as T, Versions};
use crate::zone::{Operation, TopicName};

/// What the broker (Kafka 4.4) and `kafka-protocol` share.
pub(crate) const VERSIONS: Versions = Versions::new(0, 0);

#[rustfmt::skip]
pub(crate) static REQUEST: Shape = Shape {
    api_key: 47,
    name: "OffsetDeleteRequest",
    versions: VERSIONS,
    flexible_since: i16::MAX,
    fields: &[
        F::new("groupId", T::String).entity(Entity::GroupId),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
            ]))),
        ]))),
    ],
};

#[rustfmt::skip]
pub(crate) static RESPONSE: Shape = Shape {
    api_key: 47,
    name: "OffsetDeleteResponse",
    versions: VERSIONS,
    flexible_since: i16::MAX,
    fields: &[
        F::new("errorCode", T::Int16),
        F::new("throttleTimeMs", T::Int32),
        F::new("topics", T::Array(&T::Struct(&[
            F::new("name", T::String).entity(Entity::TopicName),
            F::new("partitions", T::Array(&T::Struct(&[
                F::new("partitionIndex", T::Int32),
                F::new("errorCode", T::Int16),
            ]))),
        ]))),
    ],
};

/// One topic as it was asked for.
struct Asked {
    name: messages::TopicName,
    backing: TopicName,
    partitions: Vec<i32>,
}

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: OffsetDeleteRequest = body::request(&REQUEST, version, body)?;
    let group = match group_id::member_inside(exchange.view, &request.group_id) {
        Ok(group) => group,
        Err(error) => {
            return body::answer(&OffsetDeleteResponse::default().with_error_code(error.code()), version);
        }
    };
    let mut asked = Vec::with_capacity(request.topics.len());
    let mut refused = Vec::new();
    let mut wanted: BTreeMap<TopicName, BTreeSet<i32>> = BTreeMap::new();
    for topic in request.topics {
        let partitions: Vec<i32> =
            topic.partitions.iter().map(|partition| partition.partition_index).collect();
        match authorise(exchange.view, Key::Name(&topic.name), Operation::Read) {
            Ok(known) => {
                wanted.entry(known.backing.clone()).or_default().extend(&partitions);
                let name = names::detached(&topic.name);
                asked.push(Asked { name, backing: known.backing.clone(), partitions });
            }
            Err(error) => {
                let all = partitions.into_iter().map(|index| (index, error.code()));
                refused.push(answered(names::detached(&topic.name), all));
            }
        }
    }
    request.group_id = group;
    // Even with nothing left to delete the broker is asked: whether there is such a group comes first.
    request.topics = wanted.into_iter().map(|(backing, partitions)| merged(&backing, partitions)).collect();
    body::forward(&request, &RESPONSE, version, move |response: &mut OffsetDeleteResponse| {
        if response.error_code != 0 {
            response.topics = Vec::new();
            return;
        }
        let told: HashMap<(String, i32), i16> = std::mem::take(&mut response.topics)
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|partition| (topic.name.to_string(), partition)))
            .map(|(name, partition)| ((name, partition.partition_index), partition.error_code))
            .collect();
        let expanded = asked.into_iter().map(|Asked { name, backing, partitions }| {
            let unanswered = ResponseError::UnknownServerError.code();
            let code = |index| told.get(&(backing.to_string(), index)).copied().unwrap_or(unanswered);
            answered(name, partitions.into_iter().map(|index| (index, code(index))))
        });
        response.topics = expanded.chain(refused).collect();
    })
}

/// A backing topic with the partitions that were asked for under any of its aliases.
fn merged(backing: &TopicName, partitions: BTreeSet<i32>) -> OffsetDeleteRequestTopic {
    let partition = |index| OffsetDeleteRequestPartition::default().with_partition_index(index);
    OffsetDeleteRequestTopic::default()
        .with_name(names::wire(backing))
        .with_partitions(partitions.into_iter().map(partition).collect())
}

/// A topic of the response from (partition, error).
fn answered(
    name: messages::TopicName,
    partitions: impl Iterator<Item = (i32, i16)>,
) -> OffsetDeleteResponseTopic {
    let partition = |(index, code)| {
        OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(code)
    };
    OffsetDeleteResponseTopic::default().with_name(name).with_partitions(partitions.map(partition).collect())
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::GroupId;

    use super::super::fixture::{Partner, Produce, Read, Write, topic};
    use super::*;

    fn asked(name: &str, partitions: &[i32]) -> OffsetDeleteRequestTopic {
        let partition = |&index: &i32| OffsetDeleteRequestPartition::default().with_partition_index(index);
        OffsetDeleteRequestTopic::default()
            .with_name(topic(name))
            .with_partitions(partitions.iter().map(partition).collect())
    }

    fn ask(group: &'static str, topics: Vec<OffsetDeleteRequestTopic>) -> OffsetDeleteRequest {
        OffsetDeleteRequest::default().with_group_id(GroupId(group.into())).with_topics(topics)
    }

    #[test]
    fn aliases_of_one_topic_are_one_there_and_each_gets_its_own_answer() {
        let partner =
            Partner::of(&[("a", "t", Read), ("b", "t", Write), ("t", "a", Read), ("in", "u", Produce)]);
        let topics = [("b", &[1, 2][..]), ("a", &[0, 1]), ("t", &[5]), ("in", &[0]), ("u", &[0])];
        let request = ask("g", topics.map(|(name, partitions)| asked(name, partitions)).to_vec());
        let (sent, awaited) = partner.send(47, 0, &request).forwarded::<OffsetDeleteRequest>();
        assert_eq!(sent, ask("acme:g", vec![asked("a", &[5]), asked("t", &[0, 1, 2])]));
        let response = OffsetDeleteResponse::default().with_topics(vec![
            answered(topic("t"), [(2, 0), (1, 86), (0, 0)].into_iter()),
            answered(topic("a"), [(5, 3)].into_iter()),
            answered(topic("not-asked-for"), [(0, 0)].into_iter()),
        ]);
        let seen: OffsetDeleteResponse = partner.receive(awaited, &response);
        let expected = [
            ("b", vec![(1, 86), (2, 0)]),
            ("a", vec![(0, 0), (1, 86)]),
            ("t", vec![(5, 3)]),
            ("in", vec![(0, 29)]),
            ("u", vec![(0, 29)]),
        ];
        let expected = expected.map(|(name, partitions)| answered(topic(name), partitions.into_iter()));
        assert_eq!(seen.topics, expected);
    }

    #[test]
    fn an_error_of_the_group_stands_for_all_of_it() {
        let partner = Partner::of(&[]);
        let (_, awaited) =
            partner.send(47, 0, &ask("g", vec![asked("x", &[0])])).forwarded::<OffsetDeleteRequest>();
        let response = OffsetDeleteResponse::default().with_error_code(69);
        assert_eq!(partner.receive::<OffsetDeleteResponse, _>(awaited, &response), response);
        let nameless: OffsetDeleteResponse = partner.send(47, 0, &ask("", vec![asked("x", &[0])])).answered();
        assert_eq!((nameless.error_code, nameless.topics.len()), (24, 0));
    }
}
