//! OffsetFetch (9): what a group has committed. Offsets belong to the topic, so every readable alias of it shows them.

mod group;
mod shapes;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

use self::group::GroupPlan;
pub(super) use self::shapes::{REQUEST, RESPONSE, VERSIONS};
use super::{Exchange, Outcome, Refusal, body};

/// The first version with several groups in one request. Older ones are handled as a batch of one.
const BATCHED: i16 = 8;

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let version = exchange.version;
    let mut request: OffsetFetchRequest = body::request(&REQUEST, version, body)?;
    let asked = if version < BATCHED {
        vec![single_request(&mut request)]
    } else {
        group::groups_once(std::mem::take(&mut request.groups))
    };
    let mut forwarded = Vec::with_capacity(asked.len());
    let mut plans = VecDeque::new();
    let mut local = Vec::new();
    for mut group in asked {
        match GroupPlan::take(exchange.view, &mut group) {
            Ok(plan) if group::is_left(&group) => {
                forwarded.push(group);
                plans.push_back(plan);
            }
            Ok(plan) => local.push(plan.without_broker()),
            Err(error) => local.push(group::refuse(group, error, version)),
        }
    }
    if forwarded.is_empty() {
        return body::answer(&with_groups(OffsetFetchResponse::default(), version, local), version);
    }
    if version < BATCHED {
        split_single(&mut request, forwarded.pop().unwrap_or_default());
    } else {
        request.groups = forwarded;
    }
    let view = Arc::clone(exchange.view);
    body::forward(&request, &RESPONSE, version, move |response: &mut OffsetFetchResponse| {
        let answered = if version < BATCHED {
            vec![single_response(response)]
        } else {
            std::mem::take(&mut response.groups)
        };
        let mut groups = Vec::with_capacity(answered.len() + local.len());
        for group in answered {
            // Below 8 there is one group, and it is not named.
            let place = plans.iter().position(|plan| version < BATCHED || plan.inside == group.group_id);
            if let Some(plan) = place.and_then(|place| plans.remove(place)) {
                groups.push(plan.map(&view, group));
            }
        }
        groups.extend(local);
        *response = with_groups(std::mem::take(response), version, groups);
    })
}

/// The one group of an old request, as the batch of one that it is.
fn single_request(request: &mut OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topic = |topic: OffsetFetchRequestTopic| {
        OffsetFetchRequestTopics::default()
            .with_name(topic.name)
            .with_partition_indexes(topic.partition_indexes)
    };
    let topics = request.topics.take().map(|topics| topics.into_iter().map(topic).collect());
    OffsetFetchRequestGroup::default()
        .with_group_id(std::mem::take(&mut request.group_id))
        .with_topics(topics)
}

fn split_single(request: &mut OffsetFetchRequest, group: OffsetFetchRequestGroup) {
    let topic = |topic: OffsetFetchRequestTopics| {
        OffsetFetchRequestTopic::default()
            .with_name(topic.name)
            .with_partition_indexes(topic.partition_indexes)
    };
    request.group_id = group.group_id;
    request.topics = group.topics.map(|topics| topics.into_iter().map(topic).collect());
}

fn single_response(response: &mut OffsetFetchResponse) -> OffsetFetchResponseGroup {
    let partition = |partition: OffsetFetchResponsePartition| {
        OffsetFetchResponsePartitions::default()
            .with_partition_index(partition.partition_index)
            .with_committed_offset(partition.committed_offset)
            .with_committed_leader_epoch(partition.committed_leader_epoch)
            .with_metadata(partition.metadata)
            .with_error_code(partition.error_code)
    };
    let topics = std::mem::take(&mut response.topics);
    let topics = topics
        .into_iter()
        .map(|topic| group::topic(topic.name, topic.partitions.into_iter().map(partition).collect()));
    OffsetFetchResponseGroup::default().with_topics(topics.collect()).with_error_code(response.error_code)
}

/// Puts the groups where this version has them.
fn with_groups(
    mut response: OffsetFetchResponse,
    version: i16,
    mut groups: Vec<OffsetFetchResponseGroup>,
) -> OffsetFetchResponse {
    if version >= BATCHED {
        return response.with_groups(groups);
    }
    let group = groups.pop().unwrap_or_default();
    let partition = |partition: OffsetFetchResponsePartitions| {
        let old = OffsetFetchResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_committed_offset(partition.committed_offset)
            .with_metadata(partition.metadata)
            .with_error_code(partition.error_code);
        old.with_committed_leader_epoch(partition.committed_leader_epoch)
    };
    let topics = group.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(partition).collect();
        OffsetFetchResponseTopic::default().with_name(topic.name).with_partitions(partitions)
    });
    response.topics = topics.collect();
    // Version 1 has errors per partition only.
    response.with_error_code(if has_group_error(version) { group.error_code } else { 0 })
}

/// In version 1 an error of the group stands at every partition.
fn has_group_error(version: i16) -> bool {
    version >= 2
}

/// The error of a topic that the partner may not read, or of a group that cannot be.
fn refused_partition(index: i32, error: ResponseError) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(-1)
        .with_committed_leader_epoch(-1)
        .with_metadata(Some("".into()))
        .with_error_code(error.code())
}
