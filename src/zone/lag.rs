//! How far a partner's consumers are behind: what topics hold that their groups have not committed yet.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Of one zone, as of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ZoneLag {
    /// The largest lag first. At most [`ZoneLag::GROUPS`].
    pub groups: Vec<GroupLag>,
    /// Whether there is more than this: groups or topics beyond what is kept or asked for, or some that the cluster did not tell of.
    pub is_partial: bool,
}

/// A consumer group's lag in one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupLag {
    /// As the partner calls it.
    pub group: String,
    /// The alias.
    pub topic: String,
    /// In records: of each partition with a commit its end without what is committed, and 0 where that is beyond the end. Offsets that no
    /// record has (of transactions' ends, or compacted away) count too.
    pub lag: u64,
    /// How many partitions have a commit.
    pub partitions: u32,
}

impl ZoneLag {
    /// Entries that are kept of a zone.
    pub const GROUPS: usize = 200;
    /// Bytes of a group's name: Kafka takes 32 KiB, and no group that means well has a longer one than this.
    const NAME: usize = 255;

    /// The entries with the largest lag of these.
    pub fn new(mut groups: Vec<GroupLag>, is_partial: bool) -> Self {
        let all = groups.len();
        groups.retain(|group| group.group.len() <= Self::NAME);
        groups.sort_by(|one, other| one.order().cmp(&other.order()));
        groups.truncate(Self::GROUPS);
        let is_partial = is_partial || groups.len() < all;
        Self { groups, is_partial }
    }

    /// In records, of all groups.
    pub fn total(&self) -> u64 {
        self.groups.iter().fold(0, |sum, group| sum.saturating_add(group.lag))
    }
}

impl GroupLag {
    fn order(&self) -> impl Ord {
        (Reverse(self.lag), &self.group, &self.topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, topic: &str, lag: u64) -> GroupLag {
        GroupLag { group: name.to_owned(), topic: topic.to_owned(), lag, partitions: 1 }
    }

    #[test]
    fn the_largest_lags_are_kept_and_it_is_said_that_there_are_more() {
        let many: Vec<_> = (0..=ZoneLag::GROUPS as u64).map(|lag| group("g", "t", lag)).collect();
        let lag = ZoneLag::new(many.clone(), false);
        assert_eq!((lag.groups.len(), lag.is_partial), (ZoneLag::GROUPS, true));
        assert_eq!((lag.groups[0].lag, lag.groups[ZoneLag::GROUPS - 1].lag), (200, 1));
        assert_eq!(lag.total(), 200 * 201 / 2);
        let all = ZoneLag::new(many[1..].to_vec(), false);
        assert_eq!((all.groups.len(), all.is_partial), (ZoneLag::GROUPS, false));
        assert!(ZoneLag::new(Vec::new(), true).is_partial);
    }

    #[test]
    fn equal_lags_are_in_the_order_of_their_names_and_endless_names_are_left_out() {
        let endless = "g".repeat(ZoneLag::NAME + 1);
        let groups = [group("b", "t", 1), group("a", "u", 1), group("a", "t", 1), group(&endless, "t", 9)];
        let lag = ZoneLag::new(groups.to_vec(), false);
        let names: Vec<_> =
            lag.groups.iter().map(|group| (group.group.as_str(), group.topic.as_str())).collect();
        assert_eq!((names, lag.is_partial), (vec![("a", "t"), ("a", "u"), ("b", "t")], true));
    }

    #[test]
    fn a_total_that_no_number_holds_is_the_largest_one() {
        let lag = ZoneLag::new(vec![group("a", "t", u64::MAX), group("b", "t", 1)], false);
        assert_eq!(lag.total(), u64::MAX);
    }

    #[test]
    fn it_is_read_as_it_is_written() {
        let lag = ZoneLag::new(vec![group("a", "t", 7)], true);
        let text = serde_json::to_string(&lag).unwrap();
        assert_eq!(text, r#"{"groups":[{"group":"a","topic":"t","lag":7,"partitions":1}],"isPartial":true}"#);
        assert_eq!(serde_json::from_str::<ZoneLag>(&text).unwrap(), lag);
    }
}
