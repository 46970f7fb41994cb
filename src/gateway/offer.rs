//! What brokers serve, and what that leaves of the closed table.

use std::collections::BTreeMap;

use crate::kafka::features::{Features, intersect};
use crate::kafka::shape::Versions;

/// Versions by API key.
pub type ApiRanges = BTreeMap<i16, Versions>;

/// What a broker serves; of several, what all of them do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    pub versions: ApiRanges,
    /// What is switched on in the cluster.
    pub features: Features,
}

impl Offer {
    /// The slowest decides: a client that is told this may be given to any of them.
    pub fn common<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> Self {
        Self {
            versions: common_ranges(all.clone().map(|offer| &offer.versions)),
            features: Features::common(all.map(|offer| &offer.features)),
        }
    }
}

/// The versions that are in all of these ranges. A key that one of them lacks is in none.
fn common_ranges<'a>(mut all: impl Iterator<Item = &'a ApiRanges>) -> ApiRanges {
    let mut common = all.next().cloned().unwrap_or_default();
    for ranges in all {
        intersect(&mut common, ranges);
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(of: &[(i16, i16, i16)]) -> ApiRanges {
        of.iter().map(|&(key, first, last)| (key, Versions::new(first, last))).collect()
    }

    #[test]
    fn the_slowest_broker_decides_what_is_offered() {
        let new = ranges(&[(0, 3, 13), (1, 4, 18), (68, 0, 1)]);
        let old = ranges(&[(0, 0, 9), (1, 0, 3)]);
        assert_eq!(common_ranges([&new, &old].into_iter()), ranges(&[(0, 3, 9)]));
        assert_eq!(common_ranges([&new].into_iter()), new);
        assert_eq!(common_ranges([].into_iter()), ApiRanges::new());
    }
}
