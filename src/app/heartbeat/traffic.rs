//! Demands as a heartbeat holds them: bounded, since a record of the status topic is.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::gateway::Demands;
use crate::zone::{Demand, ZoneName};

/// Zones of one heartbeat: some 300 KiB with all limits and the longest names. Those beyond keep to what idle nodes have.
const ZONES: usize = 1_000;

/// Those zones first of which somebody is held back.
pub(super) fn shown(demands: BTreeMap<ZoneName, Demands>) -> BTreeMap<String, BTreeMap<String, Demand>> {
    let mut zones: Vec<_> = demands.into_iter().collect();
    zones.sort_by_key(|(_, demands)| Reverse(demands.values().any(|demand| demand.held)));
    zones.truncate(ZONES);
    let by_label = |demands: Demands| {
        demands.into_iter().map(|(limit, demand)| (limit.label().to_owned(), demand)).collect()
    };
    zones.into_iter().map(|(zone, demands)| (zone.to_string(), by_label(demands))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Limit;

    #[test]
    fn a_heartbeat_has_a_limited_size_and_those_who_need_more_are_in_it() {
        let zone = |n: usize| {
            let name = format!("{n}-{}", "z".repeat(58));
            let demand = Demand { used: u64::MAX, held: n == ZONES };
            (ZoneName::try_from(name.as_str()).unwrap(), Limit::ALL.map(|limit| (limit, demand)).into())
        };
        let shown = shown((0..=ZONES).map(zone).collect());
        assert_eq!(shown.len(), ZONES);
        assert!(shown.values().any(|demands| demands.values().all(|demand| demand.held)));
        assert!(serde_json::to_vec(&shown).unwrap().len() < 400 << 10);
    }
}
