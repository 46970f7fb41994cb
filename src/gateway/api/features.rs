//! Which of a cluster's features a partner is shown: what the cluster has switched on and this gateway serves.
//!
//! A feature makes clients speak other versions, so a level is shown only with the versions that it takes: a client that
//! believes in KIP-890 and finds Produce 11 would be left between the two protocols.

use kafka_protocol::messages::ApiVersionsResponse;
use kafka_protocol::messages::api_versions_response::{FinalizedFeatureKey, SupportedFeatureKey};
use kafka_protocol::protocol::StrBytes;

use super::entry;
use crate::gateway::offer::Offer;
use crate::kafka::features::Features;
use crate::kafka::shape::Versions;

/// A feature that changes what clients send.
struct Feature {
    name: &'static str,
    /// Level 1 and those above it, each with the (API key, version) pairs that it takes beyond the one below.
    levels: &'static [&'static [(i16, i16)]],
}

/// In Kafka's own words `bin/kafka-features.sh describe`.
static SERVED: &[Feature] = &[
    Feature {
        name: "transaction.version",
        // Level 1 is about the brokers' own log. Level 2 (KIP-890): Produce 12 and TxnOffsetCommit 5 take part in a
        // transaction by themselves, and each EndTxn 5 gives the producer its next epoch.
        levels: &[&[], &[(0, 12), (26, 5), (28, 5)]],
    },
    // Level 1 (KIP-848): groups whose members speak the new protocol.
    Feature { name: "group.version", levels: &[&[(68, 0), (69, 0)]] },
];

/// Adds the features to a response of this version.
pub(super) fn show(response: ApiVersionsResponse, version: i16, offer: &Offer) -> ApiVersionsResponse {
    let Features { epoch, supported, finalized } = &offer.features;
    // Versions below 3 have no place for them.
    let Some(epoch) = epoch.filter(|_| version >= 3) else {
        return response.with_finalized_features_epoch(-1);
    };
    let (mut could, mut does) = (Vec::new(), Vec::new());
    for feature in SERVED {
        let name = StrBytes::from_static_str(feature.name);
        let ours = feature.highest(offer);
        if let Some(theirs) = supported.get(feature.name)
            && theirs.first <= ours
            // KIP-1022: readers of version 3 take a lowest level of 0 for a broken message.
            && (theirs.first > 0 || version > 3)
        {
            let last = theirs.last.min(ours);
            could.push(
                SupportedFeatureKey::default()
                    .with_name(name.clone())
                    .with_min_version(theirs.first)
                    .with_max_version(last),
            );
        }
        if let Some(Versions { first, last }) = finalized.get(feature.name)
            && last.min(&ours) >= &1
        {
            let level = (*last).min(ours);
            does.push(
                FinalizedFeatureKey::default()
                    .with_name(name)
                    .with_min_version_level((*first).min(level))
                    .with_max_version_level(level),
            );
        }
    }
    response.with_supported_features(could).with_finalized_features_epoch(epoch).with_finalized_features(does)
}

impl Feature {
    /// The highest level that is served in front of such brokers; 0 is none.
    fn highest(&self, offer: &Offer) -> i16 {
        let served = |&(key, version): &(i16, i16)| {
            entry(key)
                .and_then(|entry| entry.served(&offer.versions))
                .is_some_and(|range| range.contains(version))
        };
        let levels = self.levels.iter().take_while(|needs| needs.iter().all(served)).count();
        i16::try_from(levels).unwrap_or(i16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::fixture;
    use super::*;

    /// Brokers with `transaction.version` supported from 0 to 3 and finalised at `level`, and a feature we know nothing of.
    fn offer(level: i16) -> Offer {
        let ranges = |last| {
            let range = Versions::new(0, last);
            BTreeMap::from([("transaction.version".to_owned(), range), ("share.version".to_owned(), range)])
        };
        let features = Features { epoch: Some(77), supported: ranges(3), finalized: ranges(level) };
        Offer { features, ..(*fixture::brokers().offer).clone() }
    }

    /// (epoch, supported maximum, level in force) of `transaction.version`, which is all that may be shown.
    fn seen(version: i16, offer: &Offer) -> (i64, Option<i16>, Option<i16>) {
        let response = show(ApiVersionsResponse::default(), version, offer);
        let names = response.supported_features.iter().map(|f| &f.name);
        assert!(
            names
                .chain(response.finalized_features.iter().map(|f| &f.name))
                .all(|name| name.starts_with("trans"))
        );
        (
            response.finalized_features_epoch,
            response.supported_features.first().map(|feature| feature.max_version),
            response.finalized_features.first().map(|feature| feature.max_version_level),
        )
    }

    #[test]
    fn what_the_cluster_has_switched_on_is_shown_up_to_what_is_served() {
        assert_eq!(seen(4, &offer(2)), (77, Some(2), Some(2)));
        assert_eq!(seen(4, &offer(1)), (77, Some(2), Some(1)));
        assert_eq!(seen(4, &offer(0)), (77, Some(2), None));
        assert_eq!(seen(4, &offer(3)), (77, Some(2), Some(2)), "a level we do not know");
        assert_eq!(seen(3, &offer(2)), (77, None, Some(2)));
        assert_eq!(seen(2, &offer(2)), (-1, None, None));
        assert_eq!(seen(4, &fixture::brokers().offer), (-1, None, None), "a cluster without features");
    }

    #[test]
    fn the_new_consumer_protocol_is_shown_where_the_cluster_has_switched_it_on() {
        let level = Versions::new(1, 1);
        let features = |finalized: &[&str]| Features {
            epoch: Some(77),
            supported: BTreeMap::from([("group.version".to_owned(), Versions::new(0, 1))]),
            finalized: finalized.iter().map(|name| ((*name).to_owned(), level)).collect(),
        };
        let mut offer = offer(2);
        for (serves, finalized, shown) in
            [(1, &["group.version"][..], true), (1, &[], false), (-1, &["group.version"], false)]
        {
            offer.features = features(finalized);
            offer.versions.insert(68, Versions::new(0, serves));
            offer.versions.insert(69, Versions::new(0, serves));
            let response = show(ApiVersionsResponse::default(), 4, &offer);
            let names: Vec<_> = response.finalized_features.iter().map(|f| f.name.as_str()).collect();
            assert_eq!(names.contains(&"group.version"), shown);
        }
    }

    #[test]
    fn the_second_transaction_version_is_shown_only_with_all_versions_it_takes() {
        for (key, last) in [(0, 11), (26, 4), (28, 4)] {
            let mut offer = offer(2);
            offer.versions.insert(key, Versions::new(0, last));
            assert_eq!(seen(4, &offer), (77, Some(1), Some(1)), "{key} up to {last}");
        }
    }
}
