//! The way back: the broker's topics become the zone's aliases, its brokers get their advertised addresses.

use std::collections::HashMap;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::Scope;
use crate::gateway::addresses::{Brokers, cluster_id, controller};
use crate::gateway::api::{names, operations};
use crate::policy::{Topic, ZoneView, topic_id};

/// The first version with offline replicas.
const OFFLINE: i16 = 5;

/// What is left behind of a request, to make its response from.
#[derive(Debug)]
pub(super) struct Mapping {
    pub(super) version: i16,
    pub(super) view: Arc<ZoneView>,
    pub(super) brokers: Arc<Brokers>,
    pub(super) cluster_operations: i32,
    pub(super) topic_operations: bool,
    pub(super) scope: Scope,
    /// Topics that were answered without the broker.
    pub(super) local: Vec<MetadataResponseTopic>,
}

impl Mapping {
    /// The response where there is nothing to ask the broker for.
    pub(super) fn without_broker(self) -> MetadataResponse {
        let broker = |&id: &i32| MetadataResponseBroker::default().with_node_id(BrokerId(id));
        let brokers = self.brokers.live.iter().map(broker).collect();
        let mut response = MetadataResponse::default().with_brokers(brokers);
        self.map(&mut response);
        response
    }

    pub(super) fn map(mut self, response: &mut MetadataResponse) {
        response
            .brokers
            .retain_mut(|broker| self.brokers.advertise(*broker.node_id, &mut broker.host, &mut broker.port));
        if self.version >= 2 {
            response.cluster_id = Some(StrBytes::from_string(cluster_id(self.view.id)));
        }
        let shown = response.brokers.iter().map(|broker| *broker.node_id);
        response.controller_id = BrokerId(controller(*response.controller_id, shown));
        response.cluster_authorized_operations = self.cluster_operations;
        let observed = std::mem::take(&mut response.topics);
        let observed: HashMap<String, MetadataResponseTopic> = observed
            .into_iter()
            .filter_map(|topic| Some((topic.name.as_ref()?.to_string(), topic)))
            .collect();
        response.topics = match &self.scope {
            Scope::All => {
                self.view.topics().iter().filter_map(|topic| self.existing(topic, &observed)).collect()
            }
            Scope::Asked(topics) => topics.iter().map(|topic| self.asked(topic, &observed)).collect(),
        };
        response.topics.append(&mut self.local);
    }

    /// An alias in a list of all: those whose backing topic is not there, or not ours to see, are no news.
    fn existing(
        &self,
        topic: &Topic,
        observed: &HashMap<String, MetadataResponseTopic>,
    ) -> Option<MetadataResponseTopic> {
        let observed = observed.get(topic.backing.as_str())?;
        let absent = [ResponseError::UnknownTopicOrPartition, ResponseError::TopicAuthorizationFailed];
        if absent.iter().any(|error| error.code() == observed.error_code) {
            return None;
        }
        Some(self.shown(topic, observed))
    }

    fn asked(
        &self,
        topic: &Topic,
        observed: &HashMap<String, MetadataResponseTopic>,
    ) -> MetadataResponseTopic {
        match observed.get(topic.backing.as_str()) {
            Some(observed) => self.shown(topic, observed),
            None => MetadataResponseTopic::default()
                .with_name(Some(names::wire(&topic.alias)))
                .with_error_code(ResponseError::UnknownTopicOrPartition.code()),
        }
    }

    fn shown(&self, topic: &Topic, observed: &MetadataResponseTopic) -> MetadataResponseTopic {
        let mut shown = observed.clone();
        shown.name = Some(names::wire(&topic.alias));
        shown.topic_id = self.shown_id(topic, observed.topic_id);
        shown.is_internal = false;
        shown.topic_authorized_operations = if self.topic_operations && observed.error_code == 0 {
            operations::on_topic(topic.permission)
        } else {
            operations::NOT_ASKED
        };
        shown.partitions.iter_mut().for_each(|partition| self.lead(partition));
        shown
    }

    /// The id of an alias. None where the broker has none, or where this gateway does not know the topic yet: a client then
    /// asks by name, which works. A recreated topic shows its new id at once.
    fn shown_id(&self, topic: &Topic, real: Uuid) -> Uuid {
        match topic.ids {
            Some(ids) if ids.real == real => ids.synthetic,
            Some(_) if !real.is_nil() => topic_id::synthetic(self.view.id, &topic.alias, real),
            _ => Uuid::nil(),
        }
    }

    /// A broker that is not shown leads nothing and keeps nothing up to date, as if it were down.
    fn lead(&self, partition: &mut MetadataResponsePartition) {
        let hidden = |id: &BrokerId| self.brokers.live_at(**id).is_none();
        if *partition.leader_id >= 0 && hidden(&partition.leader_id) {
            partition.leader_id = BrokerId(-1);
            if partition.error_code == 0 {
                partition.error_code = ResponseError::LeaderNotAvailable.code();
            }
        }
        partition.isr_nodes.retain(|id| !hidden(id));
        if self.version >= OFFLINE {
            let offline = &mut partition.offline_replicas;
            let fresh: Vec<BrokerId> = partition
                .replica_nodes
                .iter()
                .filter(|id| hidden(id) && !offline.contains(id))
                .copied()
                .collect();
            offline.extend(fresh);
        }
    }
}
