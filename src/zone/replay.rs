//! Where topics stood when they were shared without what was there already (`replay: {from: latest}`).

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{PartnerZone, Replay, SharedTopic, TopicName};

/// A zone's, by alias.
pub type ReplayStarts = BTreeMap<TopicName, ReplayStart>;

/// The ends of a topic's partitions, as they were when an alias for it was shared: what came before is not for the partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayStart {
    pub backing: TopicName,
    /// The topic that it was. None where clusters have no ids, or there was no topic yet.
    pub topic_id: Option<Uuid>,
    /// The first offset that may be read, of each partition in their order. What is not in here came later.
    pub offsets: Vec<i64>,
}

impl ReplayStart {
    /// The first offset of a partition that may be read, where the topic now has this id. All of a topic that was made anew came
    /// after the share began.
    pub fn first_offset(&self, topic_id: Option<Uuid>, partition: i32) -> i64 {
        match (self.topic_id, topic_id) {
            (Some(then), Some(now)) if then != now => 0,
            _ => usize::try_from(partition).ok().and_then(|at| self.offsets.get(at)).copied().unwrap_or(0),
        }
    }
}

impl PartnerZone {
    /// Of what is known of this zone's topics, what still counts: an alias that stands for another topic now, or that was
    /// shared in full meanwhile, begins anew.
    pub fn starts_kept(&self, known: &ReplayStarts) -> ReplayStarts {
        let kept = |topic: &SharedTopic| {
            let start = known.get(&topic.alias).filter(|start| start.backing == topic.backing)?;
            Some((topic.alias.clone(), start.clone()))
        };
        self.begin_at_their_ends().filter_map(kept).collect()
    }

    /// The topics of which nothing is shared that was there before.
    pub fn begin_at_their_ends(&self) -> impl Iterator<Item = &SharedTopic> {
        self.topics.iter().filter(|topic| topic.replay == Some(Replay::FromLatest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::{Permission, sample};

    fn name(text: &str) -> TopicName {
        TopicName::try_from(text).unwrap()
    }

    fn start(backing: &str) -> ReplayStart {
        let topic_id = Some(Uuid::from_u128(7));
        ReplayStart { backing: name(backing), topic_id, offsets: vec![40, 0] }
    }

    #[test]
    fn what_came_later_may_be_read_from_its_beginning() {
        let known = start("t");
        assert_eq!(known.first_offset(known.topic_id, 0), 40);
        assert_eq!(known.first_offset(None, 0), 40, "its id is not known at the moment");
        assert_eq!(known.first_offset(known.topic_id, 2), 0, "the topic has grown");
        assert_eq!(known.first_offset(Some(Uuid::from_u128(8)), 0), 0, "it was deleted and made again");
        let without_ids = ReplayStart { topic_id: None, ..known };
        assert_eq!(without_ids.first_offset(Some(Uuid::from_u128(8)), 0), 40);
    }

    #[test]
    fn a_start_ends_with_what_it_is_of() {
        let topic = |alias, backing, replay| SharedTopic {
            replay,
            ..sample::topic(alias, backing, Permission::Read)
        };
        let zone = sample::zone(
            "acme",
            vec![
                topic("same", "t", Some(Replay::FromLatest)),
                topic("new", "t", Some(Replay::FromLatest)),
                topic("elsewhere", "u", Some(Replay::FromLatest)),
                topic("all", "t", None),
            ],
        );
        let known = ["same", "elsewhere", "all", "gone"].map(|alias| (name(alias), start("t"))).into();
        assert_eq!(zone.starts_kept(&known).into_keys().collect::<Vec<_>>(), [name("same")]);
    }
}
