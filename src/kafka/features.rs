//! Cluster features (KIP-584): protocol behaviour that an operator has switched on for all brokers at once, such as the
//! second version of transactions (`transaction.version`, KIP-890). Clients read them from ApiVersions.

use std::collections::BTreeMap;

use kafka_protocol::messages::ApiVersionsResponse;

use super::shape::Versions;

/// More than any Kafka has (it has about ten): what a broker says beyond is not kept.
const MOST: usize = 64;

/// What a broker says of its cluster's features, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// When the cluster last changed; a client believes the highest it has seen. None: there are no features.
    pub epoch: Option<i64>,
    /// What the broker's software could do.
    pub supported: BTreeMap<String, Versions>,
    /// What the cluster has switched on: the levels in force.
    pub finalized: BTreeMap<String, Versions>,
}

impl Features {
    /// From a broker's answer to ApiVersions 3 or later.
    pub fn of(answer: &ApiVersionsResponse) -> Self {
        let supported = answer.supported_features.iter().map(|feature| {
            (feature.name.to_string(), Versions::new(feature.min_version, feature.max_version))
        });
        let finalized = answer.finalized_features.iter().map(|feature| {
            (feature.name.to_string(), Versions::new(feature.min_version_level, feature.max_version_level))
        });
        Self {
            epoch: Some(answer.finalized_features_epoch).filter(|epoch| *epoch >= 0),
            supported: supported.take(MOST).collect(),
            finalized: finalized.take(MOST).collect(),
        }
    }

    /// What all of these brokers say: the lowest level of each feature, as of the lowest epoch. One that says nothing has
    /// nothing.
    pub fn common<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = all.into_iter();
        let mut common = all.next().cloned().unwrap_or_default();
        for other in all {
            common.epoch = common.epoch.min(other.epoch);
            intersect(&mut common.supported, &other.supported);
            intersect(&mut common.finalized, &other.finalized);
        }
        common
    }

    /// Whether nothing but time has passed: brokers count the epoch on with every change of the cluster.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        self.epoch.is_some() == other.epoch.is_some()
            && self.supported == other.supported
            && self.finalized == other.finalized
    }
}

/// Keeps the keys that both have, with the versions that are in both ranges.
pub fn intersect<K: Ord>(mine: &mut BTreeMap<K, Versions>, theirs: &BTreeMap<K, Versions>) {
    mine.retain(|key, mine| {
        let Some(common) = theirs.get(key).and_then(|theirs| mine.common(*theirs)) else { return false };
        *mine = common;
        true
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(epoch: i64, level: i16) -> Features {
        let ranges = |last| BTreeMap::from([("transaction.version".to_owned(), Versions::new(0, last))]);
        Features { epoch: Some(epoch), supported: ranges(2), finalized: ranges(level) }
    }

    #[test]
    fn a_feature_is_in_force_when_every_broker_says_so() {
        assert_eq!(Features::common([&features(9, 2), &features(7, 1)]), features(7, 1));
        assert_eq!(Features::common([&features(9, 2)]), features(9, 2));
        let silent = Features::common([&features(9, 2), &Features::default()]);
        assert_eq!(silent, Features::default(), "a broker before 2.7 has no features");
        assert_eq!(Features::common([]), Features::default());
    }

    #[test]
    fn an_epoch_that_went_on_is_no_news_and_a_level_is() {
        assert!(features(9, 2).says_the_same_as(&features(100, 2)));
        assert!(!features(9, 2).says_the_same_as(&features(9, 1)));
        assert!(!features(9, 2).says_the_same_as(&Features::default()));
    }
}
